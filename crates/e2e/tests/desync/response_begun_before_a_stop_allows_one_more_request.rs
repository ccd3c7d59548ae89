//! A response that began before the stop could not carry `Connection: close`. A request that follows it is
//! served, and a client that sends none is not waited for (OP4).

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use testkit::{Balancer, Client, Config, Signal, Target, elapsed, ok, wait_until};

#[test]
fn response_begun_before_a_stop_allows_one_more_request() {
    let is_released = Arc::new(AtomicBool::new(false));
    let target = Target::script({
        let is_released = Arc::clone(&is_released);
        move |mut connection| {
            connection.head()?;
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nbegun")?;
            wait_until("the release", || is_released.load(Ordering::SeqCst));
            connection.send("ended")?;
            while connection.head().is_ok() {
                connection.send(ok("next"))?;
            }
            Ok(())
        }
    });
    let mut balancer = Balancer::start(Config::to(&target));
    let web = balancer.web();
    let mut clients = [Client::connect(web), Client::connect(web)];
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.head().unwrap().field("connection"), None);
    }
    let [mut asking, mut silent] = clients;
    balancer.signal(Signal::TERM);
    wait_until("the port is closed", || TcpStream::connect(web).is_err());
    asking.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    is_released.store(true, Ordering::SeqCst);
    let time = elapsed(|| {
        assert_eq!(silent.read_exactly(10), b"begunended");
        assert!(silent.is_closed());
        assert_eq!(asking.read_exactly(10), b"begunended");
        let next = asking.response();
        assert_eq!((next.text().as_str(), next.field("connection")), ("next", Some("close")));
        assert!(asking.is_closed());
        assert_eq!(balancer.wait_exit().code(), Some(0));
    });
    assert!(time < Duration::from_secs(5), "{time:?}");
}
