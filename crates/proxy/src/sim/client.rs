//! The script of a client: sends its requests, alone or several at once, and reads what it gets.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use net::sim::{Act, Reaction, Rng};

use super::exchange::{Exchange, Kinds};
use super::message::{Message, read_response};
use super::plan::Plan;

/// What one client does on its one connection.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) exchanges: Vec<Exchange>,
    /// Requests that it sends at once, before it reads their responses.
    pub(super) window: usize,
    /// Into so many pieces it cuts what it sends.
    pieces: usize,
    pause: Duration,
    reading: Reading,
    end: Ending,
    pub(super) fault: Option<(usize, ClientFault)>,
    pub(super) arrives: Duration,
    /// The address at which it arrives.
    pub(super) listener: usize,
    cuts: Rng,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Fast,
    /// With a rest so long before it reads what came.
    Slow(Duration),
}

/// How it ends when it has all that it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Close,
    /// It finishes sending, and waits for the end.
    Finish,
    /// It waits until the proxy closes.
    Wait,
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientFault {
    /// A reset behind so many bytes of the request, or of all of it, after a while.
    Reset(usize, Duration),
    Finish(usize),
    Stall(usize),
    /// It does not read any more, for longer than anything waits for it.
    StopReading,
}

impl Client {
    pub(super) fn choose(rng: &mut Rng, number: usize, kinds: Kinds, style: Style) -> Self {
        let marker = |request: usize| format!("/c{number}/r{request}");
        let count = rng.up_to(5);
        let window = match style.sends_behind_last {
            true => count,
            false if style.pipelines && rng.one_in(2) => rng.up_to(count),
            false => 1,
        };
        let choose = |request: usize| {
            // With others behind it these have another meaning.
            let is_alone = window == 1;
            let can_switch = is_alone && request + 1 == count;
            let kinds = Kinds { websockets: kinds.websockets && can_switch, ..kinds };
            let mut exchange = Exchange::choose(rng, marker(request), kinds);
            exchange.expects_continue &= is_alone;
            exchange.says_close |= style.sends_behind_last && rng.one_in(2);
            exchange
        };
        let exchanges: Vec<_> = (0..count).map(choose).collect();
        let fault = (style.client_faults && rng.one_in(3)).then(|| {
            let place = rng.size(count);
            let length = exchanges[place].wire().len();
            (place, ClientFault::choose(rng, length))
        });
        Self {
            exchanges,
            window,
            pieces: rng.up_to(5),
            pause: Duration::from_micros(rng.below(100_000)),
            reading: match rng.size(3) {
                place if place == 0 || style.sends_behind_last => {
                    Reading::Slow(Duration::from_micros(rng.below(1_000_000)))
                }
                _ => Reading::Fast,
            },
            end: [Ending::Close, Ending::Finish, Ending::Wait][rng.size(3)],
            fault,
            arrives: Duration::from_micros(rng.below(1_500_000)),
            listener: rng.size(2),
            cuts: rng.clone(),
        }
    }

    /// It says and hears everything to its end.
    pub(super) fn is_good(&self) -> bool {
        self.fault.is_none()
    }

    /// How many bytes it sends before this exchange, if it sends all of the others.
    pub(super) fn sent_before(&self, exchange: usize) -> usize {
        self.exchanges[..exchange].iter().map(|exchange| exchange.wire().len()).sum()
    }

    pub(super) fn script(plan: &Rc<Plan>, number: usize) -> Vec<Act> {
        let client = &plan.clients[number];
        let mut cuts = client.cuts.clone();
        let mut steps: VecDeque<Step> = client.steps(&mut cuts).into();
        let mut acts = steps.pop_front().map_or(Vec::new(), |step| step.acts);
        let plan = Rc::clone(plan);
        let (mut awaited, mut heard) = (steps.pop_front(), Heard::default());
        acts.push(Act::React(Reaction::new(move |received| {
            let client = &plan.clients[number];
            let Some(step) = &awaited else { return Vec::new() };
            heard.hear(received, &client.exchanges);
            if heard.is_dismissed {
                awaited = None;
                return client.ending();
            }
            if !step.when.holds(&heard, received.len()) {
                return Vec::new();
            }
            let acts = step.acts.clone();
            awaited = steps.pop_front();
            acts
        })));
        acts
    }

