//! The part of the admin API that is reachable over TCP: metrics and the state of the process, read-only.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use net::{AddressLock, Claim, ListenerSocket, Offer, Predecessor};
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::crowd::{Admission, Crowd};
use super::{ACCEPT_PAUSE, metrics, serve_connection};
use crate::control::{Control, hand_over};

/// A listening TCP address of the admin API.
#[derive(Debug)]
pub struct AdminEndpoint {
    address: SocketAddr,
    listener: TcpListener,
    lock: AddressLock,
    /// Serves the address until this process has started.
    predecessor: Option<Predecessor>,
}

#[derive(Debug)]
pub struct EndpointError {
    address: SocketAddr,
    error: String,
}

impl AdminEndpoint {
    /// Listens at `address`, or takes it over from a process that is stopping.
    pub async fn bind(address: SocketAddr) -> Result<Self, EndpointError> {
        let listen = move || listen(address).map_err(|error| error.to_string());
        let listened = spawn_blocking(listen).await.unwrap_or_else(|error| Err(error.to_string()));
        listened.map_err(|error| EndpointError { address, error })
    }

    /// This process has started: one that is stopping need not serve the address any more.
    pub fn started(&mut self) {
        self.predecessor.take().into_iter().for_each(Predecessor::serving);
    }

    /// The address, with the port that the kernel chose if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until another process has taken the address over, or the future is dropped.
    // cancel-safe: dropping it closes its connections.
    pub async fn serve(self, control: Arc<Control>) {
        let Self { address, listener, mut lock, .. } = self;
        let routes = routes(&control, address);
        let mut crowd = Crowd::default();
        {
            let taken = taken_over(address, &listener, &mut lock, &control);
            tokio::pin!(taken);
            loop {
                tokio::select! {
                    () = &mut taken => break,
                    Some(()) = crowd.ended() => {}
                    accepted = listener.accept(), if crowd.has_room() => match accepted {
                        Ok((stream, peer)) => {
                            let admission = Admission::default();
                            let routes = routes.clone().layer(Extension(admission.clone()));
                            crowd.add(peer.ip(), admission, serve_connection(stream, routes, CONNECTION_PATIENCE));
                        }
                        Err(_) => sleep(ACCEPT_PAUSE).await,
                    },
                }
            }
        }
        drop((listener, lock));
        while crowd.ended().await.is_some() {}
    }
}

/// Offers the address when the process stops, and waits until another one serves it.
async fn taken_over(address: SocketAddr, listener: &TcpListener, lock: &mut AddressLock, control: &Control) {
    while timeout(RESERVE_EVERY, control.offers_addresses()).await.is_err() {
        lock.reserve(address);
    }
    let offer = || Offer::new(address, lock.try_clone()?, vec![ListenerSocket::lent(listener)?]);
    match offer() {
        Ok(offer) => hand_over(&offer, |_| {}).await,
        Err(_) => std::future::pending().await,
    }
}

fn listen(address: SocketAddr) -> io::Result<AdminEndpoint> {
    let (lock, socket, predecessor) =
        match (address.port(), net::claim(address, false).map_err(io::Error::other)?) {
            // The kernel chooses a free port.
            (0, _) => {
                let socket = net::bind(address, None)?;
                let lock = AddressLock::take(socket.local_address()?, true).map_err(io::Error::other)?;
                (lock, socket, None)
            }
            (_, Claim::Free(lock)) => (lock, net::bind(address, None)?, None),
            (_, Claim::HandedOver { lock, sockets, predecessor }) => {
                let socket = sockets.into_iter().next().ok_or(io::ErrorKind::AddrInUse)?;
                (lock, socket, Some(predecessor))
            }
        };
    let address = socket.local_address()?;
    Ok(AdminEndpoint { address, listener: TcpListener::from_std(socket.into_std()?)?, lock, predecessor })
}

fn routes(control: &Arc<Control>, address: SocketAddr) -> Router {
    let routes = Router::new()
        .route("/metrics", get(metrics))
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(ready))
        .with_state(Arc::clone(control));
    if address.ip().to_canonical().is_loopback() {
        return routes.layer(from_fn(admit_local));
    }
    routes.layer(from_fn_with_state(Arc::clone(control), admit))
}

async fn ready(State(control): State<Arc<Control>>) -> Response {
    if control.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    "ready\n".into_response()
}

/// Every request of this machine may be answered.
async fn admit_local(Extension(admission): Extension<Admission>, request: Request, next: Next) -> Response {
    admission.grant();
    next.run(request).await
}

/// Refuses requests without the token (RFC 6750 §2.1, §3).
async fn admit(
    State(control): State<Arc<Control>>,
    Extension(admission): Extension<Admission>,
    request: Request,
    next: Next,
) -> Response {
    let offered = request.headers().get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes);
    let offered = offered.and_then(|value| value.split_at_checked(SCHEME.len()));
    let is_admitted = offered.is_some_and(|(scheme, token)| {
        scheme.eq_ignore_ascii_case(SCHEME) && control.admin_token().is_some_and(|own| own.is(token))
    });
    if is_admitted {
        admission.grant();
        return next.run(request).await;
    }
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response()
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, error } = self;
        write!(
            f,
            "the admin API cannot listen at {address}: {error}\n  help: set another `bind` in `[admin]`; `ss -ltnp` shows \
             which process listens there"
        )
    }
}

impl std::error::Error for EndpointError {}

/// How soon the name at which successors ask is bound after a process that had it has closed it.
const RESERVE_EVERY: Duration = Duration::from_millis(200);
const SCHEME: &[u8] = b"Bearer ";
/// limit: the lifetime of a connection, which is one exchange.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(20);
