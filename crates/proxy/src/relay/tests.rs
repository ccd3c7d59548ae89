//! What the simulated tests of this room share: scripts of peers, and the bounds of virtual time.

use std::time::Duration;

use net::sim::{Act, Rng, Sim};
use net::{Buffer, Sys, Worker};

/// Sends `message` in pieces with short pauses, and then waits for the end of the stream.
pub(super) fn sends(rng: &mut Rng, message: &[u8]) -> Vec<Act> {
    let mut acts = pieces(rng, message, Duration::from_millis(5));
    acts.push(Act::AwaitEnd);
    acts
}

/// Sends `message` in pieces, with pauses shorter than `pause_max` between some of them.
pub(super) fn pieces(rng: &mut Rng, message: &[u8], pause_max: Duration) -> Vec<Act> {
    let (mut acts, mut rest) = (Vec::new(), message);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rng.up_to(rest.len()));
        acts.push(Act::Send(piece.to_vec()));
        if rng.one_in(2) {
            acts.push(Act::Pause(pause_max.mul_f64(rng.below(1_000) as f64 / 1_000.0)));
        }
        rest = after;
    }
    acts
}

/// Receives up to the end of the stream; sometimes it stops reading for a while.
pub(super) fn receives(rng: &mut Rng) -> Vec<Act> {
    let mut acts = Vec::new();
    for _ in 0..rng.size(4) {
        let pause = Act::Pause(Duration::from_micros(rng.below(20_000)));
        acts.extend([pause.clone(), Act::StopReading, pause, Act::StartReading]);
    }
    acts.push(Act::AwaitEnd);
    acts
}

pub(super) fn buffer(bytes: &[u8]) -> Buffer {
    let mut buffer = Buffer::new();
    buffer.extend(bytes).unwrap();
    buffer
}

/// The time that has passed since `began`, by the worker's clock.
pub(super) fn since<S: Sys>(worker: &Worker<S>, began: u64) -> Duration {
    Duration::from_nanos(worker.now() - began)
}

/// Fails unless a wait has ended after `timeout`, and not much later.
pub(super) fn assert_in_time(sim: &Sim, waited: Duration, timeout: Duration) {
    assert!(waited >= timeout, "early: {waited:?} for {timeout:?}");
    assert!(waited <= timeout + LATE_MAX + sim.jumped(), "late: {waited:?} for {timeout:?}");
}

/// Deadlines are ticks of 100 ms, rounded up, and the simulated process does not run at once.
pub(super) const LATE_MAX: Duration = Duration::from_millis(300);
/// A timeout that no test reaches.
pub(super) const LONG: Duration = Duration::from_secs(86_400);
/// The most bytes that a simulated socket has room for in one direction, if the world is not roomy.
pub(super) const SOCKET_BYTES_MAX: usize = 16 + 4096;
