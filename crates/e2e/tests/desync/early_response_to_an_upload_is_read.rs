//! A target refuses an upload without reading it and keeps its connection open. The client reads the whole
//! response while it still sends (KA7).

use testkit::{Balancer, Client, Config, Target, response, wait_until};

const WHY: usize = 100_000;

#[test]
fn early_response_to_an_upload_is_read() {
    let why: String = ('a'..='z').cycle().take(WHY).collect();
    let refusal = response(413, "", &why);
    let target = Target::script(move |mut connection| {
        connection.head()?;
        connection.send(&refusal)?;
        connection.stall_unread();
        Ok(())
    });
    let balancer = Balancer::start(Config::to(&target));
    for round in 0..20 {
        let mut client = Client::connect(balancer.web());
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10485760\r\n\r\n");
        client.send_endlessly();
        let response = client.response();
        assert_eq!((response.status(), response.field("connection")), (413, Some("close")), "round {round}");
        assert!(response.is_complete && response.text() == why, "round {round}: {}", response.body.len());
        assert!(client.is_closed());
    }
    assert_eq!(target.connections(), 20);
    wait_until("no target connection is kept", || {
        balancer.metric("evenkeel_target_connections_open", &[]) == 0.0
    });
}
