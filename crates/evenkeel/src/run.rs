//! `evenkeel run`

use std::path::Path;
use std::process::ExitCode;

use config::{Diagnostic, Loaded};
use control::{AdminAddress, AdminSocket, Control, Notice, notify, start_error};

use crate::output::{failed, stderr_colors, tell};
use crate::start::{Signals, admin_address, block_on, setup};

pub(crate) fn run(path: &Path, admin: Option<AdminAddress>) -> ExitCode {
    match config::load(path) {
        Ok(Loaded { config, warnings }) => {
            warnings.iter().for_each(|warning: &Diagnostic| tell(&warning.render(stderr_colors())));
            block_on(serve(path, config, admin))
        }
        Err(errors) => {
            tell(&errors.render(stderr_colors()));
            failed(&format!("{} is not valid; nothing was started", path.display()))
        }
    }
}

async fn serve(path: &Path, config: model::Config, admin: Option<AdminAddress>) -> ExitCode {
    let address = admin_address(admin, &config);
    let (signals, setup) = match (Signals::listen(), setup(config, Some(path.to_owned()))) {
        (Ok(signals), Ok(setup)) => (signals, setup),
        (Err(error), _) | (_, Err(error)) => return failed(&format!("cannot start: {error}")),
    };
    // Before the ports: a second instance is told about the first, and has taken nothing from it.
    let socket = match AdminSocket::bind(&address).await {
        Ok(socket) => socket,
        Err(error) => return failed(&error.to_string()),
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
    notify(Notice::Ready);
    signals.serve(&control, &socket).await;
    ExitCode::SUCCESS
}
