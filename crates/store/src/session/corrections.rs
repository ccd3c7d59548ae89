//! What the table of a node learns from the store.

use super::client::SessionName;

/// Hears what the store knows better. Called on the control plane's runtime, so it must not wait.
pub trait Corrections: Send + Sync {
    /// The store names `to` for a session that was touched as one of `from`. Only a session that is still at `from` is to
    /// be changed: a request may have moved it since.
    fn correct(&self, name: SessionName, from: u64, to: u64);

    /// The store has a session that was touched, at this target, with the end of its life that the touch has told. Sessions
    /// of which this is not said are to be touched again; so are those that have moved meanwhile.
    fn kept(&self, name: SessionName, target: u64);

    /// A claim or a move has ended for which its worker no longer waits: the store names this target. `is_ours`: the worker
    /// had offered it, and may have chosen another one since.
    fn settled(&self, name: SessionName, target: u64, is_ours: bool);
}
