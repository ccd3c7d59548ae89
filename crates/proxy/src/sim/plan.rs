//! What a seed plans: clients, settings, and what happens to the proxy meanwhile.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use model::{
    AccessLog, Action, Algorithm, ClientAbort, Conditions, Config, ConnectionLimits, FieldEdits, HostPattern,
    HttpService, HttpSettings, Listener, ListenerName, ListenerSettings, LoadBalancer, LoadBalancerName,
    LogFormat, LogPath, PathPattern, Rule, Service, Target, TargetGroup, TargetGroupName, TargetKeepalive,
    TargetProtocol, TargetTimeouts, TargetTls, TcpService, TcpSettings, WebSocket, WeightedGroup, WhenFull,
};
use net::sim::{Act, Rng};

use super::client::{Client, Style};
use super::exchange::{Exchange, Kinds};
use super::target;
use super::tcp::{self, Pair};

/// What may happen in a family of seeds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Family {
    pub(super) kinds: Kinds,
    pub(super) style: Style,
    /// The config changes, and listeners come and go.
    pub(super) reloads: bool,
    /// The stop comes while clients are at work.
    pub(super) early_stop: bool,
    /// Targets refuse connections for a while.
    pub(super) refusals: bool,
    /// Listeners have fewer connections than clients: they wait, are refused, or evict idle ones.
    pub(super) limits: bool,
    /// Listeners pass bytes on, and there are pairs in the place of clients that speak HTTP.
    pub(super) tcp: bool,
}

/// The plan of one seed.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) family: Family,
    pub(super) clients: Vec<Client>,
    pub(super) pairs: Vec<Pair>,
    pub(super) settings: Settings,
    /// In the order of their times.
    pub(super) events: Vec<(Duration, Event)>,
    /// When the stop comes; `None`: when the clients have finished.
    pub(super) stop_at: Option<Duration>,
    pub(super) stop_within: Duration,
}

#[derive(Clone, Debug)]
pub(super) enum Event {
    Arrive(usize),
    Reload(Settings),
    /// This target refuses connections from now on, or accepts them again.
    Refuse(usize, bool),
}

/// What a config says.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) listeners: [bool; 2],
    pub(super) targets: [bool; TARGETS],
    keepalive_requests: u32,
    keepalive_timeout: Duration,
    client_abort: ClientAbort,
    algorithm: Algorithm,
    idle_max: u32,
    connections_max: Option<u32>,
    when_full: WhenFull,
    is_tcp: bool,
}

impl Plan {
    pub(super) fn choose(rng: &mut Rng, family: Family) -> Self {
        let count = rng.up_to(5);
        let (mut clients, mut pairs) = (Vec::new(), Vec::new());
        for number in 0..count {
            match family.tcp {
                true => pairs.push(Pair::choose(rng, number, family.kinds.target_faults)),
                false => clients.push(Client::choose(rng, number, family.kinds, family.style)),
            }
        }
        let settings = Settings::choose(rng, family, false);
        let arrivals =
            clients.iter().map(|client| client.arrives).chain(pairs.iter().map(|pair| pair.arrives));
        let mut events: Vec<_> =
            arrivals.enumerate().map(|(at, arrives)| (arrives, Event::Arrive(at))).collect();
        let moment = |rng: &mut Rng| Duration::from_micros(rng.below(3_000_000));
        if family.reloads {
            for _ in 0..rng.up_to(3) {
                events.push((moment(rng), Event::Reload(Settings::choose(rng, family, true))));
            }
        }
        if family.refusals {
            let target = rng.size(TARGETS);
            let from = moment(rng);
            events.push((from, Event::Refuse(target, true)));
            events.push((from + moment(rng), Event::Refuse(target, false)));
        }
        events.sort_by_key(|(at, _)| *at);
        let stop_at = family.early_stop.then(|| moment(rng));
        let stop_within = Duration::from_millis(if rng.one_in(2) { rng.below(300) } else { 600_000 });
        Self { family, clients, pairs, settings, events, stop_at, stop_within }
    }

    /// How many clients there are.
    pub(super) fn count(&self) -> usize {
        self.clients.len() + self.pairs.len()
    }

    /// The address at which this client arrives.
    pub(super) fn listener_of(&self, number: usize) -> usize {
        match self.pairs.get(number) {
            Some(pair) => pair.listener,
            None => self.clients[number].listener,
        }
    }

    pub(super) fn client_script(self: &Rc<Self>, number: usize) -> Vec<Act> {
        match self.pairs.get(number) {
            Some(pair) => pair.client_script(),
            None => Client::script(self, number),
        }
    }

    pub(super) fn target_script(self: &Rc<Self>) -> Vec<Act> {
        if self.family.tcp { tcp::target_script(self) } else { target::script(self) }
    }

    /// The exchange with this marker.
    pub(super) fn exchange(&self, marker: &str) -> &Exchange {
        let mut exchanges = self.clients.iter().flat_map(|client| &client.exchanges);
        exchanges
            .find(|exchange| exchange.marker == marker)
            .unwrap_or_else(|| panic!("no client has sent {marker:?}"))
    }
}

