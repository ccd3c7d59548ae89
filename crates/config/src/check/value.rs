//! Checks one value against its kind.

use std::time::Duration;

use toml::de::DeValue;

use crate::keys::{Fields, Kind, find, foreign};
use crate::near::nearest;
use crate::raw::Data;
use crate::units::{parse_duration, parse_size, print_duration, print_size};

/// Why a value is not what its kind says.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Whether a value has the TOML type of this kind. The value may still be invalid.
pub(super) fn fits(kind: &Kind, written: &DeValue<'_>) -> bool {
    match (kind, written) {
        // Words and sizes are both strings, so a word must be in the list.
        (Kind::Word(words, later), DeValue::String(text)) => {
            words.contains(&text.as_ref()) || later.contains(&text.as_ref())
        }
        (Kind::Word(..), _) => false,
        (Kind::Text(_) | Kind::Duration(..) | Kind::Size(..), written) => written.is_str(),
        (Kind::Integer(..), written) => written.is_integer(),
        (Kind::Bool, written) => written.is_bool(),
        (Kind::List(_) | Kind::Tables(_), written) => written.is_array(),
        (Kind::Table(_) | Kind::Named(_) | Kind::Map(..), written) => written.is_table(),
        (Kind::OneOrMore(_), _) => true,
        (Kind::Either(one, other), written) => fits(one, written) || fits(other, written),
    }
}

/// Reads a scalar value.
pub(super) fn read(kind: &Kind, name: &str, written: &DeValue<'_>) -> Result<Data, Wrong> {
    match (kind, written) {
        (Kind::Bool, DeValue::Boolean(value)) => Ok(Data::Bool(*value)),
        (Kind::Text(_), DeValue::String(text)) => Ok(Data::Text(text.as_ref().to_owned())),
        (Kind::Word(words, later), DeValue::String(text)) => word(words, later, name, text),
        (Kind::Integer(first, last), DeValue::Integer(number)) => {
            let parsed = i128::from_str_radix(number.as_str(), number.radix()).ok();
            let parsed = parsed.and_then(|number| u64::try_from(number).ok());
            let inside = parsed.filter(|number| (first..=last).contains(&number));
            let message = || format!("`{name}` must be from {first} to {last}, not {number}");
            inside.map(Data::Integer).ok_or_else(|| Wrong { message: message(), hint: None })
        }
        (Kind::Duration(first, last), DeValue::String(text)) => duration(*first, *last, name, text),
        (Kind::Size(first, last), DeValue::String(text)) => size(*first, *last, name, text),
        // The other alternatives are not strings, so the operator meant one of the words.
        (Kind::Either(Kind::Word(words, later), _), DeValue::String(text)) if words.len() > 1 => {
            word(words, later, name, text)
        }
        (kind, written) => Err(other_type(kind, name, written)),
    }
}

fn word(words: &[&str], later: &[&str], name: &str, text: &str) -> Result<Data, Wrong> {
    if words.contains(&text) {
        return Ok(Data::Text(text.to_owned()));
    }
    let all: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    if later.contains(&text) {
        let message = format!("`{name} = \"{text}\"` is not available in this version");
        return Err(Wrong { message, hint: Some(format!("available: {}", all.join(", "))) });
    }
    let hint = match (foreign::value(name, text, words), nearest(text, words.iter().copied())) {
        (Some(foreign), _) => foreign.hint(),
        (_, Some(near)) => format!("did you mean `{near}`?"),
        (_, None) => format!("one of {}", all.join(", ")),
    };
    Err(Wrong { message: format!("`{name}` cannot be `{}`", text.escape_debug()), hint: Some(hint) })
}

fn duration(first: u64, last: u64, name: &str, text: &str) -> Result<Data, Wrong> {
    let Some(found) = parse_duration(text) else {
        let message = format!("`{}` is not a duration", text.escape_debug());
        return Err(Wrong { message, hint: Some(duration_hint(first, last, text)) });
    };
    let (first, last) = (Duration::from_millis(first), Duration::from_millis(last));
    if (first..=last).contains(&found) {
        return Ok(Data::Duration(found));
    }
    let (first, last) = (print_duration(first), print_duration(last));
    Err(Wrong { message: format!("`{name}` must be from {first} to {last}, not {text}"), hint: None })
}

fn duration_hint(first: u64, last: u64, text: &str) -> String {
    if text.starts_with('-') {
        return "a duration cannot be negative".to_owned();
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let (unit, word) = unit(first, last, text);
        return format!("a duration needs a unit: `\"{text}{unit}\"` is {word}");
    }
    "a duration is a whole number and one of the units `ms`, `s`, `m`, `h` and `d`, such as `\"75s\"`"
        .to_owned()
}

