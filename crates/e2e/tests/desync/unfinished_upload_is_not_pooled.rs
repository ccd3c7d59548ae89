//! A connection that still owes its target a part of a request is not used again: what is written to it next would be
//! read as that part (KA5).

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
        crate::wait_until_it_rests(&client);
        answer.send(()).unwrap();
        assert_eq!(client.response().text(), "early");
        assert_eq!(get(balancer.web(), "/").text(), "after", "behind {length} bytes");
        target.connections() == opened + 1
    };
    let full = (STEP..).step_by(STEP).find(|&length| !fits(length) && !fits(length)).unwrap();
    // Around there, all has been read from the client and the end is not written. Where exactly, is the kernel's choice.
    for length in (full - full.min(2 * STEP)..full + STEP / 2).step_by(STEP / 24) {
        fits(length);
    }
}

/// Answers an upload before it reads it; only behind its end may there be another request.
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
