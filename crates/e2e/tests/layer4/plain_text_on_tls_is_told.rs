//! Plain text on a `tcp_ssl` listener cannot be answered, so it has a line in the operators' log (L41).

use testkit::{Authority, Balancer, Client, Config, wait_until};

use crate::echo;

#[test]
fn plain_text_on_tls_is_told() {
    let target = echo();
    let config =
        Config::to(&target).listener("protocol = \"tcp_ssl\"").listener("certificates = [\"site.pem\"]");
    let site = Authority::new("Root").leaf(&[]).issue();
    let balancer = Balancer::prepare(config).file("site.pem", &site.pem()).start();
    let mut client = Client::connect(balancer.web());
    client.send("EHLO client.example\r\n");
    assert!(client.is_closed());
    wait_until("a line", || {
        let text = balancer.stderr();
        text.contains("plain text on a listener with TLS") && text.contains("listener=web")
    });
}
