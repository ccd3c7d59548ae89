//! Applications keep their sessions behind the session gateway: carts survive the restart of targets and of the load
//! balancer (SP12). Requests go to any target.

use std::net::SocketAddr;

use xtask::Outcome;

use super::app::{App, Handler, Shop};
use super::cases::VISIT;
use super::crowd::Crowd;
use super::front::{Plan, Program};
use super::mechanism::Mechanism;
use super::site::{CART, STORE, Site, nothing_lost};
use super::stage::Stage;
use super::stores::{StoreKind, memcached, redis};
use crate::server::free_address;

pub(crate) fn run(stage: &Stage) {
    // The little shop keeps its sessions itself.
    for &app in stage.apps.iter().filter(|app| **app != App::Little) {
        match &stage.program {
            Program::Evenkeel(_) => {
                stage.case("gateway on sqlite", app.name(), || through_gateway(stage, app));
            }
            Program::Haproxy => {
                stage.case("memcached itself", app.name(), || {
                    let server = memcached(&[])?;
                    on_store(stage, app, &Handler::Memcached(server.address()))
                });
                stage.case("redis itself", app.name(), || {
                    let server = redis(&[])?;
                    on_store(stage, app, &Handler::Redis(server.address()))
                });
            }
        }
    }
}

fn through_gateway(stage: &Stage, app: App) -> Outcome<String> {
    let store = StoreKind::Sqlite.start()?;
    let gateway = free_address()?;
    let mut site = Site::start_with(stage, app, &Handler::Memcached(gateway), 1, |targets| {
        let mut plan = Plan::new(Mechanism::None, targets);
        let table = store.table(STORE, &stage.keys.path());
        plan.tables = format!("{table}[session_gateway.g]\nbind = \"{gateway}\"\nstore = \"{STORE}\"\n");
        plan
    })?;
    // Its applications wait for its answer; a load balancer that is killed does not give the gateway's address on.
    let targets = site.shops.len();
    halves(stage, &mut site, |site| {
        site.fronts[0].restart(targets)?;
        wait_for(gateway)?;
        restart_shops(stage, site)
    })
}

/// What the applications do without the gateway.
fn on_store(stage: &Stage, app: App, handler: &Handler) -> Outcome<String> {
    let mut site = Site::start_with(stage, app, handler, 1, |targets| Plan::new(Mechanism::None, targets))?;
    halves(stage, &mut site, |site| restart_shops(stage, site))
}

fn halves(stage: &Stage, site: &mut Site, between: impl FnOnce(&mut Site) -> Outcome) -> Outcome<String> {
    let addresses = site.addresses();
    // Real applications are slow.
    let mut crowd = Crowd::new(stage.users.min(USERS_MAX), VISIT);
    let mut tally = crowd.run(&addresses, CART / 2);
    between(site)?;
    tally.add(crowd.run(&addresses, CART));
    nothing_lost(&tally)
}

fn restart_shops(stage: &Stage, site: &mut Site) -> Outcome {
    let shops = std::mem::take(&mut site.shops);
    site.shops = shops.into_iter().map(|shop: Shop| shop.restart(&stage.software)).collect::<Outcome<_>>()?;
    site.fronts[0].wait_for_targets(site.shops.len())
}

fn wait_for(address: SocketAddr) -> Outcome {
    // It is bound before the process says that it serves.
    std::net::TcpStream::connect(address).map(|_| ()).map_err(|error| format!("gateway {address}: {error}"))
}

const USERS_MAX: usize = 50;
