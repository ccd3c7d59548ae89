//! The groups with health checks, to tell when all targets of one are unhealthy, and when that is over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::{TargetGroupName, TargetKey};
use observe::Event;
use proxy::{GroupPlan, Health, TargetLive};

#[derive(Debug, Default)]
pub(super) struct Groups(Mutex<HashMap<TargetGroupName, Group>>);

#[derive(Debug)]
struct Group {
    targets: Vec<Arc<TargetLive>>,
    /// It was told that all its targets are unhealthy.
    is_told: bool,
}

impl Groups {
    /// Watches these groups; what was told of a group is kept.
    pub(super) fn adopt(&self, groups: &[Arc<GroupPlan>]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let checked = groups.iter().filter(|plan| plan.group.health_check.is_some());
        let group = |plan: &Arc<GroupPlan>| {
            let name = plan.group.name.clone();
            let is_told = known.get(&name).is_some_and(|group| group.is_told);
            (name, Group { targets: plan.targets.clone(), is_told })
        };
        *known = checked.map(group).collect();
    }

    /// Tells what the changed health of a target means for its group.
    pub(super) fn tell(&self, changed: &TargetKey) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(group) = known.get_mut(&changed.group) else { return };
        match group.change() {
            Some(true) => observe::event(
                Event::FailOpen,
                &[("group", &changed.group), ("targets", &group.targets.len())],
            ),
            Some(false) => observe::event(
                Event::FailOpenEnded,
                &[("group", &changed.group), ("target", &changed.address)],
            ),
            None => {}
        }
    }
}

impl Group {
    /// `Some`: whether all targets are unhealthy, if that is news. A target without a result yet is not unhealthy.
    fn change(&mut self) -> Option<bool> {
        let health = || self.targets.iter().map(|target| target.health());
        let is_news = match self.is_told {
            false => health().all(|health| health == Health::Unhealthy),
            true => health().any(Health::takes_traffic),
        };
        is_news.then(|| {
            self.is_told = !self.is_told;
            self.is_told
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const CONFIG: &str = "workers = 1\n[listener.web]\nbind = \"127.0.0.1:0\"\nforward = \"app\"\n\
        [target_group.app]\ntargets = [\"127.0.0.1:1\", \"127.0.0.1:2\"]\nhealth_check = { type = \"tcp\" }\n";

    #[test]
    fn each_change_of_a_group_is_told_once() {
        let config = config::parse(CONFIG, "e.toml", &config::Disk).unwrap().config;
        let engine = proxy::Engine::start(&config, &tls::Material::default(), [1, 2]).unwrap();
        let targets = engine.snapshot().groups[0].targets.clone();
        engine.stop(Duration::ZERO, std::collections::HashSet::new(), || {});
        let mut group = Group { targets: targets.clone(), is_told: false };
        let mut set = |target: usize, health| {
            targets[target].set_health(health);
            group.change()
        };
        assert_eq!(set(0, Health::Unhealthy), None, "the other one has no result yet");
        assert_eq!(set(1, Health::Unhealthy), Some(true));
        assert_eq!(set(1, Health::Unhealthy), None);
        assert_eq!(set(0, Health::Healthy), Some(false));
        assert_eq!(set(1, Health::Healthy), None);
        assert_eq!(set(0, Health::Unhealthy), None);
    }
}
