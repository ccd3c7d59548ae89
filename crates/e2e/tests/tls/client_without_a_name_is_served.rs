//! A client that was given an address sends no name. It gets the certificate with this address, and is not sent to another
//! connection, where it would get the same certificate again.

use testkit::{Authority, Balancer, Config, Target};

#[test]
fn client_without_a_name_is_served() {
    let (authority, target) = (Authority::new("CA"), Target::named("one"));
    let leaf = |name: &str| authority.leaf(&[name]).issue();
    let (default, address) = (leaf("a.example"), leaf("127.0.0.1"));
    let own = "{ cert = \"in.pem\", client_auth = { mode = \"optional\", ca = \"ca.pem\" } }";
    let list = |second: &str| format!("certificates = [\"a.pem\", \"{second}\", {own}]");
    let start = |second: &str| {
        let config = Config::to(&target).listener("protocol = \"https\"").listener(&list(second));
        let files = Balancer::prepare(config).file("a.pem", &default.pem()).file("ip.pem", &address.pem());
        let files = files.file("b.pem", &leaf("b.example").pem()).file("in.pem", &leaf("in.example").pem());
        files.file("ca.pem", &authority.pem()).start()
    };
    for (second, shown) in [("ip.pem", &address), ("b.pem", &default)] {
        let balancer = start(second);
        let mut client = balancer.tls_client("web").without_sni().connect();
        assert_eq!(client.handshake().peer_chain[0], shown.chain()[0].to_vec(), "{second}");
        for (host, status) in
            [("127.0.0.1", 200), ("a.example", 200), ("b.example", 200), ("in.example", 421)]
        {
            client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
            assert_eq!(client.response().status(), status, "{second} {host}");
        }
    }
}
