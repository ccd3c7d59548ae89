//! What the threads of a store use together.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;

use crate::Clock;

pub(super) struct Shared {
    pub(super) root: PathBuf,
    pub(super) clock: Clock,
    /// Reads of files that are no items.
    pub(super) damaged: AtomicU64,
}
