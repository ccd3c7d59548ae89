//! Without `compression` responses are unchanged; a reload turns it on and off (HTTP5).

use testkit::{Balancer, Client, Config, Target};

use crate::{ask, compressing, html, page};

#[test]
fn off_by_default() {
    let target = Target::http(|_| html("ETag: \"x\"\r\n"));
    let balancer = Balancer::start(Config::to(&target));
    let mut client = Client::connect(balancer.web());
    let is_as_it_was = |client: &mut Client| {
        let response = ask(client, "Accept-Encoding: gzip\r\n");
        assert_eq!(
            (response.text(), response.field("vary"), response.field("etag")),
            (page(), None, Some("\"x\""))
        );
        assert_eq!(response.field("content-length"), Some(page().len().to_string().as_str()));
    };
    is_as_it_was(&mut client);
    balancer.reload(compressing(&target)).unwrap();
    assert_eq!(ask(&mut client, "Accept-Encoding: gzip\r\n").field("content-encoding"), Some("gzip"));
    balancer.reload(Config::to(&target).listener("compression = \"off\"")).unwrap();
    is_as_it_was(&mut client);
}
