//! `redirect_http` redirects plain HTTP clients to https.

use testkit::{Client, Target, refused_address};

use crate::{https, start};

#[test]
fn redirect_http_leads_to_https() {
    let target = Target::named("one");
    let (web, plain) = (refused_address(), refused_address());
    let config = https(&target)
        .listener(&format!("bind = \"{web}\""))
        .listener(&format!("redirect_http = {}", plain.port()))
        .listener("hsts = { max_age = \"1d\" }");
    let balancer = start(config);
    let mut client = Client::connect(plain);
    client.send("GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    let response = client.response();
    let location = format!("https://shop.example:{}/a?b=c", web.port());
    assert_eq!((response.status(), response.field("location")), (308, Some(location.as_str())));
    assert_eq!(response.field("strict-transport-security"), None);
    assert_eq!(balancer.tls_client("web").connect().get("/").text(), "one");
    assert_eq!(target.requests().len(), 1);
}
