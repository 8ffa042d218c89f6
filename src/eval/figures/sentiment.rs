//! Moods: tweets in six languages, and the shop's own messages.

use super::bench::{Bench, Embedded};
use super::figure::{Figure, Target, Unit};
use super::sets::{FOLDERS, Row};
use super::{Drawing, LANGUAGES, Section};
use crate::app::AppError;
use crate::domain::{Language, Polarity};
use crate::eval::draw::confusion_matrix;
use crate::eval::measures::{Confusion, mean};
use crate::understand::{Languages, SentimentModel, VectorsOf};

const MEAN: Target = Target::new(65.0, 69.4);
const LOWEST: Target = Target::new(60.0, 65.0);
const LABELS: [Polarity; 3] = [Polarity::Negative, Polarity::Neutral, Polarity::Positive];

pub(super) async fn measure(bench: &Bench) -> Result<Section, AppError> {
    let mut section = Section::new("Sentiment");
    let model = SentimentModel::builtin();
    let languages = Languages::new(&LANGUAGES);
    if let Some(tweets) = tweets(bench).await? {
        (bench.say)("sentiment: tweets");
        for (name, with_e5) in [("tweets", true), ("tweets without E5", false)] {
            let moods: Vec<(Language, Vec<Mood>)> = tweets
                .iter()
                .map(|set| {
                    let guess = |text: &str| languages.detect(text, None).language;
                    (set.language, set.moods(&model, guess, with_e5))
                })
                .collect();
            public(name, &moods, with_e5, &mut section);
        }
    }
    if let Some(rows) = bench.own("sentiment_cases.jsonl")? {
        (bench.say)("sentiment: the shop's own");
        let vectors = bench
            .embed(rows.iter().map(|row| row.text.as_str()))
            .await?;
        for (name, vectors) in [
            ("shop", vectors.all()),
            ("shop without E5", vectors.brief()),
        ] {
            let guess = |text: &str| languages.detect(text, None).language;
            own(
                name,
                &rows,
                &moods(&model, &rows, vectors, guess),
                &mut section,
            );
        }
    }
    Ok(section)
}

/// The tweets of one language.
pub(super) struct Tweets {
    language: Language,
    rows: Vec<Row>,
    vectors: Embedded,
}

/// The tweets to measure on; nothing when a language is absent.
pub(super) async fn tweets(bench: &Bench) -> Result<Option<Vec<Tweets>>, AppError> {
    let mut all = Vec::new();
    for (folder, language) in FOLDERS {
        let Some(rows) = bench.shared(&format!("sentiment/{folder}/val.jsonl"))? else {
            return Ok(None);
        };
        let vectors = bench
            .embed(rows.iter().map(|row| row.text.as_str()))
            .await?;
        all.push(Tweets {
            language,
            rows,
            vectors,
        });
    }
    Ok(Some(all))
}

/// What was felt and what was read.
pub(super) type Mood = (String, &'static str);

impl Tweets {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn moods(
        &self,
        model: &SentimentModel,
        language: impl Fn(&str) -> Language,
        with_e5: bool,
    ) -> Vec<Mood> {
        let vectors = if with_e5 {
            self.vectors.all()
        } else {
            self.vectors.brief()
        };
        moods(model, &self.rows, vectors, language)
    }
}

fn moods(
    model: &SentimentModel,
    rows: &[Row],
    vectors: VectorsOf,
    language: impl Fn(&str) -> Language,
) -> Vec<Mood> {
    let read = rows.iter().enumerate().filter_map(|(place, row)| {
        let mood = model.score(&row.text, language(&row.text), vectors.of(place)?);
        Some((row.label.clone(), mood.label.name()))
    });
    read.collect()
}

fn public(name: &str, moods: &[(Language, Vec<Mood>)], with_e5: bool, section: &mut Section) {
    let figures: Vec<Figure> = moods
        .iter()
        .map(|(language, moods)| f1(format!("{name}, {language}: macro-F1"), moods))
        .collect();
    let values: Vec<f64> = figures.iter().map(|figure| figure.value).collect();
    let cases = figures.iter().map(|figure| figure.cases).sum();
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    section.figures.extend(figures);
    let sums = [("mean", mean(&values), MEAN), ("lowest", lowest, LOWEST)];
    for (sum, value, target) in sums {
        let figure = Figure::new(
            format!("{name}: macro-F1, {sum} of six"),
            Unit::Percent,
            value,
            cases,
        );
        section
            .figures
            .push(figure.expecting(with_e5.then_some(target)));
    }
    let all: Vec<Mood> = moods.iter().flat_map(|(_, moods)| moods.clone()).collect();
    draw(name, &all, section);
}

fn own(name: &str, rows: &[Row], moods: &[Mood], section: &mut Section) {
    section.figures.push(f1(format!("{name}: macro-F1"), moods));
    section
        .figures
        .push(hits(format!("{name}: accuracy"), moods));
    for language in LANGUAGES {
        let of = rows
            .iter()
            .zip(moods)
            .filter(|(row, _)| row.language == Some(language));
        let own: Vec<Mood> = of.map(|(_, mood)| mood.clone()).collect();
        if !own.is_empty() {
            section
                .figures
                .push(hits(format!("{name}, {language}: accuracy"), &own));
        }
    }
    draw(name, moods, section);
}

fn hits(name: String, moods: &[Mood]) -> Figure {
    Figure::hits(
        name,
        &moods
            .iter()
            .map(|(truth, guess)| truth == guess)
            .collect::<Vec<_>>(),
    )
}

/// The macro-F1 with its interval.
fn f1(name: String, moods: &[Mood]) -> Figure {
    Figure::resampled(name, moods.len(), |places| {
        confusion(places.iter().map(|place| &moods[*place])).macro_f1()
    })
}

fn draw(name: &str, moods: &[Mood], section: &mut Section) {
    section.drawings.push(Drawing {
        title: format!("{name}: felt (rows) and read (columns)"),
        svg: confusion_matrix(&confusion(moods.iter())),
    });
}

pub(super) fn confusion<'a>(moods: impl Iterator<Item = &'a Mood> + Clone) -> Confusion {
    let pairs = moods.map(|(truth, guess)| (truth.as_str(), *guess));
    Confusion::of(&LABELS.map(Polarity::name), pairs)
}
