//! The control plane: what happens to the balancer on a signal, a timer or an operator's word, and never to a
//! request.
//!
//! [`Control`] starts the data plane (crate `proxy`), gives it new configs and stops it. [`AdminSocket`] serves the
//! admin API for it, [`Client`] speaks that API for the command line. Everything runs on one tokio runtime outside
//! the workers; what blocks goes to that runtime's blocking threads.

mod address;
mod admin;
mod client;
mod contents;
mod control;
mod demo;
mod health;
mod hint;
mod notify;
mod page;
mod prepared;
mod process;
mod view;

pub use address::{AdminAddress, InvalidAddress};
pub use admin::{AdminSocket, SocketError};
pub use client::{Client, ClientError, Reply};
pub use control::{Control, ReloadError, Reloaded, Setup, Swapped};
pub use demo::Demo;
pub use hint::start_error;
pub use notify::{Notice, notify};
pub use page::{certificate_table, status_page, target_table};
pub use prepared::Prepared;
pub use proxy::EngineError;
pub use view::{
    AddressView, CertificateView, CertificatesView, GroupView, ListenerTlsView, ListenerView,
    LoadBalancerView, ReloadView, StatusView, SwapView, TargetView,
};
