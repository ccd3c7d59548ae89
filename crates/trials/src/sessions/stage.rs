//! What all cases share.

use xtask::Outcome;

use super::app::{App, Software};
use super::front::{Keys, Program};
use super::stores::StoreKind;
use crate::script::Results;

/// The load balancer, the shops, and the results so far.
pub(crate) struct Stage {
    pub(crate) program: Program,
    pub(crate) software: Software,
    pub(crate) apps: Vec<App>,
    /// The shops of case `two`.
    pub(crate) of_stores: Vec<App>,
    pub(crate) stores: Vec<StoreKind>,
    pub(crate) users: usize,
    pub(crate) keys: Keys,
    pub(crate) results: Results,
}

impl Stage {
    /// Runs one case and prints its line: what it saw, or why it failed.
    pub(crate) fn case(&self, suite: &str, name: &str, run: impl FnOnce() -> Outcome<String>) {
        let (result, text) = match run() {
            Ok(text) => ("ok", text),
            Err(text) => ("FAIL", text),
        };
        self.results.line(suite, &format!("{result} {name}: {text}"));
    }
}
