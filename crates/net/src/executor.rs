//! The executor: tasks in slots, a run queue, and wakers that are numbers.
//!
//! A waker reaches the run queue of its own thread through a thread-local, so it needs no reference count. [`enter`] sets
//! which worker the thread runs.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use crate::remote;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The tasks of one worker.
#[derive(Default)]
pub(crate) struct Executor {
    slots: RefCell<Slots>,
}

#[derive(Default)]
struct Slots {
    tasks: Vec<Option<Task>>,
    free: Vec<u32>,
    live: usize,
}

/// The result of [`Executor::turn`].
pub(crate) enum Turn {
    /// The run queue was empty.
    Idle,
    Ran,
    Panicked,
}

impl Executor {
    pub(crate) fn spawn(&self, task: Task) {
        let slot = {
            let mut slots = self.slots.borrow_mut();
            slots.live += 1;
            match slots.free.pop() {
                Some(slot) => {
                    slots.tasks[slot as usize] = Some(task);
                    slot
                }
                None => {
                    slots.tasks.push(Some(task));
                    u32::try_from(slots.tasks.len() - 1).unwrap_or(u32::MAX)
                }
            }
        };
        LOCAL.with(|local| local.begin(slot));
    }

    pub(crate) fn live(&self) -> usize {
        self.slots.borrow().live
    }

    /// Polls the next task of the run queue.
    pub(crate) fn turn(&self) -> Turn {
        let Some((slot, waker)) = LOCAL.with(Local::next) else { return Turn::Idle };
        // invariant: during its poll the future is out of its slot and nothing is borrowed, so that it may spawn, wake and
        // drop anything.
        let Some(mut task) = self.slots.borrow_mut().tasks.get_mut(slot as usize).and_then(Option::take)
        else {
            return Turn::Ran;
        };
        let mut context = Context::from_waker(&waker);
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(&mut context)));
        match polled {
            Ok(Poll::Pending) => {
                self.slots.borrow_mut().tasks[slot as usize] = Some(task);
                Turn::Ran
            }
            Ok(Poll::Ready(())) => {
                self.end(slot, task);
                Turn::Ran
            }
            Err(_) => {
                self.end(slot, task);
                Turn::Panicked
            }
        }
    }

    /// Drops every task, including those that the drops spawn.
    pub(crate) fn clear(&self) {
        loop {
            let tasks = std::mem::take(&mut *self.slots.borrow_mut());
            if tasks.live == 0 {
                break;
            }
            for task in tasks.tasks.into_iter().flatten() {
                let _ = std::panic::catch_unwind(AssertUnwindSafe(|| drop(task)));
            }
        }
    }

    fn end(&self, slot: u32, task: Task) {
        // The generation changes first, so that wakers of the ended task do not wake the next task in the slot.
        LOCAL.with(|local| local.end(slot));
        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| drop(task)));
        let mut slots = self.slots.borrow_mut();
        slots.free.push(slot);
        slots.live -= 1;
    }
}

/// The run queue of this thread's worker.
struct Local {
    worker: Cell<Option<u8>>,
    queue: RefCell<VecDeque<u32>>,
    /// By slot: the generation, and whether it is queued.
    marks: RefCell<Vec<Mark>>,
}

#[derive(Clone, Copy, Default)]
struct Mark {
    generation: u32,
    queued: bool,
}

thread_local! {
    static LOCAL: Local = const {
        Local { worker: Cell::new(None), queue: RefCell::new(VecDeque::new()), marks: RefCell::new(Vec::new()) }
    };
}

impl Local {
    fn begin(&self, slot: u32) {
        let mut marks = self.marks.borrow_mut();
        if marks.len() <= slot as usize {
            marks.resize(slot as usize + 1, Mark::default());
        }
        marks[slot as usize].queued = true;
        self.queue.borrow_mut().push_back(slot);
    }

    fn end(&self, slot: u32) {
        let mark = &mut self.marks.borrow_mut()[slot as usize];
        mark.generation = (mark.generation + 1) & GENERATION_MASK;
        mark.queued = false;
    }

    fn next(&self) -> Option<(u32, Waker)> {
        let slot = self.queue.borrow_mut().pop_front()?;
        let mark = &mut self.marks.borrow_mut()[slot as usize];
        // invariant: cleared before the poll, so that a wake during the poll queues the task again.
        mark.queued = false;
        let number = TaskNumber { worker: self.worker.get()?, generation: mark.generation, slot };
        Some((slot, number.into_waker()))
    }

    fn wake(&self, task: TaskNumber) {
        let mut marks = self.marks.borrow_mut();
        let Some(mark) = marks.get_mut(task.slot as usize) else { return };
        if mark.generation == task.generation && !mark.queued {
            mark.queued = true;
            self.queue.borrow_mut().push_back(task.slot);
        }
    }
}

