//! The requests that are sent.

use std::collections::HashSet;

use testkit::policy;
use xtask::Outcome;

use crate::script;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// The bytes, without the marker.
    pub(crate) sent: Vec<u8>,
}

/// The requests of the page, the gadgets, and mutations of both; the same in every run.
pub(crate) fn all() -> Outcome<Vec<Case>> {
    let rows = policy::rows(&policy::page(), "Requests");
    let mut cases: Vec<_> = rows.into_iter().map(|row| Case { name: row.id, sent: row.sent }).collect();
    let path = script::path("conformance", "gadgets.txt");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    cases.extend(gadgets(&text)?);
    let names: HashSet<_> = cases.iter().map(|case| &case.name).collect();
    if names.len() != cases.len() {
        return Err("two cases have one name".into());
    }
    let mutated = mutations(&cases, MUTATIONS, SEED);
    cases.extend(mutated);
    Ok(cases)
}

fn gadgets(text: &str) -> Outcome<Vec<Case>> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (name, sent) = line.split_once('\t').ok_or_else(|| format!("no tab in {line:?}"))?;
            Ok(Case { name: name.into(), sent: policy::unescape(sent.as_bytes()) })
        })
        .collect()
}

fn mutations(cases: &[Case], count: usize, seed: u64) -> Vec<Case> {
    let mut random = Random(seed);
    (0..count)
        .map(|number| {
            let origin = &cases[random.below(cases.len())];
            let mut sent = origin.sent.clone();
            for _ in 0..=random.below(3) {
                mutate(&mut sent, &mut random);
            }
            Case { name: format!("{}-mutation-{number}", origin.name), sent }
        })
        .collect()
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    match random.below(4) {
        0 if at < bytes.len() => drop(bytes.remove(at)),
        1 if at < bytes.len() => bytes[at] = BYTES[random.below(BYTES.len())],
        2 => bytes.insert(at, BYTES[random.below(BYTES.len())]),
        _ => {
            // After some line, where a field would be.
            let ends: Vec<_> = bytes.windows(2).enumerate().filter(|(_, pair)| *pair == b"\r\n").collect();
            let place = ends.get(random.below(ends.len().max(1))).map_or(0, |(place, _)| place + 2);
            let line = LINES[random.below(LINES.len())];
            bytes.splice(place..place, line.bytes());
        }
    }
}

/// xorshift64*, which is the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

const MUTATIONS: usize = 600;
const SEED: u64 = 0x5eed_0f0c_0de5_1001;
const BYTES: &[u8] = b"\r\n\t \0:;,/?=0159afAFx+-_\"\\\x0b\x7f\x80\xff";
const LINES: &[&str] = &[
    "Content-Length: 0\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 05\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Connection: content-length\r\n",
    "Expect: 100-continue\r\n",
    "Upgrade: h2c\r\n",
    "Host: a\r\n",
    "X: y\r\n",
    "TE: trailers\r\n",
    "\r\n",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_enough_cases_and_they_are_the_same_every_time() {
        let cases = all().unwrap();
        assert!(cases.len() - MUTATIONS >= 300, "{}", cases.len());
        assert_eq!(cases, all().unwrap());
    }

    #[test]
    fn a_gadget_is_a_name_and_bytes() {
        let cases = gadgets("# more\nx\ta\\r\\n\n").unwrap();
        assert_eq!(cases, [Case { name: "x".into(), sent: b"a\r\n".to_vec() }]);
        assert!(gadgets("x a\n").is_err());
    }
}
