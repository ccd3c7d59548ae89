//! An entry with `until` expires at that time without a reload. Then the entry around it decides (HTTP8).

use testkit::{Balancer, Config, Target, unix_seconds, wait_until};

use crate::statuses;

#[test]
fn entry_expires_by_itself() {
    let target = Target::named("one");
    let end = unix_seconds() + 2;
    let time = rfc3339(end);
    let deny = format!(
        "deny = [\"127.0.0.2 until {time}\", \"127.0.0.3 until {time}\", \"127.0.0.4 until 2001-01-01T00:00:00Z\"]"
    );
    let access = format!("access = {{ {deny}, allow = [\"127.0.0.0/24\"] }}");
    let balancer = Balancer::start(Config::to(&target).listener(&access));
    let web = balancer.web();
    assert_eq!(statuses([4, 5], web, "/"), [200, 200], "an entry whose end is past does not count");
    wait_until("the entries expire", || {
        let asked = unix_seconds();
        let statuses = statuses([2, 3], web, "/");
        let is_early = unix_seconds() < end;
        assert!(!is_early || statuses == [403, 403], "{statuses:?} before the end");
        assert!(asked <= end || statuses == [200, 200], "{statuses:?} after the end");
        statuses == [200, 200]
    });
}

/// Formats seconds since 1970, counting the years.
fn rfc3339(seconds: u64) -> String {
    let (mut days, time) = (seconds / 86_400, seconds % 86_400);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", days + 1)
}
