//! Deletes and moves sessions, in this process and in the store that it shares.
//!
//! The store comes first: what it does not take stays as it is here, too, or the next exchange with it would undo the
//! change.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use balance::session::{Row, SessionKey, TargetId};
use model::TargetGroupName;
use observe::Event;
use proxy::{Link, SessionMark, SessionScope, SessionTable};
use tokio::task::{JoinSet, yield_now};
use tokio::time::Instant;

use super::directory::{Directory, Filter};
use super::list::Place;
use super::show::Candidate;
use super::{ChangeView, FilterView, QuestionView, SLICE, Unanswered, answered, find};

/// What becomes of sessions.
#[derive(Clone, Copy, Debug)]
enum Change {
    Delete,
    Move(SocketAddr),
}

/// One session, and what becomes of it.
#[derive(Clone, Copy, Debug)]
struct Step {
    key: SessionKey,
    from: TargetId,
    /// `None`: it goes.
    to: Option<TargetId>,
    lifetime: Duration,
}

impl Directory {
    pub(crate) async fn delete(&self, question: &QuestionView) -> Result<ChangeView, Unanswered> {
        self.change(question, Change::Delete).await
    }

    pub(crate) async fn move_sessions(&self, question: &QuestionView) -> Result<ChangeView, Unanswered> {
        let to =
            question.to.as_deref().ok_or_else(|| Unanswered::Invalid("move needs a target".to_owned()))?;
        self.change(question, Change::Move(self.target(to)?)).await
    }

    async fn change(&self, question: &QuestionView, change: Change) -> Result<ChangeView, Unanswered> {
        let mut done = match (&question.what, &question.group, &question.target) {
            (Some(what), None, None) => self.change_one(what, change).await?,
            (None, None, None) | (Some(_), ..) => {
                let text = "name either one session, or a group or target whose sessions are meant";
                return Err(Unanswered::Invalid(text.to_owned()));
            }
            (None, group, target) => {
                let (group, target) = (group.clone(), target.clone());
                let filter = self.filter(&FilterView { group, target, ..FilterView::default() })?;
                if let Change::Move(to) = change
                    && filter.target == Some(to)
                {
                    return Err(Unanswered::Invalid("both targets are the same".to_owned()));
                }
                self.change_all(&filter, change).await?
            }
        };
        tell(question, change, &done);
        if let Change::Move(to) = change {
            done.notes.extend(self.not_taking(to));
        }
        Ok(done)
    }

    async fn change_one(&self, what: &str, change: Change) -> Result<ChangeView, Unanswered> {
        let (mut done, mut impossible) = (ChangeView::default(), None);
        let candidates = self.candidates(what).await?;
        if candidates.is_empty() {
            return Err(self.refusal_of_cookie(what).unwrap_or_else(|| self.nothing(what)));
        }
        for candidate in candidates {
            let Some(table) = candidate.scope.table() else { continue };
            let Some(from) = place(table, candidate.key).await else { continue };
            match self.step(&candidate, from, change) {
                Ok(step) => self.apply(table, vec![step], &mut done).await,
                Err(error) => impossible = Some(error),
            }
        }
        match impossible {
            Some(error) if done.changed == 0 && done.failed == 0 => Err(error),
            _ => Ok(done),
        }
    }

    fn step(&self, candidate: &Candidate<'_>, from: TargetId, change: Change) -> Result<Step, Unanswered> {
        let Candidate { scope, key } = candidate;
        let to = match change {
            Change::Delete => None,
            Change::Move(to) => Some(self.in_scope(scope, from, to).ok_or_else(|| {
                Unanswered::Impossible(format!(
                    "sessions of {} cannot be at {to}: it is not one of its targets",
                    scope.name
                ))
            })?),
        };
        Ok(Step { key: *key, from, to, lifetime: scope.lifetime() })
    }

