//! Import circles: modules of a crate that import each other, directly or through others.
//!
//! A node is a module that has a file. An edge means that code of one module names an item that the other declares;
//! re-exports are followed to the declaring module. `mod` items, re-exports and test code are no imports.

mod graph;
pub(crate) mod imports;
mod modules;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use self::modules::{Edge, Graph};
use super::exceptions::{self, CircleException};
use super::source::Source;
use super::text::Text;
use crate::Outcome;

pub(crate) fn problems(texts: &[Text], sources: &[Source]) -> Vec<String> {
    check(&circles(texts, sources), exceptions::CIRCLES)
}

/// All circles of one crate, or of all crates: the modules, and the edges from the one with the fewest items on.
pub(crate) fn report(texts: &[Text], sources: &[Source], package: Option<&str>) -> Outcome<String> {
    let packages = packages(texts);
    if let Some(name) = package
        && !packages.iter().any(|(package, _)| package == name)
    {
        return Err(format!("no crate {name:?}"));
    }
    let mut page = String::new();
    for circle in circles(texts, sources) {
        if package.is_none_or(|name| name == circle.package) {
            circle.describe(&mut page);
        }
    }
    if page.is_empty() {
        page.push_str("no import circles\n");
    }
    Ok(page)
}

/// A strongly connected part of a crate's graph.
#[derive(Debug)]
struct Circle {
    package: String,
    modules: BTreeSet<String>,
    links: Vec<Link>,
}

/// An edge of a circle, with names for people.
#[derive(Debug)]
struct Link {
    from: String,
    to: String,
    /// The file of `from`.
    path: String,
    items: Edge,
}

fn circles(texts: &[Text], sources: &[Source]) -> Vec<Circle> {
    let mut circles = Vec::new();
    for (package, root) in packages(texts) {
        let graph = Graph::of(&root, sources);
        circles.extend(circles_of(&package, graph));
    }
    circles
}

fn circles_of(package: &str, mut graph: Graph) -> Vec<Circle> {
    let all: BTreeSet<(usize, usize)> = graph.edges.keys().copied().collect();
    let mut circles = Vec::new();
    for component in graph::components(graph.modules.len(), &all) {
        let mut links = Vec::new();
        for &(from, to) in all.iter().filter(|(from, to)| component.contains(from) && component.contains(to))
        {
            links.push(Link {
                from: graph.modules[from].name.clone(),
                to: graph.modules[to].name.clone(),
                path: graph.modules[from].path.clone(),
                items: graph.edges.remove(&(from, to)).unwrap_or_default(),
            });
        }
        links.sort_by_key(|link| (link.items.len(), link.from.clone(), link.to.clone()));
        let modules = component.iter().map(|&module| graph.modules[module].name.clone()).collect();
        circles.push(Circle { package: package.to_owned(), modules, links });
    }
    circles
}

impl Circle {
    fn title(&self) -> String {
        let modules: Vec<&str> = self.modules.iter().map(String::as_str).collect();
        format!("crate {}: {} modules import each other: {}", self.package, modules.len(), modules.join(", "))
    }

    /// A small set of items, as `(module, name)`, without whose imports there is no circle.
    fn cheapest_items(&self) -> BTreeSet<(&str, &str)> {
        let nodes: Vec<&str> = self.modules.iter().map(String::as_str).collect();
        let items: BTreeSet<(&str, &str)> = self.links.iter().flat_map(Link::declared).collect();
        let items: Vec<(&str, &str)> = items.into_iter().collect();
        let node = |name: &str| nodes.binary_search(&name).unwrap_or(0);
        let mut imports = BTreeMap::new();
        for link in &self.links {
            let numbers = link.declared().map(|item| items.binary_search(&item).unwrap_or(0)).collect();
            imports.insert((node(&link.from), node(&link.to)), numbers);
        }
        graph::cut(&(0..nodes.len()).collect(), &imports).into_iter().map(|item| items[item]).collect()
    }

    fn describe(&self, page: &mut String) {
        let cheapest = self.cheapest_items();
        let _ = writeln!(
            page,
            "{}\n\n{} edges. Without the imports of these {} items (marked * below) there is no circle:\n",
            self.title(),
            self.links.len(),
            cheapest.len()
        );
        for item in &cheapest {
            let links = self.links.iter().filter(|link| link.declared().any(|declared| declared == *item));
            let importers: Vec<&str> = links.map(|link| link.from.as_str()).collect();
            let _ = writeln!(page, "  {}::{} in {}", item.0, item.1, importers.join(", "));
        }
        let _ = writeln!(page, "\nItems, edge; each item with its first import:\n");
        for link in &self.links {
            let _ = writeln!(page, "  {:2}  {} -> {}", link.items.len(), link.from, link.to);
            for (item, import) in &link.items {
                let mark = if cheapest.contains(&(link.to.as_str(), item.as_str())) { '*' } else { ' ' };
                let _ =
                    writeln!(page, "      {mark} {item:24} {}:{}: {}", link.path, import.line, import.path);
            }
        }
        page.push('\n');
    }

