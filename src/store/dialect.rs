//! What differs between databases: types, opening, error codes. Everything else speaks plain SQL.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions, SqlSafeStr};

use super::StoreError;

/// So long a connection waits for a lock, and a reader for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// The kind of database.
pub type Database = sqlx::Sqlite;
/// Pages in the write-ahead log at which a commit moves them into the file by itself. Far more than a server lets
/// come together, because the commit then waits for the disk.
const LOG_PAGES: &str = "20000";
/// So many statements a connection keeps prepared.
const STATEMENTS: usize = 512;

/// A connection.
pub type Connection = SqliteConnection;
/// The pool for reading.
pub type Pool = SqlitePool;
/// A row.
pub type Row = SqliteRow;

/// How a write transaction begins: with the lock, so that it never fails half-way for want of it.
pub const BEGIN: &str = "BEGIN IMMEDIATE";

const FILE: &str = "sportello.db";

const MIGRATIONS: [(i64, &str, &str); 8] = [
    (1, "counter", include_str!("migrations/0001_counter.sql")),
    (2, "outbox", include_str!("migrations/0002_outbox.sql")),
    (3, "inbound", include_str!("migrations/0003_inbound.sql")),
    (4, "outbound", include_str!("migrations/0004_outbound.sql")),
    (
        5,
        "templates",
        include_str!("migrations/0005_templates.sql"),
    ),
    (6, "arrivals", include_str!("migrations/0006_arrivals.sql")),
    (7, "gaps", include_str!("migrations/0007_gaps.sql")),
    (8, "callers", include_str!("migrations/0008_callers.sql")),
];

/// Where a folder's database is.
pub fn file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// Opens the pool and the writer's connection, schema up to date.
pub async fn open(folder: &Path) -> Result<(Pool, Connection), StoreError> {
    let options = options(folder)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true);
    let opened = options.connect().await;
    let mut connection = opened.map_err(|error| opening(folder, &error))?;
    migrate(folder, &mut connection).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(8)
        .acquire_timeout(PATIENCE)
        .connect_with(options)
        .await?;
    Ok((readers, connection))
}

fn options(folder: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file(folder))
        .busy_timeout(PATIENCE)
        .statement_cache_capacity(STATEMENTS)
        .pragma("wal_autocheckpoint", LOG_PAGES)
        .disable_statement_logging()
}

async fn migrate(folder: &Path, connection: &mut Connection) -> Result<(), StoreError> {
    match migrator().run_direct(None, connection, false).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(version)) => Err(StoreError::Newer(version)),
        Err(MigrateError::VersionMismatch(version)) => Err(StoreError::Unusable(format!(
            "{} was made by a build whose schema step {version} differs from this one's; start the build \
             that made it, or name another folder with --data",
            file(folder).display()
        ))),
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            Err(opening(folder, &error))
        }
        Err(error) => Err(StoreError::Failed(error.to_string())),
    }
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS
        .into_iter()
        .map(|(version, name, sql)| {
            let sql = sql.into_sql_str();
            Migration::new(version, name.into(), MigrationType::Simple, sql, false)
        })
        .collect();
    Migrator::with_migrations(migrations)
}

/// What a person reads when the file cannot be opened.
fn opening(folder: &Path, error: &sqlx::Error) -> StoreError {
    let path = file(folder);
    match code(error) {
        Some(NOTADB) => StoreError::Unusable(format!(
            "{} is not a database of this program; move it away, or name another folder with --data",
            path.display()
        )),
        Some(CORRUPT) => StoreError::Unusable(format!(
            "{} is damaged; stop the program and put a backup in its place, without the files ending in \
             -wal and -shm beside it",
            path.display()
        )),
        _ => classify(error),
    }
}

/// Moves what the write-ahead log holds into the file, as far as nobody has to wait for it.
pub async fn checkpoint(readers: &Pool) -> Result<(), StoreError> {
    sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
        .execute(readers)
        .await?;
    Ok(())
}

/// Whether the connection's commits are on the disk when they return. Those that are not are lost only together
/// with everything after them.
pub async fn lasting(connection: &mut Connection, lasting: bool) -> Result<(), StoreError> {
    let statement = if lasting {
        "PRAGMA synchronous = FULL"
    } else {
        "PRAGMA synchronous = NORMAL"
    };
    sqlx::query(statement).execute(connection).await?;
    Ok(())
}

/// Copies the database while it is in use. The schema stays as it is.
pub async fn backup(folder: &Path, copy: &Path) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| {
        StoreError::Failed(format!("{} cannot be written: {error}", copy.display()))
    };
    let mut connection = options(folder)
        .connect()
        .await
        .map_err(|error| opening(folder, &error))?;
    // Made by us, so that removing it after a failure takes nothing of anybody else's.
    let new = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(copy)
        .map_err(failed)?;
    let copied = async {
        let path = std::path::absolute(copy).map_err(failed)?;
        let path = path.to_str().ok_or_else(|| {
            StoreError::Failed(format!("{} is not a name in UTF-8", copy.display()))
        })?;
        sqlx::query("VACUUM INTO $1")
            .bind(path)
            .execute(&mut connection)
            .await
            .map_err(|error| opening(folder, &error))?;
        // SQLite does not wait for the disk here (sqlite.org/lang_vacuum.html).
        new.sync_all().map_err(failed)
    };
    let copied = copied.await;
    if copied.is_err() {
        // What it failed with says more than that it cannot be removed either.
        let _ = std::fs::remove_file(copy);
    }
    copied
}

