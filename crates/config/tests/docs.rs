//! The generated docs are up to date, and their examples are valid.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io;
use std::path::Path;

use config::{Files, parse, reference_markdown, schema};

struct AnyPage;

impl Files for AnyPage {
    fn read(&self, path: &Path, _bytes_max: usize) -> io::Result<Vec<u8>> {
        let is_token = path.extension().is_some_and(|extension| extension == "token");
        if path.extension().is_some_and(|extension| extension == "key") {
            return Ok("0f".repeat(32).into_bytes());
        }
        Ok(if is_token { b"0123456789abcdef".to_vec() } else { b"# page".to_vec() })
    }
}

fn doc(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    std::fs::read_to_string(path).unwrap_or_default()
}

const STALE: &str = "stale: run `cargo run -p config --example generate_docs`";

#[test]
fn the_reference_is_not_stale() {
    assert!(doc("configuration.md") == reference_markdown(), "{STALE}");
}

#[test]
fn the_schema_is_not_stale() {
    // Compared as values: a feature that another crate enables can change the order in which serde_json
    // prints keys.
    let of_docs: serde_json::Value = serde_json::from_str(&doc("configuration.schema.json")).expect(STALE);
    let of_code: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    assert!(of_docs == of_code, "{STALE}");
}

/// The TOML blocks, each with its chapter.
fn examples() -> Vec<(String, String)> {
    let (mut found, mut chapter, mut block) = (Vec::new(), String::new(), None::<String>);
    let text = reference_markdown();
    for line in text.lines() {
        match &mut block {
            Some(_) if line == "```" => found.push((chapter.clone(), block.take().unwrap())),
            Some(block) => *block += &format!("{line}\n"),
            None if line == "```toml" => block = Some(String::new()),
            None => {
                if let Some(title) = line.strip_prefix("## ") {
                    chapter = title.trim_matches('`').to_owned();
                }
            }
        }
    }
    found
}

/// A minimal configuration around the example of one key. The example replaces the same key of the minimum.
fn within(chapter: &str, example: &str) -> String {
    let name = example.split([' ', '=']).next().unwrap();
    let keep = |table: &str, lines: &[&str]| {
        let others = lines.iter().filter(|line| chapter != table || !line.starts_with(&format!("{name} ")));
        others.map(|line| format!("{line}\n")).collect::<String>()
    };
    let own = |table: &str| if chapter == table { example } else { "" };
    let action = if matches!(name, "redirect" | "respond") { vec![] } else { vec!["forward = \"app\""] };
    let rule = match own("[[listener.NAME.rule]]") {
        "" => String::new(),
        example => {
            let path = if matches!(name, "rewrite" | "trailing_slash") {
                "path = \"/old/\"\n"
            } else {
                "query = { q = \"*\" }\n"
            };
            let path = if matches!(name, "query" | "sni" | "alpn") { "" } else { path };
            format!("[[listener.web.rule]]\n{path}{}{example}", keep("[[listener.NAME.rule]]", &action))
        }
    };
    let limit = match name {
        "when_full" => "max_connections = 9\n",
        "client_prefix_v4" | "client_prefix_v6" => "max_connections_per_client = 9\n",
        _ => "",
    };
    let https = match name {
        "certificates" => "protocol = \"https\"\n",
        "protocol" => "certificates = \"site.pem\"\n",
        "idle_timeout" => "protocol = \"tcp\"\n",
        "client_auth" | "sni_strict" | "handshake_timeout" | "hsts" | "redirect_http" => HTTPS,
        "tls" if chapter == "[listener.NAME]" => HTTPS,
        _ => "",
    };
    let https = if chapter == "[listener.NAME]" { https } else { "" };
    let https =
        if matches!(name, "sni" | "alpn" | "proxy_protocol_out") { "protocol = \"tcp\"\n" } else { https };
    let tls = if name == "tls" { "protocol = \"https\"\n" } else { "" };
    let admin_bind =
        if name == "token_file" { "bind = \"192.0.2.1:9900\"" } else { "bind = \"127.0.0.1:9900\"" };
    let hash = if name == "hash_on" { "algorithm = \"hash\"\n" } else { "" };
    [
        own("Top level").to_owned(),
        format!("[admin]\n{}{}", keep("[admin]", &[admin_bind]), own("[admin]")),
        format!("[load_balancer.shop]\n{limit}{}", own("[load_balancer.NAME]")),
        "[listener.other]\nload_balancer = \"shop\"\nbind = \"127.0.0.1:9\"\nforward = \"app-next\"\n"
            .to_owned(),
        format!(
            "[listener.web]\n{limit}{https}{}{}",
            keep("[listener.NAME]", &["bind = \"127.0.0.1:8\"", "forward = \"app\""]),
            own("[listener.NAME]")
        ),
        rule,
        format!(
            "[target_group.app]\n{hash}{tls}{}{}",
            keep("[target_group.NAME]", &["targets = [\"127.0.0.1:1\"]"]),
            own("[target_group.NAME]")
        ),
        "[target_group.app-next]\ntargets = [\"127.0.0.1:2\"]\n".to_owned(),
        sessions(chapter, name, example),
    ]
    .concat()
}

