//! Failures caused by targets, or on the way to them.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use model::Failure;
use testkit::{Client, Config, Target, refused_address, wait_until};

use crate::case::{Case, patient};
use crate::websocket_cases;

pub(crate) fn case(failure: Failure) -> Option<Case> {
    Some(match failure {
        Failure::TargetRefused => elsewhere(refused_address()),
        // The broadcast address of the loopback network, which accepts no TCP connection.
        Failure::TargetUnreachable => elsewhere("127.255.255.255:80".parse().unwrap()),
        Failure::TargetConnectTimeout => full_backlog(),
        Failure::LocalResources => out_of_descriptors(),
        Failure::TargetsFull => full(),
        Failure::TargetClosedBeforeResponse => Case::answers(""),
        Failure::TargetResponseMalformed => Case::answers("HTTP/1.1 200 OK\nA: b\n\n"),
        Failure::TargetResponseFraming => {
            Case::answers("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
        }
        Failure::TargetResponseFieldsTooLarge => {
            Case::answers(format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(17_000)))
        }
        Failure::TargetUpgradeUnasked => Case::answers(websocket_cases::SWITCHING),
        Failure::TargetResponseTimeout => Case::target(stalls_after("")),
        Failure::TargetSendTimeout => Case::new(reads_only_the_head(), |_, mut client| {
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
            client.send_endlessly();
            Some(client.response())
        }),
        Failure::TargetResponseTruncated => {
            Case::answers("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort")
        }
        Failure::TargetResponseBody => bad_chunk_later(),
        Failure::TargetStalled => {
            Case::target(stalls_after("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"))
        }
        _ => return None,
    })
}

/// Uses this address instead of the scripted target.
fn elsewhere(address: SocketAddr) -> Case {
    let mut case = Case::target(Target::named("never"));
    case.config = patient(Config::to_addresses(&[address]));
    case
}

/// A target that listens with a full accept queue: the kernel drops new connections.
fn full_backlog() -> Case {
    let (address, held) = testkit::full_backlog();
    let mut case = Case::new(Target::named("never"), move |_, mut client| {
        let response = client.get("/");
        drop(held);
        Some(response)
    });
    case.config = patient(Config::to_addresses(&[address]));
    case
}

/// One request is in flight at the only target, and there may be no other.
fn full() -> Case {
    let case = Case::new(stalls_after(""), |balancer, mut first| {
        first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        wait_until("the target has the request", || balancer.targets()[0]["in_flight"] == 1);
        let response = Client::connect(balancer.web()).get("/");
        first.reset();
        Some(response)
    });
    case.with(|config| config.group("max_connections = 1"))
}

/// Clients with requests in flight use all descriptors that clients may have, and their targets use the rest.
fn out_of_descriptors() -> Case {
    let mut case = Case::new(stalls_after(""), |balancer, mut last| {
        let mut clients: Vec<_> = (0..40).map(|_| Client::connect(balancer.web())).collect();
        for client in &mut clients {
            // Some connections were refused.
            let _ = client.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        last.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let unlucky =
            |client: &mut Client| client.try_response().ok().filter(|response| response.status() == 503);
        clients.iter_mut().chain([&mut last]).find_map(unlucky)
    });
    case.open_files = Some(80);
    case
}

fn stalls_after(bytes: &'static str) -> Target {
    Target::script(move |mut connection| {
        connection.head()?;
        connection.send(bytes)?;
        connection.stall()
    })
}

fn reads_only_the_head() -> Target {
    Target::script(|mut connection| {
        connection.head()?;
        connection.stall_unread();
        Ok(())
    })
}

/// The bad chunk is sent after the client has read the head.
fn bad_chunk_later() -> Case {
    let (has_head, gate) = sync_channel(1);
    let gate = Mutex::new(gate);
    let target = Target::script(move |mut connection| {
        connection.request()?;
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")?;
        gate.lock().unwrap().recv().unwrap();
        connection.send("nonsense\r\n")?;
        connection.stall()
    });
    Case::new(target, move |_, mut client| {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut response = client.head().unwrap();
        has_head.send(()).unwrap();
        assert!(client.is_closed());
        response.is_complete = false;
        Some(response)
    })
}
