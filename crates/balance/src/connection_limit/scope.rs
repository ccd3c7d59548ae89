//! What limits apply to, and where accepts must be woken.

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
    pub(super) const LIMITED: [Self; 2] = [Self::Listener, Self::LoadBalancer];
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