    /// What it does, and when it goes on.
    fn steps(&self, cuts: &mut Rng) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut when = When::Responses(0);
        for (batch, exchanges) in self.exchanges.chunks(self.window).enumerate() {
            let first = batch * self.window;
            let mut wire = Vec::new();
            for (place, exchange) in exchanges.iter().enumerate() {
                let number = first + place;
                if let Some((_, fault)) = self.fault.filter(|(at, _)| *at == number) {
                    steps.push(Step { when, acts: fault.acts(&wire, &exchange.wire()) });
                    return steps;
                }
                if exchange.expects_continue {
                    steps.push(Step { when, acts: self.send(cuts, &exchange.head()) });
                    when = When::Continue(number);
                    wire = exchange.wire_body().to_vec();
                } else {
                    wire.extend(exchange.wire());
                }
            }
            steps.push(Step { when, acts: self.send_and_rest(cuts, &wire) });
            when = When::Responses(first + exchanges.len());
        }
        if let Some(exchange) = self.exchanges.last().filter(|exchange| exchange.is_websocket) {
            let through = &exchange.answer.body;
            steps.push(Step { when, acts: self.send(cuts, through) });
            when = When::Tunnelled(through.len());
        }
        steps.push(Step { when, acts: self.ending() });
        steps
    }

    /// Sends, and then rests. While it sends it reads: one that does not could wait for us, and we for it.
    fn send_and_rest(&self, cuts: &mut Rng, bytes: &[u8]) -> Vec<Act> {
        let mut acts = self.send(cuts, bytes);
        if let Reading::Slow(rest) = self.reading {
            acts.extend([Act::StopReading, Act::Pause(rest), Act::StartReading]);
        }
        acts
    }

    fn send(&self, cuts: &mut Rng, bytes: &[u8]) -> Vec<Act> {
        let (mut acts, mut rest) = (Vec::new(), bytes);
        for _ in 1..self.pieces {
            let (piece, after) = rest.split_at(cuts.up_to(rest.len()));
            acts.extend([Act::Send(piece.to_vec()), Act::Pause(self.pause)]);
            rest = after;
        }
        acts.push(Act::Send(rest.to_vec()));
        acts
    }

    fn ending(&self) -> Vec<Act> {
        match self.end {
            Ending::Close => vec![Act::Close],
            Ending::Finish => vec![Act::Finish, Act::AwaitEnd],
            Ending::Wait => vec![Act::AwaitEnd],
        }
    }
}

/// What clients a family of seeds has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Style {
    pub(super) pipelines: bool,
    pub(super) client_faults: bool,
    /// All send all their requests at once, say often that one is the last, and read slowly.
    pub(super) sends_behind_last: bool,
}

impl ClientFault {
    fn choose(rng: &mut Rng, length: usize) -> Self {
        match rng.size(5) {
            0 => Self::Finish(rng.size(length)),
            1 => Self::Stall(rng.size(length)),
            2 => Self::StopReading,
            _ if rng.one_in(2) => Self::Reset(length, Duration::from_micros(rng.below(400_000))),
            _ => Self::Reset(rng.size(length), Duration::from_micros(rng.below(50_000))),
        }
    }

    fn acts(self, before: &[u8], wire: &[u8]) -> Vec<Act> {
        let send = |count: usize| Act::Send([before, &wire[..count]].concat());
        match self {
            Self::Reset(count, after) => vec![send(count), Act::Pause(after), Act::Reset],
            Self::Finish(count) => vec![send(count), Act::Finish, Act::AwaitEnd],
            Self::Stall(count) => vec![send(count), Act::AwaitEnd],
            Self::StopReading => {
                vec![Act::StopReading, send(wire.len()), Act::Pause(STALL), Act::StartReading, Act::AwaitEnd]
            }
        }
    }
}

struct Step {
    when: When,
    acts: Vec<Act>,
}

/// When a client goes on.
#[derive(Clone, Copy)]
enum When {
    /// So many responses have come.
    Responses(usize),
    /// The target wants the body of this request, or has answered it.
    Continue(usize),
    /// So many bytes have come back through its tunnel.
    Tunnelled(usize),
}

impl When {
    fn holds(self, heard: &Heard, received: usize) -> bool {
        match self {
            Self::Responses(count) => heard.responses >= count,
            Self::Continue(number) => heard.continued.contains(&number) || heard.responses > number,
            Self::Tunnelled(count) => received >= heard.read + count,
        }
    }
}

/// What a client has heard so far.
#[derive(Default)]
struct Heard {
    responses: usize,
    /// Requests whose bodies are wanted.
    continued: Vec<usize>,
    /// A whole response said that it is the last, or that there will be no tunnel.
    is_dismissed: bool,
    /// Bytes of whole responses.
    read: usize,
    /// The response that is being read.
    response: Option<Message>,
}

impl Heard {
    fn hear(&mut self, received: &[u8], exchanges: &[Exchange]) {
        while let Some(exchange) = exchanges.get(self.responses) {
            let bytes = &received[self.read..];
            let response = match self.response.take() {
                None => read_response(bytes, exchange.method),
                Some(mut response) => {
                    if bytes.len() >= response.needs {
                        response.read_on(bytes);
                    }
                    Some(response)
                }
            };
            match response {
                Some(response) if response.is_whole => self.count(&response, exchange),
                unfinished => {
                    self.response = unfinished;
                    return;
                }
            }
        }
    }

    fn count(&mut self, response: &Message, exchange: &Exchange) {
        self.read += response.len;
        match response.status() {
            100 => self.continued.push(self.responses),
            102..200 => {}
            _ => {
                self.responses += 1;
                let is_refused = exchange.is_websocket && response.status() != 101;
                self.is_dismissed |= is_refused || response.says_close();
            }
        }
    }
}

/// Longer than any timeout of the config.
const STALL: Duration = Duration::from_secs(150);
