//! A worker's own part of a snapshot: cursors, idle connections, log buffers. Nothing here is shared with other workers,
//! so nothing here is locked.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll};

use balance::{RuleTable, SmoothWeighted};
use model::{ListenerName, TargetGroupName};
use net::{Listener, ListenerSocket, Sys};
use observe::{ListenerCells, LogBuffer};

use crate::connection::idle_connections::IdleConnections;
use crate::connection::waiters::{Waiter, Waiters};
use crate::decide::choose_group;
use crate::live::RuleLive;
use crate::persist::PersistencePlan;
use crate::snapshot::{ActionPlan, GroupPlan, ListenerPlan, RulePlan, Snapshot};
use crate::target::{LocalGroup, LocalTarget};

/// One worker's part of one generation.
pub(crate) struct Local<S: Sys> {
    pub(crate) listeners: Vec<Rc<LocalListener<S>>>,
    /// Of these listeners, and of former listeners that still have connections or empty their accept queues.
    idle_connections: Vec<Weak<IdleConnections>>,
    groups: HashMap<TargetGroupName, Rc<LocalGroup<S>>>,
}

pub(crate) struct LocalListener<S: Sys> {
    pub(crate) plan: Arc<ListenerPlan>,
    /// A clone of the plan's table, because threads that share a regex contend for its cache. Table and turns are kept as
    /// long as the plan's rules are kept.
    pub(crate) table: Rc<RuleTable>,
    pub(crate) log: Option<RefCell<LogBuffer>>,
    /// In the order of [`ListenerPlan::groups`].
    groups: Vec<Rc<LocalGroup<S>>>,
    /// For each rule, the cursor over its groups.
    turns: Rc<[RefCell<SmoothWeighted>]>,
    pub(crate) idle_connections: Rc<IdleConnections>,
    worker: usize,
}

/// An address with a listener socket, and the listener that is configured for it now.
pub(crate) struct BoundListener<S: Sys> {
    pub(crate) address: SocketAddr,
    pub(crate) listener: RefCell<Rc<LocalListener<S>>>,
    /// The listener sockets, each of which an accept task owns. More than one if the process before had more workers.
    sockets: RefCell<Vec<Weak<Listener<S>>>>,
    /// No longer configured, or the balancer stops: connections close after the response in flight.
    pub(crate) closing: Cell<bool>,
    pub(crate) accepting: Cell<Accepting>,
    /// Tasks that wait for it to close: the accept tasks, and tunnels that end with it.
    pub(crate) waiters: Waiters,
}

/// Which connections a bound listener accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepting {
    Yes,
    /// Those that are in the accept queues; then the sockets close.
    Queued,
    /// None: another process has the sockets, and accepts what is in the queues.
    No,
}

impl<S: Sys> Local<S> {
    /// Builds the worker's part of `snapshot`. Keeps each listener and group of `previous` if its plan is the same, and the
    /// idle connections of all targets that are in both.
    pub(crate) fn new(snapshot: &Snapshot, worker: usize, previous: Option<&Self>) -> Self {
        let known = |name: &TargetGroupName| previous.and_then(|previous| previous.groups.get(name));
        let group = |plan: &Arc<GroupPlan>| {
            let name = &plan.group.name;
            (name.clone(), LocalGroup::new(plan, worker, known(name)))
        };
        let groups: HashMap<_, _> = snapshot.groups.iter().map(group).collect();
        if let Some(previous) = previous {
            previous.groups.iter().for_each(|(name, group)| {
                group.retire_targets(groups.get(name).map(|next| &**next));
            });
        }
        let mut idle_connections = previous.map(|p| p.idle_connections.clone()).unwrap_or_default();
        idle_connections.retain(|one| one.strong_count() > 0);
        let listener = |plan: &Arc<ListenerPlan>| {
            let idle_connections = idle_connections_of(plan, &mut idle_connections, worker);
            // invariant: every group that a config names exists, so indices in the plan are indices here.
            let groups = plan.groups.iter().filter_map(|name| groups.get(name)).map(Rc::clone).collect();
            let previous = previous.and_then(|previous| previous.listener(&plan.name));
            LocalListener::new(plan, groups, idle_connections, worker, previous)
        };
        Self { listeners: snapshot.listeners.iter().map(listener).collect(), idle_connections, groups }
    }

