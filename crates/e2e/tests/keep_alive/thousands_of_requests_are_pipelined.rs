//! Thousands of pipelined requests are answered in order, with fixed responses among them, while the client
//! reads nothing.

use testkit::{Balancer, Client, Config, Target, ok};

const COUNT: usize = 3000;

#[test]
fn thousands_of_requests_are_pipelined() {
    let target = Target::http(|request| ok(request.target()));
    let ready = "path = \"/ready/\"\nrespond = { status = 200, body = \"ready\" }";
    let balancer = Balancer::start(Config::to(&target).rule(ready));
    let mut client = Client::connect(balancer.web());
    let path = |number| if number % 3 == 0 { format!("/ready/{number}") } else { format!("/{number}") };
    let requests: String =
        (0..COUNT).map(|number| format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", path(number))).collect();
    client.send(requests);
    for number in 0..COUNT {
        let expected = if number % 3 == 0 { "ready".to_owned() } else { path(number) };
        assert_eq!(client.response().text(), expected);
    }
    assert_eq!(target.connections(), 1);
}
