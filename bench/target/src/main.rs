//! The target of `cargo xtask bench`: one thread, one edge-triggered epoll, four fixed responses.
//!
//! `bench-target --listen IP:PORT` serves `/small`, `/10k`, `/text` and `/1m` over HTTP/1.1 with keep-alive and
//! pipelining, and closes if the request asks for it. It must cost as little as possible beside the proxy under
//! test and is not a full HTTP server: it searches for the empty line, trusts the request line and expects no
//! body.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod responses;
mod server;

use std::net::SocketAddr;
use std::process::ExitCode;

use server::Server;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(listen) = parse(&arguments) else {
        eprintln!("usage: bench-target --listen IP:PORT");
        return ExitCode::from(2);
    };
    match Server::bind(listen).and_then(|mut server| {
        println!("listening on {}", server.address()?);
        server.run()
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-target: {listen}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Option<SocketAddr> {
    match arguments {
        [flag, address] if flag == "--listen" => address.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_an_address_and_nothing_else() {
        for (arguments, accepted) in [
            (vec!["--listen", "127.0.0.1:0"], true),
            (vec!["--listen", "localhost"], false),
            (vec!["--listen"], false),
            (vec!["--listen", "127.0.0.1:0", "--more"], false),
            (vec![], false),
        ] {
            let arguments: Vec<String> = arguments.into_iter().map(String::from).collect();
            assert_eq!(parse(&arguments).is_some(), accepted, "{arguments:?}");
        }
    }
}
