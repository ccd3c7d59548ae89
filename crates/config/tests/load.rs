//! Reading from the file system.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::PathBuf;

use config::load;

const PLAIN: &str = "[listener.web]\nbind = \"0.0.0.0:80\"\nforward = \"app\"\n[target_group.app]\ntargets = [\"127.0.0.1:1\"]\n";

fn folder(files: &[(&str, &[u8])]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let main = folder.path().join("main.toml");
    (folder, main)
}

#[test]
fn pages_are_relative_to_the_file() {
    let text = PLAIN.replace("[target_group", "error_pages = { 503 = \"sorry.txt\" }\n[target_group");
    let (_folder, main) = folder(&[("main.toml", text.as_bytes()), ("sorry.txt", b"Sorry")]);
    let loaded = load(&main).unwrap();
    let http = loaded.config.listeners[0].service.http().unwrap();
    assert_eq!(&*http.settings.error_pages[0].body, b"Sorry");
}

#[test]
fn pages_have_a_limit() {
    let text = PLAIN.replace("[target_group", "error_pages = { 503 = \"sorry.txt\" }\n[target_group");
    let page = vec![b'x'; 256 * 1024 + 1];
    let (_folder, main) = folder(&[("main.toml", text.as_bytes()), ("sorry.txt", &page)]);
    let errors = load(&main).unwrap_err();
    assert_eq!((errors.0[0].line, errors.0[0].key.as_str()), (4, "listener.web.error_pages.503"));
}

#[test]
fn a_missing_file_is_an_error_without_a_line() {
    let (_folder, main) = folder(&[]);
    let errors = load(&main).unwrap_err();
    assert_eq!((errors.0.len(), errors.0[0].line), (1, 0));
    assert!(errors.0[0].message.starts_with("cannot read the configuration"), "{errors}");
}

#[test]
fn text_that_is_not_utf_8_is_an_error() {
    let (_folder, main) = folder(&[("main.toml", b"workers = 1\nx = \"\xff\"\n")]);
    let errors = load(&main).unwrap_err();
    assert_eq!((errors.0[0].line, errors.0[0].column), (2, 6));
    assert_eq!(errors.0[0].message, "the text is not UTF-8");
}

#[test]
fn a_text_has_a_limit() {
    let (_folder, main) = folder(&[("main.toml", &vec![b'#'; 16 * 1024 * 1024 + 1])]);
    assert!(load(&main).unwrap_err().0[0].message.contains("larger than"), "the limit");
}

#[test]
fn after_an_error_no_store_is_called_unused() {
    let store = "[session_store.shared]\ntype = \"memory\"\n";
    for (persistence, used) in [
        ("{ type = \"source_ip\", store = \"shared\" }", true),
        ("{ type = \"source_ipp\", store = \"shared\" }", true),
        ("{ type = \"source_ip\", store = \"shred\" }", true),
        ("{ type = \"cookie\", store = \"shared\" }", true),
        ("{ type = \"source_ip\" }", false),
    ] {
        let text = format!("{PLAIN}persistence = {persistence}\n{store}");
        let (_folder, main) = folder(&[("main.toml", text.as_bytes())]);
        let warnings = config::read(&main).unwrap().warnings;
        assert_eq!(warnings.is_empty(), used, "{persistence}: {warnings:?}");
    }
}

#[test]
fn redis_is_named_by_what_its_users_write() {
    for url in [
        "redis://:secret@10.0.0.1:6379/2",
        "rediss://cache.internal?ssl-ca=/etc/ca.pem",
        "valkey://10.0.0.1",
        "valkeys://10.0.0.1",
        "redis+unix:///run/redis.sock",
        "redis+sentinel://:secret@10.0.0.1,10.0.0.2:26379/sessions/1",
        "valkey+sentinel://[::1]:26379/sessions",
    ] {
        let store = format!("[session_store.shared]\ntype = \"redis\"\nurl = \"{url}\"\n");
        let text = format!("{PLAIN}persistence = {{ type = \"source_ip\", store = \"shared\" }}\n{store}");
        let (_folder, main) = folder(&[("main.toml", text.as_bytes())]);
        let stores = load(&main).unwrap_or_else(|errors| panic!("{url}: {errors}")).config.session_stores;
        assert!(matches!(&stores[0].kind, model::StoreKind::Redis { url: known } if known.0 == url), "{url}");
    }
}

/// Cookies of a rule's persistence are sealed for this text: another one ends all of its sessions at an upgrade.
#[test]
fn the_identity_of_a_rule_does_not_change_with_versions() {
    let rules = [
        ("path = \"/shop/\"", r#"Any Prefix("/shop/") []"#),
        (
            "host = \"*.example.com\"\npath = \"~ ^/a\"\nmethod = [\"PUT\", \"GET\"]\nsource = [\"10.0.0.0/8\"]\n\
             header = { X-A = \"1\" }\nquery = { q = \"*\" }\ncookie = { c = \"~ x\" }",
            r#"LeadingWildcard(".example.com") Regex(Regex("^/a")) ["cookie NamedCondition { name: \"c\", value: Regex(Regex(\"x\")) }", "header FieldCondition { name: \"x-a\", value: Exact(\"1\") }", "method \"GET\"", "method \"PUT\"", "query NamedCondition { name: \"q\", value: Present }", "source Cidr { base: 281470849515520, mask: 340282366920938463463374607431751434240 }"]"#,
        ),
    ];
    for (keys, identity) in rules {
        let text = format!("{PLAIN}[[listener.web.rule]]\n{keys}\nforward = \"app\"\n");
        let (_folder, main) = folder(&[("main.toml", text.as_bytes())]);
        let loaded = load(&main).unwrap_or_else(|errors| panic!("{errors}"));
        let http = loaded.config.listeners[0].service.http().unwrap();
        assert_eq!(http.rules[0].identity(), identity);
    }
}

#[test]
fn the_identity_of_a_rule_for_connections_does_not_change_with_versions() {
    let text = PLAIN.replace("[listener.web]", "[listener.web]\nprotocol = \"tcp\"")
        + "[[listener.web.rule]]\nsni = \"*.Example.com\"\nalpn = [\"x\", \"h2\"]\nforward = \"app\"\n";
    let (_folder, main) = folder(&[("main.toml", text.as_bytes())]);
    let loaded = load(&main).unwrap_or_else(|errors| panic!("{errors}"));
    let identity = r#"LeadingWildcard(".example.com") Any ["alpn \"h2\"", "alpn \"x\""]"#;
    assert_eq!(loaded.config.listeners[0].service.rules()[0].identity(), identity);
}
