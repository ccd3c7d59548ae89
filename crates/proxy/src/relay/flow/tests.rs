//! One body between a simulated sender and a simulated receiver.

mod failures;
mod splice;

use std::cell::Cell;

use net::sim::{Act, End as PeerEnd, Peer, Report, Rng, Sim, for_seeds};
use proto::http1::{BodyLength, ResponseBody};

use super::*;
use crate::descriptors::Descriptors;
use crate::relay::tests::{LONG, buffer, receives, sends, since};
use crate::stream::Stream;

/// How a body is framed on its way from the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

impl Framing {
    /// The bytes of a body on the wire.
    fn encode(self, rng: &mut Rng, data: &[u8], trailers: &str) -> Vec<u8> {
        if self != Self::Chunked {
            return data.to_vec();
        }
        let (mut wire, mut rest) = (Vec::new(), data);
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(rng.up_to(rest.len()));
            let extension = if rng.one_in(4) { ";a=b" } else { "" };
            wire.extend(format!("{:x}{extension}\r\n", chunk.len()).bytes());
            wire.extend(chunk);
            wire.extend(b"\r\n");
            rest = after;
        }
        wire.extend(format!("0\r\n{trailers}\r\n").bytes());
        wire
    }

    fn reader(self, bytes_max: Option<u64>, bytes: &Cell<u64>) -> BodyReader<'_> {
        match self {
            Self::Length(length) => {
                BodyReader::of_request(BodyLength::Length(length as u64), bytes_max, bytes)
            }
            Self::Chunked => BodyReader::of_request(BodyLength::Chunked, bytes_max, bytes),
            Self::UntilClose => BodyReader::of_response(ResponseBody::UntilClose, bytes),
        }
    }
}

/// One flow, and the scripts of its two peers.
struct Setup {
    framing: Framing,
    writer: BodyWriter,
    sender: Vec<Act>,
    receiver: Vec<Act>,
    /// Was read from the sender already, with its head.
    already: Vec<u8>,
    bytes_max: Option<u64>,
    drops_trailers: bool,
    read_timeout: Duration,
    write_timeout: Duration,
    /// The flow is dropped after this long.
    cut_after: Option<Duration>,
}

impl Setup {
    fn new(framing: Framing, sender: Vec<Act>, receiver: Vec<Act>) -> Self {
        Self {
            framing,
            writer: BodyWriter::Plain,
            sender,
            receiver,
            already: Vec::new(),
            bytes_max: None,
            drops_trailers: false,
            read_timeout: LONG,
            write_timeout: LONG,
            cut_after: None,
        }
    }
}

/// How a flow ended.
struct Ended {
    /// `None`: it was cut off.
    result: Option<Result<(), FlowError>>,
    /// By the meter.
    bytes: u64,
    /// Read from the sender, and not a part of the body.
    left: Vec<u8>,
    lasted: Duration,
    receiver: Report,
}

impl Ended {
    fn is_ok(&self) -> bool {
        matches!(self.result, Some(Ok(())))
    }

    fn is_deadline_of_read(&self) -> bool {
        matches!(&self.result, Some(Err(FlowError::Read(error))) if crate::io_error::is_deadline(error))
    }

    fn is_deadline_of_write(&self) -> bool {
        matches!(&self.result, Some(Err(FlowError::Write(error))) if crate::io_error::is_deadline(error))
    }
}

/// Runs the flow until it ends, then closes both connections.
fn run(sim: &Sim, setup: Setup) -> Ended {
    let (world, mut receiver) = (sim.clone(), Peer::default());
    let (result, bytes, left, lasted) = sim
        .run(|worker| {
            let Setup { sender: from, receiver: to, .. } = &setup;
            let (from, _) = world.stream(&worker, from.clone()).unwrap();
            let (to, peer) = world.stream(&worker, to.clone()).unwrap();
            receiver = peer;
            async move {
                let (from, to, began) = (Stream::plain(from), Stream::plain(to), worker.now());
                let (bytes, mut input) = (Cell::new(0), buffer(&setup.already));
                let mut reader = setup.framing.reader(setup.bytes_max, &bytes);
                if setup.drops_trailers {
                    reader.drop_trailers();
                }
                let flow = Flow {
                    from: End::new(&from),
                    to: End::new(&to),
                    input: &mut input,
                    reader: &mut reader,
                    writer: setup.writer,
                    limits: &HttpLimits::default(),
                    read_timeout: setup.read_timeout,
                    write_timeout: setup.write_timeout,
                    read_pace: &Pace::free(),
                    write_pace: &Pace::free(),
                    descriptors: &Descriptors::unlimited(),
                };
                let result = tokio::select! {
                    biased;
                    result = flow.run() => Some(result),
                    () = worker.sleep(setup.cut_after.unwrap_or_default()), if setup.cut_after.is_some() => None,
                };
                (result, bytes.get(), input.bytes().to_vec(), since(&worker, began))
            }
        })
        .unwrap();
    let report = receiver.report();
    let receiver = Report { received: report.received.clone(), ..*report };
    Ended { result, bytes, left, lasted, receiver }
}