    /// Walks until all are done, or counted after a failure, or the time is over.
    async fn change_all(&self, filter: &Filter, change: Change) -> Result<ChangeView, Unanswered> {
        let mut done = ChangeView::default();
        self.mind_cookies(filter, &mut done)?;
        let (began, mut place, mut elsewhere) = (Instant::now(), Place::default(), 0_u64);
        while let Some((_, table)) = self.tables.get(place.table) {
            let rows = table.rows(place.shard, place.cursor, SLICE, net::monotonic_millis());
            let mut steps = Vec::new();
            for row in &rows.rows {
                match self.step_of((row, table), filter, change) {
                    Some(Ok(step)) if step.to == Some(step.from) => {}
                    Some(Ok(step)) => steps.push(step),
                    Some(Err(_)) => elsewhere += 1,
                    None => {}
                }
            }
            if done.failed == 0 {
                self.apply(table, steps, &mut done).await;
            } else {
                // The store is not asked again, but the operator is told how many there are.
                done.failed += steps.len() as u64;
            }
            place.advance(rows.next, table.shards());
            if began.elapsed() > TURN {
                done.more = self.tables.get(place.table).is_some();
                break;
            }
            yield_now().await;
        }
        if elsewhere > 0 {
            done.notes
                .push(format!("{elsewhere} sessions stay: their group or rule does not have that target"));
        }
        Ok(done)
    }

    fn step_of(
        &self,
        (row, table): (&Row, &Arc<SessionTable>),
        filter: &Filter,
        change: Change,
    ) -> Option<Result<Step, Unanswered>> {
        let (scope, _) = self.describe(row, table)?;
        self.matches(filter, scope, row)
            .then(|| self.step(&Candidate { scope, key: row.key }, row.target, change))
    }

    /// Changes sessions of one table; those of a slice at once.
    async fn apply(&self, table: &Arc<SessionTable>, steps: Vec<Step>, done: &mut ChangeView) {
        let Some(link) = table.link() else {
            for step in steps {
                let is_done = match step.to {
                    None => table.remove(step.key).is_some(),
                    Some(to) => table.reassign(step.key, step.from, to) == Some(to),
                };
                done.changed += u64::from(is_done);
            }
            return;
        };
        for part in steps.chunks(STORE_CALLS) {
            let mut calls = JoinSet::new();
            for &step in part {
                calls.spawn(in_store(Arc::clone(&link), Arc::clone(table), step));
            }
            while let Some(result) = calls.join_next().await {
                match result.unwrap_or(Err("stopped")) {
                    Ok(is_done) => done.changed += u64::from(is_done),
                    Err(reason) => {
                        let note = format!("the store did not take the change: {reason}");
                        done.failed += 1;
                        if !done.notes.contains(&note) {
                            done.notes.push(note);
                        }
                    }
                }
            }
        }
    }

    /// The target at this address to which a session of the scope can go; its own group's, if it has it.
    fn in_scope(&self, scope: &SessionScope, from: TargetId, to: SocketAddr) -> Option<TargetId> {
        let own = self.targets.get(&from).map(|(group, _)| group);
        let groups = own.into_iter().filter(|group| scope.groups.contains(group)).chain(&scope.groups);
        let ids = groups.map(|group| TargetId::of(group.as_str(), to));
        ids.into_iter().find(|id| self.targets.contains_key(id))
    }

    /// Refuses if all sessions that are meant are at clients, and notes if some are.
    fn mind_cookies(&self, filter: &Filter, done: &mut ChangeView) -> Result<(), Unanswered> {
        let concerned = |scope: &&SessionScope| {
            let has = |group: &TargetGroupName| {
                filter.group.as_ref().is_none_or(|wanted| wanted == group)
                    && filter.target.is_none_or(|address| {
                        self.targets.contains_key(&TargetId::of(group.as_str(), address))
                    })
            };
            scope.groups.iter().any(has)
        };
        let (in_tables, in_cookies): (Vec<&SessionScope>, Vec<_>) =
            self.scopes.iter().filter(concerned).partition(|scope| scope.table().is_some());
        let names: Vec<_> = in_cookies.iter().map(|scope| scope.name.as_str()).collect();
        match (in_tables.is_empty(), names.is_empty()) {
            (true, false) => return Err(at_clients(&names.join(", "))),
            (true, true) => {
                let text = "no target group or rule with session persistence goes there";
                return Err(Unanswered::Unknown(text.to_owned()));
            }
            (false, false) => done.notes.push(at_clients(&names.join(", ")).to_string()),
            (false, true) => {}
        }
        Ok(())
    }

