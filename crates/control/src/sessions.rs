//! Sessions for operators (SP11): listed, looked up, deleted and moved.
//!
//! Tables are walked in slices, so no request waits for longer than one of them, and no more than one is in memory.

mod change;
mod directory;
mod list;
mod show;
mod view;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use balance::session::Row;
use proxy::Link;
use store::session::{Answer, SessionName};
use tokio::sync::oneshot;
use tokio::time::timeout;

pub(crate) use directory::Directory;
pub(crate) use list::Listing;
pub use view::{ChangeView, FilterView, FindingView, MoreView, QuestionView, SessionView, ShowView};

/// Why a question about sessions has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// Something that was named does not exist.
    Unknown(String),
    /// The question makes no sense.
    Invalid(String),
    /// What is asked for cannot be done; says what can.
    Impossible(String),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unknown(text) | Self::Invalid(text) | Self::Impossible(text)) = self;
        f.write_str(text)
    }
}

impl Unanswered {
    /// With the name that was most likely meant.
    fn unknown<'c>(noun: &str, name: &str, known: impl IntoIterator<Item = &'c str>) -> Self {
        let near =
            config::nearest(name, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        Self::Unknown(format!("there is no {noun} `{name}`{near}"))
    }
}

/// The answer of a shared store, or why there is none.
async fn answered(answer: oneshot::Receiver<Answer>) -> Result<Option<u64>, &'static str> {
    match timeout(STORE_PATIENCE, answer).await {
        Ok(Ok(Answer::Here { target, .. })) => Ok(Some(target)),
        Ok(Ok(Answer::Absent)) => Ok(None),
        Ok(Ok(Answer::Failed(reason))) => Err(reason),
        Ok(Err(_)) => Err("stopped"),
        Err(_) => Err("timeout"),
    }
}

async fn find(link: &Link, name: SessionName) -> Result<Option<u64>, &'static str> {
    answered(link.client.find(name)).await
}

/// How long the session lives if it is not used.
fn remaining_millis(row: &Row, now_millis: u64) -> u64 {
    match row.open {
        0 => row.timeout_ms.saturating_sub(now_millis.saturating_sub(row.last)),
        _ => row.timeout_ms,
    }
}

/// How long an operator waits for a store; longer than a request does.
const STORE_PATIENCE: Duration = Duration::from_secs(2);
/// limit: places of a shard that one lock covers.
const SLICE: u32 = 256;
