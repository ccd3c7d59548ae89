//! `evenkeel sessions`

use std::process::ExitCode;

use clap::Subcommand;
use control::{
    AdminAddress, ChangeView, Client, ClientError, FilterView, MoreView, QuestionView, Reply, SessionView,
    ShowView, printable, session_findings, session_table,
};
use serde_json::Value;

use crate::ask::{ask, done, failed, json_line, say, tell};
use crate::output;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    list: List,
    #[command(subcommand)]
    command: Option<Sessions>,
}

#[derive(Debug, Subcommand)]
enum Sessions {
    /// List the sessions that this process knows
    List(List),
    /// The same as `list --json --all`: every session, one JSON object per line
    Export(Filter),
    /// Show what an address, a cookie or a key of the list maps to, and why
    Show {
        /// An address, a cookie (its value, NAME=VALUE, or a whole Cookie line), or a key as in the list. `-` reads it from standard input, where
        /// other users cannot see it
        #[arg(value_name = "KEY|ADDRESS|COOKIE")]
        what: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Delete sessions, here and in the store: their clients' next requests begin new ones. Another balancer that uses a
    /// session writes it again: delete it in each
    Delete {
        #[command(flatten)]
        which: Which,
        /// All sessions at this target
        #[arg(long, value_name = "ADDRESS", conflicts_with = "what")]
        target: Option<String>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Move sessions to another target, here and in the store
    Move {
        #[command(flatten)]
        which: Which,
        /// All sessions at this target
        #[arg(long, value_name = "ADDRESS", conflicts_with = "what")]
        from: Option<String>,
        #[arg(long, value_name = "ADDRESS")]
        to: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    filter: Filter,
    /// One JSON object per line, and all sessions
    #[arg(long)]
    json: bool,
    /// All sessions instead of the first fifty
    #[arg(long)]
    all: bool,
}

#[derive(Debug, clap::Args)]
struct Filter {
    /// Sessions at targets of this group
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Sessions at this target
    #[arg(long, value_name = "ADDRESS")]
    target: Option<String>,
    /// Sessions of this store; `process` are those of no store
    #[arg(long, value_name = "NAME")]
    store: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Which {
    /// A key as in the list, an address, or a cookie of a target; `-` reads it from standard input
    #[arg(value_name = "KEY|ADDRESS", conflicts_with = "group")]
    what: Option<String>,
    /// All sessions at targets of this group
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
}

pub(crate) fn run(admin: Option<AdminAddress>, arguments: Arguments) -> ExitCode {
    match arguments.command.unwrap_or(Sessions::List(arguments.list)) {
        Sessions::List(List { filter, json: true, .. }) | Sessions::Export(filter) => {
            list(admin, filter, &mut |text| output::is_read(&printable(text)))
        }
        Sessions::List(List { filter, json: false, all: true }) => list(admin, filter, &mut pages()),
        Sessions::List(List { filter, json: false, all: false }) => first(admin, filter),
        Sessions::Show { what, json } => show(admin, what, json),
        Sessions::Delete { which, target, json } => {
            let Which { what, group } = which;
            change(admin, json, "/sessions/delete", "deleted", QuestionView { what, group, target, to: None })
        }
        Sessions::Move { which, from: target, to, json } => {
            let Which { what, group } = which;
            let question = QuestionView { what, group, target, to: Some(to) };
            change(admin, json, "/sessions/move", "moved", question)
        }
    }
}

/// Prints all sessions while they come.
fn list(admin: Option<AdminAddress>, filter: Filter, print: &mut dyn FnMut(&str) -> bool) -> ExitCode {
    let is_filtered = filter.is_set();
    ask(admin, async move |client| {
        let mut is_empty = true;
        let each = |lines: &str| {
            is_empty = false;
            print(lines)
        };
        let reply = client.lines(&filter.path(None), each).await?;
        if reply.status != 200 {
            return Ok(refused(&reply));
        }
        Ok(if is_empty && is_filtered { failed("no session matches") } else { ExitCode::SUCCESS })
    })
}

/// Prints tables, each with its head, of what comes together.
fn pages() -> impl FnMut(&str) -> bool {
    let mut waiting = Vec::new();
    move |lines| {
        waiting.clear();
        waiting.extend(lines.lines().filter_map(|line| serde_json::from_str::<SessionView>(line).ok()));
        waiting.is_empty() || output::is_read(&session_table(&waiting))
    }
}

/// Prints the first sessions, and how many there are beside them.
fn first(admin: Option<AdminAddress>, filter: Filter) -> ExitCode {
    let is_filtered = filter.is_set();
    ask(admin, async move |client| {
        let (mut sessions, mut more): (Vec<SessionView>, _) = (Vec::new(), 0);
        let each = |lines: &str| {
            for line in lines.lines() {
                match serde_json::from_str::<MoreView>(line) {
                    Ok(view) => more = view.more,
                    Err(_) => sessions.extend(serde_json::from_str::<SessionView>(line).ok()),
                }
            }
            sessions.len() <= SHOWN
        };
        let reply = client.lines(&filter.path(Some(SHOWN)), each).await?;
        if reply.status != 200 {
            return Ok(refused(&reply));
        }
        if sessions.is_empty() && is_filtered {
            return Ok(failed("no session matches"));
        }
        let note = if more > 0 { format!("and {more} more; see --all and --json\n") } else { String::new() };
        Ok(done(&(session_table(&sessions) + &note)))
    })
}

fn show(admin: Option<AdminAddress>, what: String, json: bool) -> ExitCode {
    ask(admin, async move |client| {
        let Some(what) = given(what) else { return Ok(failed("nothing was read from standard input")) };
        let question = QuestionView { what: Some(what), ..QuestionView::default() };
        let reply = client.ask("/sessions/show", &question).await?;
        if reply.status != 200 {
            return Ok(refused(&reply));
        }
        let view: ShowView = client.decode(&reply)?;
        say(&if json { json_line(&reply) } else { session_findings(&view.findings) });
        Ok(if view.has_found() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

fn change(
    admin: Option<AdminAddress>,
    json: bool,
    path: &str,
    verb: &str,
    mut question: QuestionView,
) -> ExitCode {
    if question.what.is_none() && question.group.is_none() && question.target.is_none() {
        output::tell(
            "error: name a session, or a group or target whose sessions are meant\n  help: see --help\n",
        );
        return ExitCode::from(2);
    }
    ask(admin, async move |client| {
        question.what = question.what.take().and_then(given);
        let sum = match change_all(client, path, &question).await? {
            Ok(sum) => sum,
            Err(reply) => return Ok(refused(&reply)),
        };
        if json {
            say(&format!("{}\n", serde_json::to_string(&sum).unwrap_or_default()));
        } else {
            say(&format!("{} {verb}\n", count(sum.changed)));
            sum.notes.iter().for_each(|note| tell(&format!("note: {note}\n")));
        }
        if sum.failed > 0 {
            return Ok(failed(&format!("{} not {verb}: repeat the command later", count(sum.failed))));
        }
        Ok(if sum.changed == 0 { failed("no session matches") } else { ExitCode::SUCCESS })
    })
}

/// Repeats the command until there is no more.
async fn change_all(
    client: &Client,
    path: &str,
    question: &QuestionView,
) -> Result<Result<ChangeView, Reply>, ClientError> {
    let mut sum = ChangeView::default();
    loop {
        let reply = client.ask(path, question).await?;
        if reply.status != 200 {
            return Ok(Err(reply));
        }
        let ChangeView { changed, failed, more, notes } = client.decode(&reply)?;
        sum.changed += changed;
        sum.failed += failed;
        sum.notes = notes;
        if !more || failed > 0 {
            return Ok(Ok(sum));
        }
    }
}

/// Says why the process refuses; 2 is for what the command line should not have.
fn refused(reply: &Reply) -> ExitCode {
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let error = match answer["error"].as_str() {
        Some(error) => error.to_owned(),
        None => format!("the process does not know this command (status {})", reply.status),
    };
    let code = failed(&error);
    if reply.status == 400 { ExitCode::from(2) } else { code }
}

/// The text, or the line of standard input that `-` stands for.
fn given(what: String) -> Option<String> {
    if what != "-" {
        return Some(what);
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).ok()?;
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

fn count(sessions: u64) -> String {
    if sessions == 1 { "1 session".to_owned() } else { format!("{sessions} sessions") }
}

impl Filter {
    fn is_set(&self) -> bool {
        self.group.is_some() || self.target.is_some() || self.store.is_some()
    }

    fn path(self, most: Option<usize>) -> String {
        let Self { group, target, store } = self;
        FilterView { group, target, store, most: most.map(|most| most as u64) }.path()
    }
}

/// How many sessions are shown without `--all`.
const SHOWN: usize = 50;
