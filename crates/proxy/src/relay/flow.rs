//! Moves a body from one side to the other; the same code serves both directions. The next read waits until the receiver
//! has taken what came before, so a flow holds one buffer.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use model::HttpLimits;
use net::{Buffer, LARGE, Moved, Sys};

use super::body::{BodyFault, BodyReader, BodyWriter};
use super::end::End;
use super::pace::Pace;
use super::send::send;
use crate::descriptors::Descriptors;
use crate::io_error;

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
    pub(crate) read_pace: &'a Pace,
    pub(crate) write_pace: &'a Pace,
    pub(crate) descriptors: &'a Descriptors,
}

/// On which side a flow ended early.
#[derive(Debug)]
pub(crate) enum FlowError {
    Read(io::Error),
    /// The sender is below its least rate.
    TooSlow,
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
        let began = self.now();
        let count = loop {
            let patience = self.set_read_deadline();
            match self.from.stream.fill(self.input, LARGE).await {
                Err(error) => self.on_late(&error, patience).ok_or(FlowError::Read(error))??,
                Ok(count) => break count,
            }
        };
        self.read_pace.moved(count, self.since(began));
        if count > 0 {
            return Ok(self.input.len() == self.input.capacity());
        }
        if !self.reader.end_of_stream() {
            return Err(FlowError::Ended);
        }
        self.send(Buffer::new()).await?;
        Ok(false)
    }

    /// Returns the time that the pace leaves for the next read.
    fn set_read_deadline(&self) -> Option<Duration> {
        let patience = self.read_pace.patience(0);
        self.from.read_within(patience.map_or(self.read_timeout, |patience| patience.min(self.read_timeout)));
        patience
    }

    /// What a read means that has failed after it was given `patience`. `None`: it was not the pace that ended it;
    /// `Some(Ok)`: the pace has no limit any more, and the read goes on.
    fn on_late(&self, error: &io::Error, patience: Option<Duration>) -> Option<Result<(), FlowError>> {
        let is_paced = patience.is_some_and(|patience| patience < self.read_timeout);
        (is_paced && io_error::is_deadline(error)).then(|| match self.read_pace.patience(0) {
            Some(_) => Err(FlowError::TooSlow),
            None => Ok(()),
        })
    }

    fn now(&self) -> u64 {
        self.from.stream.worker().now()
    }

    fn since(&self, began: u64) -> Duration {
        Duration::from_nanos(self.now().saturating_sub(began))
    }

    async fn send_input(&mut self) -> Result<(), FlowError> {
        let data = self.reader.take(self.input, self.limits).map_err(FlowError::Fault)?;
        self.send(data).await
    }

    async fn send(&mut self, mut data: Buffer) -> Result<(), FlowError> {
        let mut head = Vec::new();
        let behind = self.writer.frame(&mut data, self.reader, &mut head);
        let (began, bytes) = (self.now(), head.len() + data.len() + behind.len());
        self.to.write_paced(self.write_timeout, self.write_pace, bytes);
        send(self.to.stream, &head, &mut data).await.map_err(FlowError::Write)?;
        send(self.to.stream, &behind, &mut Buffer::new()).await.map_err(FlowError::Write)?;
        self.write_pace.moved(bytes, self.since(began));
        Ok(())
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
        let Some(mut leased) = self.descriptors.lease_pipe(from.worker()) else { return Ok(false) };
        let Some(pipe) = leased.pipe() else { return Ok(false) };
        while let Some(left) = self.reader.plain_left() {
            let (patience, began) = (self.set_read_deadline(), Cell::new(self.now()));
            let limit = |count| {
                self.read_pace.moved(count, self.since(began.get()));
                began.set(self.now());
                self.write_pace.patience(count)
            };
            let spliced = from.splice_to(to, pipe, left, self.write_timeout, limit).await;
            let (moved, failed) = match spliced {
                Ok(0) => return Err(FlowError::Ended),
                Ok(moved) => {
                    let bytes = usize::try_from(moved).unwrap_or(usize::MAX);
                    self.write_pace.moved(bytes, self.since(began.get()));
                    (moved, None)
                }
                Err(Moved::In(error)) => {
                    self.on_late(&error, patience).ok_or(FlowError::Read(error))??;
                    continue;
                }
                Err(Moved::Out(error, moved)) => (moved, Some(error)),
            };
            let bytes = usize::try_from(moved).unwrap_or(usize::MAX);
            self.from.stream.received(bytes);
            self.to.stream.sent(bytes);
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
