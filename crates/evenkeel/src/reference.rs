//! `evenkeel help`: commands, and keys of the configuration.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::Arguments;
use crate::output::{done, tell};

pub(crate) fn help(name: Option<&str>) -> ExitCode {
    let Some(name) = name else { return done(&command_help(&[]).unwrap_or_default()) };
    // Some names are both, such as `status`.
    let parts: Vec<_> = command_help(&[name]).into_iter().chain(config::help(name)).collect();
    match parts.join("\n\nAs a key of the configuration:\n\n") {
        text if !text.is_empty() => done(&text),
        _ => {
            tell(&format!(
                "error: `{name}` is neither a command nor a key of the configuration{}\n",
                meant(name)
            ));
            ExitCode::from(2)
        }
    }
}

/// What was most likely meant by a name that is unknown here.
fn meant(name: &str) -> String {
    if let Some(hint) = config::foreign_word(name) {
        return format!(": {hint}");
    }
    config::nearest_key(name).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// What `--help` prints for the command at the end of this path.
fn command_help(path: &[&str]) -> Option<String> {
    let mut root = Arguments::command();
    root.build();
    let mut command = &mut root;
    for name in path {
        command = command.find_subcommand_mut(name)?;
    }
    Some(command.render_long_help().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn commands_and_keys_have_help() {
        assert!(command_help(&[]).unwrap().contains("Run the load balancer"));
        assert!(command_help(&["run"]).unwrap().contains("--config"));
        assert!(command_help(&["keepalive_timeout"]).is_none());
        assert!(config::help("keepalive_timeout").is_some());
    }

    #[test]
    fn unknown_names_lead_to_known_ones() {
        assert_eq!(meant("keepalive_timout"), "; did you mean `keepalive_timeout`?");
        assert!(meant("sticky").starts_with(": the `persistence` of a target group"), "{}", meant("sticky"));
    }
}
