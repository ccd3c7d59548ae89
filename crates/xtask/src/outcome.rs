//! How a task ends.

/// `Err` holds a message for people: what failed and what to do.
pub type Outcome<T = ()> = Result<T, String>;
