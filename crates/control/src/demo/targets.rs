//! The demo's targets: small servers in this process that answer with their name and the request.

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;

#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
}

#[derive(Debug)]
struct Server {
    name: &'static str,
    /// Whether its health check succeeds.
    well: AtomicBool,
}

/// Starts the targets, each on a port that the kernel chooses. They end with the runtime.
pub(super) async fn start() -> io::Result<Vec<Target>> {
    let mut targets = Vec::new();
    for name in ["alpha", "beta", "gamma"] {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        targets.push(Target { name, address: listener.local_addr()? });
        let routes = routes(name);
        tokio::spawn(async move { axum::serve(listener, routes).await });
    }
    Ok(targets)
}

fn routes(name: &'static str) -> Router {
    let server = Arc::new(Server { name, well: AtomicBool::new(true) });
    Router::new()
        .route("/healthz", get(health))
        .route("/fail", post(|State(server): State<Arc<Server>>| async move { set(&server, false) }))
        .route("/heal", post(|State(server): State<Arc<Server>>| async move { set(&server, true) }))
        .fallback(answer)
        .with_state(server)
}

async fn health(State(server): State<Arc<Server>>) -> StatusCode {
    if server.well.load(Ordering::Relaxed) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

fn set(server: &Server, well: bool) -> String {
    server.well.store(well, Ordering::Relaxed);
    let state = if well { "succeeds" } else { "fails" };
    format!("the health check of {} {state} from now on\n", server.name)
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let text = describe(server.name, &request);
    if wants_html(request.headers()) {
        let page = PAGE.replace("NAME", server.name).replace("TEXT", &escape(&text));
        return Html(page).into_response();
    }
    text.into_response()
}

/// The target's name, the request line, and the headers that the load balancer added.
fn describe(name: &str, request: &Request) -> String {
    let mut text = format!("Hello from {name}\n{} {}\n", request.method(), request.uri());
    for (field, value) in request.headers() {
        if FIELDS.contains(&field.as_str()) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{field}: {}", String::from_utf8_lossy(value.as_bytes()));
        }
    }
    text
}

fn wants_html(fields: &HeaderMap) -> bool {
    fields
        .get(header::ACCEPT)
        .is_some_and(|value| String::from_utf8_lossy(value.as_bytes()).contains("text/html"))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const FIELDS: [&str; 7] = [
    "host",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "forwarded",
    "x-request-id",
];

const PAGE: &str = "<!doctype html><meta charset=utf-8><title>NAME</title>\
    <body style=\"font:1.1em system-ui;max-width:40em;margin:4em auto\"><h1>Hello from NAME</h1><pre>TEXT</pre>\
    <p>Reload the page: the next target answers.</p>\n";

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn an_answer_has_the_targets_name_and_the_added_headers() {
        let request = Request::get("/a?b=1").header("x-forwarded-for", "192.0.2.7").header("x-other", "1");
        let text = describe("alpha", &request.body(Body::empty()).unwrap());
        assert_eq!(text, "Hello from alpha\nGET /a?b=1\nx-forwarded-for: 192.0.2.7\n");
    }

    #[test]
    fn a_request_cannot_write_into_the_page() {
        assert_eq!(escape("<b>&"), "&lt;b&gt;&amp;");
    }

    #[test]
    fn browsers_get_a_page() {
        let mut fields = HeaderMap::new();
        assert!(!wants_html(&fields));
        fields.insert(header::ACCEPT, "text/html,*/*;q=0.8".parse().unwrap());
        assert!(wants_html(&fields));
    }
}
