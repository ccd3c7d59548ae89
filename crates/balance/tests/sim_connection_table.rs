//! A connection table against a model of it, from seeds. `EVENKEEL_SEED=n` replays one seed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU64;

use balance::Rng;
use balance::connection_table::{
    ConnectionId, ConnectionTable, Cursor, Datagram, Direction, Ended, Ends, FlowLimits, IdleTimeout,
    ListenerNumber, Opening, Protocol, Row, ServerNumber, State,
};

/// Names the seed that fails.
struct NameOnPanic(u64);

impl Drop for NameOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "failed in the world of EVENKEEL_SEED={}", self.0);
        }
    }
}

/// A connection as a reader of the requirement would write it down.
#[derive(Clone, Debug)]
struct Model {
    id: ConnectionId,
    protocol: Protocol,
    ends: Ends,
    state: State,
    listener: ListenerNumber,
    timeout: IdleTimeout,
    /// When the timeout was set.
    set: u64,
    server: Option<ServerNumber>,
    session: Option<NonZeroU64>,
    began: u64,
    active: u64,
    bytes: [u64; 2],
}

impl Model {
    fn row(&self, now: u64) -> Row {
        let idle = now - self.active;
        Row {
            id: self.id,
            protocol: self.protocol,
            ends: self.ends,
            server: self.server,
            state: self.state,
            listener: self.listener,
            age: now - self.began,
            idle,
            idle_remaining: match self.timeout {
                IdleTimeout::None => None,
                IdleTimeout::Ends(ms) | IdleTimeout::Shown(ms) => Some(u64::from(ms).saturating_sub(idle)),
            },
            bytes_in: self.bytes[0],
            bytes_out: self.bytes[1],
            session: self.session,
        }
    }

    fn due(&self) -> Option<u64> {
        let IdleTimeout::Ends(ms) = self.timeout else { return None };
        Some(self.active + u64::from(ms))
    }

    fn is_unanswered(&self) -> bool {
        self.state == State::Unanswered
    }
}

/// A walk that goes on while the table changes.
#[derive(Default)]
struct Walk {
    cursor: Option<Cursor>,
    /// Those that were there when it began and are still there, and how often each was seen.
    seen: BTreeMap<u64, u32>,
}

struct World {
    random: Rng,
    now: u64,
    limits: FlowLimits,
    table: ConnectionTable<u64>,
    /// By number, in the order in which they were opened.
    model: BTreeMap<u64, Model>,
    /// Names of connections that are gone.
    stale: Vec<ConnectionId>,
    walk: Walk,
    next: u64,
    seen: [u64; EVENTS.len()],
}

