//! A reload drops no connection and no request; listeners and targets are added and removed (OP3).

use std::thread;

use testkit::{Balancer, Client, Config, Target, get, ok, wait_until};

#[test]
fn connections_and_requests_survive() {
    let (release, gate) = std::sync::mpsc::sync_channel(1);
    let gate = std::sync::Mutex::new(gate);
    let old = Target::http(move |request| {
        if request.target() == "/slow" {
            gate.lock().unwrap().recv().unwrap();
        }
        ok("old")
    });
    let new = Target::named("new");
    let balancer = Balancer::start(Config::to(&old));
    let (mut idle, mut busy) = (Client::connect(balancer.web()), Client::connect(balancer.web()));
    assert_eq!(idle.get("/").text(), "old");
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_until("the request is in flight", || old.requests().len() == 2);
    let web = balancer.web();
    assert_eq!(balancer.reload(Config::to(&new)).unwrap()["generation"], 2);
    assert_eq!(balancer.web(), web, "the listener stays where it is");
    assert_eq!(idle.get("/").text(), "new");
    release.send(()).unwrap();
    assert_eq!(busy.response().text(), "old");
    assert_eq!(busy.get("/").text(), "new");
}

#[test]
fn nothing_fails_under_load() {
    let (one, two) = (Target::named("one"), Target::named("two"));
    let balancer = Balancer::start(Config::to_all(&[&one, &two]).top("workers = 2"));
    let web = balancer.web();
    thread::scope(|scope| {
        let reloads = scope.spawn(|| {
            for round in 0..20 {
                let targets = if round % 2 == 0 { vec![&one] } else { vec![&one, &two] };
                balancer.reload(Config::to_all(&targets).top("workers = 2")).unwrap();
            }
        });
        let mut client = Client::connect(web);
        while !reloads.is_finished() {
            assert_eq!(client.get("/").status(), 200);
            assert_eq!(get(web, "/").status(), 200);
        }
    });
}

#[test]
fn listeners_are_added_and_removed() {
    let target = Target::named("one");
    let both = Config::to(&target).text("[listener.extra]\nbind = \"127.0.0.1:0\"\nforward = \"app\"\n");
    let both = both.to_string().replace(
        "bind = \"127.0.0.1:0\"\nforward = \"app\"\n",
        "bind = \"127.0.0.2:0\"\nforward = \"app\"\n",
    );
    let balancer = Balancer::start(Config::to(&target));
    balancer.reload(&both).unwrap();
    let extra = balancer.address("extra");
    let mut client = Client::connect(extra);
    assert_eq!(client.get("/").text(), "one");
    balancer.reload(Config::to(&target)).unwrap();
    assert!(client.is_closed(), "its idle connections are closed");
    assert!(std::net::TcpStream::connect(extra).is_err());
    assert_eq!(get(balancer.web(), "/").text(), "one");
}
