//! Reload: applies a new config to the running load balancer as a whole, or not at all.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{Diagnostic, Errors, Loaded, Severity};
use observe::Event;
use proxy::{Engine, EngineError};
use serde_json::{Value, json};
use tls::Keeps;
use tokio::task::spawn_blocking;

use super::{Control, Fixed, LastReload};
use crate::hint::start_error;
use crate::prepared::{read_files, with_files};
use crate::secrets;

/// A successful reload.
#[derive(Debug)]
pub struct Reloaded {
    pub generation: u64,
    pub warnings: Vec<Diagnostic>,
}

/// Why a reload or a swap failed. Nothing was changed, but for [`Self::Files`].
#[derive(Debug)]
pub enum ReloadError {
    Config(Errors),
    /// A swap: these files are not used, and what was served before stays in use for them. `changed` are served.
    Files {
        errors: Errors,
        changed: Vec<PathBuf>,
    },
    Engine(EngineError),
    /// There is no config file: it is the demo, or the config came from a pipe.
    NoFile,
    Stopping,
    /// A bug in Evenkeel; the panic is in the log.
    Panicked,
}

impl Control {
    /// Reads the config file and applies it. Reloads run one at a time.
    // cancel-safe: while it waits for its turn nothing has changed; once started, it runs to its end even if
    // the caller is dropped.
    pub async fn reload(self: &Arc<Self>) -> Result<Reloaded, ReloadError> {
        let reload = |control: &Self, engine: Option<&Engine>| {
            let result = engine.ok_or(ReloadError::Stopping).and_then(|engine| control.try_reload(engine));
            control.note(&result);
            result
        };
        self.in_turn(reload).await
    }

    /// Runs a change of what is served; changes run one at a time.
    pub(super) async fn in_turn<T: Send + 'static>(
        self: &Arc<Self>,
        story: impl FnOnce(&Self, Option<&Engine>) -> Result<T, ReloadError> + Send + 'static,
    ) -> Result<T, ReloadError> {
        let turn = Arc::clone(&self.reloading).lock_owned().await;
        let engine = Arc::clone(&self.engine).read_owned().await;
        let control = Arc::clone(self);
        let story = move || {
            let _turn = turn;
            let is_stopping = control.state().stopping;
            story(&control, engine.as_ref().filter(|_| !is_stopping))
        };
        spawn_blocking(story).await.unwrap_or(Err(ReloadError::Panicked))
    }

    fn try_reload(&self, engine: &Engine) -> Result<Reloaded, ReloadError> {
        let path = self.path.as_deref().ok_or(ReloadError::NoFile)?;
        let reading = config::read_again(path).map_err(ReloadError::Config)?;
        let serving = self.state().serving;
        let before = Some((&serving.material, Keeps::Ended));
        let files = read_files(&reading.config, &self.tickets, (self.wall)(), before);
        let contents = files.contents.clone();
        let (Loaded { mut config, mut warnings }, material, kept) =
            with_files(reading, files).map_err(|unfit| ReloadError::Config(unfit.errors))?;
        secrets::complete(&mut config).map_err(|error| ReloadError::Engine(EngineError::Start(error)))?;
        let generation = engine.apply(&config, &material).map_err(ReloadError::Engine)?;
        let wanted = Fixed::of(&config);
        self.adopt(engine, config, material, contents.keeping(&kept, &serving.contents));
        warnings.extend(needs_restart(path, &self.fixed, &wanted));
        Ok(Reloaded { generation, warnings })
    }

    /// Stores the result for status and logs it.
    fn note(&self, result: &Result<Reloaded, ReloadError>) {
        let at = (self.wall)();
        let error = result.as_ref().err().map(ReloadError::render);
        let mut state = self.lock();
        if error.is_none() {
            state.last_success = at;
        }
        // What cannot be tried has not failed: no correction would end that problem in `status`.
        if !matches!(result, Err(ReloadError::NoFile | ReloadError::Stopping)) {
            state.last_reload = Some(LastReload { at, error });
        }
        drop(state);
        match result {
            Ok(Reloaded { generation, warnings }) => {
                let fields: [(_, &dyn fmt::Display); 2] =
                    [("generation", generation), ("warnings", &warnings.len())];
                observe::event(Event::Reloaded, &fields);
                for warning in warnings {
                    log_each(Event::ReloadWarning, warning);
                }
            }
            Err(error) => {
                error.log(Event::NotReloaded, Event::ReloadError);
            }
        }
    }
}

