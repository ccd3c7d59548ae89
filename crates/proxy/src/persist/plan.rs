//! The compiled form of persistence.

use std::sync::Arc;
use std::time::Duration;

use balance::hash_bytes;
use balance::session::{InStore, Pace, SessionKey, TargetId};
use model::{
    ClientPrefix, CookieMode, CookiePersistence, KeySource, Limits, Persistence, SecretKeys,
    SessionStoreName, SourceFrom, SourceIpPersistence,
};
use observe::CookieRefusal;
use proto::cookie;

use super::seal::{Route, Sealer};
use super::table::{Link, SessionTable};
use crate::live::Live;

/// How one group, or one rule, finds the targets of its sessions.
#[derive(Debug)]
pub(crate) struct PersistencePlan {
    settings: Arc<Persistence>,
    scope: u64,
    pub(crate) mark: MarkPlan,
}

/// What marks a session.
#[derive(Debug)]
pub(crate) enum MarkPlan {
    /// A cookie of ours.
    Inserted(CookiePlan),
    /// The target's cookie, which carries the route.
    Rewritten(CookiePlan),
    /// The target's cookie, whose values are remembered.
    Learned(LearnedPlan),
    /// The client's address.
    Source(SourcePlan),
}

#[derive(Debug)]
pub(crate) struct CookiePlan {
    pub(crate) name: String,
    pub(crate) sealer: Sealer,
    pub(crate) ttl_seconds: Option<u32>,
    /// The target does not get the cookie.
    pub(crate) hides: bool,
    /// What follows the value in `Set-Cookie`, on connections without and with TLS.
    attributes: [Box<[u8]>; 2],
}

#[derive(Debug)]
pub(crate) struct LearnedPlan {
    pub(crate) name: String,
    pub(crate) keeper: Keeper,
}

#[derive(Debug)]
pub(crate) struct SourcePlan {
    pub(crate) prefix: ClientPrefix,
    pub(crate) from: SourceFrom,
    pub(crate) spill: Option<u32>,
    pub(crate) keeper: Keeper,
}

/// Where sessions are kept, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    pub(crate) table: Arc<SessionTable>,
    pub(crate) scope: u64,
    pub(crate) timeout_millis: u64,
}

/// What a persistence is for: sessions of one scope are apart from those of others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'a> {
    Group(&'a str),
    /// The listener's name, and the rule's identity.
    Rule(&'a str, &'a str),
}

impl PersistencePlan {
    /// Compiles it. Returns `previous` if nothing changed.
    pub(crate) fn compile(
        settings: &Arc<Persistence>,
        scope: Scope<'_>,
        live: &Live,
        previous: Option<&Arc<Self>>,
    ) -> Arc<Self> {
        let scope = scope.hash();
        let is_same = |plan: &&Arc<Self>| plan.scope == scope && plan.settings == *settings;
        if let Some(previous) = previous.filter(is_same) {
            return Arc::clone(previous);
        }
        let mark = match &**settings {
            Persistence::Cookie(cookie) => MarkPlan::of_cookie(cookie, scope, live),
            Persistence::SourceIp(source) => MarkPlan::Source(SourcePlan::compile(source, scope, live)),
        };
        Arc::new(Self { settings: Arc::clone(settings), scope, mark })
    }

    /// What its sessions are for; see [`Scope`].
    pub(crate) fn scope(&self) -> u64 {
        self.scope
    }

    /// True if sessions of either are sessions of the other.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.scope == other.scope && self.settings == other.settings
    }

    /// Where its sessions are kept; `None`: in cookies.
    pub(crate) fn keeper(&self) -> Option<&Keeper> {
        match &self.mark {
            MarkPlan::Inserted(_) | MarkPlan::Rewritten(_) => None,
            MarkPlan::Learned(learned) => Some(&learned.keeper),
            MarkPlan::Source(source) => Some(&source.keeper),
        }
    }

    /// See [`SourceIpPersistence::spill`].
    pub(crate) fn spill(&self) -> Option<u32> {
        match &self.mark {
            MarkPlan::Source(source) => source.spill,
            _ => None,
        }
    }
}

impl MarkPlan {
    fn of_cookie(cookie: &CookiePersistence, scope: u64, live: &Live) -> Self {
        match cookie.mode {
            CookieMode::Insert => Self::Inserted(CookiePlan::compile(cookie, scope)),
            CookieMode::Rewrite => Self::Rewritten(CookiePlan::compile(cookie, scope)),
            CookieMode::Learn => {
                let seconds = cookie.ttl.map_or(Limits::LEARNED_SESSION_SECONDS, |ttl| ttl.as_secs());
                let keeper = Keeper::new(cookie.store.as_ref(), scope, seconds.saturating_mul(1_000), live);
                Self::Learned(LearnedPlan { name: cookie.name.clone(), keeper })
            }
        }
    }
}

