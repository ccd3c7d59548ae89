//! The wake queue under loom, which tries every interleaving of two threads that wake tasks and a worker that takes them:
//! no task stays in the queue while the bell is silent.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../src/wake_queue.rs"]
mod wake_queue;

mod sync {
    pub(crate) use std::sync::PoisonError;

    pub(crate) use loom::sync::Mutex;
    pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
}

use loom::sync::Arc;
use loom::thread;
use sync::{AtomicBool, Mutex, Ordering};
use wake_queue::WakeQueue;

/// The operations of a wake queue.
trait Queue: Default + Send + Sync + 'static {
    fn push(&self, task: u64) -> bool;
    fn take(&self, into: &mut Vec<u64>);
}

impl Queue for WakeQueue {
    fn push(&self, task: u64) -> bool {
        self.push(task)
    }

    fn take(&self, into: &mut Vec<u64>) {
        self.take(into);
    }
}

/// A wrong implementation: it takes the queue before it clears `rung`.
#[derive(Default)]
struct Swapped {
    rung: AtomicBool,
    tasks: Mutex<Vec<u64>>,
}

impl Queue for Swapped {
    fn push(&self, task: u64) -> bool {
        self.tasks.lock().unwrap().push(task);
        !self.rung.swap(true, Ordering::AcqRel)
    }

    fn take(&self, into: &mut Vec<u64>) {
        into.append(&mut self.tasks.lock().unwrap());
        self.rung.store(false, Ordering::SeqCst);
    }
}

/// A queue with its bell, used as by the worker: rung after the push, silenced before the queue is taken.
#[derive(Default)]
struct Mailbox<Q> {
    queue: Q,
    bell: AtomicBool,
}

impl<Q: Queue> Mailbox<Q> {
    fn wake(&self, task: u64) {
        if self.queue.push(task) {
            self.bell.store(true, Ordering::SeqCst);
        }
    }

    fn take(&self, woken: &mut Vec<u64>) {
        if self.bell.load(Ordering::SeqCst) {
            self.bell.store(false, Ordering::SeqCst);
            self.queue.take(woken);
        }
    }
}

fn no_wake_is_lost<Q: Queue>() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::<Q>::default());
        let threads = [1, 2].map(|task| {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || mailbox.wake(task))
        });
        let mut woken = Vec::new();
        mailbox.take(&mut woken);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        // The worker takes the queue once more if the bell has been rung, and else would wait for ever.
        mailbox.take(&mut woken);
        woken.sort_unstable();
        assert_eq!(woken, [1, 2], "a task is queued, but the bell is silent");
    });
}

#[test]
fn no_wake_is_lost_if_the_flag_is_cleared_first() {
    no_wake_is_lost::<WakeQueue>();
}

#[test]
#[should_panic(expected = "the bell is silent")]
fn a_wake_is_lost_if_the_queue_is_taken_first() {
    no_wake_is_lost::<Swapped>();
}
