//! The time that stores go by.

use std::sync::Arc;

/// Milliseconds since 1970. It may jump.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;
