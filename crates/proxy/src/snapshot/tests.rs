//! Which plans are kept, by pointer equality, and that a kept plan is what a new one would be.

mod sim;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use net::Linux;
use tls::{Files, TicketKeys};

use super::*;
use crate::local::Local;

/// What does not change between two generations, and the files that a config may name.
struct World {
    live: Live,
    logs: AccessLogs,
    files: HashMap<PathBuf, String>,
}

impl config::Files for World {
    fn read(&self, path: &Path, _: usize) -> io::Result<Vec<u8>> {
        let text = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(text.clone().into_bytes())
    }
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|&(path, text)| (path.into(), text.into())).collect();
        Self { live: Live::new(1), logs: AccessLogs::start().unwrap(), files }
    }

    fn parse(&self, text: &str) -> Config {
        config::parse(text, "test.toml", self).unwrap_or_else(|errors| panic!("{text}\n{errors}")).config
    }

    fn material(&self, config: &Config) -> Material {
        let read = |path: &Path| config::Files::read(self, path, 0);
        let mut files = Files::new(&read, NOW);
        Material::load(config, &TicketKeys::new(NOW), &mut files).unwrap_or_else(|| panic!("{files:?}"))
    }

    fn compile(&self, config: &Config, previous: Option<&Snapshot>) -> Snapshot {
        self.compile_with(config, &Material::default(), previous)
    }

    fn compile_with(&self, config: &Config, material: &Material, previous: Option<&Snapshot>) -> Snapshot {
        Snapshot::compile(config, material, 7, &self.live, &self.logs, previous).unwrap()
    }
}

const NOW: u64 = 1_790_000_000;

fn local(snapshot: &Snapshot, previous: Option<&Local<Linux>>) -> Local<Linux> {
    Local::new(snapshot, 0, previous)
}

fn group<'a>(snapshot: &'a Snapshot, name: &str) -> &'a Arc<GroupPlan> {
    snapshot.groups.iter().find(|plan| plan.group.name.as_str() == name).unwrap()
}

/// A listener that forwards to each of 1,000 groups, one that forwards to the first only, and the groups. The
/// target of group 500 has this weight.
fn thousand_groups(weight: u32) -> String {
    let mut text = "[listener.first]\nbind = '127.0.0.1:8081'\nforward = 'g0'\n\
                    [listener.web]\nbind = '127.0.0.1:8080'\n"
        .to_owned();
    for i in 0..1_000 {
        text.push_str(&format!("[[listener.web.rule]]\nhost = 'h{i}.example'\nforward = 'g{i}'\n"));
    }
    for i in 0..1_000 {
        let algorithm = if i % 250 == 0 { "source_ip_hash" } else { "weighted_round_robin" };
        let weight = if i == 500 { weight } else { 1 };
        text.push_str(&format!(
            "[target_group.g{i}]\nalgorithm = '{algorithm}'\n\
             targets = [{{ address = '127.0.0.1:1', weight = {weight} }}, '127.0.0.1:2']\n"
        ));
    }
    text
}

#[test]
fn a_weight_in_one_of_a_thousand_groups_changes_that_group_only() {
    let world = World::new(&[]);
    let before = world.compile(&world.parse(&thousand_groups(1)), None);
    let after = world.compile(&world.parse(&thousand_groups(2)), Some(&before));
    let pairs = || before.groups.iter().zip(&after.groups);
    let changed: Vec<_> =
        pairs().filter(|(old, new)| !Arc::ptr_eq(old, new)).map(|(_, new)| new.group.name.as_str()).collect();
    assert_eq!((changed, pairs().count()), (vec!["g500"], 1_000));
    assert_eq!(group(&after, "g500").group.targets[0].weight, 2);
    assert!(!Arc::ptr_eq(&group(&before, "g500").picker, &group(&after, "g500").picker));
    assert!(before.listeners.iter().zip(&after.listeners).all(|(old, new)| Arc::ptr_eq(old, new)));

    let old = local(&before, None);
    let new = local(&after, Some(&old));
    let is_same = |name: &str| Rc::ptr_eq(old.group(name), new.group(name));
    let names: Vec<_> = (0..1_000).map(|i| format!("g{i}")).filter(|name| !is_same(name)).collect();
    assert_eq!(names, ["g500"]);
    let listener = |local: &Local<Linux>, name| Rc::clone(local.listener(&ListenerName::new(name)).unwrap());
    assert!(Rc::ptr_eq(&listener(&old, "first"), &listener(&new, "first")));
    let (old_web, new_web) = (listener(&old, "web"), listener(&new, "web"));
    assert!(!Rc::ptr_eq(&old_web, &new_web), "it forwards to the group that changed");
    assert!(Rc::ptr_eq(&old_web.table, &new_web.table), "the rules did not change");
    let (old_group, new_group) = (old.group("g500"), new.group("g500"));
    let mut targets = old_group.targets.iter().zip(&new_group.targets);
    assert!(targets.all(|(old, new)| Rc::ptr_eq(old, new)), "targets keep their idle connections");
}

