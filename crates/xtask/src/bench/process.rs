//! Child processes that are pinned, measured, and gone when we are.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;

/// Where and how a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) core: usize,
    /// At `chrt -r 10`, so that other work on the machine does not take the core.
    pub(crate) real_time: bool,
}

impl Placement {
    /// `program` through the tools of util-linux, each of which becomes the next one: the process id is the
    /// program's. It is killed by the kernel when we end without having done it, by a signal for instance.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]);
        if self.real_time {
            command.args(["chrt", "-r", "10"]);
        }
        command.args(["taskset", "-c", &self.core.to_string()]).arg(program);
        command
    }
}

/// Whether `chrt -r` is permitted here.
pub(crate) fn real_time_permitted() -> bool {
    let quiet = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet(Command::new("chrt").args(["-r", "10", "true"])).is_ok_and(|status| status.success())
}

/// A running child; killed, by its id, on drop.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Outcome<Self> {
        let child = command.stdin(Stdio::null()).spawn().map_err(|error| format!("{command:?}: {error}"))?;
        Ok(Self { child })
    }

    /// Waits until `GET /small` at `port` is answered with 200.
    pub(crate) fn wait_ready(&mut self, port: u16) -> Outcome {
        self.wait_until(READY_TIMEOUT, || answers(port))
    }

    /// Asks `is_ready` again and again; fails when the process ends before.
    pub(crate) fn wait_until(&mut self, timeout: Duration, is_ready: impl Fn() -> bool) -> Outcome {
        let deadline = Instant::now() + timeout;
        while !is_ready() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("ended at once: {status}"));
            }
            if Instant::now() > deadline {
                return Err(format!("did not serve within {timeout:?}"));
            }
            std::thread::sleep(READY_PAUSE);
        }
        Ok(())
    }

    /// Waits for the first line of its standard output, which must be piped.
    pub(crate) fn first_line(&mut self) -> Outcome<String> {
        let output = self.child.stdout.take().ok_or("its output is not piped")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
        Ok(line)
    }

    /// What all its threads have run since it began.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let entries = std::fs::read_dir(&tasks).map_err(|error| format!("{tasks}: {error}"))?;
        let mut nanoseconds = 0;
        for entry in entries.flatten() {
            let text = std::fs::read_to_string(entry.path().join("schedstat")).unwrap_or_default();
            nanoseconds += first_number(&text).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Resident bytes.
    pub(crate) fn resident(&self) -> Outcome<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let kib = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).and_then(first_number);
        kib.map(|kib| kib * 1024).ok_or_else(|| format!("{path}: no VmRSS"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free now. Another process may take it before its user does; `wait_ready` then says so.
pub(crate) fn free_port() -> Outcome<u16> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port: {error}"))
}

/// Whether `GET /small` at `port` is answered with 200.
pub(crate) fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))) else { return false };
    let mut answer = Vec::new();
    let request = b"GET /small HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let asked = stream.set_read_timeout(Some(ANSWER_TIMEOUT)).and_then(|()| stream.write_all(request));
    asked.is_ok() && stream.read_to_end(&mut answer).is_ok() && answer.starts_with(b"HTTP/1.1 200")
}

/// Whether `port` answers HTTP/2's preface (RFC 9113, 3.4) with SETTINGS.
pub(crate) fn answers_http2(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))) else { return false };
    // The preface, and SETTINGS without any.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let asked = stream.set_read_timeout(Some(ANSWER_TIMEOUT)).and_then(|()| stream.write_all(preface));
    let mut head = [0; 9];
    asked.is_ok() && stream.read_exact(&mut head).is_ok() && head[3] == 4
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

pub(crate) const READY_TIMEOUT: Duration = Duration::from_secs(5);
const READY_PAUSE: Duration = Duration::from_millis(20);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const ANYWHERE: Placement = Placement { core: 0, real_time: false };

    fn sleeper() -> Process {
        let mut command = ANYWHERE.command(Path::new("sleep"));
        command.arg("60");
        Process::start(command).unwrap()
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let process = sleeper();
        let place = format!("/proc/{}", process.child.id());
        assert!(Path::new(&place).exists());
        drop(process);
        assert!(!Path::new(&place).exists());
    }

    #[test]
    fn cpu_and_memory_are_read() {
        let process = sleeper();
        assert!(process.resident().unwrap() > 0);
        assert!(process.cpu().unwrap() < Duration::from_secs(5));
    }

    #[test]
    fn the_first_line_is_read() {
        let mut command = ANYWHERE.command(Path::new("echo"));
        command.arg("open 2").stdout(Stdio::piped());
        assert_eq!(Process::start(command).unwrap().first_line().unwrap(), "open 2\n");
        assert!(sleeper().first_line().is_err(), "not piped");
    }

    #[test]
    fn settings_are_an_answer() {
        for (answer, expected) in
            [(&b"\0\0\0\x04\0\0\0\0\0"[..], true), (b"HTTP/1.1 400 ", false), (b"\0\0\0", false)]
        {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = std::thread::spawn(move || {
                let mut stream = listener.accept().unwrap().0;
                stream.read_exact(&mut [0; 33]).unwrap();
                stream.write_all(answer).unwrap();
            });
            assert_eq!(answers_http2(port), expected, "{answer:?}");
            server.join().unwrap();
        }
    }

    #[test]
    fn a_program_that_ends_is_not_waited_for() {
        let mut process = Process::start(ANYWHERE.command(Path::new("false"))).unwrap();
        let error = process.wait_ready(free_port().unwrap()).unwrap_err();
        assert!(error.contains("ended at once"), "{error}");
    }
}
