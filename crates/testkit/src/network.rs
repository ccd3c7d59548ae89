//! Two machines connected by a cable, as network namespaces. The balancer runs on one, its peers on the other,
//! where they can vanish without closing their connections. Needs root, and `ip` and `ss` (iproute2).

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Dropping it deletes both machines.
#[derive(Debug)]
pub struct Network {
    here: String,
    there: String,
}

impl Network {
    /// The address of the balancer's machine.
    pub const BALANCER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
    /// The addresses of the peers' machine.
    pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
    pub const TARGET: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);

    #[expect(clippy::new_without_default, reason = "it makes machines")]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = |side: &str| format!("ek{}-{number}{side}", std::process::id());
        let network = Self { here: name("b"), there: name("p") };
        let (here, there) = (&network.here, &network.there);
        ip(&format!("netns add {here}"));
        ip(&format!("netns add {there}"));
        ip(&format!(
            "link add cable netns {here} address {HARDWARE} type veth peer name cable netns {there}"
        ));
        for machine in [here, there] {
            ip(&format!("-n {machine} link set lo up"));
            ip(&format!("-n {machine} link set cable up"));
        }
        ip(&format!("-n {there} link set cable address {HARDWARE_THERE}"));
        ip(&format!("-n {here} addr add {}/32 dev cable", Self::BALANCER));
        ip(&format!("-n {there} route add {} dev cable", Self::BALANCER));
        for peer in [Self::CLIENT, Self::TARGET] {
            network.appear(peer);
            ip(&format!("-n {here} route add {peer} dev cable"));
            // A vanished peer does not answer ARP. Without a permanent entry the neighbour table would notice
            // that before a probe.
            ip(&format!("-n {here} neigh add {peer} lladdr {HARDWARE_THERE} dev cable nud permanent"));
        }
        network
    }

    /// The name of the balancer's machine, for [`crate::Prepared::inside`].
    pub fn machine(&self) -> &str {
        &self.here
    }

    /// Runs `work` on the peers' machine. Sockets and threads that it creates stay there.
    pub fn there<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        inside(&self.there, work)
    }

    /// Removes this address from the peers' machine: packets to it are lost, and none come from it.
    pub fn vanish(&self, peer: Ipv4Addr) {
        ip(&format!("-n {} addr del {peer}/32 dev cable", self.there));
    }

    pub fn appear(&self, peer: Ipv4Addr) {
        ip(&format!("-n {} addr add {peer}/32 dev cable", self.there));
    }

    /// The number of keepalive probes that the balancer's machine has sent.
    pub fn probes(&self) -> u64 {
        let page = inside(&self.here, || fs::read_to_string("/proc/thread-self/net/netstat").unwrap());
        let mut lines = page.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
        let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
        let place = names.split(' ').position(|name| name == "TCPKeepAlive").unwrap();
        values.split(' ').nth(place).unwrap().parse().unwrap()
    }

    /// The output of `ss` for the balancer's connections with `peer`, including their timers; empty if there
    /// are none.
    pub fn sockets(&self, peer: Ipv4Addr) -> String {
        run("ip", &format!("netns exec {} ss -Htnoi dst {peer}", self.here))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for machine in [&self.here, &self.there] {
            let _ = Command::new("ip").args(["netns", "del", machine]).status();
        }
    }
}

/// Runs `work` in a new thread, because a namespace belongs to a thread.
fn inside<T: Send>(machine: &str, work: impl FnOnce() -> T + Send) -> T {
    let enter = || {
        let machine = File::open(format!("/run/netns/{machine}")).unwrap();
        move_into_link_name_space(machine.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        work()
    };
    thread::scope(|scope| scope.spawn(enter).join().unwrap())
}

fn ip(arguments: &str) {
    run("ip", arguments);
}

#[track_caller]
fn run(program: &str, arguments: &str) -> String {
    let output = Command::new(program).args(arguments.split(' ')).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments}: {error} (it needs root)");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const HARDWARE: &str = "02:00:00:00:00:01";
const HARDWARE_THERE: &str = "02:00:00:00:00:02";
