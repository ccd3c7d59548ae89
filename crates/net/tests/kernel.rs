//! Sockets on the real kernel: small buffers, half-closes, resets, refused connects, splices, timers.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/kernel.rs"]
mod support;

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream as StdStream};
use std::time::Duration;

use net::{
    AddressLock, Buffer, Claim, LARGE, Linux, Listener, LockError, Offer, Pipe, SMALL, TcpStream, Worker,
    bind,
};
use support::{Gate, pattern, reset, run, served};

#[test]
fn a_write_completes_through_small_socket_buffers() {
    let sent = pattern(60_000);
    let expected = sent.clone();
    served(
        move |mut peer| {
            rustix::net::sockopt::set_socket_recv_buffer_size(&peer, 8192).unwrap();
            rustix::net::sockopt::set_socket_send_buffer_size(&peer, 8192).unwrap();
            let mut received = Vec::new();
            peer.read_to_end(&mut received).unwrap();
            assert!(received == expected);
        },
        |_, stream| async move {
            for chunk in sent.chunks(LARGE) {
                let (head, body) = chunk.split_at(chunk.len() / 3);
                let (mut first, mut second) = (Buffer::new(), Buffer::new());
                first.extend(head).unwrap();
                second.extend(body).unwrap();
                stream.write_all(&mut first, &mut second).await.unwrap();
                assert!(first.is_empty() && second.is_empty());
            }
        },
    );
}

