//! Checks the licences of all dependencies against the list in deny.toml. `cargo deny` does the same and more if it is
//! installed; this needs no other program.

use serde_json::Value;
use toml::de::DeTable;

use crate::{Outcome, workspace};

pub(crate) fn check() -> Outcome {
    let path = workspace::root().join("deny.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("deny.toml: {error}"))?;
    let allowed = allowed(&text)?;
    let metadata = workspace::metadata(true)?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let refused = refused(packages, &allowed);
    if refused.is_empty() {
        println!("{} packages under permitted licences", packages.len());
        return Ok(());
    }
    Err(format!("not under a licence that deny.toml allows:\n{}", refused.join("\n")))
}

fn allowed(text: &str) -> Outcome<Vec<String>> {
    let table = DeTable::parse(text).map_err(|error| format!("deny.toml: {error}"))?;
    let list = table.get_ref().get("licenses").and_then(|section| section.get_ref().get("allow"));
    let list = list.and_then(|list| list.get_ref().as_array()).ok_or("deny.toml: no `licenses.allow`")?;
    Ok(list.iter().filter_map(|name| name.get_ref().as_str()).map(str::to_owned).collect())
}

fn refused(packages: &[Value], allowed: &[String]) -> Vec<String> {
    packages
        .iter()
        .filter_map(|package| {
            let licence = package["license"].as_str().unwrap_or("none declared");
            let permitted = permits(licence, allowed);
            (!permitted).then(|| format!("  {}: {licence}", package["name"].as_str().unwrap_or_default()))
        })
        .collect()
}

/// Returns true if an SPDX expression can be met with the allowed licences. `/` is the old spelling of `OR`.
fn permits(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut expression = Expression { words: &words, allowed };
    let result = expression.any();
    result && expression.words.is_empty()
}

/// The rest of an expression. `OR` binds weaker than `AND`.
struct Expression<'a> {
    words: &'a [&'a str],
    allowed: &'a [String],
}

impl Expression<'_> {
    fn any(&mut self) -> bool {
        let mut result = self.all();
        while self.take("OR") {
            result |= self.all();
        }
        result
    }

    fn all(&mut self) -> bool {
        let mut result = self.one();
        while self.take("AND") {
            result &= self.one();
        }
        result
    }

    fn one(&mut self) -> bool {
        if self.take("(") {
            let result = self.any();
            return self.take(")") && result;
        }
        let Some((name, rest)) = self.words.split_first() else { return false };
        self.words = rest;
        let mut name = (*name).to_owned();
        if self.take("WITH")
            && let Some((exception, rest)) = self.words.split_first()
        {
            self.words = rest;
            name = format!("{name} WITH {exception}");
        }
        self.allowed.contains(&name)
    }

    fn take(&mut self, word: &str) -> bool {
        match self.words.split_first() {
            Some((first, rest)) if *first == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mit_and_apache() -> Vec<String> {
        ["MIT", "Apache-2.0"].map(String::from).to_vec()
    }

    #[test]
    fn expressions_are_understood() {
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("MIT OR GPL-3.0", true),
            ("GPL-3.0 OR MIT", true),
            ("MIT/Apache-2.0", true),
            ("MIT AND GPL-3.0", false),
            ("MIT AND Apache-2.0", true),
            ("(MIT OR GPL-3.0) AND Apache-2.0", true),
            ("MIT OR (GPL-3.0 AND Apache-2.0)", true),
            ("GPL-3.0 OR MIT AND BSD-2-Clause", false),
            ("Apache-2.0 WITH LLVM-exception", false),
            ("Apache-2.0 WITH LLVM-exception OR MIT", true),
            ("(MIT", false),
            ("MIT MIT", false),
            ("", false),
        ] {
            assert_eq!(permits(expression, &mit_and_apache()), expected, "{expression}");
        }
    }

    #[test]
    fn all_dependencies_are_permitted() {
        check().unwrap();
    }

    #[test]
    fn a_package_without_a_licence_is_refused() {
        let packages = [
            json!({ "name": "fine", "license": "MIT" }),
            json!({ "name": "none", "license": null }),
            json!({ "name": "copyleft", "license": "AGPL-3.0" }),
        ];
        assert_eq!(refused(&packages, &mit_and_apache()), ["  none: none declared", "  copyleft: AGPL-3.0"]);
    }

    #[test]
    fn the_list_is_read_from_deny_toml() {
        let list = allowed("[licenses]\nallow = [\"MIT\", \"Apache-2.0\"]\n").unwrap();
        assert_eq!(list, mit_and_apache());
        for text in ["", "[licenses]", "[licenses]\nallow = 1", "["] {
            assert!(allowed(text).is_err(), "{text}");
        }
    }
}
