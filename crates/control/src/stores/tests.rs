use model::{MemcachedAddress, MemcachedServer, SecretUrl, SqlDialect};

use super::*;

#[test]
fn large_items_do_not_stand_in_front_of_sessions() {
    let clock: Clock = Arc::new(|| 0);
    let address = MemcachedAddress::Unix("/nonexistent/socket".into());
    let (redis, sql) = ("redis://127.0.0.1:1", "postgres:///?host=/nonexistent");
    let table = [
        (StoreKind::Memory, true),
        (StoreKind::File { path: "/nonexistent/sessions".into() }, true),
        (StoreKind::Memcached { servers: vec![MemcachedServer { address, weight: 1 }] }, false),
        (StoreKind::Redis { url: SecretUrl(redis.to_owned()) }, false),
        (StoreKind::Sql { dialect: SqlDialect::Postgres, url: SecretUrl(sql.to_owned()) }, false),
    ];
    for (kind, is_shared) in table {
        let name = SessionStoreName::new("sessions");
        let settings =
            SessionStore { name, kind, timeout: Duration::from_millis(10), capacity: 9, key: None };
        let new = || open(&settings, Arc::clone(&clock), MEMORY_BYTES);
        let of_sessions = new().unwrap();
        let of_items = client_for_items(&settings.kind, &of_sessions, new).unwrap();
        assert_eq!(Arc::ptr_eq(&of_sessions, &of_items), is_shared, "{:?}", settings.kind);
    }
}
