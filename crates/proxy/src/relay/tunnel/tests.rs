//! What the simulated tests of both kinds of tunnels share, and what is true of both.

use std::cell::Cell;
use std::time::Duration;

use model::Failure;
use net::sim::{Act, End as PeerEnd, Peer, Report, Rng, Sim, for_seeds};
use observe::TunnelCells;

use super::*;
use crate::descriptors::Descriptors;
use crate::failed::Failed;
use crate::relay::end::End;
use crate::relay::meter::TunnelMeter;
use crate::relay::tests::{LATE_MAX, LONG, assert_in_time, buffer, pieces, receives, sends, since};
use crate::stream::Stream;

/// A tunnel, and the scripts of its two peers.
pub(super) struct Setup {
    pub(super) client: Vec<Act>,
    pub(super) target: Vec<Act>,
    pub(super) from_client: Vec<u8>,
    pub(super) from_target: Vec<u8>,
    pub(super) idle_timeout: Duration,
    pub(super) max_lifetime: Option<Duration>,
    /// `None`: its frames are not followed.
    pub(super) attendance: Option<Attendance>,
    pub(super) drained_after: Option<Duration>,
    /// The tunnel is dropped after this long.
    pub(super) cut_after: Option<Duration>,
}

impl Setup {
    pub(super) fn new(client: Vec<Act>, target: Vec<Act>) -> Self {
        Self {
            client,
            target,
            from_client: Vec::new(),
            from_target: Vec::new(),
            idle_timeout: LONG,
            max_lifetime: None,
            attendance: None,
            drained_after: None,
            cut_after: None,
        }
    }

    /// Follows the frames in half of the worlds, and sends none of ours: bytes pass in any case.
    fn of_any_kind(self, rng: &mut Rng) -> Self {
        let attendance = Attendance { ping_interval: None, close_code: None, mask: [0; 4] };
        Self { attendance: rng.one_in(2).then_some(attendance), ..self }
    }
}

/// How a tunnel ended.
pub(super) struct Ended {
    /// `None`: it was cut off.
    pub(super) result: Option<Result<(), Failed>>,
    pub(super) lasted: Duration,
    /// By the meter of the exchange.
    pub(super) up: u64,
    pub(super) down: u64,
    pub(super) cells: TunnelCells,
    pub(super) client: Report,
    pub(super) target: Report,
}

impl Ended {
    pub(super) fn failure(&self) -> Option<Failure> {
        self.result.and_then(Result::err).map(|failed| failed.failure)
    }

    fn is_ok(&self) -> bool {
        self.result == Some(Ok(()))
    }
}

/// Runs the tunnel until it ends, then closes both connections.
pub(super) fn run(sim: &Sim, setup: Setup) -> Ended {
    let (world, mut peers) = (sim.clone(), [Peer::default(), Peer::default()]);
    let (result, lasted, [up, down], cells) = sim
        .run(|worker| {
            let (client, client_peer) = world.stream(&worker, setup.client.clone()).unwrap();
            let (target, target_peer) = world.stream(&worker, setup.target.clone()).unwrap();
            peers = [client_peer, target_peer];
            async move {
                let (client, target, began) = (Stream::plain(client), Stream::plain(target), worker.now());
                let (up, down, cells) = (Cell::new(0), Cell::new(0), TunnelCells::default());
                let descriptors = Descriptors::unlimited();
                let tunnel = Tunnel {
                    client: End::new(&client),
                    target: End::new(&target),
                    from_client: buffer(&setup.from_client),
                    from_target: buffer(&setup.from_target),
                    up: TunnelMeter { bytes: &up, counter: Some(&cells.received_bytes) },
                    down: TunnelMeter { bytes: &down, counter: Some(&cells.sent_bytes) },
                    idle_timeout: setup.idle_timeout,
                    max_lifetime: setup.max_lifetime,
                    descriptors: &descriptors,
                };
                let sleep = |after: Option<Duration>| {
                    let worker = worker.clone();
                    async move {
                        match after {
                            Some(after) => worker.sleep(after).await,
                            None => std::future::pending().await,
                        }
                    }
                };
                let relayed = async {
                    match setup.attendance {
                        Some(attendance) => {
                            relay_frames(tunnel, attendance, sleep(setup.drained_after), &cells).await
                        }
                        None => relay_bytes(tunnel).await,
                    }
                };
                let result = tokio::select! {
                    biased;
                    result = relayed => Some(result),
                    () = sleep(setup.cut_after) => None,
                };
                (result, since(&worker, began), [up.get(), down.get()], cells)
            }
        })
        .unwrap();
    let [client, target] = peers.map(|peer| {
        let report = peer.report();
        Report { received: report.received.clone(), ..*report }
    });
    assert_eq!((up, down), (cells.received_bytes.read(), cells.sent_bytes.read()), "two counts of one thing");
    Ended { result, lasted, up, down, cells, client, target }
}

