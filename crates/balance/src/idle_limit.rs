//! How long an idle connection to a target may wait and still be reused (KA6).
//!
//! A target closes idle connections after a timeout that it rarely announces. A request sent at that moment is
//! lost, and a POST cannot be retried. Each worker's pool keeps one `IdleLimit` per target.

/// What is known about one target's idle timeout. All durations are idle times of a connection, in
/// milliseconds; `now` may come from any clock.
///
/// The pool asks [`may_reuse`](Self::may_reuse). A connection that may not be reused stays in the pool until
/// the target closes it or our own idle timeout ends. Those ends are the evidence that corrects a limit that is
/// too low, for example because a restart of the target closed a connection early. Reusing such connections
/// would correct it too, but would lose requests.
#[derive(Clone, Debug)]
pub struct IdleLimit {
    /// The idle time after which the target closes.
    closed: Option<u64>,
    announced: Option<u64>,
    /// How far the times of its closes deviate, in microseconds.
    deviation_micros: u64,
    round_trip: RoundTrip,
    /// When the limit was learnt or last confirmed.
    confirmed_at: u64,
    /// Connections in a row that clearly outlived `closed`.
    outlived: u32,
    /// The shortest idle time among them.
    outlived_min: u64,
    /// The number of them that raises the limit.
    needed: u32,
    /// The limit was raised and was not lowered since.
    is_raised: bool,
}

impl Default for IdleLimit {
    fn default() -> Self {
        Self {
            closed: None,
            announced: None,
            deviation_micros: 0,
            round_trip: RoundTrip::default(),
            confirmed_at: 0,
            outlived: 0,
            outlived_min: u64::MAX,
            needed: OUTLIVED_NEEDED_MIN,
            is_raised: false,
        }
    }
}

impl IdleLimit {
    pub fn may_reuse(&self, idle_millis: u64) -> bool {
        self.limit_millis().is_none_or(|limit| idle_millis < limit)
    }

    /// The limit, learnt or announced. `None` if nothing is known; then only the configured idle timeout
    /// applies.
    pub fn limit_millis(&self) -> Option<u64> {
        let closed = self.closed.map(|closed| self.less_margin(closed, self.margin(closed)));
        let announced = self.announced.map(|announced| self.less_margin(announced, margin_max(announced)));
        match (closed, announced) {
            (Some(closed), Some(announced)) => Some(closed.min(announced)),
            (closed, announced) => closed.or(announced),
        }
    }

    /// Records that the target closed a connection with this idle time. If that was noticed only at a reuse,
    /// the idle time is that of the reuse.
    pub fn observe_closed(&mut self, idle_millis: u64, now: u64) {
        if idle_millis < TIMEOUT_MILLIS_MIN {
            return;
        }
        match self.closed {
            Some(closed) if outlives(idle_millis, closed) => self.outlive(idle_millis, now),
            Some(closed) if idle_millis >= self.less_margin(closed, self.margin(closed)) => {
                self.confirm(closed, idle_millis, now);
            }
            _ => self.lower(idle_millis, now),
        }
    }

    /// Records that we closed a connection with this idle time while it was still open.
    pub fn observe_survived(&mut self, idle_millis: u64, now: u64) {
        if self.closed.is_some_and(|closed| outlives(idle_millis, closed)) {
            self.outlive(idle_millis, now);
        }
    }

    /// Records that the target sent `Keep-Alive: timeout=seconds` (RFC 2068 §19.7.1.1). The latest value
    /// replaces the one before.
    pub fn observe_keep_alive_timeout(&mut self, seconds: u32) {
        self.announced = Some(u64::from(seconds) * 1_000);
    }

    /// Records the time from sending a request to the start of its response: an upper bound of the round trip.
    pub fn observe_response(&mut self, micros: u64) {
        self.round_trip.observe(micros);
    }

    fn lower(&mut self, idle_millis: u64, now: u64) {
        // A raise that must be reversed was wrong: the next one needs twice the evidence.
        if self.is_raised && self.closed.is_some_and(|closed| outlives(closed, idle_millis)) {
            self.needed = self.needed.saturating_mul(2).min(OUTLIVED_NEEDED_MAX);
            self.is_raised = false;
        }
        self.learn(idle_millis, now);
    }

