//! What may be longer than the limits, each with its reason. These lists only shrink: an entry that is no longer needed
//! is a problem itself.

/// Path, reason.
pub(crate) const FILES: &[(&str, &str)] = &[];

/// `path function`, reason.
pub(crate) const FUNCTIONS: &[(&str, &str)] = &[];
