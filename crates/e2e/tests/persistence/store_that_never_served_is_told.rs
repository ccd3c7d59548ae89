//! A store that has never answered is a problem, though no request has needed it yet.

use testkit::{Balancer, Config, Target, wait_until};

use crate::users::write_key;

#[test]
fn store_that_never_served_is_told() {
    let target = Target::named("a");
    let prepared = Balancer::prepare("");
    std::fs::write(prepared.path("file"), "").unwrap();
    let file = prepared.path("file").display().to_string();
    let nowhere = format!("sqlite://{}", prepared.path("missing/db").display());
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (store, error) in [
        (format!("type = \"redis\"\nurl = \"redis://{closed}\""), "refused".to_owned()),
        (format!("type = \"sql\"\nurl = \"{nowhere}\""), "unable to open".to_owned()),
        (format!("type = \"file\"\npath = \"{file}\""), format!("{file}: Not a directory")),
    ] {
        let config = Config::to(&target)
            .group("persistence = { type = \"source_ip\", timeout = \"5m\", store = \"shared\" }")
            .text(&format!("[session_store.shared]\n{store}\nkey_file = \"store.key\"\n"));
        let prepared = Balancer::prepare(&config);
        write_key(&prepared.path("store.key"));
        let balancer = prepared.start();
        let mut page = String::new();
        wait_until("it is a problem", || {
            let output = balancer.run(&["status"]);
            page = String::from_utf8(output.stdout).unwrap();
            output.status.code() == Some(1)
        });
        let problem = "\nPROBLEMS\n  session store shared: it is away, and is tried again all the time: ";
        assert!(page.contains(problem) && page.contains(&error), "{store}: {page}");
        let log = balancer.stderr();
        assert_eq!(log.matches(" error a session store is away store=shared ").count(), 1, "{log}");
    }
}
