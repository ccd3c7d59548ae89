//! The modules of one crate and what each imports from the others.

use std::collections::{BTreeMap, HashMap};

use super::imports::{Kind, Place, Scope};
use crate::tidy::source::Source;

/// A crate as a graph: one node for each module that has a file.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) modules: Vec<Module>,
    /// By importing and imported module.
    pub(crate) edges: BTreeMap<(usize, usize), Edge>,
}

#[derive(Debug)]
pub(crate) struct Module {
    /// `http::relay`; `crate` for the root.
    pub(crate) name: String,
    pub(crate) path: String,
}

/// The items that one module imports from another, by name, each with the first place that names it.
pub(crate) type Edge = BTreeMap<String, Import>;

#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) path: String,
    pub(crate) line: usize,
}

impl Graph {
    /// `root` is the path of the crate's `lib.rs` or `main.rs`.
    pub(crate) fn of(root: &str, sources: &[Source]) -> Self {
        let by_path = sources.iter().map(|source| (source.path.as_str(), source)).collect();
        let mut tree = Tree { by_path, modules: Vec::new(), nodes: Vec::new() };
        tree.add_file(root, "crate", None);
        let mut edges = BTreeMap::new();
        for at in 0..tree.nodes.len() {
            tree.add_edges(at, &mut edges);
        }
        Self { modules: tree.modules, edges }
    }
}

struct Tree<'a> {
    by_path: HashMap<&'a str, &'a Source>,
    modules: Vec<Module>,
    nodes: Vec<Node<'a>>,
}

/// A module, inline or not.
struct Node<'a> {
    scope: &'a Scope,
    parent: Option<usize>,
    children: HashMap<&'a str, usize>,
    /// The module whose file it is written in.
    file: usize,
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Node(usize),
    Item {
        file: usize,
        name: String,
    },
    /// Of another crate, or a local name.
    Foreign,
}

impl<'a> Tree<'a> {
    fn add_file(&mut self, path: &str, name: &str, parent: Option<usize>) -> Option<usize> {
        let source = *self.by_path.get(path)?;
        let file = self.modules.len();
        self.modules.push(Module { name: name.to_owned(), path: path.to_owned() });
        Some(self.add_node(&source.scope, &source.module_directory(), name, parent, file))
    }

    /// `directory` is where the out-of-line modules of this one lie.
    fn add_node(
        &mut self,
        scope: &'a Scope,
        directory: &str,
        name: &str,
        parent: Option<usize>,
        file: usize,
    ) -> usize {
        let node = self.nodes.len();
        self.nodes.push(Node { scope, parent, children: HashMap::new(), file });
        let full = |child: &str| match name {
            "crate" => child.to_owned(),
            name => format!("{name}::{child}"),
        };
        for (child, scope) in &scope.inline {
            let at = self.add_node(scope, &format!("{directory}/{child}"), &full(child), Some(node), file);
            self.nodes[node].children.insert(child, at);
        }
        for child in &scope.files {
            let paths = [format!("{directory}/{child}.rs"), format!("{directory}/{child}/mod.rs")];
            let at = paths.iter().find_map(|path| self.add_file(path, &full(child), Some(node)));
            if let Some(at) = at {
                self.nodes[node].children.insert(child, at);
            }
        }
        node
    }

    /// The imports of one module. A `use` of a module counts by the paths that go through it; a re-export counts only
    /// where the module's own code names it too.
    fn add_edges(&self, at: usize, edges: &mut BTreeMap<(usize, usize), Edge>) {
        let from = self.nodes[at].file;
        let mut add = |found: Found, place: &Place| {
            if let Found::Item { file, name } = found
                && file != from
            {
                let import = Import { path: place.path.join("::"), line: place.line };
                edges.entry((from, file)).or_default().entry(name).or_insert(import);
            }
        };
        let scope = self.nodes[at].scope;
        for used in &scope.uses {
            let is_used = used.name.as_ref().is_some_and(|name| scope.named.contains(name));
            if used.is_public && !is_used {
                continue;
            }
            match (self.resolve(at, &used.place.path, DEPTH_MAX), &used.name) {
                (Found::Node(node), None) => {
                    add(Found::Item { file: self.nodes[node].file, name: "*".into() }, &used.place);
                }
                (found, _) => add(found, &used.place),
            }
        }
        for place in &scope.paths {
            add(self.resolve(at, &place.path, DEPTH_MAX), place);
        }
    }

    fn resolve(&self, from: usize, path: &[String], depth: usize) -> Found {
        let mut at = from;
        let mut rest = path;
        let mut is_anchored = false;
        while let Some((first, tail)) = rest.split_first() {
            at = match first.as_str() {
                "crate" => 0,
                "self" => at,
                "super" => self.nodes[at].parent.unwrap_or(0),
                _ => break,
            };
            (rest, is_anchored) = (tail, true);
        }
        while let Some((name, tail)) = rest.split_first() {
            match self.look_up(at, name, tail.is_empty(), depth) {
                Some(Found::Node(next)) => at = next,
                Some(found) => return found,
                // A macro declares it.
                None if is_anchored => return Found::Item { file: self.nodes[at].file, name: name.clone() },
                None => return Found::Foreign,
            }
            (rest, is_anchored) = (tail, true);
        }
        Found::Node(at)
    }

    /// What a name means in a module. One name may be a module and a function: `is_last` says which is wanted.
    fn look_up(&self, at: usize, name: &str, is_last: bool, depth: usize) -> Option<Found> {
        let depth = depth.checked_sub(1)?;
        let node = &self.nodes[at];
        let child = node.children.get(name).map(|&child| Found::Node(child));
        let kind = node.scope.items.get(name);
        let item = kind.map(|_| Found::Item { file: node.file, name: name.to_owned() });
        let uses = node.scope.uses.iter().filter(|used| used.name.as_deref() == Some(name));
        let imported: Vec<Found> = uses
            .map(|used| self.resolve(at, &used.place.path, depth))
            .filter(|f| *f != Found::Foreign)
            .collect();
        let is_node = |found: &&Found| matches!(found, Found::Node(_));
        let through = imported.iter().find(is_node).cloned();
        let to = imported.iter().find(|found| !is_node(found)).cloned();
        let found = if is_last {
            item.or(to).or(child).or(through)
        } else {
            child.or(through).or(item.filter(|_| kind == Some(&Kind::Type))).or(to)
        };
        let is_imported = node.scope.uses.iter().any(|used| used.name.as_deref() == Some(name));
        found
            .or_else(|| is_imported.then_some(Found::Foreign))
            .or_else(|| self.look_up_in_globs(at, name, is_last, depth))
    }

    fn look_up_in_globs(&self, at: usize, name: &str, is_last: bool, depth: usize) -> Option<Found> {
        let globs = self.nodes[at].scope.uses.iter().filter(|used| used.name.is_none());
        globs.into_iter().find_map(|glob| match self.resolve(at, &glob.place.path, depth) {
            Found::Node(node) => self.look_up(node, name, is_last, depth),
            _ => None,
        })
    }
}

/// Re-exports of re-exports that are followed. limit: ends `use a::b` beside `use b::a`.
const DEPTH_MAX: usize = 12;
