//! MongoDB's commands as calls of the functions of `documentdb_api`.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mongodb::bson::{RawDocument, RawDocumentBuf, doc};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::hello::{Ended, hello};

/// How documents are written as text.
const PREFIX: &str = "BSONHEX";
const INTERNAL_ERROR: i32 = 1;
const CURSOR_NOT_FOUND: i32 = 43;
const COMMAND_NOT_FOUND: i32 = 59;
const WRITE_CONFLICT: i32 = 112;
/// The states of PostgreSQL's in which others were faster: not serializable, a deadlock, a lock
/// that is not to be had.
const OVERTAKEN: [&str; 3] = ["40001", "40P01", "55P03"];

/// What MongoDB says of a key that is there already, and what the server says.
const DUPLICATE_KEY: i32 = 11_000;
const DUPLICATE_KEY_OF_DOCUMENTDB: i32 = 319_029_277;

/// Where readers stand that have not read to the end, by the number of the cursor.
#[derive(Debug, Clone, Default)]
pub(super) struct Cursors(Arc<Mutex<HashMap<i64, String>>>);

impl Cursors {
    fn all(&self) -> MutexGuard<'_, HashMap<i64, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a command. What the server refuses is an answer, an `Err` is a session that has ended.
pub(super) async fn run(
    session: &mut PgConnection,
    cursors: &Cursors,
    command: RawDocumentBuf,
) -> Result<Vec<u8>, Ended> {
    let (name, _) = command.iter().next().ok_or("an empty command")??;
    let name = name.as_str().to_owned();
    match dispatch(session, cursors, &name, &command).await {
        Ok(answer) => Ok(answer),
        Err(Refused::ByFront { code, why }) => refusal(code, why),
        Err(Refused::ByServer(sqlx::Error::Database(error))) => {
            let state = error.code().unwrap_or_default();
            // The server shuts down, or was killed.
            if state.starts_with("57P") {
                return Err(error.to_string().into());
            }
            let is_overtaken = OVERTAKEN.contains(&&*state);
            let code = if is_overtaken {
                WRITE_CONFLICT
            } else {
                INTERNAL_ERROR
            };
            refusal(code, format!("{state}: {}", error.message()))
        }
        Err(Refused::ByServer(error)) => Err(error.into()),
        Err(Refused::Broken(error)) => Err(error),
    }
}

fn refusal(code: i32, why: String) -> Result<Vec<u8>, Ended> {
    Ok(doc! { "ok": 0.0, "errmsg": why, "code": code }.to_vec()?)
}

/// Why a command has no answer.
enum Refused {
    ByFront { code: i32, why: String },
    ByServer(sqlx::Error),
    Broken(Ended),
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Refused {
        Refused::ByServer(error)
    }
}

impl From<Ended> for Refused {
    fn from(error: Ended) -> Refused {
        Refused::Broken(error)
    }
}

async fn dispatch(
    session: &mut PgConnection,
    cursors: &Cursors,
    name: &str,
    command: &RawDocument,
) -> Result<Vec<u8>, Refused> {
    let database = command.get_str("$db").unwrap_or("test");
    let call = Call {
        database,
        command: hex(command.as_bytes()),
    };
    match name {
        "hello" | "isMaster" | "ismaster" => as_bytes(&hello()),
        "ping" | "endSessions" | "killCursors" => as_bytes(&doc! { "ok": 1.0 }),
        "buildInfo" => as_bytes(&doc! { "version": "7.0.0", "ok": 1.0 }),
        "dropDatabase" => {
            let sql = "SELECT documentdb_api.drop_database($1)";
            sqlx::query(sql).bind(database).execute(session).await?;
            as_bytes(&doc! { "ok": 1.0 })
        }
        "insert" | "update" | "delete" => {
            let sql = format!(
                "SELECT p_result::text FROM documentdb_api.{name}($1, $2::documentdb_core.bson)"
            );
            renumbered(&call.run(session, &sql).await?)
        }
        "createIndexes" => {
            let sql = "SELECT retval::text FROM documentdb_api.create_indexes_background($1, $2::documentdb_core.bson)";
            call.run(session, sql).await
        }
        "find" | "aggregate" => call.first_page(session, cursors, name).await,
        "getMore" => {
            let of = command.get_i64("getMore").unwrap_or_default();
            call.next_page(session, cursors, of).await
        }
        other => Err(Refused::ByFront {
            code: COMMAND_NOT_FOUND,
            why: format!("no such command: {other}"),
        }),
    }
}

/// A command on a database.
struct Call<'c> {
    database: &'c str,
    command: String,
}