/// Makes this thread the one of worker `number`, until [`leave`].
pub(crate) fn enter(number: u8) {
    LOCAL.with(|local| {
        local.queue.borrow_mut().clear();
        local.marks.borrow_mut().clear();
        local.worker.set(Some(number));
    });
}

pub(crate) fn leave() {
    LOCAL.with(|local| local.worker.set(None));
}

pub(crate) fn is_queue_empty() -> bool {
    LOCAL.with(|local| local.queue.borrow().is_empty())
}

/// Wakes a task of this thread's worker, given the number that another thread has queued.
pub(crate) fn wake_local(task: u64) {
    LOCAL.with(|local| local.wake(TaskNumber::from_bits(task)));
}

/// worker (8 bits) | generation (24 bits) | slot (32 bits), in the waker's data pointer.
#[derive(Clone, Copy)]
struct TaskNumber {
    worker: u8,
    generation: u32,
    slot: u32,
}

impl TaskNumber {
    fn to_bits(self) -> u64 {
        u64::from(self.worker) << 56 | u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    #[expect(clippy::cast_possible_truncation, reason = "splits the number into its parts")]
    fn from_bits(bits: u64) -> Self {
        Self {
            worker: (bits >> 56) as u8,
            generation: (bits >> 32) as u32 & GENERATION_MASK,
            slot: bits as u32,
        }
    }

    fn into_waker(self) -> Waker {
        // SAFETY: the vtable below treats the pointer as a plain number and never dereferences it. A clone copies it, a drop
        // does nothing, and a wake is safe from any thread and at any time.
        unsafe { Waker::from_raw(raw_waker(data(self.to_bits()))) }
    }

    fn wake(self) {
        let here = LOCAL.try_with(|local| {
            let here = local.worker.get() == Some(self.worker);
            if here {
                local.wake(self);
            }
            here
        });
        // A thread whose thread-local has been destroyed counts as another thread.
        if !here.unwrap_or(false) {
            remote::wake(self.worker, self.to_bits());
        }
    }
}

const _: () = assert!(usize::BITS == 64, "a task's number needs a 64-bit pointer");

#[expect(clippy::cast_possible_truncation, reason = "64-bit, asserted above")]
fn data(bits: u64) -> *const () {
    std::ptr::without_provenance(bits as usize)
}

fn raw_waker(data: *const ()) -> RawWaker {
    RawWaker::new(data, &VTABLE)
}

fn wake_data(data: *const ()) {
    TaskNumber::from_bits(data.addr() as u64).wake();
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(raw_waker, wake_data, wake_data, |_| {});

const GENERATION_MASK: u32 = 0x00ff_ffff;

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn, ready};
    use std::rc::Rc;

    use super::*;

    /// The number of a worker that no test enlists, so that a wake from another thread has no effect.
    const NUMBER: u8 = 250;

    fn entered() -> Rc<Executor> {
        enter(NUMBER);
        Rc::default()
    }

    /// Polls until the run queue is empty; returns the number of polls.
    fn turns(executor: &Executor) -> usize {
        (0..1000).take_while(|_| !matches!(executor.turn(), Turn::Idle)).count()
    }

    /// A task that counts its polls, stores its waker in `waker` and never ends.
    fn counted(polls: &Rc<Cell<u32>>, waker: &Rc<RefCell<Option<Waker>>>) -> Task {
        let (polls, waker) = (Rc::clone(polls), Rc::clone(waker));
        Box::pin(poll_fn(move |context| {
            polls.set(polls.get() + 1);
            waker.replace(Some(context.waker().clone()));
            Poll::Pending
        }))
    }

    #[test]
    fn many_wakes_cause_one_poll() {
        let (executor, polls, waker) = (entered(), Rc::default(), Rc::default());
        executor.spawn(counted(&polls, &waker));
        assert_eq!(turns(&executor), 1);
        let held = waker.take().unwrap();
        (0..5).for_each(|_| held.wake_by_ref());
        assert!(!is_queue_empty());
        assert_eq!((turns(&executor), polls.get()), (1, 2));
        assert!(is_queue_empty());
    }

