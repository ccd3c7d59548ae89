//! The metrics of sessions: tables, stores and gateways.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use observe::{Event, Exposition, Kind};
use proxy::SessionMark;

use super::Control;
use crate::sessions::Directory;
use crate::stores::{StoreFigures, StoreState};

impl Control {
    /// The names and tables of the sessions of the generation that is served now.
    pub(crate) fn directory(&self) -> Directory {
        Directory::new(Arc::clone(&self.state().serving.snapshot), self.live.session_tables(), self.wall)
    }

    pub(super) fn render_sessions(&self, page: &mut Exposition) {
        self.render_tables(page);
        self.render_loads(page);
        render_stores(page, &self.stores.figures());
        self.render_gateways(page);
    }

    fn render_tables(&self, page: &mut Exposition) {
        let tables: Vec<_> = self.live.session_tables();
        let tables: Vec<_> = tables
            .iter()
            .map(|(name, table)| (name.as_ref().map_or(PROCESS, |name| name.as_str()), table, table.counts()))
            .collect();
        for (name, help, read) in [
            ("evenkeel_sessions", "Sessions in the table of a store, or of the process.", 0_usize),
            ("evenkeel_sessions_max", "Sessions for which the table has room.", 1),
            ("evenkeel_session_table_bytes", "Memory of the table.", 2),
        ] {
            let mut family = page.family(name, help, Kind::Gauge);
            for (store, table, _) in &tables {
                let value = match read {
                    0 => table.sessions() as u64,
                    1 => u64::from(table.capacity()),
                    _ => table.bytes() as u64,
                };
                family.sample(&[("store", store)], value);
            }
        }
        let help = "What happened to sessions in the table; `full`: a request went on without one.";
        let mut family = page.family("evenkeel_session_table_events_total", help, Kind::Counter);
        for (store, _, counts) in &tables {
            for (event, count) in [
                ("created", counts.created),
                ("expired", counts.expired),
                ("evicted", counts.evicted),
                ("moved", counts.moved),
                ("full", counts.full),
            ] {
                family.sample(&[("store", store), ("event", event)], count);
            }
        }
    }

    /// How uneven sources are (SP3): a NAT shows as one busy session.
    fn render_loads(&self, page: &mut Exposition) {
        let loads = self.session_loads();
        let help = "Requests of persistent sessions in the last complete minute.";
        let mut family = page.family("evenkeel_session_requests_last_minute", help, Kind::Gauge);
        for SessionLoad { scope, requests, .. } in &loads {
            family.sample(&[("scope", scope.as_str())], *requests);
        }
        let help = "Those of the busiest session: of one address, perhaps a NAT, or of one cookie.";
        let mut family = page.family("evenkeel_session_busiest_requests_last_minute", help, Kind::Gauge);
        for SessionLoad { scope, busiest, .. } in &loads {
            family.sample(&[("scope", scope.as_str())], *busiest);
        }
    }

    /// The loads of all tables, under the names that operators know.
    fn session_loads(&self) -> Vec<SessionLoad> {
        let scopes = self.state().serving.snapshot.sessions();
        let now_millis = net::monotonic_millis();
        let tables = self.live.session_tables();
        let loads = tables.iter().flat_map(|(_, table)| table.loads(now_millis));
        let named = |load: balance::session::ScopeLoad| {
            let scope = scopes.iter().find(|scope| scope.id == load.scope)?;
            let address = matches!(scope.mark(), SessionMark::Source(_))
                .then(|| Ipv6Addr::from_bits(load.client).to_canonical());
            Some(SessionLoad {
                scope: scope.name.clone(),
                requests: load.requests,
                busiest: load.busiest,
                address,
            })
        };
        loads.filter_map(named).collect()
    }

    /// Logs scopes in which one client makes most of the requests: its target carries them alone.
    pub(super) fn tell_uneven_sessions(&self) {
        for SessionLoad { scope, requests, busiest, address } in self.session_loads() {
            if requests >= UNEVEN_REQUESTS_MIN && busiest * 2 > requests {
                let percent = busiest * 100 / requests;
                let client: &dyn fmt::Display = match &address {
                    Some(address) => address,
                    None => &"one cookie",
                };
                let fields: [(_, &dyn fmt::Display); 3] =
                    [("scope", &scope), ("percent", &percent), ("client", client)];
                observe::event(Event::SessionsUneven, &fields);
            }
        }
    }

