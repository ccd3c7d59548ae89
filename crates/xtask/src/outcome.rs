//! How a task ends.

/// `Err` is for people: it says what failed and what to do.
pub(crate) type Outcome<T = ()> = Result<T, String>;
