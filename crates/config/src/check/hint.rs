//! Hints for unknown keys: what the operator most likely meant.

use super::elsewhere;
use crate::keys::foreign::{self, LATER_KEYS, SYNONYMS};
use crate::keys::{Fields, find};
use crate::near::nearest;

/// The key of this table that was most likely misspelt, or that other products call so.
pub(super) fn slip(fields: Fields, name: &str) -> Option<&'static str> {
    let synonym = SYNONYMS.iter().find(|(word, meant)| *word == name && find(fields, meant).is_some());
    if let Some((_, meant)) = synonym {
        return Some(meant);
    }
    let foreign = foreign::hint_in(fields, name).is_some() || LATER_KEYS.contains(&name);
    let here = fields.iter().copied().flatten().map(|key| key.name);
    if foreign { None } else { nearest(name, here) }
}

/// The hint for another product's word, a key of a later version, a misspelling, or a key of another table.
pub(super) fn unknown(fields: Fields, name: &str) -> Option<String> {
    if let Some(hint) = foreign::hint_in(fields, name) {
        return Some(hint.to_owned());
    }
    if LATER_KEYS.contains(&name) {
        return Some("it is not available in this version".to_owned());
    }
    if let Some(near) = slip(fields, name) {
        return Some(format!("did you mean `{near}`?"));
    }
    let others = elsewhere(name);
    let tables: Vec<_> = others.iter().map(|(path, _)| format!("`{path}`")).collect();
    (!tables.is_empty()).then(|| format!("there is a key of this name at {}", tables.join(" and ")))
}
