//! What differs between databases: types, opening, error codes. Everything else speaks plain SQL.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions, SqlSafeStr};

use super::StoreError;

/// A connection.
pub type Connection = SqliteConnection;
/// The pool for reading.
pub type Pool = SqlitePool;
/// A row.
pub type Row = SqliteRow;

/// How a write transaction begins: with the lock, so that it never fails half-way for want of it.
pub const BEGIN: &str = "BEGIN IMMEDIATE";

const FILE: &str = "sportello.db";

const MIGRATIONS: [(i64, &str, &str); 1] =
    [(1, "counter", include_str!("migrations/0001_counter.sql"))];

/// Opens the pool and the writer's connection, schema up to date.
pub async fn open(folder: &Path) -> Result<(Pool, Connection), StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join(FILE))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .disable_statement_logging();
    let mut connection = options.connect().await?;
    migrate(&mut connection).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(8)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options.read_only(false))
        .await?;
    Ok((readers, connection))
}

async fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let migrations = MIGRATIONS
        .into_iter()
        .map(|(version, name, sql)| {
            Migration::new(
                version,
                name.into(),
                MigrationType::Simple,
                sql.into_sql_str(),
                false,
            )
        })
        .collect();
    let migrator = Migrator::with_migrations(migrations);
    match migrator.run_direct(None, connection, false).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(version)) => Err(StoreError::Newer(version)),
        Err(error) => Err(StoreError::Failed(error.to_string())),
    }
}

/// Copies the database while it is in use.
pub async fn backup(readers: &Pool, file: &Path) -> Result<(), StoreError> {
    sqlx::query("VACUUM INTO $1")
        .bind(file.to_string_lossy().into_owned())
        .execute(readers)
        .await?;
    Ok(())
}

/// Whether a failure means that the disk cannot take more.
pub fn classify(error: &sqlx::Error) -> StoreError {
    // SQLite primary result codes (sqlite.org/rescode.html): 8 READONLY, 10 IOERR, 13 FULL, 14 CANTOPEN.
    let code = error
        .as_database_error()
        .and_then(|error| error.code()?.parse::<i32>().ok());
    match code.map(|code| code & 0xff) {
        Some(8 | 10 | 13 | 14) => StoreError::Full(error.to_string()),
        _ => StoreError::Failed(error.to_string()),
    }
}
