//! Errors and warnings, and their rendering for people and programs.

use std::collections::HashSet;
use std::fmt::{self, Write};

use serde_json::json;

use crate::source::{Place, without_passwords};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

/// One error or warning, and its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    pub file: String,
    /// From 1; 0 for the whole file.
    pub line: usize,
    /// In characters, from 1; 0 for the whole file.
    pub column: usize,
    /// In characters, from `column`; within the line.
    pub length: usize,
    pub message: String,
    pub excerpt: Option<Excerpt>,
    pub hint: Option<String>,
    /// The path of the key, such as `listener.web.bind`; empty if there is none.
    pub key: String,
}

/// Reads the line of an error from its file. A pipe has nothing left to read, and would block.
fn excerpt(file: &str, line: usize, column: usize) -> Option<Excerpt> {
    let is_file = std::fs::metadata(file).is_ok_and(|metadata| metadata.is_file());
    let text = is_file.then(|| std::fs::read_to_string(file).ok()).flatten()?;
    excerpt_of(&text, line, column)
}

fn excerpt_of(text: &str, line: usize, column: usize) -> Option<Excerpt> {
    let text = text.lines().nth(line.checked_sub(1)?)?;
    let is_plain = text.chars().count() <= EXCERPT_CHARS_MAX && !text.chars().any(char::is_control);
    is_plain.then(|| Excerpt { text: without_passwords(text), indent: column.saturating_sub(1) })
}

const EXCERPT_CHARS_MAX: usize = 160;

/// The line of the error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The line, or a part of it if it is long; without control characters.
    pub text: String,
    /// How many characters of `text` precede the marked ones.
    pub indent: usize,
}

impl Diagnostic {
    pub(crate) fn at(severity: Severity, file: &str, place: Place, message: String) -> Self {
        Self {
            severity,
            file: file.to_owned(),
            line: place.line,
            column: place.column,
            length: place.length,
            message,
            excerpt: Some(Excerpt { text: place.excerpt, indent: place.indent }),
            hint: None,
            key: String::new(),
        }
    }

    /// A diagnostic for a position that was stored earlier. The excerpt is the line's current text.
    pub fn about(severity: Severity, place: &model::Place, message: String, hint: String) -> Self {
        let model::Place { file, line, column, length } = place;
        Self {
            severity,
            file: file.to_string(),
            line: *line,
            column: *column,
            length: *length,
            message,
            excerpt: excerpt(file, *line, *column),
            hint: Some(hint).filter(|hint| !hint.is_empty()),
            key: String::new(),
        }
    }

    /// Takes the excerpt from this text.
    pub(crate) fn quote(&mut self, text: &str) {
        self.excerpt = excerpt_of(text, self.line, self.column);
    }

    /// The text for a terminal, with a line feed at the end.
    pub fn render(&self, color: bool) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut out, if color { &COLORED } else { &PLAIN });
        out
    }

    /// One JSON object on one line.
    pub fn to_json(&self) -> String {
        json!({
            "severity": self.severity.word(),
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "length": self.length,
            "message": self.message,
            "excerpt": self.excerpt.as_ref().map(|excerpt| &excerpt.text),
            "hint": self.hint,
            "key": self.key,
        })
        .to_string()
    }

    fn write(&self, out: &mut String, style: &Style) -> fmt::Result {
        let Style { bold, dim, reset, .. } = style;
        let level = if self.severity == Severity::Error { style.error } else { style.warning };
        writeln!(out, "{level}{}{reset}{bold}: {}{reset}", self.severity.word(), self.message)?;
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        if let Some(excerpt) = &self.excerpt {
            let position = format!("{}:{}:{}", self.file, self.line, self.column);
            writeln!(out, "{gutter}{dim}-->{reset} {position}")?;
            writeln!(out, "{gutter} {dim}|{reset}")?;
            writeln!(out, "{dim}{number} |{reset} {}", excerpt.text.trim_end())?;
            let carets = "^".repeat(self.length);
            writeln!(out, "{gutter} {dim}|{reset} {}{level}{carets}{reset}", " ".repeat(excerpt.indent))?;
        } else {
            writeln!(out, "{gutter}{dim}-->{reset} {}", self.file)?;
        }
        if let Some(hint) = &self.hint {
            writeln!(out, "{gutter} {dim}={reset} {bold}help{reset}: {hint}")?;
        }
        Ok(())
    }
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// All errors of a configuration, in the order of its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors(pub Vec<Diagnostic>);

