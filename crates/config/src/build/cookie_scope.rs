//! Whether browsers take a cookie of ours, and send it with the requests that are to find their target (SP6).

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;

use model::{
    Action, CookieMode, CookiePersistence, HostPattern, Listener, PathPattern, Persistence, Rule, SameSite,
    TargetGroup,
};

use super::{Build, group_names, pattern};
use crate::public_suffix::PublicSuffixes;
use crate::raw::{Table, Value};

/// Reads `domain`, which browsers must accept: a name with a dot that is not a public suffix.
pub(super) fn domain(value: &Value, build: &mut Build<'_, '_>) -> Option<String> {
    let text = value.text()?;
    let lower = text.to_ascii_lowercase();
    let last = lower.rsplit('.').next().unwrap_or("");
    let is_name = pattern::is_host(&lower) && !lower.starts_with('[');
    if !is_name || last.bytes().all(|byte| byte.is_ascii_digit()) {
        let problem = build.report.error(value, format!("`{}` is not a domain", text.escape_debug()));
        problem.hint(if text.starts_with('.') {
            "write it without the dot at the beginning: hosts under it are meant anyway"
        } else if !text.is_ascii() {
            "write international names in their `xn--` form (punycode)"
        } else {
            "the name of a host, without scheme, port and `*`, such as `\"example.com\"`"
        });
    } else if lower == "localhost" || !lower.contains('.') {
        let problem = build.report.error(value, format!("browsers take no cookie for the domain `{lower}`"));
        problem.hint("leave `domain` out: the cookie is then for the host of the request");
    } else if build.is_public_suffix(&lower, value) {
        let problem = build.report.error(value, format!("`{lower}` is a public suffix"));
        problem.hint("browsers take no cookie for it, because names under it belong to different owners");
    }
    Some(lower)
}

impl Build<'_, '_> {
    /// `false` if the system has no list; the first time there is a warning at `at`.
    fn is_public_suffix(&mut self, domain: &str, at: &Value) -> bool {
        if self.suffixes.is_none() {
            let found = self.files.read(Path::new(LIST), LIST_BYTES_MAX);
            if let Err(error) = &found {
                let why = match error.kind() {
                    ErrorKind::NotFound => "does not exist".to_owned(),
                    _ => format!("cannot be read: {error}"),
                };
                let message = format!("whether this is a public suffix was not checked: `{LIST}` {why}");
                self.report.warning(at, message).hint("the package `publicsuffix` has it");
            }
            let text = found.unwrap_or_default();
            self.suffixes = Some(PublicSuffixes::parse(&String::from_utf8_lossy(&text)));
        }
        self.suffixes.as_ref().is_some_and(|suffixes| suffixes.contains(domain))
    }
}

/// Where requests find a persistence.
struct Use<'a> {
    listener: &'a Listener,
    /// `None`: the listener's own `forward`.
    rule: Option<(&'a Rule, &'a Table)>,
}

/// Compares every inserted cookie with the rules that lead to it.
pub(super) fn check(root: &Table, listeners: &[Listener], groups: &[TargetGroup], build: &mut Build<'_, '_>) {
    let tables = root.tables("listener");
    let mut of_groups: HashMap<&str, Vec<Use<'_>>> = HashMap::new();
    for listener in listeners {
        let table = tables.iter().find(|(name, _)| *name == listener.name.as_str());
        let rule_tables = table.map(|(_, table)| table.tables("rule")).unwrap_or_default();
        for (rule, (_, table)) in listener.service.rules().iter().zip(rule_tables) {
            let found = Use { listener, rule: Some((rule, table)) };
            match rule.persistence.as_deref() {
                Some(persistence) => check_uses(table, persistence, &[found], build),
                None => add_use(&rule.action, &found, &mut of_groups),
            }
        }
        if let Some(action) = listener.service.default_action() {
            add_use(action, &Use { listener, rule: None }, &mut of_groups);
        }
    }
    for (group, (_, table)) in groups.iter().zip(root.tables("target_group")) {
        if let (Some(persistence), Some(uses)) =
            (group.persistence.as_deref(), of_groups.get(group.name.as_str()))
        {
            check_uses(table, persistence, uses, build);
        }
    }
}

fn add_use<'a>(action: &'a Action, found: &Use<'a>, of_groups: &mut HashMap<&'a str, Vec<Use<'a>>>) {
    for group in group_names(action) {
        let &Use { listener, rule } = found;
        of_groups.entry(group).or_default().push(Use { listener, rule });
    }
}