impl CookiePlan {
    fn compile(cookie: &CookiePersistence, scope: u64) -> Self {
        let attributes = |is_tls| {
            let mut out = Vec::new();
            cookie::write_attributes(&cookie.attributes, cookie.ttl, is_tls, &mut out);
            out.into_boxed_slice()
        };
        Self {
            name: cookie.name.clone(),
            sealer: sealer(&keys(cookie.key.as_ref()), &cookie.name, scope),
            ttl_seconds: cookie.ttl.map(|ttl| u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX)),
            hides: cookie.hide,
            attributes: [attributes(false), attributes(true)],
        }
    }

    #[cfg(test)]
    pub(crate) fn for_tests(keys: &SecretKeys, name: &str) -> Self {
        let attributes = [Box::default(), Box::default()];
        Self {
            name: name.to_owned(),
            sealer: sealer(keys, name, 1),
            ttl_seconds: None,
            hides: false,
            attributes,
        }
    }

    /// Opens a sealed route. One without an end, from before there was a `ttl`, is as good as expired.
    pub(crate) fn open(&self, text: &[u8], unix_seconds: u64) -> Result<Route, CookieRefusal> {
        let route = self.sealer.open(text, u32::try_from(unix_seconds).unwrap_or(u32::MAX))?;
        let is_endless = route.expires == 0 && self.ttl_seconds.is_some();
        if is_endless { Err(CookieRefusal::Expired) } else { Ok(route) }
    }

    pub(crate) fn attributes(&self, is_tls: bool) -> &[u8] {
        &self.attributes[usize::from(is_tls)]
    }
}

impl SourcePlan {
    fn compile(source: &SourceIpPersistence, scope: u64, live: &Live) -> Self {
        let millis = u64::try_from(source.timeout.as_millis()).unwrap_or(u64::MAX);
        let keeper = Keeper::new(source.store.as_ref(), scope, millis, live);
        Self { prefix: source.prefix, from: source.from, spill: source.spill, keeper }
    }
}

impl Keeper {
    fn new(store: Option<&SessionStoreName>, scope: u64, timeout_millis: u64, live: &Live) -> Self {
        Self { table: live.session_table(store), scope, timeout_millis }
    }

    /// How long a session that is not used again stays in a shared store.
    pub(crate) fn lifetime(&self) -> Duration {
        shared_lifetime(self.timeout_millis, self.timeout_millis)
    }

    /// The way to a shared store, if it has to be asked about a session.
    pub(crate) fn link_to_ask(&self, in_store: InStore, now_millis: u64) -> Option<Arc<Link>> {
        self.table.link_to_ask(in_store, self.timeout_millis, now_millis)
    }

    /// Forgets a session, here and in a shared store.
    pub(crate) fn forget(&self, key: SessionKey) {
        self.table.remove(key);
        if let Some(link) = self.table.link() {
            link.client.forget((key.scope, key.client));
        }
    }

    /// Puts a session where it is, without a request of it in flight.
    pub(crate) fn put(&self, key: SessionKey, target: TargetId, now_millis: u64) {
        let assigned = self.table.assign(key, target, self.timeout_millis, now_millis);
        if let Some(hold) = assigned.hold {
            self.table.end(key, hold, now_millis);
        }
        if assigned.target != target {
            self.table.reassign(key, assigned.target, target);
        }
    }
}

impl Scope<'_> {
    /// The same number in every process with this configuration, since processes share stores.
    fn hash(self) -> u64 {
        match self {
            Self::Group(name) => hash_bytes([b"group\0", name.as_bytes()].concat().as_slice()),
            Self::Rule(listener, rule) => {
                hash_bytes([b"rule\0", listener.as_bytes(), b"\0", rule.as_bytes()].concat().as_slice())
            }
        }
    }
}

fn sealer(keys: &SecretKeys, name: &str, scope: u64) -> Sealer {
    #[expect(clippy::expect_used, reason = "every 32 bytes are a key of AES-256")]
    Sealer::new(keys, &[name.as_bytes(), b"\0", &scope.to_be_bytes()].concat())
        .expect("the cipher takes a key of 32 bytes")
}

/// How long a session with this timeout stays in a shared store that hears nothing more of it, `remaining_millis` before its
/// end: longer by the interval of its touches and two seconds, since the store must not lose a session in use. Another process
/// may find an unused one for that much longer.
pub fn shared_lifetime(remaining_millis: u64, timeout_millis: u64) -> Duration {
    let longer = Pace::of(timeout_millis).interval_ms() + TOUCH_LATE_MILLIS;
    Duration::from_millis(remaining_millis.saturating_add(longer))
}

/// Touches are looked for every second, and take a moment.
const TOUCH_LATE_MILLIS: u64 = 2_000;

/// The secrets of a cookie. A generated file is read or made before a configuration is compiled; without one, no cookie
/// outlives the plan.
fn keys(source: Option<&KeySource>) -> SecretKeys {
    let known = source.and_then(|source| match source {
        KeySource::File { keys, .. } => Some(keys.clone()),
        KeySource::Generated { keys, .. } => keys.clone(),
    });
    known.unwrap_or_else(|| {
        let mut current = [0; 32];
        #[expect(clippy::expect_used, reason = "the process could not have made its other keys either")]
        aws_lc_rs::rand::fill(&mut current).expect("the system gives random bytes");
        SecretKeys { current, previous: None }
    })
}
