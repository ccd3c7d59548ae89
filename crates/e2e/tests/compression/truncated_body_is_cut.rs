//! If the target truncates a body, the compressed body has no end either: no last chunk and no end of its
//! coding, and the connection is cut. If nothing has been sent yet, the response is a 502 (HTTP5).

use std::time::Duration;

use testkit::{Balancer, Client, Target};

use crate::{ask, compressing, page, plain};

/// Sends a page and truncates its body, at once or when this much has been relayed.
fn breaking_off(framing: &str, at_once: bool) -> Target {
    let response = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{framing}{}", page());
    Target::script(move |mut connection| {
        connection.request()?;
        connection.send(&response)?;
        if !at_once {
            connection.closes_within(Duration::from_millis(200));
        }
        Ok(())
    })
}

const FRAMINGS: [&str; 2] = ["Content-Length: 100000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n4000\r\n"];

#[test]
fn truncated_body_is_cut() {
    for framing in FRAMINGS {
        let target = breaking_off(framing, false);
        let balancer = Balancer::start(compressing(&target));
        for coding in ["gzip", "br", "zstd"] {
            let mut client = Client::connect(balancer.web());
            let response = ask(&mut client, &format!("Accept-Encoding: {coding}\r\n"));
            assert_eq!(response.field("content-encoding"), Some(coding));
            assert!(!response.is_complete && plain(&response).is_none(), "{coding}");
            assert!(client.is_closed());
        }
        assert_eq!(balancer.log_line("compressed", "zstd")["reason"], "target_response_truncated");
    }
}

#[test]
fn a_response_not_begun_becomes_a_502() {
    for framing in FRAMINGS {
        let target = breaking_off(framing, true);
        let balancer = Balancer::start(compressing(&target));
        let response = ask(&mut Client::connect(balancer.web()), "Accept-Encoding: gzip\r\n");
        // The end may arrive a moment later, after the head was sent.
        let is_refusal = response.status() == 502 && response.field("content-encoding").is_none();
        assert!(is_refusal || !response.is_complete, "{}", response.start);
        balancer.log_line("reason", "target_response_truncated");
    }
}

#[test]
fn malformed_chunk_cuts_the_client() {
    let target = Target::script(|mut connection| {
        connection.request()?;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n";
        connection.send(format!("{head}5\r\nfirst\r\n"))?;
        connection.closes_within(Duration::from_millis(200));
        connection.send("nonsense\r\n")?;
        connection.stall()
    });
    let balancer = Balancer::start(compressing(&target));
    let mut client = Client::connect(balancer.web());
    let response = ask(&mut client, "Accept-Encoding: gzip\r\n");
    assert!(!response.is_complete && client.is_closed());
    assert_eq!(balancer.log_line("compressed", "gzip")["reason"], "target_response_body");
}