#[test]
fn a_peer_gets_its_answer_after_a_half_close() {
    served(
        |mut peer| {
            peer.write_all(b"question").unwrap();
            peer.shutdown(Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            peer.read_to_end(&mut answer).unwrap();
            assert_eq!(answer, b"answer to question");
        },
        |_, stream| async move {
            let (mut question, mut answer) = (Buffer::new(), Buffer::new());
            while stream.fill(&mut question, SMALL).await.unwrap() > 0 {}
            answer.extend(b"answer to ").unwrap();
            stream.write_all(&mut answer, &mut question).await.unwrap();
            // A read after the end of the stream returns the end again.
            assert_eq!(stream.fill(&mut question, SMALL).await.unwrap(), 0);
        },
    );
}

#[test]
fn the_worker_reads_the_answer_after_a_half_close() {
    served(
        |mut peer| {
            let mut question = Vec::new();
            peer.read_to_end(&mut question).unwrap();
            peer.write_all(&question).unwrap();
        },
        |_, stream| async move {
            let mut buffer = Buffer::new();
            buffer.extend(b"ping").unwrap();
            stream.write_all(&mut buffer, &mut Buffer::new()).await.unwrap();
            stream.shutdown_write().unwrap();
            while stream.fill(&mut buffer, SMALL).await.unwrap() > 0 {}
            assert_eq!(buffer.bytes(), b"ping");
        },
    );
}

#[test]
fn all_bytes_before_the_end_are_read_in_small_pieces() {
    let sent = pattern(20_000);
    let expected = sent.clone();
    served(
        move |mut peer| peer.write_all(&sent).unwrap(),
        |worker, stream| async move {
            // Meanwhile the source is registered, and one event reports both the data and the end.
            worker.sleep(Duration::from_millis(700)).await;
            assert!(stream.is_read_closed() && !stream.is_quiet());
            let (mut buffer, mut received) = (Buffer::new(), Vec::<u8>::new());
            while stream.fill(&mut buffer, 512).await.unwrap() > 0 {
                received.extend(buffer.bytes());
                buffer.consume(buffer.len());
            }
            assert!(received == expected);
        },
    );
}

#[test]
fn a_reset_ends_a_waiting_read() {
    let (gate, opener) = Gate::new();
    served(
        move |peer| {
            gate.wait();
            reset(peer);
        },
        |worker, stream| async move {
            worker.spawn(async move { opener.open() });
            let error = stream.fill(&mut Buffer::new(), SMALL).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        },
    );
}

#[test]
fn a_reset_ends_a_blocked_write() {
    let (gate, opener) = Gate::new();
    served(
        move |peer| {
            gate.wait();
            reset(peer);
        },
        |worker, stream| async move {
            let later = worker.clone();
            worker.spawn(async move {
                later.sleep(Duration::from_millis(50)).await;
                opener.open();
            });
            let error = loop {
                let mut buffer = Buffer::new();
                buffer.extend(&[0; LARGE]).unwrap();
                if let Err(error) = stream.write_all(&mut buffer, &mut Buffer::new()).await {
                    break error;
                }
            };
            let kinds = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
            assert!(kinds.contains(&error.kind()), "{error}");
        },
    );
}

#[test]
fn a_reset_is_seen_within_a_second_without_a_read() {
    served(
        |mut peer| {
            peer.write_all(b"GET").unwrap();
            let mut byte = [0];
            peer.read_exact(&mut byte).unwrap();
            reset(peer);
        },
        |worker, stream| async move {
            let (mut request, mut byte) = (Buffer::new(), Buffer::new());
            stream.fill(&mut request, SMALL).await.unwrap();
            byte.extend(b"!").unwrap();
            stream.write_all(&mut byte, &mut Buffer::new()).await.unwrap();
            let began = worker.now();
            stream.gone().await;
            assert!(worker.now() - began < 1_500_000_000);
        },
    );
}

#[test]
fn accepted_connections_inherit_the_keepalive_of_their_listener() {
    use model::TcpKeepalive;
    use rustix::net::sockopt;
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let first = TcpKeepalive { idle: Duration::from_secs(9), interval: Duration::from_secs(2), probes: 3 };
    let socket = bind("127.0.0.1:0".parse().unwrap(), Some(first)).unwrap();
    let address = socket.local_address().unwrap();
    run(|worker| async move {
        let listener = Listener::new(&worker, socket);
        for keepalive in [Some(first), Some(TcpKeepalive::default()), None] {
            listener.set_keepalive(keepalive).unwrap();
            let _peer = std::net::TcpStream::connect(address).unwrap();
            let accepted = listener.accept().await.unwrap();
            let pidfd = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
            let copy = pidfd_getfd(pidfd, accepted.descriptor, PidfdGetfdFlags::empty()).unwrap();
            assert_eq!(sockopt::socket_keepalive(&copy).unwrap(), keepalive.is_some());
            let unacknowledged = if keepalive == Some(first) { 15_000 } else { 0 };
            assert_eq!(sockopt::tcp_user_timeout(&copy).unwrap(), unacknowledged);
            if let Some(keepalive) = keepalive {
                assert_eq!(sockopt::tcp_keepidle(&copy).unwrap(), keepalive.idle);
                assert_eq!(sockopt::tcp_keepintvl(&copy).unwrap(), keepalive.interval);
                assert_eq!(sockopt::tcp_keepcnt(&copy).unwrap(), u32::from(keepalive.probes));
            }
        }
    });
}

#[test]
fn the_first_write_returns_the_error_of_a_refused_connect() {
    // A port that was just free, on an address to which no other test binds.
    let address = bind("127.0.0.78:0".parse().unwrap(), None).unwrap().local_address().unwrap();
    run(|worker| async move {
        let stream = TcpStream::connect(&worker, address).unwrap();
        let mut buffer = Buffer::new();
        buffer.extend(b"hello").unwrap();
        let error = stream.write_all(&mut buffer, &mut Buffer::new()).await.unwrap_err();
        assert_eq!((error.kind(), buffer.bytes()), (io::ErrorKind::ConnectionRefused, &b"hello"[..]));
    });
}

#[test]
fn eight_mebibytes_go_through_a_splice() {
    let sent = pattern(8 << 20);
    let expected = sent.clone();
    let sink = bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
    let address = sink.local_address().unwrap();
    served(
        move |mut peer| {
            // The peer sends on one connection and receives the same bytes on the other.
            let mut back = std::net::TcpStream::connect(address).unwrap();
            let writer = std::thread::spawn(move || peer.write_all(&sent).unwrap());
            let mut received = Vec::new();
            back.read_to_end(&mut received).unwrap();
            writer.join().unwrap();
            assert!(received == expected, "{} bytes received", received.len());
        },
        |worker, from| async move {
            let to = Listener::new(&worker, sink).accept().await.unwrap().stream;
            let mut pipe = Pipe::lease(&worker).unwrap();
            let mut total = 0;
            loop {
                match from.splice_to(&to, &mut pipe, LARGE as u64, LONG, |_| None).await.unwrap() {
                    0 => break,
                    count => total += count,
                }
            }
            assert_eq!(total, 8 << 20);
        },
    );
}

#[test]
fn a_splice_of_unknown_length_does_not_delay_bytes() {
    let sink = bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
    let address = sink.local_address().unwrap();
    served(
        move |mut peer| {
            let mut back = std::net::TcpStream::connect(address).unwrap();
            // Each round waits for its echo. If the kernel waited for more bytes, each would be 200 ms late.
            for round in 0..20u8 {
                peer.write_all(&[round; 100]).unwrap();
                let mut echo = [0; 100];
                back.read_exact(&mut echo).unwrap();
                assert_eq!(echo, [round; 100]);
            }
        },
        |worker, from| async move {
            let to = Listener::new(&worker, sink).accept().await.unwrap().stream;
            let mut pipe = Pipe::lease(&worker).unwrap();
            let began = worker.now();
            while from.splice_to(&to, &mut pipe, u64::MAX, LONG, |_| None).await.unwrap() > 0 {}
            assert!(worker.now() - began < 2_000_000_000, "{} ms", (worker.now() - began) / 1_000_000);
        },
    );
}

#[test]
fn check_open_tells_an_open_connection_from_a_closed_one() {
    served(
        |mut peer| {
            peer.read_exact(&mut [0]).unwrap();
        },
        |worker, stream| async move {
            assert!(stream.check_open());
            let mut byte = Buffer::new();
            byte.extend(b"!").unwrap();
            stream.write_all(&mut byte, &mut Buffer::new()).await.unwrap();
            stream.fill(&mut byte, SMALL).await.unwrap();
            assert!(!stream.check_open());
            drop(worker);
        },
    );
}

#[test]
fn an_address_is_locked_until_the_lock_is_dropped() {
    // No other test binds to this address.
    let address = bind("127.0.0.77:0".parse().unwrap(), None).unwrap().local_address().unwrap();
    let lock = AddressLock::take(address, false).unwrap();
    assert!(matches!(AddressLock::take(address, false), Err(LockError::OtherInstance)));
    let own = bind(address, None).unwrap();
    drop(lock);
    assert!(matches!(AddressLock::take(address, false), Err(LockError::InUse)));
    drop(own);
    AddressLock::take(address, false).unwrap();
}

#[test]
fn a_lock_error_tells_another_program_from_another_instance() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let result = AddressLock::take(other.local_addr().unwrap(), false);
    assert!(matches!(result, Err(LockError::InUse)), "{result:?}");
}

