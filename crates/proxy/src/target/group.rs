//! One worker's state of a target group.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use balance::SmoothWeighted;
use net::Sys;

use super::pool::LocalTarget;
use crate::live::TargetLive;
use crate::snapshot::{GroupPlan, PickerPlan};

pub(crate) struct LocalGroup<S: Sys> {
    pub(crate) plan: Arc<GroupPlan>,
    pub(crate) targets: Vec<Rc<LocalTarget<S>>>,
    /// Kept as long as the plan's picker is kept.
    pub(crate) cursor: Rc<RefCell<SmoothWeighted>>,
}

impl<S: Sys> LocalGroup<S> {
    /// Returns `previous`, the group with this name, if its plan is the same. Otherwise keeps those of its targets that
    /// the plan has, with their idle connections.
    pub(crate) fn new(plan: &Arc<GroupPlan>, worker: usize, previous: Option<&Rc<Self>>) -> Rc<Self> {
        if let Some(previous) = previous.filter(|previous| Arc::ptr_eq(&previous.plan, plan)) {
            return Rc::clone(previous);
        }
        let known: HashMap<_, _> = previous
            .into_iter()
            .flat_map(|previous| &previous.targets)
            .map(|target| (target.live.key().address, target))
            .collect();
        let local = |live: &Arc<TargetLive>| {
            let known = known.get(&live.key().address);
            let target =
                known.map_or_else(|| Rc::new(LocalTarget::new(live, worker)), |&known| Rc::clone(known));
            target.configure(&plan.group, plan.connector.as_ref());
            target
        };
        let kept = previous.filter(|previous| Arc::ptr_eq(&previous.plan.picker, &plan.picker));
        let cursor =
            kept.map_or_else(|| Rc::new(RefCell::new(cursor(plan, worker))), |kept| Rc::clone(&kept.cursor));
        Rc::new(Self { plan: Arc::clone(plan), targets: plan.targets.iter().map(local).collect(), cursor })
    }

    /// Retires the targets that are not in `next`, the group with this name in the next generation.
    pub(crate) fn retire_targets(&self, next: Option<&Self>) {
        if next.is_some_and(|next| Arc::ptr_eq(&next.plan, &self.plan)) {
            return;
        }
        let kept: HashSet<_> =
            next.into_iter().flat_map(|next| &next.targets).map(|target| target.live.key().address).collect();
        let gone = self.targets.iter().filter(|target| !kept.contains(&target.live.key().address));
        gone.for_each(|target| target.retire());
    }
}

fn cursor(plan: &GroupPlan, worker: usize) -> SmoothWeighted {
    let weights: Vec<_> = match *plan.picker {
        PickerPlan::Smooth => plan.group.targets.iter().map(|target| target.weight).collect(),
        PickerPlan::Least | PickerPlan::RandomTwo(_) | PickerPlan::Maglev(_) => Vec::new(),
    };
    SmoothWeighted::new(&weights, worker as u64)
}
