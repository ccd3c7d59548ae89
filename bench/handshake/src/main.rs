//! The TLS client of `cargo xtask bench`, which also makes the certificates.
//!
//! - `storm`: handshakes without requests, as fast as possible; prints how many there were and how many
//!   resumed.
//! - `hold`: connections with one request each, which stay open until the process is killed.
//! - `probe`: succeeds if `GET /small` is answered with 200.
//! - `certificates`: chains of leaf and intermediate with their keys, ECDSA P-256, for `host-0.example.com` and
//!   so on.
//!
//! It accepts every certificate and always uses the same key exchange and cipher suite, so that all servers do
//! the same work.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]
#![allow(clippy::disallowed_methods, reason = "a load generator reads the clock and waits")]

mod arguments;
mod certificates;
mod client;
mod hold;
mod storm;

use std::io::Write;
use std::process::ExitCode;

use arguments::Command;

/// An error is a message for people.
type Outcome<T = ()> = Result<T, String>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(command) = arguments::parse(&words) else {
        eprintln!("{}", arguments::USAGE);
        return ExitCode::from(2);
    };
    match run(&command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-handshake: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Outcome {
    match command {
        Command::Storm(storm) => {
            println!("{}", storm::run(storm)?);
            Ok(())
        }
        Command::Hold { address, count } => {
            let connections = hold::open(*address, *count)?;
            println!("open {}", connections.len());
            std::io::stdout().flush().map_err(|error| error.to_string())?;
            loop {
                std::thread::park();
            }
        }
        Command::Probe { address } => hold::open(*address, 1).map(drop),
        Command::Certificates { directory, count } => certificates::write(directory, *count),
    }
}
