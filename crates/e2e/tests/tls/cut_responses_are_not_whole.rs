//! A target's response that ends with its connection is whole only with `close_notify`: anybody on the way can make a
//! bare end (TLS5).

use testkit::{Authority, Balancer, Config, Target, get};

use crate::server;

fn start(target: &Target, root: &Authority) -> Balancer {
    let config = Config::to(target).group("protocol = \"https\"").group("tls = { ca = \"ca.pem\" }");
    Balancer::prepare(config).file("ca.pem", &root.pem()).start()
}

#[test]
fn a_bare_end_cuts_the_response() {
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

/// What has a length is whole, however the connection ends.
#[test]
fn a_length_says_it_too() {
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
fn nonsense_after_the_handshake_is_no_response() {
    let root = Authority::new("Root");
    let target = Target::tls(&server(&root), |mut connection| {
        connection.request()?;
        connection.send("HTTP/1.1 200 OK\nBroken: yes\n\n")
    });
    let balancer = start(&target, &root);
    assert_eq!(get(balancer.web(), "/").reason(), "target_response_malformed");
}
