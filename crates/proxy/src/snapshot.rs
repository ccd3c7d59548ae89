//! What the data plane compiles from a config: immutable, shared by all workers, replaced as a whole.
//!
//! invariant: the same config always compiles to the same snapshot; a request works with one generation from
//! beginning to end.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use balance::{AddressTable, Maglev, RandomTwo, RuleTable, hash_address};
use model::{
    AccessList, AccessLists, Action, Algorithm, Conditions, Config, ConnectionLimits, FieldEdits,
    FixedResponse, HostPattern, HttpSettings, Listener, ListenerName, LoadBalancerName, PathPattern,
    PathRewrite, Redirect, TargetGroup, TargetGroupName, TargetKey, TlsVersion, WebSocket, WeightedGroup,
};
use observe::{AccessLogs, ListenerCells, LogHandle, PerWorker};
use tls::{Acceptor, Connector, Material};

use crate::connection::limit::{ConnectionLimit, ListenerLimits};
use crate::live::{Health, Live, RuleKey, RuleLive, TargetLive};

#[derive(Debug)]
pub struct Snapshot {
    /// Counted from 1; every reload that changes anything makes the next.
    pub generation: u64,
    pub listeners: Vec<Arc<ListenerPlan>>,
    pub groups: Vec<Arc<GroupPlan>>,
    pub load_balancers: Vec<LoadBalancerPlan>,
}

/// What the listeners of an instance share.
#[derive(Debug)]
pub struct LoadBalancerPlan {
    pub name: LoadBalancerName,
    pub connection_limit: Arc<ConnectionLimit>,
    limits: ConnectionLimits,
}

#[derive(Debug)]
pub struct ListenerPlan {
    pub name: ListenerName,
    pub bind: Vec<SocketAddr>,
    pub cells: Arc<PerWorker<ListenerCells>>,
    pub connection_limit: Arc<ConnectionLimit>,
    pub(crate) listener_limits: Arc<ListenerLimits>,
    limits: ConnectionLimits,
    pub(crate) http: HttpSettings,
    pub(crate) tls: Option<TlsPlan>,
    /// The lists in front of the rules.
    pub(crate) access: AccessPlan,
    pub(crate) table: RuleTable,
    /// The rules in the order of the file, and behind them the default action where there is one.
    pub(crate) rules: Vec<RulePlan>,
    pub(crate) has_default: bool,
    pub(crate) log: Option<LogHandle>,
}

/// TLS of a listener.
#[derive(Debug)]
pub(crate) struct TlsPlan {
    pub(crate) acceptor: Arc<Acceptor>,
    pub(crate) min_version: TlsVersion,
    pub(crate) handshake_timeout: Duration,
    /// The value of `Strict-Transport-Security`.
    pub(crate) hsts: Option<String>,
    /// Names of fields that tell targets who the client is; nobody else may say them.
    pub(crate) identity_fields: Vec<String>,
}

/// Who may come, as load balancer and listener say; both must let a client pass.
#[derive(Debug)]
pub(crate) struct AccessPlan {
    pub(crate) load_balancer: Option<Arc<AddressTable>>,
    pub(crate) listener: Option<Arc<AddressTable>>,
}

#[derive(Debug)]
pub(crate) struct RulePlan {
    pub(crate) host: HostPattern,
    pub(crate) path: PathPattern,
    pub(crate) conditions: Conditions,
    pub(crate) adds_slash: bool,
    pub(crate) access: Option<Arc<AddressTable>>,
    pub(crate) action: ActionPlan,
    pub(crate) rewrite: Option<PathRewrite>,
    pub(crate) request_fields: FieldEdits,
    pub(crate) response_fields: FieldEdits,
    pub(crate) websocket: WebSocket,
    /// Of a rule that forwards.
    pub(crate) live: Option<Arc<RuleLive>>,
}

#[derive(Debug)]
pub(crate) enum ActionPlan {
    /// Places in [`Snapshot::groups`], with their weights.
    Forward {
        groups: Vec<usize>,
        weights: Vec<u32>,
    },
    Redirect(Redirect),
    Fixed(FixedResponse),
}

