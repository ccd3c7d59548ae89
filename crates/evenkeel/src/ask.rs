//! The commands that ask a running evenkeel.

use std::process::ExitCode;

use control::{AdminAddress, Client, ClientError, Reply, StatusView, TargetView, status_page, target_table};
use serde_json::Value;
use tokio::runtime::Builder;

use crate::output::{done, failed, say, tell};

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
            let targets: Vec<Value> = client.decode(&reply)?;
            return Ok(done(&targets.iter().map(|target| format!("{target}\n")).collect::<String>()));
        }
        Ok(done(&target_table(&client.decode::<Vec<TargetView>>(&reply)?)))
    })
}

pub(crate) fn reload(admin: Option<AdminAddress>, json: bool) -> ExitCode {
    ask(admin, async |client| {
        let reply = client.order("/reload").await?;
        if json {
            say(&json_line(&reply));
            return Ok(if reply.status == 200 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let rendered = answer["rendered"].as_str().unwrap_or_default();
        if reply.status == 200 {
            tell(rendered);
            return Ok(done(&format!("reloaded: generation {} serves\n", answer["generation"])));
        }
        tell(&format!("{}\n", rendered.trim_end()));
        Ok(failed("not reloaded: what was served before is served still"))
    })
}

pub(crate) fn reopen_logs(admin: Option<AdminAddress>, json: bool) -> ExitCode {
    ask(admin, async |client| {
        let reply = client.order("/logs/reopen").await?;
        client.decode::<Value>(&reply)?;
        Ok(if json { done(&json_line(&reply)) } else { done("reopened the access logs\n") })
    })
}

fn ask(
    admin: Option<AdminAddress>,
    story: impl AsyncFnOnce(&Client) -> Result<ExitCode, ClientError>,
) -> ExitCode {
    let client = Client::new(admin.unwrap_or_else(AdminAddress::default_place));
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(story(&client)).unwrap_or_else(|error| failed(&error.to_string())),
        Err(error) => failed(&format!("cannot start: {error}")),
    }
}

fn json_line(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).trim_end().to_owned() + "\n"
}
