//! Compares optional parts of plans.

use std::sync::Arc;

/// True if both are `None`, or both are `Some` and the same.
pub(super) fn same<T>(one: Option<&T>, other: Option<&T>, is_same: impl FnOnce(&T, &T) -> bool) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => is_same(one, other),
        (None, None) => true,
        _ => false,
    }
}

/// True if both are `None`, or both point to the same value.
pub(super) fn same_arc<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    same(one, other, Arc::ptr_eq)
}
