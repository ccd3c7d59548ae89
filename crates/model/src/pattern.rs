//! What rules compare with.

use regex::bytes::Regex;

/// The host of a rule. Names are lower case, without a port and without a final dot.
#[derive(Clone, Debug)]
pub enum HostPattern {
    Any,
    Exact(String),
    /// `*.example.com`; holds `.example.com`. Matches one or more labels in front.
    LeadingWildcard(String),
    /// `www.example.*`; holds `www.example.`. Matches one or more labels behind.
    TrailingWildcard(String),
    Regex(Regex),
}

/// The path of a rule; compared with the normalised path of the request.
#[derive(Clone, Debug)]
pub enum PathPattern {
    Any,
    Exact(String),
    /// Ends with `/`: everything under it. Otherwise itself and everything under it, at a segment's border.
    Prefix(String),
    Regex(Regex),
}

/// The value of a header, query parameter or cookie.
#[derive(Clone, Debug)]
pub enum ValuePattern {
    /// There, whatever it is.
    Present,
    Exact(String),
    Regex(Regex),
}

impl ValuePattern {
    pub fn matches(&self, value: &[u8]) -> bool {
        match self {
            Self::Present => true,
            Self::Exact(expected) => expected.as_bytes() == value,
            Self::Regex(regex) => regex.is_match(value),
        }
    }
}