#[test]
fn bytes_go_both_ways_unchanged_under_any_cuts() {
    for_seeds(300, |sim| {
        let mut rng = sim.rng();
        let (up, down) = (rng.size(5_000), rng.size(5_000));
        let (up, down) = (rng.bytes(up), rng.bytes(down));
        // Some of them may have come with the heads.
        let (from_client, up_later) = up.split_at(rng.size(up.len() + 1));
        let (from_target, down_later) = down.split_at(rng.size(down.len() + 1));
        let client = pieces(&mut rng, up_later, Duration::from_millis(5));
        let target = pieces(&mut rng, down_later, Duration::from_millis(5));
        let (from_client, from_target) = (from_client.to_vec(), from_target.to_vec());
        let setup = Setup { from_client, from_target, ..Setup::new(client, target) };
        let ended = run(sim, setup.of_any_kind(&mut rng));
        assert!(ended.is_ok(), "{:?}", ended.result);
        assert!(ended.target.received == up && ended.client.received == down);
        assert_eq!((ended.up, ended.down), (up.len() as u64, down.len() as u64));
        assert_eq!((ended.client.end, ended.target.end), (Some(PeerEnd::Finished), Some(PeerEnd::Finished)));
    });
}

#[test]
fn a_half_close_is_passed_on_and_the_other_side_may_still_send() {
    for_seeds(200, |sim| {
        let mut rng = sim.rng();
        let (question, answer) = (rng.bytes(700), rng.bytes(2_000));
        let mut asks = pieces(&mut rng, &question, Duration::from_millis(5));
        asks.extend([Act::Finish, Act::AwaitEnd]);
        // The answer begins only when the end of the question has come.
        let mut answers = vec![Act::AwaitEnd];
        answers.extend(pieces(&mut rng, &answer, Duration::from_millis(5)));
        let client_asks = rng.one_in(2);
        let (client, target) = if client_asks { (asks, answers) } else { (answers, asks) };
        let setup = Setup { idle_timeout: Duration::from_secs(600), ..Setup::new(client, target) };
        let ended = run(sim, setup.of_any_kind(&mut rng));
        assert!(ended.is_ok(), "{:?}", ended.result);
        let (client, target) = if client_asks { (answer, question) } else { (question, answer) };
        assert!(ended.client.received == client && ended.target.received == target);
    });
}

#[test]
fn a_tunnel_in_which_nothing_moves_ends_after_the_idle_timeout() {
    for_seeds(100, |sim| {
        let mut rng = sim.rng();
        let idle_timeout = Duration::from_millis(500 + rng.below(5_000));
        let setup = Setup { idle_timeout, ..Setup::new(vec![Act::AwaitEnd], vec![Act::AwaitEnd]) };
        let ended = run(sim, setup.of_any_kind(&mut rng));
        assert_eq!(ended.failure(), Some(Failure::TunnelIdle), "{:?}", ended.result);
        assert_in_time(sim, ended.lasted, idle_timeout);
    });
}

#[test]
fn a_tunnel_whose_receiver_takes_nothing_ends_after_the_idle_timeout() {
    for_seeds(100, |sim| {
        let mut rng = sim.rng();
        let floods = vec![Act::Send(vec![7; 20_000]), Act::AwaitEnd];
        let stalls = vec![Act::StopReading, Act::AwaitEnd];
        let (client, target) = if rng.one_in(2) { (floods, stalls) } else { (stalls, floods) };
        let setup = Setup { idle_timeout: Duration::from_secs(3), ..Setup::new(client, target) };
        let ended = run(sim, setup.of_any_kind(&mut rng));
        assert_eq!(ended.failure(), Some(Failure::TunnelIdle), "{:?}", ended.result);
        assert!(ended.lasted >= Duration::from_secs(3), "early: {:?}", ended.lasted);
        let late = Duration::from_secs(5) + LATE_MAX + sim.jumped();
        assert!(ended.lasted <= Duration::from_secs(3) + late, "late: {:?}", ended.lasted);
    });
}

