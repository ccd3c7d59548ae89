//! How far an exchange with a target has come: the state that its two sides share.
//!
//! One side takes the request's body from the client, the other reads the target's response; both run at once. Every
//! change of stage goes through [`Stage::after`], and with it the target's read deadline is set.

use std::cell::Cell;
use std::time::Duration;

use model::{MinRate, TargetTimeouts};
use net::Sys;

use crate::relay::{End, Pace};

/// Where an exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The client waits for the target's 100 (Continue) before it sends the body.
    Awaiting,
    /// The body goes to the target, or it is the client's turn to send it.
    Uploading,
    /// The target takes no more of the body. It may have answered already.
    Refused,
    /// All of the body was read from the client and written to the target.
    Uploaded,
    /// The client has gone, and the target has a short time to complete its response.
    Abandoned,
}

/// What happens on the client's side, or is passed on to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The client sends its body without waiting for the 100 any longer.
    ClientSends,
    /// The client got the target's 100 (Continue).
    ClientIsToSend,
    UploadEnds,
    /// A write to the target failed.
    UploadRefused,
    /// `has_patience`: the target is given the time to complete its response.
    ClientGone {
        has_patience: bool,
    },
}

impl Stage {
    pub(super) fn at_first(is_whole: bool, awaits_continue: bool) -> Self {
        match (is_whole, awaits_continue) {
            (true, _) => Self::Uploaded,
            (false, true) => Self::Awaiting,
            (false, false) => Self::Uploading,
        }
    }

    /// The next stage; `None`: the exchange ends.
    pub(super) fn after(self, event: Event) -> Option<Self> {
        match (self, event) {
            (Self::Uploaded, Event::ClientGone { has_patience: true }) => Some(Self::Abandoned),
            (_, Event::ClientGone { .. }) => None,
            (Self::Awaiting, Event::ClientSends | Event::ClientIsToSend) => Some(Self::Uploading),
            (Self::Uploading, Event::UploadEnds) => Some(Self::Uploaded),
            (Self::Uploading, Event::UploadRefused) => Some(Self::Refused),
            (stage, _) => Some(stage),
        }
    }

    /// Whether it is the target's turn to send: then the time until its response is limited.
    fn awaits_target(self) -> bool {
        match self {
            Self::Awaiting | Self::Refused | Self::Uploaded => true,
            Self::Uploading | Self::Abandoned => false,
        }
    }
}

/// The stage of an exchange, shared by its two sides.
#[derive(Debug)]
pub(super) struct Progress {
    stage: Cell<Stage>,
    timeouts: TargetTimeouts,
    /// Of the client that sends the body.
    pub(super) pace: Pace,
}

impl Progress {
    pub(super) fn new(stage: Stage, timeouts: TargetTimeouts, min_rate: Option<MinRate>) -> Self {
        Self { stage: Cell::new(stage), timeouts, pace: Pace::new(min_rate) }
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// All of the request has been written to the target.
    pub(super) fn is_uploaded(&self) -> bool {
        matches!(self.stage.get(), Stage::Uploaded | Stage::Abandoned)
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.stage.get() == Stage::Abandoned
    }

    /// Goes to the next stage and sets the target's read deadline; `false`: the exchange ends.
    pub(super) fn on<S: Sys>(&self, event: Event, target: End<'_, S>) -> bool {
        let Some(next) = self.stage.get().after(event) else { return false };
        if self.stage.replace(next) != next {
            self.set_deadline(target);
        }
        true
    }

    /// Limits the time until the target's next head.
    pub(super) fn set_deadline<S: Sys>(&self, target: End<'_, S>) {
        match self.stage.get() {
            Stage::Abandoned => target.limit_reads(PATIENCE),
            stage if stage.awaits_target() => target.read_within(self.timeouts.response),
            _ => target.read_without_timeout(),
        }
    }
}

// limit: for the response to a request whose client has gone.
const PATIENCE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_its_answer_in_every_stage() {
        use Event::{ClientGone, ClientIsToSend, ClientSends, UploadEnds, UploadRefused};
        use Stage::{Abandoned, Awaiting, Refused, Uploaded, Uploading};
        let (leaves, stays) = (ClientGone { has_patience: false }, ClientGone { has_patience: true });
        let events = [ClientSends, ClientIsToSend, UploadEnds, UploadRefused, leaves, stays];
        let on = |stage| [Some(stage); 4];
        for (stage, [sends, is_to, ends, refused], gone) in [
            (Awaiting, [Some(Uploading), Some(Uploading), Some(Awaiting), Some(Awaiting)], [None, None]),
            (Uploading, [Some(Uploading), Some(Uploading), Some(Uploaded), Some(Refused)], [None, None]),
            (Refused, on(Refused), [None, None]),
            (Uploaded, on(Uploaded), [None, Some(Abandoned)]),
            (Abandoned, on(Abandoned), [None, None]),
        ] {
            let expected = [sends, is_to, ends, refused, gone[0], gone[1]];
            assert_eq!(events.map(|event| stage.after(event)), expected, "{stage:?}");
        }
    }

    #[test]
    fn an_exchange_begins_with_what_is_left_of_the_body() {
        assert_eq!(Stage::at_first(true, true), Stage::Uploaded);
        assert_eq!(Stage::at_first(true, false), Stage::Uploaded);
        assert_eq!(Stage::at_first(false, true), Stage::Awaiting);
        assert_eq!(Stage::at_first(false, false), Stage::Uploading);
    }

    #[test]
    fn the_time_for_a_response_runs_when_it_is_the_targets_turn() {
        let waits = [Stage::Awaiting, Stage::Refused, Stage::Uploaded];
        assert!(waits.iter().all(|stage| stage.awaits_target()));
        assert!(!Stage::Uploading.awaits_target(), "a slow upload is not the target's doing");
    }
}