    /// One problem: the circle, why it is one, and one import for each edge of interest.
    fn problem(&self, why: &str, is_shown: impl Fn(&Link) -> bool) -> String {
        let mut problem = format!("{}\n  {why}", self.title());
        for link in self.links.iter().filter(|link| is_shown(link)) {
            if let Some((_, import)) = link.items.first_key_value() {
                let (from, to) = (&link.from, &link.to);
                let _ = write!(problem, "\n  {from} -> {to}: {}:{}: {}", link.path, import.line, import.path);
            }
        }
        problem
    }

    /// Modules that only this circle, and those that only the exception has.
    fn difference<'a>(&'a self, exception: &'a CircleException) -> (Vec<&'a str>, Vec<&'a str>) {
        let listed: BTreeSet<&str> = exception.modules.iter().copied().collect();
        let found: BTreeSet<&str> = self.modules.iter().map(String::as_str).collect();
        (found.difference(&listed).copied().collect(), listed.difference(&found).copied().collect())
    }

    fn overlaps(&self, exception: &CircleException) -> bool {
        self.package == exception.package && exception.modules.iter().any(|&m| self.modules.contains(m))
    }
}

impl Link {
    fn declared(&self) -> impl Iterator<Item = (&str, &str)> {
        self.items.keys().map(|item| (self.to.as_str(), item.as_str()))
    }
}

/// The list only shrinks: what is not listed, has grown, has shrunk or is gone is a problem.
fn check(circles: &[Circle], exceptions: &[CircleException]) -> Vec<String> {
    let mut problems = Vec::new();
    for circle in circles {
        let Some(exception) = exceptions.iter().find(|exception| circle.overlaps(exception)) else {
            let why =
                "move what both need into a module below them; `cargo xtask tidy circles` shows all edges";
            problems.push(circle.problem(why, |_| true));
            continue;
        };
        let (new, gone) = circle.difference(exception);
        if !new.is_empty() {
            let why = format!("a listed circle has grown by {}", new.join(", "));
            problems.push(
                circle.problem(&why, |link| {
                    new.contains(&link.from.as_str()) || new.contains(&link.to.as_str())
                }),
            );
        }
        if !gone.is_empty() {
            problems.push(format!(
                "crate {}: take {} off the listed circle; it is no longer part of it",
                circle.package,
                gone.join(", ")
            ));
        }
    }
    for exception in exceptions {
        if !circles.iter().any(|circle| circle.overlaps(exception)) {
            problems.push(format!(
                "crate {}: no circle among {}: take it off the exceptions",
                exception.package,
                exception.modules.join(", ")
            ));
        }
        if exception.reason.is_empty() {
            problems.push(format!("crate {}: a listed circle has no reason", exception.package));
        }
    }
    problems
}

