//! The Prometheus text format, version 0.0.4.

use std::fmt::Write;

use crate::HistogramTotals;

/// A page that is being written, family by family.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

impl Exposition {
    /// The value of `Content-Type`.
    pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a family. All its samples are written through what this returns, since the format wants them
    /// together; a name must not begin twice.
    pub fn family(&mut self, name: &'static str, help: &str, kind: Kind) -> Family<'_> {
        let escaped = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.text.extend(["# HELP ", name, " ", &escaped, "\n# TYPE ", name, " ", kind.as_str(), "\n"]);
        Family { name, text: &mut self.text }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn into_string(self) -> String {
        self.text
    }
}

/// What kind of number a family has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A sample's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    Count(u64),
    Level(i64),
    /// Microseconds, written as seconds.
    Micros(u64),
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<i64> for Value {
    fn from(level: i64) -> Self {
        Self::Level(level)
    }
}

/// One family whose samples are being written.
#[derive(Debug)]
pub struct Family<'p> {
    name: &'static str,
    text: &'p mut String,
}

impl Family<'_> {
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<Value>) {
        self.line("", labels, None, value.into());
    }

    /// The buckets, the sum and the count of a family of [`Kind::Histogram`], in seconds.
    pub fn histogram(&mut self, labels: &[(&str, &str)], totals: &HistogramTotals) {
        for (bound, count) in totals.cumulative() {
            self.line("_bucket", labels, Some(&seconds(bound)), count.into());
        }
        self.line("_bucket", labels, Some("+Inf"), totals.count().into());
        self.line("_sum", labels, None, Value::Micros(totals.sum_micros));
        self.line("_count", labels, None, totals.count().into());
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], bound: Option<&str>, value: Value) {
        self.text.extend([self.name, suffix]);
        let mut opener = '{';
        for (name, value) in labels.iter().copied().chain(bound.map(|bound| ("le", bound))) {
            self.text.push(opener);
            self.text.extend([name, "=\""]);
            self.label_value(value);
            self.text.push('"');
            opener = ',';
        }
        if opener == ',' {
            self.text.push('}');
        }
        // Writing into a `String` cannot fail.
        let _ = match value {
            Value::Count(count) => writeln!(self.text, " {count}"),
            Value::Level(level) => writeln!(self.text, " {level}"),
            Value::Micros(micros) => writeln!(self.text, " {}", seconds(micros)),
        };
    }

    fn label_value(&mut self, value: &str) {
        for letter in value.chars() {
            match letter {
                '\\' => self.text.push_str("\\\\"),
                '"' => self.text.push_str("\\\""),
                '\n' => self.text.push_str("\\n"),
                _ => self.text.push(letter),
            }
        }
    }
}

/// Microseconds as decimal seconds, exact and without trailing zeros.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
