//! What an error of the server or its connection means for a command.

use ::redis::{ErrorKind, RedisError};

use crate::StoreError;

/// Why a command has failed.
pub(super) struct Failed(pub(super) RedisError);

impl From<RedisError> for Failed {
    fn from(error: RedisError) -> Self {
        Self(error)
    }
}

/// What an error means, and whether its connection is of no more use.
pub(super) fn meaning(error: &RedisError) -> (StoreError, bool) {
    let text = error.to_string();
    if error.is_timeout() {
        return (StoreError::Late, true);
    }
    if error.is_io_error() || error.is_unrecoverable_error() {
        return (StoreError::Away(text), true);
    }
    // Servers before 7.0 put the word into the text if a script meets the error. A pipeline has it in quotes.
    let is = |word: &str| {
        error.code() == Some(word)
            || text.contains(&format!(": {word} "))
            || text.contains(&format!("-{word} "))
            || text.contains(&format!("error: \"{word}\""))
    };
    if LOGIN.into_iter().any(is) {
        // A connection that is not logged in stays so.
        return (StoreError::Login(text), true);
    }
    if is("READONLY") {
        // After a failover, the name may lead to the new master.
        return (StoreError::Denied(text), true);
    }
    // Within a script, a missing right has no word of its own.
    let no_right = text.contains("can't run this command");
    if is("OOM") {
        return (StoreError::Full(text), false);
    }
    if no_right || ["MISCONF", "NOPERM", "NOREPLICAS"].into_iter().any(is) {
        return (StoreError::Denied(text), false);
    }
    if ["LOADING", "MASTERDOWN", "CLUSTERDOWN", "BUSY", "UNBLOCKED"].into_iter().any(is) {
        return (StoreError::Away(text), false);
    }
    (StoreError::Garbage(text), true)
}

/// What an error of a connect means: whatever a server, or a sentinel, says before it lets us in.
pub(super) fn refusal(error: &RedisError) -> StoreError {
    match error.kind() {
        _ if error.is_timeout() => StoreError::Late,
        ErrorKind::AuthenticationFailed => StoreError::Login(error.to_string()),
        _ if LOGIN.into_iter().any(|word| error.to_string().contains(word)) => {
            StoreError::Login(error.to_string())
        }
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => StoreError::Garbage(error.to_string()),
        _ => StoreError::Away(error.to_string()),
    }
}

/// The words with which a server wants a login, or refuses ours.
const LOGIN: [&str; 2] = ["NOAUTH", "WRONGPASS"];
