//! A directory that must not be written is no full disk: commands, metrics, log and status say that it is not permitted.

use testkit::{Balancer, wait_until};

use crate::{config, talk};

#[test]
fn unwritable_store_is_told() {
    // The kernel lets no user make a directory there.
    let balancer = Balancer::start(config("type = \"file\"\npath = \"/sys/evenkeel-sessions\""));
    assert_eq!(talk(&balancer, b"set a 0 0 1\r\nx\r\n"), "SERVER_ERROR session store: denied\r\n");
    assert_eq!(talk(&balancer, b"get a\r\n"), "END\r\n", "it is still read");
    let told = " error a session store takes nothing store=items type=file error=\"it does not permit this: ";
    wait_until("it is told of", || balancer.stderr().contains(told));
    let count = |reason| {
        let of = [("store", "items"), ("reason", reason)];
        balancer.metric("evenkeel_session_store_errors_total", &of)
    };
    assert!(count("denied") > 0.5 && count("full") < 0.5);
    let output = balancer.run(&["status"]);
    let page = String::from_utf8(output.stdout).unwrap();
    let problem = "\n  session store items: it takes nothing: it does not permit this: ";
    assert!(output.status.code() == Some(1) && page.contains(problem), "{page}");
    assert!(page.contains("\nitems          file  REFUSES "), "{page}");
}
