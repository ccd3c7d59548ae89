//! `evenkeel run`

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use config::Diagnostic;
use control::{AdminAddress, Control, Notice, Prepared, Setup, notify, start_error};
use model::Admin;

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
    let (mut signals, setup) = match (Signals::listen(), setup(prepared, path)) {
        (Ok(signals), Ok(setup)) => (signals, setup),
        (Err(error), _) | (_, Err(error)) => return failed(&format!("cannot start: {error}")),
    };
    let started = tokio::select! {
        started = start(setup, admin, &wanted) => started,
        () = signals.stop_asked() => Err("stopped by a signal before it served".to_owned()),
    };
    let (control, admin) = match started {
        Ok(started) => started,
        Err(error) => return failed(&error),
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

async fn start(
    setup: Setup,
    admin: Option<AdminAddress>,
    wanted: &Admin,
) -> Result<(Arc<Control>, AdminApi), String> {
    // Before the listeners, so that a second instance fails here with a clear message, before it binds any
    // address.
    let mut admin = AdminApi::bind(admin, wanted).await?;
    let control = Control::start(setup).await.map_err(|error| start_error(&error))?;
    admin.started().await?;
    Ok((control, admin))
}
