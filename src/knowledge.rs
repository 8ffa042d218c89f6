//! What the agent may say: catalog, FAQ, policies, intents. The only reader of the knowledge folder.

mod catalog;
mod chunks;
mod documents;
mod files;
mod intents;
mod markdown;
mod orders;
mod table;
mod vocabulary;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::domain::{Currency, Language, Order, PassageKind, Product, ProductId};

pub use chunks::{chunks, embedding_text, split};
pub use files::copy;
pub use intents::OUT_OF_SCOPE;

use files::Files;

/// Where the knowledge is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnowledgeSource {
    /// The demo shop that is part of the program.
    Embedded,
    /// A folder laid out like the demo shop's.
    Folder(PathBuf),
}

/// Something wrong in a knowledge file, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Fault {
    /// The file, relative to the knowledge folder.
    pub file: String,
    /// The line, counted from 1; 1 when it is about the whole file.
    pub line: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Fault {
    fn new(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: line.max(1),
            message: message.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// A FAQ entry or a policy in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// `faq-<slug>` or `policy-<slug>`; the same in every language.
    pub id: String,
    /// FAQ or policy.
    pub kind: PassageKind,
    /// The language it is written in.
    pub language: Language,
    /// The title.
    pub title: String,
    /// Words to find it by: of its subject in English, and as customers of its language say it.
    pub tags: Vec<String>,
    /// ISO date of the last change.
    pub updated: String,
    /// The text in Markdown.
    pub body: String,
    /// The file, relative to the knowledge folder.
    pub source: String,
}

/// An intent with what customers say when they mean it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentExamples {
    /// The name, for example `order_status`; [`OUT_OF_SCOPE`] for what the shop does not deal with.
    pub name: String,
    /// What it stands for, in English.
    pub description: String,
    /// Utterances by language.
    pub examples: BTreeMap<Language, Vec<String>>,
}

/// Everything in the knowledge folder, checked.
#[derive(Debug)]
pub struct Knowledge {
    /// The catalog, in its order.
    pub products: Arc<[Product]>,
    /// FAQ entries and policies, by file name.
    pub documents: Vec<Document>,
    /// Intents by name, [`OUT_OF_SCOPE`] among them.
    pub intents: Vec<IntentExamples>,
    /// The demo's order book; empty when there is none.
    pub orders: Vec<Order>,
    /// What is odd but does no harm.
    pub warnings: Vec<Fault>,
    /// SHA-256 over the path and content of every text file, and over the path and size of every picture.
    pub fingerprint: String,
    product_places: HashMap<ProductId, usize>,
    document_places: HashMap<Language, HashMap<String, usize>>,
    files: Files,
}

impl Knowledge {
    /// The product with this id.
    #[must_use]
    pub fn product(&self, id: &ProductId) -> Option<&Product> {
        self.products.get(*self.product_places.get(id)?)
    }

    /// The document with this id in this language.
    #[must_use]
    pub fn document(&self, id: &str, language: Language) -> Option<&Document> {
        let place = self.document_places.get(&language)?.get(id)?;
        self.documents.get(*place)
    }

    /// The catalog's categories, in the order in which they first appear.
    #[must_use]
    pub fn categories(&self) -> Vec<String> {
        let mut categories: Vec<String> = Vec::new();
        for product in self.products.iter() {
            if !categories.contains(&product.category) {
                categories.push(product.category.clone());
            }
        }
        categories
    }

    /// A picture by its file name, with its media type. Reads the disk unless the picture is part of the program.
    #[must_use]
    pub fn image(&self, file: &str) -> Option<(Cow<'static, [u8]>, &'static str)> {
        let path = format!("images/{file}");
        if !self.files.has(&path) {
            return None;
        }
        Some((self.files.read(&path).ok()?, vocabulary::media_type(file)?))
    }
}

/// Reads and checks the whole folder.
///
/// # Errors
/// Every fault that was found, ordered by file and line.
pub fn load(source: &KnowledgeSource, currency: Currency) -> Result<Knowledge, Vec<Fault>> {
    let mut notes = Notes::default();
    let files = Files::open(source, &mut notes);
    if let KnowledgeSource::Folder(folder) = source
        && !folder.is_dir()
    {
        return Err(notes.faults);
    }
    let catalog = catalog::read(&files, currency, &mut notes);
    let documents = documents::read(&files, &mut notes);
    let intents = intents::read(&files, &mut notes);
    let orders = orders::read(&files, &catalog, &mut notes);
    let fingerprint = files.fingerprint(&mut notes);
    notes.faults.sort();
    notes.faults.dedup();
    notes.warnings.sort();
    if !notes.faults.is_empty() {
        return Err(notes.faults);
    }
    let products: Arc<[Product]> = catalog.products.into();
    let mut document_places: HashMap<Language, HashMap<String, usize>> = HashMap::new();
    for (place, document) in documents.iter().enumerate() {
        let places = document_places.entry(document.language).or_default();
        places.insert(document.id.clone(), place);
    }
    Ok(Knowledge {
        product_places: (0..)
            .zip(products.iter())
            .map(|(place, product)| (product.id.clone(), place))
            .collect(),
        document_places,
        products,
        documents,
        intents,
        orders,
        warnings: notes.warnings,
        fingerprint,
        files,
    })
}

/// What was noticed while reading.
#[derive(Debug, Default)]
struct Notes {
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
}

impl Notes {
    fn fault(&mut self, file: &str, line: usize, message: impl Into<String>) {
        self.faults.push(Fault::new(file, line, message));
    }

    fn warning(&mut self, file: &str, line: usize, message: impl Into<String>) {
        self.warnings.push(Fault::new(file, line, message));
    }
}
