//! The control plane: handles signals, timers and operators' commands, but never requests of clients.
//!
//! [`Control`] starts the data plane (crate `proxy`), applies new configs to it and stops it. [`AdminSocket`]
//! serves the admin API; [`Client`] is the client of that API for the command line. Everything runs on one
//! tokio runtime outside the workers; blocking work runs on that runtime's blocking threads.

mod address;
mod admin;
mod client;
mod contents;
mod control;
mod demo;
mod gateway;
mod health;
mod hint;
mod notify;
mod page;
mod places;
mod prepared;
mod process;
mod secrets;
mod sessions;
mod socket_file;
mod stores;
mod view;

pub use address::{AdminAddress, InvalidAddress};
pub use admin::{AdminEndpoint, AdminSocket, EndpointError, SocketError};
pub use client::{Client, ClientError, Reply};
pub use control::{Control, ReloadError, Reloaded, Setup, Successor, Swapped};
pub use demo::Demo;
pub use gateway::{Counted, GatewayFigures, GatewayStore, Gateways, OpenStores};
pub use hint::start_error;
pub use notify::{Notice, notify};
pub use page::{certificate_table, printable, session_findings, session_table, status_page, target_table};
pub use prepared::{Prepared, Unfit};
pub use proxy::EngineError;
pub use sessions::{ChangeView, FilterView, FindingView, MoreView, QuestionView, SessionView, ShowView};
pub use view::{
    AddressView, CertificateView, CertificatesView, FailureView, GroupView, ListenerTlsView, ListenerView,
    LoadBalancerView, ProblemView, ReloadView, SessionGatewayView, SessionStoreView, StatusView, SwapView,
    TargetView,
};
