//! Chooses the target of an attempt, and says why this one.

use std::cell::RefCell;

use balance::{Rng, SmoothWeighted, fail_open, least_connections};
use model::Limits;

use crate::snapshot::{GroupPlan, PickerPlan};

/// What a choice depends on besides the group and its targets' live state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    /// The hash by which algorithms that hash choose; others ignore it.
    pub(crate) key: u64,
    /// The target that a session prefers: its index in the group.
    pub(crate) preferred: Option<usize>,
    /// Requests in flight at the preferred target from which on another one is chosen (SP3).
    pub(crate) spill: Option<u32>,
    pub(crate) tried: Tried,
    pub(crate) now_millis: u64,
}

/// A chosen target: its index in the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) target: usize,
    pub(crate) why: Why,
    /// Why the preferred target was not chosen, where there was one.
    pub(crate) not_preferred: Option<Unavailable>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Preferred,
    /// By the algorithm, among the healthy targets without a recent failed connect.
    Healthy,
    /// By the algorithm, among the healthy targets; connects to all of them failed recently.
    PassedOver,
    /// By the algorithm, among all targets, since none is healthy.
    FailOpen,
}

/// Why a preferred target cannot be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// The group has no such target any more.
    Gone,
    /// An earlier attempt of this request failed there.
    Tried,
    Unhealthy,
    /// A recent connect failed.
    PassedOver,
    /// It has as many requests in flight as `spill` or its group's `max_connections` allows. The session stays there.
    Full,
}

/// The targets that a request has tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tried {
    targets: [usize; Limits::ATTEMPTS_MAX as usize],
    count: usize,
}

impl Tried {
    pub(crate) fn add(&mut self, target: usize) {
        if let Some(free) = self.targets.get_mut(self.count) {
            *free = target;
            self.count += 1;
        }
    }

    pub(crate) fn contains(&self, target: usize) -> bool {
        self.targets[..self.count].contains(&target)
    }
}

/// Chooses the preferred target if it is available, else one by the group's algorithm: first among healthy targets
/// without a recent failed connect, then among healthy ones, then, if none is healthy, among all (fail open). Targets that
/// have `max_connections` in flight are left out each time. `None`: no target is left.
pub(crate) fn choose(
    group: &GroupPlan,
    cursor: &RefCell<SmoothWeighted>,
    ask: &Ask,
    random: &mut Rng,
) -> Option<Choice> {
    let not_preferred = match ask.preferred.map(|target| availability(group, target, ask)) {
        Some(Ok(target)) => return Some(Choice { target, why: Why::Preferred, not_preferred: None }),
        Some(Err(unavailable)) => Some(unavailable),
        None => None,
    };
    let targets = &group.targets;
    let any = |target: usize| !ask.tried.contains(target) && !group.is_full(target);
    let healthy = |target: usize| targets[target].health().takes_traffic() && any(target);
    let full = ask.preferred.filter(|_| not_preferred == Some(Unavailable::Full));
    let best = |target: usize| {
        healthy(target) && !targets[target].is_passed_over(ask.now_millis) && full != Some(target)
    };
    let chosen = |target, why| Choice { target, why, not_preferred };
    if let Some(target) = by_algorithm(group, cursor, ask.key, random, best) {
        return Some(chosen(target, Why::Healthy));
    }
    // A session is not moved between targets none of which is known to be better.
    let stays = |usable: &dyn Fn(usize) -> bool| {
        ask.preferred.filter(|&target| target < targets.len() && usable(target))
    };
    let kept = |target, why| Some(Choice { target, why, not_preferred: None });
    if let Some(target) = stays(&healthy) {
        return kept(target, Why::PassedOver);
    }
    if let Some(target) = by_algorithm(group, cursor, ask.key, random, healthy) {
        return Some(chosen(target, Why::PassedOver));
    }
    if !fail_open(targets.iter().filter(|target| target.health().takes_traffic()).count()) {
        return None;
    }
    if let Some(target) = stays(&any) {
        return kept(target, Why::FailOpen);
    }
    by_algorithm(group, cursor, ask.key, random, any).map(|target| chosen(target, Why::FailOpen))
}

fn availability(group: &GroupPlan, target: usize, ask: &Ask) -> Result<usize, Unavailable> {
    let live = group.targets.get(target).ok_or(Unavailable::Gone)?;
    if ask.tried.contains(target) {
        return Err(Unavailable::Tried);
    }
    if !live.health().takes_traffic() {
        return Err(Unavailable::Unhealthy);
    }
    if live.is_passed_over(ask.now_millis) {
        return Err(Unavailable::PassedOver);
    }
    let is_full = group.is_full(target) || ask.spill.is_some_and(|most| live.in_flight() >= most);
    if is_full { Err(Unavailable::Full) } else { Ok(target) }
}

fn by_algorithm(
    group: &GroupPlan,
    cursor: &RefCell<SmoothWeighted>,
    key: u64,
    random: &mut Rng,
    usable: impl Fn(usize) -> bool,
) -> Option<usize> {
    let targets = &group.targets;
    let in_flight = |target: usize| targets[target].in_flight();
    let weight = |target: usize| group.group.targets[target].weight;
    match &*group.picker {
        PickerPlan::Smooth => cursor.borrow_mut().pick(usable),
        PickerPlan::Least => least_connections(targets.len(), weight, in_flight, usable, random),
        PickerPlan::RandomTwo(two) => two.pick(in_flight, usable, random),
        PickerPlan::Maglev(maglev) => maglev.pick(key, usable),
    }
}

#[cfg(test)]
mod tests;
