//! Warns where `from = "forwarded"` finds no other address than that of the connection (SP2).

use std::collections::{BTreeMap, HashMap};

use model::{HttpService, Listener, Persistence, SourceFrom, TargetGroup};

use super::{Build, group_names};
use crate::raw::{Table, Value};

/// Compares every persistence by forwarded address with the listeners that lead to it.
pub(super) fn check(root: &Table, listeners: &[Listener], groups: &[TargetGroup], build: &mut Build<'_, '_>) {
    let of_groups: HashMap<_, _> = groups
        .iter()
        .zip(root.tables("target_group"))
        .filter_map(|(group, (_, table))| {
            Some((group.name.as_str(), forwarded(group.persistence.as_deref(), table)?))
        })
        .collect();
    let tables = root.tables("listener");
    // By their places in the text, so that each is warned about once.
    let mut found: BTreeMap<usize, (&Value, &str)> = BTreeMap::new();
    for listener in listeners {
        let Some(HttpService { settings, rules, default_action }) = listener.service.http() else { continue };
        if !settings.trusted_proxies.is_empty() {
            continue;
        }
        let table = tables.iter().find(|(name, _)| *name == listener.name.as_str());
        let rule_tables = table.map(|(_, table)| table.tables("rule")).unwrap_or_default();
        let mut values = Vec::new();
        for (rule, (_, table)) in rules.iter().zip(rule_tables) {
            match &rule.persistence {
                Some(own) => values.extend(forwarded(Some(own), table)),
                None => values.extend(group_names(&rule.action).filter_map(|group| of_groups.get(group))),
            }
        }
        let default_groups = default_action.iter().flat_map(group_names);
        values.extend(default_groups.filter_map(|group| of_groups.get(group)));
        for value in values {
            found.entry(value.span.start).or_insert((value, listener.name.as_str()));
        }
    }
    for (value, listener) in found.into_values() {
        let message =
            format!("listener `{listener}` has no `trusted_proxies`, so that no address is forwarded");
        let problem = build.report.warning(value, message);
        problem.hint(
            "all clients behind one proxy are one session: name the proxies in `trusted_proxies`, or leave `from` out",
        );
    }
}

/// The value that asks for the forwarded address.
fn forwarded<'t>(persistence: Option<&Persistence>, table: &'t Table) -> Option<&'t Value> {
    match persistence {
        Some(Persistence::SourceIp(source)) if source.from == SourceFrom::Forwarded => {
            table.table("persistence")?.value("from")
        }
        _ => None,
    }
}
