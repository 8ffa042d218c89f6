//! A passage as a point's payload, and which of its fields can be filtered.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::{Language, Passage, PassageKind, Ranking};
use crate::ports::{Filter, IndexError, IndexPoint};

/// The fields with a payload index, and its type.
pub(super) const INDEXED: [(&str, FieldIndex); 6] = [
    ("kind", FieldIndex::Keyword),
    ("language", FieldIndex::Keyword),
    ("languages", FieldIndex::Keyword),
    ("category", FieldIndex::Keyword),
    ("price", FieldIndex::Integer),
    ("in_stock", FieldIndex::Boolean),
];

/// The type of a payload index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldIndex {
    /// Exact text.
    Keyword,
    /// Whole numbers with ranges.
    Integer,
    /// True or false.
    Boolean,
}

/// One thing that a payload must fulfil. All of them must hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    /// The field is one of these texts.
    AnyOf(&'static str, Vec<String>),
    /// The field holds none of these texts.
    NoneOf(&'static str, Vec<String>),
    /// The field is a number in this range, bounds included, or is not there.
    Between(&'static str, Option<i64>, Option<i64>),
    /// The field is true.
    IsTrue(&'static str),
}

/// What a filter asks of a payload. A restriction that is not given asks nothing.
pub(super) fn conditions(filter: &Filter) -> Vec<Condition> {
    let kinds = filter
        .kinds
        .iter()
        .map(|kind| kind.name().to_owned())
        .collect();
    let languages = filter
        .languages
        .iter()
        .map(|language| language.code().to_owned())
        .collect();
    let texts = [
        ("kind", kinds),
        ("language", languages),
        ("category", filter.categories.clone()),
    ];
    let mut conditions: Vec<Condition> = texts
        .into_iter()
        .filter(|(_, values): &(_, Vec<String>)| !values.is_empty())
        .map(|(field, values)| Condition::AnyOf(field, values))
        .collect();
    if let Some(language) = filter.missing_in {
        conditions.push(Condition::NoneOf(
            "languages",
            vec![language.code().to_owned()],
        ));
    }
    if let Some(price) = filter.price
        && (price.min.is_some() || price.max.is_some())
    {
        conditions.push(Condition::Between("price", price.min, price.max));
    }
    if filter.in_stock {
        conditions.push(Condition::IsTrue("in_stock"));
    }
    conditions
}

/// The point's id: a UUID of the passage's id, so that the same chunk is always the same point.
pub(super) fn point_id(passage: &str) -> Uuid {
    let digest = Sha256::digest(passage.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The payload of a point.
pub(super) fn write(point: &IndexPoint) -> Result<Map<String, Value>, IndexError> {
    let passage = &point.passage;
    let stored = Stored {
        id: passage.id.clone(),
        document: passage.document.clone(),
        kind: passage.kind,
        title: passage.title.clone(),
        headings: passage.headings.clone(),
        text: passage.text.clone(),
        language: passage.language,
        languages: point.languages.clone(),
        source: passage.source.clone(),
        meta: passage.meta.clone(),
        price: point.price,
        in_stock: point.in_stock,
        category: point.category.clone(),
    };
    match serde_json::to_value(stored) {
        Ok(Value::Object(payload)) => Ok(payload),
        Ok(_) | Err(_) => Err(IndexError::Unusable(format!(
            "the passage `{}` cannot be written as a payload",
            passage.id
        ))),
    }
}

/// Turns a leg's payloads into passages, best first, ties broken by id.
pub(super) fn read_leg(
    hits: impl IntoIterator<Item = (Map<String, Value>, f32)>,
) -> Result<Vec<(Passage, f32)>, IndexError> {
    let mut passages = hits
        .into_iter()
        .map(|(payload, score)| Ok((read(payload)?, score)))
        .collect::<Result<Vec<_>, IndexError>>()?;
    passages.sort_by(|(left, left_score), (right, right_score)| {
        right_score
            .total_cmp(left_score)
            .then_with(|| left.id.cmp(&right.id))
    });
    Ok(passages)
}

fn read(payload: Map<String, Value>) -> Result<Passage, IndexError> {
    let stored: Stored = serde_json::from_value(Value::Object(payload)).map_err(|error| {
        IndexError::Unusable(format!("a stored passage cannot be read back: {error}"))
    })?;
    Ok(Passage {
        id: stored.id,
        document: stored.document,
        kind: stored.kind,
        title: stored.title,
        headings: stored.headings,
        text: stored.text,
        language: stored.language,
        source: stored.source,
        meta: stored.meta,
        score: 0.0,
        ranking: Ranking::default(),
    })
}

#[derive(Serialize, Deserialize)]
struct Stored {
    id: String,
    document: String,
    kind: PassageKind,
    title: String,
    headings: Vec<String>,
    text: String,
    language: Language,
    #[serde(default)]
    languages: Vec<Language>,
    source: String,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    meta: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_stock: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PriceRange;

    fn point(id: &str) -> IndexPoint {
        let passage = Passage {
            id: id.to_owned(),
            document: "macchina-aria".to_owned(),
            kind: PassageKind::Product,
            title: "Aria".to_owned(),
            headings: vec!["Macchine".to_owned(), "Espresso".to_owned()],
            text: "Una macchina per espresso.".to_owned(),
            language: Language::IT,
            source: "catalog.csv".to_owned(),
            meta: serde_json::Map::new(),
            score: 0.0,
            ranking: Ranking::default(),
        };
        IndexPoint {
            passage,
            words: "Aria".to_owned(),
            languages: vec![Language::IT, Language::EN],
            vector: None,
            price: Some(29_900),
            in_stock: Some(false),
            category: Some("machine".to_owned()),
        }
    }

    #[test]
    fn a_passage_survives_the_way_there_and_back() {
        let point = point("macchina-aria:it:0");
        let payload = write(&point).unwrap();
        assert_eq!(payload["price"], 29_900);
        assert_eq!(payload["in_stock"], false);
        assert_eq!(payload["language"], "it");
        assert_eq!(payload["languages"], serde_json::json!(["it", "en"]));
        assert_eq!(read(payload).unwrap(), point.passage);
    }

    #[test]
    fn a_foreign_payload_is_refused() {
        let error = read_leg([(Map::new(), 1.0)]).unwrap_err();
        assert!(matches!(error, IndexError::Unusable(_)), "{error}");
    }

    #[test]
    fn equal_scores_are_ordered_by_id() {
        let payload = |id| write(&point(id)).unwrap();
        let hits = [
            (payload("c"), 0.5),
            (payload("b"), 0.5),
            (payload("a"), 0.1),
        ];
        let order: Vec<String> = read_leg(hits)
            .unwrap()
            .into_iter()
            .map(|(passage, _)| passage.id)
            .collect();
        assert_eq!(order, ["b", "c", "a"]);
    }

    #[test]
    fn ids_are_stable_and_differ() {
        assert_eq!(point_id("faq:it:0"), point_id("faq:it:0"));
        assert_ne!(point_id("faq:it:0"), point_id("faq:it:1"));
        assert_eq!(point_id("faq:it:0").get_version_num(), 8);
    }

    #[test]
    fn an_empty_filter_asks_nothing() {
        assert_eq!(conditions(&Filter::default()), []);
        let open_range = Filter {
            price: Some(PriceRange {
                min: None,
                max: None,
            }),
            ..Filter::default()
        };
        assert_eq!(conditions(&open_range), []);
    }

    #[test]
    fn every_restriction_becomes_a_condition() {
        let filter = Filter {
            kinds: vec![PassageKind::Faq, PassageKind::Policy],
            languages: vec![Language::DE],
            categories: vec!["grinder".to_owned()],
            missing_in: Some(Language::EN),
            price: Some(PriceRange {
                min: None,
                max: Some(100),
            }),
            in_stock: true,
        };
        let expected = [
            Condition::AnyOf("kind", vec!["faq".to_owned(), "policy".to_owned()]),
            Condition::AnyOf("language", vec!["de".to_owned()]),
            Condition::AnyOf("category", vec!["grinder".to_owned()]),
            Condition::NoneOf("languages", vec!["en".to_owned()]),
            Condition::Between("price", None, Some(100)),
            Condition::IsTrue("in_stock"),
        ];
        assert_eq!(conditions(&filter), expected);
    }
}
