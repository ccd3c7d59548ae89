//! Two nodes with a table each and one store, while targets die and come back (SP9, SP10).

use std::collections::HashMap;

use balance::Rng;
use balance::session::{Begin, SessionKey, SessionSeed, SessionShard, TargetId};

use super::*;

#[tokio::test]
async fn sessions_never_go_back_and_nodes_agree_soon() {
    let mut corrections = 0;
    for seed in 0..12 {
        let mut simulation = Simulation::new(seed, 0);
        for step in 0..1_500 {
            simulation.step(step).await;
        }
        simulation.assert_history();
        simulation.assert_agreement().await;
        corrections += simulation.corrections();
    }
    assert!(corrections > 50, "{corrections} corrections: no disagreement to resolve");
}

#[tokio::test]
async fn nodes_agree_again_when_the_store_has_lost_sessions() {
    for seed in 0..6 {
        let mut simulation = Simulation::new(seed, 200);
        for step in 0..1_500 {
            simulation.step(step).await;
        }
        simulation.assert_agreement().await;
    }
}

struct Simulation {
    seed: u64,
    random: Rng,
    time: Time,
    store: Arc<Faulty>,
    nodes: [Table; 2],
    /// Which targets are alive.
    alive: [bool; TARGETS],
    /// Every how many steps the store loses everything; 0: never.
    loses: u64,
    /// All targets that each session has had in the store.
    history: HashMap<SessionName, Vec<u64>>,
    /// Writes that are in `history`.
    noted: usize,
}

/// A node with its table, and with its own, later view of the targets.
struct Table {
    node: Node,
    marks: Marks,
    shard: SessionShard,
    /// What was told before may have changed.
    doubt: u64,
    alive: [bool; TARGETS],
    /// Where its requests went: time, session, target.
    served: Vec<(u64, SessionName, u64)>,
    /// When each session first went to a target that the store does not name.
    stale: HashMap<SessionName, u64>,
    corrections: u64,
}

impl Simulation {
    fn new(seed: u64, loses: u64) -> Self {
        let time = Time::new();
        let store = Faulty::new(&time, Fault::None);
        let table = || Table {
            node: Node::new(Arc::clone(&store) as Arc<dyn Store>, secrets(1, None), &time),
            marks: Marks::new(Arc::clone(&store) as Arc<dyn Store>, &secrets(1, None), time.clock()),
            doubt: 0,
            shard: SessionShard::new(1000, SessionSeed::new([seed, 1])),
            alive: [true; TARGETS],
            served: Vec::new(),
            stale: HashMap::new(),
            corrections: 0,
        };
        let nodes = [table(), table()];
        let (random, alive) = (Rng::new(seed), [true; TARGETS]);
        Self { seed, random, time, store, nodes, alive, loses, history: HashMap::new(), noted: 0 }
    }

    async fn step(&mut self, step: u64) {
        self.time.advance(STEP);
        if self.random.below(40) == 0 {
            let target = self.random.below(TARGETS as u64) as usize;
            self.alive[target] = !self.alive[target];
            self.alive[0] |= !self.alive.contains(&true);
        }
        if self.loses > 0 && step % self.loses == self.loses - 1 {
            self.store.clear().await.unwrap();
        }
        for at in 0..2 {
            if self.random.below(8) == 0 {
                self.nodes[at].alive = self.alive;
            }
            if self.random.below(3) > 0 {
                let name = (1, u128::from(self.random.below(SESSIONS)));
                let candidate = self.nodes[at].choose(&mut self.random);
                self.request(at, name, candidate).await;
            }
            if step % 2 == at as u64 {
                self.nodes[at].chores(self.now()).await;
            }
        }
    }

    async fn request(&mut self, at: usize, name: SessionName, candidate: u64) {
        let now = self.now();
        let target = self.nodes[at].request(name, candidate, now).await;
        self.nodes[at].served.push((now, name, target));
        if self.loses == 0 {
            self.note(at, name);
            self.assert_fresh(at, name, target);
        }
    }

    /// A session leaves only targets that are dead in the eyes of the node that moves it.
    fn note(&mut self, at: usize, name: SessionName) {
        let writes = self.store.writes.lock().unwrap()[self.noted..].to_vec();
        self.noted += writes.len();
        for (key, to, is_new) in writes {
            assert_eq!(key, store_key(&[1; 32], name.0, name.1));
            let targets = self.history.entry(name).or_default();
            let is_allowed =
                is_new || targets.last().is_some_and(|&from| !self.nodes[at].alive[from as usize]);
            assert!(is_allowed, "seed {}: {name:?} has left a living target", self.seed);
            targets.push(to);
        }
    }

    /// A node does not go on for long with a target that the store does not name.
    fn assert_fresh(&mut self, at: usize, name: SessionName, target: u64) {
        let (now, stale) = (self.now(), &mut self.nodes[at].stale);
        if self.history[&name].last() == Some(&target) {
            stale.remove(&name);
            return;
        }
        let since = *stale.entry(name).or_insert(now);
        let limit = SOON.as_millis() as u64;
        assert!(now - since <= limit, "seed {}: {name:?} is stale for {} ms", self.seed, now - since);
    }

