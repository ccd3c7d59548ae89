//! Bodies that are long enough for a pipe.

use net::Worker;

use super::*;
use crate::io_error::is_deadline;

/// A body that is spliced as soon as one read has filled its buffer.
const LENGTH: usize = 6 * LARGE;
/// More than most simulated sockets have room for.
const PROBE: usize = 5_000;

/// Opens connections until one has sent as much as the largest buffer holds, and reads that.
async fn roomy_sender(world: &Sim, worker: &Worker<Sim>, script: &[Act]) -> Option<(Stream<Sim>, Buffer)> {
    for _ in 0..40 {
        let (stream, _) = world.stream(worker, script.to_vec()).unwrap();
        worker.sleep(Duration::from_millis(100)).await;
        let mut input = Buffer::new();
        if let Some(Ok(LARGE)) = stream.try_fill(&mut input, LARGE) {
            return Some((Stream::plain(stream), input));
        }
    }
    None
}

/// Opens connections until one takes a probe of many bytes at once. Its peer receives the probe before the body.
async fn roomy_receiver(world: &Sim, worker: &Worker<Sim>, script: &[Act]) -> Option<(Stream<Sim>, Peer)> {
    for _ in 0..40 {
        let (stream, peer) = world.stream(worker, script.to_vec()).unwrap();
        if let Ok(PROBE) = stream.try_write(&[0; PROBE], &[]) {
            return Some((Stream::plain(stream), peer));
        }
    }
    None
}

/// How a flow of a long body ended.
struct Ended {
    result: Result<(), FlowError>,
    bytes: u64,
    /// Beside the two sockets a pipe was open at the end.
    has_pipe: bool,
    received: Vec<u8>,
}

/// Runs a flow of a long body. `None`: this world has no sockets with enough room.
fn run_long(
    sim: &Sim,
    sender: Vec<Act>,
    receiver: Vec<Act>,
    [read_timeout, write_timeout]: [Duration; 2],
) -> Option<Ended> {
    sim.make_roomy();
    let world = sim.clone();
    let (result, bytes, has_pipe, peer) = sim
        .run(|worker| async move {
            let (from, mut input) = roomy_sender(&world, &worker, &sender).await?;
            let (to, peer) = roomy_receiver(&world, &worker, &receiver).await?;
            let bytes = Cell::new(0);
            let mut reader = Framing::Length(LENGTH).reader(None, &bytes);
            let flow = Flow {
                from: End::new(&from),
                to: End::new(&to),
                input: &mut input,
                reader: &mut reader,
                writer: BodyWriter::Plain,
                limits: &HttpLimits::default(),
                read_timeout,
                write_timeout,
                read_pace: &Pace::free(),
                write_pace: &Pace::free(),
                descriptors: &Descriptors::unlimited(),
            };
            let result = flow.run().await;
            Some((result, bytes.get(), world.open_descriptors() > 2, peer))
        })
        .unwrap()?;
    let received = peer.report().received.get(PROBE..).unwrap_or_default().to_vec();
    Some(Ended { result, bytes, has_pipe, received })
}

#[test]
fn a_long_body_arrives_unchanged_through_a_pipe() {
    let (with_pipe, in_all) = (Cell::new(0), Cell::new(0));
    for_seeds(60, |sim| {
        let mut rng = sim.rng();
        let data = rng.bytes(LENGTH);
        let sender = vec![Act::Send(data.clone()), Act::AwaitEnd];
        let Some(ended) = run_long(sim, sender, receives(&mut rng), [LONG; 2]) else { return };
        assert!(ended.result.is_ok(), "{:?}", ended.result);
        assert!(ended.received == data, "{} bytes", ended.received.len());
        assert_eq!(ended.bytes, LENGTH as u64);
        with_pipe.set(with_pipe.get() + u32::from(ended.has_pipe));
        in_all.set(in_all.get() + 1);
    });
    let is_one_world = std::env::var("EVENKEEL_SEED").is_ok();
    assert!(with_pipe.get() >= 10 || is_one_world, "{with_pipe:?} of {in_all:?} used a pipe");
}

#[test]
fn a_sender_that_closes_within_a_spliced_body_ends_the_flow() {
    for_seeds(60, |sim| {
        let mut rng = sim.rng();
        let data = rng.bytes(LENGTH);
        let sent = LENGTH - 1 - rng.size(LENGTH / 2);
        let sender = vec![Act::Send(data[..sent].to_vec()), Act::Finish, Act::AwaitEnd];
        let Some(ended) = run_long(sim, sender, receives(&mut rng), [LONG; 2]) else { return };
        assert!(matches!(ended.result, Err(FlowError::Ended)), "{:?}", ended.result);
        assert!(ended.received == data[..sent]);
        assert_eq!(ended.bytes, sent as u64);
    });
}

#[test]
fn a_receiver_that_resets_within_a_spliced_body_is_an_error_of_the_write() {
    for_seeds(60, |sim| {
        let mut rng = sim.rng();
        let data = rng.bytes(LENGTH);
        let sender = vec![Act::Send(data.clone()), Act::AwaitEnd];
        let receiver = vec![Act::Await(PROBE + rng.size(LENGTH / 4)), Act::Reset];
        let Some(ended) = run_long(sim, sender, receiver, [LONG; 2]) else { return };
        assert!(matches!(ended.result, Err(FlowError::Write(_))), "{:?}", ended.result);
        assert!(data.starts_with(&ended.received));
        assert!(ended.bytes >= ended.received.len() as u64, "what was read is counted");
    });
}

#[test]
fn the_timeouts_of_a_spliced_body_are_those_of_its_sides() {
    for_seeds(60, |sim| {
        let (mut rng, short) = (sim.rng(), Duration::from_secs(2));
        let receiver_stalls = rng.one_in(2);
        let (sent, receiver, timeouts) = if receiver_stalls {
            (LENGTH, vec![Act::Await(PROBE), Act::StopReading, Act::AwaitEnd], [LONG, short])
        } else {
            (5 * LARGE, vec![Act::AwaitEnd], [short, LONG])
        };
        let sender = vec![Act::Send(vec![7; sent]), Act::AwaitEnd];
        let Some(ended) = run_long(sim, sender, receiver, timeouts) else { return };
        match ended.result {
            Err(FlowError::Write(error)) if receiver_stalls => assert!(is_deadline(&error), "{error}"),
            Err(FlowError::Read(error)) if !receiver_stalls => {
                assert!(is_deadline(&error), "{error}");
                assert_eq!((ended.bytes, ended.received.len()), (sent as u64, sent));
            }
            result => panic!("{result:?}"),
        }
    });
}

#[test]
fn every_byte_that_comes_restarts_the_read_timeout_of_a_spliced_body() {
    for_seeds(40, |sim| {
        let mut rng = sim.rng();
        let mut sender = vec![Act::Send(rng.bytes(LENGTH - 4))];
        for _ in 0..4 {
            sender.extend([Act::Pause(Duration::from_millis(1_200)), Act::Send(vec![7])]);
        }
        sender.push(Act::AwaitEnd);
        let timeouts = [Duration::from_secs(2), LONG];
        let Some(ended) = run_long(sim, sender, vec![Act::AwaitEnd], timeouts) else { return };
        assert!(ended.result.is_ok() || sim.jumped() > Duration::ZERO, "{:?}", ended.result);
    });
}
