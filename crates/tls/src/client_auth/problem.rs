//! A problem with the files of a client policy.

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `false`: a warning.
    pub is_error: bool,
    /// With the file's path in front.
    pub message: String,
    pub hint: String,
}

impl Problem {
    pub(super) fn error(message: String, hint: impl Into<String>) -> Self {
        Self { is_error: true, message, hint: hint.into() }
    }

    pub(super) fn warning(message: String, hint: impl Into<String>) -> Self {
        Self { is_error: false, message, hint: hint.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.hint)
    }
}
