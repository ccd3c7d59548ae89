//! Whether a session store serves, as operators are told: in the log, in status and in metrics.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use model::SessionStore;
use observe::Event;
use store::breaker::BreakerState;
use store::{Figures, Guarded};
use tokio::time::sleep;

/// Whether a store serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum StoreState {
    #[default]
    Serves,
    /// It fails, and is left alone but for probes.
    Away,
    /// It answers, but takes nothing: it is full, or does not permit it.
    Refuses,
}

/// The state of a store over time. A store whose calls fail again and again changes it once.
#[derive(Debug, Default)]
pub(super) struct Watch {
    state: StoreState,
    /// Looks in a row without trouble.
    calm: u32,
    refusals: u64,
}

impl StoreState {
    pub(crate) const ALL: [Self; 3] = [Self::Serves, Self::Away, Self::Refuses];

    /// The word in status and metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Serves => "serves",
            Self::Away => "away",
            Self::Refuses => "refuses",
        }
    }

    const fn event(self) -> Event {
        match self {
            Self::Serves => Event::StoreBack,
            Self::Away => Event::StoreAway,
            Self::Refuses => Event::StoreRefuses,
        }
    }

    /// How many looks without trouble end it. Refusals come only with writes, which may be rare.
    const fn calm_min(self) -> u32 {
        match self {
            Self::Serves | Self::Away => 3,
            Self::Refuses => 60,
        }
    }
}

impl Watch {
    pub(super) fn state(&self) -> StoreState {
        self.state
    }

    /// The new state, if it has changed. `refusals` are all there were.
    fn look(&mut self, breaker: BreakerState, refusals: u64) -> Option<StoreState> {
        let is_refused = refusals > self.refusals;
        self.refusals = refusals;
        let now = match breaker {
            BreakerState::Resting | BreakerState::Probing => StoreState::Away,
            BreakerState::Closed if is_refused => StoreState::Refuses,
            BreakerState::Closed => StoreState::Serves,
        };
        if now == StoreState::Serves && self.state != now {
            self.calm += 1;
            if self.calm < self.state.calm_min() {
                return None;
            }
        }
        self.calm = 0;
        (std::mem::replace(&mut self.state, now) != now).then_some(now)
    }
}

/// Probes a store while it rests, and tells when its state changes.
pub(super) async fn watch(settings: SessionStore, guards: [Weak<Guarded>; 2], watch: Arc<Mutex<Watch>>) {
    loop {
        sleep(LOOK).await;
        let [Some(store), Some(items)] = guards.each_ref().map(Weak::upgrade) else { return };
        tokio::join!(store.probe(), items.probe());
        let figures = store.figures().and(items.figures());
        let changed = {
            let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
            watch.look(figures.state, figures.refusals())
        };
        if let Some(state) = changed {
            tell(&settings, state, &figures);
        }
    }
}

fn tell(settings: &SessionStore, state: StoreState, figures: &Figures) {
    let kind = settings.kind.as_str();
    let error = figures.last_error.as_ref().map(ToString::to_string).unwrap_or_default();
    let fields: [(_, &dyn fmt::Display); 3] = [("store", &settings.name), ("type", &kind), ("error", &error)];
    let shown = if state == StoreState::Serves { 2 } else { 3 };
    observe::event(state.event(), &fields[..shown]);
}

const LOOK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_fails_again_and_again_is_away_once() {
        use BreakerState::{Closed, Probing, Resting};
        let mut watch = Watch::default();
        let told: Vec<_> = [Closed, Resting, Probing, Closed, Resting, Closed, Closed, Resting, Resting]
            .into_iter()
            .filter_map(|breaker| watch.look(breaker, 0))
            .collect();
        assert_eq!(told, [StoreState::Away]);
        assert_eq!([(); 4].map(|()| watch.look(Closed, 0)), [None, None, Some(StoreState::Serves), None]);
    }

    #[test]
    fn a_store_that_refuses_some_writes_is_told_once() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(BreakerState::Closed, 0), None);
        assert_eq!(watch.look(BreakerState::Closed, 1), Some(StoreState::Refuses));
        for refusals in 1..=50 {
            for _ in 0..50 {
                assert_eq!(watch.look(BreakerState::Closed, refusals), None);
            }
        }
        let ends = (0..20).map(|_| watch.look(BreakerState::Closed, 50)).position(|told| told.is_some());
        assert_eq!((ends, watch.state()), (Some(10), StoreState::Serves));
        assert_eq!(watch.look(BreakerState::Resting, 51), Some(StoreState::Away));
        assert_eq!(watch.look(BreakerState::Closed, 52), Some(StoreState::Refuses));
    }
}
