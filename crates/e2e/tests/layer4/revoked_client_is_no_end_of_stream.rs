//! The connection of a client whose certificate is revoked is cut: its target gets a reset, not an end of stream (MT2, L41).

use std::io::ErrorKind;
use std::sync::mpsc::sync_channel;

use testkit::{Authority, Balancer, Config, Target};

#[test]
fn revoked_client_is_no_end_of_stream() {
    let (told, hear) = sync_channel(1);
    let target = Target::script(move |mut connection| {
        let end = connection.echo().map_err(|error| error.kind());
        told.send(end).unwrap();
        Ok(())
    });
    let (root, auth) = (
        Authority::new("Root"),
        "client_auth = { mode = \"required\", ca = \"ca.pem\", crl = \"ca.crl\", close_revoked = true }",
    );
    let config = Config::to(&target)
        .listener("protocol = \"tcp_ssl\"")
        .listener("certificates = [\"site.pem\"]")
        .listener(auth);
    let balancer = Balancer::prepare(&config)
        .file("site.pem", &root.leaf(&[]).issue().pem())
        .file("ca.pem", &root.pem())
        .file("ca.crl", &root.crl(&[]))
        .start();
    let leaf = root.client("mallory").issue();
    let mut client = balancer.tls_client("web").certificate(&leaf).connect();
    client.send("hello");
    assert_eq!(client.read_exactly(5), b"hello");
    balancer.write("ca.crl", &root.crl(&[&leaf]));
    balancer.reload(&config).unwrap();
    assert_eq!(hear.recv().unwrap(), Err(ErrorKind::ConnectionReset));
    let line = balancer.log_line("kind", "tcp");
    assert_eq!((&line["end"], &line["ended_by"]), (&"client_revoked".into(), &"client".into()));
}
