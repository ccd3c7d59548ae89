//! A target answers before it has the whole request and sends more bytes after its response. Its connection is
//! closed, so that they reach no other client, and so is the connection of the client whose request was cut
//! short (HTTP3).

use testkit::{Balancer, Client, Config, Target, ok, response, wait_until};

#[test]
fn early_answers_are_not_pooled() {
    for behind in ["", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", "poison", "\r\n", "\0"] {
        let target = Target::script(move |mut connection| {
            let request = connection.head()?;
            if request.method() == "GET" {
                return connection.send(ok("clean"));
            }
            connection.send([response(413, "", "too large"), behind.into()].concat())?;
            connection.stall()
        });
        let balancer = Balancer::start(Config::to(&target));
        let mut client = Client::connect(balancer.web());
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nonly the beginning");
        let early = client.response();
        assert_eq!((early.status(), early.text().as_str()), (413, "too large"), "{behind:?}");
        assert_eq!(early.field("connection"), Some("close"), "{behind:?}");
        assert_eq!(Client::connect(balancer.web()).get("/").text(), "clean", "{behind:?}");
        wait_until("the target's connections are closed", || target.open() == 0);
    }
}
