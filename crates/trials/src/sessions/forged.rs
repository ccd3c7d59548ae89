//! Forged, truncated, foreign and expired cookies: each is taken for absent (SP5).

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use balance::Rng;
use serde_json::Value;
use xtask::Outcome;

use super::app::{App, Handler};
use super::front::{Front, Keys, Plan};
use super::mechanism::{Mechanism, ROUTE};
use super::site::Site;
use super::stage::Stage;
use super::user::connect_from;
use crate::exchange::Reader;
use crate::seed::seed_or_clock;

pub(crate) fn run(stage: &Stage) {
    stage.case("forged cookies", "cookie insert", || forge(stage));
}

/// What was answered to cookies of one kind.
#[derive(Debug, Default)]
struct Answers {
    count: usize,
    /// By the target that the cookie names, or once named.
    steered: usize,
    /// With a new cookie.
    renewed: usize,
    failed: usize,
}

fn forge(stage: &Stage) -> Outcome<String> {
    let ttl = |targets| {
        let mut plan = Plan::new(Mechanism::None, targets);
        plan.group = format!(
            "persistence = {{ type = \"cookie\", name = \"{ROUTE}\", key_file = \"{}\", ttl = \"1s\" }}\n",
            stage.keys.path().display()
        );
        plan
    };
    let short = Site::start_with(stage, App::Little, &Handler::Local, 1, ttl)?;
    let site = Site::start(stage, App::Little, Mechanism::Insert, 1)?;
    let front = site.fronts[0].address;
    let foreign = stage.program.start(&site.plan, &Keys::new('b')?)?;
    let (old, old_home) = cookie(&short.fronts[0])?;
    let (valid, home) = cookie(&site.fronts[0])?;
    let (other, other_home) = cookie(&foreign)?;
    steers(front, &valid, &home)?;

    let seed = seed_or_clock(None);
    let mut random = Rng::new(seed);
    let each = COOKIES / KINDS;
    let mut lines = vec![format!("seed {seed}")];
    let mut check = |kind: &str, address, home: &str, make: &mut dyn FnMut(usize) -> String| {
        let cookies: Vec<_> = (0..each).map(make).collect();
        let answers = ask(address, &cookies, home).map_err(|error| format!("{kind}: {error}"))?;
        lines.push(answers.bar(kind, address == front)?);
        Ok::<_, String>(())
    };
    check("random", front, &home, &mut |_| noise(&mut random, valid.len()))?;
    check("flipped", front, &home, &mut |turn| flipped(&valid, turn))?;
    check("truncated", front, &home, &mut |turn| valid[..turn % valid.len()].to_owned())?;
    check("extended", front, &home, &mut |turn| format!("{valid}{}", "A".repeat(1 + turn % 4000)))?;
    check("foreign", front, &other_home, &mut |_| other.clone())?;
    std::thread::sleep(EXPIRED);
    check("expired and replayed", short.fronts[0].address, &old_home, &mut |_| old.clone())?;
    // Another name's, which the seal covers too.
    check("of another group", front, &old_home, &mut |turn| flipped(&old, turn))?;
    check("printable noise", front, &home, &mut |turn| printable(turn))?;
    Ok(lines.join("; "))
}

impl Answers {
    /// No cookie may choose its target: of three, each gets its third. Where a cookie is renewed only if it is absent,
    /// each must be.
    fn bar(&self, kind: &str, must_renew: bool) -> Outcome<String> {
        let text = format!("{kind}: {} of {} at its target", self.steered, self.count);
        let is_renewed = !must_renew || self.renewed == self.count;
        if self.failed == 0 && is_renewed && self.steered * 2 < self.count {
            return Ok(text);
        }
        Err(format!("{text}, {} renewed, {} failed", self.renewed, self.failed))
    }
}

