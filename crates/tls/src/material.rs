//! All TLS settings of a configuration, read and checked as a whole: either all of them are valid, or none is used
//! (CH3).

use std::collections::HashMap;
use std::sync::Arc;

use model::{Config, HostPattern, ListenerName, Service, TargetGroupName};

use crate::acceptor::{Acceptor, H2, HTTP1, Setting};
use crate::connector::Connector;
use crate::files::{Files, Parts};
use crate::in_use::Ended;
use crate::ticket::TicketKeys;

/// The data plane compiles this into its snapshot. Keyed by the names of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Material {
    pub acceptors: HashMap<ListenerName, Arc<Acceptor>>,
    pub connectors: HashMap<TargetGroupName, Arc<Connector>>,
    pub(crate) parts: Parts,
}

impl Material {
    /// `None`: something cannot be served, and was reported to `files`. Everything else was checked all the same.
    pub fn load(config: &Config, tickets: &Arc<TicketKeys>, files: &mut Files<'_>) -> Option<Self> {
        let mut material = Self::default();
        let mut is_complete = true;
        for listener in &config.listeners {
            let Some(tls) = &listener.tls else { continue };
            let setting = Setting {
                tls,
                listener: listener.name.as_str(),
                protocols: protocols(&listener.service),
                hosts: &hosts(&listener.service),
                tickets,
            };
            match Acceptor::build(&setting, files) {
                Some(acceptor) => {
                    material.acceptors.insert(listener.name.clone(), Arc::new(acceptor));
                }
                None => is_complete = false,
            }
        }
        for group in config.target_groups.iter().filter(|group| group.protocol.is_tls()) {
            match Connector::build(&group.tls, group.protocol, files) {
                Some(connector) => {
                    material.connectors.insert(group.name.clone(), Arc::new(connector));
                }
                None => is_complete = false,
            }
        }
        material.parts = files.parts();
        is_complete.then_some(material)
    }
}

impl Material {
    /// For [`Files::after`].
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// What is in use though its time is over.
    pub fn ended(&self, now_seconds: u64) -> Vec<Ended> {
        self.parts.ended(now_seconds)
    }
}

/// What a listener offers by ALPN: what it speaks itself. What the bytes of a TCP service mean is not known here.
fn protocols(service: &Service) -> &'static [&'static [u8]] {
    match service {
        Service::Http(http) if http.settings.http2.is_enabled => &[H2, HTTP1],
        Service::Http(_) => &[HTTP1],
        Service::Tcp(_) => &[],
    }
}

/// Hosts of rules that a certificate can name.
fn hosts(service: &Service) -> Vec<String> {
    let mut hosts: Vec<_> = service
        .rules()
        .iter()
        .filter_map(|rule| match &rule.host {
            HostPattern::Exact(host) => Some(host.clone()),
            _ => None,
        })
        .collect();
    hosts.sort();
    hosts.dedup();
    hosts
}
