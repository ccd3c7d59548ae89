//! Refuses clients whose address is denied (HTTP8): by the load balancer and the listener before a rule is looked for, and
//! by the rule before anything that it does.
//!
//! The address is the one that a trusted proxy reports, else the peer's.

use balance::AddressTable;
use model::Failure;

use super::authorize::Authorized;
use super::caller::Caller;
use crate::failed::Failed;

/// The proof that load balancer and listener let the client pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screened(());

/// The proof that the rule lets the client pass, too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Permitted {
    pub(super) rule: usize,
}

pub(super) fn screen(caller: Caller<'_>, _authorized: Authorized) -> Result<Screened, Failed> {
    let access = &caller.plan.access;
    let load_balancer = access.load_balancer.as_deref();
    check(caller, load_balancer, ["by the load balancer", "unknown, by the load balancer"])?;
    check(caller, access.listener.as_deref(), ["by the listener", "unknown, by the listener"])?;
    Ok(Screened(()))
}

pub(super) fn permit(caller: Caller<'_>, rule: usize) -> Result<Permitted, Failed> {
    let table = caller.plan.rules[rule].access.as_deref();
    check(caller, table, ["by the rule", "unknown, by the rule"])?;
    Ok(Permitted { rule })
}

/// Asks the table, if there is one. `details` are for the access log: where the address is known, and where it is not.
fn check(caller: Caller<'_>, table: Option<&AddressTable>, details: [&'static str; 2]) -> Result<(), Failed> {
    let Some(table) = table else { return Ok(()) };
    let (source, now) = (caller.source, caller.unix_seconds);
    let [known, unknown] = details;
    let (is_allowed, detail) = if source.is_known {
        (table.allows(source.address, now), known)
    } else {
        (table.allows_unknown(source.address, now), unknown)
    };
    if is_allowed { Ok(()) } else { Err(Failed { failure: Failure::AccessDenied, detail }) }
}