const BASE: &str = "
    [load_balancer.default]
    access = { deny = ['198.51.100.0/24'] }
    [listener.web]
    bind = '127.0.0.1:8080'
    access = { deny = [{ file = 'deny.txt' }, '203.0.113.7 until 2030-01-01T00:00:00Z'] }
    access_log = { path = '-', format = 'text' }
    via = 'edge'
    forward = { app = 3, api = 1 }
    [[listener.web.rule]]
    path = '~ ^/[0-9]+$'
    header = { x-a = '~ ^a' }
    access = { allow = [{ file = 'allow.txt' }] }
    forward = 'app'
    [[listener.web.rule]]
    host = 'www.example'
    redirect = { to = 'https://{host}{path}', code = 308 }
    [target_group.app]
    targets = [{ address = '127.0.0.1:1', weight = 1 }, '127.0.0.1:2']
    algorithm = 'source_ip_hash'
    health_check = { type = 'tcp', interval = '5s' }
    [target_group.api]
    targets = ['127.0.0.1:3']
";
const FILES: [(&str, &str); 2] = [("deny.txt", "192.0.2.0/24\n"), ("allow.txt", "10.0.0.0/8\n")];

/// What is kept of `BASE`: group `app`, its picker, group `api`, the rules of the listener, the listener.
const ALL: [bool; 5] = [true; 5];

fn kept(before: &Snapshot, after: &Snapshot) -> [bool; 5] {
    let same = |name| Arc::ptr_eq(group(before, name), group(after, name));
    let picker = Arc::ptr_eq(&group(before, "app").picker, &group(after, "app").picker);
    let (old, new) = (&before.listeners[0], &after.listeners[0]);
    assert_eq!(Arc::ptr_eq(&old.table, &new.table), Arc::ptr_eq(&old.rules, &new.rules));
    [same("app"), picker, same("api"), Arc::ptr_eq(&old.rules, &new.rules), Arc::ptr_eq(old, new)]
}

#[test]
fn what_changed_is_compiled_anew_and_nothing_else() {
    const LISTENER: [bool; 5] = [true, true, true, true, false];
    const RULES: [bool; 5] = [true, true, true, false, false];
    const APP: [bool; 5] = [false, true, true, true, true];
    const PICKER: [bool; 5] = [false, false, true, true, true];
    for (from, to, expected) in [
        ("", "", ALL),
        ("", "# a comment\n", ALL),
        ("[target_group.app]", "[target_group.aa]\ntargets = ['127.0.0.1:9']\n[target_group.app]", ALL),
        ("weight = 1", "weight = 2", PICKER),
        ("'127.0.0.1:2'", "'127.0.0.1:4'", PICKER),
        ("{ address = '127.0.0.1:1', weight = 1 }, '127.0.0.1:2'", "'127.0.0.1:2', '127.0.0.1:1'", PICKER),
        ("'source_ip_hash'", "'least_connections'", PICKER),
        ("'source_ip_hash'", "'hash'\nhash_on = { header = 'x-user' }", PICKER),
        ("interval = '5s'", "interval = '6s'", APP),
        ("health_check = { type = 'tcp', interval = '5s' }", "", APP),
        ("health_check", "timeouts = { connect = '1s' }\nhealth_check", APP),
        ("health_check", "keepalive = { idle_max = 1 }\nhealth_check", APP),
        ("health_check", "tcp_keepalive = { probes = 1 }\nhealth_check", APP),
        ("health_check", "max_connections = 9\nhealth_check", APP),
        ("health_check", "protocol = 'h2c'\nhealth_check", APP),
        ("format = 'text'", "format = 'json'", LISTENER),
        ("access_log = { path = '-', format = 'text' }", "", LISTENER),
        ("bind = '127.0.0.1:8080'", "bind = ['127.0.0.1:8080', '127.0.0.1:8081']", LISTENER),
        ("via = 'edge'", "via = 'other'", LISTENER),
        ("via = 'edge'", "max_connections = 5", LISTENER),
        ("via = 'edge'", "tcp_keepalive = { probes = 1 }", LISTENER),
        ("198.51.100.0/24", "198.51.101.0/24", LISTENER),
        ("until 2030-01-01", "until 2031-01-01", LISTENER),
        ("app = 3", "app = 4", RULES),
        ("forward = { app = 3, api = 1 }", "", RULES),
        ("^/[0-9]+$", "^/[0-8]+$", RULES),
        ("~ ^a", "~ ^b", RULES),
        ("www.example", "www.example.net", RULES),
        ("code = 308", "code = 307", RULES),
        ("allow = [{ file = 'allow.txt' }]", "deny = ['10.9.0.0/16']", RULES),
        ("host = 'www.example'", "host = 'www.example'\nresponse_headers = { remove = ['server'] }", RULES),
    ] {
        let world = World::new(&FILES);
        let config = world.parse(BASE);
        let before = world.compile(&config, None);
        assert!(BASE.contains(from));
        let config = world.parse(&BASE.replacen(from, to, 1));
        let after = world.compile(&config, Some(&before));
        assert_eq!(kept(&before, &after), expected, "{from} -> {to}");
        assert_eq!(format!("{after:?}"), format!("{:?}", world.compile(&config, None)), "{from} -> {to}");
    }
}