/// Sends a byte now and then, more often than [`IDLE`] allows, but for longer than that in all.
fn trickles() -> Vec<Act> {
    let pause = Act::Pause(Duration::from_millis(1_200));
    (0..6).flat_map(|_| [pause.clone(), Act::Send(b"x".to_vec())]).collect()
}

const IDLE: Duration = Duration::from_secs(2);

/// If the process was stopped for longer than the timeout, its deadline fires first.
fn assert_kept_alive(sim: &Sim, ended: &Ended) {
    let was_stopped = sim.jumped() > Duration::ZERO && ended.failure() == Some(Failure::TunnelIdle);
    assert!(ended.is_ok() || was_stopped, "{:?} after {:?}", ended.result, ended.lasted);
}

#[test]
fn a_byte_in_one_direction_keeps_the_silent_one_alive() {
    for_seeds(150, |sim| {
        let (mut rng, silent) = (sim.rng(), vec![Act::AwaitEnd]);
        let (client, target) = if rng.one_in(2) { (trickles(), silent) } else { (silent, trickles()) };
        let setup = Setup { idle_timeout: IDLE, ..Setup::new(client, target) };
        assert_kept_alive(sim, &run(sim, setup.of_any_kind(&mut rng)));
    });
}

#[test]
fn a_byte_in_one_direction_keeps_a_blocked_write_in_the_other_alive() {
    for_seeds(150, |sim| {
        let mut rng = sim.rng();
        // It sends, and does not read what fills its socket, until it has sent all.
        let mut busy = vec![Act::StopReading];
        busy.extend(trickles());
        busy.push(Act::StartReading);
        let floods = vec![Act::Send(vec![7; 9_000])];
        let (client, target) = if rng.one_in(2) { (busy, floods) } else { (floods, busy) };
        let setup = Setup { idle_timeout: IDLE, ..Setup::new(client, target) };
        assert_kept_alive(sim, &run(sim, setup.of_any_kind(&mut rng)));
    });
}

#[test]
fn a_write_that_makes_progress_keeps_both_directions_alive() {
    for_seeds(100, |sim| {
        let mut rng = sim.rng();
        // It sends nothing, and takes a part of what waits for it now and then.
        let mut slow = Vec::new();
        for _ in 0..10 {
            slow.push(Act::StartReading);
            // Reads several times, so that a third of the socket is free and it takes more.
            slow.extend(vec![Act::Pause(Duration::from_micros(500)); 10]);
            slow.extend([Act::StopReading, Act::Pause(Duration::from_millis(1_200))]);
        }
        let floods = vec![Act::Flood];
        let (client, target) = if rng.one_in(2) { (slow, floods) } else { (floods, slow) };
        let cut_after = Some(4 * IDLE);
        let setup = Setup { idle_timeout: IDLE, cut_after, ..Setup::new(client, target) };
        let ended = run(sim, setup.of_any_kind(&mut rng));
        assert!(ended.result.is_none() || sim.jumped() > Duration::ZERO, "{:?}", ended.result);
    });
}

#[test]
fn the_lifetime_ends_even_a_busy_tunnel() {
    for_seeds(100, |sim| {
        let (mut rng, lifetime) = (sim.rng(), Duration::from_secs(3));
        let busy: Vec<_> = (0..100)
            .flat_map(|_| [Act::Pause(Duration::from_millis(100)), Act::Send(b"x".to_vec())])
            .collect();
        let setup = Setup { max_lifetime: Some(lifetime), ..Setup::new(busy.clone(), busy) };
        let ended = run(sim, setup.of_any_kind(&mut rng));
        assert_eq!(ended.failure(), Some(Failure::TunnelLifetime), "{:?}", ended.result);
        assert_in_time(sim, ended.lasted, lifetime);
    });
}

