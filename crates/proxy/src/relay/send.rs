//! Writes a head and the data behind it, in as few system calls as the socket allows.

use std::cell::RefCell;
use std::io;

use net::{Buffer, LARGE, Sys};

use crate::stream::Stream;

/// Writes `head`, then `data`, which is empty afterwards.
pub(crate) async fn send<S: Sys>(to: &Stream<S>, head: &[u8], data: &mut Buffer) -> io::Result<()> {
    let rest = send_now(to, head, data)?;
    send_rest(to, &rest, data).await
}

/// Writes what the socket takes without a wait; returns the rest of `head`.
pub(crate) fn send_now<S: Sys>(to: &Stream<S>, head: &[u8], data: &mut Buffer) -> io::Result<Vec<u8>> {
    if head.is_empty() && data.is_empty() {
        return Ok(Vec::new());
    }
    let sent = to.try_write(head, data.bytes())?;
    let of_head = sent.min(head.len());
    data.consume(sent - of_head);
    Ok(head[of_head..].to_vec())
}

/// Writes what [`send_now`] left. A page of ours may be larger than the largest block, so it goes in parts.
pub(crate) async fn send_rest<S: Sys>(to: &Stream<S>, rest: &[u8], data: &mut Buffer) -> io::Result<()> {
    for part in rest.chunks(LARGE) {
        let mut part_of_head = Buffer::new();
        part_of_head.extend(part).map_err(|_| io::ErrorKind::OutOfMemory)?;
        to.write_all(&mut part_of_head, &mut Buffer::new()).await?;
    }
    to.write_all(&mut Buffer::new(), data).await
}

/// Sends what `write` puts into the worker's scratch buffer, whose borrow ends before the wait.
pub(crate) async fn send_scratch<S: Sys>(
    scratch: &RefCell<Vec<u8>>,
    to: &Stream<S>,
    write: impl FnOnce(&mut Vec<u8>),
) -> io::Result<()> {
    let rest = {
        let mut out = scratch.borrow_mut();
        out.clear();
        write(&mut out);
        send_now(to, &out, &mut Buffer::new())?
    };
    if rest.is_empty() && to.is_flushed() {
        return Ok(());
    }
    send_rest(to, &rest, &mut Buffer::new()).await
}

/// Moves a little data behind the head: one plain write is cheaper than a gathered one.
pub(crate) fn coalesce(head: &mut Vec<u8>, data: &mut Buffer) {
    if data.len() <= COALESCED_BYTES_MAX {
        head.extend_from_slice(data.bytes());
        data.consume(data.len());
    }
}

const COALESCED_BYTES_MAX: usize = 2048;

#[cfg(test)]
mod tests;
