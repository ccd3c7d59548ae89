//! A shard of the session table against a model of it, from seeds (SP1). `EVENKEEL_SEED=n` replays one seed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::Write;

use balance::Rng;
use balance::session::{
    Assigned, Begin, Hold, InStore, Pace, SessionKey, SessionSeed, SessionShard, TargetId,
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

/// A session as a reader of the requirement would write it down.
#[derive(Debug, Clone)]
struct Session {
    target: TargetId,
    /// Numbers of the requests that are open.
    open: Vec<u64>,
    last: u64,
    timeout: u64,
    in_store: InStore,
    /// The interval between two touches, since it was told.
    pace: u64,
}

impl Session {
    fn is_live(&self, timeout: u64, now: u64) -> bool {
        !self.open.is_empty() || now - self.last < timeout
    }
}

struct World {
    random: Rng,
    now: u64,
    capacity: usize,
    shard: SessionShard,
    model: BTreeMap<SessionKey, Session>,
    /// Requests in flight; those whose session is gone have a hold that must do nothing.
    requests: Vec<(u64, SessionKey, Hold)>,
    next: u64,
    seen: [u64; EVENTS.len()],
}

const EVENTS: [&str; 8] =
    ["known", "created", "expired", "evicted", "full", "moved", "touched", "held over its timeout"];
const STEPS: usize = 1_500;
const SEEDS: u64 = 60;
const SHORTEST: u64 = Pace::SHORTEST.interval_ms();

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Rng::new(seed);
        let capacity = 1 + random.below(90);
        let keys = [random.next_u64(), random.next_u64()];
        Self {
            shard: SessionShard::new(capacity as u32, SessionSeed::new(keys)),
            capacity: capacity as usize,
            now: random.below(1_000),
            model: BTreeMap::new(),
            requests: Vec::new(),
            next: 0,
            seen: [0; EVENTS.len()],
            random,
        }
    }

    fn key(&mut self) -> SessionKey {
        let client = self.random.below(2 + 2 * self.capacity as u64).into();
        SessionKey { scope: self.random.below(3), client }
    }

    fn target(&mut self) -> TargetId {
        TargetId(self.random.below(4))
    }

    fn count(&mut self, event: &str) {
        self.seen[EVENTS.iter().position(|name| *name == event).unwrap()] += 1;
    }

    fn step(&mut self) {
        self.now += 2_000 * self.random.below(4) * self.random.below(12);
        match self.random.below(20) {
            0..9 => self.request(),
            9..15 => self.end(),
            15 => self.remove(),
            16 => self.reassign(),
            17 => self.sync(),
            18 => self.touch(),
            _ => self.sweep_or_move(),
        }
    }

    /// A request as the data plane makes it: begin, and assign where there was nothing.
    fn request(&mut self) {
        let (key, candidate) = (self.key(), self.target());
        // A timeout belongs to the scope.
        let timeout = 60_000 * (1 + key.scope);
        let now = self.now;
        let known = self.model.get(&key).filter(|session| session.is_live(timeout, now)).cloned();
        let begun = self.shard.begin(key, timeout, now);
        self.next += 1;
        if let Some(session) = known {
            let Begin::Known(found) = begun else { panic!("lost {key:?} {session:?}") };
            assert_eq!((found.target, found.in_store), (session.target, session.in_store));
            self.join(key, timeout, found.hold);
            self.count("known");
            if now - session.last >= timeout {
                self.count("held over its timeout");
            }
            return;
        }
        assert_eq!(begun, Begin::Absent, "{key:?}");
        if self.model.remove(&key).is_some() {
            self.count("expired");
        }
        self.assign(key, candidate, timeout);
    }

    fn assign(&mut self, key: SessionKey, candidate: TargetId, timeout: u64) {
        let assigned = self.shard.assign(key, candidate, timeout, self.now);
        assert_eq!(assigned.target, candidate);
        let evicted = self.make_room();
        let is_full = self.model.len() == self.capacity;
        if is_full {
            assert!(self.model.values().all(|session| !session.open.is_empty()), "there was room");
            assert_eq!((assigned.hold, assigned.is_new), (None, false));
            return self.count("full");
        }
        let Assigned { is_new, .. } = assigned;
        assert_eq!((is_new, assigned.evicted), (true, evicted));
        let session = Session {
            target: candidate,
            open: Vec::new(),
            last: self.now,
            timeout,
            in_store: InStore::Unknown,
            pace: SHORTEST,
        };
        self.model.insert(key, session);
        self.join(key, timeout, assigned.hold.unwrap());
        self.count("created");
    }

    /// Finds out which sessions have gone for a new one, and whether they may: up to three that have expired, and a live one
    /// only if the shard was still full. Returns whether one was evicted.
    fn make_room(&mut self) -> bool {
        // At this time none has expired.
        let is_gone = |key: &&SessionKey| self.shard.peek(**key, 0).is_none();
        let gone: Vec<_> = self.model.keys().filter(is_gone).copied().collect();
        let evicted = (self.shard.counts().evicted - self.seen[3]) as usize;
        let expired = gone.len() - evicted;
        assert!(evicted <= 1 && evicted + expired <= 3, "{gone:?}");
        assert!(evicted == 0 || self.model.len() - expired == self.capacity, "there was room");
        let gone: Vec<_> = gone.iter().map(|key| self.model.remove(key).unwrap()).collect();
        assert!(gone.iter().all(|session| session.open.is_empty()), "one has an open request: {gone:?}");
        let live = gone.iter().filter(|session| session.is_live(session.timeout, self.now)).count();
        assert!(live <= evicted, "it has not expired: {gone:?}");
        self.seen[2] += expired as u64;
        self.seen[3] += evicted as u64;
        evicted == 1
    }

    fn join(&mut self, key: SessionKey, timeout: u64, hold: Hold) {
        let session = self.model.get_mut(&key).unwrap();
        session.open.push(self.next);
        session.timeout = timeout;
        self.requests.push((self.next, key, hold));
    }

    fn end(&mut self) {
        if self.requests.is_empty() {
            return;
        }
        let at = self.random.below(self.requests.len() as u64) as usize;
        let (number, key, hold) = self.requests.swap_remove(at);
        self.shard.end(key, hold, self.now);
        self.next += 1;
        if let Some(session) = self.model.get_mut(&key).filter(|session| session.open.contains(&number)) {
            session.open.retain(|open| *open != number);
            session.last = self.now;
        }
    }

    fn remove(&mut self) {
        let key = self.key();
        let expected = self.model.remove(&key).map(|session| session.target);
        assert_eq!(self.shard.remove(key), expected);
    }

    fn reassign(&mut self) {
        let (key, from, to) = (self.key(), self.target(), self.target());
        let expected = self.model.get_mut(&key).map(|session| {
            if session.target == from {
                session.target = to;
            }
            session.target
        });
        assert_eq!(self.shard.reassign(key, from, to), expected);
        if expected == Some(to) {
            self.count("moved");
        }
    }

    fn sync(&mut self) {
        let key = self.key();
        let is_owed = self.random.below(4) == 0;
        match is_owed {
            true => self.shard.mark_owed(key, self.now),
            false => self.shard.mark_synced(key, self.now),
        }
        if let Some(session) = self.model.get_mut(&key) {
            session.in_store = if is_owed { InStore::Owed(self.now) } else { InStore::Synced(self.now) };
            session.pace = Pace::of(session.timeout).interval_ms();
        }
    }

    fn touch(&mut self) {
        let doubt = self.now.saturating_sub(self.random.below(3) * 2 * SHORTEST);
        let touches = self.shard.take_touches(self.now, doubt, usize::MAX);
        let mut touched: Vec<_> =
            touches.iter().map(|touch| (touch.key, touch.target, touch.remaining_ms)).collect();
        touched.sort_unstable();
        let mut expected = Vec::new();
        for (key, session) in &mut self.model {
            let (told, is_owed, pace) = match session.in_store {
                InStore::Unknown => continue,
                InStore::Owed(at) => (at, true, SHORTEST),
                InStore::Synced(at) => (at, false, session.pace),
            };
            let pace = if told < doubt { SHORTEST } else { pace };
            let is_due = is_owed || !session.open.is_empty() || session.last > told;
            if self.now - told >= pace && is_due && session.is_live(session.timeout, self.now) {
                let idle = if session.open.is_empty() { self.now - session.last } else { 0 };
                expected.push((*key, session.target, session.timeout - idle));
                session.in_store = InStore::Owed(self.now);
            }
        }
        assert_eq!(touched, expected);
        self.seen[6] += expected.len() as u64;
    }

    fn sweep_or_move(&mut self) {
        let now = self.now;
        if self.random.below(2) == 0 {
            // The first call may end a walk that an earlier one began.
            self.shard.sweep(now, u32::MAX);
            self.shard.sweep(now, u32::MAX);
            self.model.retain(|_, session| session.is_live(session.timeout, now));
        } else {
            let from = self.target();
            let to = Some(self.target()).filter(|to| to.0 > 0);
            let walked = self.shard.move_target(from, to, None, u32::MAX);
            let of_it = self.model.values().filter(|session| session.target == from).count();
            assert_eq!((walked.changed as usize, walked.next), (of_it, None));
            match to {
                Some(to) => self
                    .model
                    .values_mut()
                    .filter(|session| session.target == from)
                    .for_each(|session| session.target = to),
                None => self.model.retain(|_, session| session.target != from),
            }
        }
    }

    fn check(&self) {
        self.shard.check().unwrap();
        assert_eq!(self.shard.len(), self.model.len());
        let rows = self.shard.rows(None, u32::MAX, self.now).rows;
        let live = |session: &&Session| session.is_live(session.timeout, self.now);
        assert_eq!(rows.len(), self.model.values().filter(live).count());
        for row in rows {
            let session = &self.model[&row.key];
            assert_eq!(
                (row.target, row.open as usize, row.last, row.timeout_ms, row.in_store),
                (session.target, session.open.len(), session.last, session.timeout, session.in_store)
            );
        }
    }
}

