//! Session gateways: memcached's protocol for the session handlers of applications (SP12).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod clients_of_memcached_work;
mod gateway_survives_a_reload;
mod gateway_without_its_address_is_told;
mod hostile_clients_harm_only_themselves;
mod items_survive_a_restart;
mod store_is_away;
mod unwritable_store_is_told;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;

use testkit::{Balancer, Config, refused_address, wait_for};

/// A configuration with a gateway on a Unix socket beside it, over a store with these keys.
pub(crate) fn config(store: &str) -> Config {
    let gateway = "[session_gateway.web]\nbind = \"unix:sessions.sock\"\nstore = \"items\"\n";
    Config::to_addresses(&[refused_address()]).text(&format!("[session_store.items]\n{store}\n{gateway}"))
}

/// The same at an address.
pub(crate) fn config_at(store: &str, address: SocketAddr) -> Config {
    let gateway = format!("[session_gateway.web]\nbind = \"{address}\"\nstore = \"items\"\n");
    Config::to_addresses(&[refused_address()]).text(&format!("[session_store.items]\n{store}\n{gateway}"))
}

pub(crate) fn connect(balancer: &Balancer) -> UnixStream {
    let path = balancer.path("sessions.sock");
    wait_for("the gateway's socket", || UnixStream::connect(&path).ok())
}

/// Sends commands over a connection of their own, and returns all that is answered.
pub(crate) fn talk(balancer: &Balancer, input: &[u8]) -> String {
    let mut reader = connect(balancer);
    let mut writer = reader.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // It may close before everything was sent.
            let _ = writer.write_all(input);
            let _ = writer.shutdown(Shutdown::Write);
        });
        let mut answer = Vec::new();
        let _ = reader.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    })
}
