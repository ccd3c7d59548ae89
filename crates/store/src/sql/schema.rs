//! The tables: made where they are missing, refused where they are not ours.

use super::dialect::{Dialect, Statement};
use super::fault::Fault;
use crate::StoreError;

/// Makes sure that the tables are there, in our version. Each new connection does so.
pub(super) async fn ensure<D: Dialect>(connection: &mut D::Connection) -> Result<(), Fault> {
    for _ in 0..TRIES_MAX {
        match version::<D>(connection).await {
            Ok(Some(VERSION)) => return Ok(()),
            Ok(Some(other)) => return Err(Fault::Final(StoreError::Garbage(refusal(other)))),
            // Without a row: another process is about to write it, or was ended before it did.
            Ok(None) | Err(Fault::NoTable) => {}
            Err(fault) => return Err(fault),
        }
        for text in D::SCHEMA.create {
            match D::run(connection, Statement::change(*text, Vec::new())).await {
                Ok(_) => {}
                Err(error) => match Fault::of(&error, D::fault) {
                    Fault::Exists => {}
                    fault => return Err(fault),
                },
            }
        }
    }
    Err(Fault::Final(StoreError::Garbage("its tables were made, but are not there".to_owned())))
}

async fn version<D: Dialect>(connection: &mut D::Connection) -> Result<Option<i64>, Fault> {
    let answer = D::run(connection, Statement::read(D::SCHEMA.read, Vec::new())).await;
    let answer = answer.map_err(|error| Fault::of(&error, D::fault))?;
    Ok(answer.rows.first().map(|row| row.version))
}

fn refusal(found: i64) -> String {
    format!(
        "its tables have version {found}, and this program needs version {VERSION}; let all programs that share it be \
         of one version, or drop evenkeel_items and evenkeel_schema, which loses the sessions in them"
    )
}

/// Of the tables in [`super::dialect::Schema::create`].
const VERSION: i64 = 1;
// limit: how often the tables are made while others make them.
const TRIES_MAX: usize = 3;