impl Errors {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text for a terminal: all errors, separated by empty lines.
    pub fn render(&self, color: bool) -> String {
        let all: Vec<_> = self.0.iter().map(|diagnostic| diagnostic.render(color)).collect();
        all.join("\n")
    }

    /// JSON lines: one object per error.
    pub fn to_json(&self) -> String {
        self.0.iter().map(|diagnostic| diagnostic.to_json() + "\n").collect()
    }

    /// Adds the errors of the files that the configuration names. At a place that has an error already, that one is
    /// the cause.
    #[must_use]
    pub fn and(mut self, of_files: Self) -> Self {
        let place = |diagnostic: &Diagnostic| (diagnostic.line, diagnostic.column);
        let known: HashSet<_> = self.0.iter().map(place).collect();
        self.0.extend(of_files.0.into_iter().filter(|error| !known.contains(&place(error))));
        self.0.sort_by_key(place);
        self
    }

    pub(crate) fn whole_file(file: &str, message: String) -> Self {
        Self(vec![Diagnostic {
            severity: Severity::Error,
            file: file.to_owned(),
            line: 0,
            column: 0,
            length: 0,
            message,
            excerpt: None,
            hint: None,
            key: String::new(),
        }])
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Errors {}

/// SGR sequences (ECMA-48 §8.3.117).
struct Style {
    error: &'static str,
    warning: &'static str,
    bold: &'static str,
    dim: &'static str,
    reset: &'static str,
}

const PLAIN: Style = Style { error: "", warning: "", bold: "", dim: "", reset: "" };

const COLORED: Style = Style {
    error: "\u{1b}[1;31m",
    warning: "\u{1b}[1;33m",
    bold: "\u{1b}[1m",
    dim: "\u{1b}[1;34m",
    reset: "\u{1b}[0m",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Source, Span};

    fn example() -> Diagnostic {
        let place = Source::new("[listener.web]\nbind = \"x\"\nforwrad = \"app\"\n").place(Span::new(26, 33));
        let mut found =
            Diagnostic::at(Severity::Error, "plain.toml", place, "unknown key `forwrad`".to_owned());
        found.hint = Some("did you mean `forward`?".to_owned());
        found.key = "listener.web.forwrad".to_owned();
        found
    }

    #[test]
    fn renders_place_excerpt_and_hint() {
        let expected = "error: unknown key `forwrad`\n --> plain.toml:3:1\n  |\n3 | forwrad = \"app\"\n  | ^^^^^^^\n  = help: did you mean `forward`?\n";
        assert_eq!(example().render(false), expected);
    }

    #[test]
    fn color_does_not_change_the_text() {
        let colored = example().render(true);
        assert!(colored.starts_with("\u{1b}[1;31merror\u{1b}[0m"), "{colored:?}");
        let mut plain = colored;
        for code in [COLORED.error, COLORED.bold, COLORED.dim, COLORED.reset] {
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, example().render(false));
    }

    #[test]
    fn json_is_one_line_per_error() {
        let text = Errors(vec![example(), example()]).to_json();
        assert_eq!(text.lines().count(), 2);
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(first["line"], 3);
        assert_eq!(first["column"], 1);
        assert_eq!(first["length"], 7);
        assert_eq!(first["key"], "listener.web.forwrad");
        assert_eq!(first["excerpt"], "forwrad = \"app\"");
        assert_eq!(first["severity"], "error");
    }

    #[test]
    fn a_whole_file_has_no_position() {
        let errors = Errors::whole_file("x.toml", "cannot read it".to_owned());
        assert_eq!(errors.to_string(), "error: cannot read it\n --> x.toml\n");
    }
}
