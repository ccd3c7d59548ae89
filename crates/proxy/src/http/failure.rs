//! What an I/O error means, by where it happened.

use std::io::ErrorKind;

use crate::stream::Stream;
use model::Failure;
use net::Sys;

use super::Failed;
use crate::io_error;

/// While connecting: nothing was sent.
pub(super) fn on_connect(error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::TimedOut => Failure::TargetConnectTimeout,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            Failure::TargetUnreachable
        }
        ErrorKind::AddrNotAvailable | ErrorKind::OutOfMemory => Failure::LocalResources,
        _ if is_out_of_descriptors(error) => Failure::LocalResources,
        _ => Failure::TargetRefused,
    }
}

/// While the request is being sent.
pub(super) fn on_send_to_target(error: &std::io::Error) -> Failed {
    match error.kind() {
        _ if io_error::is_deadline(error) => Failure::TargetSendTimeout.into(),
        ErrorKind::OutOfMemory => Failure::LocalResources.into(),
        _ => Failed { failure: Failure::TargetClosedBeforeResponse, detail: io_error::detail(error, "") },
    }
}

/// While a client's response is being sent.
pub(super) fn on_send_to_client(error: &std::io::Error) -> Failed {
    match error.kind() {
        _ if io_error::is_deadline(error) => Failure::ClientSendTimeout.into(),
        ErrorKind::OutOfMemory => Failure::LocalResources.into(),
        _ => client_aborted(error),
    }
}

pub(super) fn client_aborted(error: &std::io::Error) -> Failed {
    Failed { failure: Failure::ClientAborted, detail: io_error::detail(error, "") }
}

/// The client's connection is gone while something else was waited for.
pub(super) fn client_gone<S: Sys>(stream: &Stream<S>) -> Failed {
    let detail = if io_error::died(stream) { io_error::PEER_DEAD } else { "" };
    Failed { failure: Failure::ClientAborted, detail }
}

/// In a tunnel.
pub(super) fn in_tunnel(error: &std::io::Error) -> Failed {
    match error.kind() {
        _ if io_error::is_dead(error) => Failure::PeerDead.into(),
        _ if io_error::is_deadline(error) => Failure::TunnelIdle.into(),
        ErrorKind::OutOfMemory => Failed { failure: Failure::TunnelBroken, detail: "no buffer" },
        _ => Failed { failure: Failure::TunnelBroken, detail: "reset" },
    }
}

fn is_out_of_descriptors(error: &std::io::Error) -> bool {
    // EMFILE and ENFILE (`man 2 socket`) have no kind of their own.
    matches!(error.raw_os_error(), Some(23 | 24))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_peer_that_the_kernel_gave_up_is_not_an_idle_one() {
        for (error, failure) in [
            (io::Error::from_raw_os_error(110), Failure::PeerDead),
            (io::Error::from_raw_os_error(113), Failure::PeerDead),
            (io::ErrorKind::TimedOut.into(), Failure::TunnelIdle),
            (io::Error::from_raw_os_error(104), Failure::TunnelBroken),
            (io::Error::from_raw_os_error(32), Failure::TunnelBroken),
            (io::ErrorKind::OutOfMemory.into(), Failure::TunnelBroken),
        ] {
            assert_eq!(in_tunnel(&error).failure, failure, "{error}");
        }
    }
}
