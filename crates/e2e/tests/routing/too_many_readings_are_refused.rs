//! A path is asked about as every target may read it. One that combines more differences than an encoder of URLs makes,
//! or several in a long path, is refused, so that no path costs more than a long one.

use testkit::{Balancer, Config, Target, get};

#[test]
fn too_many_readings_are_refused() {
    let target = Target::named("served");
    let balancer = Balancer::start(Config::to(&target));
    let long = "x/".repeat(1024);
    for path in ["/a%2Fb\\c/..;x/d//../e", "/a%00b%2Fc", &format!("/a%2Fb\\c/{long}")] {
        let response = get(balancer.web(), path);
        assert_eq!((response.status(), response.reason().as_str()), (400, "request_path"), "{path}");
    }
    assert_eq!(target.connections(), 0);
    for path in ["/find/a%2Fb%5Cc%3Bd%25e", "/a%2Fb\\c/", &format!("/a%2Fb/{long}"), &format!("/{long}")] {
        assert_eq!(get(balancer.web(), path).text(), "served", "{path}");
    }
}
