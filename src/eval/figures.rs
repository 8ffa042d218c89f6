//! The figures of understanding on labelled sets, with the floor and the goal of each.
//!
//! Public sets are read where they are and named in the report; none of their texts is written anywhere. Models are
//! fitted anew at every run, so that the figures are those of this build; only vectors come from the store, where
//! they are kept by encoder and hash of the text.

mod ablation;
mod bench;
mod figure;
mod intent;
mod language;
mod page;
mod ranking;
mod retrieval;
mod scale;
mod sentiment;
mod sets;
mod speed;

use std::str::FromStr;

pub use bench::Bench;
pub use figure::{Figure, Target, Unit, Verdict};
pub use speed::served;

use crate::app::AppError;
use crate::domain::Language;

/// The closed set of languages that the public sets are in.
const LANGUAGES: [Language; 6] = [
    Language::EN,
    Language::IT,
    Language::ES,
    Language::PT,
    Language::DE,
    Language::FR,
];

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// What a message wants.
    Intent,
    /// How its writer feels.
    Sentiment,
    /// Which language it is in.
    Language,
    /// What is found for a question.
    Retrieval,
    /// How long all of that takes.
    Speed,
    /// What each part of it is good for.
    Ablation,
}

impl Area {
    /// All of them, in the report's order.
    pub const ALL: [Self; 6] = [
        Self::Intent,
        Self::Sentiment,
        Self::Language,
        Self::Retrieval,
        Self::Speed,
        Self::Ablation,
    ];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Sentiment => "sentiment",
            Self::Language => "language",
            Self::Retrieval => "retrieval",
            Self::Speed => "speed",
            Self::Ablation => "ablation",
        }
    }
}

impl FromStr for Area {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|area| area.name() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("write one of {names}")
        })
    }
}

/// What was measured in one area.
#[derive(Debug, Default)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// The figures, in order.
    pub figures: Vec<Figure>,
    /// Further tables, for the page only.
    pub tables: Vec<Table>,
    /// Drawings, for the page only.
    pub drawings: Vec<Drawing>,
}

impl Section {
    fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            ..Self::default()
        }
    }
}

/// A table of labels and numbers.
#[derive(Debug, serde::Serialize)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// The columns' names.
    pub head: Vec<String>,
    /// As many cells each as there are columns.
    pub rows: Vec<Vec<String>>,
}

/// A drawing.
#[derive(Debug, serde::Serialize)]
pub struct Drawing {
    /// What it shows.
    pub title: String,
    /// An `svg` element.
    pub svg: String,
}

/// Everything that was measured.
#[derive(Debug)]
pub struct FigureReport {
    /// One for each area.
    pub sections: Vec<Section>,
}

/// Measures some areas.
///
/// # Errors
/// When a set, an encoder or the store cannot be read; a set that is absent is noted and left out.
pub async fn measure(bench: &Bench, areas: &[Area]) -> Result<FigureReport, AppError> {
    let mut sections = Vec::new();
    for area in areas {
        sections.push(match area {
            Area::Intent => intent::measure(bench).await?,
            Area::Sentiment => sentiment::measure(bench).await?,
            Area::Language => language::measure(bench)?,
            Area::Retrieval => retrieval::measure(bench).await?,
            Area::Speed => speed::measure(bench).await?,
            Area::Ablation => ablation::measure(bench).await?,
        });
    }
    Ok(FigureReport { sections })
}
