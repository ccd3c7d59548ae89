//! Builds the types of `model` from the checked tree. Checks what a value's type cannot express, and which
//! keys exclude or require each other.
//!
//! Every function reports errors and goes on with a harmless value in place of a wrong one; `parse` discards
//! the result if there was an error.

mod access;
mod action;
mod address;
mod admin;
mod bind;
mod cipher_suites;
mod client_auth;
mod compression;
mod connections;
mod cookie_names;
mod cookie_scope;
mod edits;
mod health_check;
mod http;
mod http2;
mod idiom;
mod key_file;
mod listener;
mod pattern;
mod persistence;
mod redirect_http;
mod rule;
mod session_gateway;
mod session_store;
mod settings;
mod source_scope;
mod status;
mod target_group;
mod target_tls;
mod tcp;
mod template;
mod tls;
mod websocket;

use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::{Action, Config, Listener, Place, SessionStoreName};

use crate::files::Files;
use crate::near::nearest;
use crate::public_suffix::PublicSuffixes;
use crate::raw::{Table, Value};
use crate::report::{Locate, Report};
use crate::source::Span;
use settings::{Settings, settings};

/// What every builder needs.
struct Build<'b, 't> {
    /// The directory of the configuration, which relative paths are resolved against.
    folder: &'b Path,
    files: &'b dyn Files,
    /// The name of the configuration file.
    file_name: Arc<str>,
    /// The names of all target groups, including those with errors.
    groups: Vec<&'b str>,
    access_files: access::FileBudget,
    /// The names of all session stores, including those with errors, and those of them that something uses.
    stores: Vec<&'b str>,
    used_stores: HashSet<String>,
    /// Those of them that keep the sessions of a `persistence`.
    persistent_stores: HashSet<String>,
    store_urls: Vec<StoreUrl>,
    /// Read when it is needed first; empty if the system has none.
    suffixes: Option<PublicSuffixes>,
    /// The Unix sockets and the addresses of `[admin]`.
    sockets: Vec<PathBuf>,
    admin_addresses: Vec<SocketAddr>,
    /// The addresses of all listeners, and the name of each one's listener.
    binds: Vec<(SocketAddr, String)>,
    report: &'b mut Report<'t>,
}

/// Where the `url` of a session store stands.
#[derive(Clone, Debug)]
pub struct StoreUrl {
    pub store: SessionStoreName,
    pub place: Place,
}

pub(crate) fn config(
    root: &Table,
    file_name: &str,
    folder: &Path,
    files: &dyn Files,
    report: &mut Report<'_>,
) -> (Config, Vec<StoreUrl>) {
    let names = |tables| root.tables(tables).into_iter().map(|(name, _)| name).collect();
    let mut build = Build {
        folder,
        files,
        file_name: Arc::from(file_name),
        groups: names("target_group"),
        access_files: access::FileBudget::default(),
        stores: names("session_store"),
        used_stores: HashSet::new(),
        persistent_stores: HashSet::new(),
        store_urls: Vec::new(),
        suffixes: None,
        sockets: Vec::new(),
        admin_addresses: Vec::new(),
        binds: Vec::new(),
        report,
    };
    let listeners = build.listeners(root);
    let binds_of = |listener: &Listener| {
        let name = listener.name.as_str().to_owned();
        listener.bind.iter().map(move |&address| (address, name.clone())).collect::<Vec<_>>()
    };
    build.binds = listeners.iter().flat_map(binds_of).collect();
    let target_groups = target_group::target_groups(root, &listeners, &mut build);
    connections::check(root, &mut build);
    cookie_scope::check(root, &listeners, &target_groups, &mut build);
    cookie_names::check(root, &listeners, &target_groups, &mut build);
    source_scope::check(root, &listeners, &target_groups, &mut build);
    build.unused(root, &listeners);
    let admin =
        root.table("admin").map(|table| admin::admin(table, &listeners, &mut build)).unwrap_or_default();
    build.sockets.clone_from(&admin.sockets);
    build.admin_addresses.clone_from(&admin.addresses);
    let session_stores = session_store::session_stores(root, &mut build);
    let session_gateways = session_gateway::session_gateways(root, &session_stores, &mut build);
    build.unused_stores(root);
    let config = Config {
        workers: root.integer("workers"),
        stop_timeout: root.duration("stop_timeout").unwrap_or(STOP_TIMEOUT),
        admin,
        load_balancers: connections::load_balancers(root),
        listeners,
        target_groups,
        session_stores,
        session_gateways,
    };
    (config, build.store_urls)
}