    /// If the text can only be a cookie that carries its route.
    fn refusal_of_cookie(&self, text: &str) -> Option<Unanswered> {
        if text.parse::<std::net::IpAddr>().is_ok() || text.contains('/') && !text.contains('=') {
            return None;
        }
        let (scopes, _) = self.of_cookie(text);
        let sealed = |mark| matches!(mark, SessionMark::Inserted(_) | SessionMark::Rewritten(_));
        let names: Vec<_> =
            scopes.iter().filter(|scope| sealed(scope.mark())).map(|scope| scope.name.as_str()).collect();
        (!names.is_empty()).then(|| at_clients(&names.join(", ")))
    }

    /// A target that takes no requests does not keep what is moved to it.
    fn not_taking(&self, to: SocketAddr) -> Option<String> {
        let mut targets = self.snapshot.groups.iter().flat_map(|plan| &plan.targets);
        let target = targets.find(|live| live.key().address == to && !live.health().takes_traffic())?;
        Some(format!("{to} is {}: the next request of each session moves it away", target.health().as_str()))
    }
}

/// Where a session is, here or in the store.
async fn place(table: &SessionTable, key: SessionKey) -> Option<TargetId> {
    if let Some(row) = table.peek(key, net::monotonic_millis()) {
        return Some(row.target);
    }
    let link = table.link()?;
    find(&link, (key.scope, key.client)).await.ok().flatten().map(TargetId)
}

/// Changes a session in the store, and then here.
async fn in_store(link: Arc<Link>, table: Arc<SessionTable>, step: Step) -> Result<bool, &'static str> {
    let Step { key, from, to, lifetime } = step;
    let name = (key.scope, key.client);
    let Some(to) = to else {
        answered(link.client.forget(name)).await?;
        table.remove(key);
        return Ok(true);
    };
    let winner = answered(link.client.move_to(name, from.0, to.0, lifetime)).await?;
    let winner = winner.map_or(to, TargetId);
    table.settle(key, winner, net::monotonic_millis());
    Ok(winner == to)
}

/// Says in the operators' log what was changed. That of one session says neither its key nor its cookie.
fn tell(question: &QuestionView, change: Change, done: &ChangeView) {
    if done.changed == 0 && done.failed == 0 {
        return;
    }
    let named = [("group", &question.group), ("target", &question.target)];
    let named = named.iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
    let filter = match &question.what {
        Some(_) => "one session".to_owned(),
        None => named.collect::<Vec<_>>().join(", "),
    };
    let (word, to) = match change {
        Change::Delete => ("delete", None),
        Change::Move(to) => ("move", Some(to)),
    };
    let mut fields: Vec<(_, &dyn fmt::Display)> =
        vec![("change", &word), ("sessions", &done.changed), ("failed", &done.failed), ("filter", &filter)];
    fields.extend(to.as_ref().map(|to| ("to", to as &dyn fmt::Display)));
    observe::event(Event::SessionsChanged, &fields);
}

fn at_clients(scopes: &str) -> Unanswered {
    Unanswered::Impossible(format!(
        "sessions of {scopes} are in cookies, which clients keep: they cannot be deleted or moved here; set the weight of their \
         target to 0, so that no new ones come, or remove the target, so that the next requests move them"
    ))
}

/// How long one request works; the client repeats it.
const TURN: Duration = Duration::from_secs(5);
/// limit: calls at once, of the 1024 that a store's queue holds for requests of clients, too.
const STORE_CALLS: usize = 64;
