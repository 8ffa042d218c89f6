//! A server: what is sent, what fails, and what happens then.

use std::time::{Duration, Instant};

use sportello::config::Retrieval;
use sportello::domain::Language;
use sportello::ports::{Index, IndexError, SearchRequest};
use sportello::qdrant::RemoteIndex;

use super::contract::contract;
use super::shop::{build, generation, id, ids, points, vector, words};
use crate::support::qdrant_server::{Fault, QdrantServer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_keeps_the_contract() {
    let server = QdrantServer::start();
    contract(&remote(&server)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_down_is_unavailable_until_it_is_back() {
    let mut server = QdrantServer::start();
    let index = remote(&server);
    build(&index, &generation("one", 40), &points(true)).await;
    server.stop();
    let started = Instant::now();
    let error = index
        .search(&words("Mühlen", Language::DE))
        .await
        .unwrap_err();
    assert!(matches!(error, IndexError::Unavailable(_)), "{error}");
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );

    let late = remote(&server);
    let error = late.live().await.unwrap_err();
    assert!(
        matches!(error, IndexError::Unavailable(_)),
        "a late start fails later: {error}"
    );
    server.restart();
    for index in [&index, &late] {
        let found = index.search(&words("Mühlen", Language::DE)).await.unwrap();
        assert_eq!(ids(&found.bm25), [id(4, 1)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_server_is_unavailable_after_the_timeout() {
    let server = QdrantServer::start();
    let index = remote(&server);
    build(&index, &generation("one", 40), &points(true)).await;
    index.live().await.unwrap();
    server.set_fault(Fault::Slow(Duration::from_secs(30)));
    let started = Instant::now();
    let error = index
        .search(&words("Mühlen", Language::DE))
        .await
        .unwrap_err();
    assert!(matches!(error, IndexError::Unavailable(_)), "{error}");
    let elapsed = started.elapsed();
    assert!((800..2_000).contains(&elapsed.as_millis()), "{elapsed:?}");
    server.set_fault(Fault::None);
    index.search(&words("Mühlen", Language::DE)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_unreachable_server_is_asked_again() {
    let server = QdrantServer::start();
    let index = remote(&server);
    build(&index, &generation("one", 40), &points(true)).await;
    index.live().await.unwrap();
    server.take_calls();
    server.set_fault(Fault::Unavailable(3));
    let request = SearchRequest {
        vector: Some(vector(0, 0)),
        ..words("Mühlen", Language::DE)
    };
    let legs = index.search(&request).await.unwrap();
    assert!(!legs.dense.is_empty() && !legs.bm25.is_empty());
    assert!(
        server
            .take_calls()
            .iter()
            .all(|call| *call == "query_batch"),
        "live is cached"
    );

    server.set_fault(Fault::WrongDimension);
    index.begin(&generation("two", 40)).await.unwrap();
    server.take_calls();
    let error = index.add(&points(true)).await.unwrap_err();
    assert!(matches!(error, IndexError::Unusable(_)), "{error}");
    assert_eq!(server.take_calls(), ["upsert"], "a refusal is final");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_legs_travel_in_one_call() {
    let server = QdrantServer::start();
    let index = remote(&server);
    build(&index, &generation("one", 40), &points(true)).await;
    index.live().await.unwrap();
    server.take_calls();
    let request = SearchRequest {
        vector: Some(vector(0, 0)),
        ..words("Mühlen", Language::DE)
    };
    index.search(&request).await.unwrap();
    assert_eq!(server.take_calls(), ["query_batch"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collections_of_others_are_left_alone() {
    let server = QdrantServer::start();
    server.add_foreign_collection("shop-private");
    let other = RemoteIndex::connect(&Retrieval {
        collection: "shop-test".to_owned(),
        ..retrieval(&server)
    })
    .unwrap();
    build(&other, &generation("one", 40), &points(true)).await;
    let index = remote(&server);
    index.begin(&generation("unfinished", 40)).await.unwrap();
    build(&index, &generation("one", 40), &points(true)).await;
    build(&index, &generation("two", 40), &points(true)).await;
    assert_eq!(
        server.collections(),
        ["shop-private", "shop-test-one", "shop-two"]
    );
    let elsewhere = remote(&server);
    assert_eq!(elsewhere.live().await.unwrap(), Some(generation("two", 40)));
}

#[tokio::test]
async fn an_address_that_cannot_be_one_is_refused_at_start() {
    for url in [
        None,
        Some("localhost:6334"),
        Some("ftp://localhost"),
        Some("http://"),
    ] {
        let retrieval = Retrieval {
            url: url.map(str::to_owned),
            ..Retrieval::default()
        };
        let error = RemoteIndex::connect(&retrieval).err().unwrap();
        assert!(matches!(error, IndexError::Unusable(_)), "{url:?}: {error}");
    }
}

fn remote(server: &QdrantServer) -> RemoteIndex {
    RemoteIndex::connect(&retrieval(server)).unwrap()
}

fn retrieval(server: &QdrantServer) -> Retrieval {
    Retrieval {
        url: Some(server.url()),
        collection: "shop".to_owned(),
        timeout_seconds: 1,
        ..Retrieval::default()
    }
}