const EVENTS: [&str; 10] = [
    "connection",
    "flow",
    "known datagram",
    "reply",
    "evicted",
    "refused",
    "expired",
    "evicted of another listener",
    "walk",
    "stale id",
];
const STEPS: usize = 2_000;
const SEEDS: u64 = 40;
const TICK: u64 = 128;
const LISTENERS: u64 = 4;

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Rng::new(seed);
        let flows = 1 + random.below(60) as u32;
        let limits = FlowLimits { flows, unanswered: 1 + random.below(flows.into()) as u32 };
        let keys = [random.next_u64(), random.next_u64()];
        Self {
            table: ConnectionTable::new(limits, keys),
            limits,
            now: random.below(100_000),
            model: BTreeMap::new(),
            stale: Vec::new(),
            walk: Walk::default(),
            next: 0,
            seen: [0; EVENTS.len()],
            random,
        }
    }

    fn step(&mut self) {
        // Mostly little time, at times so much that the wheel turns more than once.
        self.now += match self.random.below(400) {
            0 => self.random.below(2_000_000),
            1..40 => self.random.below(900),
            _ => self.random.below(4),
        };
        match self.random.below(400) {
            0 => (0..self.random.below(300)).for_each(|_| self.connect()),
            1 => self.leave_few(),
            _ => {}
        }
        match self.random.below(20) {
            0..2 => self.connect(),
            2..8 => self.datagram(),
            8..12 => self.reply(),
            12..14 => self.move_bytes(),
            14 => self.remove(),
            15 => self.change(),
            16..18 => self.expire(),
            18 => self.walk(),
            _ => self.evict_or_stale(),
        }
    }

    fn count(&mut self, event: &str) {
        self.seen[EVENTS.iter().position(|name| *name == event).unwrap()] += 1;
    }

    fn any(&mut self, is: impl Fn(&Model) -> bool) -> Option<u64> {
        let numbers: Vec<_> =
            self.model.iter().filter(|(_, one)| is(one)).map(|(&number, _)| number).collect();
        let at = self.random.below(numbers.len() as u64) as usize;
        numbers.get(at).copied()
    }

    fn ends(&mut self) -> Ends {
        let number = self.random.below(40) as u32;
        let is_v6 = number.is_multiple_of(3);
        let source = if is_v6 {
            Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(number)).into()
        } else {
            Ipv4Addr::from_bits(0xc000_0200 + number).into()
        };
        let destination = if is_v6 { "[2001:db8::53]:53" } else { "192.0.2.53:53" };
        let port = 1_000 + self.random.below(3) as u16;
        Ends { source: SocketAddr::new(source, port), destination: destination.parse().unwrap() }
    }

    fn listener(&mut self) -> ListenerNumber {
        // One of them is flooded.
        ListenerNumber(self.random.below(LISTENERS).min(self.random.below(LISTENERS)) as u32)
    }

    fn timeout(&mut self) -> IdleTimeout {
        match self.random.below(8) {
            0 => IdleTimeout::None,
            1 => IdleTimeout::Shown(1_000 + self.random.below(90_000) as u32),
            2 => IdleTimeout::Ends(86_400_000),
            _ => IdleTimeout::Ends(1_000 + self.random.below(9_000) as u32),
        }
    }

    fn opening(&mut self, protocol: Protocol) -> Opening<u64> {
        self.next += 1;
        Opening {
            protocol,
            ends: self.ends(),
            state: State::Open,
            listener: self.listener(),
            idle_timeout: self.timeout(),
            payload: self.next,
        }
    }

    fn add(&mut self, id: ConnectionId, opening: Opening<u64>, bytes_in: u64) {
        let Opening { protocol, ends, state, listener, idle_timeout, payload } = opening;
        let (began, active, set) = (self.now, self.now, self.now);
        let (server, session, bytes) = (None, None, [bytes_in, 0]);
        let timeout = idle_timeout;
        let model = Model {
            id,
            protocol,
            ends,
            state,
            listener,
            timeout,
            set,
            server,
            session,
            began,
            active,
            bytes,
        };
        assert!(self.model.insert(payload, model).is_none());
    }

    fn connect(&mut self) {
        let protocols = [Protocol::Http, Protocol::Https, Protocol::Tcp, Protocol::TcpSsl];
        let at = self.random.below(4) as usize;
        let opening = self.opening(protocols[at]);
        let id = self.table.insert(opening, self.now);
        self.add(id, opening, 0);
        self.count("connection");
    }

    /// What the table says that it has ended must be in the model, as it was.
    fn gone(&mut self, ended: Ended<u64>) -> Model {
        let model = self.model.remove(&ended.payload).unwrap();
        assert_eq!(ended.row, model.row(self.now));
        self.walk.seen.remove(&ended.payload);
        self.stale.push(model.id);
        model
    }

    fn unanswered(&self, listener: Option<ListenerNumber>) -> Vec<u64> {
        let of =
            |one: &Model| one.is_unanswered() && listener.is_none_or(|listener| one.listener == listener);
        self.model.iter().filter(|(_, one)| of(one)).map(|(&number, _)| number).collect()
    }

    fn datagram(&mut self) {
        let opening = self.opening(Protocol::Udp);
        let bytes = self.random.below(3) * 500;
        let known =
            self.model.iter().find(|(_, one)| one.protocol == Protocol::Udp && one.ends == opening.ends);
        let known = known.map(|(&number, one)| (number, one.id));
        let found = self.table.datagram(opening.ends, bytes, self.now);
        if let Some((number, id)) = known {
            assert_eq!(found, Datagram::Flow(id));
            let now = self.now;
            let one = self.model.get_mut(&number).unwrap();
            one.bytes[0] += bytes;
            one.active = now;
            return self.count("known datagram");
        }
        assert_eq!(found, Datagram::Unknown);
        self.open(Opening { state: State::Unanswered, ..opening }, bytes);
    }

    fn open(&mut self, opening: Opening<u64>, bytes: u64) {
        let flows = self.model.values().filter(|one| one.protocol == Protocol::Udp).count();
        let unanswered = self.unanswered(None);
        let is_full = flows == self.limits.flows as usize;
        let may_open = !is_full || !unanswered.is_empty();
        assert_eq!(self.table.has_room(), may_open);
        let opened = self.table.open_flow(opening, bytes, self.now);
        let Ok(opened) = opened else {
            assert!(!may_open);
            return self.count("refused");
        };
        assert!(may_open);
        let needs_room = is_full || unanswered.len() == self.limits.unanswered as usize;
        assert_eq!(opened.evicted.is_some(), needs_room, "{flows} {} {:?}", unanswered.len(), self.limits);
        if let Some(evicted) = opened.evicted {
            let number = evicted.payload;
            let of = self.unanswered(Some(evicted.row.listener));
            // invariant: a flow that has had a reply is never evicted.
            assert_eq!(of.first(), Some(&number), "not the oldest unanswered flow of its listener");
            let per_listener = unanswered.len() as u64 / LISTENERS;
            assert!(of.len() as u64 >= per_listener, "its listener has fewer than the average");
            if evicted.row.listener != opening.listener {
                let own = self.unanswered(Some(opening.listener)).len();
                assert!(own <= of.len());
                self.count("evicted of another listener");
            }
            self.gone(evicted);
            self.count("evicted");
        }
        self.add(opened.id, opening, bytes);
        self.count("flow");
    }

    fn reply(&mut self) {
        let Some(number) = self.any(|one| one.protocol == Protocol::Udp) else { return };
        let (bytes, now) = (self.random.below(1_400), self.now);
        let one = self.model.get_mut(&number).unwrap();
        assert_eq!(self.table.reply(one.id, bytes, now), Some(one.ends));
        one.state = State::Answered;
        one.bytes[1] += bytes;
        one.active = now;
        self.count("reply");
    }

    fn move_bytes(&mut self) {
        let Some(number) = self.any(|one| one.protocol != Protocol::Udp) else { return };
        let (bytes, now) = (self.random.below(70_000), self.now);
        let is_out = self.random.below(2) == 1;
        let one = self.model.get_mut(&number).unwrap();
        let direction = if is_out { Direction::Out } else { Direction::In };
        assert!(self.table.moved(one.id, direction, bytes, now));
        one.bytes[usize::from(is_out)] += bytes;
        one.active = now;
    }

    fn remove(&mut self) {
        let Some(number) = self.any(|_| true) else { return };
        let ended = self.table.remove(self.model[&number].id, self.now).unwrap();
        assert_eq!(ended.payload, number);
        self.gone(ended);
    }

    /// Most connections go at once, so that whole pieces of the table are vacant.
    fn leave_few(&mut self) {
        let numbers: Vec<_> = self.model.keys().copied().collect();
        for number in numbers {
            if self.random.below(30) > 0 {
                let ended = self.table.remove(self.model[&number].id, self.now).unwrap();
                self.gone(ended);
            }
        }
    }

    fn change(&mut self) {
        let Some(number) = self.any(|_| true) else { return };
        let (timeout, now) = (self.timeout(), self.now);
        let state = State::ALL[self.random.below(8) as usize];
        let server = Some(ServerNumber(self.random.below(5) as u32)).filter(|server| server.0 > 0);
        let session = NonZeroU64::new(self.random.below(3));
        let one = self.model.get_mut(&number).unwrap();
        self.table.set_idle_timeout(one.id, timeout, now);
        self.table.set_state(one.id, state);
        self.table.set_server(one.id, server);
        self.table.set_session(one.id, session);
        (one.timeout, one.set, one.server, one.session) = (timeout, now, server, session);
        if one.protocol != Protocol::Udp {
            one.state = state;
        }
    }

    fn expire(&mut self) {
        let most = if self.random.below(2) == 0 { u32::MAX } else { 1 + self.random.below(8) as u32 };
        let mut gone = Vec::new();
        let goes_on = self.table.expire(self.now, most, |ended| gone.push(ended));
        assert!(gone.len() as u64 <= u64::from(most));
        for ended in gone {
            let model = self.gone(ended);
            assert!(model.due().is_some_and(|due| due <= self.now), "too early: {model:?}");
            self.count("expired");
        }
        if !goes_on {
            // One whose timeout was set when it was over ends with the next tick.
            let due = |one: &Model| one.due().map(|due| due.max(one.set));
            let late =
                self.model.values().filter(|one| due(one).is_some_and(|due| due + 2 * TICK <= self.now));
            assert_eq!(late.count(), 0, "too late");
        }
        assert!(most < u32::MAX || !goes_on);
    }

    fn walk(&mut self) {
        let most = 1 + self.random.below(60) as u32;
        if self.walk.cursor.is_none() {
            self.walk.seen = self.model.keys().map(|&number| (number, 0)).collect();
        }
        let mut rows = Vec::new();
        let next = self.table.walk(self.walk.cursor, most, self.now, |row, &number| rows.push((row, number)));
        assert!(rows.len() as u64 <= u64::from(most));
        for (row, number) in rows {
            assert_eq!(row, self.model[&number].row(self.now));
            if let Some(times) = self.walk.seen.get_mut(&number) {
                *times += 1;
            }
        }
        self.walk.cursor = next;
        if next.is_none() {
            assert!(self.walk.seen.values().all(|&times| times == 1), "{:?}", self.walk.seen);
            self.count("walk");
        }
    }

    fn evict_or_stale(&mut self) {
        if self.random.below(4) == 0 {
            let listener = self.listener();
            let oldest = self.unanswered(Some(listener)).first().copied();
            let evicted = self.table.evict_unanswered(listener, self.now);
            assert_eq!(evicted.map(|ended| ended.payload), oldest);
            if let Some(evicted) = evicted {
                self.gone(evicted);
            }
            return;
        }
        let at = self.random.below(self.stale.len() as u64) as usize;
        let Some(&id) = self.stale.get(at) else { return };
        assert!(self.table.row(id, self.now).is_none() && self.table.payload(id).is_none());
        assert!(!self.table.moved(id, Direction::In, 1, self.now));
        assert!(self.table.reply(id, 1, self.now).is_none() && self.table.remove(id, self.now).is_none());
        self.count("stale id");
    }

    fn check(&self) {
        self.table.check().unwrap();
        let flows = self.model.values().filter(|one| one.protocol == Protocol::Udp).count();
        assert_eq!((self.table.len(), self.table.flows()), (self.model.len(), flows));
        assert_eq!(self.table.unanswered() as usize, self.unanswered(None).len());
        assert!(self.table.flows() <= self.limits.flows as usize);
        assert!(self.table.unanswered() <= self.limits.unanswered);
        for listener in (0..LISTENERS as u32).map(ListenerNumber) {
            let open = self.model.values().filter(|one| one.listener == listener).count();
            assert_eq!(self.table.open(listener) as usize, open);
        }
        for (&number, one) in &self.model {
            assert_eq!(self.table.row(one.id, self.now), Some(one.row(self.now)));
            assert_eq!(self.table.payload(one.id), Some(&number));
        }
    }
}

