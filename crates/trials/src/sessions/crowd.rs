//! Many users at once, and an event in the middle of them.

use std::net::SocketAddr;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use xtask::Outcome;

use super::tally::Tally;
use super::user::{Manner, User};

#[derive(Debug)]
pub(crate) struct Crowd {
    pub(crate) users: Vec<User>,
    /// Requests on a connection.
    visit: usize,
    gate: RwLock<()>,
}

impl Crowd {
    pub(crate) fn new(users: usize, visit: usize) -> Self {
        Self { users: (0..users).map(User::new).collect(), visit, gate: RwLock::new(()) }
    }

    /// Lets all users go on until their carts have `goal` items.
    pub(crate) fn run(&mut self, fronts: &[SocketAddr], goal: usize) -> Tally {
        self.run_with(fronts, goal, || Ok(())).0
    }

    /// The same. `event` happens when half of the requests are made, while none is in flight.
    pub(crate) fn run_with(
        &mut self,
        fronts: &[SocketAddr],
        goal: usize,
        event: impl FnOnce() -> Outcome,
    ) -> (Tally, Outcome) {
        let manner = Manner { fronts, visit: self.visit, goal, gate: &self.gate };
        let visits = AtomicU64::new(0);
        let half = (self.users.len() * goal / (2 * self.visit)) as u64;
        let share = self.users.len().div_ceil(THREADS).max(1);
        let outcome = std::thread::scope(|scope| {
            let threads: Vec<_> = self
                .users
                .chunks_mut(share)
                .map(|users| {
                    let visits = &visits;
                    scope.spawn(move || rounds(users, manner, visits))
                })
                .collect();
            while visits.load(Ordering::Relaxed) < half && threads.iter().any(|one| !one.is_finished()) {
                std::thread::sleep(POLL);
            }
            let quiet = manner.gate.write();
            let outcome = event();
            drop(quiet);
            outcome
        });
        (self.tally(), outcome)
    }

    /// What happened since the last call.
    fn tally(&mut self) -> Tally {
        let mut sum = Tally::default();
        for user in &mut self.users {
            sum.given_up += u64::from(user.has_given_up());
            sum.add(std::mem::take(&mut user.tally));
        }
        sum
    }

    /// How many users are at each server.
    pub(crate) fn homes(&self) -> Vec<(String, usize)> {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for home in self.users.iter().filter_map(User::home) {
            match counts.iter_mut().find(|(name, _)| name == home) {
                Some((_, count)) => *count += 1,
                None => counts.push((home.to_owned(), 1)),
            }
        }
        counts.sort();
        counts
    }
}

/// All users of a thread take turns, so that their sessions are open at the same time.
fn rounds(users: &mut [User], manner: Manner<'_>, visits: &AtomicU64) {
    let mut is_over = false;
    while !is_over {
        is_over = true;
        for user in users.iter_mut() {
            if user.next(manner.goal).is_some() {
                is_over &= !user.visit(manner);
                visits.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

const THREADS: usize = 16;
const POLL: Duration = Duration::from_millis(2);