/// A session store and a gateway around the example of one of their keys.
fn sessions(chapter: &str, name: &str, example: &str) -> String {
    if example.contains("store = \"shared\"") {
        return "[session_store.shared]\ntype = \"memory\"\n".to_owned();
    }
    let database = "type = \"sql\"\nurl = \"sqlite:///var/lib/x.db\"\n";
    let (store, gateway) = match (chapter, name) {
        ("[session_store.NAME]", "type") => (format!("{example}url = \"sqlite:///var/lib/x.db\"\n"), ""),
        ("[session_store.NAME]", "path") => (format!("type = \"file\"\n{example}"), ""),
        ("[session_store.NAME]", "url") => (format!("type = \"sql\"\n{example}"), ""),
        ("[session_store.NAME]", "servers") => (format!("type = \"memcached\"\n{example}"), ""),
        ("[session_store.NAME]", _) => (format!("{database}{example}"), ""),
        ("[session_gateway.NAME]", _) => (database.to_owned(), example),
        _ => return String::new(),
    };
    let other = |key: &str, line: &str| if name == key { String::new() } else { line.to_owned() };
    format!(
        "[session_store.database]\n{store}[session_store.near]\ntype = \"memory\"\n\
         [session_gateway.php]\n{}{}{gateway}",
        other("bind", "bind = \"unix:x.sock\"\n"),
        other("store", "store = \"database\"\n")
    )
}

const HTTPS: &str = "protocol = \"https\"\ncertificates = \"site.pem\"\n";

#[test]
fn every_example_is_accepted() {
    let examples = examples();
    assert!(examples.len() > 70, "{}", examples.len());
    for (chapter, example) in examples {
        let whole = example.contains("\n[");
        let text = if whole { example.clone() } else { within(&chapter, &example) };
        if let Err(errors) = parse(&text, "example.toml", &AnyPage) {
            panic!("{chapter}: {example}\n{errors}");
        }
    }
}

#[test]
fn examples_of_other_pages_are_accepted() {
    for page in ["sessions.md", "session-gateway.md", "layer4.md"] {
        let text = doc(page);
        let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split_once("\n```"));
        let examples: Vec<_> = blocks.map(|(example, _)| example).collect();
        assert!(!examples.is_empty(), "{page}");
        for example in examples {
            let loaded = parse(example, "example.toml", &AnyPage);
            let loaded = loaded.unwrap_or_else(|errors| panic!("{page}: {example}\n{errors}"));
            assert!(loaded.warnings.is_empty(), "{page}: {example}\n{:?}", loaded.warnings);
        }
    }
}

/// The documented defaults of a chapter, as TOML with dotted keys.
fn documented_defaults(chapter: &str) -> String {
    let text = reference_markdown();
    let start = text.find(&format!("\n## {chapter}\n")).unwrap() + 4;
    let body = &text[start..];
    let body = &body[..body.find("\n## ").unwrap_or(body.len())];
    let mut found = String::new();
    for entry in body.split("\n### `").skip(1) {
        let (name, rest) = entry.split_once('`').unwrap();
        let Some((_, rest)) = rest.lines().nth(2).unwrap().split_once(". Default: `") else { continue };
        found += &format!("{name} = {}\n", rest.trim_end_matches("`."));
    }
    found
}

