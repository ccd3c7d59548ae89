//! Names that operators choose. Live state is keyed by them, so that it survives reloads.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(name: &str) -> Self {
                Self(Arc::from(name))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &self.0)
            }
        }
    };
}

name! {
    /// The name of a listener, as in `[listener.NAME]`.
    ListenerName
}
name! {
    /// The name of a load balancer, as in `[load_balancer.NAME]`.
    LoadBalancerName
}
name! {
    /// The name of a target group, as in `[target_group.NAME]`.
    TargetGroupName
}
name! {
    /// The name of a session store, as in `[session_store.NAME]`.
    SessionStoreName
}
name! {
    /// The name of a session gateway, as in `[session_gateway.NAME]`.
    SessionGatewayName
}

/// What identifies a target across reloads: its group and its address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetKey {
    pub group: TargetGroupName,
    pub address: SocketAddr,
}
