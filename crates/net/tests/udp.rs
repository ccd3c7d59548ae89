//! UDP on the real kernel: sizes, local addresses, both families, refusals.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/kernel.rs"]
#[allow(dead_code, reason = "the support is for connections too")]
mod support;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as Std};

use net::{BATCH_MAX, Batch, Linux, Outgoing, UdpSocket, Worker, bind_udp};
use support::{pattern, run};

/// A worker's socket on `bound`, and a client on `client` that is connected to `asked` at its port.
fn pair(worker: &Worker<Linux>, bound: &str, client: &str, asked: &str) -> (UdpSocket<Linux>, Std) {
    let socket = bind_udp(SocketAddr::new(bound.parse().unwrap(), 0)).unwrap();
    let port = socket.local_address().unwrap().port();
    let client = Std::bind(SocketAddr::new(client.parse().unwrap(), 0)).unwrap();
    client.connect(SocketAddr::new(asked.parse().unwrap(), port)).unwrap();
    (UdpSocket::new(worker, socket), client)
}

/// Answers all that `batch` holds from where it was sent to. Returns those addresses.
fn echo(socket: &UdpSocket<Linux>, batch: &Batch) -> Vec<IpAddr> {
    let answers: Vec<_> =
        batch.iter().map(|d| Outgoing { bytes: d.bytes, to: Some(d.peer), from: d.local }).collect();
    assert_eq!(socket.try_send(&answers).unwrap(), answers.len());
    answers.iter().map(|answer| answer.from.unwrap()).collect()
}

#[test]
fn datagrams_of_every_size_arrive_whole_and_in_order() {
    let stats = run(|worker| async move {
        let (socket, client) = pair(&worker, "127.0.0.1", "127.0.0.1", "127.0.0.1");
        let sent = [0, 1, 1472, 9000, 65_507].map(pattern);
        let mut batch = Batch::default();
        for bytes in &sent {
            client.send(bytes).unwrap();
        }
        socket.receive(&mut batch).await.unwrap();
        let received: Vec<_> = batch.iter().map(|datagram| datagram.bytes.to_vec()).collect();
        assert!(received == sent);
        assert_eq!(batch.byte_count(), sent.iter().map(Vec::len).sum::<usize>());
        echo(&socket, &batch);
        let mut answer = vec![0; 70_000];
        for bytes in &sent {
            let count = client.recv(&mut answer).unwrap();
            assert!(answer[..count] == *bytes);
        }
        drop(socket);
        worker.stats()
    });
    assert_eq!(stats.sources, 0);
}

#[test]
fn answers_leave_from_the_address_that_was_asked() {
    for (bound, client, asked) in [
        ("0.0.0.0", "127.0.0.1", "127.0.0.2"),
        ("127.0.0.3", "127.0.0.1", "127.0.0.3"),
        // IPv4 on a socket of IPv6.
        ("::", "127.0.0.1", "127.0.0.2"),
        ("::", "::1", "::1"),
        ("::1", "::1", "::1"),
    ] {
        run(|worker| async move {
            let (socket, client) = pair(&worker, bound, client, asked);
            client.send(b"question").unwrap();
            let mut batch = Batch::default();
            socket.receive(&mut batch).await.unwrap();
            assert_eq!(batch.iter().next().unwrap().peer, client.local_addr().unwrap());
            assert_eq!(echo(&socket, &batch), [asked.parse::<IpAddr>().unwrap()], "{bound}");
            // The client's socket is connected, so an answer from elsewhere does not arrive.
            client.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
            let mut answer = [0; 16];
            assert_eq!(client.recv(&mut answer).unwrap(), 8, "{bound}");
        });
    }
}

#[test]
fn a_batch_is_bounded_and_the_rest_comes_next() {
    run(|worker| async move {
        let (socket, client) = pair(&worker, "127.0.0.1", "127.0.0.1", "127.0.0.1");
        let count = u8::try_from(BATCH_MAX).unwrap() + 3;
        (0..count).for_each(|n| assert_eq!(client.send(&[n]).unwrap(), 1));
        let (mut batch, mut received) = (Batch::default(), Vec::new());
        for expected in [BATCH_MAX, 3] {
            socket.receive(&mut batch).await.unwrap();
            assert_eq!(batch.iter().count(), expected);
            received.extend(batch.iter().map(|datagram| datagram.bytes[0]));
        }
        assert_eq!(received, (0..count).collect::<Vec<_>>());
    });
}

#[test]
fn a_connected_socket_hears_its_peer_only() {
    run(|worker| async move {
        let target = Std::bind("127.0.0.1:0").unwrap();
        let stranger = Std::bind("127.0.0.1:0").unwrap();
        let flow = UdpSocket::connect(&worker, target.local_addr().unwrap()).unwrap();
        let ask = |bytes| flow.try_send(&[Outgoing { bytes, to: None, from: None }]).unwrap();
        assert_eq!(ask(b"question"), 1);
        let (_, from) = target.recv_from(&mut [0; 16]).unwrap();
        stranger.send_to(b"forged", from).unwrap();
        target.send_to(b"answer", from).unwrap();
        let mut batch = Batch::default();
        flow.receive(&mut batch).await.unwrap();
        let received: Vec<_> = batch.iter().map(|datagram| datagram.bytes.to_vec()).collect();
        assert_eq!(received, [b"answer"]);
    });
}

#[test]
fn a_closed_port_is_told() {
    run(|worker| async move {
        let target = Std::bind("127.0.0.1:0").unwrap();
        let flow = UdpSocket::connect(&worker, target.local_addr().unwrap()).unwrap();
        drop(target);
        assert_eq!(flow.try_send(&[Outgoing { bytes: b"question", to: None, from: None }]).unwrap(), 1);
        let error = flow.receive(&mut Batch::default()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    });
}
