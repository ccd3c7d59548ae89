//! Address lists may be files. A reload reads them again, and a wrong line leaves everything unchanged (HTTP8).

use testkit::{Balancer, Config, Target};

use crate::{statuses, visit};

#[test]
fn files_are_read_at_reload() {
    let target = Target::named("one");
    let config =
        Config::to(&target).listener("access = { deny = [{ file = \"block.txt\" }, \"127.0.0.9\"] }");
    let balancer = Balancer::prepare(&config)
        .file("block.txt", "# ours\n\n127.0.0.2 # one\r\n  127.0.0.3\n127.0.0.3\n")
        .start();
    let web = balancer.web();
    assert_eq!(statuses([2, 3, 4, 9], web, "/"), [403, 403, 200, 403]);
    let write = |text: &str| std::fs::write(balancer.path("block.txt"), text).unwrap();
    write("127.0.0.4\n");
    assert_eq!(statuses([2, 4], web, "/"), [403, 200], "not before the reload");
    balancer.reload(&config).unwrap();
    assert_eq!(statuses([2, 3, 4, 9], web, "/"), [200, 200, 403, 403]);
    write("127.0.0.5\n127.0.0.6/24\n");
    let (status, body) = balancer.reload(&config).unwrap_err();
    assert!(status == 422 && body.contains("block.txt:2: `127.0.0.6/24` is not an address range"), "{body}");
    assert_eq!(statuses([4, 5], web, "/"), [403, 200]);
}

#[test]
fn a_new_list_applies_from_the_next_request_of_a_connection() {
    let target = Target::named("one");
    let config = |deny: &str| Config::to(&target).listener(&format!("access = {{ deny = [{deny}] }}"));
    let balancer = Balancer::start(config(""));
    let mut client = testkit::Client::connect(balancer.web());
    assert_eq!(client.get("/").status(), 200);
    balancer.reload(config("\"127.0.0.1\"")).unwrap();
    assert_eq!(client.get("/").status(), 403);
    balancer.reload(config("")).unwrap();
    assert_eq!(client.get("/").status(), 200);
    assert_eq!(visit([127, 0, 0, 2], balancer.web(), "/").status(), 200);
}
