//! `evenkeel sessions` lists sessions, says what an address or cookie maps to and why, and deletes and moves them (SP11). It prints
//! no cookie.

use std::collections::HashSet;
use std::process::Output;

use serde_json::Value;
use testkit::{Balancer, Client, Config, Message, Target, get, response, wait_until};

const SOURCE: &str = "persistence = { type = \"source_ip\", timeout = \"5m\", from = \"forwarded\" }";
const TRUST: &str = "trusted_proxies = [\"127.0.0.0/8\"]";

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn sessions(balancer: &Balancer, arguments: &[&str]) -> Ran {
    let Output { status, stdout, stderr } = balancer.run(&[&["sessions"], arguments].concat());
    Ran {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

fn lines(balancer: &Balancer, arguments: &[&str]) -> Vec<Value> {
    let ran = sessions(balancer, &[&["list", "--json"], arguments].concat());
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn from(client: &mut Client, address: &str) -> String {
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {address}\r\n\r\n"));
    client.response().text()
}

/// Sends the requests of many addresses, several at a time on each connection.
fn crowd(balancer: &Balancer, count: u32) {
    let address = |number: u32| format!("10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255);
    let numbers: Vec<_> = (0..count).collect();
    for part in numbers.chunks(100) {
        let requests = part.iter().map(|&number| {
            format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {}\r\n\r\n", address(number))
        });
        let mut client = Client::connect(balancer.web());
        client.send(requests.collect::<String>());
        part.iter().for_each(|_| assert_eq!(client.response().status(), 200));
    }
}

#[test]
fn every_session_is_listed() {
    const COUNT: u32 = 20_000;
    let targets = [Target::named("a"), Target::named("b")];
    let balancer = Balancer::start(Config::to_all(&targets.each_ref()).listener(TRUST).group(SOURCE));
    assert_eq!((lines(&balancer, &[]).len(), sessions(&balancer, &[]).code), (0, 0));
    crowd(&balancer, COUNT);

    let all = lines(&balancer, &[]);
    let keys: HashSet<_> = all.iter().map(|one| one["key"].as_str().unwrap()).collect();
    assert_eq!((all.len(), keys.len()), (COUNT as usize, COUNT as usize));
    assert!(keys.contains("10.0.0.0/32") && keys.contains("10.0.78.31/32"));
    for one in &all {
        assert_eq!(
            (&one["scope"], &one["store"], &one["group"]),
            (&"app".into(), &"process".into(), &"app".into())
        );
        assert_eq!((&one["shared"], &one["requests_in_flight"]), (&false.into(), &0.into()));
        let remaining = one["remaining_ms"].as_u64().unwrap();
        assert!(remaining > 200_000 && remaining <= 300_000, "{one}");
        assert!(one["created"].as_str().unwrap() <= one["last_used"].as_str().unwrap(), "{one}");
    }
    assert_eq!(sessions(&balancer, &["export"]).out.lines().count(), COUNT as usize);

    let of_target = |target: &Target| lines(&balancer, &["--target", &target.address().to_string()]).len();
    assert_eq!((of_target(&targets[0]), of_target(&targets[1])), (10_000, 10_000), "round robin");
    assert_eq!(lines(&balancer, &["--group", "app", "--store", "process"]).len(), COUNT as usize);

    let page = sessions(&balancer, &[]);
    assert_eq!((page.code, page.out.lines().count()), (0, 52), "{}", page.out);
    assert!(page.out.starts_with("SCOPE") && page.out.ends_with("and 19950 more; see --all and --json\n"));
    let page = sessions(&balancer, &["--all"]).out;
    assert_eq!(page.lines().filter(|line| line.starts_with("app ")).count(), COUNT as usize);

    let moved = sessions(
        &balancer,
        &["move", "--from", &targets[0].address().to_string(), "--to", &targets[1].address().to_string()],
    );
    assert_eq!((moved.code, moved.out.as_str()), (0, "10000 sessions moved\n"), "{}", moved.err);
    assert_eq!((of_target(&targets[0]), of_target(&targets[1])), (0, COUNT as usize));
    let deleted = sessions(&balancer, &["delete", "--group", "app", "--json"]);
    let deleted: Value = serde_json::from_str(&deleted.out).unwrap();
    assert_eq!((&deleted["changed"], lines(&balancer, &[]).len()), (&COUNT.into(), 0));
}

#[test]
fn names_that_do_not_exist_are_told() {
    let target = Target::named("a");
    let balancer = Balancer::start(Config::to(&target).listener(TRUST).group(SOURCE));
    let near = format!("1{}", target.address());
    for (arguments, part) in [
        (vec!["--group", "ap"], "there is no target group `ap`; did you mean `app`?".to_owned()),
        (vec!["--target", &near], format!("did you mean `{}`?", target.address())),
        (
            vec!["list", "--store", "proces"],
            "there is no session store `proces`; did you mean `process`?".to_owned(),
        ),
        (vec!["delete", "--group", "ap"], "did you mean `app`?".to_owned()),
        (vec!["move", "--group", "app", "--to", &near], "there is no target".to_owned()),
        (vec!["show", "10.0.0.0/8"], "with prefixes of 8 bits".to_owned()),
        (vec!["show", "EKSESSION=abc"], "persistence by cookie".to_owned()),
        (vec!["delete", "192.0.2.1"], "no session matches".to_owned()),
        (vec!["list", "--group", "app"], "no session matches".to_owned()),
    ] {
        let ran = sessions(&balancer, &arguments);
        assert_eq!((ran.code, ran.err.contains(&part)), (1, true), "{arguments:?}: {}", ran.err);
    }
    for arguments in [
        &["delete"][..],
        &["move", "--to", "x", "--group", "app", "y"],
        &["show"],
        &["delete", "a", "--group", "app"],
    ] {
        assert_eq!(sessions(&balancer, arguments).code, 2, "{arguments:?}");
    }
}

#[test]
fn an_address_is_shown_moved_and_deleted() {
    let targets = [Target::named("a"), Target::named("b")];
    let config = Config::to_all(&targets.each_ref()).listener(TRUST).group(SOURCE);
    let balancer = Balancer::start(config);
    let mut client = Client::connect(balancer.web());
    let none = sessions(&balancer, &["show", "192.0.2.1"]);
    assert_eq!(none.code, 1);
    assert!(
        none.out.contains("app (source_ip): none") && none.out.contains("round robin in app"),
        "{}",
        none.out
    );

    let first = from(&mut client, "192.0.2.1");
    let (own, other) = if first == "a" { (&targets[0], &targets[1]) } else { (&targets[1], &targets[0]) };
    for text in ["192.0.2.1", "192.0.2.1/32", "::ffff:192.0.2.1"] {
        let shown = sessions(&balancer, &["show", text]);
        assert_eq!(shown.code, 0, "{}", shown.err);
        let part = format!("app (source_ip): here -> {}", own.address());
        assert!(shown.out.contains(&part) && shown.out.contains("key 192.0.2.1/32"), "{}", shown.out);
    }
    let to = other.address().to_string();
    let moved = sessions(&balancer, &["move", "192.0.2.1", "--to", &to]);
    assert_eq!((moved.code, moved.out.as_str()), (0, "1 session moved\n"), "{}", moved.err);
    assert_ne!(from(&mut client, "192.0.2.1"), first);
    assert_ne!(from(&mut client, "192.0.2.1"), first);

    let key = lines(&balancer, &[])[0]["key"].as_str().unwrap().to_owned();
    assert_eq!(sessions(&balancer, &["delete", &key]).out, "1 session deleted\n");
    assert_eq!(sessions(&balancer, &["show", "192.0.2.1"]).code, 1);
    assert_eq!(sessions(&balancer, &["delete", &key]).code, 1);
}

fn set_cookie(message: &Message) -> String {
    message.field("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

#[test]
fn a_sealed_cookie_is_opened_but_not_moved() {
    let target = Target::named("a");
    let config = |ttl: &str| {
        Config::to(&target).group(&format!("persistence = {{ type = \"cookie\", key_file = \"k\"{ttl} }}"))
    };
    let prepared = Balancer::prepare(config("")).file("k", &"ab".repeat(32));
    std::fs::set_permissions(prepared.path("k"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    let balancer = prepared.start();
    let pair = set_cookie(&get(balancer.web(), "/"));
    let value = pair.split_once('=').unwrap().1;
    for text in [pair.as_str(), value] {
        let shown = sessions(&balancer, &["show", text]);
        assert_eq!(shown.code, 0, "{}", shown.err);
        let part = format!("app (cookie_insert): valid -> {}", target.address());
        assert!(shown.out.contains(&part) && !shown.out.contains(value), "{}", shown.out);
    }
    let forged =
        format!("{}{}", &value[..value.len() - 4], if value.ends_with("AAAA") { "BBBA" } else { "AAAA" });
    let verdict = |text: &str| {
        let ran = sessions(&balancer, &["show", text, "--json"]);
        let found: Value = serde_json::from_str(&ran.out).unwrap();
        (ran.code, found["findings"][0]["verdict"].as_str().unwrap().to_owned())
    };
    assert_eq!(verdict(&forged), (1, "forged".to_owned()));
    assert_eq!(verdict("nonsense"), (1, "malformed".to_owned()));
    for arguments in [vec!["delete", &pair], vec!["delete", "--group", "app"]] {
        let ran = sessions(&balancer, &arguments);
        assert_eq!(ran.code, 1);
        assert!(
            ran.err.contains("in cookies, which clients keep") && ran.err.contains("weight"),
            "{}",
            ran.err
        );
        assert!(!ran.err.contains(value), "{}", ran.err);
    }

    balancer.reload(config(", ttl = \"1s\"")).unwrap();
    let short = set_cookie(&get(balancer.web(), "/"));
    wait_until("the cookie has expired", || verdict(&short).1 == "expired");

    let other = Target::named("b");
    balancer
        .reload(Config::to(&other).group("persistence = { type = \"cookie\", key_file = \"k\" }"))
        .unwrap();
    assert_eq!(verdict(&pair), (1, "unknown_target".to_owned()));
}

#[test]
fn a_cookie_of_the_target_is_shown() {
    let target = Target::http(|_| response(200, "Set-Cookie: SID=precious; Path=/\r\n", "a"));
    let start = |mode: &str| {
        let group = format!("persistence = {{ type = \"cookie\", mode = \"{mode}\", name = \"SID\" }}");
        Balancer::start(Config::to(&target).group(&group))
    };
    let learns = start("learn");
    get(learns.web(), "/");
    let all = lines(&learns, &[]);
    let key = all[0]["key"].as_str().unwrap();
    assert!(all.len() == 1 && key.len() == 16 && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{all:?}");
    for text in [key, "precious", "SID=precious"] {
        let shown = sessions(&learns, &["show", text]);
        assert_eq!(shown.code, 0, "{}", shown.err);
        assert!(
            shown.out.contains("app (cookie_learn): here") && !shown.out.contains("precious"),
            "{}",
            shown.out
        );
    }
    assert_eq!(sessions(&learns, &["show", "SID=other"]).code, 1);
    assert_eq!(sessions(&learns, &["delete", key]).code, 0);
    assert_eq!(sessions(&learns, &["show", "precious"]).code, 1);

    let rewrites = start("rewrite");
    let pair = set_cookie(&get(rewrites.web(), "/"));
    let shown = sessions(&rewrites, &["show", &pair]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    let part = format!("app (cookie_rewrite): valid -> {}", target.address());
    assert!(shown.out.contains(&part) && !shown.out.contains("precious"), "{}", shown.out);
    assert_eq!(sessions(&rewrites, &["show", "SID=precious"]).code, 1);
}

#[test]
fn two_processes_that_share_a_store_agree_on_a_move() {
    let targets = [Target::named("a"), Target::named("b")];
    let folder = Balancer::prepare("");
    std::fs::create_dir(folder.path("sessions")).unwrap();
    let config = Config::to_all(&targets.each_ref())
        .listener(TRUST)
        .group(&SOURCE.replace("from", "store = \"files\", from"))
        .text(&format!(
            "[session_store.files]\ntype = \"file\"\npath = \"{}\"\ntimeout = \"1s\"\nkey_file = \"store.key\"\n",
            folder.path("sessions").display()
        ));
    let start = || {
        let prepared = Balancer::prepare(&config).file("store.key", &"cd".repeat(32));
        let path = prepared.path("store.key");
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        prepared.start()
    };
    let [one, two] = [start(), start()];
    let first = from(&mut Client::connect(one.web()), "192.0.2.1");
    assert_eq!(lines(&one, &["--store", "files"])[0]["shared"], true);
    let shown = sessions(&two, &["show", "192.0.2.1"]);
    assert!(shown.code == 0 && shown.out.contains("app (source_ip): in_store"), "{}", shown.out);
    let to = targets.iter().map(Target::address).find(|address| get(*address, "/").text() != first).unwrap();
    let moved = sessions(&one, &["move", "192.0.2.1", "--to", &to.to_string()]);
    assert_eq!(moved.code, 0, "{}", moved.err);
    assert_ne!(from(&mut Client::connect(two.web()), "192.0.2.1"), first);
    let gone = sessions(&two, &["delete", "192.0.2.1"]);
    assert_eq!((gone.code, sessions(&two, &["show", "192.0.2.1"]).code), (0, 1), "{}", gone.err);
}

#[test]
fn sessions_of_a_store_that_is_used_no_more_are_not_listed() {
    let target = Target::named("a");
    let config = |store: &str| {
        Config::to(&target)
            .listener(TRUST)
            .group(&SOURCE.replace("from", &format!("store = \"{store}\", from")))
            .text("[session_store.old]\ntype = \"memory\"\n[session_store.new]\ntype = \"memory\"\n")
    };
    let balancer = Balancer::start(config("old"));
    from(&mut Client::connect(balancer.web()), "192.0.2.1");
    assert_eq!(lines(&balancer, &[])[0]["store"], "old");
    balancer.reload(config("new")).unwrap();
    assert_eq!(lines(&balancer, &[]), [Value::Null; 0], "no request finds it");
    assert_eq!(sessions(&balancer, &["delete", "--group", "app"]).code, 1, "nor is it deleted");
    from(&mut Client::connect(balancer.web()), "192.0.2.1");
    let listed = lines(&balancer, &[]);
    assert_eq!((listed.len(), &listed[0]["store"]), (1, &"new".into()));
}

#[test]
fn a_change_is_told_without_a_cookie() {
    let targets = [Target::named("a"), Target::named("b")];
    let balancer = Balancer::start(Config::to_all(&targets.each_ref()).listener(TRUST).group(SOURCE));
    for number in 1..=4 {
        from(&mut Client::connect(balancer.web()), &format!("192.0.2.{number}"));
    }
    let [a, b] = [&targets[0], &targets[1]].map(|target| target.address().to_string());
    assert_eq!(sessions(&balancer, &["move", "--from", &a, "--to", &b]).code, 0);
    assert_eq!(sessions(&balancer, &["delete", "192.0.2.1"]).code, 0);
    assert_eq!(sessions(&balancer, &["delete", "192.0.2.1"]).code, 1, "nothing is changed, nothing is told");
    let log = balancer.stderr();
    let told: Vec<_> = log.lines().filter_map(|line| line.split_once(" changed by a command ")).collect();
    let expected = [
        format!("change=move sessions=2 failed=0 filter=\"target {a}\" to={b}"),
        "change=delete sessions=1 failed=0 filter=\"one session\"".to_owned(),
    ];
    assert_eq!(told.iter().map(|(_, fields)| *fields).collect::<Vec<_>>(), expected, "{log}");
}
