//! Hostile connections: each floods until it is closed, then connects again.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use testkit::Http2Frame;

use super::class::Class;

/// Counts of hostile connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) connections: u64,
    /// Frames that were sent.
    pub(crate) frames: u64,
    /// How connections ended: the code of GOAWAY, or a word.
    pub(crate) endings: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.connections += other.connections;
        self.frames += other.frames;
        for (ending, count) in other.endings {
            *self.endings.entry(ending).or_default() += count;
        }
    }

    /// The kinds of endings, the most frequent first.
    pub(crate) fn endings(&self) -> String {
        let mut endings: Vec<_> = self.endings.iter().collect();
        endings.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        endings.into_iter().map(|(ending, _)| ending.as_str()).collect::<Vec<_>>().join(",")
    }
}

/// Floods until `is_over`.
pub(crate) fn run(class: Class, address: SocketAddr, is_over: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    while !is_over.load(Ordering::Relaxed) {
        tally.connections += 1;
        let ending = match one(class, address, is_over, &mut tally.frames) {
            Ok(ending) => ending,
            Err(error) => format!("{:?}", error.kind()),
        };
        *tally.endings.entry(ending).or_default() += 1;
        thread::sleep(AGAIN_AFTER);
    }
    tally
}

/// Floods over one connection until its end.
fn one(class: Class, address: SocketAddr, is_over: &AtomicBool, frames: &mut u64) -> io::Result<String> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let reader = stream.try_clone()?;
    let may_read = AtomicBool::new(class.reads());
    thread::scope(|scope| {
        let reading = scope.spawn(|| read(&reader, &may_read, is_over));
        let sent = send(class, &stream, &reading, is_over, frames);
        // The reader gets the last frames, and then an end.
        may_read.store(true, Ordering::Relaxed);
        let _ = stream.shutdown(Shutdown::Write);
        let goaway = reading.join().unwrap_or_default();
        match (goaway, sent) {
            (Some(code), _) => Ok(code.to_string()),
            (None, Ok(())) => Ok("open".to_owned()),
            (None, Err(error)) => Err(error),
        }
    })
}

/// Sends until `is_over`, until the reader has seen an end, or until a write fails.
fn send<T>(
    class: Class,
    mut stream: &TcpStream,
    reading: &thread::ScopedJoinHandle<'_, T>,
    is_over: &AtomicBool,
    frames: &mut u64,
) -> io::Result<()> {
    let bytes = |frames: &[Http2Frame]| frames.iter().flat_map(Http2Frame::bytes).collect::<Vec<u8>>();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
    stream.write_all(&Http2Frame::settings(&class.settings()).bytes())?;
    stream.write_all(&Http2Frame::settings_ack().bytes())?;
    stream.write_all(&bytes(&class.beginning()))?;
    let mut number = 3;
    while !is_over.load(Ordering::Relaxed) && !reading.is_finished() {
        let mut burst = Vec::new();
        for _ in 0..class.burst() {
            burst.extend(class.step(number));
            number = (number + 2).min(0x7FFF_FFFF);
        }
        *frames += burst.len() as u64;
        stream.write_all(&bytes(&burst))?;
        thread::sleep(BURST_EVERY);
    }
    Ok(())
}

/// Reads frames, once it may, until the connection ends. Returns the code of the last GOAWAY.
fn read(stream: &TcpStream, may_read: &AtomicBool, is_over: &AtomicBool) -> Option<u32> {
    while !may_read.load(Ordering::Relaxed) && !is_over.load(Ordering::Relaxed) {
        thread::sleep(BURST_EVERY);
    }
    let mut input = io::BufReader::new(stream);
    let mut code = None;
    let mut head = [0; 9];
    while input.read_exact(&mut head).is_ok() {
        let length = u64::from(head[0]) << 16 | u64::from(head[1]) << 8 | u64::from(head[2]);
        let mut payload = Vec::new();
        if (&mut input).take(length).read_to_end(&mut payload).is_err() {
            break;
        }
        let frame = Http2Frame::new(head[3], head[4], 0, payload);
        if frame.kind == Http2Frame::GOAWAY {
            code = frame.code();
        }
    }
    code
}

const AGAIN_AFTER: Duration = Duration::from_millis(500);
const BURST_EVERY: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_counted() {
        let one = |ending: &str, count| Tally {
            connections: count,
            frames: 1,
            endings: BTreeMap::from([(ending.to_owned(), count)]),
        };
        let mut tally = one("open", 1);
        tally.add(one("11", 2));
        tally.add(one("open", 2));
        assert_eq!((tally.connections, tally.endings().as_str()), (5, "open,11"));
    }
}
