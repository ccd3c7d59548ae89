//! Every coding at every configurable level decompresses to the original page (HTTP5).

use testkit::{Balancer, Client, Config, Target};

use crate::{ask, html, page, plain};

#[test]
fn every_level_decompresses() {
    let target = Target::http(|_| html(""));
    let config = |level: &str| Config::to(&target).listener(&format!("compression = {{ level = {level} }}"));
    let balancer = Balancer::start(config("\"fast\""));
    let mut client = Client::connect(balancer.web());
    let tables = (0..=9).map(|n: u8| format!("{{ zstd = {0}, br = {1}, gzip = {0} }}", n.max(1), n.min(6)));
    let words = ["\"fast\"", "\"balanced\"", "\"small\""].map(str::to_owned);
    for level in words.into_iter().chain(tables) {
        balancer.reload(config(&level)).unwrap();
        for coding in ["zstd", "br", "gzip"] {
            let response = ask(&mut client, &format!("Accept-Encoding: {coding}\r\n"));
            assert_eq!(plain(&response).as_deref(), Some(page().as_bytes()), "{coding} {level}");
        }
    }
}