/// `table` is that of the group or the rule.
fn check_uses(table: &Table, persistence: &Persistence, uses: &[Use<'_>], build: &mut Build<'_, '_>) {
    let Persistence::Cookie(cookie) = persistence else { return };
    let Some(table) = table.table("persistence").filter(|_| cookie.mode == CookieMode::Insert) else {
        return;
    };
    if let (Some(value), Some(domain)) = (table.value("domain"), &cookie.attributes.domain) {
        check_hosts(value, domain, uses, build);
    }
    if let Some(value) = table.value("path").filter(|_| cookie.attributes.path.starts_with('/')) {
        check_paths(value, &cookie.attributes.path, uses, build);
    }
    let plain = uses.iter().find(|found| found.listener.tls.is_none());
    if let (None, Some((value, what)), Some(plain)) =
        (cookie.attributes.secure, needs_secure(table, cookie), plain)
    {
        let name = plain.listener.name.as_str();
        let message = format!("{what} needs `Secure`, which is not set without TLS on listener `{name}`");
        let problem = build.report.warning(value, message);
        problem.hint("with `secure = true` it is always set, for a listener behind one that has TLS");
    }
}

fn check_hosts(value: &Value, domain: &str, uses: &[Use<'_>], build: &mut Build<'_, '_>) {
    let missed = uses.iter().find_map(|found| {
        let (rule, table) = found.rule?;
        let host = host_beyond(domain, &rule.host)?;
        Some((host, build.report.line(table)))
    });
    if let Some((host, line)) = missed {
        let message = format!("`{domain}` does not cover `{host}`, the host of the rule in line {line}");
        build.report.error(value, message).hint(
            "browsers take no cookie for another domain: leave `domain` out, or give the rule its own `persistence`",
        );
    }
}

/// The host pattern as it is written, if hosts outside the domain match it (RFC 6265 §5.1.3). What a regular
/// expression matches is not known.
fn host_beyond(domain: &str, host: &HostPattern) -> Option<String> {
    let is_within = |name: &str| {
        let rest = name.strip_suffix(domain);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    match host {
        HostPattern::Any | HostPattern::Regex(_) => None,
        HostPattern::Exact(name) => (!is_within(name)).then(|| name.clone()),
        HostPattern::LeadingWildcard(rest) => (!is_within(rest)).then(|| format!("*{rest}")),
        HostPattern::TrailingWildcard(start) => Some(format!("{start}*")),
    }
}

fn check_paths(value: &Value, cookie_path: &str, uses: &[Use<'_>], build: &mut Build<'_, '_>) {
    let missed = uses.iter().find_map(|found| {
        let (rule, table) = found.rule?;
        let (PathPattern::Prefix(path) | PathPattern::Exact(path)) = &rule.path else { return None };
        (!covers_path(cookie_path, path)).then(|| (path.clone(), build.report.line(table)))
    });
    if let Some((path, line)) = missed {
        let message = format!("the cookie is not sent with every request for `{path}`, the path of a rule");
        let problem = build.report.warning(value, message);
        problem
            .hint(format!("the rule in line {line} leads here: outside `{cookie_path}` every request gets any target, and every response a new cookie"));
    }
}

/// Whether the cookie goes with requests for this path, and with those below it (RFC 6265 §5.1.4).
pub(super) fn covers_path(cookie_path: &str, path: &str) -> bool {
    let folder = cookie_path.strip_suffix('/').unwrap_or(cookie_path);
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What makes browsers refuse the cookie without `Secure`, for an error or warning.
pub(super) fn needs_secure<'t>(
    table: &'t Table,
    cookie: &CookiePersistence,
) -> Option<(&'t Value, &'static str)> {
    if cookie.attributes.same_site == Some(SameSite::None) {
        return Some((table.value("same_site")?, "`same_site = \"none\"`"));
    }
    let prefix = PREFIXES.into_iter().find(|prefix| begins(&cookie.name, prefix))?;
    let what = if prefix == HOST {
        "a name that begins with `__Host-`"
    } else {
        "a name that begins with `__Secure-`"
    };
    Some((table.value("name")?, what))
}

/// Reports attributes with which browsers would refuse the cookie.
pub(super) fn check_attributes(table: &Table, cookie: &CookiePersistence, build: &mut Build<'_, '_>) {
    if let (Some(secure), Some((_, what))) = (
        table.value("secure").filter(|_| cookie.attributes.secure == Some(false)),
        needs_secure(table, cookie),
    ) {
        let problem = build.report.error(secure, format!("{what} needs `Secure`"));
        problem.hint("browsers would refuse the cookie; leave `secure` out or set it to `true`");
    }
    if begins(&cookie.name, HOST) {
        let whole = cookie.attributes.path == "/";
        for (name, is_wrong) in [("domain", true), ("path", !whole)] {
            if let Some(entry) = table.entry(name).filter(|_| is_wrong) {
                let message = format!("a name that begins with `__Host-` allows no `{name}`");
                let problem = build.report.error(entry, message);
                problem.hint("such a cookie is for one host and all its paths; `__Secure-` has no such rule");
            }
        }
    }
}

/// Browsers compare the prefixes without case (RFC 6265bis §4.1.3).
fn begins(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

const HOST: &str = "__Host-";
const PREFIXES: [&str; 2] = [HOST, "__Secure-"];
const LIST: &str = "/usr/share/publicsuffix/public_suffix_list.dat";
// limit: several times the list of 2026.
const LIST_BYTES_MAX: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_cover_what_is_below() {
        for (cookie, path, expected) in [
            ("/", "/", true),
            ("/", "/api", true),
            ("/api", "/api", true),
            ("/api", "/api/", true),
            ("/api", "/api/v1", true),
            ("/api/", "/api", true),
            ("/api/", "/api/v1", true),
            ("/api", "/apis", false),
            ("/api", "/", false),
            ("/api/v1", "/api", false),
        ] {
            assert_eq!(covers_path(cookie, path), expected, "{cookie} {path}");
        }
    }

    #[test]
    fn domains_cover_hosts_under_them() {
        let leading = |rest: &str| HostPattern::LeadingWildcard(rest.to_owned());
        for (host, expected) in [
            (HostPattern::Any, None),
            (HostPattern::Exact("example.com".to_owned()), None),
            (HostPattern::Exact("shop.example.com".to_owned()), None),
            (HostPattern::Exact("myexample.com".to_owned()), Some("myexample.com")),
            (HostPattern::Exact("com".to_owned()), Some("com")),
            (leading(".example.com"), None),
            (leading(".shop.example.com"), None),
            (leading(".com"), Some("*.com")),
            (leading(".myexample.com"), Some("*.myexample.com")),
            (HostPattern::TrailingWildcard("www.example.".to_owned()), Some("www.example.*")),
        ] {
            assert_eq!(host_beyond("example.com", &host).as_deref(), expected, "{host:?}");
        }
    }
}