    /// The targets that a node has used are some of those in the store, in their order.
    fn assert_history(&self) {
        for table in &self.nodes {
            let mut places = HashMap::new();
            for &(now, name, target) in &table.served {
                let (targets, place) = (&self.history[&name], places.entry(name).or_insert(0));
                let ahead = targets[*place..].iter().position(|&other| other == target);
                let Some(ahead) = ahead else {
                    panic!("seed {}: {name:?} goes back to {target} at {now}: {targets:?}", self.seed)
                };
                *place += ahead;
            }
        }
    }

    /// Without further changes both nodes agree soon.
    async fn assert_agreement(&mut self) {
        for table in &mut self.nodes {
            table.alive = self.alive;
        }
        for round in 0..2 {
            for client in 0..SESSIONS {
                for at in 0..2 {
                    let candidate = self.nodes[at].choose(&mut self.random);
                    self.request(at, (1, client.into()), candidate).await;
                }
                let [a, b] = self.nodes.each_ref().map(|table| table.served.last().unwrap().2);
                assert!(round == 0 || a == b, "seed {}: {client} is at {a} and {b}", self.seed);
            }
            for _ in 0..SOON.as_secs() {
                self.time.advance(Duration::from_secs(1));
                let now = self.now();
                for table in &mut self.nodes {
                    table.chores(now).await;
                }
            }
        }
    }

    fn corrections(&self) -> u64 {
        self.nodes.iter().map(|table| table.corrections).sum()
    }

    fn now(&self) -> u64 {
        (self.time.clock())()
    }
}

impl Table {
    /// Where a request goes, as a worker decides it.
    async fn request(&mut self, name: SessionName, candidate: u64, now: u64) -> u64 {
        let key = SessionKey { scope: name.0, client: name.1 };
        let (mut target, hold) = match self.shard.begin(key, TIMEOUT_MS, now) {
            Begin::Known(known) => (known.target.0, known.hold),
            Begin::Absent => {
                let Answer::Here { target, .. } = self.ask(|c| c.claim(name, candidate, LIVES)).await else {
                    panic!("no answer")
                };
                let assigned = self.shard.assign(key, TargetId(target), TIMEOUT_MS, now);
                self.shard.mark_synced(key, now);
                (target, assigned.hold.unwrap())
            }
        };
        while !self.alive[target as usize] {
            let answer = self.ask(|client| client.move_to(name, target, candidate, LIVES)).await;
            let Answer::Here { target: winner, .. } = answer else { panic!("no answer") };
            self.shard.reassign(key, TargetId(target), TargetId(winner));
            target = winner;
        }
        self.shard.end(key, hold, now);
        target
    }

    async fn ask(
        &self,
        request: impl FnOnce(&SessionClient) -> tokio::sync::oneshot::Receiver<Answer>,
    ) -> Answer {
        request(&self.node.client).await.unwrap()
    }

    /// What a node does each second beside its requests.
    async fn chores(&mut self, now: u64) {
        if self.marks.look(self.node.client.changes()).await.unwrap() {
            self.doubt = now + 1;
        }
        let due = self.shard.take_touches(now, self.doubt, 1000);
        let batch = due.iter().map(|touch| Touched {
            name: (touch.key.scope, touch.key.client),
            target: touch.target.0,
            lifetime: Duration::from_millis(touch.remaining_ms) + LONGER,
        });
        self.node.client.touch(batch.collect());
        // Each of the few sessions takes a read and a write, and each of these four turns at most.
        turn(200).await;
        for (scope, client) in self.node.heard.take_kept() {
            self.shard.mark_synced(SessionKey { scope, client }, now);
        }
        for event in self.node.heard.take() {
            let Event::Correct(name, from, to) = event else { panic!("{event:?}") };
            let key = SessionKey { scope: name.0, client: name.1 };
            self.shard.reassign(key, TargetId(from), TargetId(to));
            self.corrections += 1;
        }
    }

    fn choose(&self, random: &mut Rng) -> u64 {
        let alive: Vec<u64> = (0..TARGETS as u64).filter(|&target| self.alive[target as usize]).collect();
        alive[random.below(alive.len() as u64) as usize]
    }
}

const TARGETS: usize = 4;
const SESSIONS: u64 = 12;
const STEP: Duration = Duration::from_millis(500);
/// A second until a node tells of its changes, another one until the other node looks, four until it may touch again, one
/// until it does, and one for what had just been told.
const SOON: Duration = Duration::from_secs(8);
/// So long that the nodes would touch their sessions every 64 seconds.
const TIMEOUT_MS: u64 = 1_200_000;
/// A life in the store is longer than one in a table by the time that a touch may come late.
const LONGER: Duration = Duration::from_secs(66);
const LIVES: Duration = Duration::from_millis(TIMEOUT_MS + 66_000);
