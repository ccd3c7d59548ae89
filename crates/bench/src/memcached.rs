//! A load for memcached, and for what looks like one: connections in a closed loop, without pipelining.
//!
//! It is a process of its own, so that it can be pinned: `bench memcached-load PORT CONNECTIONS SECONDS`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use xtask::Outcome;

use super::load;
use super::process::{Placement, Process, READY_TIMEOUT, free_port};

/// Runs the load in a process of its own and returns commands per second.
pub(crate) fn rate(port: u16, connections: usize, seconds: u64, placement: Placement) -> Outcome<f64> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = placement.command(&program);
    command.arg(TASK).args([port.to_string(), connections.to_string(), seconds.to_string()]);
    let text = load::output(&mut command)?;
    text.trim().parse().map_err(|_| format!("the load said {text:?}"))
}

/// Starts a memcached with one thread.
pub(crate) fn start(placement: Placement) -> Outcome<(Process, u16)> {
    let port = free_port()?;
    let mut command: Command = placement.command(Path::new("memcached"));
    command.args([
        "-u",
        "root",
        "-U",
        "0",
        "-t",
        "1",
        "-m",
        "256",
        "-l",
        "127.0.0.1",
        "-p",
        &port.to_string(),
    ]);
    let mut process = Process::start({
        command.stderr(Stdio::null());
        command
    })?;
    process.wait_until(READY_TIMEOUT, || answers(port)).map_err(|error| format!("memcached: {error}"))?;
    Ok((process, port))
}

/// Returns true if `version` is answered.
pub(crate) fn answers(port: u16) -> bool {
    let ask = || -> io::Result<bool> {
        let mut stream = connect(port)?;
        stream.write_all(b"version\r\n")?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"VERSION")
    };
    ask().unwrap_or(false)
}

/// Runs the load if the arguments of this process ask for it, and prints its rate.
pub(crate) fn asked_for() -> Option<Outcome> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [task, numbers @ ..] = arguments.as_slice() else { return None };
    if task != TASK {
        return None;
    }
    let numbers: Vec<u64> = numbers.iter().filter_map(|word| word.parse().ok()).collect();
    let [port, connections, seconds] = numbers.as_slice() else { return Some(Err("three numbers".into())) };
    let run = run(*port as u16, *connections as usize, Duration::from_secs(*seconds));
    Some(run.map(|rate| println!("{rate}")).map_err(|error| error.to_string()))
}

fn run(port: u16, connections: usize, time: Duration) -> io::Result<f64> {
    let (commands, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let began = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|number| {
                let (commands, is_over) = (&commands, &is_over);
                scope.spawn(move || client(port, number, commands, is_over))
            })
            .collect();
        std::thread::sleep(time);
        is_over.store(true, Ordering::Relaxed);
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(ErrorKind::Other.into())))
    })?;
    Ok(commands.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64())
}

/// A set and three gets in turn, over keys of its own.
fn client(port: u16, number: usize, commands: &AtomicU64, is_over: &AtomicBool) -> io::Result<()> {
    let mut stream = connect(port)?;
    let value = vec![b'x'; VALUE_BYTES];
    let mut turn = 0;
    while !is_over.load(Ordering::Relaxed) {
        let key = format!("session:{number}:{}", turn / 4 % KEYS);
        if turn % 4 == 0 {
            let mut command = format!("set {key} 0 3600 {VALUE_BYTES}\r\n").into_bytes();
            command.extend(&value);
            command.extend(b"\r\n");
            stream.write_all(&command)?;
            expect(&mut stream, b"STORED\r\n")?;
        } else {
            stream.write_all(format!("get {key}\r\n").as_bytes())?;
            let mut answer = format!("VALUE {key} 0 {VALUE_BYTES}\r\n").into_bytes();
            answer.extend(&value);
            answer.extend(b"\r\nEND\r\n");
            expect(&mut stream, &answer)?;
        }
        turn += 1;
        commands.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Reads exactly this answer.
fn expect(stream: &mut impl Read, answer: &[u8]) -> io::Result<()> {
    let mut bytes = vec![0; answer.len()];
    stream.read_exact(&mut bytes)?;
    if bytes == answer {
        return Ok(());
    }
    Err(io::Error::other(format!("another answer: {}", String::from_utf8_lossy(&bytes))))
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

const TASK: &str = "memcached-load";
const VALUE_BYTES: usize = 1024;
/// Of each connection.
const KEYS: usize = 1000;
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_runs_against_memcached_itself() {
        if Command::new("memcached").arg("-V").output().is_err() {
            panic!("memcached is not installed; `cargo xtask bench` installs it");
        }
        let (process, port) = start(Placement { core: 0, real_time: false }).unwrap();
        let rate = run(port, 2, Duration::from_millis(200)).unwrap();
        assert!(rate > 100.0, "{rate}");
        drop(process);
        assert!(!answers(port));
    }

    #[test]
    fn another_answer_is_an_error() {
        assert!(expect(&mut &b"STORED\r\n"[..], b"STORED\r\n").is_ok());
        let error = expect(&mut &b"SERVER_E"[..], b"STORED\r\n").unwrap_err();
        assert!(error.to_string().contains("SERVER_E"), "{error}");
    }
}