#[test]
fn a_thread_runs_one_worker_after_another() {
    for round in 0..3u32 {
        let output = Worker::run(Linux::new().unwrap(), move |worker| async move {
            worker.spawn(std::future::pending());
            worker.sleep(Duration::from_millis(1)).await;
            (round, worker.stats().tasks)
        });
        assert_eq!(output.unwrap(), (round, 2));
    }
}

#[test]
fn none_of_a_hundred_thousand_messages_from_four_threads_is_lost() {
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<u64>(64);
    let threads: Vec<_> = (0..4u64)
        .map(|thread| {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for number in 0..25_000 {
                    sender.blocking_send(thread * 25_000 + number).unwrap();
                }
            })
        })
        .collect();
    drop(sender);
    let (count, sum) = run(|_| async move {
        let (mut count, mut sum) = (0, 0);
        while let Some(number) = receiver.recv().await {
            (count, sum) = (count + 1, sum + number);
        }
        (count, sum)
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!((count, sum), (100_000, 100_000 * 99_999 / 2));
}

#[test]
fn a_timer_of_ten_milliseconds_does_not_wait_for_a_coarse_tick() {
    const WAIT: Duration = Duration::from_millis(10);
    run(|worker| async move {
        // On a busy machine both may be found due at once, so this is tried until the timer is first.
        for _ in 0..100 {
            let coarse = worker.clone();
            let (sender, receiver) = tokio::sync::oneshot::channel();
            worker.spawn(async move {
                coarse.sleep(WAIT).await;
                sender.send(coarse.now()).unwrap();
            });
            let set = worker.now();
            worker.timer(WAIT).await;
            let fired = worker.now();
            assert!(fired - set >= 10_000_000, "early: {} ns", fired - set);
            // `now` changes once a turn: two that wait for the same tick see the same time.
            if fired < receiver.await.unwrap() {
                return;
            }
        }
        panic!("the timer never fired before a coarse deadline of the same length");
    });
}

/// A write timeout that no test reaches.
const LONG: std::time::Duration = std::time::Duration::from_secs(86_400);

#[test]
fn a_stopping_process_hands_its_sockets_over() {
    let first = bind("127.0.0.78:0".parse().unwrap(), None).unwrap();
    let address = first.local_address().unwrap();
    let lock = AddressLock::take(address, true).unwrap();
    assert!(matches!(net::claim(address, false), Err(LockError::OtherInstance)), "it is not stopping");
    let offer = Offer::new(address, lock, vec![first, bind(address, None).unwrap()]).unwrap();
    let listener = offer.listener().unwrap();
    listener.set_nonblocking(false).unwrap();
    // Both wait in an accept queue when the sockets change hands.
    let waiting = [0; 2].map(|_| StdStream::connect(address).unwrap());
    let successor = std::thread::spawn(move || net::claim(address, false).unwrap());
    let (mut stream, _) = listener.accept().unwrap();
    offer.hand_over(&stream).unwrap();
    let Claim::HandedOver { lock, sockets, predecessor } = successor.join().unwrap() else { panic!() };
    drop(offer);
    assert_eq!(sockets.iter().map(|one| one.local_address().unwrap()).collect::<Vec<_>>(), [address; 2]);
    assert!(matches!(AddressLock::take(address, true), Err(LockError::OtherInstance)));
    predecessor.serving();
    assert_eq!(stream.read(&mut [0; 2]).unwrap(), 1);
    waiting.into_iter().for_each(|mut one| one.write_all(b"still open").unwrap());
    drop((sockets, lock));
    AddressLock::take(address, false).unwrap();
}

#[test]
fn a_claim_waits_for_the_end_of_a_process_that_hands_nothing_over() {
    let socket = bind("127.0.0.79:0".parse().unwrap(), None).unwrap();
    let address = socket.local_address().unwrap();
    let offer = Offer::new(address, AddressLock::take(address, true).unwrap(), vec![socket]).unwrap();
    let waiting = offer.listener().unwrap();
    let successor = std::thread::spawn(move || net::claim(address, false));
    waiting.set_nonblocking(false).unwrap();
    let (stream, _) = waiting.accept().unwrap();
    drop(offer);
    drop((waiting, stream));
    assert!(matches!(successor.join().unwrap().unwrap(), Claim::Free(_)));
}

#[test]
fn a_claim_ends_though_another_program_lets_its_backlog_fill_up() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen};
    let address: std::net::SocketAddr = "127.0.0.80:1080".parse().unwrap();
    let socket =
        |kind| rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::NONBLOCK, None).unwrap();
    let name = |name: String| SocketAddrUnix::new_abstract_name(name.as_bytes()).unwrap();
    let (lock, full) = (socket(SocketType::DGRAM), socket(SocketType::STREAM));
    bind(&lock, &name(format!("evenkeel/tcp/{address}"))).unwrap();
    let stopping = name(format!("evenkeel/tcp/{address}/stopping"));
    bind(&full, &stopping).unwrap();
    listen(&full, 0).unwrap();
    let waiting = socket(SocketType::STREAM);
    connect(&waiting, &stopping).unwrap();
    assert!(matches!(net::claim(address, false), Err(LockError::Occupied)));
}
