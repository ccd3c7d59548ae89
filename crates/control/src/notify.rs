//! Reports the service's state to systemd (`man 3 sd_notify`).

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::time::{ClockId, clock_gettime};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    Ready,
    Reloading,
    Stopping,
}

/// Sends the notice to `NOTIFY_SOCKET`, if it is set. Errors are ignored, because the service works without
/// systemd.
pub fn notify(notice: Notice) {
    if let Some(place) = env::var_os("NOTIFY_SOCKET") {
        let _ = send(&place, &text(notice, monotonic_micros()));
    }
}

fn text(notice: Notice, monotonic_micros: u64) -> String {
    match notice {
        Notice::Ready => "READY=1".to_owned(),
        // `Type=notify-reload` needs the time, to distinguish this reload's READY from an earlier one.
        Notice::Reloading => format!("RELOADING=1\nMONOTONIC_USEC={monotonic_micros}"),
        Notice::Stopping => "STOPPING=1".to_owned(),
    }
}

fn send(place: &OsStr, text: &str) -> io::Result<()> {
    let address = match place.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(place)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(text.as_bytes(), &address).map(|_| ())
}

fn monotonic_micros() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, nanos) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec));
    seconds.unwrap_or(0).saturating_mul(1_000_000).saturating_add(nanos.unwrap_or(0) / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_arrives_at_a_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let service_manager = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), &text(Notice::Ready, 7)).unwrap();
        let mut buffer = [0; 64];
        let length = service_manager.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"READY=1");
    }

    #[test]
    fn a_notice_arrives_at_an_abstract_name() {
        let name = format!("evenkeel-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let service_manager = UnixDatagram::bind_addr(&address).unwrap();
        send(OsStr::new(&format!("@{name}")), &text(Notice::Reloading, 7)).unwrap();
        let mut buffer = [0; 64];
        let length = service_manager.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"RELOADING=1\nMONOTONIC_USEC=7");
    }

    #[test]
    fn a_missing_socket_is_an_error_without_waiting() {
        assert!(send(OsStr::new("/nowhere/notify"), "STOPPING=1").is_err());
    }
}
