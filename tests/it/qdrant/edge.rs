//! The engine in the process: its folder, its lock, its swaps.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sportello::domain::Language;
use sportello::ports::{Index, IndexError};
use sportello::qdrant::EdgeIndex;
use tempfile::TempDir;

use super::contract::contract;
use super::shop::{build, generation, id, ids, points, words};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_in_the_process_keeps_the_contract() {
    let folder = TempDir::new().unwrap();
    contract(&EdgeIndex::open(folder.path()).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reopened_folder_has_the_live_generation_only() {
    let folder = TempDir::new().unwrap();
    let index = EdgeIndex::open(folder.path()).unwrap();
    build(&index, &generation("one", 40), &points(true)).await;
    index.begin(&generation("two", 40)).await.unwrap();
    index.add(&points(true)[..10]).await.unwrap();
    drop(index);

    let index = EdgeIndex::open(folder.path()).unwrap();
    assert_eq!(index.live().await.unwrap(), Some(generation("one", 40)));
    let found = index.search(&words("Mühlen", Language::DE)).await.unwrap();
    assert_eq!(ids(&found.bm25), [id(4, 1)]);
    let error = index.commit().await.unwrap_err();
    assert!(
        matches!(error, IndexError::Unusable(_)),
        "nothing was begun: {error}"
    );
    build(&index, &generation("two", 40), &points(true)).await;
    drop(index);
    assert_eq!(generations(folder.path()), ["two"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_go_on_while_generations_change() {
    let folder = TempDir::new().unwrap();
    let index = Arc::new(EdgeIndex::open(folder.path()).unwrap());
    build(&*index, &generation("g0", 40), &points(true)).await;
    let searching = Arc::clone(&index);
    let done = Arc::new(AtomicBool::new(false));
    let finished = Arc::clone(&done);
    let searches = tokio::spawn(async move {
        while !finished.load(Ordering::Relaxed) {
            let found = searching
                .search(&words("Mühlen", Language::DE))
                .await
                .unwrap();
            assert_eq!(ids(&found.bm25), [id(4, 1)]);
        }
    });
    for round in 1..4 {
        build(
            &*index,
            &generation(&format!("g{round}"), 40),
            &points(true),
        )
        .await;
    }
    done.store(true, Ordering::Relaxed);
    searches.await.unwrap();
    drop(index);
    assert_eq!(generations(folder.path()), ["g3"]);
}

#[tokio::test]
async fn a_second_process_is_told_to_stay_out() {
    let folder = TempDir::new().unwrap();
    let first = EdgeIndex::open(folder.path()).unwrap();
    let error = EdgeIndex::open(folder.path()).err().unwrap();
    assert!(matches!(error, IndexError::Locked(_)), "{error}");
    assert!(
        error
            .to_string()
            .contains(&folder.path().display().to_string()),
        "{error}"
    );
    drop(first);
    EdgeIndex::open(folder.path()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_files_are_reported_with_the_way_out() {
    let damages: [fn(&Path); 4] = [
        |folder| std::fs::write(folder.join("current.json"), "{").unwrap(),
        |folder| std::fs::remove_dir_all(folder.join("one/segments")).unwrap(),
        |folder| std::fs::remove_dir_all(folder.join("one")).unwrap(),
        |folder| std::fs::write(folder.join("one/edge_config.json"), "[]").unwrap(),
    ];
    for damage in damages {
        let folder = TempDir::new().unwrap();
        let index = EdgeIndex::open(folder.path()).unwrap();
        build(&index, &generation("one", 40), &points(true)).await;
        drop(index);
        damage(folder.path());
        let error = EdgeIndex::open(folder.path()).err().unwrap();
        assert!(matches!(error, IndexError::Unusable(_)), "{error}");
        assert!(error.to_string().contains("sportello index"), "{error}");
    }
}

fn generations(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
