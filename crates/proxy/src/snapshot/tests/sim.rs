//! Random small edits of a config, one after another.

use balance::Rng;

use super::*;

#[test]
fn sim_a_snapshot_does_not_depend_on_the_one_before() {
    for seed in 0..200 {
        let mut random = Rng::new(seed);
        let world = World::new(&[]);
        let mut draft = Draft::new(&mut random);
        let mut config = world.parse(&draft.text());
        let mut snapshot = world.compile(&config, None);
        let mut local = local(&snapshot, None);
        for step in 0..8 {
            draft.edit(&mut random);
            let next = world.parse(&draft.text());
            let after = world.compile(&next, Some(&snapshot));
            let anew = world.compile(&next, None);
            assert_eq!(
                format!("{after:?}"),
                format!("{anew:?}"),
                "seed={seed} step={step}\n{}",
                draft.text()
            );
            // The previous config goes only now: its lists were recognised.
            (config, snapshot) = (next, after);
            snapshot.settle(&world.live);
            local = Local::new(&snapshot, 0, Some(&local));
            check_local(&local, &snapshot);
        }
        drop(config);
    }
}

/// Each group that a rule chooses is the one that its plan names, in its present form.
fn check_local(local: &Local<Linux>, snapshot: &Snapshot) {
    for (listener, plan) in local.listeners.iter().zip(&snapshot.listeners) {
        assert!(Arc::ptr_eq(&listener.plan, plan));
        for rule in 0..plan.rules.len() {
            let (index, chosen) = listener.next_group(rule).unwrap();
            assert_eq!(plan.groups[index], chosen.plan.group.name);
            assert!(Arc::ptr_eq(&chosen.plan, group(snapshot, chosen.plan.group.name.as_str())));
        }
    }
    let targets = snapshot.groups.iter().map(|plan| plan.targets.len()).sum::<usize>();
    assert_eq!(local.targets().count(), targets);
}

/// A small config. Numbers choose among a few forms of a setting.
struct Draft {
    groups: Vec<GroupDraft>,
    listeners: Vec<ListenerDraft>,
}

struct GroupDraft {
    number: usize,
    algorithm: u64,
    weights: Vec<u64>,
    connect_seconds: u64,
}

struct ListenerDraft {
    number: usize,
    access: u64,
    via: u64,
    log: u64,
    rules: Vec<RuleDraft>,
}

struct RuleDraft {
    host: u64,
    access: u64,
    /// Of the first groups.
    weights: Vec<u64>,
}

impl Draft {
    fn new(random: &mut Rng) -> Self {
        let mut draft = Self { groups: Vec::new(), listeners: Vec::new() };
        (0..4).for_each(|_| draft.add_group(random));
        (0..2).for_each(|_| draft.add_listener(random));
        draft
    }

    fn add_group(&mut self, random: &mut Rng) {
        let number = (0..).find(|number| self.groups.iter().all(|group| group.number != *number)).unwrap();
        let at = index(self.groups.len() + 1, random);
        let (algorithm, weights) = (random.below(4), weights(random));
        self.groups.insert(at, GroupDraft { number, algorithm, weights, connect_seconds: 1 });
    }

    fn add_listener(&mut self, random: &mut Rng) {
        let number = (0..).find(|number| self.listeners.iter().all(|one| one.number != *number)).unwrap();
        let at = index(self.listeners.len() + 1, random);
        let rules = (0..random.below(4)).map(|_| RuleDraft::new(random)).collect();
        let [access, via, log] = [(); 3].map(|()| random.below(3));
        self.listeners.insert(at, ListenerDraft { number, access, via, log, rules });
    }

    fn edit(&mut self, random: &mut Rng) {
        let at = index(self.groups.len(), random);
        match random.below(12) {
            0 => self.add_group(random),
            1 if self.groups.len() > 1 => drop(self.groups.remove(at)),
            2 => self.groups.reverse(),
            3 => self.groups[at].algorithm = random.below(4),
            4 => self.groups[at].weights = weights(random),
            5 => self.groups[at].connect_seconds = random.below(3) + 1,
            _ => self.edit_listener(random),
        }
    }

    fn edit_listener(&mut self, random: &mut Rng) {
        let at = index(self.listeners.len(), random);
        match random.below(6) {
            0 => self.add_listener(random),
            1 if self.listeners.len() > 1 => drop(self.listeners.remove(at)),
            2 => self.listeners[at].access = random.below(3),
            3 => self.listeners[at].via = random.below(3),
            4 => self.listeners[at].log = random.below(3),
            _ => {
                let rules = &mut self.listeners[at].rules;
                let rule = index(rules.len() + 1, random);
                match rules.get_mut(rule) {
                    Some(rule) => *rule = RuleDraft::new(random),
                    None => rules.push(RuleDraft::new(random)),
                }
            }
        }
    }

    fn text(&self) -> String {
        let groups = self.groups.iter().map(GroupDraft::text);
        groups.chain(self.listeners.iter().map(|listener| listener.text(&self.groups))).collect()
    }
}

impl GroupDraft {
    fn text(&self) -> String {
        let target = |(at, weight)| format!("{{ address = '127.0.0.1:{}', weight = {weight} }}", at + 1);
        let targets: Vec<_> = self.weights.iter().enumerate().map(target).collect();
        let algorithm = ["weighted_round_robin", "least_connections", "random_two", "source_ip_hash"];
        format!(
            "[target_group.g{}]\ntargets = [{}]\nalgorithm = '{}'\ntimeouts = {{ connect = '{}s' }}\n",
            self.number,
            targets.join(", "),
            algorithm[self.algorithm as usize],
            self.connect_seconds
        )
    }
}

impl ListenerDraft {
    fn text(&self, groups: &[GroupDraft]) -> String {
        let number = self.number;
        let via = ["", "via = 'a'\n", "via = 'b'\n"][self.via as usize];
        let log = ["", "access_log = { path = '-' }\n", "access_log = { path = '-', format = 'json' }\n"]
            [self.log as usize];
        let (access, default) = (denied(self.access), forward(groups, &[1]));
        let mut text = format!(
            "[listener.l{number}]\nbind = '127.0.0.1:{}'\n{via}{log}{access}{default}",
            8000 + number
        );
        for (path, rule) in self.rules.iter().enumerate() {
            let host = ["", "host = 'a.example'\n", "host = '~ ^b'\n"][rule.host as usize];
            let (access, action) = (denied(rule.access), forward(groups, &rule.weights));
            text += &format!("[[listener.l{number}.rule]]\npath = '~ ^/{path}$'\n{host}{access}{action}");
        }
        text
    }
}

impl RuleDraft {
    fn new(random: &mut Rng) -> Self {
        Self { host: random.below(3), access: random.below(3), weights: weights(random) }
    }
}

fn index(count: usize, random: &mut Rng) -> usize {
    random.below(count as u64) as usize
}

fn weights(random: &mut Rng) -> Vec<u64> {
    (0..=random.below(3)).map(|_| random.below(3) + 1).collect()
}

fn denied(range: u64) -> String {
    if range == 0 { String::new() } else { format!("access = {{ deny = ['192.0.{range}.0/24'] }}\n") }
}

fn forward(groups: &[GroupDraft], weights: &[u64]) -> String {
    let entry = |(group, weight): (&GroupDraft, &u64)| format!("g{} = {weight}", group.number);
    let entries: Vec<_> = groups.iter().zip(weights).map(entry).collect();
    format!("forward = {{ {} }}\n", entries.join(", "))
}
