//! Why a store cannot answer.

use std::fmt;

/// Says what happened in words that can stand in the operators' log: no key, no value, no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// It cannot be reached, or the connection broke.
    Away(String),
    /// It refuses our login, or wants one.
    Login(String),
    /// It did not answer in time.
    Late,
    /// It has no room for the item.
    Full(String),
    /// It does not permit what was asked: it is read-only, or a right is missing.
    Denied(String),
    /// The item is larger than it takes.
    TooLarge,
    /// What it answered or holds makes no sense: another schema, a damaged file, another protocol.
    Garbage(String),
    /// It has failed so often that it is left alone for a moment.
    Resting,
}

impl StoreError {
    /// The word in metrics and logs.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Away(_) | Self::Login(_) => "away",
            Self::Late => "late",
            Self::Full(_) => "full",
            Self::Denied(_) => "denied",
            Self::TooLarge => "too_large",
            Self::Garbage(_) => "garbage",
            Self::Resting => "resting",
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(detail) => write!(f, "it cannot be reached: {detail}"),
            Self::Login(detail) => write!(f, "the login is refused: {detail}"),
            Self::Late => f.write_str("it did not answer in time"),
            Self::Full(detail) => write!(f, "it has no room: {detail}"),
            Self::Denied(detail) => write!(f, "it does not permit this: {detail}"),
            Self::TooLarge => f.write_str("the item is larger than it takes"),
            Self::Garbage(detail) => write!(f, "its answer makes no sense: {detail}"),
            Self::Resting => f.write_str("it failed often, and is left alone for a moment"),
        }
    }
}

impl std::error::Error for StoreError {}
