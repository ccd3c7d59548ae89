//! The clients and the conformance test of libmemcached, against a gateway.

use std::process::{Command, Output};

use testkit::{Balancer, refused_address, wait_for};

use crate::config_at;

#[test]
fn the_conformance_test_of_libmemcached_passes() {
    let at = refused_address();
    let _balancer = Balancer::start(config_at("type = \"memory\"", at));
    wait_for("the gateway", || std::net::TcpStream::connect(at).ok());
    let (host, port) = (at.ip().to_string(), at.port().to_string());
    for protocol in ["-a", "-b"] {
        let out = run("memccapable", &["-h", &host, "-p", &port, protocol]);
        let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        assert!(text.matches("[pass]").count() >= 20, "{protocol}: {text}");
        assert!(out.status.success() && !text.contains("[FAIL]"), "{protocol}: {text}");
    }
}

#[test]
fn a_file_comes_back_as_it_was_stored() {
    let at = refused_address();
    let balancer = Balancer::start(config_at("type = \"file\"\npath = \"items\"\ntimeout = \"1s\"", at));
    wait_for("the gateway", || std::net::TcpStream::connect(at).ok());
    let text = "a cart with 20 things\n".repeat(2000);
    balancer.write("cart", &text);
    let servers = format!("--servers={at}");
    for binary in [&[][..], &["--binary"]] {
        let file = balancer.path("cart").display().to_string();
        let stored = run("memccp", &[&[servers.as_str(), &file], binary].concat());
        assert!(stored.status.success(), "{stored:?}");
        let read = run("memccat", &[&[servers.as_str(), "cart"], binary].concat());
        assert!(String::from_utf8(read.stdout).unwrap().trim_end() == text.trim_end());
    }
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"))
}
