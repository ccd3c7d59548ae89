//! The numbers that workers share.

use std::fmt::Debug;

/// How workers share numbers and tables.
///
/// invariant: all accesses are in one order that all workers agree on (`SeqCst`). Several decisions write one number and
/// then read another, and rely on the other worker doing the opposite.
pub trait Cells: Debug + Default + 'static {
    type U32: Number<u32>;
    type U64: Number<u64>;
    type Lock<T: Debug + Default>: Lock<T>;
}

/// One shared number.
pub trait Number<T>: Debug + Default {
    fn load(&self) -> T;
    fn store(&self, value: T);
    /// Returns the number before.
    fn swap(&self, value: T) -> T;
    /// Returns the number before.
    fn add(&self, value: T) -> T;
    /// Returns the number before.
    fn subtract(&self, value: T) -> T;
    /// Replaces the number by `next` of it in one step; false if `next` returns `None`.
    fn update(&self, next: impl FnMut(T) -> Option<T>) -> bool;
}

/// One shared value that is more than a number.
pub trait Lock<T>: Debug + Default {
    fn with<R>(&self, change: impl FnOnce(&mut T) -> R) -> R;
}