#[test]
fn a_list_is_compiled_anew_if_its_file_has_other_entries() {
    for (path, text, expected) in [
        ("deny.txt", "192.0.2.0/24 # a comment\n\n", ALL),
        ("deny.txt", "192.0.3.0/24\n", [true, true, true, true, false]),
        ("deny.txt", "192.0.2.0/24 until 2030-01-01T00:00:00Z\n", [true, true, true, true, false]),
        ("allow.txt", "10.0.0.0/8\n172.16.0.0/12\n", [true, true, true, false, false]),
    ] {
        let mut world = World::new(&FILES);
        let config = world.parse(BASE);
        let before = world.compile(&config, None);
        world.files.insert(path.into(), text.to_owned());
        let changed = world.parse(BASE);
        let after = world.compile(&changed, Some(&before));
        assert_eq!(kept(&before, &after), expected, "{path}: {text}");
        assert_eq!(format!("{after:?}"), format!("{:?}", world.compile(&changed, None)), "{path}: {text}");
    }
}

#[test]
fn a_list_is_recognised_by_the_config_of_the_previous_generation() {
    let world = World::new(&FILES);
    let mut config = world.parse(BASE);
    let first = world.compile(&config, None);
    let mut last = world.compile(&config, Some(&first));
    for _ in 0..3 {
        let next = world.parse(BASE);
        last = world.compile(&next, Some(&last));
        config = next;
    }
    assert_eq!(kept(&first, &last), ALL);
    drop(config);
    let after = world.compile(&world.parse(BASE), Some(&last));
    assert_eq!(kept(&first, &after), [true, true, true, false, false], "without it, lists are new");
}

#[test]
fn groups_are_found_by_name_whatever_their_order() {
    let world = World::new(&FILES);
    let before = world.compile(&world.parse(BASE), None);
    let old = local(&before, None);
    let (head, groups) = BASE.split_once("[target_group.app]").unwrap();
    let (app, api) = groups.split_once("[target_group.api]").unwrap();
    let swapped = format!("{head}[target_group.api]{api}[target_group.app]{app}");
    let config = world.parse(&swapped.replace("forward = { app = 3, api = 1 }", "forward = 'api'"));
    let after = world.compile(&config, Some(&before));
    let new = local(&after, Some(&old));
    let listener = &new.listeners[0];
    for (rule, name) in [(0, "app"), (2, "api")] {
        let (index, group) = listener.next_group(rule).unwrap();
        assert_eq!(group.plan.group.name.as_str(), name);
        assert_eq!(listener.group_name(index).unwrap().as_str(), name);
        assert!(std::ptr::eq(group, &**old.group(name)));
    }
}

