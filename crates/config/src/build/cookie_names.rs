//! Warns where browsers keep one cookie for two groups (SP4), and where two groups of a rule keep its sessions apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::{Action, CookieMode, CookiePersistence, HostPattern, Listener, Persistence, Rule, TargetGroup};

use super::cookie_scope::covers_path;
use super::{Build, group_names};
use crate::raw::{Entry, Table};

/// Requests that get the same cookie.
struct Route<'a> {
    host: &'a HostPattern,
    cookie: &'a CookiePersistence,
    /// The groups whose targets the cookie can name.
    groups: BTreeSet<&'a str>,
    /// The key `persistence` that says so.
    at: &'a Entry,
}

/// Warns about rules of a listener that insert a cookie of the same name for other groups: every response of one
/// replaces the other's cookie, so that a client that uses both stays nowhere.
pub(super) fn check(root: &Table, listeners: &[Listener], groups: &[TargetGroup], build: &mut Build<'_, '_>) {
    let of_groups: HashMap<_, _> = groups
        .iter()
        .zip(root.tables("target_group"))
        .filter_map(|(group, (_, table))| {
            Some((
                group.name.as_str(),
                (inserted(group.persistence.as_deref())?, table.entry("persistence")?),
            ))
        })
        .collect();
    check_weighted(root, listeners, groups, build);
    let mut warned = BTreeSet::new();
    for listener in listeners {
        for (name, routes) in routes(root, listener, &of_groups) {
            let Some((one, other)) = clash(&routes) else { continue };
            if !warned.insert((one.at.span.start, other.at.span.start)) {
                continue;
            }
            let (first, line) = (list(&one.groups), build.report.line(one.at));
            let message = format!("browsers cannot tell this cookie `{name}` from that of {first}");
            let problem = build.report.warning(other.at, message);
            problem.hint(format!(
                "a response of one replaces the cookie of the other: give this `persistence` or that in line {line} another `name`"
            ));
        }
    }
}

/// Warns about groups of one rule that read the same cookie of the application, each for itself.
fn check_weighted(root: &Table, listeners: &[Listener], groups: &[TargetGroup], build: &mut Build<'_, '_>) {
    let of_groups: HashMap<_, _> = groups
        .iter()
        .zip(root.tables("target_group"))
        .filter_map(|(group, (_, table))| {
            let name = of_application(group.persistence.as_deref())?;
            Some((group.name.as_str(), (name, table.entry("persistence")?)))
        })
        .collect();
    let actions = listeners.iter().flat_map(|listener| {
        let rules = listener.service.rules().iter().filter(|rule| rule.persistence.is_none());
        rules.map(|rule| &rule.action).chain(listener.service.default_action())
    });
    let mut warned = BTreeSet::new();
    for action in actions {
        let mut first: BTreeMap<&str, &str> = BTreeMap::new();
        for group in group_names(action) {
            let Some((name, at)) = of_groups.get(group) else { continue };
            let other = *first.entry(name).or_insert(group);
            if other == group || !warned.insert(at.span.start) {
                continue;
            }
            let message =
                format!("a rule leads here and to target group `{other}`, which also reads `{name}`");
            build.report.warning(*at, message).hint(
                "each group keeps its own sessions, and does not know those of the other: the `persistence` of a rule is for all its groups",
            );
        }
    }
}

/// The name of a cookie that the application sets.
fn of_application(persistence: Option<&Persistence>) -> Option<&str> {
    match persistence {
        Some(Persistence::Cookie(cookie)) if cookie.mode != CookieMode::Insert => Some(&cookie.name),
        _ => None,
    }
}

fn inserted(persistence: Option<&Persistence>) -> Option<&CookiePersistence> {
    match persistence {
        Some(Persistence::Cookie(cookie)) if cookie.mode == CookieMode::Insert => Some(cookie),
        _ => None,
    }
}

