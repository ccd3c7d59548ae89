//! What session persistence did for a request.

use crate::Counter;

/// How a request found its target, on a rule or group with persistence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionOutcome {
    /// It began a session, or had none that is valid.
    New,
    /// It went to the target of its session.
    Kept,
    /// The session went to another target, because its own is gone, unhealthy or failed.
    Moved,
    /// The session's target is full, so this one request went elsewhere.
    Spilled,
    /// The store did not say where a session is, so a hash of the client chose.
    Fallback,
    /// It went on without a session: the table is full of sessions in use, or the client is not known.
    None,
}

impl SessionOutcome {
    pub const ALL: [Self; 6] =
        [Self::New, Self::Kept, Self::Moved, Self::Spilled, Self::Fallback, Self::None];

    /// The word in log and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Kept => "kept",
            Self::Moved => "moved",
            Self::Spilled => "spilled",
            Self::Fallback => "fallback",
            Self::None => "none",
        }
    }
}

/// Why a session cookie of a request does not count (SP5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CookieRefusal {
    /// It does not have the form of one of ours.
    Malformed,
    /// It was not made with one of the keys, or was changed.
    Forged,
    Expired,
    /// There are several of its name.
    Several,
    /// It names a target to which the rule does not forward.
    UnknownTarget,
}

impl CookieRefusal {
    pub const ALL: [Self; 5] =
        [Self::Malformed, Self::Forged, Self::Expired, Self::Several, Self::UnknownTarget];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Forged => "forged",
            Self::Expired => "expired",
            Self::Several => "several",
            Self::UnknownTarget => "unknown_target",
        }
    }
}

/// What sessions did for the requests of one listener on one worker.
#[derive(Debug, Default)]
pub struct SessionCells {
    outcomes: [Counter; SessionOutcome::ALL.len()],
    refusals: [Counter; CookieRefusal::ALL.len()],
}

impl SessionCells {
    pub fn count(&self, outcome: SessionOutcome) {
        self.outcomes[outcome as usize].increment();
    }

    pub fn read(&self, outcome: SessionOutcome) -> u64 {
        self.outcomes[outcome as usize].read()
    }

    pub fn count_refused(&self, refusal: CookieRefusal) {
        self.refusals[refusal as usize].increment();
    }

    pub fn read_refused(&self, refusal: CookieRefusal) -> u64 {
        self.refusals[refusal as usize].read()
    }
}
