//! A POST that the target may have received is not retried: the response is 502, and the target sees the POST
//! once.

use testkit::{Balancer, Client, Config, Target, ok};

#[test]
fn possibly_received_post_is_not_retried() {
    let target = Target::script(|mut connection| {
        connection.request()?;
        connection.send(ok("answered"))?;
        connection.request().map(drop)
    });
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    assert_eq!(client.get("/").status(), 200);
    client.send("POST /order HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    let response = client.response();
    assert_eq!((response.status(), response.reason().as_str()), (502, "target_closed_before_response"));
    assert_eq!(response.field("connection"), None, "the client's connection is kept");
    let orders = target.requests().iter().filter(|request| request.target() == "/order").count();
    assert_eq!(orders, 1);
    assert_eq!(client.get("/").status(), 200);
    let line = balancer.log_line("reason", "target_closed_before_response");
    assert_eq!((line["attempts"].as_u64(), line["reused"].as_bool()), (Some(1), Some(true)));
}
