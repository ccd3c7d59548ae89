//! Hot swap of certificates (CH3): changed files of the served configuration are read again, and each is swapped by
//! itself. Where one is invalid, or has expired already, what was served before stays in use for it alone.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use config::{Diagnostic, Errors};
use observe::Event;
use proxy::Engine;
use tls::Keeps;

use super::reload::log_each;
use super::{Control, ReloadError};
use crate::contents::Contents;
use crate::prepared::{FilesRead, read_files};

/// A successful swap.
#[derive(Debug)]
pub struct Swapped {
    pub generation: u64,
    /// The files whose content changed; empty if there was nothing to do.
    pub changed: Vec<PathBuf>,
    pub warnings: Vec<Diagnostic>,
}

/// Counts and the state of swaps.
#[derive(Clone, Debug, Default)]
pub(super) struct Swaps {
    pub(super) done: u64,
    pub(super) failed: u64,
    /// The last swap, if it failed.
    pub(super) failure: Option<Arc<SwapFailure>>,
    /// The state of the files at the last check.
    seen: Option<Arc<Contents>>,
}

#[derive(Debug)]
pub(super) struct SwapFailure {
    pub(super) at: SystemTime,
    pub(super) error: String,
    tried: SystemTime,
    contents: Contents,
}

impl Control {
    /// Checks the files and serves changed ones. Swaps and reloads run one at a time. `is_asked`: an operator
    /// asked for the swap, so every file is read and a failed swap is retried at once.
    // cancel-safe: as a reload.
    pub async fn swap_certificates(self: &Arc<Self>, is_asked: bool) -> Result<Swapped, ReloadError> {
        let swap = move |control: &Self, engine: Option<&Engine>| {
            control.try_swap(engine.ok_or(ReloadError::Stopping)?, is_asked)
        };
        self.in_turn(swap).await
    }

    fn try_swap(&self, engine: &Engine, is_asked: bool) -> Result<Swapped, ReloadError> {
        let now = (self.wall)();
        let state = self.state();
        let (serving, swaps) = (state.serving, state.swaps);
        let seen = swaps.seen.as_deref().unwrap_or(&serving.contents);
        let found = Arc::new(seen.look(now, !is_asked));
        self.lock().swaps.seen = Some(Arc::clone(&found));
        let nothing =
            Swapped { generation: serving.snapshot.generation, changed: Vec::new(), warnings: Vec::new() };
        if serving.contents.changed(&found).is_empty() {
            if swaps.failure.is_some() {
                self.lock().swaps.failure = None;
                observe::event(Event::CertificatesMatch, &[]);
            }
            return Ok(nothing);
        }
        let is_known = |failure: &Arc<SwapFailure>| {
            let is_soon = now.duration_since(failure.tried).is_ok_and(|age| age < RETRY);
            is_soon && failure.contents.changed(&found).is_empty()
        };
        if !is_asked && swaps.failure.as_ref().is_some_and(is_known) {
            return Ok(nothing);
        }
        let before = Some((&serving.material, Keeps::Unusable));
        let FilesRead { result, warnings, contents, refused, kept } =
            read_files(&serving.config, &self.tickets, now, before);
        let usable = contents.clone().keeping(&kept, &serving.contents);
        let changed = serving.contents.changed(&usable);
        let applied = result.map_err(ReloadError::Config).and_then(|material| {
            if changed.is_empty() && !refused.is_empty() {
                return Ok((serving.snapshot.generation, None, warnings));
            }
            let generation = engine.apply(&serving.config, &material).map_err(ReloadError::Engine)?;
            Ok((generation, Some(material), warnings))
        });
        let (generation, material, warnings) = match applied {
            Ok(applied) => applied,
            Err(error) => {
                self.note_failed_swap(&error, contents, now, is_asked);
                return Err(error);
            }
        };
        let failure = self.state().swaps.failure;
        if let Some(material) = material {
            self.adopt(engine, serving.config.clone(), material, usable);
            self.note_swap(&Swapped { generation, changed: changed.clone(), warnings: warnings.clone() });
        }
        if refused.is_empty() {
            return Ok(Swapped { generation, changed, warnings });
        }
        // The rest is served; what was refused stays a failure until its files are right.
        self.lock().swaps.failure = failure;
        let error = ReloadError::Files { errors: Errors(refused), changed };
        self.note_failed_swap(&error, contents, now, is_asked);
        Err(error)
    }

    fn note_swap(&self, swapped: &Swapped) {
        self.lock().swaps.done += 1;
        let files = files(&swapped.changed);
        let fields: [(_, &dyn Display); 2] = [("generation", &swapped.generation), ("files", &files)];
        observe::event(Event::CertificatesSwapped, &fields);
        for warning in &swapped.warnings {
            log_each(Event::CertificateWarning, warning);
        }
    }

    /// Stores and logs a failed swap. An automatic retry with the same files and errors is not logged again.
    fn note_failed_swap(&self, error: &ReloadError, contents: Contents, now: SystemTime, is_asked: bool) {
        let text = error.render();
        let mut state = self.lock();
        let known = state.swaps.failure.take();
        let known = known.filter(|known| known.error == text && known.contents.changed(&contents).is_empty());
        let is_news = is_asked || known.is_none();
        let at = known.map_or(now, |known| known.at);
        state.swaps.failed += u64::from(is_news);
        state.swaps.failure = Some(Arc::new(SwapFailure { at, error: text, tried: now, contents }));
        drop(state);
        if is_news {
            let event = match error {
                ReloadError::Files { changed, .. } if !changed.is_empty() => Event::CertificatesPartlySwapped,
                _ => Event::CertificatesNotSwapped,
            };
            error.log(event, Event::CertificateError);
        }
    }
}

impl Swaps {
    /// Clears the state after all files were read and served.
    pub(super) fn settle(&mut self) {
        self.failure = None;
        self.seen = None;
    }
}

fn files(changed: &[PathBuf]) -> String {
    let named: Vec<_> = changed.iter().take(FILES_NAMED_MAX).map(|path| path.display().to_string()).collect();
    match changed.len().saturating_sub(FILES_NAMED_MAX) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// How often a failed swap is retried with the same files. A retry can succeed, for example when a
/// certificate becomes valid.
const RETRY: Duration = Duration::from_secs(60);
// limit: files in a log line.
const FILES_NAMED_MAX: usize = 10;
