//! How far an exchange has come on each side, as states instead of flags.

/// The response to the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ResponseState {
    /// Nothing has gone but whole interim responses: any reply can be made.
    #[default]
    Unsent,
    /// An interim response has gone in part: another reply would stand within its fields.
    InInterim,
    /// The head of the final response has begun to go: no other reply can be made.
    Begun,
    /// The 101 has gone, and bytes move both ways.
    Tunnel,
    /// Broken off: the client's connection closes so that it cannot take the part for the whole.
    Cut,
}

impl ResponseState {
    /// Whether a reply of ours can still be made.
    pub(super) fn takes_reply(self) -> bool {
        self == Self::Unsent
    }

    /// Whether the head of a final response has begun to go.
    pub(super) fn is_answered(self) -> bool {
        matches!(self, Self::Begun | Self::Tunnel | Self::Cut)
    }
}

/// The body of the request, as far as it was taken from the client's connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RequestBody {
    #[default]
    Untouched,
    /// A part was taken.
    Begun,
    /// All of it was taken. Only then do the bytes that follow begin the next request.
    Taken,
}

impl RequestBody {
    /// What a reader that has taken data leaves.
    pub(super) fn of(is_complete: bool) -> Self {
        if is_complete { Self::Taken } else { Self::Begun }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_made_only_while_nothing_of_a_response_has_gone() {
        for (state, takes_reply, is_answered) in [
            (ResponseState::Unsent, true, false),
            (ResponseState::InInterim, false, false),
            (ResponseState::Begun, false, true),
            (ResponseState::Tunnel, false, true),
            (ResponseState::Cut, false, true),
        ] {
            assert_eq!((state.takes_reply(), state.is_answered()), (takes_reply, is_answered), "{state:?}");
        }
        assert_eq!(ResponseState::default(), ResponseState::Unsent);
    }

    #[test]
    fn a_body_is_taken_once_it_is_complete() {
        assert_eq!(RequestBody::of(true), RequestBody::Taken);
        assert_eq!(RequestBody::of(false), RequestBody::Begun);
        assert_eq!(RequestBody::default(), RequestBody::Untouched);
    }
}
