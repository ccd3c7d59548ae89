//! A worker that serves one connection; its peer runs on another thread.

use std::net::TcpStream as Std;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use net::{Linux, Listener, TcpStream, Worker, bind};

pub(crate) fn run<F>(main: impl FnOnce(Worker<Linux>) -> F) -> F::Output
where
    F: Future + 'static,
    F::Output: 'static,
{
    Worker::run(Linux::new().unwrap(), main).unwrap()
}

/// Runs `serve` on a worker with a connection to `peer`, waits for both, and checks that the worker holds nothing afterwards.
pub(crate) fn served<F>(
    peer: impl FnOnce(Std) + Send + 'static,
    serve: impl FnOnce(Worker<Linux>, TcpStream<Linux>) -> F + 'static,
) where
    F: Future<Output = ()> + 'static,
{
    let socket = bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
    let address = socket.local_address().unwrap();
    let thread = std::thread::spawn(move || peer(Std::connect(address).unwrap()));
    let stats = run(|worker| async move {
        let listener = Listener::new(&worker, socket);
        let stream = listener.accept().await.unwrap().stream;
        drop(listener);
        serve(worker.clone(), stream).await;
        worker.stats()
    });
    thread.join().unwrap();
    assert_eq!((stats.sources, stats.leased_bytes, stats.panics), (0, 0, 0));
}

/// Closes the connection with a reset.
pub(crate) fn reset(stream: Std) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(std::time::Duration::ZERO)).unwrap();
    drop(stream);
}

pub(crate) fn pattern(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n.wrapping_mul(31) ^ (n >> 9)).to_le_bytes()[0]).collect()
}

/// Blocks the thread of a peer until the worker opens it.
pub(crate) struct Gate(Receiver<()>);

pub(crate) struct Opener(SyncSender<()>);

impl Gate {
    pub(crate) fn new() -> (Self, Opener) {
        let (sender, receiver) = sync_channel(1);
        (Self(receiver), Opener(sender))
    }

    pub(crate) fn wait(&self) {
        self.0.recv().unwrap();
    }
}

impl Opener {
    pub(crate) fn open(&self) {
        self.0.send(()).unwrap();
    }
}
