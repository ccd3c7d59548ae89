//! Words, calls and names that are not ours.

use super::source::Source;
use super::text::Text;

pub(crate) fn problems(texts: &[Text], sources: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for text in texts.iter().filter(|text| text.path != THIS_FILE) {
        problems.extend(banned_anywhere(text));
    }
    for source in sources.iter().filter(|source| source.path != THIS_FILE) {
        if let Some(text) = texts.iter().find(|text| text.path == source.path) {
            problems.extend(banned_in_code(source, &text.text));
            problems.extend(missing_module_doc(source, &text.text));
        }
        problems.extend(banned_names(source));
    }
    problems
}

fn banned_anywhere(text: &Text) -> Vec<String> {
    let hits = |(number, line): (usize, &str)| {
        let place = format!("{}:{}", text.path, number + 1);
        let bans = ANYWHERE.iter().filter(|(word, _)| line.contains(word));
        bans.map(|(word, instead)| format!("{place}: `{word}`: {instead}")).collect::<Vec<_>>()
    };
    text.text.lines().enumerate().flat_map(hits).collect()
}

fn banned_in_code(source: &Source, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if !source.code.contains(&(number + 1)) {
            continue;
        }
        let code = line.split("//").next().unwrap_or(line);
        for (call, instead) in IN_CODE.iter().filter(|(call, _)| code.contains(call)) {
            problems.push(format!("{}:{}: `{call}`: {instead}", source.path, number + 1));
        }
    }
    if source.words.contains("unsafe") && !source.path.starts_with("crates/net/") {
        problems.push(format!("{}: `unsafe` belongs into crate net only", source.path));
    }
    problems
}

/// What a file is for stands at its top, except where its name and place say it: in a test.
fn missing_module_doc(source: &Source, text: &str) -> Option<String> {
    let missing = !source.code.is_empty() && !text.starts_with("//!");
    missing.then(|| format!("{}: begins without a module doc (`//!`)", source.path))
}

fn banned_names(source: &Source) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, line) in &source.types {
        if let Some(suffix) = SUFFIXES.iter().find(|suffix| name.ends_with(*suffix)) {
            problems.push(format!("{}:{line}: {name}: say what it is, not {suffix}", source.path));
        }
    }
    for function in source.functions.iter().filter(|function| !function.of_trait) {
        if function.name.starts_with("get_") {
            let (name, line) = (&function.name, function.line);
            problems.push(format!("{}:{line}: {name}: a getter is named by its noun", source.path));
        }
    }
    let stem = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
    if STEMS.contains(&stem) {
        problems.push(format!("{}: name the file after the noun in it", source.path));
    }
    problems
}

/// It has to spell them.
const THIS_FILE: &str = "crates/xtask/src/tidy/words.rs";

const ANYWHERE: &[(&str, &str)] = &[
    ("TODO", "do it, or write an issue"),
    ("XXX", "say what is wrong"),
    ("/root/", "a path of somebody's machine"),
    ("/work/", "a path of somebody's machine"),
    ("../shared", "a path of somebody's machine"),
];

/// The compiler's lints deny most of these too; here they are found in code that is not compiled today.
const IN_CODE: &[(&str, &str)] = &[
    (".unwrap()", "return the error, or show the compiler that there is none"),
    ("dbg!(", "take it out"),
    ("todo!(", "do it"),
    ("unimplemented!(", "do it"),
    ("panic!(", "return a `Failure` or an error"),
    ("unbounded_channel(", "every queue has a limit: `mpsc::channel`"),
];

const SUFFIXES: &[&str] = &["Manager", "Helper", "Helpers", "Util", "Utils"];
const STEMS: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc", "manager"];

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let text = Text { path: path.into(), text: text.into() };
        let source = Source::parse(&text).unwrap();
        problems(&[text], &[source])
    }

    #[test]
    fn bans_are_found_in_code_only() {
        for (text, problem) in [
            ("//! A.\nfn f() { g().unwrap(); }", Some("`.unwrap()`")),
            ("//! A.\n// g().unwrap()\nfn f() {}", None),
            ("//! A.\nfn f() { g(); } // not .unwrap()", None),
            ("//! A.\n#[cfg(test)]\nmod tests { fn f() { g().unwrap(); } }", None),
            ("//! A.\n// TODO: more\n", Some("TODO")),
            ("//! A.\nfn f() { unsafe { g() } }", Some("crate net only")),
            ("//! A.\n#![deny(unsafe_code)]", None),
            ("fn f() {}", Some("module doc")),
            ("//! A.\nfn get_it() {}", Some("getter")),
            ("//! A.\nimpl T for u8 { fn get_it(&self) {} }", None),
            ("//! A.\nstruct PoolManager;", Some("PoolManager")),
        ] {
            let found = found("crates/a/src/lib.rs", text);
            match problem {
                Some(problem) => assert!(found.len() == 1 && found[0].contains(problem), "{text}: {found:?}"),
                None => assert!(found.is_empty(), "{text}: {found:?}"),
            }
        }
    }

    #[test]
    fn crate_net_and_file_names_are_known() {
        assert_eq!(found("crates/net/src/linux.rs", "//! A.\nfn f() { unsafe { g() } }"), [""; 0]);
        assert_eq!(found("crates/a/src/utils.rs", "//! A.\nfn f() {}").len(), 1);
    }
}
