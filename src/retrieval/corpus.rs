//! Any corpus as points of an index: lines of `{"id", "title", "text", "language", "meta"}`.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::{Language, Passage, PassageKind, Ranking};
use crate::knowledge::split;
use crate::ports::IndexPoint;

/// A line that is no document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}:{line}: {problem}")]
pub struct CorpusFault {
    /// The file.
    pub source_name: String,
    /// Counts from 1.
    pub line: usize,
    /// What is wrong and what to do about it.
    pub problem: String,
}

#[derive(Deserialize)]
struct Document {
    id: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    text: String,
    language: Option<Language>,
    #[serde(default)]
    meta: Map<String, Value>,
}

/// The documents of a corpus as points, in chunks of at most so many tokens. Lines that are blank are skipped; a
/// document in several languages is several lines with one id. `detect` tells the language of a line that does not.
/// A `kind` in `meta` (product, faq or policy) can be filtered by, and so can `category`, `price` (in minor units)
/// and `in_stock`; the rest of `meta` comes back with each passage.
///
/// # Errors
/// Every line that is no document.
pub fn read_corpus(
    source: &str,
    text: &str,
    chunk_tokens: usize,
    detect: &dyn Fn(&str) -> Language,
) -> Result<Vec<IndexPoint>, Vec<CorpusFault>> {
    let (mut points, mut faults, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for (line, json) in (1..).zip(text.lines()) {
        if json.trim().is_empty() {
            continue;
        }
        let read = document(json).and_then(|document| {
            let written = || detect(&format!("{} {}", document.title, document.text));
            let language = document.language.unwrap_or_else(written);
            if seen.insert((document.id.clone(), language)) {
                Ok((document, language))
            } else {
                Err(format!(
                    "`{}` is there twice in `{language}`; give each document its own id",
                    document.id
                ))
            }
        });
        match read {
            Ok((document, language)) => {
                points.extend(pieces(document, language, source, chunk_tokens));
            }
            Err(problem) => faults.push(CorpusFault {
                source_name: source.to_owned(),
                line,
                problem,
            }),
        }
    }
    if points.is_empty() && faults.is_empty() {
        faults.push(CorpusFault {
            source_name: source.to_owned(),
            line: 1,
            problem: "there is no document; write lines of {\"id\", \"title\", \"text\"}"
                .to_owned(),
        });
    }
    if faults.is_empty() {
        Ok(points)
    } else {
        Err(faults)
    }
}

fn document(json: &str) -> Result<Document, String> {
    let document: Document = serde_json::from_str(json).map_err(|error| {
        format!("not a document ({error}); write {{\"id\", \"title\", \"text\"}}")
    })?;
    if document.id.trim().is_empty() {
        return Err("`id` is empty; give each document an id".to_owned());
    }
    if document.title.trim().is_empty() && document.text.trim().is_empty() {
        return Err(format!("`{}` has neither a title nor a text", document.id));
    }
    Ok(document)
}

fn pieces(
    document: Document,
    language: Language,
    source: &str,
    chunk_tokens: usize,
) -> Vec<IndexPoint> {
    let mut texts = split(&document.text, chunk_tokens);
    if texts.is_empty() {
        texts.push(String::new());
    }
    let meta = &document.meta;
    let kind = meta.get("kind").and_then(Value::as_str);
    let kind = kind.and_then(|kind| kind.parse().ok());
    let point = |(place, text): (usize, String)| IndexPoint {
        words: format!("{}\n{text}", document.title),
        languages: Vec::new(),
        vector: None,
        price: meta.get("price").and_then(Value::as_i64),
        in_stock: meta.get("in_stock").and_then(Value::as_bool),
        category: meta
            .get("category")
            .and_then(Value::as_str)
            .map(str::to_owned),
        passage: Passage {
            id: format!("{}:{language}:{place}", document.id),
            document: document.id.clone(),
            kind: kind.unwrap_or(PassageKind::Faq),
            title: document.title.clone(),
            headings: Vec::new(),
            text,
            language,
            source: source.to_owned(),
            meta: meta.clone(),
            score: 0.0,
            ranking: Ranking::default(),
        },
    };
    texts.into_iter().enumerate().map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<IndexPoint>, Vec<CorpusFault>> {
        read_corpus("c.jsonl", text, 20, &|_| Language::EN)
    }

    #[test]
    fn documents_become_points_with_what_they_say_of_themselves() {
        let long = "One sentence about grinders that goes on for a while. ".repeat(8);
        let text = format!(
            "{}\n\n{}\n",
            r#"{"id": "a", "title": "Cups", "text": "White.", "language": "it", "meta": {"kind": "product", "price": 990, "tag": "x"}}"#,
            serde_json::json!({"id": "b", "text": long}),
        );
        let points = read(&text).unwrap();
        assert!(points.len() > 3);
        let first = &points[0];
        assert_eq!(first.passage.id, "a:it:0");
        assert_eq!(
            (first.passage.kind, first.price),
            (PassageKind::Product, Some(990))
        );
        assert_eq!(first.passage.meta["tag"], "x");
        assert_eq!(points[1].passage.language, Language::EN);
        assert!(
            points[1..]
                .iter()
                .all(|point| point.passage.document == "b")
        );
    }

    #[test]
    fn every_line_that_is_no_document_is_named() {
        let faults = read(
            "{\"id\": \"a\", \"title\": \"A\"}\nnonsense\n{\"id\": \"a\", \"title\": \"A\"}\n{\"id\": \" \", \"text\": \"x\"}\n{\"id\": \"b\"}\n{\"id\": \"c\", \"text\": \"x\", \"language\": \"english\"}",
        )
        .unwrap_err();
        let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6]);
        assert!(
            faults[1]
                .to_string()
                .starts_with("c.jsonl:3: `a` is there twice")
        );
        assert_eq!(read("").unwrap_err().len(), 1);
    }
}
