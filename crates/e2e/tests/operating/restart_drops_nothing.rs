//! A restart under load: SIGTERM, and at once another process. That one takes the listener sockets over, so that no
//! connection is refused or reset (OP4).

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use testkit::{Balancer, Client, Config, PATIENCE, Signal, Target, get, ok, refused_address, wait_until};

#[test]
fn no_connection_is_refused_while_one_process_follows_another() {
    let target = Target::named("served");
    // The next process must find the same address, so that it cannot be one that the kernel chooses.
    let web = refused_address();
    let config = Config::to(&target).listener(&format!("bind = \"{web}\"")).top("workers = 2");
    let mut balancer = Balancer::start(config);
    let is_over = AtomicBool::new(false);
    let load = || {
        let mut served = 0;
        while !is_over.load(Ordering::Relaxed) {
            ask(web).unwrap_or_else(|error| panic!("after {served} connections: {error}"));
            served += 1;
        }
        served
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(load)).collect();
        for _ in 0..RESTARTS {
            let mut former = balancer.restart();
            assert_eq!(former.wait_exit().code(), Some(0));
        }
        is_over.store(true, Ordering::Relaxed);
        let served: u32 = clients.into_iter().map(|client| client.join().unwrap()).sum();
        assert!(served > 100, "{served}");
    });
}

#[test]
fn what_is_in_flight_is_finished_beside_the_next_process() {
    let (release, gate) = std::sync::mpsc::sync_channel(1);
    let gate = std::sync::Mutex::new(gate);
    let target = Target::http(move |request| {
        if request.target() == "/slow" {
            gate.lock().unwrap().recv().unwrap();
        }
        ok("finished")
    });
    let web = refused_address();
    let mut balancer = Balancer::start(Config::to(&target).listener(&format!("bind = \"{web}\"")));
    let mut busy = Client::connect(web);
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_until("the request is in flight", || target.requests().len() == 1);
    let mut former = balancer.restart();
    assert_eq!(get(web, "/").text(), "finished");
    release.send(()).unwrap();
    assert_eq!(busy.response().text(), "finished");
    assert_eq!(former.wait_exit().code(), Some(0));
    assert_eq!(balancer.status()["stopping"], false);
}

#[test]
fn the_next_process_may_have_another_number_of_workers() {
    let target = Target::named("served");
    let web = refused_address();
    let config = |workers| {
        let bind = format!("bind = \"{web}\"");
        Config::to(&target).listener(&bind).top(&format!("workers = {workers}")).to_string()
    };
    let mut balancer = Balancer::start(config(1));
    for workers in [4, 2] {
        balancer.write("evenkeel.toml", &config(workers));
        balancer.restart().wait_exit();
        assert_eq!(balancer.status()["workers"], workers);
        for _ in 0..40 {
            ask(web).unwrap();
        }
    }
}

#[test]
fn the_next_process_may_have_another_admin_socket() {
    let (one, two) = (Target::named("one"), Target::named("two"));
    let web = refused_address();
    let bind = format!("bind = \"{web}\"");
    let mut former = Balancer::start(Config::to(&one).listener(&bind));
    former.signal(Signal::TERM);
    let _next = Balancer::prepare(Config::to(&two).listener(&bind)).start();
    assert_eq!(former.wait_exit().code(), Some(0));
    assert_eq!(get(web, "/").text(), "two");
}

#[test]
fn a_next_process_that_cannot_start_leaves_the_stop_as_it_was() {
    let target = Target::named("one");
    let (web, taken) = (refused_address(), TcpListener::bind("127.0.0.1:0").unwrap());
    let bind = format!("bind = \"{web}\"");
    let mut balancer = Balancer::start(Config::to(&target).listener(&bind));
    balancer.signal(Signal::TERM);
    let taken = taken.local_addr().unwrap();
    let other = format!("[listener.other]\nbind = \"{taken}\"\nforward = \"app\"\n");
    let mut next = Balancer::prepare(Config::to(&target).listener(&bind).text(&other)).spawn();
    assert_eq!(next.wait_exit().code(), Some(1));
    assert!(next.stderr().contains(&format!("`other` cannot listen at {taken}")), "{}", next.stderr());
    assert_eq!(balancer.wait_exit().code(), Some(0));
    wait_until("the port is closed", || TcpStream::connect(web).is_err());
}

/// One request on a connection of its own.
fn ask(web: SocketAddr) -> io::Result<()> {
    let mut client = TcpStream::connect_timeout(&web, PATIENCE)?;
    client.set_read_timeout(Some(PATIENCE))?;
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    let mut response = String::new();
    client.read_to_string(&mut response)?;
    let is_whole = response.starts_with("HTTP/1.1 200 ") && response.ends_with("served");
    if is_whole { Ok(()) } else { Err(io::Error::other(response)) }
}

const RESTARTS: usize = 20;
