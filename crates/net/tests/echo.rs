//! An echo on the real kernel: all bytes come back, and no source, lease or task is left.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read, Write};
use std::net::Shutdown;

use net::{Buffer, LARGE, Linux, Listener, TcpStream, Worker, bind};

#[test]
fn an_echo_returns_a_megabyte() {
    let socket = bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
    let address = socket.local_address().unwrap();
    let client = std::thread::spawn(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let mut reader = stream.try_clone().unwrap();
        let sent: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
        let expected = sent.clone();
        let writer = std::thread::spawn(move || {
            stream.write_all(&sent).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        reader.read_to_end(&mut received).unwrap();
        writer.join().unwrap();
        assert!(received == expected);
    });
    let stats = Worker::run(Linux::new().unwrap(), |worker| async move {
        let listener = Listener::new(&worker, socket);
        let accepted = listener.accept().await.unwrap();
        drop(listener);
        echo(&accepted.stream).await;
        drop(accepted);
        worker.stats()
    })
    .unwrap();
    client.join().unwrap();
    assert_eq!((stats.sources, stats.leased_bytes, stats.tasks), (0, 0, 1));
}

async fn echo(stream: &TcpStream<Linux>) {
    let mut buffer = Buffer::new();
    while stream.fill(&mut buffer, LARGE).await.unwrap() > 0 {
        stream.write_all(&mut buffer, &mut Buffer::new()).await.unwrap();
    }
    stream.shutdown_write().unwrap();
}