/// Crates with the path of their root file: packages that have a `src/lib.rs` or a `src/main.rs`.
fn packages(texts: &[Text]) -> Vec<(String, String)> {
    let mut packages = Vec::new();
    for text in texts {
        let Some(directory) =
            ["/src/lib.rs", "/src/main.rs"].iter().find_map(|end| text.path.strip_suffix(end))
        else {
            continue;
        };
        let manifest = texts.iter().find(|text| text.path == format!("{directory}/Cargo.toml"));
        let name = manifest.and_then(|manifest| {
            let line = manifest.text.lines().find_map(|line| line.strip_prefix("name = \""))?;
            line.split('"').next()
        });
        if let Some(name) = name {
            packages.push((name.to_owned(), text.path.clone()));
        }
    }
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crate `a` of these files below `src`.
    fn found(files: &[(&str, &str)]) -> Vec<Circle> {
        let (texts, sources) = tree(files);
        circles(&texts, &sources)
    }

    fn tree(files: &[(&str, &str)]) -> (Vec<Text>, Vec<Source>) {
        let text = |path: &str, text: &str| Text { path: format!("crates/a/{path}"), text: text.into() };
        let mut texts = vec![text("Cargo.toml", "[package]\nname = \"a\"\n")];
        texts.extend(files.iter().map(|(path, content)| text(&format!("src/{path}"), content)));
        let sources = texts[1..].iter().map(|text| Source::parse(text).unwrap()).collect();
        (texts, sources)
    }

    fn modules(circle: &Circle) -> Vec<&str> {
        circle.modules.iter().map(String::as_str).collect()
    }

    fn links(circle: &Circle) -> Vec<String> {
        circle.links.iter().map(|link| format!("{} -> {}", link.from, link.to)).collect()
    }

    const ROOT: (&str, &str) = ("lib.rs", "mod b; mod c; mod d;");

    #[test]
    fn modules_that_import_each_other_are_a_circle() {
        for (b, c, is_circle) in [
            ("use crate::c::C; struct B;", "use crate::b::B; struct C;", true),
            ("use super::c::C; struct B;", "fn f(b: super::b::B) {} struct C;", true),
            ("use super::c; fn f() { c::g(); }", "use super::b; fn g() { b::f(); }", true),
            ("fn f() { m!(crate::c::g()); }", "fn g() { crate::b::f(); }", true),
            ("use super::{c::{self as x, C}}; struct B;", "use super::b::*; struct C;", true),
            ("use crate::c::C; struct B;", "struct C;", false),
            ("use crate::c::C; struct B;", "#[cfg(test)] mod tests { use crate::b::B; } struct C;", false),
            ("use crate::c::C; struct B;", "pub(in crate::b) struct C;", false),
            ("use crate::c::C; struct B;", "/// [`crate::b::B`]\nstruct C;", false),
            ("use crate::c::C; struct B;", "use b::B; struct C;", false),
            ("use crate::c::C; struct B;", "mod inline { use crate::b::B; } struct C;", true),
        ] {
            let found = found(&[ROOT, ("b.rs", b), ("c.rs", c), ("d.rs", "use crate::b::B;")]);
            assert_eq!(!found.is_empty(), is_circle, "{b} {c} {found:?}");
            assert!(found.iter().all(|circle| modules(circle) == ["b", "c"]), "{found:?}");
        }
    }

    #[test]
    fn a_re_export_leads_to_the_declaring_module() {
        let parent = "mod b; mod c; pub(crate) use b::B;";
        for (parent, c, expected) in [
            (parent, "use super::B;", None),
            (parent, "use crate::p::B;", None),
            ("mod b; mod c; pub(crate) use b::*;", "use super::B;", None),
            ("mod b; mod c; use b::B;", "use super::B; struct C;", None),
            // The parent's own code uses what it re-exports, or what the child declares.
            (
                "mod b; mod c; pub(crate) use b::B; use c::C; struct P; fn f(b: B) {}",
                "use super::B; struct C;",
                None,
            ),
            ("mod b; mod c; use c::C; struct P;", "use super::P; struct C;", Some(["p", "p::c"])),
        ] {
            let found =
                found(&[("lib.rs", "mod p;"), ("p.rs", parent), ("p/b.rs", "struct B;"), ("p/c.rs", c)]);
            let circle = found.first().map(|circle| modules(circle));
            assert_eq!(circle, expected.as_ref().map(|modules| modules.to_vec()), "{parent} {c}");
        }
    }

    #[test]
    fn one_name_may_be_a_module_and_a_function() {
        let found = found(&[
            ("lib.rs", "mod b; mod c;"),
            ("b.rs", "use super::c::{self, c}; pub struct B; fn f() { c(); c::other(); }"),
            ("c.rs", "use crate::b::B; pub fn c() {} pub fn other() {}"),
        ]);
        let items: Vec<&String> = found[0].links.iter().flat_map(|link| link.items.keys()).collect();
        assert_eq!(items, ["B", "c", "other"]);
    }

    #[test]
    fn the_report_begins_with_the_cheapest_edge() {
        let (texts, sources) = tree(&[
            ROOT,
            ("b.rs", "use crate::c::{C, E}; struct B;"),
            ("c.rs", "use crate::d::{D, F}; struct C; struct E;"),
            ("d.rs", "use crate::b::B; struct D; struct F;"),
        ]);
        assert_eq!(links(&circles(&texts, &sources)[0]), ["d -> b", "b -> c", "c -> d"]);
        let report = report(&texts, &sources, Some("a")).unwrap();
        assert!(report.contains("  b::B in d\n"), "{report}");
        assert!(report.contains("   1  d -> b\n      * B "), "{report}");
        assert!(report.contains("crates/a/src/d.rs:1: crate::b::B\n"), "{report}");
        assert!(super::report(&texts, &sources, Some("x")).is_err());
    }

    #[test]
    fn a_listed_circle_may_neither_grow_nor_linger() {
        const fn listed(modules: &'static [&'static str]) -> CircleException {
            CircleException { package: "a", modules, reason: "a reason" }
        }
        let found = found(&[
            ROOT,
            ("b.rs", "use crate::c::C; struct B;"),
            ("c.rs", "use crate::d::D; struct C;"),
            ("d.rs", "use crate::b::B; struct D;"),
        ]);
        for (exceptions, expected) in [
            (&[][..], &["b -> c: crates/a/src/b.rs:1: crate::c::C"][..]),
            (&[listed(&["b", "c", "d"])], &[]),
            (&[listed(&["b", "c"])], &["grown by d"]),
            (&[listed(&["b", "c", "d", "e"])], &["take e off"]),
            (&[listed(&["b", "c", "d"]), listed(&["e", "f"])], &["no circle among e, f"]),
        ] {
            let problems = check(&found, exceptions);
            assert_eq!(problems.len(), expected.len(), "{problems:?}");
            assert!(problems.iter().zip(expected).all(|(p, text)| p.contains(text)), "{problems:?}");
        }
        assert!(check(&[], &[listed(&["b", "c"])])[0].contains("no circle among b, c"));
    }
}
