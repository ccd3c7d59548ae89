//! Every response of `docs/http-conformance.md` is refused, passed or cut as its row says, and no byte of it
//! reaches the next client (HTTP3).

use std::collections::HashMap;

use testkit::policy::{self, Row};
use testkit::{Balancer, Client, Config, Message, Target, ok, wait_until};

use crate::requests_meet_the_policy::Meet;

#[test]
fn responses_meet_the_policy() {
    let page = policy::page();
    let rows = policy::rows(&page, "Responses");
    assert!(rows.len() >= 90, "{}", rows.len());
    let target = play(&rows);
    let balancer = Balancer::start(Config::to(&target));
    let differing: Vec<_> = rows
        .iter()
        .filter_map(|row| meet(row, &balancer, &target).err().map(|error| format!("{}: {error}", row.id)))
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// A target that answers a request naming a row with the bytes of that row.
fn play(rows: &[Row]) -> Target {
    let by_id: HashMap<_, _> = rows.iter().map(|row| (row.id.clone(), row.clone())).collect();
    assert_eq!(by_id.len(), rows.len(), "each row has its own id");
    Target::script(move |mut connection| {
        loop {
            let request = connection.request()?;
            if !request.is_complete {
                return Ok(());
            }
            match request.field("x-row").and_then(|id| by_id.get(id)) {
                None => connection.send(ok("next"))?,
                Some(row) => {
                    connection.send(&row.sent)?;
                    if row.closes {
                        return Ok(());
                    }
                }
            }
        }
    })
}

fn meet(row: &Row, balancer: &Balancer, target: &Target) -> Result<(), String> {
    // Makes sure that there is an idle connection.
    let next = || Client::connect(balancer.web()).get("/next");
    assert_eq!(next().text(), "next");
    let before = target.connections();
    let named = format!("X-Row: {}\r\n\r\n", row.id);
    let asked = [row.asked.strip_suffix(b"\r\n").unwrap(), named.as_bytes()].concat();
    let mut client = Client::connect(balancer.web());
    client.send(&asked);
    let (interim, response) = final_response(&mut client);
    judge(&row.outcome, &interim, &response)?;
    let is_cut = row.outcome.starts_with("cut");
    let second = if is_cut { next() } else { client.get("/next") };
    if second.text() != "next" {
        return Err(format!("the next response is {second:?}"));
    }
    let is_kept = row.outcome.ends_with("kept");
    if is_kept != (target.connections() == before) {
        return Err(format!("{} new connections", target.connections() - before));
    }
    wait_until("connections that are not kept are closed", || target.open() == 1);
    Ok(())
}

fn final_response(client: &mut Client) -> (Vec<Message>, Message) {
    let mut interim = Vec::new();
    loop {
        match client.response() {
            response if response.status() < 200 && response.status() != 101 => interim.push(response),
            response => return (interim, response),
        }
    }
}

fn judge(outcome: &str, interim: &[Message], response: &Message) -> Result<(), String> {
    let differs = |what: &str| Err(format!("{what}: {response:?}"));
    match outcome.split([':', ';', ' ']).next() {
        Some("passed") if !response.is_complete => differs("it is cut"),
        Some("passed") => {
            let all = interim.iter().chain([response]).flat_map(|message| message.raw_head.clone());
            let whole = Message { raw_head: all.collect(), ..response.clone() };
            whole.meet(outcome)
        }
        Some("cut") if response.is_complete => differs("it is whole"),
        Some("cut") => Ok(()),
        _ => {
            let claimed = policy::claims(outcome);
            let told = format!("{} {}", response.status(), response.reason());
            if claimed.first().is_some_and(|(_, claim)| *claim == told) { Ok(()) } else { differs("other") }
        }
    }
}
