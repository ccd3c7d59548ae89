//! What the numbers in sessions mean: scopes, targets, stores, keys.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use balance::session::{InStore, Row, SessionKey, TargetId};
use model::{ClientPrefix, SessionStoreName, TargetGroupName};
use proxy::{SessionMark, SessionScope, SessionTable, Snapshot};

use super::{FilterView, SessionView, Unanswered, remaining_millis};
use crate::control::rfc3339;

/// The names of one generation, and the tables of the process.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) scopes: Vec<SessionScope>,
    pub(super) targets: HashMap<TargetId, (TargetGroupName, SocketAddr)>,
    pub(super) tables: Vec<(Option<SessionStoreName>, Arc<SessionTable>)>,
    wall: fn() -> SystemTime,
}

/// Which sessions are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) group: Option<TargetGroupName>,
    pub(super) target: Option<SocketAddr>,
    /// The name of a store, or `process`.
    pub(super) store: Option<String>,
}

impl Directory {
    pub(crate) fn new(
        snapshot: Arc<Snapshot>,
        tables: Vec<(Option<SessionStoreName>, Arc<SessionTable>)>,
        wall: fn() -> SystemTime,
    ) -> Self {
        let keys = snapshot.groups.iter().flat_map(|plan| &plan.targets).map(|target| target.key());
        let named =
            keys.map(|key| (TargetId::of(key.group.as_str(), key.address), (key.group.clone(), key.address)));
        Self { scopes: snapshot.sessions(), targets: named.collect(), snapshot, tables, wall }
    }

    /// Checks that the names exist.
    pub(super) fn filter(&self, names: &FilterView) -> Result<Filter, Unanswered> {
        let group = names.group.as_deref().map(|name| self.group(name)).transpose()?;
        let target = names.target.as_deref().map(|text| self.target(text)).transpose()?;
        let store = names.store.as_deref().map(|name| self.store(name)).transpose()?;
        Ok(Filter { group, target, store })
    }

    pub(super) fn group(&self, name: &str) -> Result<TargetGroupName, Unanswered> {
        let names = || self.snapshot.groups.iter().map(|plan| &plan.group.name);
        let found = names().find(|known| known.as_str() == name).cloned();
        found.ok_or_else(|| Unanswered::unknown("target group", name, names().map(TargetGroupName::as_str)))
    }

    pub(super) fn target(&self, text: &str) -> Result<SocketAddr, Unanswered> {
        let parsed = text.parse().ok();
        let mut addresses = self.targets.values().map(|&(_, address)| address);
        parsed.filter(|&parsed| addresses.any(|address| address == parsed)).ok_or_else(|| {
            let known: Vec<_> = self.targets.values().map(|(_, address)| address.to_string()).collect();
            Unanswered::unknown("target", text, known.iter().map(String::as_str))
        })
    }

    fn store(&self, name: &str) -> Result<String, Unanswered> {
        let names: Vec<_> = self.tables.iter().map(|(store, _)| store_name(store.as_ref())).collect();
        if names.contains(&name) || name == PROCESS {
            return Ok(name.to_owned());
        }
        Err(Unanswered::unknown("session store", name, names))
    }

    pub(super) fn scope(&self, id: u64) -> Option<&SessionScope> {
        self.scopes.iter().find(|scope| scope.id == id)
    }

    /// The scope and the words for a row of a table; `None`: its scope is gone, or uses another table now, so no request finds
    /// it, and it expires.
    pub(super) fn describe(&self, row: &Row, table: &Arc<SessionTable>) -> Option<(&SessionScope, String)> {
        let scope = self.scope(row.key.scope)?;
        let is_used = scope.table().is_some_and(|used| Arc::ptr_eq(used, table));
        is_used.then(|| key_text(scope, row.key)).flatten().map(|key| (scope, key))
    }

    pub(super) fn matches(&self, filter: &Filter, scope: &SessionScope, row: &Row) -> bool {
        let place = self.targets.get(&row.target);
        let is_of = |group: &TargetGroupName| match place {
            Some((of_target, _)) => of_target == group,
            None => scope.groups.contains(group),
        };
        filter.group.as_ref().is_none_or(is_of)
            && filter.target.is_none_or(|target| place.is_some_and(|&(_, address)| address == target))
    }

    pub(super) fn view(
        &self,
        row: &Row,
        (store, table): (Option<&SessionStoreName>, &Arc<SessionTable>),
        now_millis: u64,
    ) -> Option<SessionView> {
        let (scope, key) = self.describe(row, table)?;
        let place = self.targets.get(&row.target);
        let ago = |at: u64| rfc3339((self.wall)() - Duration::from_millis(now_millis.saturating_sub(at)));
        Some(SessionView {
            scope: scope.name.clone(),
            key,
            group: place.map(|(group, _)| group.to_string()),
            target: place.map(|(_, address)| address.to_string()),
            store: store_name(store).to_owned(),
            created: ago(row.created),
            last_used: ago(row.last),
            remaining_ms: remaining_millis(row, now_millis),
            requests_in_flight: row.open,
            shared: matches!(row.in_store, InStore::Synced(_))
                && scope.table().is_some_and(|table| table.link().is_some()),
        })
    }

    pub(super) fn store_of(&self, scope: &SessionScope) -> Option<&SessionStoreName> {
        let table = scope.table()?;
        self.tables.iter().find(|(_, one)| Arc::ptr_eq(one, table))?.0.as_ref()
    }

    pub(super) fn unix_seconds(&self) -> u64 {
        (self.wall)().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

pub(super) fn store_name(store: Option<&SessionStoreName>) -> &str {
    store.map_or(PROCESS, SessionStoreName::as_str)
}

/// A key as the list prints it. `None`: the key was made when the scope recognised its sessions by something else.
fn key_text(scope: &SessionScope, key: SessionKey) -> Option<String> {
    match scope.mark() {
        SessionMark::Inserted(_) | SessionMark::Rewritten(_) => None,
        SessionMark::Learned(_) => Some(format!("{:016x}", key.client >> 64)),
        SessionMark::Source(prefix) => {
            let address = Ipv6Addr::from_bits(key.client).to_canonical();
            (prefix.first(address) == key.client).then(|| format!("{address}/{}", bits(prefix, address)))
        }
    }
}

pub(super) fn bits(prefix: ClientPrefix, address: IpAddr) -> u8 {
    if address.to_canonical().is_ipv4() { prefix.v4_bits } else { prefix.v6_bits }
}

/// What a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named<'a> {
    Address(IpAddr),
    /// An address, and the number of its bits that count.
    Prefix(IpAddr, u8),
    /// The first half of a hash; it may be the value of a cookie as well.
    Digits(u64, &'a str),
    Cookie(&'a str),
}

impl<'a> Named<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        if let Ok(address) = text.parse() {
            return Self::Address(address);
        }
        if let Some((address, bits)) = text.split_once('/')
            && let (Ok(address), Ok(bits)) = (address.parse(), bits.parse())
        {
            return Self::Prefix(address, bits);
        }
        let is_digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u64::from_str_radix(text, 16) {
            Ok(half) if is_digits => Self::Digits(half, text),
            _ => Self::Cookie(text),
        }
    }
}

/// The label of the table that needs no store.
pub(super) const PROCESS: &str = "process";