impl Build<'_, '_> {
    fn listeners(&mut self, root: &Table) -> Vec<Listener> {
        let load_balancers = self.load_balancers(root);
        let tables = root.tables("listener");
        if root.table("listener").is_none_or(|listeners| listeners.entries.is_empty()) {
            let problem = self.report.error(&Span::default(), "there is no listener");
            problem.hint("the minimum is a `[listener.web]` with `bind` and `forward`");
        }
        bind::check(&tables, self.report);
        let mut listeners = Vec::new();
        for (name, table) in tables {
            let listener = listener::listener(name, table, root, &load_balancers, self);
            let redirect = redirect_http::listener(&listener, table, self);
            listeners.push(listener);
            listeners.extend(redirect);
        }
        listeners
    }

    /// The settings of every load balancer by name; always includes `default`.
    fn load_balancers<'r>(&mut self, root: &'r Table) -> Vec<(&'r str, Settings)> {
        let mut load_balancers = Vec::new();
        for (name, table) in root.tables("load_balancer") {
            let mut settings = settings(Settings::default(), table, self);
            settings.listener.access.load_balancer = access::list(table, self);
            load_balancers.push((name, settings));
        }
        if !load_balancers.iter().any(|(name, _)| *name == DEFAULT_LOAD_BALANCER) {
            load_balancers.push((DEFAULT_LOAD_BALANCER, Settings::default()));
        }
        load_balancers
    }

    /// The path, resolved against the configuration's directory.
    fn path(&self, text: &str) -> PathBuf {
        self.folder.join(text)
    }

    /// The path in `value`; the file is not read.
    fn file(&mut self, value: &Value) -> Option<PathBuf> {
        let text = value.text()?;
        if text.is_empty() || text.contains('\0') {
            self.report.error(value, format!("`{}` is not a file name", text.escape_debug()));
        }
        Some(self.path(text))
    }

    /// The path of a Unix socket, without `unix:`. `None`: it is missing, which was reported.
    fn socket_path(&mut self, path: &str, example: &str, value: &Value) -> Option<PathBuf> {
        if path.is_empty() {
            let problem = self.report.error(value, "the path of the Unix socket is missing");
            problem.hint(format!("write `unix:` and a path, such as `\"unix:{example}\"`"));
            return None;
        }
        if path.len() > SOCKET_PATH_MAX || path.contains('\0') {
            let message = format!("the path of a Unix socket has at most {SOCKET_PATH_MAX} bytes and no NUL");
            self.report.error(value, message);
        }
        Some(self.path(path))
    }

    /// The position of `at`, for errors that are found after parsing.
    fn place(&self, at: &dyn Locate) -> Place {
        let found = self.report.place(at);
        let (line, column, length) = (found.line, found.column, found.length);
        Place { file: Arc::clone(&self.file_name), line, column, length }
    }

    /// Reports that a file that `value` names cannot be read.
    fn unreadable(&mut self, value: &Value, name: &str, error: &io::Error) {
        let message = format!("cannot read `{}`: {error}", name.escape_debug());
        let problem = self.report.file_error(value, message);
        if error.kind() == ErrorKind::NotFound && Path::new(name).is_relative() {
            problem.hint("a relative path is relative to this file's directory");
        }
    }

    fn group_exists(&mut self, name: &str, at: &dyn Locate) -> bool {
        let exists = self.groups.contains(&name);
        if !exists {
            let hint = match nearest(name, self.groups.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write a `[target_group.{}]`", name.escape_debug()),
            };
            let message = format!("there is no target group `{}`", name.escape_debug());
            self.report.error(at, message).hint(hint);
        }
        exists
    }

    /// Reports a key that has no effect in this table.
    fn ineffective(&mut self, table: &Table, name: &str, why: &str) {
        if let Some(entry) = table.entry(name) {
            self.report.error(entry, format!("`{name}` has no effect here")).hint(why);
        }
    }

    fn unused(&mut self, root: &Table, listeners: &[Listener]) {
        let used: HashSet<_> = listeners.iter().flat_map(actions).flat_map(group_names).collect();
        for (name, table) in root.tables("target_group") {
            if !used.contains(name) {
                self.report.warning(table, format!("nothing forwards to target group `{name}`"));
            }
        }
        let tables = root.tables("listener");
        let used = |name| tables.iter().any(|(_, table)| listener::load_balancer_name(table) == name);
        for (name, table) in root.tables("load_balancer") {
            if !used(name) {
                let problem = self.report.warning(table, format!("no listener belongs to `{name}`"));
                problem.hint(format!("`load_balancer = \"{name}\"` assigns a listener to it"));
            }
        }
    }
}

fn actions(listener: &Listener) -> impl Iterator<Item = &Action> {
    let service = &listener.service;
    service.rules().iter().map(|rule| &rule.action).chain(service.default_action())
}

fn group_names(action: &Action) -> impl Iterator<Item = &str> {
    let groups = match action {
        Action::Forward(groups) => groups.as_slice(),
        Action::Redirect(_) | Action::Fixed(_) => &[],
    };
    groups.iter().map(|weighted| weighted.group.as_str())
}

/// `sun_path` without its final NUL (`man 7 unix`).
const SOCKET_PATH_MAX: usize = 107;
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_LOAD_BALANCER: &str = "default";