#[derive(Debug)]
pub struct GroupPlan {
    pub group: TargetGroup,
    /// Of a protocol with TLS.
    pub connector: Option<Arc<Connector>>,
    pub targets: Vec<Arc<TargetLive>>,
    pub(crate) picker: PickerPlan,
}

/// What of an algorithm can be built once and shared.
#[derive(Debug)]
pub(crate) enum PickerPlan {
    Smooth,
    Least,
    RandomTwo(RandomTwo),
    Maglev(Maglev),
}

impl Snapshot {
    /// Compiles a config. Fails, without a lasting effect, when an access log cannot be opened.
    pub(crate) fn compile(
        config: &Config,
        material: &Material,
        generation: u64,
        live: &Live,
        logs: &AccessLogs,
    ) -> Result<Self, LogError> {
        let groups: Vec<_> = config
            .target_groups
            .iter()
            .map(|group| Arc::new(GroupPlan::compile(group, material, live)))
            .collect();
        let places: HashMap<_, _> =
            config.target_groups.iter().enumerate().map(|(place, g)| (&g.name, place)).collect();
        let mut tables = Tables::default();
        let listeners = config
            .listeners
            .iter()
            .map(|listener| {
                let tls = TlsPlan::compile(listener, material);
                ListenerPlan::compile(listener, tls, &places, &mut tables, live, logs).map(Arc::new)
            })
            .collect::<Result<_, _>>()?;
        let load_balancers = config.load_balancers.iter().map(|one| LoadBalancerPlan {
            name: one.name.clone(),
            connection_limit: live.load_balancer_limit(&one.name),
            limits: one.connections,
        });
        Ok(Self { generation, listeners, groups, load_balancers: load_balancers.collect() })
    }

    /// What serves before there is a config.
    pub(crate) fn nothing() -> Self {
        Self { generation: 0, listeners: Vec::new(), groups: Vec::new(), load_balancers: Vec::new() }
    }

    /// Applies the connection limits of this snapshot, also to workers that still serve the one before.
    pub(crate) fn limit_connections(&self) {
        self.listeners.iter().for_each(|plan| plan.connection_limit.configure(&plan.limits));
        self.load_balancers.iter().for_each(|plan| plan.connection_limit.configure(&plan.limits));
    }

    /// Makes live state fit this snapshot: what it does not name is forgotten, and a target that is no longer checked
    /// takes traffic again.
    pub(crate) fn settle(&self, live: &Live) {
        let unchecked = self.groups.iter().filter(|plan| plan.group.health_check.is_none());
        unchecked.flat_map(|plan| &plan.targets).for_each(|target| target.set_health(Health::Unchecked));
        let targets: HashSet<_> =
            self.groups.iter().flat_map(|g| &g.targets).map(|t| t.key().clone()).collect();
        let listeners: HashSet<_> = self.listeners.iter().map(|l| l.name.clone()).collect();
        live.retain(&targets, &listeners);
        let rules = self.listeners.iter().flat_map(|listener| &listener.rules);
        live.retain_rules(&rules.filter_map(|rule| rule.live.as_ref()).map(|live| live.key()).collect());
    }
}

/// An access log that cannot be opened.
#[derive(Debug)]
pub(crate) struct LogError {
    pub(crate) listener: ListenerName,
    pub(crate) error: io::Error,
}

