//! Every interleaving of two threads that wake tasks with a worker that looks: no task is left in the queue while
//! the bell is silent. loom stands in for the standard library's synchronization.
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

/// What [`net`]'s mailbox of a worker needs of its queue.
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

/// The wrong way round: takes the queue, then observes the bell.
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

/// A queue with its bell, as in the worker: rung after the push, silenced before the queue is taken.
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

    fn look(&self, woken: &mut Vec<u64>) {
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
        mailbox.look(&mut woken);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        // The worker looks as long as the bell rings, and then waits for ever.
        mailbox.look(&mut woken);
        woken.sort_unstable();
        assert_eq!(woken, [1, 2], "a task waits for a bell that nobody rings");
    });
}

#[test]
fn the_bell_first_loses_nothing() {
    no_wake_is_lost::<WakeQueue>();
}

#[test]
#[should_panic(expected = "a bell that nobody rings")]
fn the_queue_first_loses_a_wake() {
    no_wake_is_lost::<Swapped>();
}
