//! A half-close of one side reaches the other, which can still send (KA7).

use testkit::{Balancer, Config, Target, websocket_accept};

use crate::{connect, switching};

#[test]
fn half_close_is_passed_on() {
    let target = Target::script(|mut connection| {
        let request = connection.request()?;
        connection.send(switching(&websocket_accept(request.field("sec-websocket-key").unwrap())))?;
        let mut heard = Vec::new();
        loop {
            match connection.read()? {
                bytes if bytes.is_empty() => break,
                bytes => heard.extend(bytes),
            }
        }
        connection.send([b"heard ", heard.as_slice()].concat())
    });
    let balancer = Balancer::start(Config::to(&target));
    let mut client = connect(balancer.web());
    client.send("everything");
    client.half_close();
    assert_eq!(client.read_exactly(16), b"heard everything");
    assert!(client.is_closed());
}
