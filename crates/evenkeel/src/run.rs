//! `evenkeel run`

use std::path::Path;
use std::process::ExitCode;

use config::Diagnostic;
use control::{AdminAddress, Control, Notice, Prepared, notify, start_error};

use crate::output::{failed, stderr_colors, tell};
use crate::start::{AdminApi, Place, Signals, block_on, setup, wall_clock};

pub(crate) fn run(path: &Path, admin: Option<AdminAddress>) -> ExitCode {
    match Prepared::load(path, wall_clock()) {
        Ok(prepared) => {
            prepared.warnings.iter().for_each(|warning: &Diagnostic| tell(&warning.render(stderr_colors())));
            block_on(serve(path, prepared, admin))
        }
        Err(errors) => {
            tell(&errors.render(stderr_colors()));
            failed(&format!("{} is not valid; nothing was started", config::name(path)))
        }
    }
}

async fn serve(path: &Path, prepared: Prepared, admin: Option<AdminAddress>) -> ExitCode {
    let wanted = prepared.config.admin.clone();
    let path = config::can_be_read_again(path).then(|| path.to_owned());
    let (signals, setup) = match (Signals::listen(), setup(prepared, path)) {
        (Ok(signals), Ok(setup)) => (signals, setup),
        (Err(error), _) | (_, Err(error)) => return failed(&format!("cannot start: {error}")),
    };
    // Before the listeners, so that a second instance fails here with a clear message, before it binds any
    // address.
    let admin = match AdminApi::bind(admin, &wanted).await {
        Ok(admin) => admin,
        Err(error) => return failed(&error),
    };
    let control = match Control::start(setup).await {
        Ok(control) => control,
        Err(error) => return failed(&start_error(&error)),
    };
    for bound in control.bound() {
        let (generation, workers) = (control.generation(), control.workers());
        let noun = if workers == 1 { "worker" } else { "workers" };
        let (name, at) = (bound.listener, bound.actual);
        tell(&format!("serving listener {name} at {at} (generation {generation}, {workers} {noun})\n"));
    }
    for endpoint in &admin.endpoints {
        tell(&format!("serving metrics at {}\n", endpoint.address()));
    }
    notify(Notice::Ready);
    signals.serve(&control, admin, Place::of_this_process()).await;
    ExitCode::SUCCESS
}