impl ListenerPlan {
    fn compile(
        listener: &Listener,
        tls: Option<TlsPlan>,
        places: &HashMap<&TargetGroupName, usize>,
        tables: &mut Tables,
        live: &Live,
        logs: &AccessLogs,
    ) -> Result<Self, LogError> {
        let log = listener.http.access_log.as_ref().map(|log| logs.open(log)).transpose();
        let log = log.map_err(|error| LogError { listener: listener.name.clone(), error })?;
        let mut rules: Vec<_> = listener
            .rules
            .iter()
            .map(|rule| RulePlan {
                host: rule.host.clone(),
                path: rule.path.clone(),
                conditions: rule.conditions.clone(),
                adds_slash: rule.adds_slash,
                access: tables.of(rule.access.as_ref()),
                action: ActionPlan::compile(&rule.action, places),
                rewrite: rule.rewrite.clone(),
                request_fields: rule.request_fields.clone(),
                response_fields: rule.response_fields.clone(),
                websocket: rule.websocket.clone(),
                live: matches!(rule.action, Action::Forward(_))
                    .then(|| live.rule(RuleKey { listener: listener.name.clone(), rule: rule.identity() })),
            })
            .collect();
        rules.extend(listener.default_action.as_ref().map(|action| RulePlan {
            host: HostPattern::Any,
            path: PathPattern::Any,
            conditions: Conditions::default(),
            adds_slash: false,
            access: None,
            action: ActionPlan::compile(action, places),
            rewrite: None,
            request_fields: FieldEdits::default(),
            response_fields: FieldEdits::default(),
            websocket: WebSocket::default(),
            live: None,
        }));
        Ok(Self {
            name: listener.name.clone(),
            bind: listener.bind.clone(),
            cells: live.listener(&listener.name),
            connection_limit: live.listener_limit(&listener.name),
            listener_limits: live.listener_limits(&listener.name, &listener.load_balancer),
            limits: listener.connections,
            tls,
            access: AccessPlan {
                load_balancer: tables.of(listener.http.access.load_balancer.as_ref()),
                listener: tables.of(listener.http.access.listener.as_ref()),
            },
            // The entries themselves are not needed any more, and large.
            http: HttpSettings { access: AccessLists::default(), ..listener.http.clone() },
            table: RuleTable::compile(&listener.rules),
            rules,
            has_default: listener.default_action.is_some(),
            log,
        })
    }
}

impl TlsPlan {
    fn compile(listener: &Listener, material: &Material) -> Option<Self> {
        let tls = listener.tls.as_ref()?;
        // invariant: material was loaded for this config.
        let acceptor = Arc::clone(material.acceptors.get(&listener.name)?);
        let mut identity_fields: Vec<_> =
            acceptor.clients().flat_map(|client| client.auth.headers.names()).map(str::to_owned).collect();
        identity_fields.sort();
        identity_fields.dedup();
        Some(Self {
            acceptor,
            min_version: tls.min_version,
            handshake_timeout: tls.handshake_timeout,
            hsts: tls.hsts.clone(),
            identity_fields,
        })
    }
}

/// Compiles each list once, however many listeners share it.
#[derive(Default)]
struct Tables(HashMap<*const AccessList, Arc<AddressTable>>);

impl Tables {
    fn of(&mut self, list: Option<&Arc<AccessList>>) -> Option<Arc<AddressTable>> {
        let list = list?;
        let compile = || Arc::new(AddressTable::compile(list));
        Some(Arc::clone(self.0.entry(Arc::as_ptr(list)).or_insert_with(compile)))
    }
}

impl ActionPlan {
    fn compile(action: &Action, places: &HashMap<&TargetGroupName, usize>) -> Self {
        match action {
            Action::Forward(groups) => {
                let known = |g: &WeightedGroup| places.get(&g.group).map(|&place| (place, g.weight));
                let (groups, weights) = groups.iter().filter_map(known).unzip();
                Self::Forward { groups, weights }
            }
            Action::Redirect(redirect) => Self::Redirect(redirect.clone()),
            Action::Fixed(fixed) => Self::Fixed(fixed.clone()),
        }
    }
}

impl GroupPlan {
    fn compile(group: &TargetGroup, material: &Material, live: &Live) -> Self {
        let key = |address| TargetKey { group: group.name.clone(), address };
        let checked = group.health_check.is_some();
        let weights: Vec<_> = group.targets.iter().map(|target| target.weight).collect();
        let picker = match group.algorithm {
            Algorithm::WeightedRoundRobin => PickerPlan::Smooth,
            Algorithm::LeastConnections => PickerPlan::Least,
            Algorithm::RandomTwo => PickerPlan::RandomTwo(RandomTwo::new(&weights)),
            Algorithm::SourceIpHash | Algorithm::Hash(_) => {
                let targets: Vec<_> =
                    group.targets.iter().map(|t| (hash_address(t.address), t.weight)).collect();
                PickerPlan::Maglev(Maglev::build(&targets))
            }
        };
        let targets = group.targets.iter().map(|target| live.target(&key(target.address), checked)).collect();
        let connector = material.connectors.get(&group.name).cloned();
        Self { group: group.clone(), connector, targets, picker }
    }
}
