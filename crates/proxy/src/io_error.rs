//! How an error tells that the peer is gone without a word (KA9).

use std::io;

use net::Sys;

use crate::stream::Stream;

/// Whether a deadline of ours ended the wait. The kernel's own ETIMEDOUT has the same kind, but says that the peer is
/// dead.
pub(crate) fn is_deadline(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none()
}

/// Whether the kernel gave up a connection that stood, because probes or data went unanswered.
pub(crate) fn is_dead(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(ETIMEDOUT | EHOSTUNREACH | ENETUNREACH))
}

/// The same of a connection that is seen to be gone, whose error nobody has met yet.
pub(crate) fn died<S: Sys>(stream: &Stream<S>) -> bool {
    stream.take_error().is_some_and(|error| is_dead(&error))
}

/// `detail` where the peer is not dead.
pub(crate) fn detail(error: &io::Error, detail: &'static str) -> &'static str {
    if is_dead(error) { PEER_DEAD } else { detail }
}

/// The detail of failures by a peer that vanished.
pub(crate) const PEER_DEAD: &str = "peer_dead";

// `man 3 errno`. Where a router or the neighbour table said that the peer cannot be reached, the kernel ends the
// connection with that instead of ETIMEDOUT.
const ENETUNREACH: i32 = 101;
const ETIMEDOUT: i32 = 110;
const EHOSTUNREACH: i32 = 113;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_timeout_is_not_a_deadline() {
        let deadline = io::Error::from(io::ErrorKind::TimedOut);
        assert!(is_deadline(&deadline) && !is_dead(&deadline));
        for number in [ENETUNREACH, ETIMEDOUT, EHOSTUNREACH] {
            let dead = io::Error::from_raw_os_error(number);
            assert!(is_dead(&dead) && !is_deadline(&dead), "{dead}");
        }
        let reset = io::Error::from_raw_os_error(104);
        assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(detail(&reset, "reset"), "reset");
    }
}
