//! The lower bound of `cargo xtask bench`: the cost of a proxy that only makes its socket calls.
//!
//! `bench-floor --listen IP:PORT --target IP:PORT` opens a target connection for each client connection and
//! copies all bytes: two reads and two writes per keep-alive request, no parsing, no timers, no limits. It is
//! no lower bound for short connections, since it opens a target connection for each.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod relay;

use std::net::SocketAddr;
use std::process::ExitCode;

use relay::Relay;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((listen, target)) = parse(&arguments) else {
        eprintln!("usage: bench-floor --listen IP:PORT --target IP:PORT");
        return ExitCode::from(2);
    };
    match Relay::bind(listen, target).and_then(|mut relay| {
        println!("listening on {}", relay.address()?);
        relay.run()
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-floor: {listen}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Option<(SocketAddr, SocketAddr)> {
    match arguments {
        [listen, address, target, to] if listen == "--listen" && target == "--target" => {
            Some((address.parse().ok()?, to.parse().ok()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_two_addresses() {
        for (arguments, accepted) in [
            (vec!["--listen", "127.0.0.1:0", "--target", "127.0.0.1:1"], true),
            (vec!["--listen", "127.0.0.1:0"], false),
            (vec!["--listen", "127.0.0.1:0", "--target", "here"], false),
        ] {
            let arguments: Vec<String> = arguments.into_iter().map(String::from).collect();
            assert_eq!(parse(&arguments).is_some(), accepted, "{arguments:?}");
        }
    }
}
