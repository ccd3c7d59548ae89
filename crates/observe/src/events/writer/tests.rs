use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);
const FLOOD: Event = Event::ProxyHeaderRefused;

/// A file that shows what is written, and takes it only when the test allows it.
struct Gate {
    allowed: Receiver<()>,
    written: Sender<String>,
}

impl Write for Gate {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let _ = self.written.send(String::from_utf8_lossy(text).into_owned());
        // After the test has dropped its end, no write waits.
        let _ = self.allowed.recv();
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn start(unix_seconds: fn() -> u64) -> (Queue, &'static Limiter, Sender<()>, Receiver<String>) {
    #[allow(clippy::disallowed_methods, reason = "a test's queue without a limit")]
    let ((allow, allowed), (written, lines)) = (channel(), channel());
    let limiter = Box::leak(Box::new(Limiter::new()));
    let queue = Queue::start(Setting { out: Gate { allowed, written }, limiter, unix_seconds }).unwrap();
    (queue, limiter, allow, lines)
}

#[test]
fn a_full_queue_never_waits_and_says_later_what_was_lost() {
    let (queue, _, allow, lines) = start(|| 0);
    queue.push(b"first\n".to_vec());
    assert_eq!(lines.recv_timeout(PATIENCE).unwrap(), "first\n", "the writer is in the middle of it");
    (0..LINES_MAX + 700).for_each(|number| queue.push(format!("{number}\n").into_bytes()));
    assert_eq!(queue.totals().lost.load(Relaxed), 700);
    assert!(!queue.flush(Duration::from_millis(1)), "the end of patience ends the wait");
    drop(allow);
    assert!(queue.flush(PATIENCE));
    let lines: Vec<String> = lines.try_iter().collect();
    let (last, before) = lines.split_last().unwrap();
    assert_eq!(*last, "1970-01-01T00:00:00Z warning lines of this log were lost lines=700\n");
    let expected: Vec<_> = (0..LINES_MAX).map(|number| format!("{number}\n")).collect();
    assert_eq!(before, expected, "in their order");
}

#[test]
fn the_end_of_a_flood_is_told_without_a_further_line() {
    static NOW: AtomicU64 = AtomicU64::new(59);
    let (queue, limiter, allow, lines) = start(|| NOW.load(Relaxed));
    drop(allow);
    let admitted = (0..9).filter(|_| limiter.admit(FLOOD.into(), 59).is_some()).count();
    assert_eq!(admitted, 5);
    queue.push(b"a line\n".to_vec());
    assert!(queue.flush(PATIENCE));
    NOW.store(60, Relaxed);
    assert_eq!(lines.recv_timeout(PATIENCE).unwrap(), "a line\n");
    assert_eq!(
        lines.recv_timeout(PATIENCE).unwrap(),
        "1970-01-01T00:01:00Z info lines were left out of=\"no PROXY header to believe\" suppressed=4\n"
    );
}
