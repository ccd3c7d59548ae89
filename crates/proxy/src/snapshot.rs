//! The form of a config that the data plane serves: immutable, shared by all workers, replaced as a whole.
//!
//! A reload compiles the new config, and keeps each plan of the previous snapshot that would not change. Plans do not
//! refer to each other: a listener has the names of its groups. So a change of one group leaves all other plans alone.
//!
//! invariant: the same config always compiles to the same snapshot, whatever the previous one was.
//! invariant: a request works with one generation from its beginning to its end.

mod group;
mod rule;
mod same;
mod tables;

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use balance::{AddressTable, RuleTable};
use model::{
    Cidr, Config, ConnectionLimits, HostPattern, HttpLimits, HttpSettings, Listener, ListenerName,
    LoadBalancerName, MinRate, Service, TargetGroupName, TcpKeepalive, TcpSettings, TlsVersion, WhenFull,
};
use observe::{AccessLogs, ListenerCells, LogHandle, PerWorker};
use tls::{Acceptor, Material};

use crate::connection::limit::{ConnectionLimit, ListenerLimits};
use crate::live::{Health, Live};
use crate::persist::SessionScope;
use rule::compile_rules;
use same::{same, same_arc};
use tables::{AddressTables, TableCompiler};

pub use group::GroupPlan;
pub(crate) use group::PickerPlan;
pub(crate) use rule::{ActionPlan, RulePlan};

#[derive(Debug)]
pub struct Snapshot {
    /// Counted from 1. Each reload and each certificate swap makes the next.
    pub generation: u64,
    pub listeners: Vec<Arc<ListenerPlan>>,
    pub groups: Vec<Arc<GroupPlan>>,
    pub load_balancers: Vec<LoadBalancerPlan>,
    tables: AddressTables,
}

/// The connection limit that the listeners of a load balancer share.
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
    pub(crate) tcp_keepalive: Option<TcpKeepalive>,
    pub(crate) when_full: WhenFull,
    /// Peers that must send a PROXY header.
    pub(crate) proxy_protocol: Vec<Cidr>,
    pub(crate) edge: EdgeSettings,
    pub(crate) service: ServicePlan,
    /// Those of a listener with another service are the defaults, and nothing depends on them.
    pub(crate) http: HttpSettings,
    pub(crate) tls: Option<TlsPlan>,
    /// The address lists that are checked before the rules.
    pub(crate) access: AccessPlan,
    /// The names of the groups to which its rules forward.
    pub(crate) groups: Vec<TargetGroupName>,
    pub(crate) table: Arc<RuleTable>,
    /// The rules in the order of the file; the last one is the default action, if `has_default`. Rules and `table` are
    /// kept while no rule changes, even if something else in the listener does.
    pub(crate) rules: Arc<[RulePlan]>,
    pub(crate) has_default: bool,
    /// Rules ask for what a TLS client says first, and its TLS does not end here.
    pub(crate) looks_at_hello: bool,
    /// The names of fields about which conditions of the rules are asked.
    pub(crate) condition_fields: Vec<String>,
    pub(crate) log: Option<LogHandle>,
}

/// What a listener does with its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServicePlan {
    Http,
    Tcp(TcpSettings),
}

/// How long clients are waited for before and after they are served, whatever the service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EdgeSettings {
    /// For a PROXY header, and for a request's head.
    pub(crate) first_timeout: Duration,
    /// A client that takes nothing for so long while its connection closes has stopped reading.
    pub(crate) send_timeout: Duration,
    pub(crate) min_rate: Option<MinRate>,
}

/// The TLS settings of a listener.
#[derive(Debug)]
pub(crate) struct TlsPlan {
    pub(crate) acceptor: Arc<Acceptor>,
    pub(crate) min_version: TlsVersion,
    pub(crate) handshake_timeout: Duration,
    /// The value of `Strict-Transport-Security`.
    pub(crate) hsts: Option<String>,
    /// Names of the fields that identify the client to targets. A client's own fields with these names are removed.
    pub(crate) identity_fields: Vec<String>,
}

/// The address lists of load balancer and listener. A client must pass both.
#[derive(Debug)]
pub(crate) struct AccessPlan {
    pub(crate) load_balancer: Option<Arc<AddressTable>>,
    pub(crate) listener: Option<Arc<AddressTable>>,
}

