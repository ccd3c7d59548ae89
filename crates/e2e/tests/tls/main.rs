//! TLS with clients and with targets, and certificates on both sides (TLS1–TLS5, CH1, CH3, MT1–MT4).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod allow_list_denies_others;
mod bodies_are_unharmed;
mod certificate_follows_the_name;
mod chains_are_put_in_order;
mod checks_are_secure_too;
mod client_certificate_is_required;
mod connections_end_as_without_tls;
mod cut_responses_are_not_whole;
mod each_name_has_its_own_rules;
mod every_response_has_hsts;
mod handshake_is_hurried;
mod identity_reaches_the_target;
mod lists_are_judged;
mod malformed_hellos_are_refused;
mod old_versions_are_refused;
mod openssl_agrees;
mod plain_http_is_told_so;
mod protocol_is_agreed_on;
mod proxy_header_comes_first;
mod redirect_http_leads_to_https;
mod renewal_breaks_nothing;
mod revoked_clients_are_locked_out;
mod rsa_and_ecdsa_side_by_side;
mod sessions_are_resumed;
mod sessions_stay_with_their_host;
mod slow_reader_holds_the_sender_back;
mod stop_and_reload_lose_nothing;
mod strict_names;
mod suites_in_our_order;
mod target_connections_are_pooled;
mod target_is_verified;
mod target_sees_name_and_certificate;
mod tls_on_http_is_closed;
mod versions_are_offered;
mod websockets_are_secure;
mod what_is_recorded;
mod wrong_host_is_misdirected;

use std::fmt::Display;

use testkit::{Authority, Balancer, Config, Target, TlsServer, wait_until};

/// With a certificate for `localhost` and `127.0.0.1`.
fn https(target: &Target) -> Config {
    Config::to(target).https(&["site.pem"])
}

/// Serves with the certificate that [`https`] is about.
#[track_caller]
fn start(config: Config) -> Balancer {
    let site = Authority::new("Root").leaf(&[]).issue();
    Balancer::prepare(config).file("site.pem", &site.pem()).start()
}

/// With TLS to the target too, which must have a certificate of the CA in `ca.pem`.
fn https_both(target: &Target) -> Config {
    https(target).group("protocol = \"https\"").group("tls = { ca = \"ca.pem\" }")
}

/// A target's certificate of this authority.
fn server(root: &Authority) -> TlsServer {
    TlsServer::new(&root.leaf(&[]).issue())
}

/// Serves with a certificate of this authority, which is also the CA in `ca.pem`.
#[track_caller]
fn start_with(root: &Authority, config: impl Display) -> Balancer {
    let site = root.leaf(&[]).issue();
    Balancer::prepare(config).file("site.pem", &site.pem()).file("ca.pem", &root.pem()).start()
}

/// Handshakes of the listener that had this result.
#[track_caller]
fn handshakes(balancer: &Balancer, result: &str) -> f64 {
    let labels = [("listener", "web"), ("result", result)];
    balancer.metric("evenkeel_listener_tls_handshakes_total", &labels)
}

/// Waits until so many handshakes had this result: they are counted when their clients have been told.
#[track_caller]
fn expect_handshakes(balancer: &Balancer, result: &str, count: f64) {
    wait_until(&format!("{count} handshakes {result}"), || handshakes(balancer, result) >= count);
    assert_eq!(handshakes(balancer, result), count, "{result}");
}
