//! `cargo xtask sessions`: shops whose carts live in one server each, with Evenkeel in front of them (SP1, SP4, SP7, SP9, SP12).
//!
//! Users log in, answer a code and fill a cart, and check every answer. Without persistence that fails, which is
//! asserted; with it no session may be lost but those of a server that was killed. The shops are in `crates/e2e/apps`.
//! `--stand-in haproxy` tries users and shops on a known load balancer.

mod app;
mod browser;
mod cases;
mod crowd;
mod forged;
mod front;
mod gateway;
mod kills;
mod little_shop;
mod mechanism;
mod site;
mod stage;
mod store_failures;
mod stores;
mod tally;
mod user;

use clap::{Args, ValueEnum};
use xtask::{Outcome, packages};

use crate::script::Results;
use crate::server;
use app::{App, Software};
use front::{Keys, Program};
pub(crate) use little_shop::{Options as LittleShop, run as little_shop};
use stage::Stage;
use stores::StoreKind;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The shops [default: all]
    #[arg(long = "app", value_name = "APP")]
    apps: Vec<App>,

    /// The cases [default: all]
    #[arg(long = "case", value_name = "CASE")]
    cases: Vec<Case>,

    /// The session stores [default: all]
    #[arg(long = "store", value_name = "STORE")]
    stores: Vec<StoreKind>,

    /// Users of each crowd, at most 200
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=200))]
    users: u16,

    /// With the session stores all shops too, which takes more than five minutes
    #[arg(long)]
    all: bool,

    /// Try the trial itself on another load balancer, in cases that need no store
    #[arg(long, value_name = "PROGRAM")]
    stand_in: Option<StandIn>,

    /// Use the release build
    #[arg(long)]
    release: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Case {
    /// No persistence: users must lose their sessions
    Without,
    /// Each mechanism with one load balancer
    One,
    /// Two load balancers in turn: a shared key, or a shared store
    Two,
    /// A load balancer or a target is killed
    Kill,
    /// A store is killed, stopped, flushed, full or corrupt
    Store,
    /// Applications keep their sessions behind the session gateway
    Gateway,
    /// Chromium through a drain and a kill
    Browser,
    /// Forged and expired cookies
    Forged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StandIn {
    Haproxy,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let stage = stage(options)?;
    for case in Case::value_variants() {
        if !options.cases.is_empty() && !options.cases.contains(case) {
            continue;
        }
        match case {
            Case::Two | Case::Store | Case::Forged if options.stand_in.is_some() => {}
            Case::Without => cases::without(&stage),
            Case::One => cases::one(&stage),
            Case::Two => cases::two(&stage),
            Case::Kill => kills::run(&stage),
            Case::Store => store_failures::run(&stage),
            Case::Gateway => gateway::run(&stage),
            Case::Browser => browser::run(&stage),
            Case::Forged => forged::run(&stage),
        }
    }
    stage.results.outcome()
}

/// Builds and installs what the cases need.
fn stage(options: &Options) -> Outcome<Stage> {
    let program = match options.stand_in {
        None => Program::Evenkeel(server::evenkeel(options.release)?),
        Some(StandIn::Haproxy) => {
            packages::ensure(packages::FOR_STAND_INS)?;
            Program::Haproxy
        }
    };
    let apps = if options.apps.is_empty() { App::value_variants().to_vec() } else { options.apps.clone() };
    let stores = if options.stores.is_empty() { StoreKind::ALL.to_vec() } else { options.stores.clone() };
    let of_stores = if options.all { apps.clone() } else { vec![App::Little] };
    Ok(Stage {
        program,
        software: Software::install(&apps)?,
        apps,
        of_stores,
        stores,
        users: options.users.into(),
        keys: Keys::new('a')?,
        results: Results::new(),
    })
}