#[test]
fn turns_go_on_over_a_reload() {
    let world = World::new(&[]);
    let text = |timeout: u32| {
        format!(
            "[listener.web]\nbind = '127.0.0.1:8080'\nforward = {{ a = 1, b = 1, c = 1 }}\n\
             [target_group.a]\ntargets = ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3']\n\
             timeouts = {{ connect = '{timeout}s' }}\n\
             [target_group.b]\ntargets = ['127.0.0.1:1']\n[target_group.c]\ntargets = ['127.0.0.1:1']\n"
        )
    };
    let mut snapshot = world.compile(&world.parse(&text(1)), None);
    let mut local = local(&snapshot, None);
    let (mut groups, mut targets) = (Vec::new(), Vec::new());
    for timeout in 2..=7 {
        let (group, _) = local.listeners[0].next_group(0).unwrap();
        groups.push(group);
        targets.push(local.group("a").cursor.borrow_mut().pick(|_| true).unwrap());
        snapshot = world.compile(&world.parse(&text(timeout)), Some(&snapshot));
        local = Local::new(&snapshot, 0, Some(&local));
    }
    for picked in [groups, targets] {
        assert_eq!(picked[..3], picked[3..], "each in its turn");
        assert_eq!(picked[..3].iter().sum::<usize>(), 3, "all of them: {picked:?}");
    }
}

#[test]
fn nothing_keeps_an_old_generation_alive() {
    let world = World::new(&FILES);
    let before = world.compile(&world.parse(BASE), None);
    let old = local(&before, None);
    let plan = Arc::downgrade(group(&before, "app"));
    let (app, listener) = (Rc::downgrade(old.group("app")), Rc::downgrade(&old.listeners[0]));
    let after = world.compile(&world.parse(&BASE.replace("weight = 1", "weight = 2")), Some(&before));
    let new = local(&after, Some(&old));
    drop((before, old));
    assert_eq!((plan.strong_count(), app.strong_count(), listener.strong_count()), (0, 0, 0));
    let api = Rc::downgrade(new.group("api"));
    drop((after, new));
    assert_eq!(api.strong_count(), 0);
}

/// A self-signed certificate for `a.example` with its key.
fn certificate() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    params.self_signed(&key).unwrap().pem() + &key.serialize_pem()
}

#[test]
fn a_new_certificate_takes_effect_and_leaves_the_rules() {
    let text = BASE.replace("via = 'edge'", "protocol = 'https'\ncertificates = [{ cert = 'a.pem' }]");
    let mut world = World::new(&FILES);
    world.files.insert("a.pem".into(), certificate());
    let config = world.parse(&text);
    let material = world.material(&config);
    let before = world.compile_with(&config, &material, None);
    let after = world.compile_with(&config, &material, Some(&before));
    assert_eq!(kept(&before, &after), ALL, "the same acceptor");
    world.files.insert("a.pem".into(), certificate());
    let renewed = world.material(&config);
    let after = world.compile_with(&config, &renewed, Some(&before));
    assert_eq!(kept(&before, &after), [true, true, true, true, false]);
    let acceptor = &after.listeners[0].tls.as_ref().unwrap().acceptor;
    assert!(Arc::ptr_eq(acceptor, &renewed.acceptors[&ListenerName::new("web")]));
}

#[test]
fn a_group_is_compiled_anew_if_its_tls_is_another() {
    const APP: [bool; 5] = [false, true, true, true, true];
    for (tls, renews, expected) in [
        ("ca = 'ca.pem'", false, ALL),
        ("ca = 'ca.pem'", true, APP),
        ("verify = false", true, ALL),
        // What the system trusts is part of it, and is the same.
        ("server_name = 'a.example'", false, ALL),
    ] {
        let text =
            BASE.replace("health_check", &format!("protocol = 'https'\ntls = {{ {tls} }}\nhealth_check"));
        let mut world = World::new(&FILES);
        world.files.insert("ca.pem".into(), certificate());
        let config = world.parse(&text);
        let before = world.compile_with(&config, &world.material(&config), None);
        if renews {
            world.files.insert("ca.pem".into(), certificate());
        }
        // A line above moves every place in the file.
        let config = world.parse(&format!("\n{text}"));
        let material = world.material(&config);
        let after = world.compile_with(&config, &material, Some(&before));
        assert_eq!(kept(&before, &after), expected, "{tls} {renews}");
    }
}
