//! A gateway whose address is taken is a problem in status until it has it; then status shows where it listens.

use std::net::TcpListener;

use serde_json::Value;
use testkit::{Balancer, wait_until};

use crate::config_at;

#[test]
fn gateway_without_its_address_is_told() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let balancer = Balancer::start(config_at("type = \"memory\"", address));
    let status = || {
        let output = balancer.run(&["status"]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let problem = format!("\n  session gateway web: it does not listen at {address}: Address already in use");
    wait_until("it is a problem", || {
        let (code, page) = status();
        code == Some(1) && page.contains(&problem) && page.contains("NOT BOUND: Address already in use")
    });
    let bound = [("gateway", "web")];
    assert!(balancer.metric("evenkeel_session_gateway_bound", &bound) < 0.5);
    let line = format!(" error a session gateway cannot listen gateway=web address={address} ");
    assert!(balancer.stderr().contains(&line), "{}", balancer.stderr());

    drop(other);
    wait_until("it listens", || status().0 == Some(0));
    assert!(balancer.metric("evenkeel_session_gateway_bound", &bound) > 0.5);
    let json: Value = serde_json::from_slice(&balancer.run(&["status", "--json"]).stdout).unwrap();
    let row = &json["session_gateways"][0];
    assert!(row["address"] == address.to_string() && row["trouble"].is_null(), "{json}");
    let page = status().1;
    assert!(page.contains("\nSESSION GATEWAY  ADDRESS") && page.contains(" items  0 of 1024"), "{page}");
}
