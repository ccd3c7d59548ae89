//! Connections that are passed on as they are (L41, L43–L47, SP1).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod access_lists_reset;
mod address_goes_to_one_target;
mod bulk_arrives_unchanged;
mod busy_connections_are_counted_for_the_choice;
mod clients_without_tls_have_no_name;
mod dead_target_is_passed_over;
mod ended_tls_goes_by_name_and_protocol;
mod half_close_is_passed_on;
mod header_introduces_the_client;
mod idle_connection_is_closed;
mod limit_is_exact;
mod log_says_who_ended_it;
mod plain_text_on_tls_is_told;
mod proxy_header_names_the_client;
mod reload_may_change_the_service;
mod removed_target_still_counts;
mod reset_after_half_close;
mod reset_is_passed_on;
mod revoked_client_is_no_end_of_stream;
mod rules_go_by_the_source;
mod server_may_speak_first;
mod status_counts_connections;
mod stop_waits_for_connections;
mod targets_have_limits;
mod tls_ends_here;
mod tls_names_choose_the_target;
mod tls_without_a_rule_gets_an_alert;

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};

use testkit::{Balancer, Client, Config, Target};

/// A listener that passes connections on to this target.
fn tcp(target: &Target) -> Config {
    Config::to(target).listener("protocol = \"tcp\"")
}

fn tcp_to_all(targets: &[&Target]) -> Config {
    Config::to_all(targets).listener("protocol = \"tcp\"")
}

/// Sends back what it gets.
fn echo() -> Target {
    Target::script(|mut connection| connection.echo())
}

/// Says its name at once, and then sends back what it gets.
fn named(name: &'static str) -> Target {
    Target::script(move |mut connection| {
        connection.send(name)?;
        connection.echo()
    })
}

/// A connection through the balancer on which an echo has answered.
#[track_caller]
fn connect(balancer: &Balancer) -> Client {
    let mut client = Client::connect(balancer.web());
    client.send("hello");
    assert_eq!(client.read_exactly(5), b"hello");
    client
}

/// Whether the connection ends with a reset, whatever came before.
fn is_reset(client: &mut Client) -> bool {
    loop {
        match client.read() {
            Ok(bytes) if bytes.is_empty() => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

/// Whether a new connection is reset before a byte comes. The reset may be there before the connect has returned.
fn is_refused(address: SocketAddr) -> bool {
    let read = TcpStream::connect(address).and_then(|mut stream| stream.read(&mut [0]));
    read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}
