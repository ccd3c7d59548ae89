//! The one policy of retries: whether a request whose attempt failed may have another (KA6).
//!
//! The class of a failure ([`Retry`]) stands in the failure table of `model`, from which the page of status codes is made;
//! everything else is decided here, from facts about the attempt and the request.

use model::{Failure, Limits, Retry};

use super::choose::Tried;
use crate::failed::Failed;
use crate::snapshot::GroupPlan;

/// A failed attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Missed {
    pub(crate) failed: Failed,
    /// No byte of the request had been sent.
    pub(crate) is_unsent: bool,
    /// The connection had served a request before, so the target may have closed it in the meantime.
    pub(crate) was_reused: bool,
    /// The target says that it has not acted on the request (RFC 9113 §8.7).
    pub(crate) was_refused: bool,
}

impl Missed {
    /// On a connection that was made for it, or on none.
    pub(crate) fn new(failed: Failed, is_unsent: bool) -> Self {
        Self { failed, is_unsent, was_reused: false, was_refused: false }
    }

    /// Whether operators should hear of it even if another attempt succeeds. A connect that failed is told by its target,
    /// and targets close idle connections every day.
    pub(crate) fn is_news(&self) -> bool {
        let is_closed = self.failed.failure == Failure::TargetClosedBeforeResponse;
        is_closed && !self.was_reused && !self.was_refused
    }
}

/// What of a request decides whether it can be sent again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeatable {
    pub(crate) is_idempotent: bool,
    /// All of the body that was sent is still in memory.
    pub(crate) is_body_kept: bool,
    /// The head of a final response has begun to go to the client.
    pub(crate) is_answered: bool,
}

/// The attempts of one request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attempts {
    made: u32,
    /// How often another worker took the last place of a target that was chosen.
    places_lost: u32,
    pub(crate) tried: Tried,
    /// The next attempt must not reuse an idle connection.
    pub(crate) is_fresh: bool,
}

impl Attempts {
    /// Whether the request may have another attempt.
    pub(crate) fn may_begin(&self) -> bool {
        self.made < Limits::ATTEMPTS_MAX && self.places_lost < PLACES_LOST_MAX
    }

    /// The chosen target turned out to be full, before the attempt began.
    pub(crate) fn place_lost(&mut self) {
        self.places_lost += 1;
    }

    /// Why there was no attempt.
    pub(crate) fn why_none(&self, group: &GroupPlan) -> Failure {
        if self.places_lost > 0 || group.has_full() { Failure::TargetsFull } else { Failure::NoTarget }
    }

    /// Counts an attempt; returns its number, from 1.
    pub(crate) fn begin(&mut self) -> u32 {
        self.made += 1;
        self.made
    }

    /// Takes note of a failed attempt at `target`; returns whether another may be made.
    pub(crate) fn goes_on_after(&mut self, target: usize, missed: &Missed, request: Repeatable) -> bool {
        match missed.failed.failure.outcome().retry {
            Retry::IfUnsent if missed.is_unsent => self.tried.add(target),
            Retry::IfRepeatable if may_repeat(missed, request) => {
                if missed.was_reused || missed.was_refused {
                    self.is_fresh = true;
                } else {
                    self.tried.add(target);
                }
            }
            _ => return false,
        }
        true
    }
}

/// Whether a request may be sent again after a target closed the connection without a response: if nothing of it was
/// sent, if the target refused it, or if doing it twice is as good as doing it once (RFC 9110 §9.2.2). The last two need
/// all of the body that was sent.
fn may_repeat(missed: &Missed, request: Repeatable) -> bool {
    let is_unsent = missed.was_reused && missed.is_unsent;
    let is_harmless = missed.was_refused || request.is_idempotent;
    !request.is_answered && (is_unsent || is_harmless && request.is_body_kept)
}

/// Whether `bytes` of data that came with a request's head are kept after they were sent, in the smallest buffer that holds
/// them. Otherwise the request will not be sent again, and the buffer is of use to others.
pub(crate) fn is_kept(is_http2: bool, bytes: usize, is_idempotent: bool) -> bool {
    is_idempotent || is_http2 && bytes <= KEPT_BYTES_MAX
}

