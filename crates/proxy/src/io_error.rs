//! What I/O errors say about the peer (KA9).

use std::io;

/// Whether a deadline of ours ended the wait. The kernel's ETIMEDOUT has the same kind, but means that the peer is dead.
pub(crate) fn is_deadline(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none()
}

/// Whether the kernel gave up an established connection because probes or data were not acknowledged.
pub(crate) fn is_dead(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(ETIMEDOUT | EHOSTUNREACH | ENETUNREACH))
}

/// `detail`, unless the peer is dead.
pub(crate) fn detail(error: &io::Error, detail: &'static str) -> &'static str {
    if is_dead(error) { PEER_DEAD } else { detail }
}

/// The detail of failures by a peer that vanished.
pub(crate) const PEER_DEAD: &str = "peer_dead";

/// Whether the process or the machine has no descriptor left. EMFILE and ENFILE have no kind of their own.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(ENFILE | EMFILE))
}

// `man 3 errno`. If a router or the neighbour table reported that the peer cannot be reached, the kernel ends the
// connection with that error instead of ETIMEDOUT.
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
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
