//! A target group as one worker uses it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use balance::SmoothWeighted;
use model::TargetKey;
use net::Sys;

use super::pool::LocalTarget;
use crate::live::TargetLive;
use crate::snapshot::{GroupPlan, PickerPlan};

pub(crate) struct LocalGroup<S: Sys> {
    pub(crate) plan: Arc<GroupPlan>,
    pub(crate) targets: Vec<Rc<LocalTarget<S>>>,
    pub(crate) cursor: RefCell<SmoothWeighted>,
}

impl<S: Sys> LocalGroup<S> {
    /// Takes the targets that `previous` knows, with their idle connections, and enters all into `all`.
    pub(crate) fn new(
        plan: &Arc<GroupPlan>,
        worker: usize,
        previous: Option<&HashMap<TargetKey, Rc<LocalTarget<S>>>>,
        all: &mut HashMap<TargetKey, Rc<LocalTarget<S>>>,
    ) -> Self {
        let mut local = |live: &Arc<TargetLive>| {
            let known = previous.and_then(|targets| targets.get(live.key()));
            let target = known.map_or_else(|| Rc::new(LocalTarget::new(live, worker)), Rc::clone);
            target.configure(&plan.group, plan.connector.as_ref());
            all.insert(live.key().clone(), Rc::clone(&target));
            target
        };
        let weights: Vec<_> = match plan.picker {
            PickerPlan::Smooth => plan.group.targets.iter().map(|target| target.weight).collect(),
            PickerPlan::Least | PickerPlan::RandomTwo(_) | PickerPlan::Maglev(_) => Vec::new(),
        };
        Self {
            plan: Arc::clone(plan),
            targets: plan.targets.iter().map(&mut local).collect(),
            cursor: RefCell::new(SmoothWeighted::new(&weights, worker as u64)),
        }
    }
}
