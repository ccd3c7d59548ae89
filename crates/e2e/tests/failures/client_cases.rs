//! Failures caused by clients, and by the balancer itself.

use model::Failure;
use testkit::{Config, Target};

use crate::case::Case;

const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\n";

pub(crate) fn case(failure: Failure) -> Option<Case> {
    Some(match failure {
        Failure::RequestMalformed => Case::sends("GET / HTTP/1.1\nHost: a\n\n"),
        Failure::RequestHost => Case::sends("GET / HTTP/1.1\r\n\r\n"),
        Failure::RequestFraming => {
            Case::sends(format!("{POST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"))
        }
        Failure::RequestPath => Case::sends("GET /../x HTTP/1.1\r\nHost: a\r\n\r\n"),
        Failure::RequestLineTooLong => Case::sends(format!("GET /{}", "x".repeat(17_000))),
        Failure::RequestFieldsTooLarge => {
            Case::sends(format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {}", "x".repeat(17_000)))
        }
        Failure::RequestVersion => Case::sends("GET / HTTP/2.0\r\n\r\n"),
        Failure::RequestTransferCoding => {
            Case::sends(format!("{POST}Transfer-Encoding: gzip, chunked\r\n\r\n"))
        }
        Failure::RequestMethod => Case::sends("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"),
        Failure::RequestExpectation => Case::sends(format!("{POST}Expect: miracles\r\n\r\n")),
        Failure::RequestHeadTimeout => Case::sends("GET / HT"),
        Failure::AccessDenied => Case::sends("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .with(|config| config.listener("access = { deny = [\"127.0.0.0/8\"] }")),
        Failure::RequestBodyTooLarge => Case::sends(format!("{POST}Content-Length: 5\r\n\r\n"))
            .with(|config| config.listener("limits = { body = \"4B\" }")),
        Failure::RequestBodyMalformed => {
            Case::sends(format!("{POST}Transfer-Encoding: chunked\r\n\r\nx\r\n"))
        }
        Failure::RequestBodyTimeout => Case::sends(format!("{POST}Content-Length: 5\r\n\r\nabc")),
        Failure::ClientAborted => Case::new(silent(), |_, mut client| {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            client.reset();
            None
        }),
        Failure::ClientSendTimeout => Case::new(endless(), |balancer, mut client| {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            client.head().unwrap();
            balancer.log_line("reason", "client_send_timeout");
            None
        }),
        Failure::NoRule => Case::sends("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .with(|config| config.without_forward().rule("path = \"/x\"\nforward = \"app\"")),
        Failure::RequestLoop => Case::sends("GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 x, 1.1 Edge\r\n\r\n")
            .with(|config| config.listener("via = \"edge\"")),
        Failure::NoTarget => {
            let mut case = Case::sends("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            case.config = Config::weighted(&[(&case.target, 0)]);
            case
        }
        Failure::Stopped => Case::new(silent(), |balancer, mut client| {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            testkit::wait_until("the request is in flight", || balancer.targets()[0]["in_flight"] == 1);
            balancer.signal(testkit::Signal::TERM);
            assert!(client.is_closed());
            None
        })
        .with(|config| config.top("stop_timeout = \"100ms\"")),
        _ => return None,
    })
}

/// Sends no response.
fn silent() -> Target {
    Target::script(|mut connection| {
        connection.head()?;
        connection.stall()
    })
}

/// Sends an endless response.
fn endless() -> Target {
    Target::script(|mut connection| {
        connection.head()?;
        connection.send("HTTP/1.1 200 OK\r\n\r\n")?;
        loop {
            connection.send([b'x'; 65_536])?;
        }
    })
}
