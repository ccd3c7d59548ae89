//! The binary: its command line, and the implementation of each command.

mod ask;
mod cert;
mod check;
mod demo;
mod output;
mod reference;
mod run;
mod sessions;
mod start;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use control::AdminAddress;

// For the control plane: metrics and reloads allocate a lot, workers rarely.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A load balancer for HTTP and WebSocket.
///
/// Exit codes: 0 success; 1 an error or a problem was found; 2 the command line is not valid.
#[derive(Debug, Parser)]
#[command(name = "evenkeel", version, disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// The admin socket of the running evenkeel, as unix:PATH [default: see docs/operating.md]
    #[arg(long, global = true, env = "EVENKEEL_ADMIN", value_name = "ADDRESS")]
    admin: Option<AdminAddress>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the load balancer
    Run {
        #[command(flatten)]
        source: Source,
    },
    /// Check a configuration and every file that it names, and report all errors and warnings
    Check {
        #[command(flatten)]
        source: Source,
        /// One JSON object for each error and warning
        #[arg(long)]
        json: bool,
    },
    /// Work with certificate files, without a running evenkeel
    Cert {
        #[command(subcommand)]
        command: Cert,
    },
    /// Run a demonstration: a load balancer and three targets in one process
    Demo,
    /// Make the running evenkeel reload its configuration
    Reload(Form),
    /// Show the status of the running evenkeel; exit code 1 if something needs attention
    Status(Form),
    /// Show the targets of the running evenkeel
    Targets(Form),
    /// Show the certificates that the running evenkeel serves; exit code 1 if one expires within 14 days
    Certificates {
        #[command(flatten)]
        form: Form,
        #[command(subcommand)]
        command: Option<Certificates>,
    },
    /// List the sessions of the running evenkeel, or show, delete and move them; exit code 1 if nothing matches
    Sessions(sessions::Arguments),
    /// Work with the access logs of the running evenkeel
    Logs {
        #[command(subcommand)]
        command: Logs,
    },
    /// Print the JSON schema of the configuration
    Schema,
    /// Explain a command, or a key of the configuration
    Help {
        /// A command (`run`), a key (`keepalive_timeout`) or a key's path (`health_check.timeout`)
        name: Option<String>,
    },
    /// Print the version
    Version,
}

#[derive(Debug, clap::Args)]
struct Source {
    /// The configuration: a file, a pipe, or `-` for standard input. What is not a file cannot be reloaded
    #[arg(short, long, value_name = "FILE", required_unless_present = "file")]
    config: Option<PathBuf>,
    /// The same as --config
    #[arg(value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
}

impl Source {
    fn path(self) -> PathBuf {
        self.config.or(self.file).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, clap::Args)]
struct Form {
    /// Print JSON; lists have one object per line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Cert {
    /// Check a certificate with its chain and key: report all problems, and show what would be sent to
    /// clients
    Check {
        /// PEM: the certificate and its intermediates in any order, with the key or without
        file: PathBuf,
        /// The private key, if it is not in FILE
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// A host that the certificate must cover; can be given several times
        #[arg(long = "host", value_name = "NAME")]
        hosts: Vec<String>,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Logs {
    /// Reopen every access log under its path, after a rotation
    Reopen(Form),
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Certificates {
    /// Read and serve changed files of certificates, keys, CAs and CRLs now
    Reload(Form),
}

fn main() -> ExitCode {
    let Arguments { admin, command } = Arguments::parse();
    match command {
        Command::Run { source } => run::run(&source.path(), admin),
        Command::Check { source, json } => check::check(&source.path(), json),
        Command::Cert { command: Cert::Check { file, key, hosts, json } } => {
            cert::check(&file, key.as_deref(), &hosts, json)
        }
        Command::Demo => demo::demo(admin),
        Command::Reload(form) => ask::reload(admin, form.json),
        Command::Status(form) => ask::status(admin, form.json),
        Command::Targets(form) => ask::targets(admin, form.json),
        Command::Certificates { form, command: None } => ask::certificates(admin, form.json),
        Command::Certificates { form, command: Some(Certificates::Reload(own)) } => {
            ask::reload_certificates(admin, form.json || own.json)
        }
        Command::Sessions(arguments) => sessions::run(admin, arguments),
        Command::Logs { command: Logs::Reopen(form) } => ask::reopen_logs(admin, form.json),
        Command::Schema => output::done(&config::schema()),
        Command::Help { name } => reference::help(name.as_deref()),
        Command::Version => output::done(&format!("evenkeel {VERSION}\n")),
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
