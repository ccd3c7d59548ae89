//! One open log file.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use model::LogPath;

use super::{LogTrouble, lock};

/// The destination of the lines for one path. After it is opened, only the writer thread uses the file.
#[derive(Debug)]
pub(super) struct Sink {
    path: LogPath,
    /// Lines that were lost since the last one that was written.
    lost: AtomicU64,
    output: Mutex<Output<File>>,
    reopened: Mutex<LastReopening>,
    /// The error of the last write, if that failed.
    write_error: Mutex<Option<String>>,
}

/// The last time that the file was to be reopened.
#[derive(Clone, Debug, Default)]
struct LastReopening {
    /// See `Rounds`; 0: it never was.
    round: u64,
    error: Option<String>,
}

impl Sink {
    pub(super) fn open(path: &LogPath) -> io::Result<Self> {
        let output = Mutex::new(Output { file: open(path)?, torn: false });
        Ok(Self {
            path: path.clone(),
            lost: AtomicU64::new(0),
            output,
            reopened: Mutex::default(),
            write_error: Mutex::default(),
        })
    }

    pub(super) fn path(&self) -> &LogPath {
        &self.path
    }

    /// Opens the path again. If that fails, the old file stays in use.
    pub(super) fn reopen(&self, round: u64) -> Result<(), String> {
        let opened = open(&self.path).map_err(|error| error.to_string());
        let error = opened.as_ref().err().cloned();
        let result = opened.map(|file| *lock(&self.output) = Output { file, torn: false });
        *lock(&self.reopened) = LastReopening { round, error };
        result
    }

    /// The last round in which the file was to be reopened, and the error if that failed.
    pub(super) fn outcome(&self) -> (u64, Option<String>) {
        let LastReopening { round, error } = lock(&self.reopened).clone();
        (round, error)
    }

    /// The round in which the file could not be reopened, while that is so.
    pub(super) fn failed_round(&self) -> Option<u64> {
        let reopened = lock(&self.reopened);
        reopened.error.as_ref().map(|_| reopened.round)
    }

    /// Takes note of the result of a write.
    pub(super) fn note_write(&self, result: &io::Result<()>) {
        let mut known = lock(&self.write_error);
        match result {
            Ok(()) if known.is_none() => {}
            Ok(()) => *known = None,
            Err(error) => *known = Some(error.to_string()),
        }
    }

    /// Why lines of this log are lost, or go to an old file; `None` if all is well.
    pub(super) fn trouble(&self) -> Option<LogTrouble> {
        let error = lock(&self.write_error).clone();
        let (message, error) = match (error, self.outcome().1) {
            (Some(error), _) => ("lines are lost", error),
            (None, Some(error)) => ("it cannot be reopened, lines go to the old file", error),
            (None, None) => return None,
        };
        Some(LogTrouble { path: self.to_string(), message, error })
    }

    pub(super) fn count_lost(&self, lines: u64) {
        self.lost.fetch_add(lines, Relaxed);
    }

    /// The lines that were lost before the one that was written now.
    pub(super) fn take_lost(&self) -> u64 {
        if self.lost.load(Relaxed) == 0 { 0 } else { self.lost.swap(0, Relaxed) }
    }

    /// Writes whole lines; see [`Output::write`]. A file that was deleted and cannot be opened again takes none,
    /// because it cannot be read.
    pub(super) fn write(&self, text: &[u8]) -> (u64, io::Result<()>) {
        let mut output = lock(&self.output);
        if self.failed_round().is_some() && is_deleted(&output.file) {
            return (0, Err(io::Error::other("the file was deleted and cannot be opened again")));
        }
        output.write(text)
    }
}

fn is_deleted(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.nlink() == 0)
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            LogPath::File(path) => path.display().fmt(f),
            LogPath::Stdout => f.write_str("-"),
        }
    }
}

fn open(path: &LogPath) -> io::Result<File> {
    match path {
        LogPath::File(path) => open_file(path),
        // Not `io::Stdout`: it would add a second buffer.
        LogPath::Stdout => Ok(io::stdout().as_fd().try_clone_to_owned()?.into()),
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    // Opening a named pipe blocks until it has a reader, which would hang a reload.
    if fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "is a named pipe; log to \"-\" and pipe stdout",
        ));
    }
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

#[derive(Debug)]
struct Output<W> {
    file: W,
    /// The last write ended in the middle of a line.
    torn: bool,
}

