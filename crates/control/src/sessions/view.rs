//! The JSON types of the admin API's part about sessions. Fields are only added.

use serde::{Deserialize, Serialize};

/// A line of `GET /sessions`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// A target group, or a listener and the number of its rule.
    pub scope: String,
    /// The client's prefix, or the first 16 hex digits of the cookie's hash.
    pub key: String,
    /// Of the target.
    pub group: Option<String>,
    /// `null`: the configuration does not name it any more, so the next request moves the session.
    pub target: Option<String>,
    /// `process`: none.
    pub store: String,
    /// RFC 3339, UTC.
    pub created: String,
    /// When its last request ended.
    pub last_used: String,
    /// Until it ends, if no request is in flight; otherwise after the end of the last one.
    pub remaining_ms: u64,
    pub requests_in_flight: u32,
    /// True if the store has it, too.
    pub shared: bool,
}

/// The last line of a list that was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoreView {
    pub more: u64,
}

/// The query of `GET /sessions`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterView {
    pub group: Option<String>,
    pub target: Option<String>,
    pub store: Option<String>,
    /// How many are listed before the rest is only counted.
    pub most: Option<u64>,
}

impl FilterView {
    /// The path and query of the request.
    pub fn path(&self) -> String {
        let mut path = "/sessions".to_owned();
        let most = self.most.map(|most| most.to_string());
        let pairs =
            [("group", &self.group), ("target", &self.target), ("store", &self.store), ("most", &most)];
        for (name, value) in pairs {
            let Some(value) = value else { continue };
            path.push(if path.contains('?') { '&' } else { '?' });
            path += &format!("{name}={}", encoded(value));
        }
        path
    }
}

/// Percent-encoded (RFC 3986 §2.1).
fn encoded(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The body of `POST /sessions/show`, `/sessions/delete` and `/sessions/move`
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionView {
    /// A key as in the list, an address or a cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The target that the sessions have now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

// A cookie lets its owner in.
impl std::fmt::Debug for QuestionView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("QuestionView(…)")
    }
}

/// `POST /sessions/show`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShowView {
    pub findings: Vec<FindingView>,
}

/// What one scope says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingView {
    pub scope: String,
    /// `source_ip`, `cookie_insert`, `cookie_rewrite` or `cookie_learn`
    pub by: String,
    /// `here`, `in_store`, `none`, `store_failed`; for sealed cookies `valid`, `malformed`, `forged`, `expired`, `unknown_target`
    pub verdict: String,
    pub target: Option<String>,
    /// Of a sealed cookie.
    pub expires: Option<String>,
    /// Why, for people.
    pub why: String,
    pub session: Option<SessionView>,
}

/// `POST /sessions/delete` and `/sessions/move`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeView {
    pub changed: u64,
    /// Sessions that stay as they are, because a store did not take the change, or was not asked after that.
    pub failed: u64,
    /// There may be more: repeat the request.
    pub more: bool,
    pub notes: Vec<String>,
}

impl ShowView {
    /// Whether a session was found.
    pub fn has_found(&self) -> bool {
        let is_found = |finding: &FindingView| matches!(&*finding.verdict, "here" | "in_store" | "valid");
        self.findings.iter().any(is_found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_encoded() {
        let filter = FilterView {
            group: Some("a&b ä".into()),
            target: Some("[::1]:80".into()),
            store: None,
            most: Some(3),
        };
        assert_eq!(filter.path(), "/sessions?group=a%26b%20%C3%A4&target=%5B%3A%3A1%5D%3A80&most=3");
        assert_eq!(FilterView::default().path(), "/sessions");
    }

    #[test]
    fn a_question_does_not_show_a_cookie() {
        let question = QuestionView { what: Some("secret".into()), ..QuestionView::default() };
        assert!(!format!("{question:?}").contains("secret"));
    }
}