    /// Since when the target connection that has been idle longest is idle.
    pub(crate) fn coldest_since(&self) -> Option<u64> {
        self.targets().filter_map(|target| target.coldest_since()).min()
    }

    /// Closes the target connection that has been idle longest. False if none is idle.
    pub(crate) fn close_coldest(&self) -> bool {
        let since = |target: &&Rc<LocalTarget<S>>| target.coldest_since().unwrap_or(u64::MAX);
        self.targets().min_by_key(since).is_some_and(|target| target.close_coldest())
    }

    pub(crate) fn listener(&self, name: &ListenerName) -> Option<&Rc<LocalListener<S>>> {
        self.listeners.iter().find(|listener| listener.plan.name == *name)
    }

    #[cfg(test)]
    pub(crate) fn group(&self, name: &str) -> &Rc<LocalGroup<S>> {
        &self.groups[&TargetGroupName::new(name)]
    }

    pub(crate) fn idle_connections(&self) -> impl Iterator<Item = Rc<IdleConnections>> {
        self.idle_connections.iter().filter_map(Weak::upgrade)
    }

    pub(crate) fn targets(&self) -> impl Iterator<Item = &Rc<LocalTarget<S>>> {
        self.groups.values().flat_map(|group| &group.targets)
    }
}

impl<S: Sys> LocalListener<S> {
    /// Returns `previous`, the listener with this name, if its plan and its groups are the same. Otherwise keeps its table
    /// and turns if its rules are the same.
    fn new(
        plan: &Arc<ListenerPlan>,
        groups: Vec<Rc<LocalGroup<S>>>,
        idle_connections: Rc<IdleConnections>,
        worker: usize,
        previous: Option<&Rc<Self>>,
    ) -> Rc<Self> {
        let has_groups = |of: &Self| {
            of.groups.len() == groups.len() && of.groups.iter().zip(&groups).all(|(a, b)| Rc::ptr_eq(a, b))
        };
        if let Some(same) = previous.filter(|of| Arc::ptr_eq(&of.plan, plan) && has_groups(of)) {
            return Rc::clone(same);
        }
        let (table, turns) = match previous.filter(|of| Arc::ptr_eq(&of.plan.rules, &plan.rules)) {
            Some(previous) => (Rc::clone(&previous.table), Rc::clone(&previous.turns)),
            None => (
                Rc::new(RuleTable::clone(&plan.table)),
                plan.rules.iter().map(|rule| turns(rule, worker)).collect(),
            ),
        };
        let log = plan.log.as_ref().map(|handle| RefCell::new(handle.buffer()));
        Rc::new(Self { plan: Arc::clone(plan), table, log, groups, turns, idle_connections, worker })
    }

    pub(crate) fn cells(&self) -> &ListenerCells {
        self.plan.cells.of(self.worker)
    }

    /// Chooses the next group of this rule by weight. Also returns its index in the plan's groups.
    pub(crate) fn next_group(&self, rule: usize) -> Option<(usize, &LocalGroup<S>)> {
        let action = &self.plan.rules.get(rule)?.action;
        let group = choose_group(action, &mut self.turns.get(rule)?.borrow_mut())?;
        Some((group, self.groups.get(group).map(|group| &**group)?))
    }

    /// The groups of this rule, each with its index in the plan's groups.
    pub(crate) fn groups_of(&self, rule: usize) -> impl Iterator<Item = (usize, &LocalGroup<S>)> {
        let groups = match self.plan.rules.get(rule).map(|plan| &plan.action) {
            Some(ActionPlan::Forward { groups, .. }) => groups.as_slice(),
            _ => &[],
        };
        groups.iter().filter_map(|&index| Some((index, &**self.groups.get(index)?)))
    }

    /// How sessions of this rule find their targets in this group.
    pub(crate) fn persistence<'p>(
        &'p self,
        rule: usize,
        group: &'p LocalGroup<S>,
    ) -> Option<&'p Arc<PersistencePlan>> {
        let of_rule = self.plan.rules.get(rule).and_then(|plan| plan.persistence.as_ref());
        of_rule.or(group.plan.persistence.as_ref())
    }

    /// The count of this rule's tunnels, and their limit. `None`: the rule does not forward.
    pub(crate) fn tunnels(&self, rule: usize) -> Option<(&Arc<RuleLive>, Option<u32>)> {
        let plan = self.plan.rules.get(rule)?;
        plan.live.as_ref().map(|live| (live, plan.websocket.max_connections))
    }

    pub(crate) fn group_name(&self, index: usize) -> Option<&TargetGroupName> {
        self.plan.groups.get(index)
    }
}