/// The inserted cookies of a listener by their names.
fn routes<'a>(
    root: &'a Table,
    listener: &'a Listener,
    of_groups: &HashMap<&'a str, (&'a CookiePersistence, &'a Entry)>,
) -> BTreeMap<&'a str, Vec<Route<'a>>> {
    let tables = root.tables("listener");
    let table = tables.iter().find(|(name, _)| *name == listener.name.as_str());
    let tables = table.map(|(_, table)| table.tables("rule")).unwrap_or_default();
    let mut found = BTreeMap::new();
    for (rule, (_, table)) in listener.service.rules().iter().zip(tables) {
        let own = rule.persistence.is_some().then(|| of_rule(rule, table));
        add(&rule.host, &rule.action, own, of_groups, &mut found);
    }
    if let Some(action) = listener.service.default_action() {
        add(&HostPattern::Any, action, None, of_groups, &mut found);
    }
    found
}

fn of_rule<'a>(rule: &'a Rule, table: &'a Table) -> Option<(&'a CookiePersistence, &'a Entry)> {
    Some((inserted(rule.persistence.as_deref())?, table.entry("persistence")?))
}

/// `own` is the rule's, which may be another than an inserted cookie.
fn add<'a>(
    host: &'a HostPattern,
    action: &'a Action,
    own: Option<Option<(&'a CookiePersistence, &'a Entry)>>,
    of_groups: &HashMap<&'a str, (&'a CookiePersistence, &'a Entry)>,
    found: &mut BTreeMap<&'a str, Vec<Route<'a>>>,
) {
    let mut of_action: BTreeMap<&str, Route<'a>> = BTreeMap::new();
    for group in group_names(action) {
        let Some((cookie, at)) = own.unwrap_or_else(|| of_groups.get(group).copied()) else { continue };
        // The groups of one rule are looked through for the target that a cookie names.
        let route = of_action.entry(&cookie.name);
        let route = route.or_insert_with(|| Route { host, cookie, groups: BTreeSet::new(), at });
        route.groups.insert(group);
    }
    for (name, route) in of_action {
        let routes = found.entry(name).or_default();
        if routes.len() < ROUTES_MAX {
            routes.push(route);
        }
    }
}

/// Two of the routes between which a browser cannot tell the cookies apart.
fn clash<'r, 'a>(routes: &'r [Route<'a>]) -> Option<(&'r Route<'a>, &'r Route<'a>)> {
    routes.iter().enumerate().find_map(|(index, other)| {
        let mut before = routes.iter().take(index);
        before.find(|one| one.groups.is_disjoint(&other.groups) && share(one, other)).map(|one| (one, other))
    })
}

fn share(one: &Route<'_>, other: &Route<'_>) -> bool {
    let (of_one, of_other) = (&one.cookie.attributes, &other.cookie.attributes);
    let paths = covers_path(&of_one.path, &of_other.path) || covers_path(&of_other.path, &of_one.path);
    let hosts = match (&of_one.domain, &of_other.domain) {
        (None, None) => hosts_overlap(one.host, other.host),
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    paths && hosts
}

/// Whether there is certainly a host that both match.
fn hosts_overlap(one: &HostPattern, other: &HostPattern) -> bool {
    match (one, other) {
        (HostPattern::Any, _) | (_, HostPattern::Any) => true,
        (HostPattern::Exact(name), pattern) | (pattern, HostPattern::Exact(name)) => matches(pattern, name),
        (one, other) => format!("{one:?}") == format!("{other:?}"),
    }
}

fn matches(pattern: &HostPattern, name: &str) -> bool {
    match pattern {
        HostPattern::Any => true,
        HostPattern::Exact(other) => other == name,
        HostPattern::LeadingWildcard(end) => name.len() > end.len() && name.ends_with(end.as_str()),
        HostPattern::TrailingWildcard(start) => name.len() > start.len() && name.starts_with(start.as_str()),
        HostPattern::Regex(regex) => regex.is_match(name.as_bytes()),
    }
}

fn list(groups: &BTreeSet<&str>) -> String {
    let names: Vec<_> = groups.iter().map(|name| format!("`{name}`")).collect();
    let noun = if names.len() == 1 { "target group" } else { "the target groups" };
    format!("{noun} {}", names.join(", "))
}

// limit: routes that are compared, each with each.
const ROUTES_MAX: usize = 100;
