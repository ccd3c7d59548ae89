//! Abstract Unix sockets have no owner: any user can bind a free name, and connect to one. A process that stops and its
//! successor find each other by such names, and no other program may hold them up.

use std::io;
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram, UnixListener};

use testkit::{Balancer, Config, Signal, Target, get, refused_address, wait_until};

#[test]
fn a_running_process_has_the_name_at_which_it_will_answer() {
    let web = refused_address();
    let target = Target::named("served");
    let mut balancer = Balancer::start(Config::to(&target).listener(&format!("bind = \"{web}\"")));
    let is_taken =
        || UnixListener::bind_addr(&stopping(web)).is_err_and(|e| e.kind() == io::ErrorKind::AddrInUse);
    assert!(is_taken());
    balancer.restart().wait_exit();
    wait_until("the next process has it, too", is_taken);
    balancer.restart().wait_exit();
    assert_eq!(get(web, "/").text(), "served");
}

#[test]
fn a_stop_signal_ends_a_process_that_waits_for_an_address() {
    let web = refused_address();
    let _lock = UnixDatagram::bind_addr(&name(&format!("evenkeel/tcp/{web}"))).unwrap();
    let silent = UnixListener::bind_addr(&stopping(web)).unwrap();
    let target = Target::named("unused");
    let mut next = Balancer::prepare(Config::to(&target).listener(&format!("bind = \"{web}\""))).spawn();
    let _asked = silent.accept().unwrap();
    next.signal(Signal::TERM);
    assert_eq!(next.wait_exit().code(), Some(1));
    assert!(next.stderr().contains("stopped by a signal before it served"), "{}", next.stderr());
}

fn stopping(web: SocketAddr) -> UnixAddr {
    name(&format!("evenkeel/tcp/{web}/stopping"))
}

fn name(name: &str) -> UnixAddr {
    UnixAddr::from_abstract_name(name).unwrap()
}
