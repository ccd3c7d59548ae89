//! An entry with `until` expires at that time without a reload. Then the entry around it decides (HTTP8).

use testkit::{Balancer, Config, Target, unix_seconds, wait_until};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

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

fn rfc3339(seconds: u64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds.cast_signed()).unwrap();
    time.format(&Rfc3339).unwrap()
}
