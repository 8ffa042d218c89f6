//! What every index does, whatever keeps it.

use sportello::domain::{Language, PassageKind, PriceRange};
use sportello::ports::{Filter, Generation, Index, IndexError, SearchRequest};

use super::shop::{build, generation, id, ids, points, sorted_ids, vector, words};

/// Runs all of it on an empty index.
pub(super) async fn contract(index: &dyn Index) {
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
    for (filter, expected) in filters() {
        let request = SearchRequest {
            words: Some(("caffè macchina".to_owned(), Language::IT)),
            vector: Some(vector(0, 0)),
            limit: 100,
            filter: filter.clone(),
            ..SearchRequest::default()
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

/// FAQ entries and policies; a price that is asked for does not shut them out.
const WITHOUT_PRICE: usize = 20;

/// Filters, and how many of the forty points they let pass.
fn filters() -> Vec<(Filter, usize)> {
    let price = |min, max| Some(PriceRange { min, max });
    let machines = || vec!["machine".to_owned(), "grinder".to_owned()];
    vec![
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
            10 + WITHOUT_PRICE,
        ),
        (
            Filter {
                price: price(None, Some(1_989)),
                ..Filter::default()
            },
            5 + WITHOUT_PRICE,
        ),
        (
            Filter {
                price: price(Some(29_901), None),
                ..Filter::default()
            },
            WITHOUT_PRICE,
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
                ..Filter::default()
            },
            2,
        ),
        // The last policy is said not to be there in Italian.
        (
            Filter {
                missing_in: Some(Language::IT),
                ..Filter::default()
            },
            5,
        ),
    ]
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

fn cosine(left: &[f32], right: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(left, right) / (dot(left, left).sqrt() * dot(right, right).sqrt())
}
