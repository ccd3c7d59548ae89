//! What a peer sees of an exchange that is dropped before its end.

use net::Sys;

use crate::stream::Stream;

/// Resets the connection if it is dropped, by the deadline of a stop or by a panic: the peer must not take a part for the
/// whole.
pub(crate) struct CutOff<'a, S: Sys>(pub(crate) &'a Stream<S>);

impl<S: Sys> CutOff<'_, S> {
    /// The exchange has come to its end.
    pub(crate) fn disarm(self) {
        std::mem::forget(self);
    }
}

impl<S: Sys> Drop for CutOff<'_, S> {
    fn drop(&mut self) {
        self.0.abort_on_close();
    }
}