impl ReloadError {
    /// The text for a terminal.
    pub fn render(&self) -> String {
        match self {
            Self::Config(errors) | Self::Files { errors, .. } => errors.render(false),
            Self::Engine(error) => start_error(error),
            Self::NoFile => {
                "there is no configuration file to reload: this process read its configuration from standard \
                 input or a pipe, or it is the demo"
                    .to_owned()
            }
            Self::Stopping => "evenkeel is stopping".to_owned(),
            Self::Panicked => {
                "the reload panicked: this is a bug in Evenkeel, please report it with the log".to_owned()
            }
        }
    }

    /// The errors as JSON values.
    pub fn to_json(&self) -> Vec<Value> {
        match self {
            Self::Config(errors) | Self::Files { errors, .. } => {
                errors.0.iter().map(diagnostic_json).collect()
            }
            _ => vec![json!({ "severity": "error", "message": self.render() })],
        }
    }

    /// Logs one line for each error, up to a limit.
    pub(super) fn log(&self, event: Event, each: Event) {
        let (Self::Config(errors) | Self::Files { errors, .. }) = self else {
            return observe::event(event, &[("error", &one_line(&self.render()))]);
        };
        observe::event(event, &[("errors", &errors.0.len())]);
        for error in errors.0.iter().take(LOGGED_MAX) {
            log_each(each, error);
        }
    }
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render())
    }
}

impl std::error::Error for ReloadError {}

/// A diagnostic as a JSON value.
pub(crate) fn diagnostic_json(diagnostic: &Diagnostic) -> Value {
    serde_json::from_str(&diagnostic.to_json()).unwrap_or_else(|_| json!({ "message": diagnostic.message }))
}

pub(super) fn log_each(event: Event, diagnostic: &Diagnostic) {
    let place = place(diagnostic);
    let fields: [(_, &dyn fmt::Display); 2] = [("at", &place), ("message", &one_line(&diagnostic.message))];
    observe::event(event, &fields);
}

/// The position as `file:line:column`, which editors can jump to.
fn place(diagnostic: &Diagnostic) -> String {
    let Diagnostic { file, line, column, .. } = diagnostic;
    if *line == 0 { file.clone() } else { format!("{file}:{line}:{column}") }
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

/// Warnings about changed settings that need a restart.
fn needs_restart(path: &Path, fixed: &Fixed, wanted: &Fixed) -> Vec<Diagnostic> {
    let changed =
        [("workers", fixed.workers != wanted.workers), ("admin.bind", fixed.admin_bind != wanted.admin_bind)];
    let warning = |key: &str| Diagnostic {
        severity: Severity::Warning,
        file: path.display().to_string(),
        line: 0,
        column: 0,
        length: 0,
        message: format!("`{key}` changed, which needs a restart"),
        excerpt: None,
        hint: Some("the rest of the configuration was applied".to_owned()),
        key: key.to_owned(),
    };
    changed.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| warning(key)).collect()
}

/// limit: errors in the log; the caller gets all.
const LOGGED_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn settings_that_need_a_restart_are_warnings() {
        let fixed = |workers, socket: Option<&str>| {
            let sockets = socket.map(PathBuf::from).into_iter().collect();
            Fixed { workers, admin_bind: (sockets, Vec::new()) }
        };
        let keys = |old, new| -> Vec<String> {
            needs_restart(Path::new("e.toml"), &old, &new).into_iter().map(|warning| warning.key).collect()
        };
        assert!(keys(fixed(None, None), fixed(None, None)).is_empty());
        assert_eq!(keys(fixed(None, None), fixed(Some(2), None)), ["workers"]);
        assert_eq!(keys(fixed(Some(1), Some("/a")), fixed(Some(2), Some("/b"))), ["workers", "admin.bind"]);
    }

    #[test]
    fn errors_are_rendered_as_text_and_as_json() {
        let errors = config::parse("[listener.web]\nforward = 1\n", "e.toml", &config::Disk).unwrap_err();
        let count = errors.0.len();
        let error = ReloadError::Config(errors);
        assert!(error.render().contains("e.toml:"), "{error}");
        let json = error.to_json();
        assert!(json.len() == count && json[0]["line"].is_u64() && json[0]["file"] == "e.toml", "{json:?}");
        let stopping = ReloadError::Stopping.to_json();
        assert_eq!(stopping[0]["message"], "evenkeel is stopping");
    }
}
