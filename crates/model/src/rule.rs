//! A rule: what it matches and what then happens (HTTP1).

use std::sync::Arc;

use crate::{AccessList, Cidr, HostPattern, PathPattern, TargetGroupName, ValuePattern, WebSocket};

#[derive(Clone, Debug)]
pub struct Rule {
    pub host: HostPattern,
    pub path: PathPattern,
    /// Only with a prefix that ends with `/`: the same path without it is redirected there.
    pub adds_slash: bool,
    pub conditions: Conditions,
    /// Who may come; a client that may not is refused, and meets no other rule.
    pub access: Option<Arc<AccessList>>,
    pub action: Action,
    /// Only with [`Action::Forward`].
    pub rewrite: Option<PathRewrite>,
    /// Only with [`Action::Forward`].
    pub request_fields: FieldEdits,
    pub response_fields: FieldEdits,
    pub websocket: WebSocket,
}

impl Rule {
    /// Equal for rules that match the same requests as far as their text shows; the order of conditions does not
    /// count. No listener has two rules with the same.
    pub fn identity(&self) -> String {
        let mut conditions: Vec<String> = Vec::new();
        let Conditions { methods, headers, queries, cookies, sources } = &self.conditions;
        conditions.extend(methods.iter().map(|method| format!("method {method:?}")));
        conditions.extend(headers.iter().map(|header| format!("header {header:?}")));
        conditions.extend(queries.iter().map(|query| format!("query {query:?}")));
        conditions.extend(cookies.iter().map(|cookie| format!("cookie {cookie:?}")));
        conditions.extend(sources.iter().map(|source| format!("source {source:?}")));
        conditions.sort();
        format!("{:?} {:?} {conditions:?}", self.host, self.path)
    }
}

/// All of them must hold. More of them win over fewer, between rules of equal host and path.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// Empty: any method. Upper case as on the wire.
    pub methods: Vec<String>,
    pub headers: Vec<FieldCondition>,
    pub queries: Vec<NamedCondition>,
    pub cookies: Vec<NamedCondition>,
    /// Empty: any source. Compared with the client's address after trusted proxies were taken into account.
    pub sources: Vec<Cidr>,
}

impl Conditions {
    /// How many kinds of conditions and single conditions there are; the more, the earlier the rule is tried.
    pub fn count(&self) -> usize {
        usize::from(!self.methods.is_empty())
            + self.headers.len()
            + self.queries.len()
            + self.cookies.len()
            + usize::from(!self.sources.is_empty())
    }
}

/// A condition on a header; `name` in lower case, compared without case (RFC 9110 §5.1).
#[derive(Clone, Debug)]
pub struct FieldCondition {
    pub name: String,
    pub value: ValuePattern,
}

/// A condition on a query parameter or a cookie; names compare byte for byte.
#[derive(Clone, Debug)]
pub struct NamedCondition {
    pub name: String,
    pub value: ValuePattern,
}

#[derive(Clone, Debug)]
pub enum Action {
    /// To one of these groups, by weight. Never empty; at least one weight is above 0.
    Forward(Vec<WeightedGroup>),
    Redirect(Redirect),
    Fixed(FixedResponse),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightedGroup {
    pub group: TargetGroupName,
    /// 0–1000.
    pub weight: u32,
}

/// `code` is 301, 302, 303, 307 or 308.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    pub to: Vec<TemplatePiece>,
    pub code: u16,
}

/// A piece of a redirect's `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplatePiece {
    Text(String),
    /// `{host}`: the request's host without its port.
    Host,
    /// `{port}`: `:` and the port that the request's host names; nothing for the default ports, 80 and 443.
    Port,
    /// `{path}`: the request's path as the client sent it.
    Path,
    /// `{query}`: `?` and the query as sent, or nothing.
    Query,
}

/// A ready reply. `status` is 200–599; a body is absent for 204 and 304.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedResponse {
    pub status: u16,
    pub content_type: String,
    pub body: Arc<[u8]>,
}

/// What the target sees instead of the client's path. The query stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathRewrite {
    /// The rule's whole (exact) path becomes this, or any path where the rule has none.
    Whole(String),
    /// The rule's prefix becomes this.
    Prefix(String),
    /// The rule's regex match is expanded: `$1`, `${name}`, `$$`.
    Regex(String),
}

/// Edits of header fields; names as the operator spelt them, never a framing or hop-by-hop field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldEdits {
    /// All fields of that name are removed, then one is added.
    pub set: Vec<(String, String)>,
    pub add: Vec<(String, String)>,
    pub remove: Vec<String>,
}

impl FieldEdits {
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }
}
