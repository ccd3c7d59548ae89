//! The compiled form of a target group.

use std::sync::Arc;

use balance::session::TargetId;
use balance::{Maglev, RandomTwo, hash_address};
use model::{Algorithm, TargetGroup, TargetKey};
use tls::{Connector, Material};

use crate::live::{Live, TargetLive};
use crate::persist::{PersistencePlan, Scope};

#[derive(Debug)]
pub struct GroupPlan {
    pub group: TargetGroup,
    /// `None`: the group's protocol has no TLS.
    pub connector: Option<Arc<Connector>>,
    pub targets: Vec<Arc<TargetLive>>,
    /// By which sessions name the targets, in their order.
    pub(crate) ids: Vec<TargetId>,
    pub(crate) persistence: Option<Arc<PersistencePlan>>,
    /// Kept while targets and algorithm do not change, even if something else in the group does.
    pub(crate) picker: Arc<PickerPlan>,
}

/// The part of an algorithm that is built once and shared by all workers.
#[derive(Debug)]
pub(crate) enum PickerPlan {
    Smooth,
    Least,
    RandomTwo(RandomTwo),
    Maglev(Maglev),
}

impl GroupPlan {
    /// Compiles a group. `previous` is the plan of the group with this name; it is returned if nothing changed.
    pub(super) fn compile(
        group: &TargetGroup,
        material: &Material,
        live: &Live,
        previous: Option<&Arc<Self>>,
    ) -> Arc<Self> {
        let connector = material.connectors.get(&group.name);
        if let Some(previous) = previous.filter(|previous| previous.is_of(group, connector)) {
            return Arc::clone(previous);
        }
        let key = |address| TargetKey { group: group.name.clone(), address };
        let checked = group.health_check.is_some();
        let same = previous.filter(|previous| {
            previous.group.targets == group.targets && previous.group.algorithm == group.algorithm
        });
        Arc::new(Self {
            group: group.clone(),
            connector: connector.cloned(),
            targets: group.targets.iter().map(|target| live.target(&key(target.address), checked)).collect(),
            ids: group
                .targets
                .iter()
                .map(|target| TargetId::of(group.name.as_str(), target.address))
                .collect(),
            persistence: group.persistence.as_ref().map(|persistence| {
                let previous = previous.and_then(|previous| previous.persistence.as_ref());
                PersistencePlan::compile(persistence, Scope::Group(group.name.as_str()), live, previous)
            }),
            picker: same
                .map_or_else(|| Arc::new(PickerPlan::build(group)), |previous| Arc::clone(&previous.picker)),
        })
    }

    /// The index of the target that sessions name so.
    pub(crate) fn index_of(&self, target: TargetId) -> Option<usize> {
        self.ids.iter().position(|&id| id == target)
    }

    /// Whether a target has as many requests in flight as it may have (L44).
    pub(crate) fn is_full(&self, target: usize) -> bool {
        self.group.max_connections.is_some_and(|max| self.targets[target].in_flight() >= max)
    }

    pub(crate) fn has_full(&self) -> bool {
        (0..self.targets.len()).any(|target| self.is_full(target))
    }

    /// True if `group` and `connector` would compile to this plan.
    fn is_of(&self, group: &TargetGroup, connector: Option<&Arc<Connector>>) -> bool {
        // No `..`: a new field must be compared, too. `tls` is not compared, because it contains line numbers of the file;
        // the connector is made from it and is compared instead.
        let TargetGroup {
            name,
            protocol,
            tls: _,
            targets,
            algorithm,
            persistence,
            health_check,
            timeouts,
            keepalive,
            tcp_keepalive,
            proxy_protocol_out,
            max_connections,
        } = group;
        *name == self.group.name
            && *protocol == self.group.protocol
            && *targets == self.group.targets
            && *algorithm == self.group.algorithm
            && *persistence == self.group.persistence
            && *health_check == self.group.health_check
            && *timeouts == self.group.timeouts
            && *keepalive == self.group.keepalive
            && *tcp_keepalive == self.group.tcp_keepalive
            && *proxy_protocol_out == self.group.proxy_protocol_out
            && *max_connections == self.group.max_connections
            && Connector::are_same(self.connector.as_ref(), connector)
    }
}

impl PickerPlan {
    fn build(group: &TargetGroup) -> Self {
        match group.algorithm {
            Algorithm::WeightedRoundRobin => Self::Smooth,
            Algorithm::LeastConnections => Self::Least,
            Algorithm::RandomTwo => {
                let weights: Vec<_> = group.targets.iter().map(|target| target.weight).collect();
                Self::RandomTwo(RandomTwo::new(&weights))
            }
            Algorithm::SourceIpHash | Algorithm::Hash(_) => {
                let targets: Vec<_> =
                    group.targets.iter().map(|t| (hash_address(t.address), t.weight)).collect();
                Self::Maglev(Maglev::build(&targets))
            }
        }
    }
}
