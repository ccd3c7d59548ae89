//! A failed call of gRPC has the status 200 in the access log; the searches in `docs/access-log.md` find it all the same.

use std::process::Command;

use testkit::{Balancer, Config, Http2Client, refused_address, wait_until};

const PAGE: &str = include_str!("../../../../docs/access-log.md");

#[test]
fn failed_grpc_calls_are_found_in_the_log() {
    let log = "access_log = { path = \"access.log\", format = \"text\" }";
    let balancer = Balancer::start(Config::to_addresses(&[refused_address()]).listener(log));
    let mut client = Http2Client::connect(balancer.web());
    let response = client.exchange("POST", "/call", &[("content-type", "application/grpc")], b"");
    assert_eq!((response.status(), response.all("grpc-status")), (200, vec!["14"]));
    let searches: Vec<_> = PAGE.lines().filter(|line| line.starts_with("awk ")).collect();
    assert_eq!(searches.len(), 2);
    for search in searches {
        wait_until(search, || {
            let log = balancer.path("access.log");
            let found = Command::new("sh").args(["-c", search]).current_dir(log.parent().unwrap()).output();
            String::from_utf8(found.unwrap().stdout).unwrap().contains(" 200 POST ")
        });
    }
}
