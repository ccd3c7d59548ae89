//! A PROXY header of a trusted sender names the client, for rules and in the log (L47).

use testkit::{Balancer, Client};

use crate::{echo, is_reset, tcp};

#[test]
fn proxy_header_names_the_client() {
    let target = echo();
    let config = tcp(&target)
        .listener("proxy_protocol = [\"127.0.0.2\"]")
        .listener("access = { allow = [\"192.0.2.1\", \"127.0.0.1\"] }");
    let balancer = Balancer::start(config);
    let connect = |source| Client::connect_from([127, 0, 0, source], balancer.web());
    let mut client = connect(2);
    client.send("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\nhello");
    assert_eq!(client.read_exactly(5), b"hello");
    drop(client);
    assert_eq!(balancer.log_line("client", "192.0.2.1")["bytes_in"], 5);
    let mut client = connect(2);
    client.send("PROXY TCP4 192.0.2.2 198.51.100.7 56324 443\r\n");
    assert!(is_reset(&mut client));
    assert_eq!(balancer.log_line("client", "192.0.2.2")["end"], "access_denied");
    // The same bytes of another sender are the connection's.
    let mut client = connect(1);
    client.send("PROXY TCP4 192.0.2.1");
    assert_eq!(client.read_exactly(20), b"PROXY TCP4 192.0.2.1");
}
