//! Results, for the terminal and for `docs/performance.md`.

use std::fmt::Write;

use super::case::{Against, Bar, Case, Measure};
use super::contender::Contender;

/// The results of one case.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) case: &'static Case,
    /// Absolute figures, one line per contender. For the terminal only: they hold for this machine and this day.
    pub(crate) absolutes: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

/// One comparison over the rounds.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) measure: Measure,
    pub(crate) against: Against,
    /// `None` if it could not be measured.
    pub(crate) spread: Option<Spread>,
    pub(crate) bar: Option<Bar>,
}

/// The range of some values and their median.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub min: f64,
    pub median: f64,
    pub max: f64,
}

impl Spread {
    /// Returns `None` if there are no values.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        let lower = if values.len().is_multiple_of(2) { *values.get(middle - 1)? } else { upper };
        Some(Self { min: *values.first()?, median: f64::midpoint(lower, upper), max: *values.last()? })
    }
}

impl Finding {
    pub(crate) fn new(case: &'static Case) -> Self {
        Self { case, absolutes: Vec::new(), rows: Vec::new() }
    }

    /// Adds a comparison and finds its bar.
    pub(crate) fn compare(&mut self, measure: Measure, against: Against, values: Vec<f64>) {
        let bars = self.case.bars.iter().chain(BEFORE_BARS);
        let bar = bars.into_iter().find(|bar| bar.measure == measure && bar.against == against);
        self.rows.push(Row { measure, against, spread: Spread::of(values), bar: bar.copied() });
    }

    pub(crate) fn missed(&self) -> usize {
        self.rows.iter().filter(|row| row.holds() == Some(false)).count()
    }

    /// Text for the terminal.
    pub(crate) fn text(&self) -> String {
        let Case { name, regime, what, .. } = self.case;
        let mut text = format!("\n{name}, {}: {what}\n", regime.name());
        for line in &self.absolutes {
            let _ = writeln!(text, "  {line}");
        }
        for row in &self.rows {
            let what = match row.against {
                Against::Nothing => row.measure.name().to_owned(),
                against => format!("{} / {}", row.measure.name(), against.name()),
            };
            let _ = writeln!(text, "  {what:38}{}   {}", row.figures(), row.verdict());
        }
        text
    }

    /// Rows of the table in `docs/performance.md`: those with a bar, and CPU per request.
    pub(crate) fn markdown(&self) -> String {
        self.markdown_of(|row| row.bar.is_some() || row.measure == Measure::Cpu)
    }

    fn markdown_of(&self, is_shown: impl Fn(&Row) -> bool) -> String {
        let Case { name, regime, .. } = self.case;
        let mut text = String::new();
        for row in self.rows.iter().filter(|row| is_shown(row)) {
            let (measure, against, figures) = (row.measure.name(), row.against.name(), row.figures());
            let (regime, figures) = (regime.name(), figures.trim());
            let _ = writeln!(
                text,
                "| `{name}` | {regime} | {measure} | {against} | {figures} | {} |",
                row.verdict()
            );
        }
        text
    }
}

/// The table of all comparisons with the other Evenkeel.
pub(crate) fn before_and_after(findings: &[Finding]) -> String {
    let is_before = |row: &Row| row.against == Against::Contender(Contender::EvenkeelBefore);
    let rows: String = findings.iter().map(|finding| finding.markdown_of(is_before)).collect();
    format!("{TABLE_HEAD}{rows}")
}

impl Row {
    fn holds(&self) -> Option<bool> {
        Some(self.spread.is_some_and(|spread| self.bar.is_some_and(|bar| bar.holds(spread.median))))
            .filter(|_| self.bar.is_some())
    }

    fn figures(&self) -> String {
        match self.spread {
            Some(Spread { min, median, max }) => format!("{min:>6.2} – {median:>5.2} – {max:>5.2}"),
            None => "not measured".into(),
        }
    }

