//! Files that the program must not touch: newer ones, changed ones, and those of others.

use std::path::Path;

use sportello::store::{Store, StoreError};
use tempfile::{TempDir, tempdir};

use super::{count, customer, empty, second_connection};
use crate::support::program::command;

const FILE: &str = "sportello.db";

/// A folder with a database of ours in which something was done by another hand.
async fn changed(how: &'static str) -> TempDir {
    let (folder, store) = empty().await;
    customer(&store, "a").await;
    store.close().await;
    let mut connection = second_connection(folder.path()).await;
    sqlx::query(how).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    folder
}

/// What `Store::open` and the program say; the file must stay as it is.
async fn refused(folder: &Path) -> (StoreError, String) {
    let before = std::fs::read(folder.join(FILE)).unwrap();
    let error = Store::open(folder).await.err().expect("it is refused");
    let output = command(folder, &["serve", "--listen", "127.0.0.1:0"])
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&error.to_string()), "{said}");
    assert_eq!(std::fs::read(folder.join(FILE)).unwrap(), before);
    (error, said)
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let folder = changed(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (999, 'later', 1, x'00', 0)",
    )
    .await;
    let (error, said) = refused(folder.path()).await;
    assert!(matches!(error, StoreError::Newer(999)), "{error}");
    assert!(
        said.contains("newer version") && said.contains("--data"),
        "{said}"
    );
    assert_eq!(count(folder.path(), "SELECT COUNT(*) FROM inbox").await, 1);
}

#[tokio::test]
async fn a_schema_step_that_was_changed_afterwards_is_refused() {
    let folder = changed("UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1").await;
    let (error, said) = refused(folder.path()).await;
    assert!(matches!(error, StoreError::Unusable(_)), "{error}");
    assert!(
        said.contains("schema step 1") && said.contains("--data"),
        "{said}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), "name,price\n".repeat(1_000)).unwrap();
    let (error, said) = refused(folder.path()).await;
    assert!(matches!(error, StoreError::Unusable(_)), "{error}");
    assert!(
        said.contains(FILE) && said.contains("move it away"),
        "{said}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn an_empty_file_and_a_missing_one_become_a_database() {
    let folder = tempdir().unwrap();
    assert!(!Store::exists(folder.path()));
    std::fs::write(folder.path().join(FILE), "").unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    store.ping().await.unwrap();
    assert!(Store::exists(folder.path()));
    let missing = Store::open(&folder.path().join("missing"))
        .await
        .err()
        .unwrap();
    assert!(matches!(missing, StoreError::Full(_)), "{missing}");
}
