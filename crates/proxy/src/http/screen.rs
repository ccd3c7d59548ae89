//! Refuses clients whose address is denied (HTTP8): by load balancer and listener before anything looks for a rule,
//! and by the rule before anything that it does.
//!
//! The address is the one that a trusted proxy vouches for, else the peer's.

use balance::AddressTable;
use model::Failure;
use net::Sys;

use super::Failed;
use super::authorize::Authorized;
use super::request::Request;

/// The proof that load balancer and listener let the client pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screened(());

/// The proof that the rule that was found does so, too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Permitted {
    pub(super) rule: usize,
}

pub(super) fn screen<S: Sys>(request: &Request<S>, _authorized: Authorized) -> Result<Screened, Failed> {
    let access = &request.listener.plan.access;
    check(
        request,
        access.load_balancer.as_deref(),
        ["by the load balancer", "unknown, by the load balancer"],
    )?;
    check(request, access.listener.as_deref(), ["by the listener", "unknown, by the listener"])?;
    Ok(Screened(()))
}

pub(super) fn permit<S: Sys>(request: &Request<S>, rule: usize) -> Result<Permitted, Failed> {
    let table = request.listener.plan.rules[rule].access.as_deref();
    check(request, table, ["by the rule", "unknown, by the rule"])?;
    Ok(Permitted { rule })
}

/// Whether this table, if there is one, lets the client pass. `details` are for the access log: who says no to a
/// client, and to one that nobody knows.
fn check<S: Sys>(
    request: &Request<S>,
    table: Option<&AddressTable>,
    details: [&'static str; 2],
) -> Result<(), Failed> {
    let Some(table) = table else { return Ok(()) };
    let now = request.proxy.worker.wall() / 1_000_000;
    let is_allowed = if request.is_source_known {
        table.allows(request.source, now)
    } else {
        table.allows_unknown(request.source, now)
    };
    let [known, unknown] = details;
    let detail = if request.is_source_known { known } else { unknown };
    if is_allowed { Ok(()) } else { Err(Failed { failure: Failure::AccessDenied, detail }) }
}
