//! What sessions change in heads, and that nothing else does (SP4, SP7, SP8).

use balance::session::TargetId;
use model::SecretKeys;

use super::*;
use crate::fixture::listener;
use crate::persist::CookiePlan;
use crate::persist::seal::ROUTE_BYTES;

fn field(plan: &CookiePlan, is_rewritten: bool) -> SessionField<'_> {
    let (target, unix_seconds) = (TargetId(7), DATE_SECONDS);
    SessionField { plan, is_rewritten, target, nonce: 9, unix_seconds, is_tls: false }
}

fn plan() -> CookiePlan {
    CookiePlan::for_tests(&SecretKeys { current: [1; 32], previous: None }, "SID")
}

/// The lines that the client gets for this response of the target.
fn relayed(session: SessionField<'_>, response: &str) -> Vec<String> {
    let snapshot = listener("forward = 'app'");
    let mut client = Client::new(&snapshot, "GET / HTTP/1.1\nHost: a");
    client.session = Some(session);
    let response = Response::new(response);
    let mut out = Vec::new();
    client.compose(&FieldEdits::default(), |composer| {
        let (body, edits) = (ResponseBody::Length(0), &HeadEdits::default());
        composer.write_relayed(response.text(), Shape { body, writer: BodyWriter::Plain, edits }, &mut out);
    });
    lines(&out).lines().map(str::to_owned).collect()
}

#[test]
fn a_cookie_of_ours_is_one_line_more() {
    let plan = plan();
    let response =
        "HTTP/1.1 302 Found\nset-cookie:  a=1 ; x\nSet-Cookie: SID=theirs\nDate: x\nContent-Length: 0";
    let with = relayed(field(&plan, false), response);
    let ours: Vec<_> =
        with.iter().filter(|line| line.starts_with("Set-Cookie: SID=") && line.len() > 60).collect();
    assert_eq!(ours.len(), 1);
    let rest: Vec<_> = with.iter().filter(|line| !ours.contains(line)).collect();
    assert_eq!(
        rest[..5],
        [
            "HTTP/1.1 302 Found",
            "set-cookie:  a=1 ; x",
            "Set-Cookie: SID=theirs",
            "Date: x",
            "Content-Length: 0"
        ]
    );
}

#[test]
fn only_the_value_of_the_named_cookie_is_rewritten() {
    let plan = plan();
    let route = "~".to_owned() + &"R".repeat(ROUTE_BYTES);
    for (sent, expected) in [
        ("Set-Cookie: SID=abc; Path=/", "Set-Cookie: SID=abc{}; Path=/"),
        ("set-COOKIE: SID = \"a b\" ;HttpOnly", "set-COOKIE: SID = \"a b{}\" ;HttpOnly"),
        ("Set-Cookie: SID=; Max-Age=0", "Set-Cookie: SID=; Max-Age=0"),
        ("Set-Cookie: SIDX=abc", "Set-Cookie: SIDX=abc"),
        ("Set-Cookie: sid=abc", "Set-Cookie: sid=abc"),
        ("Set-Cookie: abc", "Set-Cookie: abc"),
        ("X-Set-Cookie: SID=abc", "X-Set-Cookie: SID=abc"),
    ] {
        let all =
            relayed(field(&plan, true), &format!("HTTP/1.1 200 OK\nA: 1\n{sent}\nB: 2\nContent-Length: 0"));
        let line = all[2].clone();
        let line = match line.find('~') {
            Some(at) => line.replace(&line[at..at + 1 + ROUTE_BYTES], &route),
            None => line,
        };
        assert_eq!(line, expected.replace("{}", &route), "{sent}");
        assert_eq!((all[1].as_str(), all[3].as_str()), ("A: 1", "B: 2"));
    }
}

#[test]
fn other_replies_carry_no_session() {
    let (snapshot, plan) = (listener("forward = 'app'"), plan());
    let mut client = Client::new(&snapshot, "GET / HTTP/1.1\nHost: a");
    client.session = Some(field(&plan, false));
    client.compose(&FieldEdits::default(), |composer| {
        let mut out = Vec::new();
        composer.write_failure(Failed::from(model::Failure::TargetRefused), &mut out);
        assert!(!String::from_utf8_lossy(&out).contains("Set-Cookie"));
        out.clear();
        let hints = Response::new("HTTP/1.1 103 Early Hints\nLink: x");
        composer.write_interim(hints.text(), &mut out);
        assert!(!String::from_utf8_lossy(&out).contains("Set-Cookie"));
        out.clear();
        let switch = Response::new("HTTP/1.1 101 Switching\nUpgrade: websocket\nConnection: upgrade");
        composer.write_switch(switch.text(), &mut out);
        assert!(
            String::from_utf8_lossy(&out).contains("Set-Cookie: SID="),
            "a WebSocket begins a session, too"
        );
    });
}

#[test]
fn a_target_does_not_get_what_is_ours() {
    let snapshot = listener("forward = 'app'");
    let route = "R".repeat(ROUTE_BYTES);
    for (edit, sent, expected) in [
        (CookieEdit::Remove("SID"), "Cookie: SID=x", ""),
        (CookieEdit::Remove("SID"), "cookie: a=1;  SID=x; b=2", "cookie: a=1; b=2\n"),
        (CookieEdit::Remove("SID"), "Cookie: SID=x\nCookie: a=1", "Cookie: a=1\n"),
        (CookieEdit::CutRoutes("SID"), &format!("Cookie: SID=x~{route}; a=1"), "Cookie: SID=x; a=1\n"),
        (CookieEdit::CutRoutes("SID"), "Cookie: SID=x~short; a=1", "Cookie: SID=x~short; a=1\n"),
        (CookieEdit::Nothing, "Cookie: SID=x", "Cookie: SID=x\n"),
    ] {
        let request = Request::new(&format!("GET / HTTP/1.1\nHost: a\nX: 1\n{sent}\nY: 2"));
        let head = lines(&forwarded_with(&snapshot, &arrival(CLIENT), &request, "127.0.0.1:9001", edit));
        assert!(
            head.starts_with(&format!("GET / HTTP/1.1\nHost: a\nX: 1\n{expected}Y: 2\n")),
            "{sent}: {head}"
        );
    }
}
