//! A rule: what it matches, and its action (HTTP1).

use std::sync::Arc;

use crate::{
    AccessList, Cidr, HostPattern, PathPattern, Persistence, TargetGroupName, ValuePattern, WebSocket,
};

#[derive(Clone, Debug)]
pub struct Rule {
    /// The host of a request; of a connection the name for which a TLS client asks (SNI).
    pub host: HostPattern,
    pub path: PathPattern,
    /// Redirects the path without its final `/` to the path with it. Only for a prefix that ends with `/`.
    pub adds_slash: bool,
    pub conditions: Conditions,
    /// The clients that may use the rule. For others the request is refused, and no other rule is tried.
    pub access: Option<Arc<AccessList>>,
    pub action: Action,
    /// Only with [`Action::Forward`].
    pub rewrite: Option<PathRewrite>,
    /// Only with [`Action::Forward`].
    pub request_fields: FieldEdits,
    pub response_fields: FieldEdits,
    pub websocket: WebSocket,
    /// Instead of that of the groups. Only with [`Action::Forward`].
    pub persistence: Option<Arc<Persistence>>,
}

impl Rule {
    /// Equal for rules with the same host, path and conditions, whatever the order of the conditions. Unique
    /// within a listener.
    pub fn identity(&self) -> String {
        let mut conditions: Vec<String> = Vec::new();
        let Conditions { methods, headers, queries, cookies, sources, protocols } = &self.conditions;
        conditions.extend(methods.iter().map(|method| format!("method {method:?}")));
        conditions.extend(headers.iter().map(|header| format!("header {header:?}")));
        conditions.extend(queries.iter().map(|query| format!("query {query:?}")));
        conditions.extend(cookies.iter().map(|cookie| format!("cookie {cookie:?}")));
        conditions.extend(sources.iter().map(|source| format!("source {source:?}")));
        conditions.extend(protocols.iter().map(|protocol| format!("alpn {protocol:?}")));
        conditions.sort();
        format!("{:?} {:?} {conditions:?}", self.host, self.path)
    }
}

/// All conditions must hold. Of rules with equal host and path, the one with more conditions is tried first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Empty: any method. Upper case as on the wire.
    pub methods: Vec<String>,
    pub headers: Vec<FieldCondition>,
    pub queries: Vec<NamedCondition>,
    pub cookies: Vec<NamedCondition>,
    /// Empty: any source. Compared with the client's address after trusted proxies were taken into account.
    pub sources: Vec<Cidr>,
    /// Empty: any, or none. Names of ALPN (RFC 7301), one of which the client of a connection offers.
    pub protocols: Vec<String>,
}

impl Conditions {
    /// The number of conditions. All methods count as one, and so do all sources, and all protocols.
    pub fn count(&self) -> usize {
        usize::from(!self.methods.is_empty())
            + self.headers.len()
            + self.queries.len()
            + self.cookies.len()
            + usize::from(!self.sources.is_empty())
            + usize::from(!self.protocols.is_empty())
    }
}

/// A condition on a header; `name` in lower case, compared without case (RFC 9110 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldCondition {
    pub name: String,
    pub value: ValuePattern,
}

/// A condition on a query parameter or a cookie; names compare byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedCondition {
    pub name: String,
    pub value: ValuePattern,
}

#[derive(Clone, Debug)]
pub enum Action {
    /// Forwards to one of these groups, chosen by weight. Never empty; at least one weight is above 0.
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
    /// `{port}`: `:` and the port that the request's host names; empty for the default ports, 80 and 443.
    Port,
    /// `{path}`: the request's path as the client sent it.
    Path,
    /// `{query}`: `?` and the query as sent, or empty.
    Query,
}

/// A response from the configuration. `status` is 200–599; the body is empty for 204 and 304.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedResponse {
    pub status: u16,
    pub content_type: String,
    pub body: Arc<[u8]>,
}

/// How the path is rewritten for the target. The query is not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathRewrite {
    /// Replaces the whole path, for a rule with an exact path or without a path.
    Whole(String),
    /// Replaces the rule's prefix.
    Prefix(String),
    /// Replaces the rule's regex match; `$1`, `${name}` and `$$` are expanded.
    Regex(String),
}

/// Edits of header fields. Names are spelt as in the configuration, and are never framing or hop-by-hop
/// fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldEdits {
    /// Removes all fields of the name, then adds this one.
    pub set: Vec<(String, String)>,
    pub add: Vec<(String, String)>,
    pub remove: Vec<String>,
}

impl FieldEdits {
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }

    /// Whether a name that is replaced or removed is one that `is` accepts.
    pub fn replaces(&self, is: impl Fn(&[u8]) -> bool) -> bool {
        let mut set = self.set.iter().map(|(name, _)| name);
        set.any(|name| is(name.as_bytes())) || self.remove.iter().any(|name| is(name.as_bytes()))
    }
}
