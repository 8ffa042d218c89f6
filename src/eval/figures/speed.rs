//! How long understanding takes, message by message.

use std::time::Instant;

use super::bench::Bench;
use super::figure::{Figure, Target, Unit};
use super::intent::unfit;
use super::{LANGUAGES, Section, scale};
use crate::app::AppError;
use crate::eval::measures::median;
use crate::ports::Embedder;
use crate::understand::{IntentModel, Languages, SentimentModel, Understanding, Vectors, entities};

/// Messages that are timed.
const MESSAGES: usize = 500;
/// Messages that go before, so that everything is in memory.
const WARM_UP: usize = 20;
const WITHOUT_E5: Target = Target::new(5.0, 2.0);
const WITH_E5: Target = Target::new(25.0, 12.0);
const READY: Target = Target::new(1_000.0, 300.0);
const RESIDENT: Target = Target::new(350.0, 250.0);
/// The steps that are timed, in the order of [`Times`].
const STEPS: [&str; 6] = [
    "language",
    "entities",
    "sentence vector",
    "intent, sentence vector only",
    "sentiment, sentence vector only",
    "language, intent, sentiment, entities without E5",
];
const E5_STEPS: [&str; 4] = [
    "E5 vector of a query",
    "intent, both vectors",
    "sentiment, both vectors",
    "language, intent, sentiment, entities with E5",
];

pub(super) async fn measure(bench: &Bench) -> Result<Section, AppError> {
    let mut section = Section::new("Speed");
    let texts = bench.messages(MESSAGES)?;
    if texts.is_empty() {
        return Ok(section);
    }
    let examples = bench
        .embed(bench.examples.iter().map(|example| example.text.as_str()))
        .await?;
    let understanding = Understanding {
        languages: Languages::new(&LANGUAGES),
        intents: IntentModel::fit_with_fallback(&bench.examples, examples.all()).map_err(unfit)?,
        sentiments: SentimentModel::builtin(),
    };
    understanding.languages.warm();
    (bench.say)(&format!("speed: {} messages", texts.len()));
    let mut times = Times::default();
    for text in texts.iter().take(WARM_UP) {
        times.message(bench, &understanding, text).await?;
    }
    times = Times::default();
    for text in &texts {
        times.message(bench, &understanding, text).await?;
    }
    let mut add = |name: &str, milliseconds: &[f64], target: Option<Target>| {
        let figure = Figure::new(
            name,
            Unit::Milliseconds,
            median(milliseconds),
            milliseconds.len(),
        );
        section.figures.push(figure.expecting(target));
    };
    for (place, (name, milliseconds)) in STEPS.iter().zip(&times.steps).enumerate() {
        add(
            name,
            milliseconds,
            (place + 1 == STEPS.len()).then_some(WITHOUT_E5),
        );
    }
    for (place, (name, milliseconds)) in E5_STEPS.iter().zip(&times.e5_steps).enumerate() {
        if !milliseconds.is_empty() {
            add(
                name,
                milliseconds,
                (place + 1 == E5_STEPS.len()).then_some(WITH_E5),
            );
        }
    }
    scale::measure(bench, &mut section).await?;
    Ok(section)
}

/// The figures of a server with both encoders: milliseconds from start to ready, and bytes of resident memory
/// after some messages.
#[must_use]
pub fn served(ready: &[f64], resident: Option<u64>, messages: usize) -> Section {
    let mut section = Section::new("Server with both encoders");
    let name = "start to ready, warm file cache";
    let figure = Figure::new(name, Unit::Milliseconds, median(ready), ready.len());
    section.figures.push(figure.expecting(READY));
    if let Some(bytes) = resident {
        let name = "resident memory after so many messages";
        let figure = Figure::new(name, Unit::Megabytes, bytes as f64 / 1e6, messages);
        section.figures.push(figure.expecting(RESIDENT));
    }
    section
}

/// Milliseconds of each step, a number for each message.
#[derive(Default)]
struct Times {
    steps: [Vec<f64>; STEPS.len()],
    e5_steps: [Vec<f64>; E5_STEPS.len()],
}

impl Times {
    /// Times one message, a step after the other on one thread.
    async fn message(
        &mut self,
        bench: &Bench,
        understanding: &Understanding,
        text: &str,
    ) -> Result<(), AppError> {
        let texts = [text.to_owned()];
        let (guess, language) = timed(|| understanding.languages.detect(text, None));
        let (_, facts) = timed(|| entities(text, guess.language));
        let started = Instant::now();
        let sentence = single(bench.reader.embed(&texts).await?);
        let embedding = since(started);
        let vectors = Vectors::sentence(&sentence);
        let (_, intent) = timed(|| understanding.intents.predict(text, vectors));
        let (_, mood) = timed(|| {
            understanding
                .sentiments
                .score(text, guess.language, vectors)
        });
        let started = Instant::now();
        let sentence = single(bench.reader.embed(&texts).await?);
        let _ = understanding.triage(text, Vectors::sentence(&sentence), None);
        let all = since(started);
        keep(
            &mut self.steps,
            [language, facts, embedding, intent, mood, all],
        );
        let Some(questions) = &bench.questions else {
            return Ok(());
        };
        let started = Instant::now();
        let query = single(questions.embed_queries(&texts).await?);
        let embedding = since(started);
        let vectors = Vectors {
            sentence: &sentence,
            retrieval: Some(&query),
        };
        let (_, intent) = timed(|| understanding.intents.predict(text, vectors));
        let (_, mood) = timed(|| {
            understanding
                .sentiments
                .score(text, guess.language, vectors)
        });
        let all = whole(
            bench.reader.as_ref(),
            questions.as_ref(),
            understanding,
            text,
        )
        .await?;
        keep(&mut self.e5_steps, [embedding, intent, mood, all]);
        Ok(())
    }
}

/// Milliseconds for everything about a message, with both vectors.
async fn whole(
    reader: &dyn Embedder,
    questions: &dyn Embedder,
    understanding: &Understanding,
    text: &str,
) -> Result<f64, AppError> {
    let texts = [text.to_owned()];
    let started = Instant::now();
    let sentence = single(reader.embed(&texts).await?);
    let query = single(questions.embed_queries(&texts).await?);
    let vectors = Vectors {
        sentence: &sentence,
        retrieval: Some(&query),
    };
    let _ = understanding.triage(text, vectors, None);
    Ok(since(started))
}

fn keep<const N: usize>(steps: &mut [Vec<f64>; N], milliseconds: [f64; N]) {
    for (step, milliseconds) in steps.iter_mut().zip(milliseconds) {
        step.push(milliseconds);
    }
}

fn single(vectors: Vec<Vec<f32>>) -> Vec<f32> {
    vectors.into_iter().next().unwrap_or_default()
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let started = Instant::now();
    let made = work();
    (made, since(started))
}

fn since(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1000.0
}
