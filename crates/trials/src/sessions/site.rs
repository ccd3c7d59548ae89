//! Shops and the load balancers in front of them.

use std::net::SocketAddr;

use xtask::Outcome;

use super::app::{App, Handler, Shop};
use super::crowd::Crowd;
use super::front::{Front, Plan};
use super::mechanism::Mechanism;
use super::stage::Stage;
use super::stores::Store;
use super::tally::Tally;

#[derive(Debug)]
pub(crate) struct Site {
    // invariant: dropped first, so that no load balancer sees its targets go.
    pub(crate) fronts: Vec<Front>,
    pub(crate) shops: Vec<Shop>,
    pub(crate) plan: Plan,
}

impl Site {
    /// Three shops, with this many load balancers in front.
    pub(crate) fn start(stage: &Stage, app: App, mechanism: Mechanism, fronts: usize) -> Outcome<Self> {
        Self::start_with(stage, app, &Handler::Local, fronts, |targets| Plan::new(mechanism, targets))
    }

    /// The same, with a store.
    pub(crate) fn start_on(
        stage: &Stage,
        app: App,
        mechanism: Mechanism,
        fronts: usize,
        store: &Store,
    ) -> Outcome<Self> {
        Self::start_with(stage, app, &Handler::Local, fronts, |targets| {
            let mut plan = Plan::new(mechanism, targets);
            plan.store = Some(STORE);
            plan.tables = store.table(STORE, &stage.keys.path());
            plan
        })
    }

    pub(crate) fn start_with(
        stage: &Stage,
        app: App,
        handler: &Handler,
        fronts: usize,
        plan: impl FnOnce(Vec<SocketAddr>) -> Plan,
    ) -> Outcome<Self> {
        let shops: Vec<_> = ["a", "b", "c"]
            .into_iter()
            .map(|name| Shop::start(app, name, handler.clone(), &stage.software))
            .collect::<Outcome<_>>()?;
        let plan = plan(shops.iter().map(Shop::address).collect());
        let fronts =
            (0..fronts).map(|_| stage.program.start(&plan, &stage.keys)).collect::<Outcome<Vec<_>>>()?;
        Ok(Self { fronts, shops, plan })
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.fronts.iter().map(|front| front.address).collect()
    }

    /// Lets a new crowd fill its carts.
    pub(crate) fn shop(&self, users: usize, visit: usize) -> Tally {
        Crowd::new(users, visit).run(&self.addresses(), CART)
    }
}

/// Fails unless no user saw an error.
pub(crate) fn clean(tally: &Tally) -> Outcome<String> {
    if tally.errors() == 0 && tally.given_up == 0 && tally.requests > 0 {
        Ok(tally.to_string())
    } else {
        Err(tally.to_string())
    }
}

/// Fails unless connections alone have ended.
pub(crate) fn nothing_lost(tally: &Tally) -> Outcome<String> {
    let failed = tally.failed_by_front + tally.failed_by_app + tally.given_up;
    if tally.losses.is_empty() && failed == 0 && tally.requests > 0 {
        Ok(tally.to_string())
    } else {
        Err(tally.to_string())
    }
}

pub(crate) const STORE: &str = "shared";
/// Items of a full cart.
pub(crate) const CART: usize = 20;
