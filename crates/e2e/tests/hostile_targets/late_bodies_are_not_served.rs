//! A body that arrives after a response without one, when the response has been passed on, does not reach the
//! next client: not after a 204, a 304, a response to HEAD or a complete body (HTTP3).

use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use testkit::{Balancer, Client, Config, Target};

const POISON: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";

const RESPONSES: &[(&str, u16, &str)] = &[
    ("GET", 204, "HTTP/1.1 204 No Content\r\n\r\n"),
    ("GET", 304, "HTTP/1.1 304 Not Modified\r\nContent-Length: 44\r\n\r\n"),
    ("HEAD", 200, "HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n"),
    ("HEAD", 200, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("GET", 200, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("GET", 200, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("POST", 200, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
];

#[test]
fn late_bodies_are_not_served() {
    let (sent, has_sent) = sync_channel(0);
    let (go, may_send) = sync_channel(0);
    let may_send = Mutex::new(may_send);
    let target = Target::script(move |mut connection| {
        let place: usize = connection.request()?.field("x-place").unwrap().parse().unwrap();
        connection.send(RESPONSES[place].2)?;
        may_send.lock().unwrap().recv().unwrap();
        connection.send(POISON)?;
        sent.send(()).unwrap();
        connection.stall()
    });
    let balancer = Balancer::start(Config::to(&target));
    for round in 0..3 {
        for (place, (method, status, response)) in RESPONSES.iter().enumerate() {
            let mut client = Client::connect(balancer.web());
            client.send(format!(
                "{method} / HTTP/1.1\r\nHost: a\r\nX-Place: {place}\r\nContent-Length: 0\r\n\r\n"
            ));
            let got = client.response();
            assert_eq!((got.status(), got.text().as_str()), (*status, ""), "{round} {response:?}");
            go.send(()).unwrap();
            has_sent.recv().unwrap();
        }
    }
}
