//! `curl --compressed` gets the page (HTTP5). Skipped if curl is not installed.

use std::process::Command;

use testkit::{Balancer, Target};

use crate::{compressing, html, page};

#[test]
fn curl_decompresses_the_page() {
    let target = Target::http(|_| html(""));
    let balancer = Balancer::start(compressing(&target));
    let url = format!("http://{}/", balancer.web());
    let Ok(output) = Command::new("curl").args(["-sS", "--compressed", "-D", "-", &url]).output() else {
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.to_ascii_lowercase().contains("content-encoding: "), "{head}");
    assert_eq!(body, page());
}
