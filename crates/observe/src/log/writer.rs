//! The writer thread.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender};

use super::State;
use super::sink::Sink;
use crate::{Event, event};

#[derive(Debug)]
pub(super) enum Order {
    Write(Lines),
    Reopen(Arc<Sink>),
}

/// Whole lines for one file.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) sink: Arc<Sink>,
    pub(super) text: Vec<u8>,
    pub(super) lines: u64,
    pub(super) give_back: SyncSender<Vec<u8>>,
}

/// Runs until all senders are dropped.
pub(super) fn run(orders: &Receiver<Order>, state: &State) {
    for order in orders {
        match order {
            Order::Write(lines) => write(lines, state),
            Order::Reopen(sink) => reopen(&sink, state),
        }
        state.finish();
    }
}

fn write(lines: Lines, state: &State) {
    let Lines { sink, mut text, lines, give_back } = lines;
    reopen(&sink, state);
    let (written, result) = sink.write(&text);
    state.lines_written.fetch_add(written, Relaxed);
    if let Err(error) = result {
        state.errors.fetch_add(1, Relaxed);
        state.lines_dropped.fetch_add(lines.saturating_sub(written), Relaxed);
        event(Event::AccessLogLost, &[("path", &sink), ("error", &error)]);
    }
    // limit: a buffer that grew large is not reused.
    if text.capacity() <= KEPT_BYTES_MAX {
        text.clear();
        let _ = give_back.try_send(text);
    }
}

fn reopen(sink: &Sink, state: &State) {
    if let Err(error) = sink.reopen_if_stale() {
        state.errors.fetch_add(1, Relaxed);
        event(Event::AccessLogNotReopened, &[("path", &sink), ("error", &error)]);
    }
}

const KEPT_BYTES_MAX: usize = 64 * 1024;
