//! With `protocol = "tcp_ssl"` TLS ends here, and the target gets plain bytes (L41).

use testkit::{Authority, Balancer, Client, Config, Target};

use crate::{echo, named};

fn start(target: &Target) -> (Authority, Balancer) {
    let root = Authority::new("Root");
    let (one, other) = (root.leaf(&["one.example"]).issue(), root.leaf(&["other.example"]).issue());
    let config = Config::to(target)
        .listener("protocol = \"tcp_ssl\"")
        .listener("certificates = [\"one.pem\", \"other.pem\"]")
        .listener("handshake_timeout = \"1s\"");
    let prepared = Balancer::prepare(config).file("one.pem", &one.pem()).file("other.pem", &other.pem());
    (root, prepared.start())
}

#[test]
fn the_name_chooses_the_certificate() {
    let target = named("220 ready");
    let (root, balancer) = start(&target);
    for name in ["one.example", "other.example"] {
        let mut client = balancer.tls_client("web").sni(name).trusting(&root).connect();
        assert_eq!(client.read_exactly(9), b"220 ready");
        client.send("hello");
        assert_eq!(client.read_exactly(5), b"hello");
        client.half_close();
        assert_eq!(client.read().unwrap(), b"", "the end of the target's stream is no truncation");
        let line = balancer.log_line("server_name", name);
        assert_eq!(
            (&line["end"], &line["tls"], &line["bytes_in"]),
            (&"closed".into(), &"1.3".into(), &5.into())
        );
    }
}

#[test]
fn no_protocol_is_agreed_on() {
    let target = echo();
    let (_, balancer) = start(&target);
    let client = balancer.tls_client("web").alpn(&["postgresql", "h2"]).connect();
    assert_eq!(client.handshake().alpn, None, "what the bytes mean is known to the target only");
}

#[test]
fn a_reset_is_no_end_of_stream() {
    let target = Target::script(|mut connection| {
        connection.read_exactly(3)?;
        connection.send("half of it")?;
        connection.read_exactly(2)?;
        connection.reset()
    });
    let (_, balancer) = start(&target);
    let mut client = balancer.tls_client("web").connect();
    client.send("die");
    assert_eq!(client.read_exactly(10), b"half of it");
    client.send("!!");
    assert!(client.read().is_err(), "neither FIN nor close_notify");
}

#[test]
fn plain_bytes_and_silence_are_closed() {
    let target = echo();
    let (_, balancer) = start(&target);
    let mut plain = Client::connect(balancer.web());
    plain.send("GET / HTTP/1.1\r\n\r\n");
    assert!(plain.is_closed());
    assert!(Client::connect(balancer.web()).is_closed(), "within `handshake_timeout`");
    assert_eq!(target.connections(), 0);
}
