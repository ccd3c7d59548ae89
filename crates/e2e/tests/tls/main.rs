//! TLS with clients and with targets, and certificates on both sides (TLS1–TLS5, CH1, CH3, MT1–MT4).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bodies_are_unharmed;
mod certificate_follows_the_name;
mod chains_are_put_in_order;
mod client_certificate_is_required;
mod connections_end_as_without_tls;
mod handshake_is_hurried;
mod identity_reaches_the_target;
mod malformed_hellos_are_refused;
mod old_versions_are_refused;
mod plain_http_is_told_so;
mod protocol_is_agreed_on;
mod revoked_clients_are_locked_out;
mod rsa_and_ecdsa_side_by_side;
mod sessions_are_resumed;
mod sessions_stay_with_their_host;
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

use testkit::{Authority, Balancer, Config, Target, wait_until};

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
