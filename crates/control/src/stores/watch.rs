//! Whether a session store serves, as operators are told: in the log, in status and in metrics.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use model::SessionStore;
use observe::Event;
use store::breaker::BreakerState;
use store::{Clock, Figures, Guarded, Store, StoreError};
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

    /// The new state, if it has changed.
    fn look(&mut self, figures: &Figures) -> Option<StoreState> {
        let is_refused = figures.refusals() > self.refusals;
        self.refusals = figures.refusals();
        let now = match figures.state {
            BreakerState::Resting | BreakerState::Probing => StoreState::Away,
            BreakerState::Closed if is_refused => StoreState::Refuses,
            BreakerState::Closed => lasting(figures),
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

/// The state of a store that is not left alone: what its calls say until one of them succeeds.
fn lasting(figures: &Figures) -> StoreState {
    let has_only_failed = figures.last_error.is_some() && !figures.has_served;
    let error = if has_only_failed { &figures.last_error } else { &figures.writes_error };
    match error {
        None => StoreState::Serves,
        Some(StoreError::Full(_) | StoreError::Denied(_)) => StoreState::Refuses,
        Some(StoreError::Late) => StoreState::Away,
        Some(_) if has_only_failed => StoreState::Away,
        Some(_) => StoreState::Refuses,
    }
}

/// Checks a store once, probes it while it fails, and tells when its state changes. The first guard is the most patient one.
pub(super) async fn watch(
    settings: SessionStore,
    guards: [Weak<Guarded>; 3],
    watch: Arc<Mutex<Watch>>,
    clock: Clock,
) {
    if let Some(patient) = guards[0].upgrade() {
        // What goes wrong shows in the figures.
        let _ = patient.check().await;
    }
    loop {
        let [Some(items), Some(store), Some(copies)] = guards.each_ref().map(Weak::upgrade) else { return };
        let figures = items.figures().and(store.figures()).and(copies.figures());
        let changed = watch.lock().unwrap_or_else(PoisonError::into_inner).look(&figures);
        if let Some(state) = changed {
            tell(&settings, state, &figures);
        }
        sleep(LOOK).await;
        let now = clock();
        tokio::join!(items.probe(now), store.probe(now), copies.probe(now));
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

    fn figures(state: BreakerState, refusals: u64) -> Figures {
        Figures {
            calls: 0,
            hits: 0,
            misses: 0,
            errors: ["full", "away", "late", "denied", "too_large", "garbage", "resting"]
                .map(|reason| (reason, if reason == "full" { refusals } else { 0 })),
            state,
            last_error: None,
            last_error_age: None,
            has_served: true,
            writes_error: None,
        }
    }

    #[test]
    fn a_store_that_fails_again_and_again_is_away_once() {
        use BreakerState::{Closed, Probing, Resting};
        let mut watch = Watch::default();
        let told: Vec<_> = [Closed, Resting, Probing, Closed, Resting, Closed, Closed, Resting, Resting]
            .into_iter()
            .filter_map(|breaker| watch.look(&figures(breaker, 0)))
            .collect();
        assert_eq!(told, [StoreState::Away]);
        let ends = [(); 4].map(|()| watch.look(&figures(Closed, 0)));
        assert_eq!(ends, [None, None, Some(StoreState::Serves), None]);
    }

    #[test]
    fn a_store_that_refuses_some_writes_is_told_once() {
        let mut watch = Watch::default();
        let mut look = |breaker, refusals| watch.look(&figures(breaker, refusals));
        assert_eq!(look(BreakerState::Closed, 0), None);
        assert_eq!(look(BreakerState::Closed, 1), Some(StoreState::Refuses));
        for refusals in 1..=50 {
            for _ in 0..50 {
                assert_eq!(look(BreakerState::Closed, refusals), None);
            }
        }
        let ends = (0..20).map(|_| look(BreakerState::Closed, 50)).position(|told| told.is_some());
        assert_eq!(ends, Some(10));
        assert_eq!(look(BreakerState::Resting, 51), Some(StoreState::Away));
        assert_eq!(look(BreakerState::Closed, 52), Some(StoreState::Refuses));
    }

    #[test]
    fn a_store_that_has_only_failed_or_takes_no_writes_does_not_serve() {
        let error = |error: StoreError| Some(error);
        let (away, late) = (StoreError::Away(String::new()), StoreError::Late);
        let denied = StoreError::Denied(String::new());
        for (has_served, last, writes, expected) in [
            (false, None, None, StoreState::Serves),
            (true, error(late.clone()), None, StoreState::Serves),
            (false, error(away.clone()), None, StoreState::Away),
            (false, error(late.clone()), None, StoreState::Away),
            (false, error(StoreError::Login(String::new())), None, StoreState::Away),
            (false, error(denied.clone()), None, StoreState::Refuses),
            (true, error(late.clone()), error(late.clone()), StoreState::Away),
            (true, error(late), error(away), StoreState::Refuses),
            (true, None, error(denied), StoreState::Refuses),
        ] {
            let figures = Figures {
                has_served,
                last_error: last,
                writes_error: writes,
                ..figures(BreakerState::Closed, 0)
            };
            let mut watch = Watch::default();
            watch.look(&figures);
            assert_eq!(watch.state(), expected, "{figures:?}");
        }
    }
}
