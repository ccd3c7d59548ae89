//! The shared numbers of the connection limits, as atomics.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

use balance::connection_limit::{Cells, Lock, Number};

/// Cells that threads share.
#[derive(Debug, Default)]
pub(crate) struct Atomics;

/// An atomic number.
#[derive(Debug, Default)]
pub(crate) struct Atomic<T>(T);

/// A value behind a mutex.
#[derive(Debug, Default)]
pub(crate) struct Locked<T>(Mutex<T>);

impl Cells for Atomics {
    type U32 = Atomic<AtomicU32>;
    type U64 = Atomic<AtomicU64>;
    type Lock<T: Debug + Default> = Locked<T>;
}

macro_rules! number {
    ($number:ty, $atomic:ty) => {
        impl Number<$number> for Atomic<$atomic> {
            fn load(&self) -> $number {
                self.0.load(SeqCst)
            }

            fn store(&self, value: $number) {
                self.0.store(value, SeqCst);
            }

            fn swap(&self, value: $number) -> $number {
                self.0.swap(value, SeqCst)
            }

            fn add(&self, value: $number) -> $number {
                self.0.fetch_add(value, SeqCst)
            }

            fn subtract(&self, value: $number) -> $number {
                self.0.fetch_sub(value, SeqCst)
            }

            fn update(&self, next: impl FnMut($number) -> Option<$number>) -> bool {
                self.0.fetch_update(SeqCst, SeqCst, next).is_ok()
            }
        }
    };
}

number!(u32, AtomicU32);
number!(u64, AtomicU64);

impl<T: Debug + Default> Lock<T> for Locked<T> {
    fn with<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