/// The unit that was most likely meant, and a word for it: seconds, unless only milliseconds are in the range.
fn unit(first: u64, last: u64, number: &str) -> (&'static str, &'static str) {
    let is_inside = |unit: &str| {
        let found = parse_duration(&format!("{number}{unit}"));
        found.is_some_and(|found| (first.into()..=last.into()).contains(&found.as_millis()))
    };
    if is_inside("ms") && !is_inside("s") { ("ms", "milliseconds") } else { ("s", "seconds") }
}

fn size(first: u64, last: u64, name: &str, text: &str) -> Result<Data, Wrong> {
    let Some(found) = parse_size(text) else {
        let message = format!("`{}` is not a size", text.escape_debug());
        let hint =
            "a size is a whole number and one of the units `B`, `KiB`, `MiB` and `GiB`, such as `\"16KiB\"`";
        return Err(Wrong { message, hint: Some(hint.to_owned()) });
    };
    if (first..=last).contains(&found) {
        return Ok(Data::Integer(found));
    }
    let (first, last) = (print_size(first), print_size(last));
    Err(Wrong { message: format!("`{name}` must be from {first} to {last}, not {text}"), hint: None })
}

fn other_type(kind: &Kind, name: &str, written: &DeValue<'_>) -> Wrong {
    let message = format!("`{name}` must be {}, not {}", wanted(kind), type_of(written));
    Wrong { message, hint: type_hint(kind, name, written) }
}

fn type_hint(kind: &Kind, name: &str, written: &DeValue<'_>) -> Option<String> {
    match (kind, written) {
        (Kind::Duration(..), DeValue::Integer(number)) if number.as_str().starts_with('-') => {
            Some("a duration cannot be negative".to_owned())
        }
        (Kind::Duration(first, last), DeValue::Integer(number)) => {
            let (unit, word) = unit(*first, *last, number.as_str());
            Some(format!("a duration needs a unit: `{name} = \"{number}{unit}\"` is {word}"))
        }
        (Kind::Size(..), DeValue::Integer(number)) => {
            Some(format!("a size needs a unit: `{name} = \"{number}B\"` is bytes"))
        }
        (Kind::Either(one, other), written) => {
            type_hint(one, name, written).or_else(|| type_hint(other, name, written))
        }
        (Kind::Bool, DeValue::String(_)) => {
            Some(format!("`{name} = true` or `{name} = false`, without quotes"))
        }
        (Kind::Integer(..), DeValue::String(text)) if text.parse::<u64>().is_ok() => {
            Some(format!("`{name} = {text}`, without quotes"))
        }
        (Kind::Tables(_), DeValue::Table(_)) => {
            Some(format!("each `{name}` opens with double brackets: `[[….{name}]]`"))
        }
        (Kind::Table(fields), written) => table_hint(fields, name, written),
        (Kind::Text(_), DeValue::Float(number)) => Some(format!("`{name} = \"{number}\"`, with quotes")),
        (Kind::List(_), DeValue::String(text)) => Some(format!("`{name} = [\"{}\"]`", text.escape_debug())),
        _ => None,
    }
}

/// What a table with a `type` looks like, if possible with the type that was written in its place.
fn table_hint(fields: Fields, name: &str, written: &DeValue<'_>) -> Option<String> {
    let key = find(fields, "type")?;
    let Kind::Word(words, _) = key.kind else { return None };
    let text = written.as_str().unwrap_or_default();
    if words.contains(&text) {
        return Some(format!("`{name} = {{ type = \"{text}\" }}`"));
    }
    Some(match foreign::value("type", text, words) {
        Some(foreign) => format!("`{name} = {}`", foreign.table()),
        None => format!("for example `{}`", key.example),
    })
}

/// The name of the kind in "must be …".
fn wanted(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::Duration(..) => "a duration".to_owned(),
        Kind::Size(..) => "a size".to_owned(),
        Kind::Integer(..) => "an integer".to_owned(),
        Kind::Word([only], _) => format!("`\"{only}\"`"),
        Kind::Text(_) | Kind::Word(..) => "a string".to_owned(),
        Kind::List(_) | Kind::OneOrMore(_) => "a list".to_owned(),
        Kind::Tables(_) => "a list of tables".to_owned(),
        Kind::Map(..) | Kind::Table(_) | Kind::Named(_) => "a table".to_owned(),
        Kind::Either(one, other) => format!("{} or {}", wanted(one), wanted(other)),
    }
}

fn type_of(written: &DeValue<'_>) -> &'static str {
    match written {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
