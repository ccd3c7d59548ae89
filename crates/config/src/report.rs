//! Collects errors and warnings, so that the stages can go on after an error.

use std::collections::HashSet;

use crate::diagnostic::{Diagnostic, Errors, Severity};
use crate::source::{Place, Source, Span};

/// A part of the text that an error can point at.
pub(crate) trait Locate {
    fn span(&self) -> Span;

    /// The path of the key; empty if there is none.
    fn path(&self) -> &str {
        ""
    }
}

impl Locate for Span {
    fn span(&self) -> Span {
        *self
    }
}

/// An error or warning whose position is still a span.
#[derive(Debug)]
pub(crate) struct Problem {
    severity: Severity,
    span: Span,
    path: String,
    message: String,
    hint: Option<String>,
    is_syntax: bool,
    is_of_file: bool,
    /// It is reported only if the syntax is right; see [`Report::keep_only_errors_of_files`].
    is_guess: bool,
}

impl Problem {
    pub(crate) fn hint(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }

    pub(crate) fn maybe_hint(&mut self, hint: Option<String>) {
        self.hint = hint;
    }
}

#[derive(Debug)]
pub(crate) struct Report<'t> {
    source: Source<'t>,
    problems: Vec<Problem>,
    /// Lines with a syntax error. Other errors on them follow from it and are not reported.
    broken_lines: HashSet<usize>,
    error_count: usize,
    guesses: bool,
}

impl<'t> Report<'t> {
    pub(crate) fn new(source: Source<'t>) -> Self {
        Self { source, problems: Vec::new(), broken_lines: HashSet::new(), error_count: 0, guesses: false }
    }

    pub(crate) fn error(&mut self, at: &dyn Locate, message: impl Into<String>) -> &mut Problem {
        self.push(Severity::Error, at, message.into())
    }

    /// An error of a file that `at` names.
    pub(crate) fn file_error(&mut self, at: &dyn Locate, message: impl Into<String>) -> &mut Problem {
        let problem = self.error(at, message);
        problem.is_of_file = true;
        problem
    }

    pub(crate) fn warning(&mut self, at: &dyn Locate, message: impl Into<String>) -> &mut Problem {
        self.push(Severity::Warning, at, message.into())
    }

    pub(crate) fn syntax(&mut self, span: Option<Span>, message: &str) {
        let span = span.unwrap_or_default();
        let line = self.source.line(span.start);
        // One mistake can cause several syntax errors on a line; only the first is reported.
        if self.broken_lines.insert(line) {
            self.error(&span, format!("not valid TOML: {message}")).is_syntax = true;
        }
    }

    /// From here on parts of the text are missing, so that only what is wrong with files is certain.
    pub(crate) fn keep_only_errors_of_files(&mut self) {
        self.guesses = true;
    }

    pub(crate) fn error_count(&self) -> usize {
        self.error_count
    }

    /// The line of `at`, from 1.
    pub(crate) fn line(&self, at: &dyn Locate) -> usize {
        self.source.line(at.span().start)
    }

    pub(crate) fn place(&self, at: &dyn Locate) -> Place {
        self.source.place(at.span())
    }

    /// Errors and warnings, each in the order of the text.
    pub(crate) fn finish(mut self, file: &str) -> (Errors, Vec<Diagnostic>) {
        self.problems.sort_by_key(|problem| problem.span.start);
        let (mut errors, mut warnings) = (Errors::default(), Vec::new());
        let (source, broken_lines) = (&self.source, &self.broken_lines);
        let follows = |p: &Problem| !p.is_syntax && broken_lines.contains(&source.line(p.span.start));
        self.problems.retain(|problem| !follows(problem) && (problem.is_of_file || !problem.is_guess));
        for problem in self.problems {
            let place = self.source.place(problem.span);
            let mut diagnostic = Diagnostic::at(problem.severity, file, place, problem.message);
            diagnostic.hint = problem.hint;
            diagnostic.key = problem.path;
            match problem.severity {
                Severity::Error => errors.0.push(diagnostic),
                Severity::Warning => warnings.push(diagnostic),
            }
        }
        (errors, warnings)
    }

    fn push(&mut self, severity: Severity, at: &dyn Locate, message: String) -> &mut Problem {
        self.error_count += usize::from(severity == Severity::Error);
        let (span, path) = (at.span(), at.path().to_owned());
        let index = self.problems.len();
        let (is_syntax, is_of_file, is_guess) = (false, false, self.guesses);
        self.problems.push(Problem {
            severity,
            span,
            path,
            message,
            hint: None,
            is_syntax,
            is_of_file,
            is_guess,
        });
        &mut self.problems[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_sorted_by_position_and_split_by_severity() {
        let mut report = Report::new(Source::new("a\nb\nc\n"));
        report.error(&Span::new(4, 5), "third").hint("c");
        report.warning(&Span::new(2, 3), "second");
        report.error(&Span::new(0, 1), "first");
        let (errors, warnings) = report.finish("f");
        let messages: Vec<_> = errors.0.iter().map(|e| (e.line, e.message.as_str())).collect();
        assert_eq!(messages, [(1, "first"), (3, "third")]);
        assert_eq!(errors.0[1].hint.as_deref(), Some("c"));
        assert_eq!(warnings[0].line, 2);
    }

    #[test]
    fn only_the_first_syntax_error_of_a_line_is_reported() {
        let mut report = Report::new(Source::new("a b c\nd\n"));
        report.syntax(Some(Span::new(2, 3)), "x");
        report.syntax(Some(Span::new(4, 5)), "y");
        report.syntax(Some(Span::new(6, 7)), "z");
        report.error(&Span::new(0, 1), "what follows from it");
        let messages: Vec<_> = report.finish("f").0.0.into_iter().map(|e| e.message).collect();
        assert_eq!(messages, ["not valid TOML: x", "not valid TOML: z"]);
    }
}
