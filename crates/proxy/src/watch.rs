//! Tasks of one worker that wait for the same event.

use std::cell::RefCell;
use std::task::Waker;

/// Where they leave their wakers.
// limit: one place for each task that waits at a time; those that are free are used again.
#[derive(Debug, Default)]
pub(crate) struct Watchers(RefCell<Places>);

#[derive(Debug, Default)]
struct Places {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

/// The place of one task, until its drop.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    watchers: &'a Watchers,
    place: usize,
}

impl Watchers {
    pub(crate) fn watch(&self) -> Watch<'_> {
        let mut places = self.0.borrow_mut();
        let place = places.free.pop().unwrap_or_else(|| {
            places.wakers.push(None);
            places.wakers.len() - 1
        });
        Watch { watchers: self, place }
    }

    pub(crate) fn wake_all(&self) {
        let mut woken: Vec<Waker> = Vec::new();
        woken.extend(self.0.borrow_mut().wakers.iter_mut().filter_map(Option::take));
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Watch<'_> {
    /// Has `waker` woken by the next [`Watchers::wake_all`].
    pub(crate) fn leave(&self, waker: &Waker) {
        let new = Some(waker.clone());
        let old = std::mem::replace(&mut self.watchers.0.borrow_mut().wakers[self.place], new);
        drop(old);
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let old = {
            let mut places = self.watchers.0.borrow_mut();
            places.free.push(self.place);
            places.wakers[self.place].take()
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
    fn whoever_waits_is_woken_once() {
        let (watchers, count) = (Watchers::default(), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&count));
        let woken = || count.0.load(Ordering::Relaxed);
        let (one, other) = (watchers.watch(), watchers.watch());
        one.leave(&waker);
        one.leave(&waker);
        other.leave(&waker);
        watchers.wake_all();
        assert_eq!(woken(), 2);
        watchers.wake_all();
        assert_eq!(woken(), 2, "who wants to be woken again leaves a waker again");
        one.leave(&waker);
        drop(one);
        watchers.wake_all();
        assert_eq!(woken(), 2, "who is gone is not woken");
        assert_eq!(Arc::strong_count(&count), 2);
    }

    #[test]
    fn places_are_used_again() {
        let watchers = Watchers::default();
        for _ in 0..100 {
            let (_one, _other) = (watchers.watch(), watchers.watch());
        }
        assert_eq!(watchers.0.borrow().wakers.len(), 2);
    }
}
