//! A generated page larger than any buffer arrives complete, even if the client does not read for a while
//! (HTTP5).

use testkit::{Balancer, Client, Config, refused_address, wait_until};

const PAGE_BYTES: usize = 200 * 1024;
/// More pages than the sockets can buffer.
const PAGES: usize = 60;

#[test]
fn large_generated_page_is_complete() {
    let page: String = ('a'..='z').cycle().take(PAGE_BYTES).collect();
    let rule = format!("path = \"/fixed\"\nrespond = {{ status = 200, body = \"{page}\" }}");
    let config = Config::to_addresses(&[refused_address()])
        .listener("error_pages = { 502 = \"sorry.html\" }")
        .rule(&rule);
    let balancer = Balancer::prepare(config).file("sorry.html", &page).start();
    for (path, status) in [("/fixed", 200), ("/failed", 502)] {
        let mut client = Client::connect(balancer.web());
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").repeat(PAGES));
        let mut before = usize::MAX;
        wait_until("the balancer is blocked", || {
            let now = balancer.log_lines().len();
            std::mem::replace(&mut before, now) == now
        });
        for number in 0..PAGES {
            let response = client.response();
            assert_eq!(response.status(), status, "{path} {number}");
            assert!(response.text() == page, "{path} {number}: {} bytes", response.body.len());
        }
        assert!(client.is_open_and_silent());
    }
}
