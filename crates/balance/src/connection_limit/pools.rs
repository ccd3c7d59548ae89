//! The pools that one connection needs permits from.

use super::board::IdleBoard;
use super::cells::Cells;
use super::pool::PermitPool;
use super::scope::{Scope, Wakes};

/// The pools of one listener, by [`Scope`].
#[derive(Debug)]
pub struct Pools<'a, C: Cells>(pub [&'a PermitPool<C>; 3]);

/// A limit is reached.
#[derive(Debug, PartialEq, Eq)]
pub struct Full {
    pub scope: Scope,
    pub wakes: Wakes,
}

impl<C: Cells> Pools<'_, C> {
    pub(super) fn of(&self, scope: Scope) -> &PermitPool<C> {
        self.0[scope as usize]
    }

    /// Takes a permit of the listener, of its load balancer and of the process.
    pub fn take(&self) -> Result<(), Full> {
        // In this order: a permit of the listener that is given back at once cannot be missed by another listener.
        for (taken, scope) in Scope::ALL.into_iter().enumerate() {
            if !self.of(scope).take() {
                return Err(Full { scope, wakes: self.give_back_first(taken) });
            }
        }
        Ok(())
    }

    /// Gives all permits back.
    pub(super) fn give_back(&self) -> Wakes {
        self.give_back_first(Scope::ALL.len())
    }

    /// Gives back the permits of the first scopes.
    fn give_back_first(&self, count: usize) -> Wakes {
        let mut wakes = Wakes::default();
        // In the opposite order to `take`. Otherwise an accept between two steps finds a permit of the listener and none
        // of the load balancer, and has a connection of another listener evicted.
        for scope in Scope::ALL.into_iter().take(count).rev() {
            self.give_back_to(scope, &mut wakes);
        }
        wakes
    }

    fn give_back_to(&self, scope: Scope, wakes: &mut Wakes) {
        if self.of(scope).give_back() {
            wakes.add(scope);
        }
    }

    /// The limit for which a connection must close after the response that is about to go, if it must.
    pub(super) fn announce_close(&self) -> Option<Scope> {
        Scope::WAITS.into_iter().find(|&scope| self.of(scope).announce_close())
    }

    /// Wakes accepts of both limits if one is blocked.
    pub(super) fn wakes_of_blocked(&self) -> Wakes {
        let is_blocked = Scope::WAITS.into_iter().any(|scope| self.of(scope).is_blocked());
        let mut wakes = Wakes::default();
        Scope::WAITS.into_iter().filter(|_| is_blocked).for_each(|scope| wakes.add(scope));
        wakes
    }

    /// Answers the evictions that are requested of a worker that has no idle connection.
    pub fn decline(&self, board: &IdleBoard<C>, worker: usize) -> Wakes {
        let mut wakes = Wakes::default();
        for scope in Scope::ALL {
            for _ in 0..board.take_requests(worker, scope) {
                self.of(scope).eviction_done();
                wakes.add(scope);
            }
        }
        wakes
    }
}
