//! Writes HTTP/1.1 text to an HTTP/2 stream, to a client or to a target.

use std::io;
use std::task::{Context, Poll};

use net::{Buffer, Sys, Timer};

/// The writing half of a stream. The provided methods behave as those of [`net::TcpStream`].
pub(crate) trait StreamWrite<S: Sys> {
    /// The deadlines of the stream.
    fn timer(&self) -> &Timer<S>;

    /// Writes as much of `text` as the flow-control windows allow; returns the number of bytes.
    fn write(&self, text: &[u8]) -> io::Result<usize>;

    /// Waits until a write would take bytes or fail.
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    fn try_write(&self, head: &[u8], rest: &[u8]) -> io::Result<usize> {
        let count = self.write(head)?;
        if count < head.len() {
            return Ok(count);
        }
        Ok(count + self.write(rest)?)
    }

    // A cancelled write may have sent a part: drop the stream.
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

    // cancel-safe: a cancelled write has written nothing.
    fn poll_write_some(&self, context: &mut Context<'_>, buffer: &mut Buffer) -> Poll<io::Result<()>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.poll_write(context, buffer, &mut Buffer::new())
    }

    /// Writes once, after a wait if necessary. Before the wait both buffers shrink to their unsent bytes.
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
