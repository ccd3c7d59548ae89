//! A panic outside the tasks of a worker ends the worker with an error, and leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use net::{Linux, Worker};

/// The loop wakes the tasks whose deadlines have passed; this one does not bear it.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        std::panic::resume_unwind(Box::new("a bug of a waker"));
    }
}

#[test]
fn a_worker_ends_with_an_error_and_drops_its_tasks() {
    let held = Arc::new(());
    let by_task = Arc::clone(&held);
    let ended = Worker::run(Linux::new().unwrap(), |worker| async move {
        let other = worker.clone();
        worker.spawn(async move {
            let _held = by_task;
            other.sleep(Duration::from_secs(3_600)).await;
        });
        let mut sleep = pin!(worker.sleep(Duration::from_millis(1)));
        poll_fn(|_| sleep.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::new(Panics))))).await;
    });
    assert_eq!(ended.unwrap_err().to_string(), "a panic outside the worker's tasks");
    assert_eq!(Arc::strong_count(&held), 1, "the tasks are dropped");
    Worker::run(Linux::new().unwrap(), |_| async {}).unwrap();
}
