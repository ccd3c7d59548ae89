//! Connects that succeeded or failed: counted, kept in mind for the next choices, and told in the operators' log.

use model::Failure;
use net::Sys;
use observe::{Event, Fields};

use super::pool::LocalTarget;
use crate::failed::Failed;
use crate::live::TargetLive;

/// A connect succeeded, which took so long.
pub(crate) fn note_connected<S: Sys>(target: &LocalTarget<S>, micros: u64) {
    if target.live.connect_succeeded() {
        target_is_back(&target.live);
    }
    target.cells().connect.record(micros);
}

/// Lets others pass a target over after a failed connect that began then, unless the reason lies with us.
pub(crate) fn note_not_connected(target: &TargetLive, began_millis: u64, now_millis: u64, failed: Failed) {
    if failed.failure != Failure::LocalResources && target.connect_failed(began_millis, now_millis) {
        attempt_failed(target, Event::TargetDown, failed);
    }
}

/// Tells of an attempt that failed; `event` says what that means.
#[cold]
pub(crate) fn attempt_failed(target: &TargetLive, event: Event, failed: Failed) {
    let key = target.key();
    let fields: Fields<'_> = &[("group", &key.group), ("target", &key.address), ("detail", &failed.detail)];
    observe::failure_event(event, failed.failure, fields);
}

#[cold]
fn target_is_back(target: &TargetLive) {
    let key = target.key();
    observe::event(Event::TargetBack, &[("group", &key.group), ("target", &key.address)]);
}
