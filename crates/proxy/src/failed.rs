//! A failure with its detail: how a step says that it ends early.

use model::Failure;

/// A failure, and what exactly it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    /// For the access log; may be empty.
    pub(crate) detail: &'static str,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self { failure, detail: "" }
    }
}
