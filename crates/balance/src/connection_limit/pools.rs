//! The pools that one connection needs permits from.

use super::cells::Cells;
use super::pool::PermitPool;

/// What a limit applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Listener,
    LoadBalancer,
    /// The process has no limit of its own; connections are evicted in its name when file descriptors run short.
    Process,
}

impl Scope {
    pub const ALL: [Self; 3] = [Self::Listener, Self::LoadBalancer, Self::Process];
    /// Those from which a connection needs a permit.
    const LIMITED: [Self; 2] = [Self::Listener, Self::LoadBalancer];
}

/// The pools in which all waiting accepts must be woken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Wakes([bool; 3]);

impl Wakes {
    pub(super) fn of(scope: Scope) -> Self {
        let mut wakes = Self::default();
        wakes.add(scope);
        wakes
    }

    pub(super) fn add(&mut self, scope: Scope) {
        self.0[scope as usize] = true;
    }

    pub fn scopes(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |&scope| self.0[scope as usize])
    }
}

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

    /// Takes a permit of the listener and one of its load balancer.
    pub fn take(&self) -> Result<(), Full> {
        // In this order: a permit of the listener that is given back at once cannot be missed by another listener.
        if !self.of(Scope::Listener).take() {
            return Err(Full { scope: Scope::Listener, wakes: Wakes::default() });
        }
        if !self.of(Scope::LoadBalancer).take() {
            let mut wakes = Wakes::default();
            self.give_back_to(Scope::Listener, &mut wakes);
            return Err(Full { scope: Scope::LoadBalancer, wakes });
        }
        Ok(())
    }

    /// Gives both permits back.
    pub(super) fn give_back(&self) -> Wakes {
        let mut wakes = Wakes::default();
        // In the opposite order to `take`. Otherwise an accept between the two steps finds a permit of the listener and
        // none of the load balancer, and has a connection of another listener evicted.
        self.give_back_to(Scope::LoadBalancer, &mut wakes);
        self.give_back_to(Scope::Listener, &mut wakes);
        wakes
    }

    fn give_back_to(&self, scope: Scope, wakes: &mut Wakes) {
        if self.of(scope).give_back() {
            wakes.add(scope);
        }
    }

    /// The limit for which a connection must close after the response that is about to go, if it must.
    pub(super) fn announce_close(&self) -> Option<Scope> {
        Scope::LIMITED.into_iter().find(|&scope| self.of(scope).announce_close())
    }

    /// Wakes accepts of both limits if one is blocked.
    pub(super) fn wakes_of_blocked(&self) -> Wakes {
        let is_blocked = Scope::LIMITED.into_iter().any(|scope| self.of(scope).is_blocked());
        Wakes([is_blocked, is_blocked, false])
    }
}
