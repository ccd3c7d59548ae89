//! A Rust file as tidy sees it: which lines are code, which of them are tests, what it declares.

use std::collections::{BTreeSet, HashSet};

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::attributes::{is_for_tests, of_item};
use super::circles::imports::Scope;
use super::text::Text;
use crate::Outcome;

#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    /// Lines with code on them outside tests, from 1. Comments, doc comments and blank lines are none.
    pub(crate) code: BTreeSet<usize>,
    /// The same within tests.
    pub(crate) tests: BTreeSet<usize>,
    pub(crate) functions: Vec<Function>,
    /// Types and traits, with their lines.
    pub(crate) types: Vec<(String, usize)>,
    /// Every identifier and keyword outside comments.
    pub(crate) words: HashSet<String>,
    /// What it declares and imports outside tests.
    pub(crate) scope: Scope,
    /// Out-of-line modules that are compiled for tests only.
    test_modules: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// Code lines from the signature to the closing brace.
    pub(crate) length: usize,
    pub(crate) is_test: bool,
    /// The trait chose its name.
    pub(crate) of_trait: bool,
}

impl Source {
    pub(crate) fn parse(text: &Text) -> Outcome<Self> {
        let failed = |error: String| format!("{}: {error}", text.path);
        let tokens: TokenStream = text.text.parse().map_err(|error| failed(format!("{error}")))?;
        let file: syn::File = syn::parse2(tokens.clone()).map_err(|error| failed(error.to_string()))?;
        let mut lexed =
            Lexed { lines: text.text.lines().collect(), code: BTreeSet::new(), words: HashSet::new() };
        lexed.walk(tokens);
        let Lexed { code, words, .. } = lexed;
        let mut items = Items::new(&code);
        items.visit_file(&file);
        let Items { functions, types, test_modules, test_lines, .. } = items;
        let (tests, product) = code.iter().partition(|line| test_lines.contains(line));
        let (path, scope) = (text.path.clone(), Scope::read(&file.items));
        Ok(Self { path, code: product, tests, functions, types, words, scope, test_modules })
    }

    fn become_test(&mut self) {
        self.tests.append(&mut self.code);
        for function in &mut self.functions {
            function.is_test = true;
        }
    }

    /// Where its out-of-line modules lie.
    pub(crate) fn module_directory(&self) -> String {
        let (directory, file) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        match file {
            "lib.rs" | "main.rs" => directory.to_owned(),
            _ => format!("{directory}/{}", file.trim_end_matches(".rs")),
        }
    }
}

/// Files that are test code as a whole: by their place, or because a module declares them so.
pub(crate) fn mark_test_files(sources: &mut [Source]) {
    let declared: Vec<String> = sources
        .iter()
        .flat_map(|source| {
            let directory = source.module_directory();
            source.test_modules.iter().map(move |module| format!("{directory}/{module}"))
        })
        .collect();
    for source in sources {
        let stem = source.path.trim_end_matches(".rs");
        let by_declaration =
            declared.iter().any(|module| stem == module || stem.starts_with(&format!("{module}/")));
        if by_declaration || TEST_PLACES.iter().any(|place| source.path.contains(place)) {
            source.become_test();
        }
    }
}

/// Walks the tokens: comments are not among them.
struct Lexed<'a> {
    lines: Vec<&'a str>,
    code: BTreeSet<usize>,
    words: HashSet<String>,
}

impl Lexed<'_> {
    fn walk(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                // A doc comment arrives as `#[doc = …]` or `#![doc = …]`, all of it at the comment's place.
                TokenTree::Punct(punct) if punct.as_char() == '#' && self.is_comment(punct.span()) => {
                    tokens.next_if(|token| matches!(token, TokenTree::Punct(_)));
                    tokens.next();
                }
                TokenTree::Group(group) => {
                    if group.delimiter() != Delimiter::None {
                        self.add(group.span_open());
                        self.add(group.span_close());
                    }
                    self.walk(group.stream());
                }
                TokenTree::Ident(ident) => {
                    self.add(ident.span());
                    self.words.insert(ident.to_string());
                }
                TokenTree::Punct(punct) => self.add(punct.span()),
                TokenTree::Literal(literal) => self.add(literal.span()),
            }
        }
    }

    fn add(&mut self, span: Span) {
        self.code.extend(span.start().line..=span.end().line);
    }

    fn is_comment(&self, span: Span) -> bool {
        let start = span.start();
        let line = self.lines.get(start.line.saturating_sub(1)).copied().unwrap_or_default();
        let rest: String = line.chars().skip(start.column).take(2).collect();
        rest == "//" || rest == "/*"
    }
}

struct Items<'a> {
    code: &'a BTreeSet<usize>,
    functions: Vec<Function>,
    types: Vec<(String, usize)>,
    test_modules: Vec<String>,
    test_lines: BTreeSet<usize>,
    in_test: bool,
    in_trait_impl: bool,
}

