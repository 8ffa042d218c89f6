//! Retrieval: a public set of frequently asked questions, and the shop's own queries; each leg alone and both.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::Section;
use super::bench::Bench;
use super::figure::{Figure, Target};
use super::ranking::{first_is_relevant, ndcg_at_10, reciprocal_rank};
use crate::app::{App, AppError, Corpus, CorpusSearch};
use crate::config::{BuiltinEncoder, Config};
use crate::domain::Language;
use crate::eval::measures::mean;
use crate::ports::Filter;
use crate::retrieval::{Found, Query, SearchLegs};

/// Documents that are looked at.
const LIMIT: usize = 10;
/// Tokens of a chunk of a corpus, as `sportello index` has it.
const CHUNK_TOKENS: usize = 100;
const FIRST: Target = Target::new(85.0, 88.0);
const NDCG: Target = Target::new(92.5, 94.5);
/// What both legs gain over the better one.
const GAIN: Target = Target::new(0.0, 1.0);
const LEGS: [(&str, SearchLegs); 3] = [
    ("both legs", SearchLegs::Both),
    ("vectors alone", SearchLegs::Dense),
    ("BM25 alone", SearchLegs::Bm25),
];

#[derive(Debug, Clone, Deserialize)]
struct Asked {
    text: String,
    language: Option<Language>,
    /// Grades of documents; none when there is nothing to be found.
    relevant: BTreeMap<String, u32>,
}

/// What each leg, in the order of [`LEGS`], found for a query.
struct Answer {
    asked: Asked,
    ranked: [Vec<String>; LEGS.len()],
    /// Whether both legs together said that something is relevant.
    relevant: bool,
}

pub(super) async fn measure(bench: &Bench) -> Result<Section, AppError> {
    let mut section = Section::new("Retrieval");
    let config = config(bench);
    if let Some(answers) = stackfaq(bench, &config).await? {
        legs("StackFAQ", &answers, Some((FIRST, NDCG)), &mut section);
    }
    let mut app = None;
    for (name, file) in [
        ("shop, development", "search_dev.jsonl"),
        ("shop, test", "search_test.jsonl"),
    ] {
        let Some(queries) = bench.lines::<Asked>(&bench.own.join(file))? else {
            continue;
        };
        let app = match &app {
            Some(app) => app,
            None => app.insert(open(bench, &config).await?),
        };
        (bench.say)(&format!("retrieval: {name}"));
        shop(name, &ask(app, queries).await?, &mut section);
    }
    if let Some(app) = app {
        app.store.close().await;
    }
    Ok(section)
}

/// Both encoders where they are there, and an index of our own.
fn config(bench: &Bench) -> Config {
    let mut config = bench.config.clone();
    config.retrieval.url = None;
    config.retrieval.api_key = None;
    if bench.questions.is_some() {
        config.embedding.encoder = BuiltinEncoder::E5;
    }
    config
}

async fn open(bench: &Bench, config: &Config) -> Result<App, AppError> {
    (bench.say)("retrieval: indexing the shop");
    let app = App::open(config.clone(), &bench.data.join("shop"), "").await?;
    app.builder.build(app.points(), |_, _| {}).await?;
    Ok(app)
}

async fn ask(app: &App, queries: Vec<Asked>) -> Result<Vec<Answer>, AppError> {
    let mut answers = Vec::new();
    for asked in queries {
        let mut found = Vec::new();
        for (_, legs) in LEGS {
            let query = Query {
                text: &asked.text,
                vector: None,
                language: asked.language.unwrap_or(Language::EN),
                limit: LIMIT,
                filter: Filter::default(),
                diversity: 0.0,
                legs,
            };
            found.push(app.retriever.search(&query).await?);
        }
        answers.push(answer(asked, &found));
    }
    Ok(answers)
}

async fn stackfaq(bench: &Bench, config: &Config) -> Result<Option<Vec<Answer>>, AppError> {
    let folder = bench.shared.join("retrieval/stackfaq");
    let queries = bench.lines::<Asked>(&folder.join("queries.jsonl"))?;
    let lines = bench.text(&folder.join("corpus.jsonl"))?;
    let (Some(queries), Some(lines)) = (queries, lines) else {
        return Ok(None);
    };
    (bench.say)("retrieval: StackFAQ");
    let corpus = Corpus::open(config, Path::new(&bench.data.join("stackfaq"))).await?;
    corpus
        .build("corpus.jsonl", &lines, CHUNK_TOKENS, |_, _| {})
        .await?;
    let reader = corpus.reader().await?;
    let mut answers = Vec::new();
    for asked in queries {
        let mut found = Vec::new();
        for (_, legs) in LEGS {
            let how = CorpusSearch {
                language: asked.language,
                limit: LIMIT,
                legs,
                diversity: 0.0,
            };
            found.push(corpus.search(&asked.text, &reader, how).await?);
        }
        answers.push(answer(asked, &found));
    }
    corpus.close().await;
    Ok(Some(answers))
}

