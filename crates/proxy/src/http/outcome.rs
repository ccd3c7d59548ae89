//! How a request ends for its client's connection, and how a step ends the story early.

use model::Failure;

use crate::connection::Expected;
use crate::failed::Failed;

/// What happens to the client's connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It waits for another request.
    Idle,
    /// It closes, when the client has got what was sent. `expected` says what may still come from it.
    Close { expected: Expected },
    /// It is reset, so that the client cannot take a part of the response for the whole.
    Reset,
}

/// An early end of the story.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// This rule answers by itself.
    Reply {
        rule: usize,
    },
    Failed(Failed),
}

impl From<Failed> for Stop {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure.into())
    }
}
