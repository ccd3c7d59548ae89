//! A URL of a session store that its database's client would refuse is an error of `check`, of `run` and of a reload, with its
//! place, what to do, and without its password. Nothing is connected for it.

use std::process::Stdio;

use testkit::{Balancer, Config, refused_address};

fn config(kind: &str, url: &str) -> Config {
    let store = format!("[session_store.items]\ntype = \"{kind}\"\nurl = \"{url}\"\n");
    let gateway = "[session_gateway.web]\nbind = \"unix:sessions.sock\"\nstore = \"items\"\n";
    Config::to_addresses(&[refused_address()]).text(&(store + gateway))
}

#[test]
fn check_refuses_bad_store_urls() {
    for (kind, url, part, hint) in [
        ("sql", "postgres://u:s3cret@127.0.0.1/db?sslmode=bogus", "bogus", "`verify-full`"),
        ("sql", "mysql://u:s3cret@127.0.0.1/db?ssl-mode=bogus", "bogus", "`VERIFY_IDENTITY`"),
        ("redis", "redis://:s3cret@127.0.0.1/db", "session store `items`", "the number of the database"),
    ] {
        let config = config(kind, url);
        let line = config.to_string().lines().position(|line| line.starts_with("url = ")).unwrap() + 1;
        let prepared = Balancer::prepare(&config);
        for arguments in [["check", "evenkeel.toml"].as_slice(), &["run", "-c", "evenkeel.toml"]] {
            let output = prepared.command(arguments).stdin(Stdio::null()).output().unwrap();
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8(text).unwrap();
            assert_eq!(output.status.code(), Some(1), "{text}");
            let place = format!("evenkeel.toml:{line}:7\n");
            for expected in [&place, part, hint, "cannot be opened: invalid URL: ", "\n  = help: "] {
                assert!(text.contains(expected.trim_start()), "{expected} is not in\n{text}");
            }
            assert!(!text.contains("s3cret"), "{text}");
        }
    }
}

#[test]
fn a_reload_refuses_them_too() {
    let balancer = Balancer::start(config("redis", "redis://127.0.0.1:1/0"));
    let (status, error) = balancer.reload(config("redis", "redis://127.0.0.1:1/zero")).unwrap_err();
    assert!(status == 422 && error.contains("cannot be opened"), "{status} {error}");
}
