//! Refuses clients whose address is denied (HTTP8), before anything looks for a rule.
//!
//! The address is the one that a trusted proxy vouches for, else the peer's.

use balance::AddressTable;
use model::Failure;
use net::Sys;

use super::Failed;
use super::request::Request;

/// The proof that load balancer and listener let the client pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screened(());

pub(super) fn screen<S: Sys>(request: &Request<S>) -> Result<Screened, Failed> {
    let access = &request.listener.plan.access;
    check(request, access.load_balancer.as_deref(), "by the load balancer")?;
    check(request, access.listener.as_deref(), "by the listener")?;
    Ok(Screened(()))
}

/// Whether this table, if there is one, lets the client pass; `whose` it is stands in the access log.
pub(super) fn check<S: Sys>(
    request: &Request<S>,
    table: Option<&AddressTable>,
    whose: &'static str,
) -> Result<(), Failed> {
    match table {
        Some(table) if !table.allows(request.source, request.proxy.worker.wall() / 1_000_000) => {
            Err(Failed { failure: Failure::AccessDenied, detail: whose })
        }
        _ => Ok(()),
    }
}