    fn outlive(&mut self, idle_millis: u64, now: u64) {
        self.outlived += 1;
        self.outlived_min = self.outlived_min.min(idle_millis);
        if self.outlived >= self.needed {
            self.is_raised = true;
            self.learn(self.outlived_min, now);
        }
    }

    fn learn(&mut self, idle_millis: u64, now: u64) {
        self.closed = Some(idle_millis);
        self.deviation_micros = (margin_max(idle_millis) * 1_000).div_ceil(DEVIATIONS);
        self.confirmed_at = now;
        self.restart_count();
    }

    /// Records an end close to the expected time: the limit is right, and the difference shows how exact it is.
    /// An early end counts at once and in full. A late end is harmless and counts in part, as a sign of how
    /// early another may come.
    fn confirm(&mut self, closed: u64, idle_millis: u64, now: u64) {
        self.restart_count();
        let early_micros = closed.saturating_sub(idle_millis) * 1_000;
        let late = idle_millis.saturating_sub(closed);
        self.deviation_micros = self.deviation_micros.max(early_micros);
        self.closed = Some(closed.min(idle_millis));
        // Connections that end at the same time are one observation and count once.
        if now.saturating_sub(self.confirmed_at) < MOMENT_MILLIS {
            return;
        }
        self.confirmed_at = now;
        self.closed = Some(closed.min(idle_millis) + late / 16);
        self.deviation_micros = u64::midpoint(self.deviation_micros, early_micros.max(late * 1_000 / 4));
    }

    fn restart_count(&mut self) {
        self.outlived = 0;
        self.outlived_min = u64::MAX;
    }

    /// Covers the granularity of both clocks and the deviation of the target's closes so far.
    fn margin(&self, closed: u64) -> u64 {
        (self.deviation_micros * DEVIATIONS / 1_000).clamp(MARGIN_MILLIS_MIN, margin_max(closed))
    }

    /// Subtracts the margin and the round trip. The target counts from when it sent its response, and our
    /// request takes time to arrive.
    fn less_margin(&self, millis: u64, margin: u64) -> u64 {
        millis.saturating_sub(margin + self.round_trip.millis().min(millis / 16))
    }
}

/// The shortest of the recent response times, an upper bound of the round trip.
#[derive(Clone, Copy, Debug)]
struct RoundTrip {
    micros: u64,
    next_micros: u64,
    observed: u32,
}

impl Default for RoundTrip {
    fn default() -> Self {
        Self { micros: u64::MAX, next_micros: u64::MAX, observed: 0 }
    }
}

impl RoundTrip {
    /// Takes the minimum of this window and of the one before, so that a route that became longer is noticed.
    fn observe(&mut self, micros: u64) {
        self.next_micros = self.next_micros.min(micros);
        self.micros = self.micros.min(micros);
        self.observed += 1;
        if self.observed == ROUND_TRIP_WINDOW {
            *self = Self { micros: self.next_micros, ..Self::default() };
        }
    }

    /// 0 if nothing is known.
    fn millis(self) -> u64 {
        if self.micros == u64::MAX { 0 } else { self.micros.div_ceil(1_000) }
    }
}

/// True if this idle time shows that the limit is too low: it is longer by more than twice the margin.
fn outlives(idle_millis: u64, closed: u64) -> bool {
    idle_millis.saturating_sub(2 * margin_max(idle_millis)) > closed.saturating_sub(margin_max(closed))
}

/// The margin while the target's accuracy is unknown. At a timeout of 1 s it costs 4 % of the reuse, at 5 s 2.4
/// %.
fn margin_max(millis: u64) -> u64 {
    20 + millis / 50
}

const MARGIN_MILLIS_MIN: u64 = 8;
/// The margin as a multiple of the deviation.
const DEVIATIONS: u64 = 3;
const MOMENT_MILLIS: u64 = 500;
const ROUND_TRIP_WINDOW: u32 = 256;

/// A connection that ends sooner did not time out: the target closed it after a number of requests, or stopped.
const TIMEOUT_MILLIS_MIN: u64 = 200;

const OUTLIVED_NEEDED_MIN: u32 = 16;
const OUTLIVED_NEEDED_MAX: u32 = 4_096;

#[cfg(test)]
mod tests;
