//! A worker's buffer for an access log.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use model::LogFormat;

use super::writer::{Lines, Order};
use super::{LogHandle, Queue, Sink};
use crate::{AccessRecord, ConnectionRecord, Event, Timestamp, event};

/// The lines of one worker for one log. Dropping it hands over the lines that are left.
pub struct LogBuffer {
    sink: Arc<Sink>,
    format: LogFormat,
    queue: Queue,
    text: Vec<u8>,
    lines: u64,
    timestamp: Timestamp,
    /// The writer returns emptied buffers here.
    returned: Receiver<Vec<u8>>,
    give_back: SyncSender<Vec<u8>>,
}

impl LogBuffer {
    pub(super) fn new(handle: &LogHandle) -> Self {
        let (give_back, returned) = sync_channel(RETURNED_MAX);
        Self {
            sink: Arc::clone(&handle.sink),
            format: handle.format,
            queue: handle.queue.clone(),
            text: Vec::new(),
            lines: 0,
            timestamp: Timestamp::new(),
            returned,
            give_back,
        }
    }

    /// Adds the line of one request in the log's format.
    pub fn record(&mut self, record: &AccessRecord<'_>) {
        let format = self.format;
        self.push(|timestamp, out| record.write(format, timestamp, out));
    }

    /// Adds the line of one connection.
    pub fn record_connection(&mut self, record: &ConnectionRecord<'_>) {
        let format = self.format;
        self.push(|timestamp, out| record.write(format, timestamp, out));
    }

    /// Adds one line. `write` appends it, including the newline.
    pub fn push(&mut self, write: impl FnOnce(&mut Timestamp, &mut Vec<u8>)) {
        write(&mut self.timestamp, &mut self.text);
        self.lines += 1;
        if self.text.len() >= FLUSH_BYTES {
            self.flush();
        }
    }

    /// Hands the lines to the writer. A worker calls it when it has nothing else to do. It never waits: if the
    /// writer's queue is full, the lines are lost and counted.
    pub fn flush(&mut self) {
        if self.lines == 0 {
            return;
        }
        let lines = Lines {
            sink: Arc::clone(&self.sink),
            text: std::mem::take(&mut self.text),
            lines: std::mem::take(&mut self.lines),
            give_back: self.give_back.clone(),
        };
        self.text = match self.queue.hand_over(Order::Write(lines)) {
            Ok(()) => self.returned.try_recv().unwrap_or_default(),
            Err(Order::Write(Lines { mut text, lines, .. })) => {
                self.queue.state.lines_dropped.fetch_add(lines, Relaxed);
                self.sink.count_lost(lines);
                event(Event::AccessLogDropped, &[("path", &self.sink), ("lines", &lines)]);
                text.clear();
                text
            }
            Err(Order::Look) => Vec::new(),
        };
    }

    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }
}

impl Drop for LogBuffer {
    fn drop(&mut self) {
        self.flush();
    }
}

impl fmt::Debug for LogBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogBuffer")
            .field("sink", &self.sink)
            .field("lines", &self.lines)
            .finish_non_exhaustive()
    }
}

/// Large enough that the cost per line of a write is small, and small enough that a crash loses few lines.
const FLUSH_BYTES: usize = 16 * 1024;
/// limit: emptied buffers kept for one worker.
const RETURNED_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::{AccessLog, LogPath};

    use super::*;
    use crate::AccessLogs;

    #[test]
    fn emptied_buffers_are_reused_unless_they_grew_too_large() {
        let logs = AccessLogs::start().unwrap();
        let log = AccessLog { path: LogPath::File("/dev/null".into()), format: LogFormat::Text };
        let mut buffer = logs.open(&log).unwrap().buffer();
        let mut push = |bytes: usize| {
            buffer.push(|_, out| out.extend([b"x".repeat(bytes), b"\n".to_vec()].concat()));
            buffer.flush();
            assert!(logs.flush_and_wait(Duration::from_secs(30)));
            buffer.text.capacity()
        };
        // The writer may return the first ones sooner or later; after that, two of them alternate.
        let allocated = (0..20).filter(|_| push(100) == 0).count();
        assert!(allocated <= 2, "{allocated} of 20: the steady state allocates nothing");
        push(1 << 20);
        for _ in 0..3 {
            assert!(push(100) < 1 << 20);
        }
    }
}