impl<S: Sys> BoundListener<S> {
    pub(crate) fn new(address: SocketAddr, listener: Rc<LocalListener<S>>) -> Self {
        Self {
            address,
            listener: RefCell::new(listener),
            sockets: RefCell::default(),
            closing: Cell::new(false),
            accepting: Cell::new(Accepting::Yes),
            waiters: Waiters::default(),
        }
    }

    /// Adopts the listener of the next generation. Connections use it from their next request on; new connections get its
    /// TCP keepalive.
    pub(crate) fn adopt(&self, listener: &Rc<LocalListener<S>>) {
        let old = self.listener.replace(Rc::clone(listener));
        let keepalive = listener.plan.tcp_keepalive;
        if old.plan.tcp_keepalive == keepalive {
            return;
        }
        for socket in self.sockets.borrow().iter().filter_map(Weak::upgrade) {
            if let Err(error) = socket.set_keepalive(keepalive) {
                observe::event(observe::Event::KeepaliveNotSet, &[("error", &error)]);
            }
        }
    }

    pub(crate) fn accepts_from(&self, socket: &Rc<Listener<S>>) {
        self.sockets.borrow_mut().push(Rc::downgrade(socket));
    }

    pub(crate) fn is_accepting(&self) -> bool {
        self.sockets.borrow().iter().any(|socket| socket.strong_count() > 0)
    }

    /// Its listener sockets, for a process that takes over: all, or it must have none.
    pub(crate) fn lend(&self) -> io::Result<Vec<ListenerSocket>> {
        self.sockets.borrow().iter().filter_map(Weak::upgrade).map(|one| one.lend()).collect()
    }

    pub(crate) fn idle_connections(&self) -> Rc<IdleConnections> {
        Rc::clone(&self.listener.borrow().idle_connections)
    }

    /// Ends its connections, and accepts as this says.
    pub(crate) fn close(&self, accepting: Accepting) {
        self.closing.set(true);
        self.accepting.set(accepting);
        self.waiters.wake_all();
    }

    /// Waits until this bound listener accepts no more than is in its accept queues.
    pub(crate) fn poll_accepts_no_more(&self, context: &Context<'_>, waiter: &Waiter<'_>) -> Poll<()> {
        if self.accepting.get() != Accepting::Yes {
            return Poll::Ready(());
        }
        waiter.register(context.waker());
        Poll::Pending
    }

    /// Waits until this bound listener closes.
    pub(crate) async fn closes(&self) {
        let waiter = self.waiters.waiter();
        poll_fn(|context| self.poll_closes(context, &waiter)).await;
    }

    /// See [`Self::closes`].
    pub(crate) fn poll_closes(&self, context: &Context<'_>, waiter: &Waiter<'_>) -> Poll<()> {
        if self.closing.get() {
            return Poll::Ready(());
        }
        waiter.register(context.waker());
        Poll::Pending
    }
}

fn turns(rule: &RulePlan, worker: usize) -> RefCell<SmoothWeighted> {
    let weights = match &rule.action {
        ActionPlan::Forward { weights, .. } => weights.as_slice(),
        ActionPlan::Redirect(_) | ActionPlan::Fixed(_) => &[],
    };
    RefCell::new(SmoothWeighted::new(weights, worker as u64))
}

/// The idle connections of the previous generation if there are any, so that all of them are in one order.
fn idle_connections_of(
    plan: &ListenerPlan,
    all: &mut Vec<Weak<IdleConnections>>,
    worker: usize,
) -> Rc<IdleConnections> {
    let is_same = |one: &Rc<IdleConnections>| Arc::ptr_eq(&one.limits, &plan.listener_limits);
    all.iter().filter_map(Weak::upgrade).find(is_same).unwrap_or_else(|| {
        let new = IdleConnections::new(&plan.listener_limits, worker);
        all.push(Rc::downgrade(&new));
        new
    })
}
