//! What an error of `accept` asks for (`man 2 accept`).

use std::io;

/// What to do about an error of `accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// The error is of one connection, or of no account: accept the next one.
    GoOn,
    /// Descriptors or memory have run out: close something that is idle, and try again.
    Free,
    /// Nothing helps at the moment: try again after a pause.
    Rest,
}

/// The errors since the last accepted connection.
#[derive(Debug, Default)]
pub(super) struct Failures {
    in_a_row: u32,
    is_told: bool,
}

impl Failures {
    /// Reacts to an error. Without a connection in between, errors that ask for no pause have one all the same: accept
    /// must not spin.
    pub(super) fn react(&mut self, error: &io::Error) -> Reaction {
        let before = self.in_a_row;
        self.in_a_row = self.in_a_row.saturating_add(1);
        match error.raw_os_error() {
            Some(number) if PASSING.contains(&number) && before < GO_ON_MAX => Reaction::GoOn,
            Some(number) if SHORTAGES.contains(&number) && before < FREE_MAX => Reaction::Free,
            _ => Reaction::Rest,
        }
    }

    /// True once, until the next connection is accepted: the operator is to be told.
    pub(super) fn is_news(&mut self) -> bool {
        !std::mem::replace(&mut self.is_told, true)
    }

    /// A connection was accepted.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }
}

/// Of one connection that ended in the accept queue or that a firewall forbids, network errors that Linux passes on, and
/// an interruption.
const PASSING: [i32; 14] = [
    1,   // EPERM
    4,   // EINTR
    64,  // ENONET
    71,  // EPROTO
    92,  // ENOPROTOOPT
    95,  // EOPNOTSUPP
    100, // ENETDOWN
    101, // ENETUNREACH
    103, // ECONNABORTED
    104, // ECONNRESET
    110, // ETIMEDOUT
    111, // ECONNREFUSED
    112, // EHOSTDOWN
    113, // EHOSTUNREACH
];
/// Of descriptors or memory.
const SHORTAGES: [i32; 4] = [
    12,  // ENOMEM
    23,  // ENFILE
    24,  // EMFILE
    105, // ENOBUFS
];
// limit: errors in a row without a pause.
const GO_ON_MAX: u32 = 64;
// limit: connections that are closed in a row for an accept that fails all the same, between two pauses.
const FREE_MAX: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn react(failures: &mut Failures, number: i32) -> Reaction {
        failures.react(&io::Error::from_raw_os_error(number))
    }

    #[test]
    fn each_error_has_its_reaction() {
        let first = |number| react(&mut Failures::default(), number);
        for (name, number, reaction) in [
            ("EPERM", 1, Reaction::GoOn),
            ("EINTR", 4, Reaction::GoOn),
            ("EBADF", 9, Reaction::Rest),
            ("ENOMEM", 12, Reaction::Free),
            ("EFAULT", 14, Reaction::Rest),
            ("EINVAL", 22, Reaction::Rest),
            ("ENFILE", 23, Reaction::Free),
            ("EMFILE", 24, Reaction::Free),
            ("ENOSPC", 28, Reaction::Rest),
            ("ENONET", 64, Reaction::GoOn),
            ("EPROTO", 71, Reaction::GoOn),
            ("ENOTSOCK", 88, Reaction::Rest),
            ("ENOPROTOOPT", 92, Reaction::GoOn),
            ("EOPNOTSUPP", 95, Reaction::GoOn),
            ("ENETDOWN", 100, Reaction::GoOn),
            ("ENETUNREACH", 101, Reaction::GoOn),
            ("ECONNABORTED", 103, Reaction::GoOn),
            ("ECONNRESET", 104, Reaction::GoOn),
            ("ENOBUFS", 105, Reaction::Free),
            ("ETIMEDOUT", 110, Reaction::GoOn),
            ("ECONNREFUSED", 111, Reaction::GoOn),
            ("EHOSTDOWN", 112, Reaction::GoOn),
            ("EHOSTUNREACH", 113, Reaction::GoOn),
        ] {
            assert_eq!(first(number), reaction, "{name}");
        }
    }

    #[test]
    fn errors_in_a_row_end_in_a_pause() {
        for (number, before_a_pause) in [(103, GO_ON_MAX), (24, FREE_MAX), (9, 0)] {
            let mut failures = Failures::default();
            for round in 0..2 {
                let reactions = (0..200).map(|_| react(&mut failures, number));
                let without = reactions.take_while(|&reaction| reaction != Reaction::Rest).count();
                assert_eq!(without, before_a_pause as usize, "round {round} of error {number}");
                failures.end();
            }
        }
    }

    #[test]
    fn a_row_of_errors_is_told_once() {
        let mut failures = Failures::default();
        assert_eq!([(); 3].map(|()| failures.is_news()), [true, false, false]);
        failures.end();
        assert!(failures.is_news());
    }
}
