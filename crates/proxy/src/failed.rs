//! A failure with its detail: how a step says that it ends early.

use model::Failure;
use proto::http1::HeadError;

/// A failure, and what exactly it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    /// For the access log; may be empty.
    pub(crate) detail: &'static str,
}

impl From<HeadError> for Failed {
    fn from(HeadError { failure, detail }: HeadError) -> Self {
        Self { failure, detail }
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self { failure, detail: "" }
    }
}
