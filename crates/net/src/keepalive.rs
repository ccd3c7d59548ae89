//! Keepalive of TCP connections (`man 7 tcp`: SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT,
//! TCP_USER_TIMEOUT).

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use model::TcpKeepalive;
use rustix::net::sockopt;

/// Sets what a listening socket's connections inherit, or what holds for one connection; `None` sends no probes.
pub(crate) fn set(socket: impl AsFd, keepalive: Option<TcpKeepalive>) -> io::Result<()> {
    sockopt::set_socket_keepalive(&socket, keepalive.is_some())?;
    if let Some(keepalive) = keepalive {
        sockopt::set_tcp_keepidle(&socket, keepalive.idle)?;
        sockopt::set_tcp_keepintvl(&socket, keepalive.interval)?;
        sockopt::set_tcp_keepcnt(&socket, keepalive.probes.into())?;
    }
    let patience = keepalive.and_then(unacknowledged).unwrap_or_default();
    sockopt::set_tcp_user_timeout(&socket, u32::try_from(patience.as_millis()).unwrap_or(0))?;
    Ok(())
}

/// How long sent data may go unacknowledged, where that is for us to say: probes do not run then.
///
/// With a TCP_USER_TIMEOUT the kernel also ends a silent connection by time and no longer by the number of probes.
/// Its timers fire late by up to an eighth: where that could cost a probe, and where its own patience with
/// unacknowledged data is shorter anyway, it is left alone. A longer one would keep the memory of connections whose
/// client left with an unread response.
fn unacknowledged(keepalive: TcpKeepalive) -> Option<Duration> {
    let probes = u32::from(keepalive.probes);
    let late = lateness(keepalive.idle) + lateness(keepalive.interval) * (probes - 1);
    let total = keepalive.idle + keepalive.interval * probes;
    (late < keepalive.interval && total <= KERNEL_PATIENCE).then_some(total)
}

/// The most by which a kernel timer of this length fires late: it is kept in a wheel whose levels have 63 slots of
/// 8ⁿ ticks, whatever the tick is.
fn lateness(timer: Duration) -> Duration {
    let at = |hertz: u32| {
        let ticks = timer.as_millis() * u128::from(hertz) / 1000;
        let level = (0..8).find(|&level| ticks < 63 << (3 * level)).unwrap_or(8);
        Duration::from_secs(1 << (3 * level)) / hertz
    };
    [100, 250, 300, 1000].into_iter().map(at).max().unwrap_or_default()
}

/// net.ipv4.tcp_retries2 = 15, the default, gives up after 924.6 s or a little later.
const KERNEL_PATIENCE: Duration = Duration::from_secs(900);

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(idle: u64, interval: u64, probes: u8) -> TcpKeepalive {
        TcpKeepalive { idle: Duration::from_secs(idle), interval: Duration::from_secs(interval), probes }
    }

    #[test]
    fn a_timeout_is_set_only_where_every_probe_still_goes_out() {
        for (keepalive, total) in [
            (seconds(1, 1, 3), Some(4)),
            (seconds(1, 1, 10), Some(11)),
            (seconds(60, 10, 6), Some(120)),
            (seconds(5, 5, 127), None),
            (seconds(600, 10, 3), None),
            (seconds(100, 200, 4), Some(900)),
            (seconds(100, 200, 5), None),
            (TcpKeepalive::default(), None),
            (seconds(32_767, 32_767, 127), None),
        ] {
            assert_eq!(unacknowledged(keepalive), total.map(Duration::from_secs), "{keepalive:?}");
        }
    }

    #[test]
    fn timers_are_late_by_the_step_of_their_wheel() {
        // 100 ticks of 10 ms lie in steps of 8.
        assert_eq!(lateness(Duration::from_secs(1)), Duration::from_millis(80));
        // 2 160 000 ticks of a 300th lie in steps of 262 144.
        assert_eq!(lateness(Duration::from_secs(7200)).as_secs(), 873);
    }
}
