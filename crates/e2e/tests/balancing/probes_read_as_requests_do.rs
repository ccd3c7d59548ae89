//! A probe reads the response as a request would: a target is healthy if requests to it succeed, and not otherwise (F13).

use testkit::{Balancer, Client, Config, Http2Target, Target, get, h2};

const CHECK: &str = "health_check = { type = \"http\", interval = \"100ms\", healthy = 1, unhealthy = 1 }";

#[test]
fn probes_read_as_requests_do() {
    let many_fields = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{}\r\n", "X: 1\r\n".repeat(150));
    for (answer, listener, is_well) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "", true),
        (&many_fields, "limits = { fields_count = 200 }", true),
        (&many_fields, "", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;\r\nok\r\n0\r\n\r\n", "", false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "", false),
        ("HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "", false),
        ("HTTP/1.1 200 OK\r\nX : 1\r\nContent-Length: 0\r\n\r\n", "", false),
    ] {
        let target = Target::once(answer);
        let balancer = Balancer::start(Config::to(&target).listener(listener).group(CHECK));
        balancer.wait_for_health(target.address(), if is_well { "healthy" } else { "unhealthy" });
        let mut client = Client::connect(balancer.web());
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let succeeds =
            client.try_response().is_ok_and(|response| response.status() == 200 && response.is_complete);
        assert_eq!(succeeds, is_well, "{answer:?}, {listener}");
    }
}

#[test]
fn probes_over_http2_do_so_too() {
    let many_fields = vec![("x", "1"); 150];
    let answering = |fields: Vec<(&'static str, &'static str)>, is_cut: bool| {
        Http2Target::script(move |mut exchange| {
            exchange.finish()?;
            exchange.respond(200, &fields)?;
            exchange.send("ok")?;
            if is_cut {
                exchange.reset(h2::Reason::INTERNAL_ERROR);
                return Ok(());
            }
            exchange.end()
        })
    };
    for (fields, is_cut, listener, is_well) in [
        (vec![], false, "", true),
        (many_fields.clone(), false, "limits = { fields_count = 200 }", true),
        (many_fields, false, "", false),
        (vec![("content-length", "9")], true, "", false),
        (vec![], true, "", false),
    ] {
        let case = format!("{} fields, cut {is_cut}, {listener}", fields.len());
        let target = answering(fields, is_cut);
        let config = Config::to_addresses(&[target.address()]).listener(listener);
        let balancer = Balancer::start(config.group("protocol = \"h2c\"").group(CHECK));
        balancer.wait_for_health(target.address(), if is_well { "healthy" } else { "unhealthy" });
        let response = get(balancer.web(), "/");
        assert_eq!(response.status() == 200 && response.is_complete, is_well, "{case}");
    }
}
