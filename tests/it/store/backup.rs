//! `sportello backup` while the server writes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::json;
use sportello::store::Store;
use sqlx::Row as _;
use tempfile::tempdir;

use super::{count, customer, empty, second_connection};
use crate::support::program::{Program, command};

async fn backup(data: &Path, file: &Path) -> Output {
    let file = file.to_str().unwrap();
    command(data, &["backup", file]).output().await.unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_made_while_the_server_writes_is_whole() {
    let (data, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    let limits = [
        ("SPORTELLO_LIMITS__ADDRESS_PER_MINUTE", "100000"),
        ("SPORTELLO_LIMITS__MESSAGES_PER_MINUTE", "100000"),
    ];
    let program = Program::serve(data.path(), &limits).await.unwrap();
    let (written, done) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let writing = {
        let (written, done) = (Arc::clone(&written), Arc::clone(&done));
        let door = format!("{}/api/chat/messages", program.url);
        tokio::spawn(async move {
            let client = reqwest::Client::new();
            while !done.load(Ordering::SeqCst) {
                let body = json!({ "id": uuid::Uuid::new_v4(), "text": "Spedite a Malta?" });
                let answer = client.post(&door).json(&body).send().await.unwrap();
                assert_eq!(answer.status(), 202);
                written.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    while written.load(Ordering::SeqCst) < 20 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let before = written.load(Ordering::SeqCst);
    let file = elsewhere.path().join("sportello.db");
    let output = backup(data.path(), &file).await;
    let after = written.load(Ordering::SeqCst);
    done.store(true, Ordering::SeqCst);
    writing.await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(output.stdout.is_empty());
    assert!(after > before, "the server went on writing");

    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds what customers said");
    let mut copy = second_connection(elsewhere.path()).await;
    let checked = sqlx::query("PRAGMA integrity_check")
        .fetch_one(&mut copy)
        .await;
    assert_eq!(checked.unwrap().get::<String, _>(0), "ok");
    let copied = count(elsewhere.path(), "SELECT COUNT(*) FROM inbox").await;
    let copied = u64::try_from(copied).unwrap();
    assert!(
        (before..=after + 1).contains(&copied),
        "{before} {copied} {after}"
    );

    // The folder of the copy is one to start from.
    let restored = Store::open(elsewhere.path()).await.unwrap();
    assert!(!restored.desk(1).await.unwrap().is_empty());
    let again = backup(data.path(), &file).await;
    assert_eq!(again.status.code(), Some(2), "the copy is not overwritten");
    assert_eq!(program.stop().await, Some(0));
}

#[tokio::test]
async fn a_wrong_call_says_what_to_do() {
    let (data, store) = empty().await;
    customer(&store, "a").await;
    let elsewhere = tempdir().unwrap();
    let taken = elsewhere.path().join("taken");
    std::fs::write(&taken, "something of mine").unwrap();
    let nowhere = elsewhere.path().join("no/such/folder/copy.db");
    let copy = elsewhere.path().join("copy.db");
    let cases = [
        (data.path(), &taken, 2, "exists already"),
        (data.path(), &nowhere, 2, "there is no folder"),
        (elsewhere.path(), &copy, 2, "there is no database"),
        (
            data.path(),
            &Path::new("/proc/copy.db").to_owned(),
            3,
            "cannot be written",
        ),
    ];
    for (data, file, code, words) in cases {
        let output = backup(data, file).await;
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(words), "{}", said(&output));
    }
    assert_eq!(
        std::fs::read_to_string(&taken).unwrap(),
        "something of mine"
    );
    let left: Vec<_> = std::fs::read_dir(elsewhere.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing half-made is left: {left:?}");
    assert_eq!(backup(data.path(), &copy).await.status.code(), Some(0));
}
