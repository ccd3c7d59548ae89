//! `redirect_http`: a listener beside an https one that sends everybody to it.

use std::net::{IpAddr, SocketAddr};

use model::{Action, Listener, ListenerName, Redirect, TemplatePiece};

use super::{Build, bind, template};
use crate::raw::Table;

/// The listener that stands behind `https`, whose settings it has.
pub(super) fn listener(https: &Listener, table: &Table, build: &mut Build<'_, '_>) -> Option<Listener> {
    https.tls.as_ref()?;
    let value = table.value("redirect_http")?;
    let bind = addresses(table);
    let port = port_of(&https.bind)?;
    if port == 0 {
        let problem = build.report.error(value, "`redirect_http` has to know the port it leads to");
        problem.hint("with port 0 in `bind` the kernel chooses it");
    }
    let port = (port != HTTPS_PORT).then(|| TemplatePiece::Text(format!(":{port}")));
    let redirect = Redirect { to: template::of_scheme("https", port), code: 308 };
    Some(Listener {
        // No operator's name has a colon.
        name: ListenerName::new(&format!("{}:redirect", https.name)),
        bind,
        tls: None,
        rules: Vec::new(),
        default_action: Some(Action::Redirect(redirect)),
        ..https.clone()
    })
}

/// Where it listens; nowhere without `redirect_http`, or where that has no effect.
pub(super) fn addresses(table: &Table) -> Vec<SocketAddr> {
    let port = table.integer::<u16>("redirect_http").filter(|_| table.text("protocol") == Some("https"));
    let Some(port) = port else { return Vec::new() };
    let ip = |text: &str| text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let mut ips: Vec<_> = table.list("bind").iter().filter_map(|value| value.text()).filter_map(ip).collect();
    // The widest first, so that what it includes is left out.
    ips.sort_by_key(|ip| !ip.is_unspecified());
    ips.sort_by_key(|ip| !(ip.is_unspecified() && ip.is_ipv6()));
    let mut found: Vec<SocketAddr> = Vec::new();
    for address in ips.into_iter().map(|ip: IpAddr| SocketAddr::new(ip, port)) {
        if !found.iter().any(|other| bind::overlap(*other, address)) {
            found.push(address);
        }
    }
    found
}

fn port_of(bind: &[SocketAddr]) -> Option<u16> {
    let ports = || bind.iter().map(SocketAddr::port);
    ports().find(|port| *port == HTTPS_PORT).or_else(|| ports().next())
}

const HTTPS_PORT: u16 = 443;
