//! Checks the TOML tree against the definitions of the keys and makes the checked tree.
//!
//! Reports unknown and missing keys, wrong types and values out of range, and goes on after each error.

mod hint;
mod value;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::keys::{self, Default, Fields, Key, Kind};
use crate::raw::{Data, Entry, Table, Value};
use crate::report::Report;
use crate::source::Span;

/// Checks the whole configuration. `complete` is false if a syntax error left parts of the text out of the
/// tree.
pub(crate) fn check(tree: &DeTable<'_>, complete: bool, report: &mut Report<'_>) -> Table {
    let mut check = Check { complete, report };
    check.fields(keys::ROOT, tree, "", Span::default())
}

struct Check<'r, 't> {
    complete: bool,
    report: &'r mut Report<'t>,
}

impl Check<'_, '_> {
    fn fields(&mut self, fields: Fields, table: &DeTable<'_>, path: &str, span: Span) -> Table {
        let mut entries = Vec::new();
        for (name, value) in in_text_order(table) {
            let (text, name_span) = (name.get_ref().as_ref(), Span::from(name.span()));
            let below = join(path, text);
            match keys::find(fields, text) {
                Some(key) => {
                    let value = self.value(&key.kind, key.name, value, below, name_span);
                    entries.push(Entry { name: text.to_owned(), span: name_span, value });
                }
                None => {
                    let at = Table { path: below, span: name_span, entries: Vec::new() };
                    let problem = self.report.error(&at, format!("unknown key `{}`", text.escape_debug()));
                    problem.maybe_hint(hint::unknown(fields, text));
                    // Otherwise the misspelt key would be reported as missing, too.
                    entries.extend(hint::slip(fields, text).map(|meant| Entry::wrong(meant, at)));
                }
            }
        }
        let table = Table { path: path.to_owned(), span, entries };
        if self.complete {
            self.missing(fields, &table);
        }
        table
    }

    fn missing(&mut self, fields: Fields, table: &Table) {
        for key in fields.iter().copied().flatten() {
            if key.default == Default::Required && !table.has(key.name) {
                let message = format!("`{}` is missing from `{}`", key.name, table.path);
                self.report.error(table, message).hint(format!("for example `{}`", key.example));
            }
        }
    }

    fn value(
        &mut self,
        kind: &Kind,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        path: String,
        opened_at: Span,
    ) -> Value {
        let span = Span::from(value.span());
        let data = match (kind, value.get_ref()) {
            (Kind::Either(one, _), written) if value::fits(one, written) => {
                return self.value(one, name, value, path, opened_at);
            }
            (Kind::Either(_, other), written) if value::fits(other, written) => {
                return self.value(other, name, value, path, opened_at);
            }
            (Kind::Table(fields), DeValue::Table(table)) => {
                Data::Table(self.fields(fields, table, &path, opened_at))
            }
            (Kind::Named(fields), DeValue::Table(table)) => self.named(fields, name, table, &path, opened_at),
            (Kind::Map(_, kind), DeValue::Table(table)) => self.map(kind, table, &path, opened_at),
            (Kind::Tables(fields), DeValue::Array(list)) => {
                let kind = Kind::Table(fields);
                Data::List(self.list(&kind, name, list, &path))
            }
            (Kind::List(kind) | Kind::OneOrMore(kind), DeValue::Array(list)) => {
                Data::List(self.list(kind, name, list, &path))
            }
            (Kind::OneOrMore(kind), _) => {
                Data::List(vec![self.value(kind, name, value, path.clone(), opened_at)])
            }
            (kind, written) => self.scalar(kind, name, written, &path, span),
        };
        Value { path, span, data }
    }

    fn scalar(&mut self, kind: &Kind, name: &str, written: &DeValue<'_>, path: &str, span: Span) -> Data {
        match value::read(kind, name, written) {
            Ok(data) => data,
            Err(wrong) => {
                let at = Table { path: path.to_owned(), span, entries: Vec::new() };
                self.report.error(&at, wrong.message).maybe_hint(wrong.hint);
                Data::Wrong
            }
        }
    }

    /// Checks tables by name, such as `[listener.web]`.
    fn named(&mut self, fields: Fields, name: &str, table: &DeTable<'_>, path: &str, span: Span) -> Data {
        let mut entries = Vec::new();
        for (own, value) in in_text_order(table) {
            let (text, own_span) = (own.get_ref().as_ref(), Span::from(own.span()));
            let below = join(path, text);
            let at = Table { path: below.clone(), span: own_span, entries: Vec::new() };
            let DeValue::Table(inner) = value.get_ref() else {
                let problem = self.report.error(&at, format!("`{name}` needs a name"));
                problem.hint(format!("write the keys under `[{name}.NAME]`"));
                entries.push(Entry::wrong(text, at));
                continue;
            };
            if !is_name(text) {
                let problem = self.report.error(&at, format!("`{}` is not a name", text.escape_debug()));
                problem.hint("names have 1–64 letters (a–z, A–Z), digits, `-` and `_`");
            }
            let data = Data::Table(self.fields(fields, inner, &below, own_span));
            let value = Value { path: below, span: Span::from(value.span()), data };
            entries.push(Entry { name: text.to_owned(), span: own_span, value });
        }
        Data::Table(Table { path: path.to_owned(), span, entries })
    }

    fn map(&mut self, kind: &Kind, table: &DeTable<'_>, path: &str, span: Span) -> Data {
        let mut entries = Vec::new();
        for (name, value) in in_text_order(table) {
            let (text, name_span) = (name.get_ref().as_ref(), Span::from(name.span()));
            let value = self.value(kind, text, value, join(path, text), name_span);
            entries.push(Entry { name: text.to_owned(), span: name_span, value });
        }
        Data::Table(Table { path: path.to_owned(), span, entries })
    }

    fn list(&mut self, kind: &Kind, name: &str, list: &[Spanned<DeValue<'_>>], path: &str) -> Vec<Value> {
        let numbered = list.iter().enumerate();
        let value = |(index, value): (usize, &Spanned<DeValue<'_>>)| {
            self.value(kind, name, value, format!("{path}[{index}]"), Span::from(value.span()))
        };
        numbered.map(value).collect()
    }
}

type Pair<'t, 'i> = (&'t Spanned<toml::de::DeString<'i>>, &'t Spanned<DeValue<'i>>);

/// The entries in the order of the text; the tree sorts them by name.
fn in_text_order<'t, 'i>(table: &'t DeTable<'i>) -> Vec<Pair<'t, 'i>> {
    let mut pairs: Vec<_> = table.iter().collect();
    pairs.sort_by_key(|(name, _)| name.span().start);
    pairs
}

/// Whether the text is a valid name. Names are used in file names and metric labels.
fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The last piece of a key's path, which is its name.
fn last_name(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// The keys of that name in other tables.
fn elsewhere(name: &str) -> Vec<(String, &'static Key)> {
    keys::all().into_iter().filter(|(path, _)| last_name(path) == name).collect()
}