impl<W: Write> Output<W> {
    /// Returns the number of lines that were written in full, and the error if not all were. Lines that were
    /// not written are lost: the disk may stay full for long. A line that was cut off is terminated before the
    /// next one begins, so that only that line is damaged.
    fn write(&mut self, text: &[u8]) -> (u64, io::Result<()>) {
        if self.torn {
            if let (_, Err(error)) = write_counted(&mut self.file, b"\n") {
                return (0, Err(error));
            }
            self.torn = false;
        }
        let (bytes, result) = write_counted(&mut self.file, text);
        let written = &text[..bytes];
        self.torn = written.last().is_some_and(|&byte| byte != b'\n');
        (written.iter().filter(|&&byte| byte == b'\n').count() as u64, result)
    }
}

/// Like `write_all`, but also returns the number of bytes written before an error.
fn write_counted(file: &mut impl Write, text: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(rest) = text.get(written..).filter(|rest| !rest.is_empty()) {
        match file.write(rest) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(bytes) => written += bytes.min(rest.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

#[cfg(test)]
impl Sink {
    /// Makes the writer block, as a hanging disk would.
    pub(super) fn hang(&self) -> impl Drop {
        lock(&self.output)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    /// Takes the number of bytes that the next step says, or fails; after the last step it takes everything.
    #[derive(Debug, Default)]
    struct Scripted {
        steps: VecDeque<Result<usize, io::ErrorKind>>,
        taken: Vec<u8>,
    }

    impl Write for Scripted {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let bytes = self.steps.pop_front().unwrap_or(Ok(text.len()))?.min(text.len());
            self.taken.extend_from_slice(&text[..bytes]);
            Ok(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn output(steps: impl Into<VecDeque<Result<usize, io::ErrorKind>>>) -> Output<Scripted> {
        Output { file: Scripted { steps: steps.into(), taken: Vec::new() }, torn: false }
    }

    #[test]
    fn short_writes_and_interrupts_are_continued() {
        let mut output = output([Ok(1), Err(io::ErrorKind::Interrupted), Ok(3)]);
        let (lines, result) = output.write(b"one\ntwo\n");
        result.unwrap();
        assert_eq!((lines, &output.file.taken[..]), (2, &b"one\ntwo\n"[..]));
    }

    #[test]
    fn a_cut_line_is_terminated_before_the_next() {
        let mut output = output([Ok(6), Err(io::ErrorKind::StorageFull), Err(io::ErrorKind::StorageFull)]);
        let (lines, result) = output.write(b"one\ntwo\n");
        assert_eq!((lines, result.unwrap_err().kind()), (1, io::ErrorKind::StorageFull));
        assert_eq!(output.write(b"three\n").0, 0, "still full");
        assert_eq!(output.write(b"four\n").0, 1);
        assert_eq!(output.file.taken, b"one\ntw\nfour\n");
    }

    #[test]
    fn a_file_that_takes_nothing_is_an_error() {
        let (lines, result) = output([Ok(0)]).write(b"one\n");
        assert_eq!((lines, result.unwrap_err().kind()), (0, io::ErrorKind::WriteZero));
    }

    proptest! {
        #[test]
        fn errors_damage_only_the_lines_they_cut(
            steps in prop::collection::vec(
                prop_oneof![(0_usize..12).prop_map(Ok), Just(Err(io::ErrorKind::StorageFull))], 0..30),
            batches in prop::collection::vec(1_usize..4, 1..20),
        ) {
            let mut output = output(steps);
            let (mut written, mut errors) = (0, 0);
            for lines in batches {
                let (count, result) = output.write("a line\n".repeat(lines).as_bytes());
                prop_assert!(count <= lines as u64);
                prop_assert!(result.is_err() || count == lines as u64);
                written += count;
                errors += usize::from(result.is_err());
            }
            let text = String::from_utf8(output.file.taken).unwrap();
            let (whole, cut): (Vec<_>, Vec<_>) = text.split('\n').partition(|line| *line == "a line");
            // A line that lost only its newline is whole in the end, but was counted as lost.
            prop_assert!(whole.len() as u64 >= written);
            prop_assert!(whole.len() as u64 <= written + errors as u64);
            prop_assert!(cut.iter().all(|line| "a line".starts_with(line)), "{}", text);
            prop_assert!(cut.len() <= errors + 1);
        }
    }
}
