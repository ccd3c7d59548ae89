//! One end of an exchange, and the owner of its deadlines.

use std::cell::Cell;
use std::time::Duration;

use net::{Sys, Ticks};

use super::pace::Pace;
use crate::stream::Stream;

/// A stream with the deadlines of the waits on it. While an exchange lasts, deadlines are set through its ends alone.
#[derive(Debug)]
pub(crate) struct End<'a, S: Sys> {
    pub(crate) stream: &'a Stream<S>,
    /// No read waits longer than until then, whatever is set later; [`Ticks::NEVER`] is no limit.
    reads_until: Option<&'a Cell<Ticks>>,
}

impl<S: Sys> Clone for End<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Sys> Copy for End<'_, S> {}

impl<'a, S: Sys> End<'a, S> {
    pub(crate) fn new(stream: &'a Stream<S>) -> Self {
        Self { stream, reads_until: None }
    }

    /// An end whose reads can be limited by [`Self::limit_reads`]; the limit lives in `reads_until`.
    pub(crate) fn with_limit(stream: &'a Stream<S>, reads_until: &'a Cell<Ticks>) -> Self {
        Self { stream, reads_until: Some(reads_until) }
    }

    /// Gives the next reads this long, or less where [`Self::limit_reads`] says so.
    pub(crate) fn read_within(&self, timeout: Duration) {
        let deadline = self.stream.worker().after(timeout);
        let limit = self.reads_until.map_or(Ticks::NEVER, Cell::get);
        self.stream.set_read_deadline(if limit == Ticks::NEVER { deadline } else { deadline.min(limit) });
    }

    /// Lets reads wait as long as it takes, or until the limit.
    pub(crate) fn read_without_timeout(&self) {
        self.stream.set_read_deadline(self.reads_until.map_or(Ticks::NEVER, Cell::get));
    }

    /// Gives the next writes this long.
    pub(crate) fn write_within(&self, timeout: Duration) {
        self.stream.set_write_deadline(self.stream.worker().after(timeout));
    }

    /// Gives the next writes this long, and the time that `pace` leaves for all `bytes` of them.
    pub(crate) fn write_paced(&self, timeout: Duration, pace: &Pace, bytes: usize) {
        self.write_within(timeout);
        if let Some(patience) = pace.patience(bytes) {
            self.stream.limit_writes(self.stream.worker().after(patience));
        }
    }

    /// Ends all reads after `timeout` from now, or at an earlier limit; the one that waits at the moment too.
    pub(crate) fn limit_reads(&self, timeout: Duration) {
        let Some(reads_until) = self.reads_until else { return self.read_within(timeout) };
        let limit = self.stream.worker().after(timeout);
        let earlier = reads_until.get();
        reads_until.set(if earlier == Ticks::NEVER { limit } else { limit.min(earlier) });
        self.stream.set_read_deadline(reads_until.get());
    }
}

#[cfg(test)]
mod tests;
