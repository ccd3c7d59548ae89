//! The admin API: HTTP/1.1 on a Unix socket, answered from what [`Control`] knows.

mod socket;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use observe::Exposition;
use serde_json::json;
use tokio::net::UnixStream;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

use crate::control::{Control, ReloadError, Reloaded, diagnostic_json};

pub use socket::{AdminSocket, SocketError};

impl AdminSocket {
    /// Answers until it is dropped.
    // cancel-safe: connections end with it.
    pub async fn serve(&self, control: Arc<Control>) {
        let routes = routes(control);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = connections.join_next() => {}
                accepted = self.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                    Ok(stream) => {
                        connections.spawn(serve_connection(stream, routes.clone()));
                    }
                    // Most likely no descriptor is left; the connection waits in the backlog.
                    Err(_) => sleep(ACCEPT_PAUSE).await,
                },
            }
        }
    }
}

fn routes(control: Arc<Control>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/metrics", get(metrics))
        .route("/status", get(|State(control): State<Arc<Control>>| async move { Json(control.status()) }))
        .route("/targets", get(|State(control): State<Arc<Control>>| async move { Json(control.targets()) }))
        .route("/reload", post(reload))
        .route("/logs/reopen", post(reopen_logs))
        .with_state(control)
}

async fn serve_connection(stream: UnixStream, routes: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    // A client that is cut off, or cuts itself off, is its own business.
    let _ = timeout(CONNECTION_PATIENCE, connection).await;
}

async fn metrics(State(control): State<Arc<Control>>) -> Response {
    match spawn_blocking(move || control.metrics()).await {
        Ok(page) => ([(header::CONTENT_TYPE, Exposition::CONTENT_TYPE)], page).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn reload(State(control): State<Arc<Control>>) -> Response {
    match control.reload().await {
        Ok(Reloaded { generation, warnings }) => {
            let rendered: Vec<_> = warnings.iter().map(|warning| warning.render(false)).collect();
            let warnings: Vec<_> = warnings.iter().map(diagnostic_json).collect();
            let answer =
                json!({ "generation": generation, "warnings": warnings, "rendered": rendered.join("\n") });
            Json(answer).into_response()
        }
        Err(error) => {
            let status = match error {
                ReloadError::Config(_) | ReloadError::Engine(_) => StatusCode::UNPROCESSABLE_ENTITY,
                ReloadError::NoFile => StatusCode::CONFLICT,
                ReloadError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
                ReloadError::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            };
            (status, Json(json!({ "errors": error.to_json(), "rendered": error.render() }))).into_response()
        }
    }
}

async fn reopen_logs(State(control): State<Arc<Control>>) -> Response {
    control.reopen_logs().await;
    Json(json!({ "reopened": true })).into_response()
}

// limit: of admin connections; others wait in the backlog.
const CONNECTIONS_MAX: usize = 32;
// limit: of a request's head. No request has a body that anybody reads.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEAD_PATIENCE: Duration = Duration::from_secs(5);
/// From accept to close: one exchange. A client that does not read gives its place back then.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(60);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
