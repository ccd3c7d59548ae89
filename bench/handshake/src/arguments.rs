//! The command line: a command and its flags. Each flag has a value, except `--resume`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Storm(Storm),
    Hold { address: SocketAddr, count: usize },
    Probe { address: SocketAddr },
    Certificates { directory: PathBuf, count: usize },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Storm {
    pub(crate) address: SocketAddr,
    /// Handshakes in parallel.
    pub(crate) connections: usize,
    pub(crate) duration: Duration,
    /// Resumes the session of an earlier handshake by its ticket.
    pub(crate) resume: bool,
    /// The number of hosts, from which one is chosen at random for each handshake.
    pub(crate) names: usize,
}

/// `None` if the command line is invalid.
pub(crate) fn parse(words: &[String]) -> Option<Command> {
    let (word, flags) = words.split_first()?;
    let mut flags = flags.to_vec();
    let command = match word.as_str() {
        "storm" => Command::Storm(Storm {
            address: value(&mut flags, "--connect")?.parse().ok()?,
            connections: number(&mut flags, "--connections")?,
            duration: Duration::from_secs(number(&mut flags, "--seconds")? as u64),
            names: number(&mut flags, "--names")?,
            resume: flag(&mut flags, "--resume"),
        }),
        "hold" => Command::Hold {
            address: value(&mut flags, "--connect")?.parse().ok()?,
            count: number(&mut flags, "--count")?,
        },
        "probe" => Command::Probe { address: value(&mut flags, "--connect")?.parse().ok()? },
        "certificates" => Command::Certificates {
            directory: value(&mut flags, "--directory")?.into(),
            count: number(&mut flags, "--count")?,
        },
        _ => return None,
    };
    flags.is_empty().then_some(command)
}

fn number(flags: &mut Vec<String>, name: &str) -> Option<usize> {
    value(flags, name)?.parse().ok().filter(|&number| number > 0)
}

/// Removes a flag and its value, and returns the value.
fn value(flags: &mut Vec<String>, name: &str) -> Option<String> {
    let place = flags.iter().position(|flag| flag == name).filter(|&place| place + 1 < flags.len())?;
    flags.drain(place..place + 2).next_back()
}

fn flag(flags: &mut Vec<String>, name: &str) -> bool {
    let place = flags.iter().position(|flag| flag == name);
    place.map(|place| flags.remove(place)).is_some()
}

pub(crate) const USAGE: &str =
    "usage: bench-handshake storm --connect IP:PORT --connections N --seconds N --names N [--resume]
       bench-handshake hold --connect IP:PORT --count N
       bench-handshake probe --connect IP:PORT
       bench-handshake certificates --directory DIR --count N";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Option<Command> {
        parse(&line.split(' ').map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn flags_come_in_any_order() {
        let expected = Command::Storm(Storm {
            address: "127.0.0.1:1".parse().unwrap(),
            connections: 16,
            duration: Duration::from_secs(2),
            resume: true,
            names: 10,
        });
        for line in [
            "storm --connect 127.0.0.1:1 --connections 16 --seconds 2 --names 10 --resume",
            "storm --resume --names 10 --seconds 2 --connections 16 --connect 127.0.0.1:1",
        ] {
            assert_eq!(parse_line(line).as_ref(), Some(&expected), "{line}");
        }
    }

    #[test]
    fn each_command_has_its_flags() {
        for (line, accepted) in [
            ("hold --connect 127.0.0.1:1 --count 5", true),
            ("hold --connect 127.0.0.1:1", false),
            ("probe --connect 127.0.0.1:1", true),
            ("probe --connect localhost", false),
            ("probe --connect", false),
            ("certificates --directory here --count 2", true),
            ("certificates --directory here --count 0", false),
            ("certificates --directory here --count 2 --more", false),
            ("wait", false),
            ("", false),
        ] {
            assert_eq!(parse_line(line).is_some(), accepted, "{line}");
        }
    }
}
