//! The patterns that rules match against. Two patterns are equal if their texts are.

use regex::bytes::Regex;

/// The host of a rule. Names are lower case, without a port and without a final dot.
#[derive(Clone, Debug)]
pub enum HostPattern {
    Any,
    Exact(String),
    /// `*.example.com`; holds `.example.com`. Matches one or more labels at the start.
    LeadingWildcard(String),
    /// `www.example.*`; holds `www.example.`. Matches one or more labels at the end.
    TrailingWildcard(String),
    Regex(Regex),
}

/// The path of a rule; compared with the normalised path of the request.
#[derive(Clone, Debug)]
pub enum PathPattern {
    Any,
    Exact(String),
    /// With a final `/`: every path under it. Without: the path itself and every path under it, at a segment
    /// boundary.
    Prefix(String),
    Regex(Regex),
}

/// The value of a header, query parameter or cookie.
#[derive(Clone, Debug)]
pub enum ValuePattern {
    /// Present, with any value.
    Present,
    Exact(String),
    Regex(Regex),
}

impl PartialEq for HostPattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, Self::Any) => true,
            (Self::Exact(one), Self::Exact(other))
            | (Self::LeadingWildcard(one), Self::LeadingWildcard(other))
            | (Self::TrailingWildcard(one), Self::TrailingWildcard(other)) => one == other,
            (Self::Regex(one), Self::Regex(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }
}

impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, Self::Any) => true,
            (Self::Exact(one), Self::Exact(other)) | (Self::Prefix(one), Self::Prefix(other)) => one == other,
            (Self::Regex(one), Self::Regex(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }
}

impl PartialEq for ValuePattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Present, Self::Present) => true,
            (Self::Exact(one), Self::Exact(other)) => one == other,
            (Self::Regex(one), Self::Regex(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }
}

impl Eq for HostPattern {}
impl Eq for PathPattern {}
impl Eq for ValuePattern {}

impl ValuePattern {
    pub fn matches(&self, value: &[u8]) -> bool {
        match self {
            Self::Present => true,
            Self::Exact(expected) => expected.as_bytes() == value,
            Self::Regex(regex) => regex.is_match(value),
        }
    }
}
