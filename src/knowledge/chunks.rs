//! Knowledge as the pieces that the index stores.

use text_splitter::{ChunkConfig, ChunkSizer, TextSplitter};

use crate::domain::{Language, Passage, PassageKind, Product, Ranking};
use crate::ports::IndexPoint;

use super::markdown::{self, Section};
use super::{Document, Knowledge};

/// Units that attribute names end in, and how they are read.
const UNITS: [(&str, &str); 11] = [
    ("_w", " W"),
    ("_l", " l"),
    ("_ml", " ml"),
    ("_bar", " bar"),
    ("_kg", " kg"),
    ("_g", " g"),
    ("_cm", " cm"),
    ("_mm", " mm"),
    ("_db", " dB"),
    ("_min", " min"),
    ("_years", " years"),
];

/// All pieces, without vectors: documents first, then products, in a stable order.
///
/// The text of a document's piece has at most `chunk_tokens` tokens (o200k), its title and headings not counted. A
/// FAQ entry that fits is one piece; a policy has one per section, and only a section over the limit is cut. A
/// product is one piece per language in which it has a title, whatever its length.
#[must_use]
pub fn chunks(knowledge: &Knowledge, chunk_tokens: usize) -> Vec<IndexPoint> {
    let documents = knowledge
        .documents
        .iter()
        .flat_map(|document| document_points(document, chunk_tokens));
    let products = knowledge.products.iter().flat_map(product_points);
    documents.chain(products).collect()
}

/// What a vector is made of: title, headings and text; for a product title, category and description.
#[must_use]
pub fn embedding_text(point: &IndexPoint) -> String {
    let passage = &point.passage;
    let mut parts = vec![passage.title.as_str()];
    let category = point.category.as_deref().map(readable);
    if let Some(category) = &category {
        parts.push(category);
        // The description is the first line, the attributes are the second.
        parts.extend(passage.text.lines().next());
    } else {
        parts.extend(passage.headings.iter().map(String::as_str));
        parts.push(&passage.text);
    }
    parts.join("\n")
}

fn document_points(document: &Document, chunk_tokens: usize) -> Vec<IndexPoint> {
    let pieces = pieces(document, chunk_tokens);
    let points = pieces.into_iter().enumerate().map(|(place, section)| {
        let mut words = vec![document.title.as_str()];
        words.extend(section.headings.iter().map(String::as_str));
        words.push(&section.text);
        // A FAQ entry is one piece, so what it is found by belongs to all of it.
        if document.kind == PassageKind::Faq {
            words.extend(document.tags.iter().map(String::as_str));
        }
        IndexPoint {
            words: words.join("\n"),
            passage: Passage {
                id: format!("{}:{}:{place}", document.id, document.language),
                document: document.id.clone(),
                kind: document.kind,
                title: document.title.clone(),
                headings: section.headings,
                text: section.text,
                language: document.language,
                source: document.source.clone(),
                meta: serde_json::Map::new(),
                score: 0.0,
                ranking: Ranking::default(),
            },
            languages: Vec::new(),
            vector: None,
            price: None,
            in_stock: None,
            category: None,
        }
    });
    points.collect()
}

fn pieces(document: &Document, chunk_tokens: usize) -> Vec<Section> {
    let sections = markdown::sections(&document.body);
    if document.kind == PassageKind::Faq {
        let text = whole(&sections);
        if Tokens.size(&text) <= chunk_tokens {
            let headings = Vec::new();
            return vec![Section { headings, text }];
        }
    }
    sections
        .into_iter()
        .flat_map(|section| cut(section, chunk_tokens))
        .collect()
}

/// The sections as one text, each under its own heading.
fn whole(sections: &[Section]) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut above: &[String] = &[];
    for section in sections {
        let shared = above
            .iter()
            .zip(&section.headings)
            .take_while(|(left, right)| left == right)
            .count();
        parts.extend(section.headings.iter().skip(shared).map(String::as_str));
        parts.push(&section.text);
        above = &section.headings;
    }
    parts.join("\n\n")
}

fn cut(section: Section, chunk_tokens: usize) -> Vec<Section> {
    if Tokens.size(&section.text) <= chunk_tokens {
        return vec![section];
    }
    let pieces = split(&section.text, chunk_tokens).into_iter();
    pieces
        .map(|text| Section {
            headings: section.headings.clone(),
            text,
        })
        .collect()
}

/// A text in pieces of at most so many tokens (o200k), cut where paragraphs, sentences or words end.
#[must_use]
pub fn split(text: &str, chunk_tokens: usize) -> Vec<String> {
    let splitter = TextSplitter::new(ChunkConfig::new(chunk_tokens.max(1)).with_sizer(Tokens));
    splitter.chunks(text).map(str::to_owned).collect()
}

/// Counts tokens as the o200k encoding does.
struct Tokens;

impl ChunkSizer for Tokens {
    fn size(&self, chunk: &str) -> usize {
        tiktoken_rs::o200k_base_singleton()
            .encode_ordinary(chunk)
            .len()
    }
}

fn product_points(product: &Product) -> Vec<IndexPoint> {
    product
        .texts
        .keys()
        .map(|language| product_point(product, *language))
        .collect()
}

fn product_point(product: &Product, language: Language) -> IndexPoint {
    let title = product.title(language).to_owned();
    let description: Vec<&str> = product.description(language).split_whitespace().collect();
    let attributes: Vec<String> = product
        .attributes
        .iter()
        .map(|(key, values)| attribute(key, values))
        .collect();
    let lines = [description.join(" "), attributes.join("; ")];
    let text = lines
        .into_iter()
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n");
    IndexPoint {
        words: format!("{title}\n{}\n{text}", readable(&product.category)),
        passage: Passage {
            id: format!("{}:{language}", product.id),
            document: product.id.to_string(),
            kind: PassageKind::Product,
            title,
            headings: Vec::new(),
            text,
            language,
            source: "catalog.csv".to_owned(),
            meta: serde_json::Map::new(),
            score: 0.0,
            ranking: Ranking::default(),
        },
        languages: Vec::new(),
        vector: None,
        price: Some(product.price.minor),
        in_stock: Some(product.stock > 0),
        category: Some(product.category.clone()),
    }
}

/// An attribute in words: `power_w` and `1350` read as `power: 1350 W`.
fn attribute(key: &str, values: &[String]) -> String {
    let values = values
        .iter()
        .map(|value| readable(value))
        .collect::<Vec<_>>()
        .join(", ");
    let unit = UNITS
        .iter()
        .find_map(|(ending, unit)| Some((key.strip_suffix(ending)?, *unit)));
    let (name, unit) = unit.unwrap_or((key, ""));
    format!("{}: {values}{unit}", readable(name))
}

fn readable(name: &str) -> String {
    name.replace('_', " ")
}
