//! What a listener does with a ClientHello: it chooses the certificate for the name, and what it requires of the client
//! (TLS2, MT1).

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use model::{CertificateEntry, ClientAuth, ListenerTls, Place};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::bundle::Severity;
use crate::client_auth::{ClientPolicy, fingerprint_of_policy, without_resumption};
use crate::files::{CertificateInfo, Files, Loaded};
use crate::nameless::provider_without_names;
use crate::provider::{provider_with, versions};
use crate::session::FRAGMENT_BYTES;
use crate::ticket::TicketKeys;

/// Certificates by name.
#[derive(Debug)]
pub struct Acceptor {
    hosts: Vec<Arc<Host>>,
    exact: HashMap<Box<str>, usize>,
    /// Keyed by the part after `*.`.
    wildcard: HashMap<Box<str>, usize>,
    is_strict: bool,
    certificates: Vec<Arc<CertificateInfo>>,
}

/// The settings that names with the same certificates share.
#[derive(Debug)]
pub struct Host {
    pub config: Arc<ServerConfig>,
    /// The same for [`Session::accept_nameless`](crate::Session::accept_nameless).
    pub nameless: Arc<ServerConfig>,
    /// `None`: no client certificate is requested.
    pub client: Option<ClientRules>,
    /// Equal for two hosts with the same certificates (before or after a renewal) and the same rules for clients.
    identity: u64,
    /// Equal for two hosts with the same rules for clients, or without any.
    client_identity: u64,
}

/// The requirements on client certificates, and how a verified certificate is used.
#[derive(Debug)]
pub struct ClientRules {
    pub auth: ClientAuth,
    pub policy: Arc<ClientPolicy>,
}

/// The result of looking up a name.
#[derive(Debug)]
pub enum Choice<'a> {
    Host(&'a Arc<Host>),
    /// `sni_strict`: no host has this name, or the client sent none.
    Unrecognized,
}

/// The sources from which a listener's TLS is built.
#[derive(Debug)]
pub struct Setting<'a> {
    pub tls: &'a ListenerTls,
    /// Binds the listener's tickets.
    pub listener: &'a str,
    /// What is offered by ALPN; nothing is agreed on if it is empty.
    pub protocols: &'a [&'a [u8]],
    /// Hosts that its rules name, to warn about those that no certificate covers.
    pub hosts: &'a [String],
    pub tickets: &'a Arc<TicketKeys>,
}

impl Acceptor {
    /// `None`: something cannot be served, and the problem was reported to `files`.
    pub fn build(setting: &Setting<'_>, files: &mut Files<'_>) -> Option<Self> {
        let mut entries = Vec::with_capacity(setting.tls.certificates.len());
        let mut is_complete = true;
        for entry in &setting.tls.certificates {
            match ready(entry, setting.tls, files) {
                Some(ready) => entries.push(ready),
                None => is_complete = false,
            }
        }
        if !(is_complete && !entries.is_empty() && refuse_contradictions(&entries, files)) {
            return None;
        }
        let acceptor = Builder::new(setting).build(&entries, files.now_seconds())?;
        for host in setting.hosts {
            if acceptor.find(host).is_none() {
                let message = format!("no certificate of listener `{}` covers `{host}`", setting.listener);
                let place = &setting.tls.certificates[0].files.place;
                files.found(
                    place,
                    Severity::Warning,
                    message,
                    "clients that ask for it get the first certificate",
                );
            }
        }
        Some(acceptor)
    }

