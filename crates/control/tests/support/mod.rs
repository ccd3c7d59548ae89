//! A load balancer with its admin API in this process, and a target whose health the test controls.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, SystemTime};

use control::{
    AdminAddress, AdminSocket, Client, Control, Prepared, Reply, Setup, StatusView, Successor, TargetView,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) struct Balancer {
    pub(crate) control: Arc<Control>,
    pub(crate) client: Client,
    dir: TempDir,
    admin: JoinHandle<()>,
}

impl Balancer {
    pub(crate) async fn start(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::start_in(dir, config, || SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)).await
    }

    /// Starts in a directory with the files that the config names.
    pub(crate) async fn start_in(dir: TempDir, config: &str, wall: fn() -> SystemTime) -> Self {
        std::fs::write(dir.path().join("evenkeel.toml"), config).unwrap();
        let mut socket = AdminSocket::bind(&address(dir.path())).await.unwrap();
        socket.started().await.unwrap();
        let control = Control::start(setup_at(dir.path().join("evenkeel.toml"), wall)).await.unwrap();
        let served = Arc::clone(&control);
        let admin = tokio::spawn(async move { socket.serve(served).await });
        Self { control, client: Client::new(address(dir.path())), dir, admin }
    }

    pub(crate) fn address(&self) -> AdminAddress {
        address(self.dir.path())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("evenkeel.toml")
    }

    pub(crate) fn write(&self, config: &str) {
        std::fs::write(self.path(), config).unwrap();
    }

    pub(crate) async fn status(&self) -> StatusView {
        self.client.decode(&self.client.read("/status").await.unwrap()).unwrap()
    }

    pub(crate) async fn targets(&self) -> Vec<TargetView> {
        self.client.decode(&self.client.read("/targets").await.unwrap()).unwrap()
    }

    pub(crate) async fn metrics(&self) -> String {
        let reply = self.client.read("/metrics").await.unwrap();
        assert_eq!(reply.status, 200);
        String::from_utf8(reply.body).unwrap()
    }

    pub(crate) async fn reload(&self) -> (u16, serde_json::Value) {
        let Reply { status, body } = self.client.order("/reload").await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// Waits until the first target has this health.
    pub(crate) async fn wait_for(&self, health: &str) -> TargetView {
        wait_until(async || self.targets().await.into_iter().next().filter(|target| target.health == health))
            .await
    }

    pub(crate) async fn stop(self) {
        self.control.stop(Duration::from_secs(5), Successor::None).await;
        let address = self.address();
        self.admin.abort();
        let _ = self.admin.await;
        assert!(!address.path().exists(), "the socket file is removed");
    }
}

pub(crate) fn setup(path: PathBuf) -> Setup {
    setup_at(path, || SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600))
}

fn setup_at(path: PathBuf, wall: fn() -> SystemTime) -> Setup {
    let prepared = Prepared::load(&path, wall()).unwrap_or_else(|errors| panic!("{errors}"));
    Setup { prepared, path: Some(path), seed: [1, 2], wall, version: "1.2.3" }
}

fn address(dir: &Path) -> AdminAddress {
    dir.join("admin.sock").into()
}

/// A target that answers probes with the status that a test sets.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    status: Arc<AtomicU16>,
}

impl Target {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let status = Arc::new(AtomicU16::new(200));
        let told = Arc::clone(&status);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let reply =
                    format!("HTTP/1.1 {} X\r\nContent-Length: 0\r\n\r\n", told.load(Ordering::SeqCst));
                let _ = stream.write_all(reply.as_bytes()).await;
            }
        });
        Self { address, status }
    }

    pub(crate) fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

/// Repeats `ask` until it returns a value.
pub(crate) async fn wait_until<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let story = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(story).await
}

pub(crate) async fn within<T>(story: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), story).await.expect("not within 20 s")
}
