//! Moves a body from one side to the other; the same code serves both directions. The next read waits until the receiver
//! has taken what came before, so a flow holds one buffer.

use std::io;
use std::time::Duration;

use model::HttpLimits;
use net::{Buffer, LARGE, Moved, Pipe, Sys};

use super::body::{BodyFault, BodyReader, BodyWriter};
use super::end::End;
use super::send::send;

/// One direction of an exchange.
pub(crate) struct Flow<'a, 'm, S: Sys> {
    pub(crate) from: End<'a, S>,
    pub(crate) to: End<'a, S>,
    pub(crate) input: &'a mut Buffer,
    pub(crate) reader: &'a mut BodyReader<'m>,
    pub(crate) writer: BodyWriter,
    pub(crate) limits: &'a HttpLimits,
    /// Between two reads.
    pub(crate) read_timeout: Duration,
    /// Between two writes.
    pub(crate) write_timeout: Duration,
}

/// On which side a flow ended early.
#[derive(Debug)]
pub(crate) enum FlowError {
    Read(io::Error),
    /// The sender closed within the body.
    Ended,
    Fault(BodyFault),
    Write(io::Error),
}

impl<S: Sys> Flow<'_, '_, S> {
    /// Runs until the body has ended and is sent.
    pub(crate) async fn run(mut self) -> Result<(), FlowError> {
        let mut reads_are_full = false;
        while !self.reader.is_complete() {
            if !self.input.is_empty() {
                self.send_input().await?;
                continue;
            }
            if reads_are_full && self.splice().await? {
                continue;
            }
            reads_are_full = self.read().await?;
        }
        Ok(())
    }

    /// Returns whether the read filled its buffer: there is probably more.
    async fn read(&mut self) -> Result<bool, FlowError> {
        self.from.read_within(self.read_timeout);
        if self.from.stream.fill(self.input, LARGE).await.map_err(FlowError::Read)? > 0 {
            return Ok(self.input.len() == self.input.capacity());
        }
        if !self.reader.end_of_stream() {
            return Err(FlowError::Ended);
        }
        self.send(Buffer::new()).await?;
        Ok(false)
    }

    async fn send_input(&mut self) -> Result<(), FlowError> {
        let data = self.reader.take(self.input, self.limits).map_err(FlowError::Fault)?;
        self.send(data).await
    }

    async fn send(&mut self, mut data: Buffer) -> Result<(), FlowError> {
        let mut head = Vec::new();
        let behind = self.writer.frame(&mut data, self.reader, &mut head);
        self.to.write_within(self.write_timeout);
        send(self.to.stream, &head, &mut data).await.map_err(FlowError::Write)?;
        send(self.to.stream, &behind, &mut Buffer::new()).await.map_err(FlowError::Write)
    }

    /// Moves the rest through a pipe if that pays: much is left, and no framing stands between the bytes. `false`: it
    /// does not pay, or there is no pipe.
    async fn splice(&mut self) -> Result<bool, FlowError> {
        let worth_it = |reader: &BodyReader<'_>| reader.plain_left().filter(|&left| left >= SPLICE_BYTES_MIN);
        if self.writer != BodyWriter::Plain || worth_it(self.reader).is_none() {
            return Ok(false);
        }
        let (Some(from), Some(to)) = (self.from.stream.as_plain(), self.to.stream.as_plain()) else {
            return Ok(false);
        };
        let Ok(mut pipe) = Pipe::lease(from.worker()) else { return Ok(false) };
        while let Some(left) = self.reader.plain_left() {
            self.from.read_within(self.read_timeout);
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

// Below this, copying is cheaper than the pipe's extra system calls.
const SPLICE_BYTES_MIN: u64 = 128 * 1024;

#[cfg(test)]
mod tests;
