//! A target connection with an unfinished request is not reused: the target would read the next request as the
//! rest of the unfinished one (KA5).

use std::io;
use std::sync::{Mutex, mpsc};

use testkit::{Balancer, Client, Config, Connection, Target, get, ok, response};

const STEP: usize = 128 * 1024;
const END: &[u8] = b"\r\n0\r\n\r\n";

#[test]
fn unfinished_upload_is_not_pooled() {
    let (answer, gate) = mpsc::sync_channel(1);
    let gate = Mutex::new(gate);
    let target = Target::script(move |connection| serve(connection, &gate));
    let balancer = Balancer::start(Config::to(&target));
    let fits = |length: usize| {
        let opened = target.connections();
        let mut client = Client::connect(balancer.web());
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.send(format!("{head}{length:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(length)));
        crate::wait_until_upload_blocks(&client);
        answer.send(()).unwrap();
        assert_eq!(client.response().text(), "early");
        assert_eq!(get(balancer.web(), "/").text(), "after", "after {length} bytes");
        target.connections() == opened + 1
    };
    let full = (STEP..).step_by(STEP).find(|&length| !fits(length) && !fits(length)).unwrap();
    // Near this length, all has been read from the client but the end is not written. The kernel decides the
    // exact point.
    for length in (full - full.min(2 * STEP)..full + STEP / 2).step_by(STEP / 24) {
        fits(length);
    }
}

/// Responds to an upload before reading it. Only after its end may another request follow.
fn serve(mut connection: Connection, gate: &Mutex<mpsc::Receiver<()>>) -> io::Result<()> {
    let after = response(200, "Connection: close\r\n", "after");
    if connection.head()?.method() == "GET" {
        return connection.send(after);
    }
    gate.lock().unwrap().recv().unwrap();
    connection.send(ok("early"))?;
    let mut came = Vec::new();
    loop {
        came.drain(..came.len().saturating_sub(END.len()));
        match connection.read()? {
            some if some.is_empty() => return Ok(()),
            some => came.extend(some),
        }
        if let Some(at) = came.windows(4).position(|bytes| bytes == b"GET ") {
            assert!(came[..at].ends_with(END), "a request within a body");
            return connection.send(after);
        }
    }
}