#[test]
fn sim_a_table_does_what_its_model_does() {
    let only = std::env::var("EVENKEEL_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut seen = [0; EVENTS.len()];
    for seed in only.map_or(0..SEEDS, |seed: u64| seed..seed + 1) {
        let _name = NameOnPanic(seed);
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
            world.check();
        }
        seen.iter_mut().zip(world.seen).for_each(|(sum, count)| *sum += count);
        let counts = world.table.counts();
        assert_eq!((counts.opened, counts.refused), (world.seen[0] + world.seen[1], world.seen[5]));
        assert_eq!(counts.expired, world.seen[6]);
    }
    assert!(
        only.is_some() || seen.iter().all(|count| *count > 100),
        "the simulation does not reach what it is for: {EVENTS:?} {seen:?}"
    );
}

/// The bad case: a flood of invented source addresses, while good clients go on.
#[test]
fn sim_a_flood_of_spoofed_sources_costs_no_flow_that_has_had_a_reply() {
    let limits = FlowLimits { flows: 4_000, unanswered: 1_000 };
    let mut table: ConnectionTable<u32> = ConnectionTable::new(limits, [5, 6]);
    let ends = |number: u32| Ends {
        source: SocketAddr::new(Ipv4Addr::from_bits(number).into(), 4_000),
        destination: "192.0.2.1:443".parse().unwrap(),
    };
    let opening = |number| Opening {
        protocol: Protocol::Udp,
        ends: ends(number),
        state: State::Unanswered,
        listener: ListenerNumber(0),
        idle_timeout: IdleTimeout::Ends(300_000),
        payload: number,
    };
    let good: Vec<_> =
        (0..2_000).map(|number| table.open_flow(opening(number), 1_200, 0).unwrap().id).collect();
    // Half of them are old, since only 1 000 may be without a reply at a time.
    let good = &good[1_000..];
    assert!(good.iter().all(|&id| table.reply(id, 1_200, 1).is_some()));
    let mut bytes_max = 0;
    for number in 0..200_000_u32 {
        let now = u64::from(number / 10);
        let spoofed = 0x0a00_0000 + number;
        assert_eq!(table.datagram(ends(spoofed), 40, now), Datagram::Unknown);
        table.open_flow(opening(spoofed), 40, now).unwrap();
        bytes_max = bytes_max.max(table.bytes());
        // A new client whose target answers in time keeps its flow.
        if number % 1_000 == 0 {
            let id = table.open_flow(opening(0x0b00_0000 + number), 40, now).unwrap().id;
            assert!(table.reply(id, 40, now + 5).is_some());
        }
        table.expire(now, 64, |ended| panic!("{ended:?}"));
    }
    table.check().unwrap();
    assert_eq!((table.unanswered(), table.flows()), (1_000, 2_200));
    assert!(bytes_max <= 4_000 * 160, "{bytes_max}");
    assert!(good.iter().all(|&id| table.row(id, 0).is_some_and(|row| row.state == State::Answered)));
    // What the flood has left expires.
    while table.expire(1_000_000, 500, |_| {}) {}
    assert!(table.is_empty());
    assert!(table.bytes() <= bytes_max / 4, "{} of {bytes_max}", table.bytes());
}
