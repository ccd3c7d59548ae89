//! The commands that send a request to a running evenkeel.

use std::process::ExitCode;

use control::{
    AdminAddress, CertificateView, Client, ClientError, Reply, StatusView, TargetView, certificate_table,
    printable, status_page, target_table,
};
use serde_json::Value;
use tokio::runtime::Builder;

use crate::output;

pub(crate) fn status(admin: Option<AdminAddress>, json: bool) -> ExitCode {
    ask(admin, async |client| {
        let reply = client.read("/status").await?;
        let status: StatusView = client.decode(&reply)?;
        say(&if json { json_line(&reply) } else { status_page(&status) });
        Ok(if status.is_fine() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

pub(crate) fn targets(admin: Option<AdminAddress>, json: bool) -> ExitCode {
    ask(admin, async |client| {
        let reply = client.read("/targets").await?;
        if json {
            return Ok(done(&json_lines(&client.decode::<Vec<Value>>(&reply)?)));
        }
        Ok(done(&target_table(&client.decode::<Vec<TargetView>>(&reply)?)))
    })
}

pub(crate) fn certificates(admin: Option<AdminAddress>, json: bool) -> ExitCode {
    ask(admin, async |client| {
        let reply = client.read("/certificates").await?;
        let certificates: Vec<CertificateView> = client.decode(&reply)?;
        say(&if json {
            json_lines(&client.decode::<Vec<Value>>(&reply)?)
        } else {
            certificate_table(&certificates)
        });
        let are_fine = certificates.iter().all(CertificateView::is_fine);
        Ok(if are_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

pub(crate) fn reload(admin: Option<AdminAddress>, json: bool) -> ExitCode {
    order(admin, json, "/reload", "reloaded", |answer| {
        format!("reloaded: generation {} serves\n", answer["generation"])
    })
}

pub(crate) fn reload_certificates(admin: Option<AdminAddress>, json: bool) -> ExitCode {
    order(admin, json, "/certificates/reload", "swapped", |answer| {
        let changed = answer["changed"].as_array().map_or(&[][..], Vec::as_slice);
        if changed.is_empty() {
            return "nothing changed: the files are already served\n".to_owned();
        }
        let files: String =
            changed.iter().filter_map(Value::as_str).map(|path| format!("  {path}\n")).collect();
        format!("swapped: generation {} serves the changes in\n{files}", answer["generation"])
    })
}

/// Sends a command that may be refused, and prints the result.
fn order(
    admin: Option<AdminAddress>,
    json: bool,
    path: &str,
    verb: &str,
    success: impl Fn(&Value) -> String,
) -> ExitCode {
    ask(admin, async |client| {
        let reply = client.order(path).await?;
        if json {
            say(&json_line(&reply));
            return Ok(if reply.status == 200 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let rendered = answer["rendered"].as_str().unwrap_or_default();
        if reply.status == 200 {
            tell(rendered);
            return Ok(done(&success(&answer)));
        }
        tell(&format!("{}\n", rendered.trim_end()));
        let changed = answer["changed"].as_array().map_or(&[][..], Vec::as_slice);
        let rest: Vec<_> = changed.iter().filter_map(Value::as_str).collect();
        Ok(failed(&match rest.is_empty() {
            true => format!("not {verb}: nothing was changed"),
            false => format!("not {verb}, but for {}", rest.join(", ")),
        }))
    })
}

pub(crate) fn reopen_logs(admin: Option<AdminAddress>, json: bool) -> ExitCode {
    ask(admin, async |client| {
        let reply = client.order("/logs/reopen").await?;
        let is_done = reply.status == 200;
        if json {
            say(&json_line(&reply));
            return Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let logs = answer["logs"].as_array().map_or(&[][..], Vec::as_slice);
        let done = logs.iter().filter(|log| log["error"].is_null()).filter_map(|log| log["path"].as_str());
        let done: String = done.map(|path| format!("  {path}\n")).collect();
        if !done.is_empty() || is_done {
            say(&match done.as_str() {
                "" => "there are no access logs\n".to_owned(),
                paths => format!("reopened the access logs\n{paths}"),
            });
        }
        if is_done {
            return Ok(ExitCode::SUCCESS);
        }
        tell(answer["rendered"].as_str().unwrap_or_default());
        let failed_count = logs.iter().filter(|log| !log["error"].is_null()).count();
        Ok(failed(&format!("{failed_count} of {} access logs not reopened", logs.len())))
    })
}

pub(crate) fn ask(
    admin: Option<AdminAddress>,
    story: impl AsyncFnOnce(&Client) -> Result<ExitCode, ClientError>,
) -> ExitCode {
    let ask = async {
        let client = match admin {
            Some(address) => Client::new(address),
            None => Client::find().await?,
        };
        story(&client).await
    };
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(ask).unwrap_or_else(|error: ClientError| failed(&error.to_string())),
        Err(error) => failed(&format!("cannot start: {error}")),
    }
}

// Another process wrote what these print.

pub(crate) fn say(text: &str) {
    output::say(&printable(text));
}

pub(crate) fn tell(text: &str) {
    output::tell(&printable(text));
}

pub(crate) fn done(text: &str) -> ExitCode {
    output::done(&printable(text))
}

pub(crate) fn failed(why: &str) -> ExitCode {
    output::failed(&printable(why))
}

pub(crate) fn json_line(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).trim_end().to_owned() + "\n"
}

fn json_lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}