fn answer(asked: Asked, found: &[Found]) -> Answer {
    let documents = |found: &Found| {
        found
            .passages
            .iter()
            .map(|passage| passage.document.clone())
            .collect()
    };
    Answer {
        asked,
        ranked: std::array::from_fn(|leg| found.get(leg).map(documents).unwrap_or_default()),
        relevant: found.first().is_some_and(|found| found.relevant),
    }
}

fn shop(name: &str, answers: &[Answer], section: &mut Section) {
    legs(name, answers, None, section);
    let (nothing, something): (Vec<&Answer>, Vec<&Answer>) = answers
        .iter()
        .partition(|answer| answer.asked.relevant.is_empty());
    let kinds = [
        ("nothing there, and said so", nothing, false),
        ("something there, and said so", something, true),
    ];
    for (what, of, relevant) in kinds {
        let hits: Vec<bool> = of
            .iter()
            .map(|answer| answer.relevant == relevant)
            .collect();
        section
            .figures
            .push(Figure::hits(format!("{name}: {what}"), &hits));
    }
}

/// The figures of each leg over all queries to which there is an answer, and by language what both gain.
fn legs(name: &str, answers: &[Answer], targets: Option<(Target, Target)>, section: &mut Section) {
    let answers: Vec<&Answer> = answers
        .iter()
        .filter(|answer| !answer.asked.relevant.is_empty())
        .collect();
    for (leg, (title, _)) in LEGS.iter().enumerate() {
        let targets = targets.filter(|_| leg == 0);
        let named = |measure: &str| format!("{name}, {title}: {measure}");
        let of = |name: String, one: fn(&Answer, usize) -> f64| {
            Figure::resampled(name, answers.len(), |places| {
                average(places.iter().map(|place| one(answers[*place], leg)))
            })
        };
        section
            .figures
            .push(of(named("P@1"), first).expecting(targets.map(|(first, _)| first)));
        section
            .figures
            .push(of(named("nDCG@10"), ndcg).expecting(targets.map(|(_, ndcg)| ndcg)));
        section.figures.push(of(named("MRR"), reciprocal));
    }
    section.figures.extend(gains(name, &answers));
    let mut languages: Vec<Language> = answers
        .iter()
        .filter_map(|answer| answer.asked.language)
        .collect();
    languages.sort_by_key(|language| language.code().to_owned());
    languages.dedup();
    for language in languages {
        let of = answers
            .iter()
            .filter(|answer| answer.asked.language == Some(language));
        let own: Vec<&Answer> = of.copied().collect();
        let name = format!("{name}, {language}");
        for (measure, one) in MEASURES {
            let figure = Figure::resampled(
                format!("{name}, both legs: {measure}"),
                own.len(),
                |places| average(places.iter().map(|place| one(own[*place], 0))),
            );
            section.figures.push(figure);
        }
        section.figures.extend(gains(&name, &own));
    }
}

type Measure = (&'static str, fn(&Answer, usize) -> f64);
const MEASURES: [Measure; 2] = [("P@1", first), ("nDCG@10", ndcg)];

/// What both legs have over the better of them, in points.
fn gains(name: &str, answers: &[&Answer]) -> Vec<Figure> {
    let gain = |(measure, one): Measure| {
        let name = format!("{name}, both legs over the better one: {measure}");
        let figure = Figure::resampled(name, answers.len(), |places| {
            let [both, dense, words] =
                [0, 1, 2].map(|leg| average(places.iter().map(|place| one(answers[*place], leg))));
            both - dense.max(words)
        });
        figure.expecting(GAIN)
    };
    MEASURES.map(gain).into()
}

fn average(values: impl Iterator<Item = f64>) -> f64 {
    mean(&values.collect::<Vec<_>>())
}

fn first(answer: &Answer, leg: usize) -> f64 {
    f64::from(u8::from(first_is_relevant(
        &answer.ranked[leg],
        &answer.asked.relevant,
    )))
}

fn ndcg(answer: &Answer, leg: usize) -> f64 {
    ndcg_at_10(&answer.ranked[leg], &answer.asked.relevant)
}

fn reciprocal(answer: &Answer, leg: usize) -> f64 {
    reciprocal_rank(&answer.ranked[leg], &answer.asked.relevant)
}