    #[test]
    fn a_wake_during_the_poll_queues_the_task_again() {
        let (executor, polls) = (entered(), Rc::new(Cell::new(0)));
        let seen = Rc::clone(&polls);
        executor.spawn(Box::pin(poll_fn(move |context| {
            seen.set(seen.get() + 1);
            if seen.get() == 3 {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })));
        assert_eq!((turns(&executor), polls.get(), executor.live()), (3, 3, 0));
    }

    #[test]
    fn a_waker_of_an_ended_task_does_not_wake_the_next_task_in_its_slot() {
        let (executor, polls, waker) = (entered(), Rc::default(), Rc::default());
        let stale = Rc::new(RefCell::new(None));
        let out = Rc::clone(&stale);
        executor.spawn(Box::pin(poll_fn(move |context| {
            out.replace(Some(context.waker().clone()));
            Poll::Ready(())
        })));
        turns(&executor);
        executor.spawn(counted(&polls, &waker));
        assert_eq!(turns(&executor), 1);
        let stale: Waker = stale.take().unwrap();
        stale.wake_by_ref();
        assert_eq!((turns(&executor), polls.get()), (0, 1));
        assert!(!stale.will_wake(&waker.take().unwrap()), "same slot, different generation");
    }

    #[test]
    fn a_task_that_wakes_itself_and_ends_causes_at_most_one_spurious_poll() {
        let (executor, polls, waker) = (entered(), Rc::default(), Rc::default());
        executor.spawn(Box::pin(poll_fn(|context| {
            context.waker().wake_by_ref();
            Poll::Ready(())
        })));
        let _ = executor.turn();
        executor.spawn(counted(&polls, &waker));
        turns(&executor);
        assert!((1..=2).contains(&polls.get()));
        waker.take().unwrap().wake();
        turns(&executor);
        assert!((2..=3).contains(&polls.get()), "its own waker still wakes it");
    }

    #[test]
    fn a_panic_ends_only_its_task() {
        let executor = entered();
        executor.spawn(Box::pin(poll_fn(|_| std::panic::resume_unwind(Box::new("a bug")))));
        executor.spawn(Box::pin(pending()));
        assert!(matches!(executor.turn(), Turn::Panicked));
        assert!(matches!(executor.turn(), Turn::Ran));
        assert_eq!(executor.live(), 1);
        executor.spawn(Box::pin(ready(())));
        assert_eq!(executor.slots.borrow().tasks.len(), 2, "the slot is reused");
        turns(&executor);
        assert_eq!(executor.live(), 1);
    }

    /// Spawns another task when it is dropped, which does the same, `left` times in all.
    struct Respawn {
        executor: Rc<Executor>,
        left: u32,
        drops: Rc<Cell<u32>>,
    }

    impl Drop for Respawn {
        fn drop(&mut self) {
            self.drops.set(self.drops.get() + 1);
            if self.left > 0 {
                let (executor, drops) = (Rc::clone(&self.executor), Rc::clone(&self.drops));
                let next = Self { executor, left: self.left - 1, drops };
                self.executor.spawn(Box::pin(async move {
                    let _next = next;
                    pending::<()>().await;
                }));
            }
        }
    }

    #[test]
    fn tasks_that_are_spawned_by_drops_during_clear_are_dropped_too() {
        let (executor, drops) = (entered(), Rc::new(Cell::new(0)));
        let first = Respawn { executor: Rc::clone(&executor), left: 3, drops: Rc::clone(&drops) };
        executor.spawn(Box::pin(async move {
            let _first = first;
            pending::<()>().await;
        }));
        turns(&executor);
        executor.clear();
        assert_eq!((drops.get(), executor.live(), Rc::strong_count(&executor)), (4, 0, 1));
    }

    #[test]
    fn a_drop_that_panics_or_wakes_does_not_affect_other_tasks() {
        struct Bad(Rc<RefCell<Option<Waker>>>);
        impl Drop for Bad {
            fn drop(&mut self) {
                self.0.take().into_iter().for_each(Waker::wake);
                std::panic::resume_unwind(Box::new("a bug in a drop"));
            }
        }
        let (executor, polls, waker) = (entered(), Rc::default(), Rc::default());
        executor.spawn(counted(&polls, &waker));
        turns(&executor);
        let bad = Bad(Rc::clone(&waker));
        executor.spawn(Box::pin(async move { drop(bad) }));
        assert!(matches!(executor.turn(), Turn::Panicked));
        assert_eq!((turns(&executor), polls.get()), (1, 2), "the task that the drop woke runs");
        let bad = Bad(Rc::clone(&waker));
        executor.spawn(Box::pin(async move {
            let _bad = bad;
            pending::<()>().await;
        }));
        executor.clear();
        assert_eq!(executor.live(), 0);
    }

    #[test]
    fn a_task_number_converts_to_bits_and_back() {
        for (worker, generation, slot) in [(0, 0, 0), (255, GENERATION_MASK, u32::MAX), (7, 1, 2)] {
            let back = TaskNumber::from_bits(TaskNumber { worker, generation, slot }.to_bits());
            assert_eq!((back.worker, back.generation, back.slot), (worker, generation, slot));
        }
    }

    #[test]
    fn a_wake_after_leave_has_no_effect() {
        let (executor, polls, waker) = (entered(), Rc::default(), Rc::default());
        executor.spawn(counted(&polls, &waker));
        turns(&executor);
        executor.clear();
        leave();
        waker.take().unwrap().wake();
        assert!(is_queue_empty());
    }
}
