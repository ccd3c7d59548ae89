//! What the table of a node learns from the store.

use super::client::SessionName;

/// Hears what the store knows better. Called on the control plane's runtime, so it must not wait.
pub trait Corrections: Send + Sync {
    /// The store names `to` for a session that was touched as one of `from`. Only a session that is still at `from` is to
    /// be changed: a request may have moved it since.
    fn correct(&self, name: SessionName, from: u64, to: u64);

    /// A session that was touched is no longer in the store, which did not take it again. It counts as not in the store,
    /// so that its next request claims it.
    fn lost(&self, name: SessionName);

    /// A claim or a move has ended for which its worker no longer waits: the store names this target. `is_ours`: the worker
    /// had offered it, and may have chosen another one since.
    fn settled(&self, name: SessionName, target: u64, is_ours: bool);
}
