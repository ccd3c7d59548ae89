//! What an I/O error means, by where it happened.

use std::io::ErrorKind;

use model::Failure;

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
pub(super) fn on_send_to_target(error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::TimedOut => Failure::TargetSendTimeout,
        ErrorKind::OutOfMemory => Failure::LocalResources,
        _ => Failure::TargetClosedBeforeResponse,
    }
}

/// While a client's response is being sent.
pub(super) fn on_send_to_client(error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::TimedOut => Failure::ClientSendTimeout,
        ErrorKind::OutOfMemory => Failure::LocalResources,
        _ => Failure::ClientAborted,
    }
}

fn is_out_of_descriptors(error: &std::io::Error) -> bool {
    // EMFILE and ENFILE (`man 2 socket`) have no kind of their own.
    matches!(error.raw_os_error(), Some(23 | 24))
}
