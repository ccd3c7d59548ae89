//! One listener with its rules.

use model::{HttpService, Listener, ListenerName, LoadBalancerName, Service, TcpService, WhenFull};

use super::settings::{Settings, settings};
use super::{Build, DEFAULT_LOAD_BALANCER, access, action, bind, connections, rule, tcp, tls};
use crate::near::nearest;
use crate::raw::Table;

pub(super) fn listener(
    name: &str,
    table: &Table,
    root: &Table,
    load_balancers: &[(&str, Settings)],
    build: &mut Build<'_, '_>,
) -> Listener {
    let inherited = inherited(table, load_balancers, build);
    let rules = rule::rules(table, build);
    let Settings { listener: mut settings, http } = settings(inherited, table, build);
    settings.access.listener = access::list(table, build);
    if tcp::is_tcp(table) && !connections::says_when_full(table, root) {
        settings.when_full = WhenFull::Refuse;
    }
    tcp::check_keys(table, build);
    let default_action = table.value("forward").and_then(|value| action::forward(value, build));
    if !table.has("forward") && !table.has("rule") {
        let message = format!("listener `{name}` has no `forward` and no rule");
        build.report.error(table, message).hint("`forward = \"GROUP\"` sends its requests to a target group");
    }
    Listener {
        name: ListenerName::new(name),
        load_balancer: LoadBalancerName::new(load_balancer_name(table)),
        connections: connections::of_listener(table, root),
        bind: bind::addresses(table, build.report),
        tls: tls::listener_tls(table, build),
        settings,
        service: match tcp::is_tcp(table) {
            true => Service::Tcp(TcpService { settings: tcp::settings(table), rules, default_action }),
            false => Service::Http(HttpService { settings: http, rules, default_action }),
        },
    }
}

pub(super) fn load_balancer_name(table: &Table) -> &str {
    table.text("load_balancer").unwrap_or(DEFAULT_LOAD_BALANCER)
}

fn inherited(table: &Table, load_balancers: &[(&str, Settings)], build: &mut Build<'_, '_>) -> Settings {
    let wanted = load_balancer_name(table);
    if let Some((_, inherited)) = load_balancers.iter().find(|(name, _)| *name == wanted) {
        return inherited.clone();
    }
    if let Some(value) = table.value("load_balancer") {
        let shown = wanted.escape_debug();
        let hint = match nearest(wanted, load_balancers.iter().map(|(name, _)| *name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write a `[load_balancer.{shown}]`"),
        };
        build.report.error(value, format!("there is no load balancer `{shown}`")).hint(hint);
    }
    Settings::default()
}