#[test]
fn sim_a_shard_does_what_its_model_does() {
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
        let counts = world.shard.counts();
        assert_eq!(
            (counts.created, counts.evicted, counts.full),
            (world.seen[1], world.seen[3], world.seen[4])
        );
    }
    assert!(
        only.is_some() || seen.iter().all(|count| *count > 100),
        "the simulation does not reach what it is for: {EVENTS:?} {seen:?}"
    );
}

/// The bad case: a hundred thousand source addresses that come once each, while good clients come back.
#[test]
fn sim_spoofed_addresses_take_bounded_memory_and_no_open_session() {
    let mut shard = SessionShard::new(4_000, SessionSeed::new([5, 6]));
    let key = |client: u32| SessionKey { scope: 1, client: client.into() };
    let good = TargetId(1);
    let holds: Vec<_> =
        (0..100).map(|client| (client, shard.assign(key(client), good, 60_000, 0).hold)).collect();
    for client in 100..200 {
        let hold = shard.assign(key(client), good, 60_000, 0).hold.unwrap();
        shard.end(key(client), hold, 0);
    }
    let mut bytes_max = 0;
    for number in 0..100_000_u32 {
        let (spoofed, now) = (key(1_000 + number), u64::from(number / 10));
        let assigned = shard.assign(spoofed, TargetId(2), 60_000, now);
        shard.end(spoofed, assigned.hold.unwrap(), now);
        bytes_max = bytes_max.max(shard.bytes());
        // A client that comes back before the whole shard has turned over keeps its session.
        if number % 20 == 0 {
            let client = 100 + number / 20 % 100;
            let Begin::Known(known) = shard.begin(key(client), 60_000, now) else { panic!("lost {client}") };
            assert_eq!(known.target, good);
            shard.end(key(client), known.hold, now);
        }
    }
    shard.check().unwrap();
    assert_eq!((shard.len(), shard.counts().full), (4_000, 0));
    assert_eq!(shard.counts().evicted, 100_200 - 4_000);
    assert!(bytes_max <= 4_000 * 128, "{bytes_max}");
    assert!(
        holds.iter().all(|(client, _)| shard.peek(key(*client), 10_000).is_some_and(|row| row.open == 1))
    );
    while shard.sweep(1_000_000, 500) > 0 {}
    assert_eq!(shard.len(), 100);
    assert!(shard.bytes() <= bytes_max / 4, "{} of {bytes_max}", shard.bytes());
}
