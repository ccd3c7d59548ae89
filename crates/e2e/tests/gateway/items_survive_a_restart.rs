//! Items in files and in SQLite outlive the process, also one that is killed; also the largest.

use testkit::{Balancer, Signal};

use crate::{config, talk};

#[test]
fn items_in_files_and_in_sqlite_outlive_the_process() {
    for store in ["type = \"file\"\npath = \"items\"", "type = \"sql\"\nurl = \"sqlite://items.db\""] {
        let mut balancer = Balancer::start(config(&format!("{store}\ntimeout = \"1s\"")));
        let stored = talk(&balancer, b"set cart 7 0 6\r\napples\r\nset gone 0 0 1\r\nx\r\ndelete gone\r\n");
        assert_eq!(stored, "STORED\r\nSTORED\r\nDELETED\r\n", "{store}");
        let mut former = balancer.restart();
        former.wait_exit();
        let read = talk(&balancer, b"get cart gone\r\n");
        assert_eq!(read, "VALUE cart 7 6\r\napples\r\nEND\r\n", "{store}");
        balancer.signal(Signal::KILL);
        let mut former = balancer.restart();
        former.wait_exit();
        assert_eq!(talk(&balancer, b"get cart\r\n"), "VALUE cart 7 6\r\napples\r\nEND\r\n", "{store}");
    }
}

#[test]
fn the_largest_item_fits_into_each_store() {
    let value = "v".repeat(1 << 20);
    for store in [
        "type = \"sql\"\nurl = \"sqlite://items.db\"\ntimeout = \"1s\"",
        "type = \"file\"\npath = \"items\"\ntimeout = \"1s\"",
        "type = \"memory\"",
    ] {
        let balancer = Balancer::start(config(store));
        let stored = talk(&balancer, format!("set big 7 0 {}\r\n{value}\r\n", value.len()).as_bytes());
        assert_eq!(stored, "STORED\r\n", "{store}");
        let read = talk(&balancer, b"get big\r\n");
        assert!(
            read == format!("VALUE big 7 1048576\r\n{value}\r\nEND\r\n"),
            "{store}: {} bytes",
            read.len()
        );
        let changed = talk(&balancer, b"append big 0 0 1\r\nx\r\ntouch big 100\r\n");
        assert_eq!(changed, "SERVER_ERROR object too large for cache\r\nTOUCHED\r\n", "{store}");
    }
}
