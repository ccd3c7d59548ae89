//! A next process that cannot start takes nothing from the one that stops: no connection, no admin socket, no address.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram, UnixListener};

use testkit::{Balancer, Client, Config, Signal, Target, get, refused_address};

#[test]
fn one_with_more_workers_takes_no_connection_before_it_has_all_addresses() {
    let (web, other) = (refused_address(), refused_address());
    let target = Target::named("served");
    let config = || Config::to(&target).listener(&format!("bind = \"{web}\""));
    let mut balancer = Balancer::start(config().top("workers = 1"));
    let name = |name: String| UnixAddr::from_abstract_name(name).unwrap();
    let _lock = UnixDatagram::bind_addr(&name(format!("evenkeel/tcp/{other}"))).unwrap();
    let silent = UnixListener::bind_addr(&name(format!("evenkeel/tcp/{other}/stopping"))).unwrap();
    balancer.signal(Signal::TERM);
    let second = format!("[listener.other]\nbind = \"{other}\"\nforward = \"app\"\n");
    let mut next = Balancer::prepare(config().top("workers = 8").text(&second)).spawn();
    let _asked = silent.accept().unwrap();
    for _ in 0..40 {
        assert_eq!(get(web, "/").text(), "served");
    }
    next.signal(Signal::TERM);
    assert_eq!(next.wait_exit().code(), Some(1));
    assert_eq!(balancer.wait_exit().code(), Some(0));
}

#[test]
fn the_admin_api_stays_where_it_is() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (web, admin) = (refused_address(), refused_address());
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = format!("[admin]\nbind = \"{admin}\"\n");
    let config = Config::to_addresses(&[target.local_addr().unwrap()]);
    let config = config.listener(&format!("bind = \"{web}\"")).text(&text);
    let balancer = Balancer::start(&config);
    let mut busy = Client::connect(web);
    busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let _in_flight = target.accept().unwrap();
    balancer.signal(Signal::TERM);
    let second = format!("[listener.other]\nbind = \"{}\"\nforward = \"app\"\n", taken.local_addr().unwrap());
    balancer.write("next.toml", &format!("{config}\n{second}"));
    let next = balancer.run(&["run", "-c", balancer.path("next.toml").to_str().unwrap()]);
    assert_eq!(next.status.code(), Some(1));
    assert_eq!(get(admin, "/ready").status(), 503);
    let status = balancer.status();
    assert!(status["pid"] == balancer.process_id() && status["stopping"] == true, "{status}");
}
