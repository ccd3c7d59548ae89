//! Descriptors run out. The test has a file of its own, because the limit applies to the whole process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use net::{Linux, Listener, Pipe, TcpStream, Worker, bind};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn an_accept_without_descriptors_fails_and_succeeds_later() {
    let socket = bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
    let address = socket.local_address().unwrap();
    let client = std::net::TcpStream::connect(address).unwrap();
    Worker::run(Linux::new().unwrap(), |worker| async move {
        let listener = Listener::new(&worker, socket);
        let before = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(0), maximum: before.maximum }).unwrap();
        let error = listener.accept().await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::MFILE.raw_os_error()));
        assert!(Pipe::lease(&worker).is_err() && TcpStream::connect(&worker, address).is_err());
        assert_eq!(worker.stats().sources, 1, "a failed open leaves no source");
        setrlimit(Resource::Nofile, before).unwrap();
        worker.sleep(Duration::from_millis(1)).await;
        let accepted = listener.accept().await.unwrap();
        assert!(accepted.descriptor > 2);
    })
    .unwrap();
    drop(client);
}
