//! Targets that tell their names, and clients that keep cookies as browsers do.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use testkit::{Balancer, Client, Config, Message, Target, response};

/// Three targets, `a`, `b` and `c`.
pub(crate) fn three() -> [Target; 3] {
    [Target::named("a"), Target::named("b"), Target::named("c")]
}

/// A target that begins a session `SID` with every client that has none, and tells its name.
pub(crate) fn with_sessions(name: &'static str) -> Target {
    Target::http(move |request| {
        let begun = request.field("cookie").is_some_and(|cookies| cookies.contains("SID="));
        let number = request.target().trim_start_matches('/').to_owned();
        let set = format!("Set-Cookie: SID={name}{number}; Path=/; HttpOnly\r\n");
        response(200, if begun { "" } else { &set }, name)
    })
}

/// A browser, as far as cookies are concerned. Each request has a connection of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct User {
    pub(crate) cookies: Vec<(String, String)>,
}

impl User {
    pub(crate) fn with(name: &str, value: &str) -> Self {
        Self { cookies: vec![(name.to_owned(), value.to_owned())] }
    }

    #[track_caller]
    pub(crate) fn get(&mut self, address: SocketAddr, path: &str) -> Message {
        let mut client = Client::connect(address);
        client.send(format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n{}\r\n", self.field()));
        let response = client.response();
        for set in response.all("set-cookie") {
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        response
    }

    fn field(&self) -> String {
        if self.cookies.is_empty() {
            return String::new();
        }
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("Cookie: {}\r\n", pairs.join("; "))
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Writes [`KEY`] as `key_file` demands it.
pub(crate) fn write_key(path: &Path) {
    std::fs::write(path, KEY).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
}

/// A balancer whose store has [`KEY`] as `store.key`.
pub(crate) fn node(config: &Config) -> Balancer {
    let prepared = Balancer::prepare(config);
    write_key(&prepared.path("store.key"));
    prepared.start()
}

/// `key_file` of several balancers.
pub(crate) const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