/// Takes a complete chunked body apart: its data, and the lines of its trailers.
fn unchunk(mut wire: &[u8]) -> (Vec<u8>, String) {
    let mut data = Vec::new();
    loop {
        let line = wire.windows(2).position(|pair| pair == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&wire[..line]).unwrap(), 16).unwrap();
        wire = &wire[line + 2..];
        if size == 0 {
            let trailers = wire.strip_suffix(b"\r\n").unwrap();
            return (data, String::from_utf8(trailers.to_vec()).unwrap());
        }
        data.extend(&wire[..size]);
        assert_eq!(&wire[size..size + 2], b"\r\n");
        wire = &wire[size + 2..];
    }
}

#[test]
fn a_body_arrives_unchanged_from_any_framing_into_any_other() {
    for_seeds(400, |sim| {
        let mut rng = sim.rng();
        let length = rng.size(6_000);
        let data = rng.bytes(length);
        let framing = [Framing::Length(length), Framing::Chunked, Framing::UntilClose][rng.size(3)];
        let writer = [BodyWriter::Plain, BodyWriter::Chunked][rng.size(2)];
        let wire = framing.encode(&mut rng, &data, "");
        // A part of the body may have come with its head.
        let (already, to_come) = wire.split_at(rng.size(wire.len() + 1));
        let mut sender = sends(&mut rng, to_come);
        if framing == Framing::UntilClose {
            sender.pop();
        }
        let receiver = receives(&mut rng);
        let ended =
            run(sim, Setup { already: already.to_vec(), writer, ..Setup::new(framing, sender, receiver) });
        assert!(ended.is_ok(), "{framing:?} {writer:?}: {:?}", ended.result);
        let received = match writer {
            BodyWriter::Plain => ended.receiver.received,
            // An empty body of known length has no chunk, not even the last one: nothing is to be sent.
            BodyWriter::Chunked if length == 0 && framing == Framing::Length(0) => Vec::new(),
            BodyWriter::Chunked => unchunk(&ended.receiver.received).0,
        };
        assert!(received == data, "{framing:?} {writer:?}: {} of {length} bytes", received.len());
        assert_eq!((ended.bytes, ended.receiver.end), (length as u64, Some(PeerEnd::Finished)));
    });
}

#[test]
fn trailers_go_on_unless_they_are_dropped() {
    for_seeds(100, |sim| {
        let mut rng = sim.rng();
        let (length, drops_trailers) = (rng.size(600), rng.one_in(2));
        let (data, trailers) = (rng.bytes(length), "A: b\r\nC: d\r\n");
        let wire = Framing::Chunked.encode(&mut rng, &data, trailers);
        let (sender, receiver) = (sends(&mut rng, &wire), receives(&mut rng));
        let setup = Setup {
            writer: BodyWriter::Chunked,
            drops_trailers,
            ..Setup::new(Framing::Chunked, sender, receiver)
        };
        let ended = run(sim, setup);
        assert!(ended.is_ok(), "{:?}", ended.result);
        let expected = if drops_trailers { "" } else { trailers };
        assert_eq!(unchunk(&ended.receiver.received), (data, expected.to_owned()));
    });
}

#[test]
fn bytes_behind_the_body_are_left_for_the_next_message() {
    for_seeds(200, |sim| {
        let mut rng = sim.rng();
        let (length, next) = (rng.size(900), b"GET / HTTP/1.1\r\n\r\n");
        let data = rng.bytes(length);
        let framing = [Framing::Length(length), Framing::Chunked][rng.size(2)];
        let mut wire = framing.encode(&mut rng, &data, "");
        wire.extend(next);
        let (already, to_come) = wire.split_at(rng.size(wire.len() + 1));
        let (sender, receiver) = (sends(&mut rng, to_come), receives(&mut rng));
        let ended = run(sim, Setup { already: already.to_vec(), ..Setup::new(framing, sender, receiver) });
        assert!(ended.is_ok(), "{:?}", ended.result);
        assert!(ended.receiver.received == data);
        // What has not been read is still in the socket.
        assert!(next.starts_with(&ended.left), "{:?}", String::from_utf8_lossy(&ended.left));
        let behind = already.len().saturating_sub(wire.len() - next.len());
        assert!(ended.left.len() >= behind, "{} of {behind} bytes", ended.left.len());
        assert_eq!(ended.bytes, length as u64);
    });
}

#[test]
fn a_flow_that_is_cut_off_has_counted_what_it_moved() {
    for_seeds(200, |sim| {
        let mut rng = sim.rng();
        let data = rng.bytes(9_000);
        let (mut sender, receiver) = (sends(&mut rng, &data), receives(&mut rng));
        sender.insert(rng.size(sender.len()), Act::Pause(Duration::from_secs(1)));
        let cut_after = Some(Duration::from_millis(100 * rng.below(12)));
        let setup = Setup { cut_after, ..Setup::new(Framing::Length(9_000), sender, receiver) };
        let ended = run(sim, setup);
        let received = ended.receiver.received.len() as u64;
        assert!(data.starts_with(&ended.receiver.received));
        match ended.result {
            // The receiver may have lacked room for the bytes of the last read.
            None => assert!((received..=received + 4_112).contains(&ended.bytes)),
            Some(_) => assert_eq!((received, ended.bytes), (9_000, 9_000)),
        }
    });
}
