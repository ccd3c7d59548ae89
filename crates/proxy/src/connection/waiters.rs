//! The tasks of one worker that wait for the same event.

use std::cell::RefCell;
use std::task::Waker;

/// The wakers of the waiting tasks.
// limit: one entry for each task that waits at the same time; free entries are reused.
#[derive(Debug, Default)]
pub(crate) struct Waiters(RefCell<Entries>);

#[derive(Debug, Default)]
struct Entries {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

/// The entry of one task, until it is dropped.
#[derive(Debug)]
pub(crate) struct Waiter<'a> {
    waiters: &'a Waiters,
    entry: usize,
}

impl Waiters {
    pub(crate) fn waiter(&self) -> Waiter<'_> {
        let mut entries = self.0.borrow_mut();
        let entry = entries.free.pop().unwrap_or_else(|| {
            entries.wakers.push(None);
            entries.wakers.len() - 1
        });
        Waiter { waiters: self, entry }
    }

    pub(crate) fn wake_all(&self) {
        let mut woken: Vec<Waker> = Vec::new();
        woken.extend(self.0.borrow_mut().wakers.iter_mut().filter_map(Option::take));
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Waiter<'_> {
    /// Registers `waker` for the next [`Waiters::wake_all`].
    pub(crate) fn register(&self, waker: &Waker) {
        let new = Some(waker.clone());
        let old = std::mem::replace(&mut self.waiters.0.borrow_mut().wakers[self.entry], new);
        drop(old);
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let old = {
            let mut entries = self.waiters.0.borrow_mut();
            entries.free.push(self.entry);
            entries.wakers[self.entry].take()
        };
        drop(old);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn each_waiter_is_woken_once() {
        let (waiters, count) = (Waiters::default(), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&count));
        let woken = || count.0.load(Ordering::Relaxed);
        let (one, other) = (waiters.waiter(), waiters.waiter());
        one.register(&waker);
        one.register(&waker);
        other.register(&waker);
        waiters.wake_all();
        assert_eq!(woken(), 2);
        waiters.wake_all();
        assert_eq!(woken(), 2, "a woken task must register again");
        one.register(&waker);
        drop(one);
        waiters.wake_all();
        assert_eq!(woken(), 2, "a dropped waiter is not woken");
        assert_eq!(Arc::strong_count(&count), 2);
    }

    #[test]
    fn entries_are_reused() {
        let waiters = Waiters::default();
        for _ in 0..100 {
            let (_one, _other) = (waiters.waiter(), waiters.waiter());
        }
        assert_eq!(waiters.0.borrow().wakers.len(), 2);
    }
}
