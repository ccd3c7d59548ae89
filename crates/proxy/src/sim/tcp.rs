//! Connections whose bytes are passed on: what the two ends do, and what must hold when they are over.
//!
//! 1. The bytes of a connection go to one target, and each end gets what the other sent, from the beginning and in order.
//! 2. If no end breaks off, each gets all of it, and the end of stream of one is that of the other.
//! 3. A reset of one end is a reset of the other, and so is the end of a connection on which nothing moves.
//! 4. Every connection has one record, which says how it ended.

use std::rc::Rc;
use std::time::Duration;

use net::sim::{Act, End, Peer, Reaction, Rng};

use super::plan::Plan;
use super::properties::value_of;
use super::world::Outcome;

/// The two ends of one connection.
#[derive(Debug)]
pub(super) struct Pair {
    client: Side,
    target: Side,
    /// The target begins when it has got so many bytes.
    waits_for: usize,
    pub(super) arrives: Duration,
    /// The address at which the client arrives.
    pub(super) listener: usize,
}

struct Side {
    /// Those of a client begin with its number, by which a target knows it.
    bytes: Vec<u8>,
    pieces: Vec<usize>,
    pause: Duration,
    /// It does not read for so long, when it has sent its bytes.
    rest: Option<Duration>,
    ending: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Ends its stream, and reads to the end of the other one.
    Finish,
    /// Waits for the end of the other stream before it ends its own.
    Wait,
    Reset,
}

impl std::fmt::Debug for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes in {:?}, {:?}, {:?}", self.bytes.len(), self.pieces, self.rest, self.ending)
    }
}

impl Pair {
    pub(super) fn choose(rng: &mut Rng, number: usize, breaks_off: bool) -> Self {
        let (mut client, target) = (Side::choose(rng, breaks_off), Side::choose(rng, breaks_off));
        client.bytes.insert(0, u8::try_from(number).unwrap());
        let waits_for = if rng.one_in(2) { 1 } else { rng.up_to(client.bytes.len()) };
        Self {
            client,
            target,
            waits_for,
            arrives: Duration::from_micros(rng.below(1_500_000)),
            listener: rng.size(2),
        }
    }

    pub(super) fn client_script(&self) -> Vec<Act> {
        self.client.acts()
    }

    fn ends(&self) -> [Ending; 2] {
        [self.client.ending, self.target.ending]
    }

    fn breaks_off(&self) -> bool {
        self.ends().contains(&Ending::Reset)
    }

    /// Nothing will end it but the idle timeout.
    fn stalls(&self) -> bool {
        self.ends() == [Ending::Wait; 2]
    }
}

impl Side {
    fn choose(rng: &mut Rng, breaks_off: bool) -> Self {
        let length = match rng.size(8) {
            0 => 0,
            1..=4 => rng.size(300),
            5 | 6 => rng.size(9_000),
            // Worth a splice, where sockets have room for it.
            _ if rng.one_in(16) => (128 << 10) + rng.size(50_000),
            _ => rng.size(20_000),
        };
        let endings = [Ending::Finish, Ending::Finish, Ending::Wait];
        Self {
            bytes: rng.bytes(length),
            pieces: (0..rng.size(4)).map(|_| rng.size(length)).collect(),
            pause: Duration::from_micros(rng.below(50_000)),
            rest: rng.one_in(3).then(|| Duration::from_micros(rng.below(1_000_000))),
            ending: if breaks_off && rng.one_in(3) { Ending::Reset } else { endings[rng.size(3)] },
        }
    }

    fn acts(&self) -> Vec<Act> {
        let (mut acts, mut rest) = (Vec::new(), self.bytes.as_slice());
        for &piece in &self.pieces {
            let (now, after) = rest.split_at(piece.min(rest.len()));
            acts.extend([Act::Send(now.to_vec()), Act::Pause(self.pause)]);
            rest = after;
        }
        acts.push(Act::Send(rest.to_vec()));
        if let Some(pause) = self.rest {
            acts.extend([Act::StopReading, Act::Pause(pause), Act::StartReading]);
        }
        match self.ending {
            Ending::Finish => acts.extend([Act::Finish, Act::AwaitEnd]),
            Ending::Wait => acts.push(Act::AwaitEnd),
            Ending::Reset => acts.push(Act::Reset),
        }
        acts
    }
}

