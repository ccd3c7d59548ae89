//! Cells that let other workers act between any two accesses, as they may when the cells are atomics.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::rc::Rc;

use balance::connection_limit::{Cells, Lock, Number};

#[derive(Debug, Default)]
pub(crate) struct SimCells;

#[derive(Debug, Default)]
pub(crate) struct SimNumber<T: Copy + Default>(Cell<T>);

#[derive(Debug, Default)]
pub(crate) struct SimLock<T>(RefCell<T>);

thread_local! {
    static INTERRUPT: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
    static LOCKED: Cell<bool> = const { Cell::new(false) };
}

/// Has `interrupt` called before each access, except while a lock is held.
pub(crate) fn set_interrupt(interrupt: Option<Rc<dyn Fn()>>) {
    INTERRUPT.set(interrupt);
}

fn interrupt() {
    if !LOCKED.get()
        && let Some(interrupt) = INTERRUPT.with_borrow(Option::clone)
    {
        interrupt();
    }
}

impl Cells for SimCells {
    type U32 = SimNumber<u32>;
    type U64 = SimNumber<u64>;
    type Lock<T: Debug + Default> = SimLock<T>;
}

macro_rules! number {
    ($number:ty) => {
        impl Number<$number> for SimNumber<$number> {
            fn load(&self) -> $number {
                interrupt();
                self.0.get()
            }

            fn store(&self, value: $number) {
                interrupt();
                self.0.set(value);
            }

            fn swap(&self, value: $number) -> $number {
                interrupt();
                self.0.replace(value)
            }

            fn add(&self, value: $number) -> $number {
                interrupt();
                self.0.replace(self.0.get() + value)
            }

            fn subtract(&self, value: $number) -> $number {
                interrupt();
                self.0.replace(self.0.get() - value)
            }

            fn update(&self, mut next: impl FnMut($number) -> Option<$number>) -> bool {
                interrupt();
                let next = next(self.0.get());
                next.into_iter().for_each(|next| self.0.set(next));
                next.is_some()
            }
        }
    };
}

number!(u32);
number!(u64);

impl<T: Debug + Default> Lock<T> for SimLock<T> {
    fn with<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        interrupt();
        LOCKED.set(true);
        let result = change(&mut self.0.borrow_mut());
        LOCKED.set(false);
        result
    }
}
