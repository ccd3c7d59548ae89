//! A reload may give the address of a listener to another service: open connections of either kind never meet the other
//! one (L45).

use testkit::{Balancer, Client, Config, Target, ok};

use crate::connect;

#[test]
fn a_listener_changes_its_service() {
    // It answers a request, and sends back what is none.
    let target = Target::script(|mut connection| {
        loop {
            let bytes = connection.read()?;
            if bytes.is_empty() {
                return Ok(());
            }
            connection.send(if bytes.starts_with(b"GET ") { ok("served") } else { bytes })?;
        }
    });
    let http = Config::to(&target);
    let balancer = Balancer::start(&http);
    let web = balancer.web();
    let bind = |config: Config| config.listener(&format!("bind = \"{web}\""));
    balancer.reload(bind(http.clone())).unwrap();
    let mut of_http = Client::connect(balancer.web());
    assert_eq!(of_http.get("/").text(), "served");
    balancer.reload(bind(Config::to(&target).listener("protocol = \"tcp\""))).unwrap();
    let mut of_tcp = connect(&balancer);
    assert_eq!(of_http.get("/").status(), 404, "the rules of TCP are none for requests");
    balancer.reload(bind(http)).unwrap();
    of_tcp.send("bytes");
    assert_eq!(of_tcp.read_exactly(5), b"bytes");
    assert_eq!(Client::connect(balancer.web()).get("/").text(), "served");
}
