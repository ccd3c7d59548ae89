//! Flows that end early: on which side, when, and what had moved until then.

use super::*;
use crate::relay::tests::{LATE_MAX, SOCKET_BYTES_MAX, pieces};

#[test]
fn a_sender_that_closes_within_its_body_ends_the_flow() {
    for_seeds(200, |sim| {
        let mut rng = sim.rng();
        let data = rng.bytes(2_000);
        let framing = [Framing::Length(2_000), Framing::Chunked][rng.size(2)];
        let mut wire = framing.encode(&mut rng, &data, "");
        wire.truncate(rng.size(wire.len()));
        let sender = pieces(&mut rng, &wire, Duration::from_millis(5));
        let receiver = receives(&mut rng);
        let ended = run(sim, Setup::new(framing, sender, receiver));
        assert!(matches!(ended.result, Some(Err(FlowError::Ended))), "{:?}", ended.result);
        assert!(data.starts_with(&ended.receiver.received), "what came before the end is sent");
        assert_eq!(ended.bytes, ended.receiver.received.len() as u64);
        if framing != Framing::Chunked {
            assert_eq!(ended.bytes, wire.len() as u64);
        }
    });
}

#[test]
fn a_sender_that_resets_is_an_error_of_the_read() {
    for_seeds(200, |sim| {
        let mut rng = sim.rng();
        let data = rng.bytes(2_000);
        let sent = rng.size(2_000);
        let framing = [Framing::Length(2_000), Framing::UntilClose][rng.size(2)];
        let mut sender = pieces(&mut rng, &data[..sent], Duration::from_millis(5));
        sender.push(Act::Reset);
        let receiver = receives(&mut rng);
        let ended = run(sim, Setup::new(framing, sender, receiver));
        assert!(matches!(ended.result, Some(Err(FlowError::Read(_)))), "{:?}", ended.result);
        assert!(data[..sent].starts_with(&ended.receiver.received));
        assert_eq!(ended.bytes, ended.receiver.received.len() as u64);
    });
}

#[test]
fn a_receiver_that_resets_is_an_error_of_the_write() {
    for_seeds(200, |sim| {
        let mut rng = sim.rng();
        // More than both sockets and the buffer hold, so that the flow must write again after the reset.
        let data = rng.bytes(20_000);
        let writer = [BodyWriter::Plain, BodyWriter::Chunked][rng.size(2)];
        let sender = sends(&mut rng, &data);
        let receiver = vec![Act::Await(rng.size(2_000)), Act::Reset];
        let ended = run(sim, Setup { writer, ..Setup::new(Framing::Length(20_000), sender, receiver) });
        assert!(matches!(ended.result, Some(Err(FlowError::Write(_)))), "{:?}", ended.result);
        assert!(ended.bytes <= 20_000);
    });
}

#[test]
fn malformed_chunks_are_a_fault_of_the_sender() {
    let malformed = [
        "x\r\n",
        "5\r\nhelloX\r\n",
        "-1\r\n",
        "\r\n",
        "5\nhello\r\n",
        "ffffffffffffffffff\r\n",
        "0\r\nA b\r\n\r\n",
    ];
    for wire in malformed {
        for_seeds(20, |sim| {
            let mut rng = sim.rng();
            let good = Framing::Chunked.encode(&mut rng, b"good chunks", "");
            let good = &good[..good.len() - b"0\r\n\r\n".len()];
            let sender = sends(&mut rng, &[good, wire.as_bytes()].concat());
            let receiver = receives(&mut rng);
            let ended = run(sim, Setup::new(Framing::Chunked, sender, receiver));
            let is_fault = matches!(ended.result, Some(Err(FlowError::Fault(BodyFault::Malformed(_)))));
            assert!(is_fault, "{wire:?}: {:?}", ended.result);
            assert!(b"good chunkshello".starts_with(&ended.receiver.received[..]), "{wire:?}");
        });
    }
}

#[test]
fn a_body_may_have_exactly_as_many_bytes_as_allowed() {
    for_seeds(200, |sim| {
        let mut rng = sim.rng();
        let (length, max) = (1_000 + rng.size(3), 1_001);
        let data = rng.bytes(length);
        let framing = [Framing::Length(length), Framing::Chunked][rng.size(2)];
        let wire = framing.encode(&mut rng, &data, "");
        let (sender, receiver) = (sends(&mut rng, &wire), receives(&mut rng));
        let ended = run(sim, Setup { bytes_max: Some(max), ..Setup::new(framing, sender, receiver) });
        if length as u64 <= max {
            assert!(ended.is_ok() && ended.receiver.received == data, "{:?}", ended.result);
        } else {
            let is_fault = matches!(ended.result, Some(Err(FlowError::Fault(BodyFault::TooLarge))));
            assert!(is_fault, "{:?}", ended.result);
            assert!(ended.receiver.received.len() as u64 <= max, "nothing beyond the limit is sent");
        }
    });
}

#[test]
fn a_silent_sender_is_timed_out_by_the_read_timeout() {
    for_seeds(200, |sim| {
        let mut rng = sim.rng();
        let sent = rng.size(500);
        let (framing, sent) = match rng.below(3) {
            0 => (Framing::Length(501), rng.bytes(sent)),
            1 => (Framing::Chunked, b"7\r\nabc".to_vec()),
            _ => (Framing::UntilClose, rng.bytes(sent)),
        };
        let sender = vec![Act::Send(sent), Act::AwaitEnd];
        let read_timeout = Duration::from_millis(700 + rng.below(5_000));
        // Which one is shorter does not matter.
        let write_timeout = [LONG, Duration::from_millis(300)][rng.size(2)];
        let setup = Setup { read_timeout, write_timeout, ..Setup::new(framing, sender, vec![Act::AwaitEnd]) };
        let ended = run(sim, setup);
        assert!(ended.is_deadline_of_read(), "{:?}", ended.result);
        assert_timed_out(sim, &ended, read_timeout);
        assert_eq!(ended.bytes, ended.receiver.received.len() as u64);
    });
}