impl Call<'_> {
    async fn run(&self, session: &mut PgConnection, sql: &str) -> Result<Vec<u8>, Refused> {
        let sql = AssertSqlSafe(sql.to_owned());
        let answering = sqlx::query_scalar::<_, String>(sql)
            .bind(self.database)
            .bind(&self.command);
        Ok(bytes(&answering.fetch_one(session).await?)?)
    }

    async fn first_page(
        &self,
        session: &mut PgConnection,
        cursors: &Cursors,
        name: &str,
    ) -> Result<Vec<u8>, Refused> {
        let sql = AssertSqlSafe(format!(
            "SELECT cursorpage::text, continuation::text, cursorid \
             FROM documentdb_api.{name}_cursor_first_page($1, $2::documentdb_core.bson)"
        ));
        let answering = sqlx::query_as::<_, (String, Option<String>, Option<i64>)>(sql)
            .bind(self.database)
            .bind(&self.command);
        let (page, next, cursor) = answering.fetch_one(session).await?;
        if let (Some(next), Some(cursor @ 1..)) = (next, cursor) {
            cursors.all().insert(cursor, next);
        }
        Ok(bytes(&page)?)
    }

    async fn next_page(
        &self,
        session: &mut PgConnection,
        cursors: &Cursors,
        cursor: i64,
    ) -> Result<Vec<u8>, Refused> {
        let at = cursors.all().remove(&cursor);
        let at = at.ok_or_else(|| Refused::ByFront {
            code: CURSOR_NOT_FOUND,
            why: format!("cursor {cursor} not found"),
        })?;
        let sql = "SELECT cursorpage::text, continuation::text \
             FROM documentdb_api.cursor_get_more($1, $2::documentdb_core.bson, $3::documentdb_core.bson)";
        let answering = sqlx::query_as::<_, (String, Option<String>)>(sql)
            .bind(self.database)
            .bind(&self.command)
            .bind(at);
        let (page, next) = answering.fetch_one(session).await?;
        if let Some(next) = next {
            cursors.all().insert(cursor, next);
        }
        Ok(bytes(&page)?)
    }
}

/// An answer with MongoDB's number for a duplicate key, by which its clients know that somebody
/// else was faster.
fn renumbered(answer: &[u8]) -> Result<Vec<u8>, Refused> {
    let read = mongodb::bson::Document::from_reader(answer);
    let mut answer = read.map_err(|error| Refused::Broken(error.into()))?;
    if let Ok(errors) = answer.get_array_mut("writeErrors") {
        let documents = errors
            .iter_mut()
            .filter_map(|error| error.as_document_mut());
        for error in documents {
            if error.get_i32("code").ok() == Some(DUPLICATE_KEY_OF_DOCUMENTDB) {
                error.insert("code", DUPLICATE_KEY);
            }
        }
    }
    as_bytes(&answer)
}

fn as_bytes(document: &mongodb::bson::Document) -> Result<Vec<u8>, Refused> {
    document
        .to_vec()
        .map_err(|error| Refused::Broken(error.into()))
}

fn hex(document: &[u8]) -> String {
    let mut text = String::with_capacity(PREFIX.len() + 2 * document.len());
    text.push_str(PREFIX);
    for byte in document {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn bytes(text: &str) -> Result<Vec<u8>, Ended> {
    let digits = text.strip_prefix(PREFIX).ok_or("no document")?.as_bytes();
    let pairs = digits.chunks(2);
    pairs
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
        .collect()
}
