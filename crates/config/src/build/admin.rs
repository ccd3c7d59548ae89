//! `[admin]`: where the admin API answers.

use std::net::SocketAddr;
use std::path::PathBuf;

use model::{Admin, AdminToken, Listener};

use super::address::{socket_address, without_unix};
use super::{Build, bind};
use crate::raw::{Table, Value};

pub(super) fn admin(table: &Table, listeners: &[Listener], build: &mut Build<'_, '_>) -> Admin {
    let mut admin = Admin { token: token(table, build), ..Admin::default() };
    for value in table.list("bind") {
        let Some(text) = value.text() else { continue };
        match text.strip_prefix("unix:") {
            Some(path) => admin.sockets.extend(socket(path, value, &admin, build)),
            None => admin.addresses.extend(address(value, &admin, listeners, build)),
        }
    }
    if let Some(value) = table.value("bind").filter(|value| value.list().is_empty()) {
        let problem = build.report.error(value, "`bind` is empty");
        problem
            .hint("such as `\"unix:/run/evenkeel/admin.sock\"`; without `[admin]` it is the default socket");
    }
    let is_remote = |address: &SocketAddr| !address.ip().to_canonical().is_loopback();
    if let Some(value) = table.value("token_file")
        && !admin.addresses.iter().any(is_remote)
    {
        let problem = build.report.error(value, "`token_file` has no effect");
        problem.hint("no address in `bind` can be reached from other machines");
    }
    admin
}

fn socket(path: &str, value: &Value, admin: &Admin, build: &mut Build<'_, '_>) -> Option<PathBuf> {
    let path = build.socket_path(path, "/run/evenkeel/admin.sock", value)?;
    if admin.sockets.contains(&path) {
        build.report.error(value, "`bind` has this Unix socket twice");
    }
    Some(path)
}

fn address(
    value: &Value,
    admin: &Admin,
    listeners: &[Listener],
    build: &mut Build<'_, '_>,
) -> Option<SocketAddr> {
    if without_unix(value, build.report) {
        return None;
    }
    let address = socket_address(value, build.report)?;
    let overlaps = |other: &&SocketAddr| bind::overlap(**other, address);
    if let Some(other) = admin.addresses.iter().find(overlaps) {
        build.report.error(value, format!("{address} overlaps {other}, which `bind` has as well"));
    }
    for listener in listeners {
        // The kernel chooses two ports for two zeros.
        if address.port() != 0 && listener.bind.iter().any(|other| bind::overlap(*other, address)) {
            let name = &listener.name;
            build.report.error(value, format!("{address} is already used by listener `{name}`"));
        }
    }
    if !address.ip().to_canonical().is_loopback() && admin.token.is_none() {
        let message = format!("{address} can be reached from other machines, and there is no `token_file`");
        let hint = "set `token_file` to a file with a secret of at least 16 characters, or bind to `127.0.0.1`; \
                    for TLS and client certificates, let a listener forward to that";
        build.report.error(value, message).hint(hint);
    }
    Some(address)
}

/// Reads the file with the token.
fn token(table: &Table, build: &mut Build<'_, '_>) -> Option<AdminToken> {
    let value = table.value("token_file")?;
    let name = value.text()?;
    let path = build.file(value)?;
    let bytes = match build.files.read(&path, TOKEN_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) => {
            build.unreadable(value, name, &error);
            // Not reported twice.
            return Some(AdminToken::new(String::new()));
        }
    };
    if let Some(others) = build.files.mode(&path).and_then(access_of_others) {
        let message = format!("every user of this machine can {others} `{}`", name.escape_debug());
        build.report.warning(value, message).hint("`chmod o= FILE` leaves the token to its owner and group");
    }
    let text = String::from_utf8_lossy(&bytes);
    let token = text.trim();
    if token.len() < TOKEN_BYTES_MIN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = format!("`{}` is not a token", name.escape_debug());
        let problem = build.report.error(value, message);
        problem.hint(
            "the file has at least 16 visible ASCII characters, such as those of `openssl rand -hex 32`",
        );
    }
    Some(AdminToken::new(token.to_owned()))
}

/// What users other than the owner and the group can do with a file that they should not.
fn access_of_others(mode: u32) -> Option<&'static str> {
    match (mode & 0o004 != 0, mode & 0o002 != 0) {
        (_, true) => Some("write"),
        (true, false) => Some("read"),
        (false, false) => None,
    }
}

const TOKEN_BYTES_MIN: usize = 16;
const TOKEN_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_owner_and_group() {
        for (mode, expected) in [
            (0o100_600, None),
            (0o100_640, None),
            (0o100_660, None),
            (0o100_644, Some("read")),
            (0o100_666, Some("write")),
            (0o100_602, Some("write")),
        ] {
            assert_eq!(access_of_others(mode), expected, "{mode:o}");
        }
    }
}