    /// The host for the name that a client asks for, in lower case. Clients that were given an address send no name: they
    /// get the certificate for `local`, the address that they have reached.
    pub fn choose(&self, name: Option<&str>, local: Option<IpAddr>) -> Choice<'_> {
        let found = match name {
            Some(name) => self.find(name),
            None if self.is_strict => None,
            None => local.and_then(|address| self.find(&address.to_canonical().to_string())),
        };
        match found {
            Some(host) => Choice::Host(host),
            None if self.is_strict => Choice::Unrecognized,
            None => Choice::Host(self.default_host()),
        }
    }

    /// Whether a request for `name` may use a connection whose handshake chose `host`. If not, the client must open
    /// another connection (421): the name has another certificate, or other rules for clients. A client that sent no name
    /// would get the same certificate again, so only the rules count for it.
    pub fn may_serve(&self, name: &str, host: &Host, has_sent_name: bool) -> bool {
        let is_same = |wanted: &Host| match has_sent_name {
            true => wanted.identity == host.identity,
            false => wanted.client_identity == host.client_identity,
        };
        // Certificates name an IPv6 address without the brackets of a URI.
        let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')?.parse::<IpAddr>().ok());
        let found = match address {
            Some(address) => self.find(&address.to_string()),
            None => self.find(name),
        };
        if let Some(wanted) = found {
            return is_same(wanted);
        }
        // Rules match hosts of any depth below `*.`, certificates of one label: the rules for clients hold for all of
        // them.
        if let Some(parent) = self.parents(name).find(|parent| parent.client.is_some()) {
            return is_same(parent);
        }
        // An unknown name belongs to the default host; a client that was admitted by another host's rules may not use
        // it.
        let default = self.default_host();
        is_same(default) || (default.client.is_none() && host.client.is_none())
    }

    /// The same host in this generation, if it still exists.
    pub fn successor(&self, host: &Host) -> Option<&Arc<Host>> {
        self.hosts.iter().find(|other| other.identity == host.identity)
    }

    pub fn certificates(&self) -> &[Arc<CertificateInfo>] {
        &self.certificates
    }

    /// The requirements on clients, for each host that has any.
    pub fn clients(&self) -> impl Iterator<Item = &ClientRules> {
        self.hosts.iter().filter_map(|host| host.client.as_ref())
    }

    /// Exact names before the longest wildcard, which stands for one label (RFC 9525 §6.3).
    fn find(&self, name: &str) -> Option<&Arc<Host>> {
        let place = self.exact.get(name).or_else(|| {
            let (_, parent) = name.split_once('.')?;
            self.wildcard.get(parent)
        })?;
        self.hosts.get(*place)
    }

    /// Hosts with a wildcard above this name, at any depth.
    fn parents(&self, name: &str) -> impl Iterator<Item = &Arc<Host>> {
        let dots = name.match_indices('.').map(|(place, _)| &name[place + 1..]);
        dots.filter_map(|parent| self.wildcard.get(parent)).filter_map(|&place| self.hosts.get(place))
    }

    fn default_host(&self) -> &Arc<Host> {
        // invariant: there is at least one host, and the first one is the default.
        &self.hosts[0]
    }
}

/// Reports a name that two entries share while one of them requires more of clients: the first entry would serve it
/// without that requirement. `false`: there is such a name, and it was reported to `files`.
fn refuse_contradictions(entries: &[Ready<'_>], files: &mut Files<'_>) -> bool {
    let mut first: HashMap<&str, &Ready<'_>> = HashMap::new();
    let mut is_fine = true;
    for ready in entries {
        for name in &ready.loaded.info.names {
            let before = *first.entry(name).or_insert(ready);
            if !ask_the_same(before, ready) {
                is_fine = false;
                let message = format!("`{name}` has two certificates that ask different things of clients");
                files.found(
                    &ready.entry.files.place,
                    Severity::Error,
                    message,
                    "give both the same `client_auth`",
                );
            }
        }
    }
    is_fine
}

/// An entry and the contents of its files.
struct Ready<'a> {
    entry: &'a CertificateEntry,
    loaded: Arc<Loaded>,
    auth: Option<&'a ClientAuth>,
    policy: Option<Arc<ClientPolicy>>,
}

fn ready<'a>(entry: &'a CertificateEntry, tls: &'a ListenerTls, files: &mut Files<'_>) -> Option<Ready<'a>> {
    let auth = match &entry.client_auth {
        Some(own) => own.as_ref(),
        None => tls.client_auth.as_ref(),
    };
    let loaded = files.certificate(&entry.files);
    let policy = match auth {
        Some(auth) => Some(files.client_policy(auth)?),
        None => None,
    };
    Some(Ready { entry, loaded: loaded?, auth, policy })
}

struct Builder<'a> {
    setting: &'a Setting<'a>,
    provider: Arc<CryptoProvider>,
    nameless_provider: Arc<CryptoProvider>,
    /// Keyed by the position of the entries.
    known: HashMap<Vec<usize>, usize>,
    hosts: Vec<Arc<Host>>,
}

impl<'a> Builder<'a> {
    fn new(setting: &'a Setting<'a>) -> Self {
        let provider = provider_with(&setting.tls.suites);
        let nameless_provider = provider_without_names(&setting.tls.suites);
        Self { setting, provider, nameless_provider, known: HashMap::new(), hosts: Vec::new() }
    }

