//! `max_connections` of a load balancer counts the connections of all its listeners, and of no other load
//! balancer (KA10).

use testkit::{Balancer, Client, Config, Target, get, wait_until};

#[test]
fn instance_limit_spans_listeners() {
    let target = Target::named("served");
    let other = |name: &str, instance: &str, at: &str| {
        format!("[listener.{name}]\nload_balancer = \"{instance}\"\nbind = \"{at}:0\"\nforward = \"app\"\n")
    };
    let config = Config::to(&target)
        .listener("load_balancer = \"shop\"")
        .text("[load_balancer.shop]\nmax_connections = 2\n")
        .text(&other("also", "shop", "127.0.0.2"))
        .text(&other("apart", "default", "127.0.0.3"));
    let balancer = Balancer::start(config);
    let (web, also, apart) = (balancer.web(), balancer.address("also"), balancer.address("apart"));
    let mut clients = [web, also, apart].map(Client::connect);
    clients.iter_mut().for_each(|client| assert_eq!(client.get("/").text(), "served"));
    let [mut of_web, of_also, mut of_apart] = clients;

    let mut third = Client::connect(also);
    assert_eq!(third.get("/").text(), "served");
    assert!(of_web.is_closed(), "the instance's longest idle connection is evicted, on another listener");
    assert!(of_also.is_open_and_silent());
    for _ in 0..3 {
        assert_eq!(get(apart, "/").text(), "served");
    }
    assert_eq!(of_apart.get("/").text(), "served", "another instance is not affected");
    let evicted =
        |listener| balancer.metric("evenkeel_listener_connections_evicted_total", &[("listener", listener)]);
    assert_eq!([evicted("web"), evicted("also"), evicted("apart")], [1.0, 0.0, 0.0]);
    drop((of_also, third));
    wait_until("no connection is counted", || {
        balancer.metric("evenkeel_load_balancer_connections_open", &[("load_balancer", "shop")]) == 0.0
    });
}
