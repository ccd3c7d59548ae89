//! The Prometheus text format, version 0.0.4.

use std::fmt::Write;

use crate::HistogramTotals;

/// A metrics page, written one family at a time.
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

    /// Begins a family. All its samples are written through the returned value, because the format requires
    /// them to be together. A name must not begin twice.
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

/// The type of a family.
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

/// A family whose samples are being written.
#[derive(Debug)]
pub struct Family<'p> {
    name: &'static str,
    text: &'p mut String,
}

impl Family<'_> {
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<Value>) {
        self.line("", labels, None, value.into());
    }

    /// Writes the buckets, sum and count of a family of [`Kind::Histogram`], in seconds.
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

/// Formats microseconds as decimal seconds, exactly and without trailing zeros.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
pub(crate) mod parser;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::parser::parse;
    use super::*;
    use crate::Histogram;

    fn page_of(write: impl FnOnce(&mut Family<'_>), kind: Kind, name: &'static str) -> String {
        let mut page = Exposition::new();
        write(&mut page.family(name, "Help.", kind));
        page.into_string()
    }

    #[test]
    fn a_family_is_announced_once_and_before_its_samples() {
        let page = page_of(
            |family| {
                family.sample(&[], 1_u64);
                family.sample(&[("listener", "web"), ("reason", "no_rule")], 2_u64);
            },
            Kind::Counter,
            "evenkeel_x_total",
        );
        assert_eq!(
            page,
            "# HELP evenkeel_x_total Help.\n# TYPE evenkeel_x_total counter\n\
             evenkeel_x_total 1\nevenkeel_x_total{listener=\"web\",reason=\"no_rule\"} 2\n"
        );
        assert_eq!(parse(&page).len(), 2);
    }

    #[test]
    fn a_histogram_counts_up_to_each_bound_in_seconds() {
        let histogram = Histogram::new();
        [10, 60, 1_500_000, 61_000_000].into_iter().for_each(|micros| histogram.record(micros));
        let page = page_of(
            |family| family.histogram(&[("listener", "web")], &histogram.read()),
            Kind::Histogram,
            "evenkeel_x_seconds",
        );
        parse(&page);
        for line in [
            "evenkeel_x_seconds_bucket{listener=\"web\",le=\"0.00005\"} 1",
            "evenkeel_x_seconds_bucket{listener=\"web\",le=\"0.0001\"} 2",
            "evenkeel_x_seconds_bucket{listener=\"web\",le=\"1\"} 2",
            "evenkeel_x_seconds_bucket{listener=\"web\",le=\"60\"} 3",
            "evenkeel_x_seconds_bucket{listener=\"web\",le=\"+Inf\"} 4",
            "evenkeel_x_seconds_sum{listener=\"web\"} 62.50007",
            "evenkeel_x_seconds_count{listener=\"web\"} 4",
        ] {
            assert!(page.lines().any(|written| written == line), "{line} in\n{page}");
        }
    }

    #[test]
    fn help_is_one_line() {
        let mut page = Exposition::new();
        page.family("evenkeel_x", "One\nline with \\.", Kind::Gauge);
        assert_eq!(page.as_str(), "# HELP evenkeel_x One\\nline with \\\\.\n# TYPE evenkeel_x gauge\n");
    }

    #[test]
    fn seconds_are_exact() {
        for (micros, text) in [
            (0, "0"),
            (1, "0.000001"),
            (50, "0.00005"),
            (1_000_000, "1"),
            (100_000_000, "100"),
            (u64::MAX, "18446744073709.551615"),
        ] {
            assert_eq!(seconds(micros), text);
        }
    }

    proptest! {
        #[test]
        fn any_label_value_survives_a_round_trip(value: String, level: i64) {
            let page =
                page_of(|f| f.sample(&[("listener", &value), ("other", "x")], level), Kind::Gauge, "evenkeel_x");
            // The format ends lines with LF alone.
            prop_assume!(!value.contains('\r'));
            let samples = parse(&page);
            prop_assert_eq!(&samples[0].labels["listener"], &value);
            prop_assert_eq!(samples[0].value, level as f64);
        }
    }
}
