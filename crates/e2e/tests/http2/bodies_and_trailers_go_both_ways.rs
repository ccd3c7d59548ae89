//! Bodies of any size, their trailers, and the end of stream that each side sees.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use testkit::{Balancer, Config, Target};

use crate::{read, request, trailers, with};

fn grpc() -> Target {
    Target::http(|request| {
        let trailers = if request.target() == "/none" { "" } else { "grpc-status: 0\r\nx-sum: 1\r\n" };
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let chunks = if body.is_empty() { String::new() } else { format!("{:x}\r\n{body}\r\n", body.len()) };
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n{trailers}\r\n")
            .into_bytes()
    })
}

#[test]
fn trailers_follow_the_data() {
    let target = grpc();
    let balancer = Balancer::start(Config::to(&target));
    with(balancer.web(), async |mut connection| {
        let mut call = request("POST", "/call");
        call.headers_mut().insert("te", HeaderValue::from_static("trailers"));
        let (response, mut sender) = connection.send(call, false).await;
        sender.send_data(Bytes::from_static(b"hello"), false).unwrap();
        let mut sent = HeaderMap::new();
        sent.insert("x-client", HeaderValue::from_static("done"));
        sender.send_trailers(sent).unwrap();
        let (mut response, body) = read(response.await.unwrap()).await;
        assert_eq!(body, "hello");
        let trailers = trailers(&mut response).await.unwrap();
        assert_eq!(
            (&trailers["grpc-status"], &trailers["x-sum"]),
            (&"0".parse().unwrap(), &"1".parse().unwrap())
        );
        let (mut response, _) = connection.get("/none").await;
        assert_eq!(crate::trailers(&mut response).await, None);
    });
    let request = &target.requests()[0];
    assert_eq!(
        (request.field("te"), request.field("transfer-encoding")),
        (Some("trailers"), Some("chunked"))
    );
    assert_eq!(request.trailers, ["x-client: done"]);
}

/// More bytes than all windows and buffers hold, both ways at once.
#[test]
fn large_bodies_are_echoed() {
    let target = Target::http(|request| testkit::response(200, "", &String::from_utf8_lossy(&request.body)));
    let balancer = Balancer::start(Config::to(&target));
    let sent: String = (0..3_000_000_u32).map(|place| char::from(b'a' + (place % 23) as u8)).collect();
    for with_length in [true, false] {
        with(balancer.web(), async |mut connection| {
            let mut post = request("POST", "/");
            if with_length {
                post.headers_mut().insert("content-length", sent.len().into());
            }
            let (response, mut sender) = connection.send(post, false).await;
            let mut rest = Bytes::copy_from_slice(sent.as_bytes());
            while !rest.is_empty() {
                sender.reserve_capacity(rest.len());
                let room =
                    std::future::poll_fn(|context| sender.poll_capacity(context)).await.unwrap().unwrap();
                let piece = rest.split_to(room.min(rest.len()));
                sender.send_data(piece, rest.is_empty()).unwrap();
            }
            let (_, body) = read(response.await.unwrap()).await;
            assert!(body == sent.as_bytes(), "{} bytes of {}", body.len(), sent.len());
        });
    }
}

#[test]
fn a_head_without_a_body_ends_its_stream() {
    let target = Target::http(|request| match request.target() {
        "/304" => b"HTTP/1.1 304 \r\nETag: \"a\"\r\n\r\n".to_vec(),
        "/204" => b"HTTP/1.1 204 \r\n\r\n".to_vec(),
        _ => b"HTTP/1.1 200 \r\nContent-Length: 7\r\n\r\n".to_vec(),
    });
    let balancer = Balancer::start(Config::to(&target));
    with(balancer.web(), async |mut connection| {
        for (method, path) in [("GET", "/304"), ("GET", "/204"), ("HEAD", "/")] {
            let (response, _) = connection.send(request(method, path), true).await;
            let response = response.await.unwrap();
            assert!(response.body().is_end_stream(), "{path}");
        }
    });
}

/// A truncated response must not look complete.
#[test]
fn a_truncated_response_is_reset() {
    let target = Target::once("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    let balancer = Balancer::start(Config::to(&target));
    with(balancer.web(), async |mut connection| {
        let (response, _) = connection.send(request("GET", "/"), true).await;
        // The reset may overtake the head.
        let error = async {
            let mut response = response.await?;
            while let Some(data) = response.body_mut().data().await {
                data?;
            }
            Ok::<_, h2::Error>(())
        };
        assert_eq!(error.await.unwrap_err().reason(), Some(h2::Reason::INTERNAL_ERROR));
    });
}
