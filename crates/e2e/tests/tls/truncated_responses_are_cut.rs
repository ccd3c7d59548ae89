//! A response that ends with the target's connection is complete only with `close_notify`, because an attacker
//! can forge a FIN (TLS5).

use testkit::{Authority, Balancer, Config, Target, get};

use crate::server;

fn start(target: &Target, root: &Authority) -> Balancer {
    let config = Config::to(target).group("protocol = \"https\"").group("tls = { ca = \"ca.pem\" }");
    Balancer::prepare(config).file("ca.pem", &root.pem()).start()
}

#[test]
fn a_fin_without_close_notify_cuts_the_response() {
    let root = Authority::new("Root");
    for is_cut in [false, true] {
        let target = Target::tls(&server(&root), move |mut connection| {
            connection.request()?;
            connection.send("HTTP/1.1 200 OK\r\n\r\nall of it?")?;
            if is_cut { connection.cut() } else { Ok(()) }
        });
        let balancer = start(&target, &root);
        let response = get(balancer.web(), "/");
        assert_eq!((response.text().as_str(), response.is_complete), ("all of it?", !is_cut));
        let line = balancer.log_line("status", 200);
        assert_eq!(line["reason"].is_string(), is_cut, "{line}");
    }
}

/// A response with a length is complete, however the connection ends.
#[test]
fn a_response_with_a_length_needs_no_close_notify() {
    let root = Authority::new("Root");
    let target = Target::tls(&server(&root), |mut connection| {
        connection.request()?;
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nall")?;
        connection.cut()
    });
    let balancer = start(&target, &root);
    for _ in 0..3 {
        let response = get(balancer.web(), "/");
        assert_eq!((response.text().as_str(), response.is_complete), ("all", true));
    }
}

#[test]
fn a_malformed_response_after_the_handshake_is_an_error() {
    let root = Authority::new("Root");
    let target = Target::tls(&server(&root), |mut connection| {
        connection.request()?;
        connection.send("HTTP/1.1 200 OK\nBroken: yes\n\n")
    });
    let balancer = start(&target, &root);
    assert_eq!(get(balancer.web(), "/").reason(), "target_response_malformed");
}
