//! Moves a body from one side to the other, both ways with the same function: back-pressure comes from waiting for
//! the receiver before reading on, and memory is one buffer.

use std::io;
use std::time::Duration;

use crate::stream::Stream;
use model::HttpLimits;
use net::{Buffer, LARGE, Moved, Pipe, Sys};

use super::body::{BodyFault, BodyReader, BodyWriter};

/// One direction of an exchange.
pub(super) struct Flow<'a, S: Sys> {
    pub(super) from: &'a Stream<S>,
    pub(super) to: &'a Stream<S>,
    pub(super) input: &'a mut Buffer,
    pub(super) reader: &'a mut BodyReader,
    pub(super) writer: BodyWriter,
    pub(super) limits: &'a HttpLimits,
    /// Between two reads.
    pub(super) read_timeout: Duration,
    /// Between two writes.
    pub(super) write_timeout: Duration,
}

/// On which side a flow ended early.
#[derive(Debug)]
pub(super) enum FlowError {
    Read(io::Error),
    /// The sender closed within the body.
    Ended,
    Fault(BodyFault),
    Write(io::Error),
}

impl<S: Sys> Flow<'_, S> {
    /// Runs until the body has ended and is sent.
    pub(super) async fn run(mut self) -> Result<(), FlowError> {
        let mut reads_are_full = false;
        while !self.reader.is_complete() {
            if !self.input.is_empty() {
                self.send_what_came().await?;
                continue;
            }
            if reads_are_full && self.splice().await? {
                continue;
            }
            reads_are_full = self.read().await?;
        }
        Ok(())
    }

    /// Returns whether the read filled its buffer: there is more where it came from.
    async fn read(&mut self) -> Result<bool, FlowError> {
        self.from.set_read_deadline(self.from.worker().after(self.read_timeout));
        if self.from.fill(self.input, LARGE).await.map_err(FlowError::Read)? > 0 {
            return Ok(self.input.len() == self.input.capacity());
        }
        if !self.reader.end_of_stream() {
            return Err(FlowError::Ended);
        }
        self.send(Buffer::new()).await?;
        Ok(false)
    }

    async fn send_what_came(&mut self) -> Result<(), FlowError> {
        let data = self.reader.take(self.input, self.limits).map_err(FlowError::Fault)?;
        self.send(data).await
    }

    async fn send(&mut self, mut data: Buffer) -> Result<(), FlowError> {
        let mut head = Vec::new();
        let behind = self.writer.frame(&mut data, self.reader, &mut head);
        self.to.set_write_deadline(self.to.worker().after(self.write_timeout));
        send(self.to, &head, &mut data).await.map_err(FlowError::Write)?;
        send(self.to, &behind, &mut Buffer::new()).await.map_err(FlowError::Write)
    }

    /// Moves the rest through a pipe where that pays: much is left and the framing has nothing in between. `false`:
    /// it does not, or no pipe is to be had.
    async fn splice(&mut self) -> Result<bool, FlowError> {
        let worth_it = |reader: &BodyReader| reader.plain_left().filter(|&left| left >= SPLICE_BYTES_MIN);
        if self.writer != BodyWriter::Plain || worth_it(self.reader).is_none() {
            return Ok(false);
        }
        let (Some(from), Some(to)) = (self.from.as_plain(), self.to.as_plain()) else { return Ok(false) };
        let Ok(mut pipe) = Pipe::lease(self.from.worker()) else { return Ok(false) };
        while let Some(left) = self.reader.plain_left() {
            self.from.set_read_deadline(self.from.worker().after(self.read_timeout));
            let spliced = from.splice_to(to, &mut pipe, left, self.write_timeout).await;
            let (moved, failed) = match spliced {
                Ok(0) => return Err(FlowError::Ended),
                Ok(moved) => (moved, None),
                Err(Moved::In(error)) => return Err(FlowError::Read(error)),
                Err(Moved::Out(error, moved)) => (moved, Some(error)),
            };
            self.reader.advance(moved).map_err(FlowError::Fault)?;
            if let Some(error) = failed {
                return Err(FlowError::Write(error));
            }
        }
        Ok(true)
    }
}

/// Writes `head`, then `data`, which is empty afterwards; at once where the socket takes them.
pub(super) async fn send<S: Sys>(to: &Stream<S>, head: &[u8], data: &mut Buffer) -> io::Result<()> {
    let rest = send_now(to, head, data)?;
    send_rest(to, &rest, data).await
}

/// As much of [`send`] as needs no wait; returns the rest of `head`.
pub(super) fn send_now<S: Sys>(to: &Stream<S>, head: &[u8], data: &mut Buffer) -> io::Result<Vec<u8>> {
    if head.is_empty() && data.is_empty() {
        return Ok(Vec::new());
    }
    let sent = to.try_write(head, data.bytes())?;
    let of_head = sent.min(head.len());
    data.consume(sent - of_head);
    Ok(head[of_head..].to_vec())
}

/// What [`send_now`] left. A page of ours may be larger than the largest block.
pub(super) async fn send_rest<S: Sys>(to: &Stream<S>, rest: &[u8], data: &mut Buffer) -> io::Result<()> {
    for part in rest.chunks(LARGE) {
        let mut part_of_head = Buffer::new();
        part_of_head.extend(part).map_err(|_| io::ErrorKind::OutOfMemory)?;
        to.write_all(&mut part_of_head, &mut Buffer::new()).await?;
    }
    to.write_all(&mut Buffer::new(), data).await
}

/// Moves little data behind the head: one plain write is cheaper than a gathered one.
pub(super) fn coalesce(head: &mut Vec<u8>, data: &mut Buffer) {
    if data.len() <= COALESCED_BYTES_MAX {
        head.extend_from_slice(data.bytes());
        data.consume(data.len());
    }
}

const COALESCED_BYTES_MAX: usize = 2048;
// Below this, copying what comes is cheaper than the pipe's extra system calls.
const SPLICE_BYTES_MIN: u64 = 128 * 1024;