impl<'a> Items<'a> {
    fn new(code: &'a BTreeSet<usize>) -> Self {
        Self {
            code,
            functions: Vec::new(),
            types: Vec::new(),
            test_modules: Vec::new(),
            test_lines: BTreeSet::new(),
            in_test: false,
            in_trait_impl: false,
        }
    }

    fn add_function(&mut self, signature: &syn::Signature, end: Span) {
        let line = signature.span().start().line;
        self.functions.push(Function {
            name: signature.ident.to_string(),
            line,
            length: self.code.range(line..=end.end().line).count(),
            is_test: self.in_test,
            of_trait: self.in_trait_impl,
        });
    }
}

impl<'ast> Visit<'ast> for Items<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let outer = self.in_test;
        if of_item(item).iter().any(is_for_tests) {
            self.in_test = true;
            let span = item.span();
            self.test_lines.extend(span.start().line..=span.end().line);
        }
        visit::visit_item(self, item);
        self.in_test = outer;
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if self.in_test && module.content.is_none() {
            self.test_modules.push(module.ident.to_string());
        }
        visit::visit_item_mod(self, module);
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.add_function(&function.sig, function.block.span());
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.add_function(&function.sig, function.block.span());
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.add_function(&function.sig, block.span());
        }
        visit::visit_trait_item_fn(self, function);
    }

    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        self.in_trait_impl = block.trait_.is_some();
        visit::visit_item_impl(self, block);
        self.in_trait_impl = false;
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.types.push((item.ident.to_string(), item.ident.span().start().line));
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.types.push((item.ident.to_string(), item.ident.span().start().line));
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.types.push((item.ident.to_string(), item.ident.span().start().line));
        visit::visit_item_trait(self, item);
    }
}

const TEST_PLACES: &[&str] = &["/tests/", "/benches/", "crates/testkit/", "crates/e2e/", "fuzz/"];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str, text: &str) -> Source {
        Source::parse(&Text { path: path.into(), text: text.into() }).unwrap()
    }

    const SAMPLE: &str = r#"//! About.

/// A doc comment.
fn one() {
    // a comment
    let text = "a string
        over two lines // no comment";
    drop(text); /* and
    another */
}

#[cfg(test)]
mod tests {
    #[test]
    fn two() {}
}
"#;

    #[test]
    fn code_is_what_is_no_comment() {
        let source = parse("crates/a/src/lib.rs", SAMPLE);
        assert_eq!(source.code.iter().copied().collect::<Vec<_>>(), [4, 6, 7, 8, 10]);
        assert_eq!(source.tests.iter().copied().collect::<Vec<_>>(), [12, 13, 14, 15, 16]);
        let functions: Vec<_> =
            source.functions.iter().map(|f| (f.name.as_str(), f.length, f.is_test)).collect();
        assert_eq!(functions, [("one", 5, false), ("two", 1, true)]);
        assert!(source.words.contains("drop") && !source.words.contains("comment"));
    }

    #[test]
    fn macros_and_traits_are_seen() {
        let text = "trait A { fn get_it(&self) { f(); } fn no_body(&self); }\nimpl A for u8 { fn get_it(&self) {} }\nstruct B;";
        let source = parse("crates/a/src/lib.rs", text);
        let functions: Vec<_> = source.functions.iter().map(|f| (f.name.as_str(), f.of_trait)).collect();
        assert_eq!(functions, [("get_it", false), ("get_it", true)]);
        assert_eq!(source.types, [("A".to_owned(), 1), ("B".to_owned(), 3)]);
    }

    #[test]
    fn conditions_for_tests_are_known() {
        for (attribute, expected) in [
            ("#[cfg(test)]", true),
            ("#[cfg(all(test, not_loom))]", true),
            ("#[cfg(not(test))]", false),
            ("#[cfg(feature = \"testing\")]", false),
            ("#[test]", true),
            ("#[inline]", false),
        ] {
            let source = parse("crates/a/src/lib.rs", &format!("{attribute}\nfn a() {{}}\n"));
            assert_eq!(source.functions[0].is_test, expected, "{attribute}");
        }
    }

    #[test]
    fn a_declared_test_module_is_a_test_file() {
        let mut sources = vec![
            parse("crates/a/src/lib.rs", "mod b;"),
            parse("crates/a/src/b.rs", "#[cfg(test)]\nmod sim;\nmod real;"),
            parse("crates/a/src/b/sim.rs", "mod deep; fn f() {}"),
            parse("crates/a/src/b/sim/deep.rs", "fn f() {}"),
            parse("crates/a/src/b/real.rs", "fn f() {}"),
            parse("crates/a/tests/c.rs", "fn f() {}"),
        ];
        mark_test_files(&mut sources);
        let product: Vec<_> =
            sources.iter().filter(|s| !s.code.is_empty()).map(|s| s.path.as_str()).collect();
        assert_eq!(product, ["crates/a/src/lib.rs", "crates/a/src/b.rs", "crates/a/src/b/real.rs"]);
    }
}
