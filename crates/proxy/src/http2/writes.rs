//! Writing to a stream, whoever is at its other end.

use std::io;
use std::task::{Context, Poll};

use net::{Buffer, Sys, Timer};

/// The methods are those of [`net::TcpStream`].
pub(crate) trait Writes<S: Sys> {
    fn timer(&self) -> &Timer<S>;

    /// Takes as much of a text as there is room for.
    fn write(&self, text: &[u8]) -> io::Result<usize>;

    /// Waits until there is room.
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    fn try_write(&self, head: &[u8], rest: &[u8]) -> io::Result<usize> {
        let of_head = self.write(head)?;
        if of_head < head.len() {
            return Ok(of_head);
        }
        Ok(of_head + self.write(rest)?)
    }

    // A cancelled write leaves a part on its way: drop the stream.
    fn poll_write_all(
        &self,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
        rest: &mut Buffer,
    ) -> Poll<io::Result<()>> {
        while !(buffer.is_empty() && rest.is_empty()) {
            if self.poll_write(context, buffer, rest)?.is_pending() {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    // A cancelled write has written nothing.
    fn poll_write_some(&self, context: &mut Context<'_>, buffer: &mut Buffer) -> Poll<io::Result<()>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.poll_write(context, buffer, &mut Buffer::new())
    }

    /// One write, after a wait where nothing goes; what blocks shrinks to what is left.
    fn poll_write(
        &self,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
        rest: &mut Buffer,
    ) -> Poll<io::Result<()>> {
        loop {
            let count = self.try_write(buffer.bytes(), rest.bytes())?;
            if count > 0 {
                let first = count.min(buffer.len());
                buffer.consume(first);
                rest.consume(count - first);
                self.timer().wrote(count);
                return Poll::Ready(Ok(()));
            }
            if self.poll_writable(context)?.is_pending() {
                buffer.shrink();
                rest.shrink();
                return Poll::Pending;
            }
        }
    }
}
