//! The record of an exchange: what is counted and logged when it ends.

use std::net::SocketAddr;

use model::{ContentCoding, Failure};
use observe::{MadeBy, PhaseTimes};

use crate::failed::Failed;

/// What is recorded beside the facts of the request and the bytes of the meter.
#[derive(Debug)]
pub(super) struct Record {
    /// What the client got, or would have got; 0: there was no request.
    pub(super) status: u16,
    pub(super) made_by: MadeBy,
    pub(super) failure: Option<Failure>,
    pub(super) detail: &'static str,
    /// What the response was compressed with.
    pub(super) coding: Option<ContentCoding>,
    /// Nanoseconds of the worker's clock.
    pub(super) started: u64,
    pub(super) phases: PhaseTimes,
    pub(super) is_written: bool,
}

/// Where a request went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Route {
    /// The index of the rule in the listener's plan.
    pub(super) rule: Option<usize>,
    /// The index of the target group in the plan's groups.
    pub(super) group: Option<usize>,
    /// The target of the last attempt.
    pub(super) target: Option<SocketAddr>,
    pub(super) attempts: u32,
    /// The last attempt reused an idle connection.
    pub(super) is_reused: bool,
    /// The last attempt went to a target that speaks HTTP/2.
    pub(super) is_http2: bool,
}

impl Record {
    pub(super) fn begin(started: u64) -> Self {
        Self {
            status: 0,
            made_by: MadeBy::Evenkeel,
            failure: None,
            detail: "",
            coding: None,
            started,
            phases: PhaseTimes::default(),
            is_written: false,
        }
    }

    pub(super) fn fail(&mut self, failed: Failed) {
        (self.failure, self.detail) = (Some(failed.failure), failed.detail);
    }

    /// The response is the target's.
    pub(super) fn answered(&mut self, status: u16) {
        (self.status, self.made_by) = (status, MadeBy::Target);
    }
}
