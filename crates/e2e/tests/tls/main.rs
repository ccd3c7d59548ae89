//! TLS with clients and with targets, and certificates on both sides (TLS1–TLS5, CH1, CH3, MT1–MT4).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod allow_list_denies_others;
mod alpn_chooses_the_protocol;
mod bodies_arrive_unchanged;
mod certificate_follows_the_name;
mod chains_are_put_in_order;
mod client_certificate_is_required;
mod client_without_a_name_is_served;
mod connections_end_like_plain_ones;
mod crls_are_checked;
mod each_name_has_its_own_rules;
mod every_response_has_hsts;
mod expired_target_ca_is_refused;
mod expiry_ends_resumption;
mod handshake_has_a_timeout;
mod health_checks_verify_targets;
mod identity_reaches_the_target;
mod log_and_targets_are_told_of_tls;
mod malformed_hellos_are_refused;
mod named_certificate_needs_no_issuer;
mod odd_names_get_the_default_certificate;
mod old_versions_are_refused;
mod openssl_verifies_the_chain;
mod pinned_certificate_certifies_no_other;
mod plain_http_gets_400;
mod proxy_header_comes_first;
mod redirect_http_leads_to_https;
mod renewal_keeps_connections;
mod revoked_clients_are_locked_out;
mod rsa_and_ecdsa_side_by_side;
mod sessions_are_resumed;
mod sessions_stay_with_their_host;
mod slow_reader_causes_backpressure;
mod sni_strict_refuses_unknown_names;
mod stop_and_reload_lose_nothing;
mod suites_follow_our_order;
mod target_connections_are_pooled;
mod target_is_verified;
mod target_sees_name_and_certificate;
mod tls_on_http_is_closed;
mod truncated_responses_are_cut;
mod versions_are_offered;
mod websockets_are_secure;
mod wrong_host_is_misdirected;
mod wrong_protocol_is_named;

use std::fmt::Display;

use testkit::{Authority, Balancer, Config, Target, TlsServer, wait_until};

/// A listener with a certificate for `localhost` and `127.0.0.1`.
fn https(target: &Target) -> Config {
    Config::to(target).https(&["site.pem"])
}

/// Starts a balancer with the certificate that [`https`] needs.
#[track_caller]
fn start(config: Config) -> Balancer {
    let site = Authority::new("Root").leaf(&[]).issue();
    Balancer::prepare(config).file("site.pem", &site.pem()).start()
}

/// Like [`https`], with TLS to the target too, whose certificate must be from the CA in `ca.pem`.
fn https_both(target: &Target) -> Config {
    https(target).group("protocol = \"https\"").group("tls = { ca = \"ca.pem\" }")
}

/// A target with a certificate of this authority.
fn server(root: &Authority) -> TlsServer {
    TlsServer::new(&root.leaf(&[]).issue())
}

/// Starts a balancer with a certificate of this authority, which is also the CA in `ca.pem`.
#[track_caller]
fn start_with(root: &Authority, config: impl Display) -> Balancer {
    let site = root.leaf(&[]).issue();
    Balancer::prepare(config).file("site.pem", &site.pem()).file("ca.pem", &root.pem()).start()
}

/// The number of the listener's handshakes with this result.
#[track_caller]
fn handshakes(balancer: &Balancer, result: &str) -> f64 {
    let labels = [("listener", "web"), ("result", result)];
    balancer.metric("evenkeel_listener_tls_handshakes_total", &labels)
}

/// Waits until this many handshakes had this result: they are counted shortly after the client's side is done.
#[track_caller]
fn expect_handshakes(balancer: &Balancer, result: &str, count: f64) {
    wait_until(&format!("{count} handshakes {result}"), || handshakes(balancer, result) >= count);
    assert_eq!(handshakes(balancer, result), count, "{result}");
}
