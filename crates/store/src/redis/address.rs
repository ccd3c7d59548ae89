//! Where the server is: its own address, or sentinels that know the present master.

use std::path::PathBuf;

use ::redis::sentinel::{Sentinel, SentinelNodeConnectionInfo};
use ::redis::{Client, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError, TlsCertificates};

use super::fault::refusal;
use crate::StoreError;
use crate::secrets::percent_decoded;

#[derive(Clone, Debug)]
pub(super) enum Address {
    Server {
        info: Box<ConnectionInfo>,
        /// A file with the CAs that may have signed its certificate, instead of those of the system.
        ca_file: Option<PathBuf>,
    },
    Sentinels {
        nodes: Vec<ConnectionInfo>,
        master: String,
        /// Login and database at the master.
        login: Box<SentinelNodeConnectionInfo>,
    },
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, RedisError> {
        for scheme in ["redis+sentinel://", "valkey+sentinel://"] {
            if let Some(rest) = url.strip_prefix(scheme) {
                return sentinels(rest);
            }
        }
        // The other parameters are those of crate `redis`, which passes over this one.
        let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters).split(['&', '#']);
        let ca_file = parameters.filter_map(|parameter| parameter.strip_prefix("ssl-ca=")).next_back();
        let ca_file = ca_file.map(|path| PathBuf::from(percent_decoded(path)));
        let info = url.into_connection_info()?;
        // Finds what else is wrong with the address.
        Client::open(info.clone())?;
        Ok(Self::Server { info: Box::new(info), ca_file })
    }

    /// Reads the CAs, and asks the sentinels, each time: a renewed file or a new master needs no restart.
    pub(super) async fn client(&self) -> Result<Client, StoreError> {
        let client = match self {
            Self::Server { info, ca_file: None } => Client::open(ConnectionInfo::clone(info)),
            Self::Server { info, ca_file: Some(path) } => {
                let pem = tokio::fs::read(path).await;
                let pem = pem.map_err(|error| StoreError::Away(format!("{}: {error}", path.display())))?;
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem) };
                Client::build_with_tls(ConnectionInfo::clone(info), certificates)
            }
            Self::Sentinels { nodes, master, login } => {
                let mut sentinel = Sentinel::build(nodes.clone()).map_err(|error| refusal(&error))?;
                sentinel.async_master_for(master, Some(&**login)).await
            }
        };
        client.map_err(|error| refusal(&error))
    }
}

/// Reads `user:password@host:port,host:port/master/database`.
fn sentinels(text: &str) -> Result<Address, RedisError> {
    let invalid = |why| RedisError::from((ErrorKind::InvalidClientConfig, why));
    let (user, rest) = text.rsplit_once('@').map_or((None, text), |(user, rest)| (Some(user), rest));
    let (hosts, path) =
        rest.split_once('/').ok_or(invalid("the master's name is missing after the hosts"))?;
    let (master, database) = path.split_once('/').unwrap_or((path, ""));
    if master.is_empty() || hosts.split(',').count() > SENTINELS_MAX {
        return Err(invalid("the master's name is missing, or there are too many sentinels"));
    }
    let nodes = hosts.split(',').map(|host| {
        // An IPv6 address stands in brackets.
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let port = if has_port { "" } else { ":26379" };
        format!("redis://{host}{port}").into_connection_info()
    });
    let user = user.map_or_else(String::new, |user| format!("{user}@"));
    let login = format!("redis://{user}master/{database}").into_connection_info()?;
    let login =
        SentinelNodeConnectionInfo::default().set_redis_connection_info(login.redis_settings().clone());
    let nodes = nodes.collect::<Result<_, _>>()?;
    Ok(Address::Sentinels { nodes, master: percent_decoded(master), login: Box::new(login) })
}

// limit: they are asked one after the other.
const SENTINELS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(url: &str) -> Option<(Vec<String>, String)> {
        match Address::parse(url).ok()? {
            Address::Server { .. } => None,
            Address::Sentinels { nodes, master, .. } => {
                Some((nodes.iter().map(|node| node.addr().to_string()).collect(), master))
            }
        }
    }

    #[test]
    fn sentinels_are_a_list_with_the_name_of_the_master() {
        let (hosts, master) =
            nodes("redis+sentinel://u:p@one,two:5000,[::1]/sessions/3").expect("a good URL");
        assert_eq!((hosts.join(" "), &master[..]), ("one:26379 two:5000 ::1:26379".to_owned(), "sessions"));
        assert!(nodes("valkey+sentinel://one/sessions").is_some());
        for bad in ["one", "one/", "/sessions", "one:x/sessions", "one/sessions/x", "one,,two/sessions"] {
            assert!(Address::parse(&format!("redis+sentinel://{bad}")).is_err(), "{bad}");
        }
        let many = vec!["host"; SENTINELS_MAX + 1].join(",");
        assert!(Address::parse(&format!("redis+sentinel://{many}/sessions")).is_err());
    }

    #[test]
    fn a_file_with_cas_is_a_parameter() {
        let address =
            Address::parse("rediss://host/1?protocol=resp3&ssl-ca=/etc/a%20b.pem").expect("a good URL");
        let Address::Server { ca_file, .. } = address else { panic!("a server") };
        assert_eq!(ca_file, Some("/etc/a b.pem".into()));
    }
}