impl Snapshot {
    /// Compiles a config. Keeps the plans of `previous` that would not change. Fails without a lasting effect if an access
    /// log cannot be opened.
    pub(crate) fn compile(
        config: &Config,
        material: &Material,
        generation: u64,
        live: &Live,
        logs: &AccessLogs,
        previous: Option<&Self>,
    ) -> Result<Self, LogError> {
        let previous_groups: HashMap<_, _> =
            previous.into_iter().flat_map(|p| &p.groups).map(|plan| (&plan.group.name, plan)).collect();
        let previous_listeners: HashMap<_, _> =
            previous.into_iter().flat_map(|p| &p.listeners).map(|plan| (&plan.name, plan)).collect();
        // Held until the plans that use them hold them.
        let _tables: Vec<_> = config
            .session_stores
            .iter()
            .map(|store| live.session_table_of(Some(&store.name), store.capacity))
            .collect();
        let groups: Vec<_> = config
            .target_groups
            .iter()
            .map(|group| GroupPlan::compile(group, material, live, previous_groups.get(&group.name).copied()))
            .collect();
        let mut tables = TableCompiler::new(previous.map(|previous| &previous.tables));
        let listeners = config
            .listeners
            .iter()
            .map(|listener| {
                let tls = TlsPlan::compile(listener, material);
                let previous = previous_listeners.get(&listener.name).copied();
                ListenerPlan::compile(listener, tls, &mut tables, live, logs, previous)
            })
            .collect::<Result<_, _>>()?;
        let load_balancers = config.load_balancers.iter().map(|one| LoadBalancerPlan {
            name: one.name.clone(),
            connection_limit: live.load_balancer_limit(&one.name),
            limits: one.connections,
        });
        let (load_balancers, tables) = (load_balancers.collect(), tables.finish());
        Ok(Self { generation, listeners, groups, load_balancers, tables })
    }

    /// The groups and rules with session persistence.
    pub fn sessions(&self) -> Vec<SessionScope> {
        let of_group = |plan: &Arc<GroupPlan>| {
            let name = &plan.group.name;
            let persistence = plan.persistence.as_ref()?;
            Some(SessionScope::new(name.to_string(), vec![name.clone()], persistence))
        };
        let of_listener = |plan: &Arc<ListenerPlan>| {
            let rules = plan.rules.iter().enumerate();
            let named = rules.filter_map(|(number, rule)| {
                let groups = rule.action.groups().iter().filter_map(|&group| plan.groups.get(group));
                let name = format!("{} rule {number}", plan.name);
                Some(SessionScope::new(name, groups.cloned().collect(), rule.persistence.as_ref()?))
            });
            named.collect::<Vec<_>>()
        };
        self.groups.iter().filter_map(of_group).chain(self.listeners.iter().flat_map(of_listener)).collect()
    }

    /// The limits of what a target of this group may answer: the strictest of the listeners that forward to it. A response
    /// within them passes every listener.
    pub fn response_limits(&self, group: &TargetGroupName) -> HttpLimits {
        let of_group = |plan: &&Arc<ListenerPlan>| plan.groups.contains(group);
        let limits = self.listeners.iter().filter(of_group).map(|plan| plan.http.limits);
        limits.reduce(HttpLimits::strictest).unwrap_or_default()
    }

    /// The snapshot of a worker that has no config yet.
    pub(crate) fn nothing() -> Self {
        Self {
            generation: 0,
            listeners: Vec::new(),
            groups: Vec::new(),
            load_balancers: Vec::new(),
            tables: AddressTables::default(),
        }
    }

    /// Applies the connection limits of this snapshot, also to workers that still serve the one before.
    pub(crate) fn limit_connections(&self) {
        self.listeners.iter().for_each(|plan| plan.connection_limit.configure(&plan.limits));
        self.load_balancers.iter().for_each(|plan| plan.connection_limit.configure(&plan.limits));
    }