#[test]
fn a_reset_of_either_side_breaks_the_tunnel() {
    for_seeds(200, |sim| {
        let mut rng = sim.rng();
        let (sent, other) = (rng.bytes(800), rng.bytes(800));
        let mut resets = pieces(&mut rng, &sent, Duration::from_millis(5));
        resets.push(Act::Reset);
        let other = sends(&mut rng, &other);
        let (client, target) = if rng.one_in(2) { (resets, other) } else { (other, resets) };
        let ended = run(sim, Setup::new(client, target).of_any_kind(&mut rng));
        assert_eq!(ended.failure(), Some(Failure::TunnelBroken), "{:?}", ended.result);
    });
}

/// Nothing reads from a side that has ended its stream, and its reset is passed on all the same.
#[test]
fn a_reset_behind_the_end_of_a_stream_breaks_the_tunnel() {
    for_seeds(500, |sim| {
        let mut rng = sim.rng();
        let pause = Act::Pause(Duration::from_millis(rng.below(2_000)));
        let sent = rng.bytes(700);
        let mut resets = pieces(&mut rng, &sent, Duration::from_millis(5));
        resets.extend([Act::Finish, pause, Act::Reset]);
        let waits = vec![Act::Pause(LONG / 2), Act::AwaitEnd];
        let (client, target) = if rng.one_in(2) { (resets, waits) } else { (waits, resets) };
        let ended = run(sim, Setup::new(client, target));
        assert_eq!(ended.failure(), Some(Failure::TunnelBroken), "{:?}", ended.result);
        assert!(ended.lasted < SOON + sim.jumped(), "noticed late: {:?}", ended.lasted);
    });
}

/// A client may break off while its bytes wait for the target.
#[test]
fn a_reset_of_a_client_is_seen_while_its_target_takes_nothing() {
    for_seeds(500, |sim| {
        let bytes = 1 + sim.rng().size(2 * crate::relay::tests::SOCKET_BYTES_MAX);
        let client = vec![Act::Send(vec![7; bytes]), Act::Pause(Duration::from_secs(1)), Act::Reset];
        let target = vec![Act::StopReading, Act::Pause(LONG / 2), Act::AwaitEnd];
        let ended = run(sim, Setup::new(client, target));
        // A client whose own socket is full does not come to its reset.
        if ended.client.sent == bytes {
            assert_eq!(ended.failure(), Some(Failure::TunnelBroken), "{:?}", ended.result);
            assert!(ended.lasted < SOON + sim.jumped(), "noticed late: {:?}", ended.lasted);
        }
    });
}

const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_tunnel_that_is_cut_off_has_counted_what_it_moved() {
    for_seeds(200, |sim| {
        let mut rng = sim.rng();
        let (up, down) = (rng.bytes(6_000), rng.bytes(6_000));
        let client = pieces(&mut rng, &up, Duration::from_secs(1));
        let mut target = receives(&mut rng);
        target.pop();
        target.extend(pieces(&mut rng, &down, Duration::from_secs(1)));
        let cut_after = Some(Duration::from_millis(100 * rng.below(20)));
        let ended = run(sim, Setup { cut_after, ..Setup::new(client, target) }.of_any_kind(&mut rng));
        for (sent, received, count) in
            [(&up, &ended.target.received, ended.up), (&down, &ended.client.received, ended.down)]
        {
            assert!(sent.starts_with(received));
            // The receiver's socket may have lacked room for the bytes of the last read.
            let received = received.len() as u64;
            let more = if ended.is_ok() { 0 } else { crate::relay::tests::SOCKET_BYTES_MAX as u64 };
            assert!((received..=received + more).contains(&count), "{received} received, {count} counted");
        }
    });
}

#[test]
fn a_tunnel_does_not_read_ahead_of_a_stalled_receiver() {
    for_seeds(60, |sim| {
        let mut rng = sim.rng();
        let floods = vec![Act::Send(vec![7; 60_000]), Act::AwaitEnd];
        let setup = Setup { idle_timeout: IDLE, ..Setup::new(floods, vec![Act::StopReading, Act::AwaitEnd]) };
        let ended = run(sim, setup.of_any_kind(&mut rng));
        assert_eq!(ended.failure(), Some(Failure::TunnelIdle));
        assert!(ended.up <= 2 * crate::relay::tests::SOCKET_BYTES_MAX as u64, "{} bytes", ended.up);
    });
}
