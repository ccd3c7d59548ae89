//! `redirect_http`: a listener that redirects plain HTTP requests to an https listener.

use std::net::{IpAddr, SocketAddr};

use model::{Action, HttpService, Listener, ListenerName, Redirect, Service, TemplatePiece};

use super::{Build, bind, template};
use crate::raw::Table;

/// The listener that redirects to `https`. It has the same settings.
pub(super) fn listener(https: &Listener, table: &Table, build: &mut Build<'_, '_>) -> Option<Listener> {
    https.tls.as_ref()?;
    let settings = &https.service.http()?.settings;
    let value = table.value("redirect_http")?;
    let bind = addresses(table);
    let port = port_of(&https.bind)?;
    if port == 0 {
        let problem = build.report.error(value, "`redirect_http` needs a fixed port to redirect to");
        problem.hint("with port 0 in `bind` the kernel chooses the port");
    }
    let port = (port != HTTPS_PORT).then(|| TemplatePiece::Text(format!(":{port}")));
    let redirect = Redirect { to: template::of_scheme("https", port), code: 308 };
    Some(Listener {
        // Unique, because configured names cannot contain a colon.
        name: ListenerName::new(&format!("{}:redirect", https.name)),
        bind,
        tls: None,
        service: Service::Http(HttpService {
            settings: settings.clone(),
            rules: Vec::new(),
            default_action: Some(Action::Redirect(redirect)),
        }),
        ..https.clone()
    })
}

/// The addresses that it listens on; empty without `redirect_http`, or if that has no effect.
pub(super) fn addresses(table: &Table) -> Vec<SocketAddr> {
    let port = table.integer::<u16>("redirect_http").filter(|_| table.text("protocol") == Some("https"));
    let Some(port) = port else { return Vec::new() };
    let ip = |text: &str| text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let mut ips: Vec<_> = table.list("bind").iter().filter_map(|value| value.text()).filter_map(ip).collect();
    // Wildcards first, so that the addresses that they include are left out.
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
