//! What one Rust file declares and names: items, modules, `use` items and paths. Test code is left out.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::tidy::attributes::{is_for_tests, of_item};

/// A file, or an inline module in it.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// Names of the items declared here.
    pub(crate) items: BTreeMap<String, Kind>,
    /// Modules with a file of their own.
    pub(crate) files: Vec<String>,
    pub(crate) inline: BTreeMap<String, Scope>,
    pub(crate) uses: Vec<Use>,
    /// Paths of two or more segments in code.
    pub(crate) paths: Vec<Place>,
    /// First segments of all paths in code.
    pub(crate) named: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Type,
    /// A function, constant, static or macro: no path goes through it.
    Value,
}

/// One leaf of a `use` item.
#[derive(Debug)]
pub(crate) struct Use {
    /// `None` for `*`.
    pub(crate) name: Option<String>,
    pub(crate) place: Place,
    /// True with a visibility of its own: a re-export.
    pub(crate) is_public: bool,
}

/// A path and the line where it is written.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

impl Scope {
    pub(crate) fn read(items: &[syn::Item]) -> Self {
        let mut scope = Self::default();
        for item in items {
            scope.visit_item(item);
        }
        scope
    }

    fn add_use(&mut self, tree: &syn::UseTree, mut path: Vec<String>, is_public: bool) {
        let (name, ident) = match tree {
            syn::UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                return self.add_use(&tree.tree, path, is_public);
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_use(tree, path.clone(), is_public);
                }
                return;
            }
            syn::UseTree::Glob(glob) => {
                let line = glob.star_token.spans[0].start().line;
                self.uses.push(Use { name: None, place: Place { path, line }, is_public });
                return;
            }
            syn::UseTree::Name(tree) => (&tree.ident, &tree.ident),
            syn::UseTree::Rename(tree) => (&tree.rename, &tree.ident),
        };
        let mut name = name.to_string();
        if ident != "self" {
            path.push(ident.to_string());
        } else if name == "self" {
            name = path.last().cloned().unwrap_or_default();
        }
        let line = ident.span().start().line;
        self.uses.push(Use { name: Some(name), place: Place { path, line }, is_public });
    }

    fn add_path(&mut self, path: Vec<String>, line: usize) {
        self.named.extend(path.first().cloned());
        if path.len() > 1 {
            self.paths.push(Place { path, line });
        }
    }

    /// Paths in the tokens of a macro: `a::b::c` after neither `::`, `.` nor `$`, but `$crate::a` is a path.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is = |at: usize, wanted: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == wanted);
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.add_tokens(group.stream()),
                TokenTree::Ident(first) => {
                    let before = at.checked_sub(1);
                    let mut path = vec![first.to_string()];
                    while let (true, true, Some(TokenTree::Ident(next))) =
                        (is(at + 1, ':'), is(at + 2, ':'), tokens.get(at + 3))
                    {
                        path.push(next.to_string());
                        at += 3;
                    }
                    let follows = |mark| before.is_some_and(|before| is(before, mark));
                    let is_colon = follows(':') && before.is_some_and(|b| b > 0 && is(b - 1, ':'));
                    if !is_colon && !follows('.') && (!follows('$') || first == "crate") {
                        self.add_path(path, first.span().start().line);
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            at += 1;
        }
    }
}

impl<'ast> Visit<'ast> for Scope {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if of_item(item).iter().any(is_for_tests) {
            return;
        }
        if let Some((ident, kind)) = declared(item) {
            self.items.insert(ident.to_string(), kind);
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let name = module.ident.to_string();
        match &module.content {
            Some((_, items)) => {
                self.inline.insert(name, Self::read(items));
            }
            None => self.files.push(name),
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.leading_colon.is_none() {
            let is_public = !matches!(item.vis, syn::Visibility::Inherited);
            self.add_use(&item.tree, Vec::new(), is_public);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !function.attrs.iter().any(is_for_tests) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !field.attrs.iter().any(is_for_tests) {
            visit::visit_field(self, field);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
            let line = path.segments.first().map_or(0, |first| first.ident.span().start().line);
            self.add_path(segments, line);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.add_tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    /// `pub(in crate::a)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

fn declared(item: &syn::Item) -> Option<(&Ident, Kind)> {
    Some(match item {
        syn::Item::Enum(item) => (&item.ident, Kind::Type),
        syn::Item::Struct(item) => (&item.ident, Kind::Type),
        syn::Item::Trait(item) => (&item.ident, Kind::Type),
        syn::Item::Type(item) => (&item.ident, Kind::Type),
        syn::Item::Union(item) => (&item.ident, Kind::Type),
        syn::Item::Const(item) => (&item.ident, Kind::Value),
        syn::Item::Fn(item) => (&item.sig.ident, Kind::Value),
        syn::Item::Static(item) => (&item.ident, Kind::Value),
        syn::Item::Macro(item) => (item.ident.as_ref()?, Kind::Value),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Scope {
        Scope::read(&syn::parse_file(text).unwrap().items)
    }

    fn paths(scope: &Scope) -> Vec<String> {
        scope.paths.iter().map(|place| place.path.join("::")).collect()
    }

    #[test]
    fn use_trees_are_flattened() {
        let scope = read("use a::{self, b::{C as D, self as e}, f::*};\npub(crate) use g::H;\nuse ::i::J;");
        let uses: Vec<_> = scope
            .uses
            .iter()
            .map(|u| (u.name.as_deref().unwrap_or("*"), u.place.path.join("::"), u.is_public))
            .collect();
        let expected = [
            ("a", "a", false),
            ("D", "a::b::C", false),
            ("e", "a::b", false),
            ("*", "a::f", false),
            ("H", "g::H", true),
        ];
        assert_eq!(uses, expected.map(|(name, path, public)| (name, path.to_owned(), public)));
    }

    #[test]
    fn paths_in_code_and_macros_are_found() {
        for (code, expected) in [
            ("fn f() { a::b(); c(); }", &["a::b"][..]),
            ("fn f(x: Vec<a::B>) -> c::D {}", &["a::B", "c::D"]),
            ("impl a::B for c::D {}", &["a::B", "c::D"]),
            ("fn f() { <A as b::C>::d(); }", &["b::C::d"]),
            ("fn f() { m!(x.y::<T>(), a::b::c, ::d::e); }", &["a::b::c"]),
            ("macro_rules! m { ($x:ident) => { $crate::a::f($x::g) } }", &["crate::a::f"]),
            ("pub(in crate::a) fn f() {}", &[]),
            ("#[allow(clippy::all)] fn f() {}", &[]),
        ] {
            assert_eq!(paths(&read(code)), expected, "{code}");
        }
    }

    #[test]
    fn test_code_is_left_out() {
        let scope = read(
            "#[cfg(test)] mod tests { fn f() { a::b(); } }\n#[cfg(test)] mod sim;\n#[cfg(test)] use a::B;
             struct S { #[cfg(test)] x: a::C }\nimpl S { #[cfg(test)] fn f() { a::d(); } fn g() { a::e(); } }",
        );
        assert!(scope.inline.is_empty() && scope.files.is_empty() && scope.uses.is_empty());
        assert_eq!(paths(&scope), ["a::e"]);
    }
}
