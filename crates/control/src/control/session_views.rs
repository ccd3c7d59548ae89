//! Session stores and session gateways in the status.

use model::{Config, SessionGateway, SessionStore};

use store::breaker::BreakerState;

use super::Control;
use crate::gateway::{CONNECTIONS_MAX, Counted, name_of};
use crate::view::{SessionGatewayView, SessionStoreView};

impl Control {
    /// The stores in the order of the config.
    pub(super) fn session_stores(&self, config: &Config) -> Vec<SessionStoreView> {
        let figures = self.stores.figures();
        let view = |store: &SessionStore| {
            let table = self.live.session_table(Some(&store.name));
            let view = SessionStoreView {
                name: store.name.to_string(),
                kind: store.kind.as_str().to_owned(),
                state: NOT_OPEN.to_owned(),
                sessions: table.sessions() as u64,
                sessions_max: table.capacity(),
                ..SessionStoreView::default()
            };
            let Some(one) = figures.iter().find(|one| one.name == store.name) else { return view };
            SessionStoreView {
                state: one.state.as_str().to_owned(),
                writes_fail: one.store.writes_error.is_some() && one.store.state == BreakerState::Closed,
                last_error: one.store.last_error.as_ref().map(ToString::to_string),
                last_error_seconds_ago: one.store.last_error_age.map(|age| age.as_secs()),
                calls: one.store.calls,
                hits: one.store.hits,
                misses: one.store.misses,
                errors: one.store.errors.iter().map(|(_, count)| count).sum(),
                ..view
            }
        };
        config.session_stores.iter().map(view).collect()
    }

    /// The gateways in the order of the config.
    pub(super) fn session_gateways(&self, config: &Config, is_stopping: bool) -> Vec<SessionGatewayView> {
        let figures = self.gateways.figures();
        let view = |gateway: &SessionGateway| {
            let view = SessionGatewayView {
                name: gateway.name.to_string(),
                bind: name_of(&gateway.bind),
                store: gateway.store.to_string(),
                cache: gateway.cache.as_ref().map(ToString::to_string),
                connections_max: CONNECTIONS_MAX as u64,
                // A stop ends all.
                trouble: (!is_stopping).then(|| NOT_STARTED.to_owned()),
                ..SessionGatewayView::default()
            };
            let Some((_, figures)) = figures.iter().find(|(name, _)| *name == gateway.name) else {
                return view;
            };
            let commands = figures.commands();
            let failed = commands.iter().filter(|counted| counted.result == "error");
            let sum = |counted: &Counted| counted.count;
            SessionGatewayView {
                address: figures.address(),
                trouble: figures.trouble(),
                connections_open: figures.connections_open(),
                commands: commands.iter().map(sum).sum(),
                errors: failed.map(sum).sum(),
                ..view
            }
        };
        config.session_gateways.iter().map(view).collect()
    }
}

/// The state of a store that cannot be opened.
const NOT_OPEN: &str = "not_open";
const NOT_STARTED: &str = "it was not started, see the log";