// limit: choices of a target whose last place was taken meanwhile.
const PLACES_LOST_MAX: u32 = 16;
// limit: bytes of a request's body that are kept while a target that speaks HTTP/2 may refuse the request.
const KEPT_BYTES_MAX: usize = net::SMALL;

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether, and how, a request goes on after a miss.
    fn goes_on(missed: &Missed, request: Repeatable) -> Option<bool> {
        let mut attempts = Attempts::default();
        attempts.goes_on_after(7, missed, request).then_some(attempts.is_fresh)
    }

    /// The facts as bits: unsent, reused, refused, idempotent, kept, answered.
    fn facts(failure: Failure, bits: u32) -> (Missed, Repeatable) {
        let bit = |place: u32| bits >> place & 1 == 1;
        let missed =
            Missed { failed: failure.into(), is_unsent: bit(0), was_reused: bit(1), was_refused: bit(2) };
        (missed, Repeatable { is_idempotent: bit(3), is_body_kept: bit(4), is_answered: bit(5) })
    }

    #[test]
    fn every_combination_of_facts_has_its_answer() {
        const ANOTHER_TARGET: Option<bool> = Some(false);
        const FRESH_CONNECTION: Option<bool> = Some(true);
        for &failure in Failure::ALL {
            for bits in 0..1 << 6 {
                let (missed, request) = facts(failure, bits);
                let expected = match failure {
                    Failure::TargetRefused
                    | Failure::TargetUnreachable
                    | Failure::TargetConnectTimeout
                    | Failure::TargetTls
                    | Failure::TargetTlsVerify => missed.is_unsent.then_some(ANOTHER_TARGET).flatten(),
                    Failure::TargetClosedBeforeResponse => match (missed, request) {
                        (_, Repeatable { is_answered: true, .. }) => None,
                        (Missed { was_reused: true, is_unsent: true, .. }, _) => FRESH_CONNECTION,
                        (_, Repeatable { is_body_kept: false, .. }) => None,
                        (Missed { was_refused: true, .. }, _) => FRESH_CONNECTION,
                        (Missed { was_reused: true, .. }, Repeatable { is_idempotent: true, .. }) => {
                            FRESH_CONNECTION
                        }
                        (_, Repeatable { is_idempotent: true, .. }) => ANOTHER_TARGET,
                        _ => None,
                    },
                    _ => None,
                };
                assert_eq!(goes_on(&missed, request), expected, "{failure:?} {missed:?} {request:?}");
            }
        }
    }

    #[test]
    fn a_post_that_may_have_arrived_is_never_sent_twice() {
        for bits in 0..1 << 6 {
            let (missed, request) = facts(Failure::TargetClosedBeforeResponse, bits);
            if !missed.is_unsent && !missed.was_refused && !request.is_idempotent {
                assert_eq!(goes_on(&missed, request), None, "{missed:?} {request:?}");
            }
        }
    }

    #[test]
    fn attempts_are_limited() {
        let mut attempts = Attempts::default();
        for number in 1..=Limits::ATTEMPTS_MAX {
            assert!(attempts.may_begin());
            assert_eq!(attempts.begin(), number);
        }
        assert!(!attempts.may_begin());
    }

    #[test]
    fn a_request_that_meets_two_closed_connections_goes_to_another_target() {
        let (missed, request) = facts(Failure::TargetClosedBeforeResponse, 0b01_1010);
        let mut attempts = Attempts::default();
        assert!(missed.was_reused && attempts.goes_on_after(0, &missed, request));
        assert_eq!((attempts.is_fresh, attempts.tried), (true, Tried::default()));
        let missed = Missed { was_reused: false, ..missed };
        assert!(attempts.goes_on_after(0, &missed, request));
        assert_ne!(attempts.tried, Tried::default());
    }

    #[test]
    fn only_data_that_may_be_sent_again_is_kept() {
        for (is_http2, bytes, is_idempotent, expected) in [
            (false, 10, true, true),
            (false, 10, false, false),
            (true, KEPT_BYTES_MAX, false, true),
            (true, KEPT_BYTES_MAX + 1, false, false),
            (true, KEPT_BYTES_MAX + 1, true, true),
        ] {
            assert_eq!(is_kept(is_http2, bytes, is_idempotent), expected);
        }
    }
}