// SQLite's primary result codes (sqlite.org/rescode.html).
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const NOTADB: i32 = 26;

fn code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<i32>().ok().map(|code| code & 0xff)
}

/// Whether a failure means that nothing can be stored now.
pub fn classify(error: &sqlx::Error) -> StoreError {
    let away = matches!(
        error,
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed
    );
    match code(error) {
        Some(BUSY | LOCKED | READONLY | IOERR | FULL | CANTOPEN) => {
            StoreError::Full(error.to_string())
        }
        _ if away => StoreError::Full(error.to_string()),
        _ => StoreError::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use super::*;

    async fn at_version(folder: &Path, version: i64) -> Connection {
        let options = options(folder)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let mut connection = options.connect().await.unwrap();
        if version > 0 {
            migrator()
                .run_direct(Some(version), &mut connection, false)
                .await
                .unwrap();
        }
        connection
    }

    async fn schema(readers: &Pool) -> Vec<(String, Option<String>)> {
        let rows = sqlx::query("SELECT name, sql FROM sqlite_master ORDER BY name")
            .fetch_all(readers)
            .await
            .unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    #[tokio::test]
    async fn a_file_of_every_earlier_schema_ends_in_the_current_one() {
        let fresh = tempfile::tempdir().unwrap();
        let (readers, _writer) = open(fresh.path()).await.unwrap();
        let expected = schema(&readers).await;
        assert!(expected.len() > 10);
        let known = MIGRATIONS.iter().map(|(version, ..)| *version);
        for version in std::iter::once(0).chain(known) {
            let folder = tempfile::tempdir().unwrap();
            let earlier = at_version(folder.path(), version).await;
            sqlx::Connection::close(earlier).await.unwrap();
            let (readers, _writer) = open(folder.path()).await.unwrap();
            assert_eq!(schema(&readers).await, expected, "from version {version}");
            let applied = sqlx::query("SELECT version FROM _sqlx_migrations ORDER BY version")
                .fetch_all(&readers)
                .await
                .unwrap();
            let applied: Vec<i64> = applied.iter().map(|row| row.get(0)).collect();
            let all: Vec<i64> = MIGRATIONS.iter().map(|(version, ..)| *version).collect();
            assert_eq!(applied, all);
        }
    }

    #[tokio::test]
    async fn rows_of_the_first_schema_find_their_messages() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = at_version(folder.path(), 1).await;
        let rows = "INSERT INTO contacts (id, channel, address, created_at) VALUES ('ct', 'whatsapp', 'a', 1);
            INSERT INTO conversations (id, contact_id, channel, recipient, created_at, updated_at)
            VALUES ('cv', 'ct', 'whatsapp', 'us', 1, 1);
            INSERT INTO messages (id, conversation_id, speaker, text, body, at) VALUES
            ('in_1', 'cv', 'customer', 'x', '{\"text\":\"x\"}', 5),
            ('in_2', 'cv', 'agent', 'x', '{\"text\":\"x\"}', 5),
            ('in_3', 'cv', 'agent', 'y', '{\"text\":\"y\"}', 5);
            INSERT INTO outbox (id, conversation_id, channel, sender, recipient, language, answer, by_human,
            state, due_at, created_at, updated_at) VALUES
            ('ob_1', 'cv', 'whatsapp', 'us', 'a', 'it', '{\"text\":\"x\"}', 0, 'sent', 5, 5, 6),
            ('ob_2', 'cv', 'whatsapp', 'us', 'a', 'it', '{\"text\":\"y\"}', 0, 'sending', 5, 5, 6),
            ('ob_3', 'cv', 'whatsapp', 'us', 'a', 'it', '{\"text\":\"z\"}', 0, 'sent', 5, 5, 6)";
        sqlx::raw_sql(rows).execute(&mut first).await.unwrap();
        sqlx::Connection::close(first).await.unwrap();
        let (readers, _writer) = open(folder.path()).await.unwrap();
        let found = sqlx::query("SELECT message_id, withdrawn FROM outbox ORDER BY id")
            .fetch_all(&readers)
            .await
            .unwrap();
        let found: Vec<(Option<String>, i64)> =
            found.iter().map(|row| (row.get(0), row.get(1))).collect();
        let expected = [(Some("in_2"), 0), (Some("in_3"), 0), (None, 0)]
            .map(|(id, withdrawn)| (id.map(str::to_owned), withdrawn));
        assert_eq!(found, expected);
    }
}
