//! A target and a client that count the bytes which they send and receive.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Bytes received from the balancer and sent to it.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<[AtomicU64; 2]>);

impl Tally {
    fn add(&self, received: usize, sent: usize) {
        self.0[0].fetch_add(received as u64, Ordering::SeqCst);
        self.0[1].fetch_add(sent as u64, Ordering::SeqCst);
    }

    pub(crate) fn received(&self) -> f64 {
        self.0[0].load(Ordering::SeqCst) as f64
    }

    pub(crate) fn sent(&self) -> f64 {
        self.0[1].load(Ordering::SeqCst) as f64
    }
}

/// What a target does when it has received what begins a request or continues it: sends this, or closes.
pub(crate) type Answer = fn(&[u8]) -> Option<Vec<u8>>;

/// A target that gives everything which it has received since its last answer to `answer`, until that has one; an empty
/// one closes the connection.
pub(crate) fn target(answer: Answer) -> (SocketAddr, Tally) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, tally) = (listener.local_addr().unwrap(), Tally::default());
    let counted = tally.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, tally) = (stream.unwrap(), counted.clone());
            thread::spawn(move || serve(&mut stream, &tally, answer));
        }
    });
    (address, tally)
}

fn serve(stream: &mut TcpStream, tally: &Tally, answer: Answer) {
    let (mut input, mut part) = (Vec::new(), vec![0; 64 * 1024]);
    while let Ok(count @ 1..) = stream.read(&mut part) {
        tally.add(count, 0);
        input.extend_from_slice(&part[..count]);
        let Some(bytes) = answer(&input) else { continue };
        if bytes.is_empty() {
            return;
        }
        input.clear();
        tally.add(0, bytes.len());
        stream.write_all(&bytes).unwrap();
    }
}

/// A client.
pub(crate) struct Counting {
    stream: TcpStream,
    pub(crate) tally: Tally,
}

impl Counting {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self { stream, tally: Tally::default() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.tally.add(0, bytes.as_ref().len());
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Reads until the bytes since the last call contain `end`.
    pub(crate) fn read_until(&mut self, end: &str) -> Vec<u8> {
        let (mut got, mut part) = (Vec::new(), vec![0; 64 * 1024]);
        while !got.windows(end.len()).any(|window| window == end.as_bytes()) {
            let count = self.stream.read(&mut part).unwrap();
            assert!(count > 0, "closed: {}", String::from_utf8_lossy(&got));
            self.tally.add(count, 0);
            got.extend_from_slice(&part[..count]);
        }
        got
    }

    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        let mut got = Vec::new();
        self.stream.read_to_end(&mut got).unwrap();
        self.tally.add(got.len(), 0);
        got
    }
}