/// The script of one connection to a target.
pub(super) fn target_script(plan: &Rc<Plan>) -> Vec<Act> {
    let (plan, mut has_begun) = (Rc::clone(plan), false);
    vec![Act::React(Reaction::new(move |received| {
        let Some(pair) = received.first().map(|&number| &plan.pairs[usize::from(number)]) else {
            return Vec::new();
        };
        if has_begun || received.len() < pair.waits_for {
            return Vec::new();
        }
        has_begun = true;
        pair.target.acts()
    }))]
}

pub(super) fn check(plan: &Plan, outcome: &Outcome) {
    let (mut closed, mut idle) = (0, 0);
    for (number, (pair, client)) in plan.pairs.iter().zip(&outcome.clients).enumerate() {
        let Some(client) = client else { continue };
        let is_its =
            |peer: &Peer| peer.report().received.first().is_some_and(|&first| usize::from(first) == number);
        let targets: Vec<_> =
            outcome.targets.iter().map(|(_, peer)| peer).filter(|peer| is_its(peer)).collect();
        assert!(targets.len() <= 1, "one: the bytes of {number} went to {} targets", targets.len());
        let target = targets.first().copied();
        bytes(number, pair, client, target);
        ends(plan, outcome, number, client, target);
        closed += usize::from(!pair.breaks_off() && !pair.stalls());
        idle += usize::from(pair.stalls());
    }
    records(plan, outcome, closed, idle);
}

fn bytes(number: usize, pair: &Pair, client: &Peer, target: Option<&Peer>) {
    assert!(pair.target.bytes.starts_with(&client.report().received), "one: {number} got other bytes");
    if let Some(target) = target {
        assert!(
            pair.client.bytes.starts_with(&target.report().received),
            "one: a target got others from {number}"
        );
    }
}

fn ends(plan: &Plan, outcome: &Outcome, number: usize, client: &Peer, target: Option<&Peer>) {
    let (pair, report) = (&plan.pairs[number], client.report());
    // What a stop cuts, and a connection that got no target, is reset, whatever was planned.
    let may_fail = plan.family.refusals || plan.family.limits || plan.family.early_stop;
    let Some(target) = target.map(|target| target.report()) else {
        let is_early = pair.client.ending == Ending::Reset;
        assert!(may_fail || is_early, "two: no target got a byte of {number}");
        assert!(
            is_early || report.end != Some(End::Finished),
            "three: {number} took it for an end of stream"
        );
        return;
    };
    if outcome.cut > 0 {
        return;
    }
    match pair.ends() {
        [Ending::Reset, Ending::Reset] => {}
        [Ending::Reset, _] => assert_eq!(target.end, Some(End::Reset), "three: {number} has reset"),
        [_, Ending::Reset] => {
            assert_eq!(report.end, Some(End::Reset), "three: the target of {number} has reset");
        }
        [Ending::Wait, Ending::Wait] => {
            assert_eq!([report.end, target.end], [Some(End::Reset); 2], "three: {number} was idle");
        }
        _ => {
            assert_eq!([report.end, target.end], [Some(End::Finished); 2], "two: the ends of {number}");
            let got = [report.received.len(), target.received.len()];
            let sent = [pair.target.bytes.len(), pair.client.bytes.len()];
            assert_eq!(got, sent, "two: bytes of {number} are missing");
        }
    }
}

fn records(plan: &Plan, outcome: &Outcome, closed: usize, idle: usize) {
    let mut cells: Vec<_> = outcome
        .snapshots
        .iter()
        .flat_map(|snapshot| &snapshot.listeners)
        .map(|listener| &listener.cells)
        .collect();
    // A listener that is removed and comes back may have new ones.
    cells.sort_by_key(|cells| std::sync::Arc::as_ptr(cells));
    cells.dedup_by_key(|cells| std::sync::Arc::as_ptr(cells));
    let accepted: u64 = cells.iter().map(|cells| cells.of(0).connections_accepted.read()).sum();
    assert_eq!(outcome.log.len() as u64, accepted, "four: records and connections");
    if plan.family.refusals || plan.family.limits || plan.family.early_stop {
        return;
    }
    let count = |end: &str| outcome.log.iter().filter(|line| value_of(line, "\"end\":\"") == end).count();
    assert_eq!((count("closed"), count("idle")), (closed, idle), "four: how connections ended");
    let broken = count("reset") + count("client_aborted");
    assert_eq!(broken + closed + idle, outcome.log.len(), "four: other ends");
}

/// Longer than any pause, and much shorter than the patience of clients.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
