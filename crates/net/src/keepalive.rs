//! TCP keepalive (`man 7 tcp`: SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT,
//! TCP_USER_TIMEOUT).

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use model::TcpKeepalive;
use rustix::net::sockopt;

/// Sets the keepalive of a connection, or that which the connections of a listener socket inherit. `None` sends no probes.
pub(crate) fn set(socket: impl AsFd, keepalive: Option<TcpKeepalive>) -> io::Result<()> {
    sockopt::set_socket_keepalive(&socket, keepalive.is_some())?;
    if let Some(keepalive) = keepalive {
        sockopt::set_tcp_keepidle(&socket, keepalive.idle)?;
        sockopt::set_tcp_keepintvl(&socket, keepalive.interval)?;
        sockopt::set_tcp_keepcnt(&socket, keepalive.probes.into())?;
    }
    let timeout = keepalive.and_then(user_timeout).unwrap_or_default();
    sockopt::set_tcp_user_timeout(&socket, u32::try_from(timeout.as_millis()).unwrap_or(0))?;
    Ok(())
}

/// The TCP_USER_TIMEOUT: how long sent data may stay unacknowledged. `None` leaves the kernel's default.
///
/// It is needed because the kernel sends no keepalive probes while data is unacknowledged. But it also ends a silent
/// connection by time instead of by the number of probes, and the kernel's timers fire up to an eighth late. So it is
/// not set where this could cost a probe, nor where the kernel's default is shorter: a longer timeout would keep the
/// memory of connections whose client has left with an unread response.
fn user_timeout(keepalive: TcpKeepalive) -> Option<Duration> {
    let probes = u32::from(keepalive.probes);
    let late = lateness(keepalive.idle) + lateness(keepalive.interval) * (probes - 1);
    let total = keepalive.idle + keepalive.interval * probes;
    (late < keepalive.interval && total <= KERNEL_TIMEOUT).then_some(total)
}

/// The most by which a kernel timer of this length fires late. The kernel keeps it in a wheel whose level n has 63 slots
/// of 8ⁿ ticks; the result is the largest over all common tick rates.
fn lateness(timer: Duration) -> Duration {
    let at = |hertz: u32| {
        let ticks = timer.as_millis() * u128::from(hertz) / 1000;
        let level = (0..8).find(|&level| ticks < 63 << (3 * level)).unwrap_or(8);
        Duration::from_secs(1 << (3 * level)) / hertz
    };
    [100, 250, 300, 1000].into_iter().map(at).max().unwrap_or_default()
}

/// Below the kernel's default: with net.ipv4.tcp_retries2 = 15 it gives up after 924.6 s or a little later.
const KERNEL_TIMEOUT: Duration = Duration::from_secs(900);

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(idle: u64, interval: u64, probes: u8) -> TcpKeepalive {
        TcpKeepalive { idle: Duration::from_secs(idle), interval: Duration::from_secs(interval), probes }
    }

    #[test]
    fn a_user_timeout_is_set_only_if_it_costs_no_probe() {
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
            assert_eq!(user_timeout(keepalive), total.map(Duration::from_secs), "{keepalive:?}");
        }
    }

    #[test]
    fn kernel_timers_are_late_by_the_step_of_their_wheel_level() {
        // 100 ticks of 10 ms are on the level with steps of 8 ticks.
        assert_eq!(lateness(Duration::from_secs(1)), Duration::from_millis(80));
        // 2,160,000 ticks of 1/300 s are on the level with steps of 262,144 ticks.
        assert_eq!(lateness(Duration::from_secs(7200)).as_secs(), 873);
    }
}
