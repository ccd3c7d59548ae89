//! The table of floors in ARCHITECTURE.md, against what `cargo metadata` says.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::{Outcome, workspace};

/// Where a crate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Floor {
    /// A crate uses lower floors only; neighbours do not know each other.
    Number(u32),
    /// Tests and tools: may use everything, is used by tests only.
    Dev,
}

pub(crate) fn problems(root: &Path) -> Outcome<Vec<String>> {
    let Ok(text) = std::fs::read_to_string(root.join(PAGE)) else {
        return Ok(vec![format!("{PAGE}: missing; it holds the table of floors")]);
    };
    Ok(compare(&table(&text), &workspace::metadata()?, root))
}

/// Rows `` | `crate`, `crate` | floor | … ``; the floor is a number, `dev`, or `–` for what is outside the workspace.
fn table(page: &str) -> BTreeMap<String, Floor> {
    let mut floors = BTreeMap::new();
    for line in page.lines() {
        let mut cells = line.trim().trim_start_matches('|').split('|').map(str::trim);
        let (Some(names), Some(floor)) = (cells.next(), cells.next()) else { continue };
        let floor = match floor {
            "dev" => Floor::Dev,
            number => match number.parse() {
                Ok(number) => Floor::Number(number),
                Err(_) => continue,
            },
        };
        // What stands between backticks: every second piece.
        for name in names.split('`').skip(1).step_by(2) {
            floors.insert(name.to_owned(), floor);
        }
    }
    floors
}

fn compare(floors: &BTreeMap<String, Floor>, metadata: &Value, root: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(&floor) = floors.get(name) else {
            problems.push(format!("{PAGE}: crate `{name}` is not in the table of floors"));
            continue;
        };
        let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
        for dependency in dependencies.iter().filter(|dependency| dependency["kind"] != "dev") {
            let used = dependency["name"].as_str().unwrap_or_default();
            if let Some(&below) = floors.get(used)
                && !may_use(floor, below)
            {
                problems.push(format!("crate `{name}` ({floor:?}) may not use `{used}` ({below:?})"));
            }
        }
        problems.extend(own_lints(package, name));
    }
    for name in floors.keys().filter(|name| !packages.iter().any(|package| package["name"] == name.as_str()))
    {
        // Later wings stand in the table before they are built.
        if root.join("crates").join(name).exists() {
            problems.push(format!("{PAGE}: `{name}` is no crate of the workspace"));
        }
    }
    problems
}

fn may_use(floor: Floor, below: Floor) -> bool {
    match (floor, below) {
        (Floor::Dev, _) => true,
        (Floor::Number(_), Floor::Dev) => false,
        (Floor::Number(floor), Floor::Number(below)) => below < floor,
    }
}

/// Every crate takes the workspace's lints; `net` keeps its own list, since it needs `unsafe`.
fn own_lints(package: &Value, name: &str) -> Option<String> {
    let manifest = package["manifest_path"].as_str()?;
    let text = std::fs::read_to_string(manifest).ok()?;
    let inherits = text.contains("[lints]\nworkspace = true");
    (name != "net" && !inherits).then(|| format!("crate `{name}` does not take the workspace's lints"))
}

const PAGE: &str = "ARCHITECTURE.md";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TABLE: &str = "text
| crate (`crates/NAME`) | floor | what |
|---|--:|---|
| `model` | 0 | nouns |
| `proto` | 1 | formats |
| `balance` | 1 | decisions |
| `testkit`, `xtask` | dev | tools |
| `fuzz/` | – | outside |
";

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Value {
        let dependencies: Vec<_> =
            dependencies.iter().map(|(name, kind)| json!({ "name": name, "kind": kind })).collect();
        json!({ "name": name, "dependencies": dependencies })
    }

    fn compared(packages: &[Value]) -> Vec<String> {
        compare(&table(TABLE), &json!({ "packages": packages }), Path::new("/nowhere"))
    }

    #[test]
    fn the_table_is_read() {
        let floors = table(TABLE);
        assert_eq!(floors.len(), 5);
        assert_eq!(floors["balance"], Floor::Number(1));
        assert_eq!(floors["xtask"], Floor::Dev);
    }

    #[test]
    fn only_lower_floors_are_used() {
        for (name, used, kind, allowed) in [
            ("proto", "model", None, true),
            ("model", "proto", None, false),
            ("proto", "balance", None, false),
            ("proto", "testkit", None, false),
            ("proto", "testkit", Some("dev"), true),
            ("proto", "memchr", None, true),
            ("xtask", "balance", None, true),
        ] {
            let problems = compared(&[package(name, &[(used, kind)])]);
            assert_eq!(problems.is_empty(), allowed, "{name} {used}: {problems:?}");
        }
    }

    #[test]
    fn every_crate_is_in_the_table() {
        assert!(compared(&[package("novel", &[])])[0].contains("`novel` is not in the table"));
    }
}
