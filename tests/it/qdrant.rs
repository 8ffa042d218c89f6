//! The index: one contract for the engine in the process and for a server, then what differs.

use std::path::Path;
use std::time::{Duration, Instant};

use sportello::config::Retrieval;
use sportello::domain::{Language, Passage, PassageKind, PriceRange, Ranking};
use sportello::ports::{Filter, Generation, Index, IndexError, IndexPoint, SearchRequest};
use sportello::qdrant::{EdgeIndex, RemoteIndex};
use tempfile::TempDir;

use crate::support::qdrant_server::{Fault, QdrantServer};

const DIMENSION: usize = 8;
const LANGUAGES: [Language; 5] = [
    Language::EN,
    Language::IT,
    Language::ES,
    Language::PT,
    Language::DE,
];

/// Title and text of the espresso machine, the grinder, the cups and the beans, then two entries of
/// the FAQ and two policies, by language.
const TEXTS: [[(&str, &str); 8]; 5] = [
    [
        ("Aria", "Espresso machine for small kitchens"),
        ("Molino", "Quiet grinder for fresh coffee"),
        ("Tazza", "Set of two porcelain cups"),
        ("Chicchi", "Roasted beans from Brazil"),
        ("Invoice", "You receive your invoice by e-mail"),
        ("Descaling", "Descale the machine every two months"),
        ("Returns", "Items can be returned within thirty days"),
        ("Shipping", "We ship within two working days"),
    ],
    [
        ("Aria", "Macchina espresso per cucine piccole"),
        ("Molino", "Macinino silenzioso per caffè fresco"),
        ("Tazza", "Due tazze di porcellana"),
        ("Chicchi", "Grani tostati del Brasile"),
        ("Fattura", "La fattura arriva per posta elettronica"),
        ("Calcare", "Decalcificare ogni due mesi le macchine"),
        ("Resi", "Gli articoli si restituiscono entro trenta giorni"),
        ("Spedizioni", "Spediamo entro due giorni lavorativi"),
    ],
    [
        ("Aria", "Máquina espresso para cocinas pequeñas"),
        ("Molino", "Molinillo silencioso para café fresco"),
        ("Tazza", "Dos tazas de porcelana"),
        ("Chicchi", "Granos tostados de Brasil"),
        ("Factura", "La factura llega por correo electrónico"),
        ("Cal", "Descalcificar las máquinas cada dos meses"),
        ("Devoluciones", "Los artículos se devuelven en treinta días"),
        ("Envíos", "Enviamos en dos días laborables"),
    ],
    [
        ("Aria", "Máquina de café expresso para cozinhas pequenas"),
        ("Molino", "Moedor silencioso para café fresco"),
        ("Tazza", "Duas chávenas de porcelana"),
        ("Chicchi", "Grãos torrados do Brasil"),
        ("Fatura", "A fatura chega por correio eletrónico"),
        ("Calcário", "Descalcificar as máquinas a cada dois meses"),
        ("Devoluções", "Os artigos são devolvidos em trinta dias"),
        ("Envios", "Enviamos em dois dias úteis"),
    ],
    [
        ("Aria", "Espressomaschine für kleine Küchen"),
        ("Molino", "Leise Mühle für frischen Kaffee"),
        ("Tazza", "Zwei Tassen aus Porzellan"),
        ("Chicchi", "Geröstete Bohnen aus Brasilien"),
        ("Rechnung", "Die Rechnung kommt per E-Mail"),
        ("Kalk", "Maschinen alle zwei Monate entkalken"),
        (
            "Rückgabe",
            "Artikel innerhalb von dreißig Tagen zurückgeben",
        ),
        ("Versand", "Wir versenden innerhalb von zwei Werktagen"),
    ],
];

