//! A pipe that is never read, for the standard error of a balancer.

use std::fs::OpenOptions;
use std::io::{ErrorKind, PipeReader, PipeWriter, Write, pipe};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

#[derive(Debug)]
pub struct UnreadPipe {
    _reader: PipeReader,
    writer: PipeWriter,
}

pub fn unread_pipe() -> UnreadPipe {
    let (reader, writer) = pipe().unwrap();
    UnreadPipe { _reader: reader, writer }
}

impl UnreadPipe {
    pub fn writer(&self) -> PipeWriter {
        self.writer.try_clone().unwrap()
    }

    /// Fills the pipe: writes to it wait from now on.
    pub fn fill(&self) {
        // An open file of its own, since that of the balancer must stay one whose writes wait.
        let path = format!("/proc/self/fd/{}", self.writer.as_raw_fd());
        let mut own = OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(path).unwrap();
        for size in [4096, 1] {
            let full = loop {
                if let Err(error) = own.write(&vec![b'.'; size]) {
                    break error;
                }
            };
            assert_eq!(full.kind(), ErrorKind::WouldBlock);
        }
    }
}

/// `man 2 open`.
const O_NONBLOCK: i32 = 0o4000;
