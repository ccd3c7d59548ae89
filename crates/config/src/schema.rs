//! `docs/configuration.schema.json`, made from the definitions of the keys (JSON Schema 2020-12).

use serde_json::{Map, Value, json};

use crate::keys::{self, Default, Fields, Key, Kind};

/// The schema for editors. It accepts every configuration that [`crate::parse`] accepts. It does not check
/// ranges of durations and dependencies between keys.
pub fn schema() -> String {
    let mut schema = table(keys::ROOT);
    if let Value::Object(fields) = &mut schema {
        fields.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        fields.insert("title".to_owned(), json!("Evenkeel configuration"));
    }
    // Serialising a map of strings to values cannot fail.
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

fn table(fields: Fields) -> Value {
    let all = || fields.iter().copied().flatten();
    let properties: Map<String, Value> = all().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<_> = all().filter(|key| key.default == Default::Required).map(|key| key.name).collect();
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if let (Value::Object(fields), false) = (&mut schema, required.is_empty()) {
        fields.insert("required".to_owned(), json!(required));
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = kind(&key.kind);
    if let Value::Object(fields) = &mut schema {
        fields.insert("description".to_owned(), json!(key.help));
    }
    schema
}

fn kind(kind: &Kind) -> Value {
    match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Duration(..) => json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" }),
        Kind::Size(..) => json!({ "type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB)$" }),
        Kind::Integer(first, last) => json!({ "type": "integer", "minimum": first, "maximum": last }),
        Kind::Text(_) => json!({ "type": "string" }),
        Kind::Word(words, _) => json!({ "enum": words }),
        Kind::List(of) => json!({ "type": "array", "items": self::kind(of) }),
        Kind::OneOrMore(of) => {
            let one = self::kind(of);
            json!({ "anyOf": [one, { "type": "array", "items": one }] })
        }
        Kind::Map(_, of) => json!({ "type": "object", "additionalProperties": self::kind(of) }),
        Kind::Either(one, other) => json!({ "anyOf": [self::kind(one), self::kind(other)] }),
        Kind::Table(fields) => table(fields),
        Kind::Tables(fields) => json!({ "type": "array", "items": table(fields) }),
        Kind::Named(fields) => json!({ "type": "object", "additionalProperties": table(fields) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_every_key_with_its_help() {
        let schema: Value = serde_json::from_str(&schema()).unwrap();
        let listener = &schema["properties"]["listener"]["additionalProperties"];
        assert_eq!(listener["required"], json!(["bind"]));
        assert_eq!(listener["additionalProperties"], json!(false));
        let requests = &listener["properties"]["keepalive_requests"];
        assert_eq!((&requests["minimum"], &requests["maximum"]), (&json!(1), &json!(10_000_000)));
        let text = super::schema();
        for (path, key) in keys::all() {
            assert!(text.contains(&json!(key.help).to_string()), "{path}");
        }
    }
}
