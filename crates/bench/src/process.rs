//! Child processes: pinned, measured, and ended when this process ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use xtask::Outcome;

/// Core and priority of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    pub core: usize,
    /// Runs at `chrt -r 10`, so that other work on the machine does not take the core.
    pub real_time: bool,
}

impl Placement {
    /// A command that runs `program` through tools of util-linux. Each tool replaces itself with the next one, so the
    /// process id is that of the program.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = Process::bound(Signal::KILL);
        if self.real_time {
            command.args(["chrt", "-r", "10"]);
        }
        command.args(["taskset", "-c", &self.core.to_string()]).arg(program);
        command
    }
}

/// Returns true if this process may use `chrt -r`.
pub(crate) fn real_time_permitted() -> bool {
    let quiet = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet(Command::new("chrt").args(["-r", "10", "true"])).is_ok_and(|status| status.success())
}

/// A running child process. Dropping it ends the child.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// The signal that ends the child: KILL, or TERM for one with children of its own, which it has to end.
    end: Signal,
}

impl Process {
    /// `setpriv` without a program: the kernel sends `signal` to the program if this process ends first, for instance
    /// by a signal.
    pub fn bound(signal: Signal) -> Command {
        let mut command = Command::new("setpriv");
        let name = if signal == Signal::TERM { "TERM" } else { "KILL" };
        command.args(["--pdeathsig", name, "--"]);
        command
    }

    /// Starts a child that KILL ends.
    pub fn start(command: Command) -> Outcome<Self> {
        Self::start_until(Signal::KILL, command)
    }

    /// Starts a child that `end` ends.
    pub fn start_until(end: Signal, mut command: Command) -> Outcome<Self> {
        let child = command.stdin(Stdio::null()).spawn().map_err(|error| format!("{command:?}: {error}"))?;
        Ok(Self { child, end })
    }

    /// Waits until `GET /small` at `port` is answered with 200.
    pub(crate) fn wait_ready(&mut self, port: u16) -> Outcome {
        self.wait_until(READY_TIMEOUT, || answers(port))
    }

    /// Polls `is_ready` until it is true. Fails if the process ends first.
    pub fn wait_until(&mut self, timeout: Duration, is_ready: impl Fn() -> bool) -> Outcome {
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

    /// Sends a signal. An error means that the process has ended.
    pub fn signal(&self, signal: Signal) -> Outcome {
        kill_process(Pid::from_child(&self.child), signal).map_err(|error| error.to_string())
    }

    /// Ends the process and its children by KILL, and waits for its end.
    pub fn kill(&mut self) -> Outcome {
        let failed = |error: std::io::Error| error.to_string();
        let children = children(self.child.id());
        self.child.kill().map_err(failed)?;
        for child in children.into_iter().filter_map(|child| Pid::from_raw(child.cast_signed())) {
            // An error means that it has ended already.
            let _ = kill_process(child, Signal::KILL);
        }
        self.child.wait().map(|_| ()).map_err(failed)
    }

    /// Waits for the first line of its standard output, which must be piped.
    pub(crate) fn first_line(&mut self) -> Outcome<String> {
        let output = self.child.stdout.take().ok_or("its output is not piped")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
        Ok(line)
    }

    /// CPU time of all threads since the process started.
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

    /// Resident bytes of the process.
    pub(crate) fn resident(&self) -> Outcome<u64> {
        resident(self.child.id())
    }

    /// Resident bytes of the process and its children. Children that have ended do not count.
    pub fn resident_with_children(&self) -> u64 {
        let parent = self.child.id();
        std::iter::once(parent).chain(children(parent)).filter_map(|process| resident(process).ok()).sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = kill_process(Pid::from_child(&self.child), self.end);
        let deadline = Instant::now() + END_TIMEOUT;
        while self.child.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < deadline {
            std::thread::sleep(END_PAUSE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn children(parent: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

fn resident(process: u32) -> Outcome<u64> {
    let path = format!("/proc/{process}/status");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let kib = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).and_then(first_number);
    kib.map(|kib| kib * 1024).ok_or_else(|| format!("{path}: no VmRSS"))
}

/// A port that is free now. If another process takes it first, the child that was to listen there fails to start.
pub fn free_port() -> Outcome<u16> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port: {error}"))
}

/// Returns true if `GET /small` at `port` is answered with 200.
pub(crate) fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))) else { return false };
    let mut answer = Vec::new();
    let request = b"GET /small HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let asked = stream.set_read_timeout(Some(ANSWER_TIMEOUT)).and_then(|()| stream.write_all(request));
    asked.is_ok() && stream.read_to_end(&mut answer).is_ok() && answer.starts_with(b"HTTP/1.1 200")
}

/// Returns true if `port` answers the preface of HTTP/2 (RFC 9113, 3.4) with SETTINGS.
pub(crate) fn answers_http2(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))) else { return false };
    // The preface and an empty SETTINGS frame.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let asked = stream.set_read_timeout(Some(ANSWER_TIMEOUT)).and_then(|()| stream.write_all(preface));
    let mut head = [0; 9];
    asked.is_ok() && stream.read_exact(&mut head).is_ok() && head[3] == 4
}

/// The first word of `text`, if it is a number.
pub(crate) fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

pub(crate) const READY_TIMEOUT: Duration = Duration::from_secs(5);
const READY_PAUSE: Duration = Duration::from_millis(20);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a child may take to end by its signal.
const END_TIMEOUT: Duration = Duration::from_secs(3);
const END_PAUSE: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests {
    use super::*;

    const ANYWHERE: Placement = Placement { core: 0, real_time: false };

    fn sleeper(end: Signal) -> Process {
        let mut command = ANYWHERE.command(Path::new("sleep"));
        command.arg("60");
        Process::start_until(end, command).unwrap()
    }

    #[test]
    fn a_dropped_process_has_ended() {
        for process in [sleeper(Signal::KILL), sleeper(Signal::TERM)] {
            let entry = format!("/proc/{}", process.child.id());
            assert!(Path::new(&entry).exists());
            drop(process);
            assert!(!Path::new(&entry).exists());
        }
    }

    #[test]
    fn a_killed_process_has_ended() {
        let mut process = sleeper(Signal::TERM);
        process.signal(Signal::STOP).unwrap();
        process.kill().unwrap();
        assert!(!Path::new(&format!("/proc/{}", process.child.id())).exists());
    }

    #[test]
    fn cpu_and_memory_are_read() {
        let process = sleeper(Signal::KILL);
        assert!(process.resident().unwrap() > 0);
        assert!(process.resident_with_children() > 0);
        assert!(process.cpu().unwrap() < Duration::from_secs(5));
    }

    #[test]
    fn the_first_line_is_read() {
        let mut command = ANYWHERE.command(Path::new("echo"));
        command.arg("open 2").stdout(Stdio::piped());
        assert_eq!(Process::start(command).unwrap().first_line().unwrap(), "open 2\n");
        assert!(sleeper(Signal::KILL).first_line().is_err(), "not piped");
    }

    #[test]
    fn settings_answer_the_preface() {
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
    fn a_wait_ends_when_the_program_ends() {
        let mut process = Process::start(ANYWHERE.command(Path::new("false"))).unwrap();
        let error = process.wait_ready(free_port().unwrap()).unwrap_err();
        assert!(error.contains("ended at once"), "{error}");
    }
}
