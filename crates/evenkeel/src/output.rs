//! Output to the terminal.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// Prints to standard output. A closed pipe (`| head`) is not an error.
pub(crate) fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// Prints to standard output; false if it is closed.
pub(crate) fn is_read(text: &str) -> bool {
    io::stdout().write_all(text.as_bytes()).is_ok()
}

/// Prints to standard error, in its place among the lines of the operators' log.
pub(crate) fn tell(text: &str) {
    observe::tell(text);
}

/// Prints the answer of a command that succeeded.
pub(crate) fn done(text: &str) -> ExitCode {
    say(text);
    ExitCode::SUCCESS
}

/// Prints why a command failed.
pub(crate) fn failed(why: &str) -> ExitCode {
    tell(&format!("error: {why}\n"));
    ExitCode::FAILURE
}

pub(crate) fn stdout_colors() -> bool {
    io::stdout().is_terminal() && may_color()
}

pub(crate) fn stderr_colors() -> bool {
    io::stderr().is_terminal() && may_color()
}

/// See no-color.org.
fn may_color() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints the answer of a command that found something wrong.
pub(crate) fn failed_with(answer: &str) -> ExitCode {
    say(answer);
    ExitCode::FAILURE
}