impl Settings {
    fn choose(rng: &mut Rng, family: Family, is_reload: bool) -> Self {
        let listeners = [[true, true], [true, false], [false, true]][if is_reload { rng.size(3) } else { 0 }];
        let targets = [[true, true], [true, false], [false, true]][rng.size(3)];
        let algorithms = [Algorithm::WeightedRoundRobin, Algorithm::LeastConnections, Algorithm::RandomTwo];
        Self {
            listeners,
            targets,
            keepalive_requests: if rng.one_in(3) { 1 + rng.size(3) as u32 } else { KEEPALIVE_REQUESTS },
            keepalive_timeout: Duration::from_secs(if rng.one_in(8) { 0 } else { 75 }),
            client_abort: if rng.one_in(4) { ClientAbort::Ignore } else { ClientAbort::Cancel },
            algorithm: algorithms[rng.size(algorithms.len())].clone(),
            idle_max: if rng.one_in(6) { 0 } else { 4 },
            connections_max: family.limits.then(|| 1 + rng.size(2) as u32),
            when_full: if rng.one_in(4) { WhenFull::Refuse } else { WhenFull::Wait },
            is_tcp: family.tcp,
        }
    }

    pub(super) fn without_listeners(&self) -> Self {
        Self { listeners: [false; 2], ..self.clone() }
    }

    /// Idle connections end at once.
    pub(super) fn closes_idle(&self) -> bool {
        self.keepalive_timeout.is_zero()
    }

    /// The config, as the control plane would make it; `log`: the file of the access log.
    pub(super) fn config(&self, log: &std::path::Path) -> Config {
        let name = LoadBalancerName::new("default");
        let listeners = (0..2).filter(|&number| self.listeners[number]);
        let limits = ConnectionLimits::default();
        Config {
            workers: Some(1),
            stop_timeout: Duration::from_secs(600),
            admin: model::Admin::default(),
            load_balancers: vec![LoadBalancer { name: name.clone(), connections: limits }],
            listeners: listeners.map(|number| self.listener(number, &name, log)).collect(),
            target_groups: vec![self.target_group()],
            session_stores: Vec::new(),
            session_gateways: Vec::new(),
        }
    }

    fn listener(&self, number: usize, load_balancer: &LoadBalancerName, log: &std::path::Path) -> Listener {
        let access_log = AccessLog { path: LogPath::File(log.to_owned()), format: LogFormat::Json };
        Listener {
            name: ListenerName::new(["one", "two"][number]),
            load_balancer: load_balancer.clone(),
            connections: ConnectionLimits { max: self.connections_max, ..ConnectionLimits::default() },
            bind: vec![listener_address(number)],
            tls: None,
            settings: ListenerSettings {
                when_full: self.when_full,
                access_log: Some(access_log),
                ..ListenerSettings::default()
            },
            service: if self.is_tcp { tcp_service() } else { self.http_service() },
        }
    }

    fn http_service(&self) -> Service {
        Service::Http(HttpService {
            settings: HttpSettings {
                keepalive_requests: self.keepalive_requests,
                keepalive_timeout: self.keepalive_timeout,
                client_abort: self.client_abort,
                ..HttpSettings::default()
            },
            rules: vec![rule()],
            default_action: None,
        })
    }

    fn target_group(&self) -> TargetGroup {
        let targets = (0..TARGETS).filter(|&number| self.targets[number]);
        let timeouts = TargetTimeouts { connect: Duration::from_secs(30), ..TargetTimeouts::default() };
        TargetGroup {
            name: TargetGroupName::new("all"),
            protocol: if self.is_tcp { TargetProtocol::Tcp } else { TargetProtocol::Http },
            tls: TargetTls::default(),
            targets: targets.map(|number| Target { address: target_address(number), weight: 1 }).collect(),
            algorithm: self.algorithm.clone(),
            persistence: None,
            health_check: None,
            timeouts,
            keepalive: TargetKeepalive { idle_max: self.idle_max, ..TargetKeepalive::default() },
            tcp_keepalive: None,
            proxy_protocol_out: None,
            max_connections: None,
        }
    }
}

fn tcp_service() -> Service {
    let settings = TcpSettings { idle_timeout: tcp::IDLE_TIMEOUT, ..TcpSettings::default() };
    Service::Tcp(TcpService { settings, rules: vec![rule()], default_action: None })
}

fn rule() -> Rule {
    Rule {
        host: HostPattern::Any,
        path: PathPattern::Any,
        adds_slash: false,
        conditions: Conditions::default(),
        access: None,
        action: Action::Forward(vec![WeightedGroup { group: TargetGroupName::new("all"), weight: 1 }]),
        rewrite: None,
        request_fields: FieldEdits::default(),
        response_fields: FieldEdits::default(),
        websocket: WebSocket::default(),
        persistence: None,
    }
}

pub(super) fn listener_address(number: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], [8080, 8081][number]))
}

pub(super) fn target_address(number: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 100], [3000, 3001][number]))
}

pub(super) const TARGETS: usize = 2;
/// More than any client has.
const KEEPALIVE_REQUESTS: u32 = 1000;