    fn render_gateways(&self, page: &mut Exposition) {
        let figures = self.gateways.figures();
        let help = "1 if the session gateway listens at its address.";
        let mut family = page.family("evenkeel_session_gateway_bound", help, Kind::Gauge);
        figures.iter().for_each(|(name, figures)| {
            family.sample(&[("gateway", name.as_str())], u64::from(figures.address().is_some()));
        });
        let help = "Commands of session gateways, by kind and by how they ended.";
        let mut family = page.family("evenkeel_session_gateway_commands_total", help, Kind::Counter);
        for (name, figures) in &figures {
            for counted in figures.commands() {
                let labels =
                    [("gateway", name.as_str()), ("command", counted.command), ("result", counted.result)];
                family.sample(&labels, counted.count);
            }
        }
        let help = "Connections of applications to session gateways that are open now.";
        let mut family = page.family("evenkeel_session_gateway_connections_open", help, Kind::Gauge);
        figures.iter().for_each(|(name, figures)| {
            family.sample(&[("gateway", name.as_str())], figures.connections_open());
        });
        let help = "Bytes between applications and session gateways.";
        let mut family = page.family("evenkeel_session_gateway_bytes_total", help, Kind::Counter);
        for (name, figures) in &figures {
            let (received, sent) = figures.bytes();
            for (direction, count) in [("in", received), ("out", sent)] {
                family.sample(&[("gateway", name.as_str()), ("direction", direction)], count);
            }
        }
    }
}

fn render_stores(page: &mut Exposition, stores: &[StoreFigures]) {
    let help = "1 for the store's current state, 0 for the others; `refuses`: it is full or read-only.";
    let mut family = page.family("evenkeel_session_store_state", help, Kind::Gauge);
    for StoreFigures { name, state, .. } in stores {
        for one in StoreState::ALL {
            family.sample(&[("store", name.as_str()), ("state", one.as_str())], u64::from(*state == one));
        }
    }
    let help = "Calls to session stores, for sessions and for items of gateways.";
    let mut family = page.family("evenkeel_session_store_calls_total", help, Kind::Counter);
    stores.iter().for_each(|one| family.sample(&[("store", one.name.as_str())], one.store.calls));
    let help = "Items that were asked for, by whether they were there.";
    let mut family = page.family("evenkeel_session_store_reads_total", help, Kind::Counter);
    for StoreFigures { name, store, .. } in stores {
        for (result, count) in [("hit", store.hits), ("miss", store.misses)] {
            family.sample(&[("store", name.as_str()), ("result", result)], count);
        }
    }
    let help = "Calls that failed, by reason; `resting`: they were not made, because many had failed before.";
    let mut family = page.family("evenkeel_session_store_errors_total", help, Kind::Counter);
    for StoreFigures { name, store, .. } in stores {
        for (reason, count) in store.errors {
            family.sample(&[("store", name.as_str()), ("reason", reason)], count);
        }
    }
    let help = "What came of sessions that other processes may know, too.";
    let mut family = page.family("evenkeel_session_store_sessions_total", help, Kind::Counter);
    for StoreFigures { name, sharing, .. } in stores {
        let Some(sharing) = sharing else { continue };
        for (event, count) in [
            ("hit", sharing.hits),
            ("miss", sharing.misses),
            ("claim_won", sharing.claims_won),
            ("claim_lost", sharing.claims_lost),
            ("moved", sharing.moves),
            ("corrected", sharing.corrections),
            ("rewritten", sharing.rewritten),
            ("untouched", sharing.untouched),
            ("overloaded", sharing.overloaded),
            ("failed", sharing.failed),
        ] {
            family.sample(&[("store", name.as_str()), ("event", event)], count);
        }
    }
}

/// The sessions of one group or rule in the last complete minute.
struct SessionLoad {
    scope: String,
    requests: u64,
    busiest: u64,
    /// Of the busiest one; `None`: it is known by a cookie.
    address: Option<IpAddr>,
}

/// Of fewer requests in a minute, one client may well make most.
const UNEVEN_REQUESTS_MIN: u64 = 600;
/// The label of the table that needs no store.
const PROCESS: &str = "process";
