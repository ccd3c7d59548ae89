//! `evenkeel demo`: targets, load balancer and hints in one process, without configuration.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use control::{AdminAddress, AdminSocket, Control, Demo, EngineError, Prepared, SocketError, start_error};

use crate::output::{failed, say, tell};
use crate::start::{AdminApi, Place, Signals, block_on, setup, wall_clock};

pub(crate) fn demo(admin: Option<AdminAddress>) -> ExitCode {
    block_on(async { show(admin).await.unwrap_or_else(|why| failed(&why)) })
}

async fn show(admin: Option<AdminAddress>) -> Result<ExitCode, String> {
    let signals = Signals::listen().map_err(|error| format!("cannot start: {error}"))?;
    let demo = Demo::start().await.map_err(|error| format!("cannot start the demo's targets: {error}"))?;
    let (socket, admin) = admin_socket(admin).await?;
    let (control, port) = start(&demo).await?;
    control.first_probes(PATIENCE).await;
    let mut api = AdminApi { sockets: vec![socket], endpoints: Vec::new() };
    api.started().await?;
    say(&demo.hints(port, &admin));
    signals.serve(&control, api, Place::Alone).await;
    Ok(ExitCode::SUCCESS)
}

async fn admin_socket(asked: Option<AdminAddress>) -> Result<(AdminSocket, AdminAddress), String> {
    let wanted = asked.clone().unwrap_or_else(AdminAddress::default_place);
    match AdminSocket::bind(&wanted).await {
        Ok(socket) => return Ok((socket, wanted)),
        Err(SocketError::OtherInstance(_)) if asked.is_none() => {}
        Err(error) => return Err(error.to_string()),
    }
    let own = std::env::temp_dir().join(format!("evenkeel-demo-{}.sock", std::process::id()));
    let own = AdminAddress::from(own);
    let socket = AdminSocket::bind(&own).await.map_err(|error| error.to_string())?;
    Ok((socket, own))
}

/// Starts the load balancer on the first free port from 8080.
async fn start(demo: &Demo) -> Result<(Arc<Control>, u16), String> {
    let mut last = String::new();
    for port in FIRST_PORT..=LAST_PORT {
        let config = config::parse(&demo.config(port), "demo", &config::Disk);
        let prepared = config.and_then(|loaded| Prepared::of(loaded, wall_clock()));
        let prepared = prepared.map_err(|errors| format!("a bug of the demo:\n{errors}"))?;
        let setup = setup(prepared, None).map_err(|error| format!("cannot start: {error}"))?;
        match Control::start(setup).await {
            Ok(control) => return Ok((control, port)),
            Err(error @ EngineError::Bind { .. }) => {
                tell(&format!("port {port} is not free: {error}\n"));
                last = start_error(&error);
            }
            Err(error) => return Err(start_error(&error)),
        }
    }
    Err(last)
}

const FIRST_PORT: u16 = 8080;
const LAST_PORT: u16 = 8099;
/// How long to wait for the first probes. The targets are in this process, so they answer at once.
const PATIENCE: Duration = Duration::from_secs(2);
