//! The script of a target: reads requests one behind the other, and answers each as its exchange says.

use std::rc::Rc;
use std::time::Duration;

use net::sim::{Act, Reaction};

use super::exchange::{After, Exchange, Fault, Framing};
use super::message::{Message, read_request};
use super::plan::Plan;

/// The script of one connection to a target.
pub(super) fn script(plan: &Rc<Plan>) -> Vec<Act> {
    let mut target =
        Target { plan: Rc::clone(plan), read: 0, request: None, is_answered: false, has_continued: false };
    vec![Act::React(Reaction::new(move |received| target.react(received)))]
}

struct Target {
    plan: Rc<Plan>,
    /// Bytes of requests that are over.
    read: usize,
    /// The request that is being read.
    request: Option<Message>,
    /// It has its answer already.
    is_answered: bool,
    has_continued: bool,
}

impl Target {
    fn react(&mut self, received: &[u8]) -> Vec<Act> {
        loop {
            let bytes = &received[self.read..];
            let request = match self.request.take() {
                None => read_request(bytes),
                Some(mut request) => {
                    if bytes.len() >= request.needs {
                        request.read_on(bytes);
                    }
                    Some(request)
                }
            };
            let Some(request) = request else { return Vec::new() };
            let plan = Rc::clone(&self.plan);
            let exchange = plan.exchange(request.method_and_target().1);
            let is_due = !self.is_answered && (request.is_whole || exchange.answer.is_early);
            if request.is_whole {
                self.read += request.len;
                (self.is_answered, self.has_continued) = (false, false);
            } else {
                self.is_answered |= is_due;
                let acts = if is_due { Vec::new() } else { self.encourage(&request) };
                self.request = Some(request);
                if !is_due {
                    return acts;
                }
            }
            if is_due {
                return answer(exchange);
            }
        }
    }

    /// `100 Continue`, once, to a client that waits for it.
    fn encourage(&mut self, request: &Message) -> Vec<Act> {
        let is_due = request.field("expect").is_some() && !self.has_continued && !self.is_answered;
        self.has_continued |= is_due;
        if is_due { vec![Act::Send(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec())] } else { Vec::new() }
    }
}

fn answer(exchange: &Exchange) -> Vec<Act> {
    let answer = &exchange.answer;
    let mut acts = Vec::new();
    let wire = wire(exchange);
    let within = |at: usize| at.min(wire.len() - 1);
    let (part, end) = match answer.fault {
        Fault::None => (wire.as_slice(), None),
        Fault::ResetUnanswered => (&[][..], Some(Act::Reset)),
        Fault::CloseUnanswered => (&[][..], Some(Act::Close)),
        Fault::StallUnanswered => (&[][..], Some(Act::AwaitEnd)),
        Fault::ResetWithin(at) => (&wire[..within(at)], Some(Act::Reset)),
        // What only the end of the connection ends cannot be seen to be cut by it.
        Fault::CloseWithin(_) if answer.framing == Framing::UntilClose => (wire.as_slice(), Some(Act::Close)),
        Fault::CloseWithin(at) => (&wire[..within(at)], Some(Act::Close)),
        Fault::StallWithin(at) => (&wire[..within(at)], Some(Act::AwaitEnd)),
    };
    acts.extend(pieces(part, answer.pieces, answer.pause));
    acts.extend(end);
    if exchange.is_websocket {
        acts.push(Act::Echo);
    } else if answer.framing == Framing::UntilClose || answer.after == After::Close {
        acts.push(Act::Close);
    } else if let After::CloseUntold(after) = answer.after {
        acts.extend([Act::Pause(after), Act::Close]);
    }
    acts
}

fn pieces(bytes: &[u8], count: usize, pause: Duration) -> Vec<Act> {
    let size = bytes.len().div_ceil(count).max(1);
    bytes.chunks(size).flat_map(|piece| [Act::Pause(pause), Act::Send(piece.to_vec())]).collect()
}

/// The whole answer as it goes over the wire.
fn wire(exchange: &Exchange) -> Vec<u8> {
    let answer = &exchange.answer;
    let interim = format!("HTTP/1.1 103 Early Hints\r\nX-Marker: {}\r\n\r\n", exchange.marker);
    let mut head = interim.repeat(answer.interim);
    head += &format!("HTTP/1.1 {} Word\r\nX-Marker: {}\r\n", answer.status, exchange.marker);
    if exchange.is_websocket {
        head += "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
        return head.into_bytes();
    }
    let has_body = !exchange.response_body().is_empty() || answer.status != 204;
    match answer.framing {
        Framing::Length if has_body => head += &format!("Content-Length: {}\r\n", answer.body.len()),
        Framing::Chunked => head += "Transfer-Encoding: chunked\r\n",
        Framing::Length | Framing::UntilClose => {}
    }
    // Without a body nothing else would tell.
    if answer.after == After::Close || (answer.framing == Framing::UntilClose && exchange.method == "HEAD") {
        head += "Connection: close\r\n";
    }
    let mut wire = (head + "\r\n").into_bytes();
    match answer.framing {
        _ if exchange.method == "HEAD" => {}
        Framing::Chunked => wire.extend(&answer.wire_body),
        Framing::Length | Framing::UntilClose => wire.extend(exchange.response_body()),
    }
    wire
}