#[test]
fn a_receiver_that_takes_nothing_is_timed_out_by_the_write_timeout() {
    for_seeds(200, |sim| {
        let mut rng = sim.rng();
        let sender = sends(&mut rng, &[7; 20_000]);
        let write_timeout = Duration::from_millis(700 + rng.below(5_000));
        let receiver = vec![Act::StopReading, Act::AwaitEnd];
        let framing = Framing::Length(20_000);
        let ended = run(sim, Setup { write_timeout, ..Setup::new(framing, sender, receiver) });
        assert!(ended.is_deadline_of_write(), "{:?}", ended.result);
        assert_timed_out(sim, &ended, write_timeout);
    });
}

/// The flow has ended after `timeout`, and not much later than the time in which it moved bytes and then waited that long.
fn assert_timed_out(sim: &Sim, ended: &Ended, timeout: Duration) {
    assert!(ended.lasted >= timeout, "early: {:?}", ended.lasted);
    // A socket with room for a single byte takes a few seconds for what the others hold.
    let late = Duration::from_secs(5) + LATE_MAX + sim.jumped();
    assert!(ended.lasted <= timeout + late, "late: {:?}", ended.lasted);
}

#[test]
fn every_byte_that_comes_restarts_the_read_timeout() {
    for_seeds(100, |sim| {
        let pause = Act::Pause(Duration::from_millis(1_200));
        let mut sender: Vec<_> = (0..6).flat_map(|_| [pause.clone(), Act::Send(b"x".to_vec())]).collect();
        sender.push(Act::AwaitEnd);
        let setup = Setup::new(Framing::Length(6), sender, vec![Act::AwaitEnd]);
        let ended = run(sim, Setup { read_timeout: SHORT, ..setup });
        // If the process is stopped for longer than the timeout, the deadline comes first.
        let was_stopped = sim.jumped() > Duration::ZERO && ended.is_deadline_of_read();
        assert!(ended.is_ok() || was_stopped, "{:?}", ended.result);
    });
}

#[test]
fn every_byte_that_goes_restarts_the_write_timeout() {
    for_seeds(100, |sim| {
        let (pause, mut receiver) = (Act::Pause(Duration::from_millis(1_200)), Vec::new());
        for _ in 0..6 {
            receiver.push(Act::StartReading);
            // Reads several times, so that a third of the socket is free and it takes more.
            receiver.extend(vec![Act::Pause(Duration::from_micros(500)); 10]);
            receiver.extend([Act::StopReading, pause.clone()]);
        }
        receiver.extend([Act::StartReading, Act::AwaitEnd]);
        let sender = vec![Act::Send(vec![7; 30_000]), Act::AwaitEnd];
        let setup = Setup::new(Framing::Length(30_000), sender, receiver);
        let ended = run(sim, Setup { write_timeout: SHORT, ..setup });
        let was_stopped = sim.jumped() > Duration::ZERO && ended.is_deadline_of_write();
        assert!(ended.is_ok() || was_stopped, "{:?}", ended.result);
    });
}

#[test]
fn a_flow_does_not_read_ahead_of_a_stalled_receiver() {
    for_seeds(100, |sim| {
        let mut rng = sim.rng();
        let writer = [BodyWriter::Plain, BodyWriter::Chunked][rng.size(2)];
        let sender = vec![Act::Send(rng.bytes(100_000)), Act::AwaitEnd];
        let receiver = vec![Act::StopReading, Act::AwaitEnd];
        let setup = Setup::new(Framing::Length(100_000), sender, receiver);
        let ended = run(sim, Setup { write_timeout: SHORT, writer, ..setup });
        assert!(ended.is_deadline_of_write(), "{:?}", ended.result);
        // What the receiver's socket holds, and one read.
        assert!(ended.bytes <= 2 * SOCKET_BYTES_MAX as u64, "{} bytes were read", ended.bytes);
    });
}

#[test]
fn a_flow_that_waits_for_its_receiver_leases_only_what_the_unsent_bytes_need() {
    for_seeds(60, |sim| {
        let world = sim.clone();
        sim.run(|worker| async move {
            let sender = vec![Act::Send(vec![7; 100_000]), Act::AwaitEnd];
            let receiver = vec![Act::StopReading, Act::AwaitEnd];
            let (from, _sender) = world.stream(&worker, sender).unwrap();
            let (to, _receiver) = world.stream(&worker, receiver).unwrap();
            let (from, to) = (Stream::plain(from), Stream::plain(to));
            let (bytes, mut input) = (Cell::new(0), Buffer::new());
            let mut reader = Framing::Length(100_000).reader(None, &bytes);
            let flow = Flow {
                from: End::new(&from),
                to: End::new(&to),
                input: &mut input,
                reader: &mut reader,
                writer: BodyWriter::Plain,
                limits: &HttpLimits::default(),
                read_timeout: LONG,
                write_timeout: LONG,
                read_pace: &Pace::free(),
                write_pace: &Pace::free(),
                descriptors: &Descriptors::unlimited(),
            };
            tokio::select! {
                biased;
                result = flow.run() => panic!("{result:?}"),
                leased = async {
                    worker.sleep(Duration::from_secs(20)).await;
                    worker.stats().leased_bytes
                // The smallest block that holds one read.
                } => assert!(leased <= 16 * 1024, "{leased} bytes"),
            }
        })
        .unwrap();
    });
}

const SHORT: Duration = Duration::from_secs(2);
