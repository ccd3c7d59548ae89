//! Where a group's `protocol` is not what its targets speak, the detail in the access log says so; a closed port is a refused
//! connection in every protocol.

use testkit::{Authority, Balancer, Config, Target, TlsServer, get, ok, refused_address};

fn failure(config: Config) -> (String, String) {
    let balancer = Balancer::start(config);
    let response = get(balancer.web(), "/");
    assert_eq!(response.status(), 502);
    let line = balancer.log_line("request_target", "/");
    (response.reason(), line["detail"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn tls_to_a_plain_target() {
    let plain = Target::script(|mut connection| {
        connection.read()?;
        connection.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    });
    for protocol in ["https", "h2"] {
        let config = Config::to(&plain).group(&format!("protocol = \"{protocol}\""));
        let (reason, detail) = failure(config.group("tls = { verify = false }"));
        assert_eq!(reason, "target_tls");
        assert!(detail.contains("does not speak TLS"), "{detail}");
    }
}

#[test]
fn plain_http_to_a_target_with_tls() {
    let server = TlsServer::new(&Authority::new("CA").leaf(&[]).issue());
    let target = Target::https(&server, |_| ok("one"));
    let (reason, detail) = failure(Config::to(&target));
    assert_eq!(reason, "target_response_malformed");
    assert!(detail.contains("expects TLS"), "{detail}");
}

#[test]
fn plain_http_to_a_target_that_closes() {
    // As OpenSSL, Python and Node.js do where they expect a handshake.
    let closes = Target::script(|mut connection| connection.read().map(drop));
    let resets = Target::script(|mut connection| {
        connection.read()?;
        connection.reset()
    });
    for target in [closes, resets] {
        let (reason, detail) = failure(Config::to(&target));
        assert_eq!(reason, "target_closed_before_response");
        assert!(detail.contains("does it expect TLS"), "{detail}");
    }
}

#[test]
fn http2_to_a_target_with_http1() {
    let target = Target::named("one");
    let (reason, detail) = failure(Config::to(&target).group("protocol = \"h2c\""));
    assert_eq!((reason.as_str(), detail.as_str()), ("target_refused", "the target does not speak HTTP/2"));
}

#[test]
fn http1_to_a_target_with_http2() {
    // A server with HTTP/2 alone sends its SETTINGS first.
    let target = Target::script(|mut connection| {
        connection.read()?;
        connection.send(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64")
    });
    let (reason, detail) = failure(Config::to(&target));
    assert_eq!(reason, "target_response_malformed");
    assert!(detail.contains("the target expects HTTP/2"), "{detail}");
}

#[test]
fn target_that_accepts_and_waits() {
    for (protocol, phase) in [
        ("https", "connected; the TLS handshake did not end"),
        ("h2", "connected; the TLS handshake did not end"),
        ("h2c", "connected; no SETTINGS of HTTP/2 came"),
    ] {
        let waits = Target::script(|mut connection| connection.stall());
        let config = Config::to(&waits).group(&format!("protocol = \"{protocol}\""));
        let config = config.group("timeouts = { connect = \"200ms\" }");
        let tls = if protocol == "h2c" { "" } else { "tls = { verify = false }" };
        let balancer = Balancer::start(config.group(tls));
        assert_eq!(get(balancer.web(), "/").reason(), "target_connect_timeout");
        assert_eq!(balancer.log_line("request_target", "/")["detail"], phase, "{protocol}");
    }
}

#[test]
fn closed_port() {
    for protocol in ["http", "h2c", "https", "h2"] {
        let config = Config::to_addresses(&[refused_address()]).group(&format!("protocol = \"{protocol}\""));
        let (reason, detail) = failure(config);
        assert_eq!((reason.as_str(), detail.as_str()), ("target_refused", ""), "{protocol}");
    }
}