    fn verdict(&self) -> String {
        let Some(bar) = self.bar else { return String::new() };
        let sign = if bar.measure.more_is_better() { '≥' } else { '≤' };
        let verdict = if self.holds() == Some(true) { "ok" } else { "MISSED" };
        format!("{sign} {:.2} {verdict}", bar.limit)
    }
}

pub(crate) const TABLE_HEAD: &str = "| case | regime | measure | against | min – median – max | bar |
|---|---|---|---|---|---|
";

/// A change may cost this much of what it was before.
const BEFORE_BARS: &[Bar] = &[before(Measure::Cpu), before(Measure::Handshake), before(Measure::Memory)];

const fn before(measure: Measure) -> Bar {
    Bar { measure, against: Against::Contender(Contender::EvenkeelBefore), limit: 1.03 }
}

#[cfg(test)]
mod tests {
    use super::super::cases;
    use super::*;

    fn finding() -> Finding {
        let case = cases::all().find(|case| case.is_named("short/one-core")).unwrap();
        Finding { absolutes: vec!["evenkeel 9.1 µs".into()], ..Finding::new(case) }
    }

    const HAPROXY: Against = Against::Contender(Contender::Haproxy);

    #[test]
    fn the_spread_is_min_median_max() {
        for (values, expected) in [
            (vec![], None),
            (vec![2.0], Some((2.0, 2.0, 2.0))),
            (vec![3.0, 1.0, 2.0], Some((1.0, 2.0, 3.0))),
            (vec![4.0, 1.0, 2.0, 3.0], Some((1.0, 2.5, 4.0))),
        ] {
            let expected = expected.map(|(min, median, max)| Spread { min, median, max });
            assert_eq!(Spread::of(values), expected);
        }
    }

    #[test]
    fn a_bar_is_met_missed_or_absent() {
        let mut finding = finding();
        finding.compare(Measure::Cpu, HAPROXY, vec![0.5, 0.6, 0.9]);
        assert_eq!(finding.missed(), 0);
        finding.compare(Measure::P90, HAPROXY, vec![9.0]);
        assert_eq!(finding.missed(), 0, "no bar, nothing to miss");
        finding.compare(Measure::Cpu, HAPROXY, vec![0.61]);
        assert_eq!(finding.missed(), 1);
        finding.compare(Measure::Cpu, HAPROXY, vec![]);
        assert_eq!(finding.missed(), 2, "a bar without a measurement is missed");
    }

    #[test]
    fn a_change_may_cost_three_percent() {
        let before = Against::Contender(Contender::EvenkeelBefore);
        let mut finding = finding();
        finding.compare(Measure::Cpu, before, vec![0.98, 1.03, 1.2]);
        finding.compare(Measure::Cpu, HAPROXY, vec![0.5]);
        assert_eq!(finding.missed(), 0);
        finding.compare(Measure::Cpu, before, vec![1.04]);
        assert_eq!(finding.missed(), 1);
        let table = before_and_after(&[finding]);
        assert_eq!(
            (table.matches("evenkeel-before").count(), table.matches("haproxy").count()),
            (2, 0),
            "{table}"
        );
    }

    #[test]
    fn both_outputs_show_figures_and_verdict() {
        let mut finding = finding();
        finding.compare(Measure::Cpu, HAPROXY, vec![0.5, 0.55, 0.7]);
        finding.compare(Measure::P90, HAPROXY, vec![0.8]);
        let text = finding.text();
        assert!(text.contains("CPU per request / haproxy") && text.contains("evenkeel 9.1 µs"), "{text}");
        assert!(text.contains("0.50 –  0.55 –  0.70   ≤ 0.60 ok"), "{text}");
        let markdown = finding.markdown();
        let row = "| `short` | one-core | CPU per request | haproxy | 0.50 –  0.55 –  0.70 | ≤ 0.60 ok |\n";
        assert_eq!(markdown, row);
    }
}