    fn build(mut self, entries: &[Ready<'_>], now_seconds: u64) -> Option<Acceptor> {
        // The default is the first entry, together with entries that have other kinds of keys for the same names.
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        // A certificate that has expired is served only for names without a valid one.
        let mut in_order: Vec<_> = entries.iter().enumerate().collect();
        in_order.sort_by_key(|(_, ready)| ready.loaded.info.has_ended(now_seconds));
        for (place, ready) in in_order {
            for name in &ready.loaded.info.names {
                let places = by_name.entry(name).or_default();
                if is_beside(entries, places, place) {
                    places.push(place);
                }
            }
        }
        let first = entries[0].loaded.info.names.first().and_then(|name| by_name.get(&**name)).cloned();
        self.host(first.filter(|places| places[0] == 0).unwrap_or_else(|| vec![0]), entries)?;
        let (mut exact, mut wildcard) = (HashMap::new(), HashMap::new());
        let mut names: Vec<_> = by_name.into_iter().collect();
        names.sort();
        for (name, places) in names {
            let host = self.host(places, entries)?;
            match name.strip_prefix("*.") {
                Some(parent) => wildcard.insert(parent.into(), host),
                None => exact.insert(name.into(), host),
            };
        }
        let certificates = entries.iter().map(|ready| Arc::clone(&ready.loaded.info)).collect();
        let is_strict = self.setting.tls.sni_strict;
        Some(Acceptor { hosts: self.hosts, exact, wildcard, is_strict, certificates })
    }

    fn host(&mut self, places: Vec<usize>, entries: &[Ready<'_>]) -> Option<usize> {
        if let Some(&place) = self.known.get(&places) {
            return Some(place);
        }
        let of_host: Vec<_> = places.iter().map(|&place| &entries[place]).collect();
        let host = host(&of_host, self.setting, [&self.provider, &self.nameless_provider])?;
        self.hosts.push(Arc::new(host));
        self.known.insert(places, self.hosts.len() - 1);
        Some(self.hosts.len() - 1)
    }
}

/// Whether an entry can be served beside the given ones: only the first counts for each kind of key, and all must
/// require the same of clients.
fn is_beside(entries: &[Ready<'_>], places: &[usize], place: usize) -> bool {
    let kind = |place: usize| entries[place].loaded.kind;
    places.iter().all(|&other| kind(other) != kind(place) && ask_the_same(&entries[other], &entries[place]))
}

/// Whether both require the same of clients, independent of how that is written.
fn ask_the_same(one: &Ready<'_>, other: &Ready<'_>) -> bool {
    let rules =
        |ready: &Ready<'_>| ready.auth.map(|auth| ClientAuth { place: Place::default(), ..auth.clone() });
    rules(one) == rules(other)
}

fn host(entries: &[&Ready<'_>], setting: &Setting<'_>, providers: [&Arc<CryptoProvider>; 2]) -> Option<Host> {
    let (first, identity) = (entries.first()?, identity(entries));
    let [config, nameless] = providers.map(|provider| server_config(entries, setting, provider, identity));
    let client = first.auth.zip(first.policy.clone());
    let client = client.map(|(auth, policy)| ClientRules { auth: auth.clone(), policy });
    Some(Host {
        config: Arc::new(config?),
        nameless: Arc::new(nameless?),
        client,
        identity,
        client_identity: client_identity(first.auth),
    })
}

fn server_config(
    entries: &[&Ready<'_>],
    setting: &Setting<'_>,
    provider: &Arc<CryptoProvider>,
    identity: u64,
) -> Option<ServerConfig> {
    let first = entries.first()?;
    let (tls, keys) = (setting.tls, entries.iter().map(|ready| Arc::clone(&ready.loaded.key)).collect());
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider));
    let builder = builder.with_protocol_versions(&versions(tls.min_version, &tls.suites)).ok()?;
    let builder = match &first.policy {
        Some(policy) => builder.with_client_cert_verifier(policy.verifier()),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(Keys(keys)));
    config.ignore_client_order = true;
    config.max_early_data_size = 0;
    config.max_fragment_size = Some(FRAGMENT_BYTES);
    config.alpn_protocols = setting.protocols.iter().map(|protocol| protocol.to_vec()).collect();
    match &first.policy {
        // A resumed session does not call the verifier again: a revoked client would still get in.
        Some(_) => without_resumption(&mut config),
        None => {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            let epoch = fingerprint_of_policy(first.policy.as_deref());
            config.ticketer = setting.tickets.bound_to(binding(setting.listener, identity, epoch));
        }
    }
    Some(config)
}

/// Derived from what an operator configures, so that it is equal after a renewal and on another node.
fn identity(entries: &[&Ready<'_>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for ready in entries {
        (&ready.entry.files.chain, &ready.entry.files.key).hash(&mut hasher);
        hash_rules(ready.auth, &mut hasher);
    }
    hasher.finish()
}

fn client_identity(auth: Option<&ClientAuth>) -> u64 {
    let mut hasher = DefaultHasher::new();
    hash_rules(auth, &mut hasher);
    hasher.finish()
}

fn hash_rules(auth: Option<&ClientAuth>, hasher: &mut DefaultHasher) {
    if let Some(auth) = auth {
        (auth.is_required, &auth.ca, &auth.crl, auth.depth).hash(hasher);
        format!("{:?}", (auth.expired_crl, &auth.allow, &auth.headers)).hash(hasher);
    }
}

fn binding(listener: &str, host: u64, epoch: [u8; 32]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(&host.to_be_bytes());
    context.update(&epoch);
    context.update(listener.as_bytes());
    let mut binding = [0; 32];
    binding.copy_from_slice(context.finish().as_ref());
    binding
}

/// The keys of a host, of different kinds.
#[derive(Debug)]
struct Keys(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for Keys {
    /// The first key that the client can verify.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        self.0.iter().find(fits).or_else(|| self.0.first()).cloned()
    }
}

/// ALPN names (RFC 7301 §6, RFC 9113 §3.2).
pub const H2: &[u8] = b"h2";
pub const HTTP1: &[u8] = b"http/1.1";
