//! Trailers follow the compressed body, except those that describe the target's bytes (HTTP5).

use testkit::{Balancer, Client, Target};

use crate::{ask, compressing, page, plain};

#[test]
fn trailers_are_passed() {
    let body = format!("{:x}\r\n{}\r\n", page().len(), page());
    let trailers = "Server-Timing: db;dur=5\r\nRepr-Digest: sha-256=:abc=:\r\n";
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n";
    let target = Target::http(move |_| format!("{head}\r\n{body}0\r\n{trailers}\r\n").into_bytes());
    let balancer = Balancer::start(compressing(&target));
    let response = ask(&mut Client::connect(balancer.web()), "Accept-Encoding: gzip\r\n");
    assert_eq!(plain(&response).as_deref(), Some(page().as_bytes()));
    assert_eq!(response.trailers, ["Server-Timing: db;dur=5"]);
}
