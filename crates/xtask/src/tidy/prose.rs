//! Words that comments and pages may not use, and what to write instead.
//!
//! Connections, clients and targets are things: "it", "which", "that". Only people are `who`. Text in backticks is free.

use super::comments::comments;
use super::text::Text;

pub(crate) fn problems(texts: &[Text]) -> Vec<String> {
    texts.iter().flat_map(of_text).collect()
}

fn of_text(text: &Text) -> Vec<String> {
    let mut problems = Vec::new();
    let (mut last_line, mut last_word) = (0, String::new());
    for (number, comment) in comments(text) {
        // A sentence may go on from the line above.
        let mut before = if number == last_line + 1 { last_word } else { String::new() };
        for word in without_code(comment).split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
            if let Some(instead) = banned(word, &before) {
                problems.push(format!("{}:{number}: `{word}`: {instead}", text.path));
            }
            before = word.to_lowercase();
        }
        (last_line, last_word) = (number, before);
    }
    problems
}

/// What to write instead of the word; `before` is the word before it in lower case.
fn banned(word: &str, before: &str) -> Option<&'static str> {
    let lower = word.to_lowercase();
    let begins = word.starts_with(char::is_uppercase);
    let is_right = match lower.as_str() {
        "who" | "whom" => !begins && PEOPLE.contains(&before),
        // `a certificate whose names …`, not `says whose it is`.
        "whose" => !begins && !WITHOUT_NOUN.contains(&before),
        _ => false,
    };
    let (_, instead) = BANNED.iter().find(|(banned, _)| *banned == lower)?;
    (!is_right).then_some(instead)
}

/// The line without what stands in backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// Before `who` they make it right.
const PEOPLE: &[&str] = &[
    "administrator",
    "administrators",
    "author",
    "authors",
    "engineer",
    "engineers",
    "operator",
    "operators",
    "people",
    "person",
    "reader",
    "readers",
    "someone",
    "those",
    "user",
    "users",
    "you",
];

/// After these `whose` asks for an owner.
const WITHOUT_NOUN: &[&str] =
    &["for", "in", "is", "know", "knows", "of", "on", "say", "saying", "says", "tell", "tells", "to"];

const BANNED: &[(&str, &str)] = &[
    (
        "who",
        "a connection, client or target is a thing: name it, or `which`, `that`; `who` only after people",
    ),
    ("whoever", "name the thing: `a client that …`"),
    ("whom", "`which`, `that`; `whom` only after people"),
    ("whose", "after a noun only: `a certificate whose …`; else name the owner"),
    ("nobody", "`no client`, `no connection`, `nothing`"),
    ("somebody", "`a client`, `a connection`, `another process`"),
    ("anybody", "`any client`, `any connection`"),
    ("everybody", "`all clients`, `all connections`"),
    ("his", "`its`"),
    ("him", "`it`"),
    ("hers", "`its`"),
    ("usher", "`evictor`"),
    ("ushers", "`evictor`"),
    ("seat", "`request slot`"),
    ("seats", "`request slots`"),
    ("door", "`bound listener`"),
    ("doors", "`bound listeners`"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        problems(&[Text { path: path.into(), text: text.into() }])
    }

    #[test]
    fn banned_words_are_found_in_comments_only() {
        for (text, word) in [
            ("// a client who waits", Some("`who`")),
            ("/// Who waits", Some("`Who`")),
            ("//! The users. Who waits", Some("`Who`")),
            ("// an operator who waits", None),
            ("// operators, who wait", None),
            ("// the people\n// who wait", None),
            ("// the people\n\n// who wait", Some("`who`")),
            ("// a client whose certificate is good", None),
            ("// a client\n// whose certificate is good", None),
            ("// says whose it is", Some("`whose`")),
            ("// Whose turn it is", Some("`Whose`")),
            ("// nobody, as in `nobody_waits`", Some("`nobody`")),
            ("// the user `nobody`, [`Door`]", None),
            ("// a closed door", Some("`door`")),
            ("// room for the whole", None),
            ("fn nobody_waits() { f(\"who\") }", None),
        ] {
            let found = found("a.rs", text);
            assert_eq!(found.len(), usize::from(word.is_some()), "{text}: {found:?}");
            assert!(word.is_none_or(|word| found[0].contains(word)), "{text}: {found:?}");
        }
        assert_eq!(found("a.toml", "a = \"who\" # his\n").len(), 1);
        assert_eq!(found("a.md", "Somebody\n\n```\nnobody\n```\n").len(), 1);
        assert_eq!(found("a.html", "nobody"), [""; 0]);
    }
}
