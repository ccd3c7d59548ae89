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
    /// Wakes the writer, which looks before each order whether the files are to be reopened.
    Look,
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
    let mut round = 0;
    for order in orders {
        reopen_if_asked(state, &mut round);
        match order {
            Order::Write(lines) => write(lines, state),
            Order::Look => {}
        }
        state.finish();
    }
}

fn write(lines: Lines, state: &State) {
    let Lines { sink, mut text, lines, give_back } = lines;
    retry(&sink, state);
    let (written, result) = sink.write(&text);
    state.lines_written.fetch_add(written, Relaxed);
    sink.note_write(&result);
    if let Err(error) = result {
        let lost = lines.saturating_sub(written);
        state.errors.fetch_add(1, Relaxed);
        state.lines_dropped.fetch_add(lost, Relaxed);
        sink.count_lost(lost);
        event(Event::AccessLogLost, &[("path", &sink), ("lines", &lost), ("error", &error)]);
    } else {
        let lost = sink.take_lost();
        if lost > 0 {
            event(Event::AccessLogBack, &[("path", &sink), ("lost", &lost)]);
        }
    }
    // limit: a buffer that grew large is not reused.
    if text.capacity() <= KEPT_BYTES_MAX {
        text.clear();
        let _ = give_back.try_send(text);
    }
}

/// Reopens every file if that was asked for since `round`. Called by the writer before each order.
fn reopen_if_asked(state: &State, round: &mut u64) {
    let asked = state.rounds.asked();
    if asked != *round {
        for sink in state.sinks() {
            reopen(&sink, asked, state);
        }
        *round = asked;
        state.rounds.finish(asked);
    }
}

/// Tries again to open a file that could not be reopened, so that lines go to the right file as soon as possible.
fn retry(sink: &Sink, state: &State) {
    let Some(round) = sink.failed_round() else { return };
    reopen(sink, round, state);
}

fn reopen(sink: &Sink, round: u64, state: &State) {
    let (last, known) = sink.outcome();
    match (sink.reopen(round), known) {
        (Ok(()), None) => {}
        (Ok(()), Some(_)) => event(Event::AccessLogReopened, &[("path", sink)]),
        // A retry that fails in the same way is not reported again.
        (Err(error), Some(known)) if last == round && known == error => {}
        (Err(error), _) => {
            state.errors.fetch_add(1, Relaxed);
            event(Event::AccessLogNotReopened, &[("path", sink), ("error", &error)]);
        }
    }
}

const KEPT_BYTES_MAX: usize = 64 * 1024;
