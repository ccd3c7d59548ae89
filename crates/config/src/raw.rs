//! The checked tree between text and model: every value has the type and range of its definition, and its
//! position.

use std::time::Duration;

use crate::report::Locate;
use crate::source::Span;

#[derive(Debug)]
pub(crate) struct Value {
    pub(crate) path: String,
    pub(crate) span: Span,
    pub(crate) data: Data,
}

#[derive(Debug)]
pub(crate) enum Data {
    /// The value was invalid and was reported. The key counts as present.
    Wrong,
    Bool(bool),
    /// An integer, or a size in bytes.
    Integer(u64),
    Duration(Duration),
    Text(String),
    List(Vec<Value>),
    Table(Table),
}

#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) path: String,
    /// The span of the key that opens the table.
    pub(crate) span: Span,
    /// In the order of the text.
    pub(crate) entries: Vec<Entry>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// The span of the name.
    pub(crate) span: Span,
    pub(crate) value: Value,
}

impl Value {
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn integer(&self) -> Option<u64> {
        match self.data {
            Data::Integer(number) => Some(number),
            _ => None,
        }
    }

    pub(crate) fn table(&self) -> Option<&Table> {
        match &self.data {
            Data::Table(table) => Some(table),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> &[Self] {
        match &self.data {
            Data::List(values) => values,
            _ => &[],
        }
    }

    fn duration(&self) -> Option<Duration> {
        match self.data {
            Data::Duration(duration) => Some(duration),
            _ => None,
        }
    }
}

impl Table {
    pub(crate) fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.entry(name).map(|entry| &entry.value)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.value(name).and_then(Value::text)
    }

    pub(crate) fn bool(&self, name: &str) -> Option<bool> {
        match self.value(name)?.data {
            Data::Bool(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn duration(&self, name: &str) -> Option<Duration> {
        self.value(name).and_then(Value::duration)
    }

    /// Also `None` if the value does not fit into `N`, which the key's range rules out.
    pub(crate) fn integer<N: TryFrom<u64>>(&self, name: &str) -> Option<N> {
        self.value(name).and_then(Value::integer).and_then(|number| N::try_from(number).ok())
    }

    pub(crate) fn table(&self, name: &str) -> Option<&Self> {
        self.value(name).and_then(Value::table)
    }

    /// Empty where the key is missing.
    pub(crate) fn list(&self, name: &str) -> &[Value] {
        self.value(name).map_or(&[], Value::list)
    }

    /// The tables of a list or of a table of tables.
    pub(crate) fn tables(&self, name: &str) -> Vec<(&str, &Self)> {
        let Some(value) = self.value(name) else { return Vec::new() };
        match &value.data {
            Data::List(values) => values.iter().filter_map(|v| Some(("", v.table()?))).collect(),
            Data::Table(table) => {
                let entries = table.entries.iter();
                entries.filter_map(|entry| Some((entry.name.as_str(), entry.value.table()?))).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Entry {
    /// An entry for a key that was meant to be `name`; the error was reported.
    pub(crate) fn wrong(name: &str, at: Table) -> Self {
        let value = Value { path: at.path, span: at.span, data: Data::Wrong };
        Self { name: name.to_owned(), span: at.span, value }
    }
}

impl Locate for Value {
    fn span(&self) -> Span {
        self.span
    }

    fn path(&self) -> &str {
        &self.path
    }
}

impl Locate for Table {
    fn span(&self) -> Span {
        self.span
    }

    fn path(&self) -> &str {
        &self.path
    }
}

impl Locate for Entry {
    fn span(&self) -> Span {
        self.span
    }

    fn path(&self) -> &str {
        &self.value.path
    }
}