const CATEGORIES: [&str; 4] = ["machine", "grinder", "cup", "coffee"];
const PRICES: [i64; 4] = [29_900, 14_900, 1_990, 1_250];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_in_the_process_keeps_the_contract() {
    let folder = TempDir::new().unwrap();
    contract(&EdgeIndex::open(folder.path()).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_keeps_the_contract() {
    let server = QdrantServer::start();
    contract(&remote(&server)).await;
}

async fn contract(index: &dyn Index) {
    starts_empty(index).await;
    build(index, &generation("one", 40), &points(true)).await;
    assert_eq!(index.live().await.unwrap(), Some(generation("one", 40)));
    finds_by_meaning(index).await;
    finds_by_words(index).await;
    respects_filters(index).await;
    refuses_wrong_dimensions(index).await;
    swaps_whole_generations(index).await;
    searches_words_without_vectors(index).await;
}

async fn starts_empty(index: &dyn Index) {
    assert_eq!(index.live().await.unwrap(), None);
    let error = index
        .search(&words("macchina", Language::IT))
        .await
        .unwrap_err();
    assert!(matches!(error, IndexError::Unavailable(_)), "{error}");
    assert!(error.to_string().contains("sportello index"), "{error}");
    let error = index.add(&points(true)).await.unwrap_err();
    assert!(matches!(error, IndexError::Unusable(_)), "{error}");
    let error = index.commit().await.unwrap_err();
    assert!(matches!(error, IndexError::Unusable(_)), "{error}");
    let nameless = Generation {
        name: "../elsewhere".to_owned(),
        ..generation("x", 0)
    };
    assert!(matches!(
        index.begin(&nameless).await,
        Err(IndexError::Unusable(_))
    ));
}

async fn finds_by_meaning(index: &dyn Index) {
    let request = SearchRequest {
        vector: Some(vector(1, 0)),
        limit: 5,
        filter: Filter {
            languages: vec![Language::IT],
            ..Filter::default()
        },
        ..SearchRequest::default()
    };
    let legs = index.search(&request).await.unwrap();
    assert!(legs.bm25.is_empty());
    let expected: Vec<(String, f32)> = {
        let mut all: Vec<_> = (0..8)
            .map(|entry| (id(1, entry), cosine(&vector(1, 0), &vector(1, entry))))
            .collect();
        all.sort_by(|left, right| {
            right
                .1
                .total_cmp(&left.1)
                .then_with(|| left.0.cmp(&right.0))
        });
        all.truncate(5);
        all
    };
    assert_eq!(
        ids(&legs.dense),
        expected
            .iter()
            .map(|(id, _)| id.clone())
            .collect::<Vec<_>>()
    );
    for ((passage, score), (_, expected)) in legs.dense.iter().zip(&expected) {
        assert!(
            (score - expected).abs() < 1e-4,
            "{}: {score} is not {expected}",
            passage.id
        );
    }
    let found = &legs.dense[0].0;
    assert_eq!(
        *found,
        points(true)[8].passage,
        "the passage comes back as it was stored"
    );
}

async fn finds_by_words(index: &dyn Index) {
    let italian = index
        .search(&words("quali MACCHINE avete?", Language::IT))
        .await
        .unwrap();
    assert!(italian.dense.is_empty());
    assert_eq!(sorted_ids(&italian.bm25), [id(1, 0), id(1, 5)]);
    let german = index
        .search(&words("Habt ihr Mühlen", Language::DE))
        .await
        .unwrap();
    assert_eq!(ids(&german.bm25), [id(4, 1)]);
    let folded = index
        .search(&words("devolucoes", Language::PT))
        .await
        .unwrap();
    assert_eq!(ids(&folded.bm25)[0], id(3, 6));
    for (passage, score) in italian.bm25.iter().chain(&german.bm25) {
        assert!(*score > 0.0, "{}: {score}", passage.id);
    }
    assert!(italian.bm25.is_sorted_by(|left, right| left.1 >= right.1));
    let limited = SearchRequest {
        limit: 1,
        ..words("macchine", Language::IT)
    };
    assert_eq!(index.search(&limited).await.unwrap().bm25.len(), 1);
    let nothing = index
        .search(&words("il di la", Language::IT))
        .await
        .unwrap();
    assert!(nothing.bm25.is_empty() && nothing.dense.is_empty());
    let nothing = index
        .search(&SearchRequest {
            limit: 5,
            ..SearchRequest::default()
        })
        .await;
    assert!(nothing.unwrap().dense.is_empty());
}

async fn respects_filters(index: &dyn Index) {
    let price = |min, max| Some(PriceRange { min, max });
    let machines = || vec!["machine".to_owned(), "grinder".to_owned()];
    let cases = [
        (Filter::default(), 40),
        (
            Filter {
                kinds: vec![PassageKind::Product],
                ..Filter::default()
            },
            20,
        ),
        (
            Filter {
                kinds: vec![PassageKind::Faq, PassageKind::Policy],
                ..Filter::default()
            },
            20,
        ),
        (
            Filter {
                languages: vec![Language::DE, Language::ES],
                ..Filter::default()
            },
            16,
        ),
        (
            Filter {
                categories: machines(),
                ..Filter::default()
            },
            10,
        ),
        (
            Filter {
                price: price(Some(1_990), Some(14_900)),
                ..Filter::default()
            },
            10,
        ),
        (
            Filter {
                price: price(None, Some(1_989)),
                ..Filter::default()
            },
            5,
        ),
        (
            Filter {
                price: price(Some(29_901), None),
                ..Filter::default()
            },
            0,
        ),
        (
            Filter {
                price: price(None, None),
                ..Filter::default()
            },
            40,
        ),
        // The cups are out of stock in every language.
        (
            Filter {
                in_stock: true,
                ..Filter::default()
            },
            15,
        ),
        (
            Filter {
                kinds: vec![PassageKind::Product],
                languages: vec![Language::IT],
                categories: machines(),
                price: price(None, Some(29_900)),
                in_stock: true,
            },
            2,
        ),
    ];
    for (filter, expected) in cases {
        let request = SearchRequest {
            words: Some(("caffè macchina".to_owned(), Language::IT)),
            vector: Some(vector(0, 0)),
            limit: 100,
            filter: filter.clone(),
        };
        let legs = index.search(&request).await.unwrap();
        assert_eq!(legs.dense.len(), expected, "{filter:?}");
        let allowed = sorted_ids(&legs.dense);
        for (passage, _) in &legs.bm25 {
            assert!(
                allowed.contains(&passage.id),
                "{filter:?} lets {} pass",
                passage.id
            );
        }
    }
}

async fn refuses_wrong_dimensions(index: &dyn Index) {
    let short = SearchRequest {
        vector: Some(vec![1.0; 7]),
        limit: 3,
        ..SearchRequest::default()
    };
    let error = index.search(&short).await.unwrap_err();
    assert!(matches!(error, IndexError::Unusable(_)), "{error}");
    index.begin(&generation("wrong", 1)).await.unwrap();
    let mut point = points(true).remove(0);
    point.vector = Some(vec![1.0; 9]);
    let error = index.add(&[point]).await.unwrap_err();
    assert!(matches!(error, IndexError::Unusable(_)), "{error}");
    let error = index.commit().await.unwrap_err();
    assert!(
        error.to_string().contains("0 points"),
        "an incomplete build stays aside: {error}"
    );
    assert_eq!(index.live().await.unwrap(), Some(generation("one", 40)));
}

async fn swaps_whole_generations(index: &dyn Index) {
    let error = index.begin(&generation("one", 40)).await.unwrap_err();
    assert!(
        matches!(error, IndexError::Unusable(_)),
        "the live one is never overwritten: {error}"
    );
    let italian: Vec<_> = points(true).drain(8..16).collect();
    index.begin(&generation("two", 8)).await.unwrap();
    // A point that is added again replaces itself.
    index.add(&italian[..5]).await.unwrap();
    index.add(&italian[3..]).await.unwrap();
    let before = index.search(&words("Mühle", Language::DE)).await.unwrap();
    assert_eq!(
        ids(&before.bm25),
        [id(4, 1)],
        "the old one answers until the commit"
    );
    index.commit().await.unwrap();
    assert_eq!(index.live().await.unwrap(), Some(generation("two", 8)));
    let after = index.search(&words("Mühle", Language::DE)).await.unwrap();
    assert!(after.bm25.is_empty(), "what vanished is not found");
    let after = index.search(&words("fattura", Language::IT)).await.unwrap();
    assert_eq!(ids(&after.bm25), [id(1, 4)]);
}

async fn searches_words_without_vectors(index: &dyn Index) {
    let generation = Generation {
        vectors: false,
        ..generation("three", 40)
    };
    index.begin(&generation).await.unwrap();
    let error = index.add(&points(true)[..1]).await.unwrap_err();
    assert!(matches!(error, IndexError::Unusable(_)), "{error}");
    index.add(&points(false)).await.unwrap();
    index.commit().await.unwrap();
    let request = SearchRequest {
        vector: Some(vector(0, 0)),
        ..words("Mühle", Language::DE)
    };
    let legs = index.search(&request).await.unwrap();
    assert!(legs.dense.is_empty());
    assert_eq!(ids(&legs.bm25), [id(4, 1)]);
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
    let index = std::sync::Arc::new(EdgeIndex::open(folder.path()).unwrap());
    build(&*index, &generation("g0", 40), &points(true)).await;
    let searching = std::sync::Arc::clone(&index);
    let searches = tokio::spawn(async move {
        for _ in 0..300 {
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
    server.set_fault(Fault::Unavailable(2));
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

async fn build(index: &dyn Index, generation: &Generation, points: &[IndexPoint]) {
    index.begin(generation).await.unwrap();
    for batch in points.chunks(16) {
        index.add(batch).await.unwrap();
    }
    index.commit().await.unwrap();
}

fn generation(name: &str, points: usize) -> Generation {
    Generation {
        name: name.to_owned(),
        model: "test".to_owned(),
        dimension: DIMENSION,
        content: format!("content of {name}"),
        vectors: true,
        points,
    }
}

/// Forty points: four products, two FAQ entries and two policies in each language.
fn points(vectors: bool) -> Vec<IndexPoint> {
    (0..LANGUAGES.len())
        .flat_map(|language| (0..8).map(move |entry| point(language, entry, vectors)))
        .collect()
}

fn point(language: usize, entry: usize, vectors: bool) -> IndexPoint {
    let (title, text) = TEXTS[language][entry];
    let kind = match entry {
        0..4 => PassageKind::Product,
        4 | 5 => PassageKind::Faq,
        _ => PassageKind::Policy,
    };
    let product = (kind == PassageKind::Product).then_some(entry);
    IndexPoint {
        passage: Passage {
            id: id(language, entry),
            document: format!("document-{entry}"),
            kind,
            title: title.to_owned(),
            headings: vec![kind.name().to_owned(), title.to_owned()],
            text: text.to_owned(),
            language: LANGUAGES[language],
            source: "texts.md".to_owned(),
            score: 0.0,
            ranking: Ranking::default(),
        },
        words: format!("{title}. {text}"),
        vector: vectors.then(|| vector(language, entry)),
        price: product.map(|entry| PRICES[entry]),
        in_stock: product.map(|entry| CATEGORIES[entry] != "cup"),
        category: product.map(|entry| CATEGORIES[entry].to_owned()),
    }
}

fn id(language: usize, entry: usize) -> String {
    format!("document-{entry}:{}:0", LANGUAGES[language])
}

/// A vector that is near those of the same entry in other languages.
fn vector(language: usize, entry: usize) -> Vec<f32> {
    let mut vector = vec![0.05; DIMENSION];
    vector[entry] = 1.0;
    vector[(entry + 1) % DIMENSION] += 0.3 + 0.01 * entry as f32;
    vector[(entry + 2 + language) % DIMENSION] += 0.1;
    vector
}

fn cosine(left: &[f32], right: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(left, right) / (dot(left, left).sqrt() * dot(right, right).sqrt())
}

fn words(text: &str, language: Language) -> SearchRequest {
    SearchRequest {
        words: Some((text.to_owned(), language)),
        limit: 10,
        ..SearchRequest::default()
    }
}

fn ids(leg: &[(Passage, f32)]) -> Vec<String> {
    leg.iter().map(|(passage, _)| passage.id.clone()).collect()
}

fn sorted_ids(leg: &[(Passage, f32)]) -> Vec<String> {
    let mut ids = ids(leg);
    ids.sort();
    ids
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
