//! The client gets what the target has sent before the target sends more: progress of a slow page, or events of
//! a stream whose type is listed (HTTP5).

use std::io::Read;

use testkit::{Balancer, Client, Config, Target, wait_for};

use crate::ask;

/// A target that sends one event and then nothing more.
fn sends_one_event(content_type: &'static str) -> Target {
    Target::script(move |mut connection| {
        connection.request()?;
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";
        connection.send(format!("{head}Content-Type: {content_type}\r\n\r\nb\r\ndata: one\n\n\r\n"))?;
        connection.stall()
    })
}

/// Reads until the decoded body begins with this text.
fn reads(client: &mut Client, coding: &str, expected: &str) {
    let mut came = Vec::new();
    wait_for(&format!("{expected:?} in {coding}"), || {
        came.extend(client.read().unwrap());
        // Removes the chunk framing of one or more chunks.
        let data = chunks(&came);
        let mut text = [0; 100];
        let reader: &mut dyn Read = match coding {
            "gzip" => &mut flate2::read::GzDecoder::new(data.as_slice()),
            _ => &mut brotli::Decompressor::new(data.as_slice(), 64),
        };
        let mut count = 0;
        while let Ok(more @ 1..) = reader.read(&mut text[count..]) {
            count += more;
        }
        (&text[..count] == expected.as_bytes()).then_some(())
    });
}

fn chunks(mut came: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    while let Some(line) = came.windows(2).position(|pair| pair == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&came[..line]).unwrap(), 16).unwrap();
        let Some(chunk) = came.get(line + 2..line + 2 + size) else { break };
        data.extend_from_slice(chunk);
        came = came.get(line + 4 + size..).unwrap_or_default();
    }
    data
}

#[test]
fn a_slow_page_is_seen_as_it_grows() {
    let target = sends_one_event("text/plain");
    let balancer = Balancer::start(Config::to(&target).listener("compression = \"on\""));
    for coding in ["gzip", "br"] {
        let mut client = Client::connect(balancer.web());
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\r\n"));
        assert_eq!(client.head().unwrap().field("content-encoding"), Some(coding));
        reads(&mut client, coding, "data: one\n\n");
    }
}

#[test]
fn events_are_compressed_only_where_listed() {
    let target = sends_one_event("text/event-stream");
    let balancer = Balancer::start(Config::to(&target).listener("compression = \"on\""));
    let head = |client: &mut Client| {
        client.send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
        client.head().unwrap()
    };
    let mut client = Client::connect(balancer.web());
    assert_eq!(head(&mut client).field("content-encoding"), None);
    drop(client);
    let listed = "compression = { types = [\"text/event-stream\"] }";
    balancer.reload(Config::to(&target).listener(listed)).unwrap();
    let mut client = Client::connect(balancer.web());
    assert_eq!(head(&mut client).field("content-encoding"), Some("gzip"));
    reads(&mut client, "gzip", "data: one\n\n");
}

#[test]
fn a_head_without_a_body_yet_is_sent_on() {
    let target = Target::script(|mut connection| {
        connection.request()?;
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")?;
        connection.stall()
    });
    let balancer = Balancer::start(Config::to(&target).listener("compression = \"on\""));
    let mut client = Client::connect(balancer.web());
    client.send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    assert_eq!(client.head().unwrap().status(), 200);
    assert!(client.is_open_and_silent());
}

#[test]
fn the_connection_is_kept_after_a_compressed_response() {
    let target = Target::http(|_| crate::html(""));
    let balancer = Balancer::start(Config::to(&target).listener("compression = \"on\""));
    let mut client = Client::connect(balancer.web());
    for _ in 0..3 {
        assert!(ask(&mut client, "Accept-Encoding: zstd\r\n").is_complete);
    }
    assert_eq!(target.connections(), 1);
}