/// A new cookie of ours, and the target that it names.
fn cookie(front: &Front) -> Outcome<(String, String)> {
    let failed = |error: io::Error| format!("{}: {error}", front.address);
    let stream = connect_from(Ipv4Addr::LOCALHOST, front.address).map_err(failed)?;
    (&stream).write_all(b"GET /whoami HTTP/1.1\r\nHost: shop.example\r\n\r\n").map_err(failed)?;
    let head = Reader::new(&stream).head().map_err(failed)?;
    let value = head.all("set-cookie").find_map(|line| line.strip_prefix(ROUTE)?.strip_prefix('='));
    let value =
        value.and_then(|value| value.split(';').next()).ok_or_else(|| format!("no cookie in {head:?}"))?;
    Ok((value.to_owned(), head.field("x-app").unwrap_or_default().to_owned()))
}

/// Sends each cookie once, and reads the answers.
fn ask(address: SocketAddr, cookies: &[String], home: &str) -> io::Result<Answers> {
    let mut answers = Answers::default();
    for some in cookies.chunks(ON_ONE_CONNECTION) {
        let stream = connect_from(Ipv4Addr::LOCALHOST, address)?;
        let mut reader = Reader::new(&stream);
        for cookie in some {
            let request =
                format!("GET /whoami HTTP/1.1\r\nHost: shop.example\r\nCookie: {ROUTE}={cookie}\r\n\r\n");
            (&stream).write_all(request.as_bytes())?;
            let head = reader.head()?;
            let body = reader.body(&head)?;
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            answers.count += 1;
            answers.failed += usize::from(head.status() != 200);
            answers.steered += usize::from(body["server"] == home);
            answers.renewed += usize::from(head.all("set-cookie").any(|line| line.starts_with(ROUTE)));
        }
    }
    Ok(answers)
}

/// A valid cookie does steer; otherwise nothing here would say anything.
fn steers(address: SocketAddr, valid: &str, home: &str) -> Outcome {
    let answers = ask(address, &vec![valid.to_owned(); 100], home).map_err(|error| error.to_string())?;
    if answers.steered == 100 && answers.failed == 0 {
        return Ok(());
    }
    Err(format!("a valid cookie does not steer: {answers:?}"))
}

fn noise(random: &mut Rng, length: usize) -> String {
    (0..length).map(|_| BASE64[random.below(64) as usize] as char).collect()
}

/// One character is another one. Not the last: some of its bits mean nothing.
fn flipped(valid: &str, turn: usize) -> String {
    let mut bytes = valid.as_bytes().to_vec();
    let place = turn % (bytes.len() - 1);
    let was = BASE64.iter().position(|byte| *byte == bytes[place]).unwrap_or_default();
    bytes[place] = BASE64[(was + 1 + turn / bytes.len() % 62) % 64];
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Characters that a cookie may have, and some that it may not (RFC 6265 §4.1.1).
fn printable(turn: usize) -> String {
    (0..turn % 200)
        .map(|place| char::from(b' ' + ((turn + place * 7) % 95) as u8))
        .filter(|c| *c != ';')
        .collect()
}

const COOKIES: usize = 10_000;
const KINDS: usize = 8;
/// Well below the requests after which a connection is closed.
const ON_ONE_CONNECTION: usize = 50;
/// After this a cookie of 1 s has expired, in whole seconds too.
const EXPIRED: Duration = Duration::from_millis(2_100);
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_cookie_differs_in_one_place() {
        let valid = "AbC-_09zYx";
        for turn in 0..1_000 {
            let other = flipped(valid, turn);
            let differences = valid.bytes().zip(other.bytes()).filter(|(a, b)| a != b).count();
            assert_eq!((differences, other.len()), (1, valid.len()), "{turn}: {other}");
        }
    }

    #[test]
    fn a_third_is_no_steering_and_a_half_is() {
        let answers = |steered, renewed, failed| Answers { count: 90, steered, renewed, failed };
        assert!(answers(30, 90, 0).bar("some", true).is_ok());
        assert!(answers(45, 90, 0).bar("some", true).is_err());
        assert!(answers(30, 89, 0).bar("some", true).is_err());
        assert!(answers(30, 89, 0).bar("some", false).is_ok());
        assert!(answers(30, 90, 1).bar("some", true).is_err());
    }
}
