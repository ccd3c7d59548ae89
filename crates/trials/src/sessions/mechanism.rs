//! The ways to keep a session at its target, in the words of Evenkeel and of HAProxy.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    None,
    Insert,
    Rewrite,
    Learn,
    SourceIp,
}

impl Mechanism {
    /// Those that persist.
    pub(crate) const ALL: [Self; 4] = [Self::Insert, Self::Rewrite, Self::Learn, Self::SourceIp];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "no persistence",
            Self::Insert => "cookie insert",
            Self::Rewrite => "cookie rewrite",
            Self::Learn => "cookie learn",
            Self::SourceIp => "source_ip",
        }
    }

    /// The key `persistence` of a target group, or nothing. `keys` is the key file that all nodes share.
    pub(crate) fn evenkeel(self, keys: &Path, store: Option<&str>) -> String {
        let store = store.map(|name| format!(", store = \"{name}\"")).unwrap_or_default();
        let keys = keys.display();
        let table = match self {
            Self::None => return String::new(),
            Self::Insert => format!("type = \"cookie\", name = \"{ROUTE}\", key_file = \"{keys}\""),
            Self::Rewrite => {
                format!("type = \"cookie\", mode = \"rewrite\", name = \"sid\", key_file = \"{keys}\"")
            }
            Self::Learn => format!("type = \"cookie\", mode = \"learn\", name = \"sid\"{store}"),
            Self::SourceIp => format!("type = \"source_ip\", timeout = \"5m\"{store}"),
        };
        format!("persistence = {{ {table} }}\n")
    }

    /// The lines of a backend that do the same.
    pub(crate) fn haproxy(self, targets: &[SocketAddr]) -> String {
        let mut text = match self {
            Self::None => "",
            Self::Insert => "    cookie shop_route insert indirect nocache\n",
            Self::Rewrite => "    cookie sid prefix nocache\n",
            Self::Learn => {
                "    stick-table type string len 128 size 100k expire 10m
    stick store-response res.cook(sid)
    stick match req.cook(sid)\n"
            }
            Self::SourceIp => "    stick-table type ip size 100k expire 5m\n    stick on src\n",
        }
        .to_owned();
        for (number, target) in targets.iter().enumerate() {
            let cookie = if matches!(self, Self::Insert | Self::Rewrite) {
                format!(" cookie t{number}")
            } else {
                String::new()
            };
            let _ = writeln!(text, "    server t{number} {target}{cookie}");
        }
        text
    }
}

/// The name of our cookie.
pub(crate) const ROUTE: &str = "shop_route";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_named_where_there_is_something_to_keep() {
        let keys = Path::new("/keys");
        for mechanism in Mechanism::ALL {
            let text = mechanism.evenkeel(keys, Some("shared"));
            let has_table = matches!(mechanism, Mechanism::Learn | Mechanism::SourceIp);
            assert_eq!(text.contains("store = \"shared\""), has_table, "{text}");
            assert_eq!(text.contains("key_file = \"/keys\""), !has_table, "{text}");
        }
        assert_eq!(Mechanism::None.evenkeel(keys, None), "");
    }
}
