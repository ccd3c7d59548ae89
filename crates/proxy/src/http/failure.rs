//! What errors mean, by where they happened.

use std::io::{self, ErrorKind};

use model::Failure;
use net::Sys;

use crate::failed::Failed;
use crate::io_error;
use crate::relay::{BodyFault, FlowError};
use crate::stream::Stream;

/// While the request is being sent.
pub(super) fn on_send_to_target(error: &io::Error) -> Failed {
    match error.kind() {
        _ if io_error::is_deadline(error) => Failure::TargetSendTimeout.into(),
        ErrorKind::OutOfMemory => Failure::LocalResources.into(),
        _ => Failed { failure: Failure::TargetClosedBeforeResponse, detail: io_error::detail(error, "") },
    }
}

/// While a response is being sent to the client.
pub(super) fn on_send_to_client(error: &io::Error) -> Failed {
    match error.kind() {
        _ if io_error::is_deadline(error) => Failure::ClientSendTimeout.into(),
        ErrorKind::OutOfMemory => Failure::LocalResources.into(),
        _ => client_aborted(error),
    }
}

pub(super) fn client_aborted(error: &io::Error) -> Failed {
    Failed { failure: Failure::ClientAborted, detail: io_error::detail(error, "") }
}

/// The client's connection was lost during another wait.
pub(super) fn client_gone<S: Sys>(stream: &Stream<S>) -> Failed {
    let detail = if stream.is_peer_dead() { io_error::PEER_DEAD } else { "" };
    Failed { failure: Failure::ClientAborted, detail }
}

/// In the body of a request.
pub(super) fn on_request_body(fault: BodyFault) -> Failed {
    match fault {
        BodyFault::Malformed(detail) => Failed { failure: Failure::RequestBodyMalformed, detail },
        BodyFault::TooLarge => Failed { failure: Failure::RequestBodyTooLarge, detail: "counted" },
        BodyFault::NoMemory => Failure::LocalResources.into(),
    }
}

/// The end of an upload before its time. `None`: the target takes no more of the body, but may have answered already.
pub(super) fn on_upload(error: FlowError) -> Option<Failed> {
    match error {
        FlowError::Read(error) => Some(match error.kind() {
            _ if io_error::is_deadline(&error) => Failure::RequestBodyTimeout.into(),
            ErrorKind::OutOfMemory => Failure::LocalResources.into(),
            _ => client_aborted(&error),
        }),
        FlowError::TooSlow => Some(Failed { failure: Failure::RequestBodyTimeout, detail: "min_rate" }),
        FlowError::Ended => Some(Failure::ClientAborted.into()),
        FlowError::Fault(fault) => Some(on_request_body(fault)),
        FlowError::Write(error) if io_error::is_deadline(&error) => Some(Failure::TargetSendTimeout.into()),
        FlowError::Write(_) => None,
    }
}

/// While a response's head is read; `is_first`: none of it had come.
pub(super) fn on_response_head(error: &io::Error, is_first: bool) -> Failed {
    match error.kind() {
        _ if io_error::is_deadline(error) => Failure::TargetResponseTimeout.into(),
        ErrorKind::FileTooLarge => Failure::TargetResponseFieldsTooLarge.into(),
        ErrorKind::OutOfMemory => Failure::LocalResources.into(),
        ErrorKind::InvalidData => {
            Failed { failure: Failure::TargetResponseMalformed, detail: "not what HTTP/2 allows" }
        }
        _ if is_first => {
            Failed { failure: Failure::TargetClosedBeforeResponse, detail: io_error::detail(error, "") }
        }
        _ => Failed {
            failure: Failure::TargetResponseMalformed,
            detail: io_error::detail(error, "reset within the head"),
        },
    }
}

/// In the body of a response.
pub(super) fn on_response_body(fault: BodyFault) -> Failed {
    match fault {
        BodyFault::Malformed(detail) => Failed { failure: Failure::TargetResponseBody, detail },
        BodyFault::TooLarge | BodyFault::NoMemory => Failure::LocalResources.into(),
    }
}

/// While a response's body is relayed.
pub(super) fn on_relay(error: FlowError) -> Failed {
    match error {
        FlowError::Read(error) => match error.kind() {
            _ if io_error::is_deadline(&error) => Failure::TargetStalled.into(),
            ErrorKind::OutOfMemory => Failure::LocalResources.into(),
            _ => Failed {
                failure: Failure::TargetResponseTruncated,
                detail: io_error::detail(&error, "reset"),
            },
        },
        FlowError::TooSlow => Failure::TargetStalled.into(),
        FlowError::Ended => Failed { failure: Failure::TargetResponseTruncated, detail: "closed" },
        FlowError::Fault(fault) => on_response_body(fault),
        FlowError::Write(error) => on_send_to_client(&error),
    }
}
