//! Workers that die, under an engine with real sockets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use config::Disk;

use super::*;

const TEXT: &str = "workers = 2\n[listener.web]\nbind = '127.0.0.1:0'\nkeepalive_timeout = '1m'\n\
                    [[listener.web.rule]]\npath = '/'\nrespond = { status = 200, body = 'served' }\n";

fn start(give_up: fn()) -> Engine {
    let config = config::parse(TEXT, "test.toml", &Disk).unwrap_or_else(|e| panic!("{e}")).config;
    Engine::start_with(&config, &Material::default(), [1, 2], give_up).unwrap()
}

fn kill(engine: &Engine, worker: usize) {
    engine.workers[worker].commands.blocking_send(Command::Die).unwrap();
}

fn deaths(engine: &Engine) -> u64 {
    engine.live.worker_cells().iter().map(|cells| cells.deaths.read()).sum()
}

fn open(engine: &Engine) -> i64 {
    engine.live.worker_cells().iter().map(|cells| cells.connections_open.read()).sum()
}

fn connect(engine: &Engine) -> TcpStream {
    let stream = TcpStream::connect(engine.bound()[0].actual).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// True if the request is answered; false if the connection was lost.
fn get(stream: &mut TcpStream) -> bool {
    let mut response = [0; 4096];
    let sent = stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let count = sent.and_then(|()| stream.read(&mut response)).unwrap_or(0);
    response[..count].starts_with(b"HTTP/1.1 200")
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let until = net::monotonic_millis() + 10_000;
    while !condition() {
        assert!(net::monotonic_millis() < until, "waited for {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_worker_that_dies_is_replaced_and_serves_the_same_sockets() {
    let engine = start(|| ());
    let mut clients: Vec<_> = (0..20).map(|_| connect(&engine)).collect();
    assert!(clients.iter_mut().all(get));
    assert_eq!(open(&engine), 20);
    kill(&engine, 0);
    wait_until("its death", || deaths(&engine) == 1);
    // Each of these reaches the socket of one of both workers, and the dead one's stayed open.
    let mut late: Vec<_> = (0..40).map(|_| connect(&engine)).collect();
    assert!(late.iter_mut().all(get), "a connection was lost in an accept queue");
    let kept = clients.iter_mut().filter_map(|client| get(client).then_some(())).count();
    assert!(kept < 20, "its connections are lost");
    assert_eq!(open(&engine), 40 + kept as i64, "those of the dead worker do not count");
    assert_eq!(engine.live.descriptors().limit.open() as i64, 40 + kept as i64);
    drop((clients, late));
    assert_eq!(engine.stop(Duration::from_secs(5), HashSet::new(), || {}), StopReport::default());
}

#[test]
fn a_reload_reaches_the_replacement() {
    let engine = start(|| ());
    kill(&engine, 1);
    let config = config::parse(&TEXT.replace("'served'", "'again'"), "test.toml", &Disk).unwrap().config;
    assert_eq!(engine.apply(&config, &Material::default()).unwrap(), 2);
    wait_until("its death", || deaths(&engine) == 1);
    assert!((0..20).all(|_| get(&mut connect(&engine))));
    engine.stop(Duration::from_secs(5), HashSet::new(), || {});
}

#[test]
fn workers_that_die_again_and_again_end_the_process() {
    static HAS_GIVEN_UP: AtomicBool = AtomicBool::new(false);
    let engine = start(|| HAS_GIVEN_UP.store(true, Ordering::SeqCst));
    for _ in 0..6 {
        assert!(!HAS_GIVEN_UP.load(Ordering::SeqCst));
        kill(&engine, 0);
    }
    wait_until("the end", || HAS_GIVEN_UP.load(Ordering::SeqCst));
    assert_eq!(deaths(&engine), 6);
    engine.stop(Duration::from_secs(5), HashSet::new(), || {});
}