    /// Removes live state that this snapshot does not name. A target without health checks takes traffic from now on.
    pub(crate) fn settle(&self, live: &Live) {
        let unchecked = self.groups.iter().filter(|plan| plan.group.health_check.is_none());
        unchecked.flat_map(|plan| &plan.targets).for_each(|target| target.set_health(Health::Unchecked));
        let targets: HashSet<_> =
            self.groups.iter().flat_map(|g| &g.targets).map(|t| t.key().clone()).collect();
        let listeners: HashSet<_> = self.listeners.iter().map(|l| l.name.clone()).collect();
        live.retain(&targets, &listeners);
        let rules = self.listeners.iter().flat_map(|listener| &*listener.rules);
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
    /// Compiles a listener. `previous` is the plan of the listener with this name; it is returned if nothing changed.
    fn compile(
        listener: &Listener,
        tls: Option<TlsPlan>,
        tables: &mut TableCompiler<'_>,
        live: &Live,
        logs: &AccessLogs,
        previous: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, LogError> {
        let log = listener.settings.access_log.as_ref().map(|log| logs.open(log)).transpose();
        let log = log.map_err(|error| LogError { listener: listener.name.clone(), error })?;
        let service = &listener.service;
        let (rules, groups) = compile_rules(&listener.name, service, tables, live);
        let has_default = service.default_action().is_some();
        let (table, rules) = match previous.filter(|previous| previous.has_rules(&rules, has_default)) {
            Some(previous) => (Arc::clone(&previous.table), Arc::clone(&previous.rules)),
            None => (Arc::new(RuleTable::compile(service.rules())), rules.into()),
        };
        let plan = Self {
            name: listener.name.clone(),
            bind: listener.bind.clone(),
            cells: live.listener(&listener.name),
            connection_limit: live.listener_limit(&listener.name),
            listener_limits: live.listener_limits(&listener.name, &listener.load_balancer),
            limits: listener.connections,
            tcp_keepalive: listener.settings.tcp_keepalive,
            when_full: listener.settings.when_full,
            proxy_protocol: listener.settings.proxy_protocol.clone(),
            tls,
            access: AccessPlan {
                load_balancer: tables.table(listener.settings.access.load_balancer.as_ref()),
                listener: tables.table(listener.settings.access.listener.as_ref()),
            },
            edge: EdgeSettings::of(service),
            service: ServicePlan::of(service),
            http: service.http().map(|http| http.settings.clone()).unwrap_or_default(),
            groups,
            table,
            looks_at_hello: service.is_tcp() && listener.tls.is_none() && ask_for_tls(&rules),
            condition_fields: condition_fields(&rules),
            rules,
            has_default,
            log,
        };
        let kept = previous.filter(|previous| previous.is_same(&plan)).map(Arc::clone);
        Ok(kept.unwrap_or_else(|| Arc::new(plan)))
    }

    pub(crate) fn is_tcp(&self) -> bool {
        matches!(self.service, ServicePlan::Tcp(_))
    }

    /// The number of this rule in the file, from 0; `None`: it is the default action.
    pub(crate) fn number_of(&self, rule: Option<usize>) -> Option<u32> {
        rule.filter(|&rule| !self.has_default || rule + 1 < self.rules.len())?.try_into().ok()
    }

    fn has_rules(&self, rules: &[RulePlan], has_default: bool) -> bool {
        self.has_default == has_default
            && self.rules.len() == rules.len()
            && self.rules.iter().zip(rules).all(|(one, other)| one.is_same(other))
    }

    /// True if both plans have the same effect. `other` was compiled with `self` as the previous plan.
    fn is_same(&self, other: &Self) -> bool {
        // No `..`: a new field must be compared, too. `cells` and `connection_limit` are parts of
        // `listener_limits`; `table`, `has_default`, `condition_fields`
        // and, with `tls`, `looks_at_hello` belong to `rules`.
        let Self {
            name,
            bind,
            cells: _,
            connection_limit: _,
            listener_limits,
            limits,
            tcp_keepalive,
            when_full,
            proxy_protocol,
            edge,
            service,
            http,
            tls,
            access,
            groups,
            table: _,
            rules,
            has_default: _,
            looks_at_hello: _,
            condition_fields: _,
            log,
        } = self;
        *name == other.name
            && *bind == other.bind
            && Arc::ptr_eq(listener_limits, &other.listener_limits)
            && *limits == other.limits
            && *tcp_keepalive == other.tcp_keepalive
            && *when_full == other.when_full
            && *proxy_protocol == other.proxy_protocol
            && *edge == other.edge
            && *service == other.service
            && *http == other.http
            && same(tls.as_ref(), other.tls.as_ref(), TlsPlan::is_same)
            && access.is_same(&other.access)
            && *groups == other.groups
            && Arc::ptr_eq(rules, &other.rules)
            && same(log.as_ref(), other.log.as_ref(), LogHandle::is_same)
    }
}

impl ServicePlan {
    fn of(service: &Service) -> Self {
        match service {
            Service::Http(_) => Self::Http,
            Service::Tcp(tcp) => Self::Tcp(tcp.settings),
        }
    }
}

impl EdgeSettings {
    fn of(service: &Service) -> Self {
        match service {
            Service::Http(http) => Self {
                first_timeout: http.settings.header_timeout,
                send_timeout: http.settings.send_timeout,
                min_rate: http.settings.min_rate,
            },
            Service::Tcp(_) => {
                Self { first_timeout: HEADER_WITHIN, send_timeout: HEADER_WITHIN, min_rate: None }
            }
        }
    }
}

// limit: the whole PROXY header of a TCP connection, which its sender has at hand.
const HEADER_WITHIN: Duration = Duration::from_secs(10);

fn condition_fields(rules: &[RulePlan]) -> Vec<String> {
    let conditions = rules.iter().flat_map(|rule| &rule.conditions.headers);
    let mut names: Vec<_> = conditions.map(|condition| condition.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// Whether a rule of a TCP service goes by name or protocols.
fn ask_for_tls(rules: &[RulePlan]) -> bool {
    rules.iter().any(|rule| rule.host != HostPattern::Any || !rule.conditions.protocols.is_empty())
}

impl TlsPlan {
    fn compile(listener: &Listener, material: &Material) -> Option<Self> {
        let tls = listener.tls.as_ref()?;
        // invariant: the material was loaded for this config.
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

    /// Acceptors are compared by pointer: each load of the certificate files makes new ones.
    fn is_same(&self, other: &Self) -> bool {
        let Self { acceptor, min_version, handshake_timeout, hsts, identity_fields } = self;
        Arc::ptr_eq(acceptor, &other.acceptor)
            && *min_version == other.min_version
            && *handshake_timeout == other.handshake_timeout
            && *hsts == other.hsts
            && *identity_fields == other.identity_fields
    }
}

impl AccessPlan {
    fn is_same(&self, other: &Self) -> bool {
        let Self { load_balancer, listener } = self;
        same_arc(load_balancer.as_ref(), other.load_balancer.as_ref())
            && same_arc(listener.as_ref(), other.listener.as_ref())
    }
}

#[cfg(test)]
mod tests;
