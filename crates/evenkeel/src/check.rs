//! `evenkeel check`

use std::path::Path;
use std::process::ExitCode;

use config::Diagnostic;
use control::{Prepared, Unfit};
use model::Listener;

use crate::output::{failed_with, say, stdout_colors};
use crate::start::wall_clock;

pub(crate) fn check(file: &Path, json: bool) -> ExitCode {
    match Prepared::check(file, wall_clock()) {
        Ok(prepared) => {
            say(&if json { lines(&prepared.warnings) } else { fine(file, &prepared) });
            ExitCode::SUCCESS
        }
        Err(unfit) if json => failed_with(&(lines(&unfit.warnings) + &unfit.errors.to_json())),
        Err(unfit) => failed_with(&wrong(file, &unfit)),
    }
}

/// Warnings as JSON lines.
fn lines(warnings: &[Diagnostic]) -> String {
    warnings.iter().map(|warning| warning.to_json() + "\n").collect()
}

fn wrong(file: &Path, Unfit { errors, warnings }: &Unfit) -> String {
    let mut counts = count(errors.0.len(), "error");
    if !warnings.is_empty() {
        counts = format!("{counts}, {}", count(warnings.len(), "warning"));
    }
    format!("{}{}\n{}: {counts}\n", rendered(warnings), errors.render(stdout_colors()), config::name(file))
}

fn rendered(warnings: &[Diagnostic]) -> String {
    warnings.iter().map(|warning| warning.render(stdout_colors()) + "\n").collect()
}

fn fine(file: &Path, loaded: &Prepared) -> String {
    let config = &loaded.config;
    let targets = config.target_groups.iter().map(|group| group.targets.len()).sum();
    let rules = config.listeners.iter().map(rules).sum();
    let counts = [
        count(config.listeners.len(), "listener"),
        count(rules, "rule"),
        count(config.target_groups.len(), "target group"),
        count(targets, "target"),
        count(loaded.warnings.len(), "warning"),
    ];
    format!("{}{}: ok ({})\n", rendered(&loaded.warnings), config::name(file), counts.join(", "))
}

fn rules(listener: &Listener) -> usize {
    listener.service.rules().len()
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_file_gets_a_summary() {
        let text = "[listener.web]\nbind = \"127.0.0.1:8080\"\nforward = \"app\"\n\
                    [target_group.app]\ntargets = [\"127.0.0.1:1\", \"127.0.0.1:2\"]\n";
        let loaded = config::parse(text, "e.toml", &config::Disk).unwrap();
        let summary = "e.toml: ok (1 listener, 0 rules, 1 target group, 2 targets, 0 warnings)\n";
        let prepared = Prepared::of(loaded, wall_clock()).unwrap();
        assert_eq!(fine(Path::new("e.toml"), &prepared), summary);
    }
}
