//! An attempt in flight: what the steps from `forward` to `relay` work on.

use std::cell::Cell;
use std::rc::Rc;

use net::{Buffer, Sys, Ticks};

use super::exchange::Exchange;
use crate::failed::Failed;
use crate::relay::End;
use crate::target::{LocalGroup, LocalTarget, TargetConnection};

/// Where an attempt goes.
pub(super) struct Destination<'a, S: Sys> {
    pub(super) group: &'a LocalGroup<S>,
    pub(super) target: &'a Rc<LocalTarget<S>>,
    /// The index of the rule in the listener's plan.
    pub(super) rule: usize,
}

impl<S: Sys> Clone for Destination<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Sys> Copy for Destination<'_, S> {}

/// An exchange on the connection that carries it.
pub(super) struct Attempt<'a, 'c, S: Sys> {
    pub(super) exchange: &'a mut Exchange<'c, S>,
    pub(super) to: Destination<'a, S>,
    pub(super) connection: &'a TargetConnection<S>,
    /// See [`End::with_limit`].
    // invariant: it ends with the attempt. In the connection it would limit the next request that reuses it.
    pub(super) reads_until: &'a Cell<Ticks>,
}

impl<'a, S: Sys> Attempt<'a, '_, S> {
    /// The target's side of the exchange.
    pub(super) fn end(&self) -> End<'a, S> {
        End::with_limit(&self.connection.stream, self.reads_until)
    }
}

/// How an attempt ended, seen from the target's connection.
pub(super) enum Ended {
    /// The connection can take another request.
    Reusable,
    Closed,
    /// The client went away, and the target was given time to complete its response.
    Aborted {
        failed: Failed,
        is_reusable: bool,
    },
    /// It is a tunnel now; these bytes came behind the 101.
    Tunnel {
        from_target: Buffer,
    },
}
