//! The admin API: HTTP/1.1 on Unix sockets, and a part of it over TCP, answered by [`Control`].

mod crowd;
mod endpoint;
mod sessions;
mod socket;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use config::Diagnostic;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use observe::Exposition;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

use crate::control::{Control, ReloadError, Reloaded, Swapped, diagnostic_json};

pub use endpoint::{AdminEndpoint, EndpointError};
use sessions::Progress;
pub use socket::{AdminSocket, SocketError};

impl AdminSocket {
    /// Serves the API until the future is dropped.
    // cancel-safe: dropping it closes its connections.
    pub async fn serve(&self, control: Arc<Control>) {
        let routes = routes(control);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = connections.join_next() => {}
                accepted = self.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                    Ok(stream) => {
                        connections.spawn(serve_connection(stream, routes.clone(), CONNECTION_PATIENCE));
                    }
                    // Most likely out of file descriptors; the connection stays in the accept queue.
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
        .route("/certificates", get(certificates))
        .route("/certificates/reload", post(reload_certificates))
        .route("/reload", post(reload))
        .route("/logs/reopen", post(reopen_logs))
        .merge(sessions::routes())
        .with_state(control)
}

async fn serve_connection(stream: impl AsyncRead + AsyncWrite + Unpin, routes: Router, patience: Duration) {
    let progress = Progress::default();
    let routes = routes.layer(Extension(progress.clone()));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    // Errors are not reported: the client disconnected or exceeded the time limit.
    let mut connection = pin!(connection);
    while timeout(patience, connection.as_mut()).await.is_err() {
        if progress.0.swap(0, Ordering::Relaxed) == 0 {
            return;
        }
    }
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
            let diagnostics: Vec<_> = warnings.iter().map(diagnostic_json).collect();
            let answer = json!({
                "generation": generation,
                "warnings": diagnostics,
                "rendered": rendered(&warnings),
            });
            Json(answer).into_response()
        }
        Err(error) => refused(&error),
    }
}

async fn certificates(State(control): State<Arc<Control>>) -> Response {
    Json(control.certificates()).into_response()
}

async fn reload_certificates(State(control): State<Arc<Control>>) -> Response {
    match control.swap_certificates(true).await {
        Ok(Swapped { generation, changed, warnings }) => {
            let changed: Vec<_> = changed.iter().map(|path| path.display().to_string()).collect();
            let answer = json!({
                "generation": generation,
                "changed": changed,
                "warnings": warnings.iter().map(diagnostic_json).collect::<Vec<_>>(),
                "rendered": rendered(&warnings),
            });
            Json(answer).into_response()
        }
        Err(error) => refused(&error),
    }
}

fn refused(error: &ReloadError) -> Response {
    let status = match error {
        ReloadError::Config(_) | ReloadError::Files { .. } | ReloadError::Engine(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        ReloadError::NoFile => StatusCode::CONFLICT,
        ReloadError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        ReloadError::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut answer = json!({ "errors": error.to_json(), "rendered": error.render() });
    if let ReloadError::Files { changed, .. } = error {
        answer["changed"] = changed.iter().map(|path| path.display().to_string()).collect();
    }
    (status, Json(answer)).into_response()
}

fn rendered(warnings: &[Diagnostic]) -> String {
    warnings.iter().map(|warning| warning.render(false)).collect::<Vec<_>>().join("\n")
}

async fn reopen_logs(State(control): State<Arc<Control>>) -> Response {
    let logs = match control.reopen_logs().await {
        Ok(logs) => logs,
        Err(error) => return refused(&error),
    };
    let failed = logs.iter().filter_map(|log| Some((log.path.as_str(), log.error.as_deref()?)));
    let rendered: String = failed.map(|(path, error)| reopen_error(path, error)).collect();
    let is_done = rendered.is_empty();
    let logs: Vec<_> = logs.iter().map(|log| json!({ "path": log.path, "error": log.error })).collect();
    let answer = Json(json!({ "reopened": is_done, "logs": logs, "rendered": rendered }));
    if is_done { answer.into_response() } else { (StatusCode::INTERNAL_SERVER_ERROR, answer).into_response() }
}

fn reopen_error(path: &str, error: &str) -> String {
    format!(
        "error: {path} cannot be reopened: {error}\n  help: lines go to the old file, or are lost if that was deleted; \
         the path is tried again with every write\n"
    )
}

// limit: admin connections at the same time; others stay in the accept queue.
const CONNECTIONS_MAX: usize = 32;
// limit: bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEAD_PATIENCE: Duration = Duration::from_secs(5);
/// limit: the lifetime of a connection, which is one exchange. It bounds how long a client that does not read
/// can occupy a connection. While a list of sessions goes on, it lasts longer.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(60);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    fn big() -> Router {
        Router::new().route("/", get(|| async { "x".repeat(1_000_000) }))
    }

    /// Sends `request`, reads the response if `reads`, and returns how long the connection was open.
    async fn lasts(request: &str, reads: bool) -> (Duration, usize) {
        let (mut client, server) = duplex(1_000);
        let began = Instant::now();
        let exchange = async {
            client.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            if reads {
                client.read_to_end(&mut answer).await.unwrap();
            }
            (answer.len(), client)
        };
        let ((length, _client), ()) =
            tokio::join!(exchange, serve_connection(server, big(), CONNECTION_PATIENCE));
        (began.elapsed(), length)
    }

    #[tokio::test(start_paused = true)]
    async fn one_exchange_ends_a_connection() {
        let (time, length) = lasts("GET / HTTP/1.1\r\nHost: x\r\n\r\n", true).await;
        assert!(time < Duration::from_secs(1) && length > 1_000_000, "{time:?} {length}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_no_request_is_disconnected() {
        for request in ["", "GET / HTTP/1.1\r\nHost:"] {
            let (time, _) = lasts(request, true).await;
            assert!((HEAD_PATIENCE..HEAD_PATIENCE * 2).contains(&time), "{time:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_disconnected() {
        let (time, _) = lasts("GET / HTTP/1.1\r\nHost: x\r\n\r\n", false).await;
        assert_eq!(time.as_secs(), CONNECTION_PATIENCE.as_secs());
    }
}
