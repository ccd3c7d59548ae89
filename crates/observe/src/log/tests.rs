//! Tests of the access logs with real files. No test sleeps: `flush_and_wait` returns when the writer is done.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use model::LogPath;
use tempfile::TempDir;

use super::*;
use crate::record::tests::example;

struct Scene {
    logs: AccessLogs,
    directory: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { logs: AccessLogs::start().unwrap(), directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn open(&self, path: impl AsRef<Path>) -> LogHandle {
        self.logs.open(&log(path, LogFormat::Text)).unwrap()
    }

    fn settle(&self) {
        assert!(self.logs.flush_and_wait(PATIENCE), "the writer hangs");
    }
}

fn log(path: impl AsRef<Path>, format: LogFormat) -> AccessLog {
    AccessLog { path: LogPath::File(path.as_ref().to_owned()), format }
}

fn outcome(path: impl AsRef<Path>, error: Option<&str>) -> Reopened {
    Reopened { path: path.as_ref().display().to_string(), error: error.map(str::to_owned) }
}

fn push(buffer: &mut LogBuffer, line: &str) {
    buffer.push(|_, out| out.extend([line, "\n"].iter().flat_map(|part| part.bytes())));
}

#[test]
fn lines_of_a_worker_arrive_in_their_order() {
    let scene = Scene::new();
    let mut buffer = scene.open(scene.path("a.log")).buffer();
    let lines: Vec<_> = (0..2_000).map(|n| format!("line {n} {}", "x".repeat(n % 50))).collect();
    lines.iter().for_each(|line| push(&mut buffer, line));
    assert!(
        scene.logs.queue.state.handed_over.load(Relaxed) > 1,
        "a full buffer is handed over without a flush"
    );
    buffer.flush();
    assert!(buffer.is_empty());
    scene.settle();
    assert_eq!(fs::read_to_string(scene.path("a.log")).unwrap(), lines.join("\n") + "\n");
    assert_eq!(scene.logs.totals(), LogTotals { lines_written: 2_000, lines_dropped: 0, errors: 0 });
}

#[test]
fn many_workers_never_mix_within_a_line() {
    let scene = Scene::new();
    let handle = scene.open(scene.path("a.log"));
    thread::scope(|scope| {
        for worker in 0..4 {
            let handle = handle.clone();
            scope.spawn(move || {
                let mut buffer = handle.buffer();
                (0..500).for_each(|n| push(&mut buffer, &format!("{worker} {n} {}", "x".repeat(100))));
            });
        }
    });
    scene.settle();
    let text = fs::read_to_string(scene.path("a.log")).unwrap();
    for worker in 0..4 {
        let begin = format!("{worker} ");
        let of_worker: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(&begin)).collect();
        let expected: Vec<_> = (0..500).map(|n| format!("{n} {}", "x".repeat(100))).collect();
        assert_eq!(of_worker, expected);
    }
}

#[test]
fn handles_to_one_file_keep_their_own_formats() {
    let scene = Scene::new();
    let path = scene.path("a.log");
    let text = scene.open(&path);
    let json = scene.logs.open(&log(&path, LogFormat::Json)).unwrap();
    assert!(Arc::ptr_eq(&text.sink, &json.sink));
    for handle in [&text, &json] {
        handle.buffer().record(&example());
    }
    scene.settle();
    let written = fs::read_to_string(&path).unwrap();
    let begins: Vec<_> = written.lines().map(|line| &line[..9]).collect();
    assert_eq!(begins, ["2026-01-0", "{\"time\":\""]);
}

#[test]
fn a_new_file_is_private_and_an_old_one_grows() {
    let scene = Scene::new();
    let path = scene.path("a.log");
    push(&mut scene.open(&path).buffer(), "one");
    scene.settle();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0, "no permission beyond 0640");
    push(&mut scene.open(&path).buffer(), "two");
    scene.settle();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
}

