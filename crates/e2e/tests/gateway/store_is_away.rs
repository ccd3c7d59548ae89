//! A store that is away: every command ends in time with an error, and works again when the store is back.

use std::time::{Duration, Instant};

use testkit::{Balancer, refused_address};

use crate::{config, talk};

#[test]
fn commands_end_in_time_while_the_store_is_away() {
    let store = format!("type = \"memcached\"\nservers = [\"{}\"]\ntimeout = \"50ms\"", refused_address());
    let balancer = Balancer::start(config(&store));
    for _ in 0..20 {
        #[allow(clippy::disallowed_methods, reason = "the real time is measured")]
        let began = Instant::now();
        let answer = talk(&balancer, b"get a\r\nset a 0 0 1\r\nx\r\n");
        assert!(
            answer.starts_with("SERVER_ERROR ") && answer.matches("SERVER_ERROR ").count() == 2,
            "{answer}"
        );
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
}
