//! `send_timeout` runs only while there is data to send, so it does not expire while the target pauses (KA12).

use std::time::Duration;

use testkit::{Balancer, Client, Config, Target};

#[test]
fn pausing_target_does_not_cut_the_client() {
    const HALF: usize = 4 << 20;
    let target = Target::script(|mut connection| {
        connection.request()?;
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 2 * HALF))?;
        connection.send(vec![b'x'; HALF])?;
        assert!(!connection.closes_within(Duration::from_millis(2_500)), "the response was cut");
        connection.send(vec![b'x'; HALF])
    });
    let balancer = Balancer::start(Config::to(&target).listener("send_timeout = \"1s\""));
    let mut client = Client::connect(balancer.web());
    let response = client.get("/");
    assert_eq!((response.is_complete, response.body.len()), (true, 2 * HALF));
}