#[test]
fn an_unused_log_is_closed() {
    let scene = Scene::new();
    let handle = scene.open(scene.path("a.log"));
    let sink = Arc::downgrade(&handle.sink);
    let mut buffer = handle.buffer();
    drop(handle);
    push(&mut buffer, "one");
    assert!(sink.upgrade().is_some(), "a buffer keeps it open");
    drop(buffer);
    scene.settle();
    // The writer drops an order before it reports it as finished.
    assert!(sink.upgrade().is_none());
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_at_once() {
    let scene = Scene::new();
    let directory = scene.directory.path();
    for (path, kind) in
        [(directory.join("none/a.log"), ErrorKind::NotFound), (directory.to_owned(), ErrorKind::IsADirectory)]
    {
        let error = scene.logs.open(&log(&path, LogFormat::Json)).unwrap_err();
        assert_eq!(error.kind(), kind, "{}", path.display());
    }
    assert_eq!(scene.logs.totals(), LogTotals::default());
}

#[test]
fn after_a_rotation_lines_go_to_the_new_file() {
    let scene = Scene::new();
    let (path, old) = (scene.path("a.log"), scene.path("a.log.1"));
    let mut buffer = scene.open(&path).buffer();
    push(&mut buffer, "one");
    buffer.flush();
    scene.settle();
    fs::rename(&path, &old).unwrap();
    push(&mut buffer, "two");
    buffer.flush();
    scene.settle();
    assert_eq!(scene.logs.reopen(PATIENCE), [outcome(&path, None)]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "", "made before the next line");
    push(&mut buffer, "three");
    buffer.flush();
    scene.settle();
    assert_eq!(fs::read_to_string(&old).unwrap(), "one\ntwo\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
}

#[test]
fn if_reopening_fails_the_old_file_stays_in_use_and_each_write_tries_again() {
    let scene = Scene::new();
    let (path, moved) = (scene.path("logs/a.log"), scene.path("moved"));
    fs::create_dir(scene.path("logs")).unwrap();
    let mut buffer = scene.open(&path).buffer();
    let fine = scene.open(scene.path("fine.log"));
    fs::rename(scene.path("logs"), &moved).unwrap();
    let gone = outcome(&path, Some("No such file or directory (os error 2)"));
    assert_eq!(scene.logs.reopen(PATIENCE), [gone, outcome(scene.path("fine.log"), None)]);
    let mut write = |line| {
        push(&mut buffer, line);
        buffer.flush();
        scene.settle();
    };
    write("one");
    write("two");
    assert_eq!(fs::read_to_string(moved.join("a.log")).unwrap(), "one\ntwo\n");
    assert_eq!(scene.logs.totals(), LogTotals { lines_written: 2, lines_dropped: 0, errors: 1 });
    fs::create_dir(scene.path("logs")).unwrap();
    assert_eq!(scene.logs.troubles().len(), 1);
    write("three");
    assert_eq!(scene.logs.troubles(), []);
    assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
    drop(fine);
}

#[test]
fn lines_for_a_deleted_file_are_counted_as_lost() {
    let scene = Scene::new();
    fs::create_dir(scene.path("logs")).unwrap();
    let mut buffer = scene.open(scene.path("logs/a.log")).buffer();
    fs::remove_dir_all(scene.path("logs")).unwrap();
    scene.logs.reopen(PATIENCE);
    push(&mut buffer, "one");
    buffer.flush();
    scene.settle();
    assert_eq!(scene.logs.totals(), LogTotals { lines_written: 0, lines_dropped: 1, errors: 2 });
}

#[test]
fn a_path_that_became_something_else_cannot_be_reopened() {
    let scene = Scene::new();
    let path = scene.path("a.log");
    let _handle = scene.open(&path);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(scene.logs.reopen(PATIENCE), [outcome(&path, Some("Is a directory (os error 21)"))]);
    fs::remove_dir(&path).unwrap();
    let fifo = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(fifo.success());
    let [Reopened { error: Some(error), .. }] = &scene.logs.reopen(PATIENCE)[..] else { panic!() };
    assert!(error.contains("is a named pipe"), "{error}");
}

#[test]
fn a_full_disk_costs_lines_and_nothing_else() {
    let scene = Scene::new();
    let mut full = scene.open("/dev/full").buffer();
    let mut fine = scene.open(scene.path("a.log")).buffer();
    for _ in 0..3 {
        push(&mut full, "lost");
        push(&mut full, "lost");
        full.flush();
        push(&mut fine, "kept");
        fine.flush();
    }
    scene.settle();
    assert_eq!(scene.logs.totals(), LogTotals { lines_written: 3, lines_dropped: 6, errors: 3 });
    assert_eq!(fs::read_to_string(scene.path("a.log")).unwrap(), "kept\n".repeat(3));
    let [LogTrouble { path, message, .. }] = &scene.logs.troubles()[..] else { panic!() };
    assert_eq!((path.as_str(), *message), ("/dev/full", "lines are lost"));
}

#[test]
fn a_hanging_disk_drops_lines_and_blocks_no_worker() {
    let scene = Scene::new();
    let handle = scene.open(scene.path("a.log"));
    let mut buffer = handle.buffer();
    let hanging = handle.sink.hang();
    let sent = ORDERS_MAX + 100;
    for n in 0..sent {
        push(&mut buffer, &n.to_string());
        buffer.flush();
    }
    assert!(!scene.logs.flush_and_wait(Duration::ZERO), "the writer cannot be done yet");
    let [Reopened { error: Some(error), .. }] = &scene.logs.reopen(Duration::ZERO)[..] else { panic!() };
    assert!(error.contains("is not reopened yet"), "{error}");
    let dropped = scene.logs.totals().lines_dropped;
    // The writer may already hold one order.
    assert!((99..=100).contains(&dropped), "{dropped}");

    drop(hanging);
    scene.settle();
    let text = fs::read_to_string(scene.path("a.log")).unwrap();
    let kept = sent - usize::try_from(dropped).unwrap();
    assert_eq!(text.lines().count(), kept);
    assert_eq!(scene.logs.totals().lines_written, kept as u64);

    push(&mut buffer, "after");
    buffer.flush();
    scene.settle();
    assert!(fs::read_to_string(scene.path("a.log")).unwrap().ends_with("\nafter\n"));
}

#[test]
fn waiting_without_orders_returns_at_once() {
    assert!(Scene::new().logs.flush_and_wait(Duration::ZERO));
}

const PATIENCE: Duration = Duration::from_secs(30);
