//! What stays in use when its time is over, or when its file cannot be used.

use std::path::PathBuf;

/// The files for which what is served now stays in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// New ones that have expired already: the rest of a reload is not held back by them.
    Ended,
    /// All that cannot be used: a swap is one of each file by itself.
    Unusable,
}

/// Something in a file that is in use though its time is over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ended {
    pub path: PathBuf,
    /// Such as `certificate CN=www.example.com`.
    pub what: String,
    /// In seconds since 1970.
    pub not_after: u64,
}