/// The documented defaults that begin with one of `with` and with none of `without`.
fn defaults_of(chapter: &str, with: &[&str], without: &[&str]) -> String {
    let all = documented_defaults(chapter);
    let begins = |line: &&str, tables: &[&str]| tables.iter().any(|table| line.starts_with(table));
    let kept = all.lines().filter(|line| begins(line, with) && !begins(line, without));
    kept.map(|line| format!("{line}\n")).collect()
}

/// The debug output of a configuration, without positions in the text.
fn parsed(text: &str) -> String {
    let loaded = parse(text, "x.toml", &AnyPage).unwrap_or_else(|errors| panic!("{errors}"));
    let shown = format!("{:#?}", loaded.config);
    let is_place =
        |line: &&str| ["line: ", "column: ", "length: "].iter().any(|p| line.trim().starts_with(p));
    shown.lines().filter(|line| !is_place(line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn documented_defaults_are_the_defaults() {
    let limits = "max_connections = 9\nmax_connections_per_client = 9\n";
    let plain = format!("[listener.web]\nbind = \"0.0.0.0:80\"\nforward = \"app\"\n{limits}");
    let group = "[target_group.app]\ntargets = [\"127.0.0.1:1\"]\n";
    let check = "health_check.type = \"http\"\n";
    let least = format!("{plain}{group}{check}");
    let top = defaults_of("Top level", &[""], &[]);
    let http = defaults_of("`[load_balancer.NAME]`", &[""], &["access_log.", "compression."]);
    let listener = defaults_of("`[listener.NAME]`", &["protocol", "load_balancer"], &[]);
    let targets = defaults_of("`[target_group.NAME]`", &[""], &["targets.", "tls.", "persistence."]);
    let store = defaults_of("`[session_store.NAME]`", &[""], &["servers."]);
    let gateway = defaults_of("`[session_gateway.NAME]`", &[""], &[]);
    let least_store = "[session_store.a]\ntype = \"file\"\npath = \"a\"\n";
    let least_gateway = "[session_gateway.a]\nbind = \"unix:a\"\nstore = \"a\"\n";
    let least = format!("{least}{least_store}{least_gateway}");
    for (lines, at_least) in
        [(&top, 1), (&http, 16), (&listener, 2), (&targets, 12), (&store, 2), (&gateway, 1)]
    {
        assert!(lines.lines().count() >= at_least, "{lines}");
    }
    let groups = format!("{group}{check}{targets}");
    let sessions = format!("{least_store}{store}{least_gateway}{gateway}");
    let explicit = format!("{top}{plain}{listener}{http}{groups}{sessions}");
    assert_eq!(parsed(&explicit), parsed(&least));
}

#[test]
fn documented_defaults_of_tls_are_the_defaults() {
    let plain = format!(
        "[listener.web]\nbind = \"0.0.0.0:443\"\nforward = \"app\"\n{HTTPS}hsts.max_age = \"1h\"\n\
         client_auth = {{ mode = \"optional\", ca = \"ca.pem\", crl = \"ca.crl\""
    );
    let group = "[target_group.app]\nprotocol = \"https\"\ntargets = [\"127.0.0.1:1\"]\n";
    let least = format!("{plain} }}\n{group}");
    let tables = ["sni_strict", "handshake_timeout", "tls.", "hsts."];
    let listener = defaults_of("`[listener.NAME]`", &tables, &[]);
    let client_auth = defaults_of("`[listener.NAME]`", &["client_auth."], &[]);
    let targets = defaults_of("`[target_group.NAME]`", &["tls."], &[]);
    for (lines, count) in [(&listener, 5), (&client_auth, 3), (&targets, 1)] {
        assert_eq!(lines.lines().count(), count, "{lines}");
    }
    let client_auth = client_auth.replace("client_auth.", ", ").replace('\n', "");
    let explicit = format!("{plain}{client_auth} }}\n{listener}{group}{targets}");
    assert_eq!(parsed(&explicit), parsed(&least));
}
