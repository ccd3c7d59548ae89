//! Access lists in the model; their files and limits (HTTP8).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fmt::Write;
use std::io;
use std::path::Path;
use std::sync::Arc;

use config::{Errors, Files, parse};
use model::{AccessList, Config, Verdict};

/// Returns the same content for every file name.
struct One(Vec<u8>);

impl Files for One {
    fn read(&self, _path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
        if self.0.len() > bytes_max {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too large"));
        }
        Ok(self.0.clone())
    }
}

fn load(load_balancer: &str, listener: &str, file: impl Into<Vec<u8>>) -> Result<Config, Errors> {
    let text = format!(
        "[load_balancer.default]\n{load_balancer}\n[listener.web]\nbind = \"0.0.0.0:80\"\nforward = \"app\"\n{listener}\n\
         [listener.other]\nbind = \"0.0.0.0:81\"\nforward = \"app\"\n[target_group.app]\ntargets = [\"127.0.0.1:1\"]\n"
    );
    parse(&text, "main.toml", &One(file.into())).map(|loaded| loaded.config)
}

fn shown(list: &AccessList) -> Vec<String> {
    let entries = list.entries.iter();
    entries.map(|entry| format!("{:?} {} {:?}", entry.verdict, entry.range, entry.until)).collect()
}

#[test]
fn entries_are_in_the_model() {
    let access = "access = { deny = [\"192.0.2.7 until 2027-01-01T00:00:00Z\", { file = \"list\" }], allow = [\"::1\"] }";
    let config =
        load("", access, "# comment\n 10.0.0.0/8  # net\r\n\n10.0.0.0/8 until 1970-01-01T00:00:09Z").unwrap();
    let list = config.listeners[0].settings.access.listener.as_ref().unwrap();
    assert_eq!(
        shown(list),
        [
            "Allow ::1/128 None",
            "Deny 192.0.2.7/32 Some(1798761600)",
            "Deny 10.0.0.0/8 None",
            "Deny 10.0.0.0/8 Some(9)"
        ]
    );
    assert_eq!(list.default, Verdict::Deny);
    assert!(config.listeners[1].settings.access.listener.is_none());
}

#[test]
fn listeners_share_the_list_of_their_load_balancer() {
    let config = load("access = { deny = [\"::1\"] }", "access = { deny = [\"::2\"] }", "").unwrap();
    let [web, other] = config.listeners.as_slice() else { panic!("{config:?}") };
    let (one, two) =
        (web.settings.access.load_balancer.as_ref(), other.settings.access.load_balancer.as_ref());
    assert!(Arc::ptr_eq(one.unwrap(), two.unwrap()));
    assert_eq!(shown(web.settings.access.listener.as_ref().unwrap()), ["Deny ::2/128 None"]);
}

#[test]
fn the_default_is_deny_if_allow_is_set() {
    for (access, expected) in [
        ("deny = [\"::1\"]", Verdict::Allow),
        ("allow = [\"::1\"]", Verdict::Deny),
        ("allow = []", Verdict::Deny),
        ("allow = [\"::1\"], deny = [\"::2\"]", Verdict::Deny),
        ("allow = [\"::1\"], deny = [\"::2\"], default = \"allow\"", Verdict::Allow),
        ("default = \"deny\"", Verdict::Deny),
        ("allow = [{ file = \"empty\" }]", Verdict::Deny),
    ] {
        let config = load("", &format!("access = {{ {access} }}"), "").unwrap();
        assert_eq!(
            config.listeners[0].settings.access.listener.as_ref().unwrap().default,
            expected,
            "{access}"
        );
    }
}

#[test]
fn a_large_file_is_read() {
    let mut lines = String::new();
    for number in 0..200_000_u32 {
        let [a, b, c, d] = number.to_be_bytes();
        writeln!(lines, "10.{b}.{c}.{d}\n2001:db8:{a:x}{b:02x}:{c:x}{d:02x}::/64 until 2030-01-01T00:00:00Z")
            .unwrap();
    }
    let config =
        load("", "access = { deny = [{ file = \"list\" }], allow = [\"10.0.0.0/8\"] }", lines).unwrap();
    assert_eq!(config.listeners[0].settings.access.listener.as_ref().unwrap().entries.len(), 400_001);
}

#[test]
fn files_have_limits_together() {
    let deny = "access = { deny = [{ file = \"list\" }] }";
    let message = |lines: usize| {
        let errors = load(deny, deny, "#\n".repeat(lines)).unwrap_err();
        assert_eq!(errors.0.len(), 1, "{errors}");
        errors.0[0].message.clone()
    };
    assert!(load(deny, deny, "#\n".repeat(1_000_000)).is_ok());
    assert_eq!(message(1_000_001), "list:1000000: all files together have more than 2000000 lines");
    let large = vec![b'#'; 40 << 20];
    assert!(load(deny, "", large.clone()).is_ok());
    assert_eq!(load(deny, deny, large).unwrap_err().0[0].message, "cannot read `list`: too large");
}
