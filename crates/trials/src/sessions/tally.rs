//! What happened to users.

use std::fmt;
use std::time::Duration;

/// The sums of one user, or of a crowd.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) requests: u64,
    /// Sessions that were not what they had to be.
    pub(crate) losses: Vec<Loss>,
    /// Statuses of 500 and more that a load balancer made,
    pub(crate) failed_by_front: u64,
    /// and those that an application made.
    pub(crate) failed_by_app: u64,
    /// Connections that were refused or cut off.
    pub(crate) broken: u64,
    /// Good answers from another server than the one before.
    pub(crate) moves: u64,
    /// Users who gave up.
    pub(crate) given_up: u64,
    pub(crate) slowest: Duration,
}

/// What a user does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Login,
    Code,
    Answer,
    Add,
    List,
}

/// A lost session.
#[derive(Debug)]
pub(crate) struct Loss {
    pub(crate) user: String,
    /// The server that had answered last.
    pub(crate) home: Option<String>,
    pub(crate) step: Step,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.losses.extend(other.losses);
        self.failed_by_front += other.failed_by_front;
        self.failed_by_app += other.failed_by_app;
        self.broken += other.broken;
        self.moves += other.moves;
        self.given_up += other.given_up;
        self.slowest = self.slowest.max(other.slowest);
    }

    /// Everything that no user should see.
    pub(crate) fn errors(&self) -> u64 {
        self.losses.len() as u64 + self.failed_by_front + self.failed_by_app + self.broken
    }

    /// The first loss, as an example of the others.
    fn example(&self) -> String {
        self.losses.first().map_or_else(String::new, |Loss { user, home, step }| {
            format!(" (first: {user} at {step:?}, after {})", home.as_deref().unwrap_or("no server"))
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests, {} sessions lost{}, 5xx: {} by the balancer and {} by the app, {} broken, {} moves, {} gave up, slowest {} ms",
            self.requests,
            self.losses.len(),
            self.example(),
            self.failed_by_front,
            self.failed_by_app,
            self.broken,
            self.moves,
            self.given_up,
            self.slowest.as_millis()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_name_the_first_loss() {
        let loss = |user: &str| Loss { user: user.into(), home: Some("b".into()), step: Step::Add };
        let mut sum = Tally { requests: 2, losses: vec![loss("one")], ..Tally::default() };
        sum.add(Tally { requests: 3, losses: vec![loss("two")], failed_by_front: 1, ..Tally::default() });
        assert_eq!(sum.errors(), 3);
        assert!(
            sum.to_string().starts_with("5 requests, 2 sessions lost (first: one at Add, after b)"),
            "{sum}"
        );
    }
}
