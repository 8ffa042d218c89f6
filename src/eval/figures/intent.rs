//! Intents: public sets from few and from all examples, and the shop's own.

use std::time::Instant;

use super::bench::Bench;
use super::figure::{CALIBRATED, Figure, Target, Unit};
use super::sets::Row;
use super::{Drawing, Section, Table};
use crate::app::AppError;
use crate::domain::Language;
use crate::eval::draw::{calibration_curve, confusion_matrix};
use crate::eval::measures::{Confusion, accuracy_at_recall, auroc, calibration, calibration_error};
use crate::understand::{FitError, IntentModel, LabelledText, OUT_OF_SCOPE, VectorsOf};

/// The share of what is out of scope that must be found where the accuracy in scope is taken.
const RECALL: f64 = 0.8;
const AUROC: Target = Target::new(95.5, 97.0);
const AT_RECALL: Target = Target::new(90.0, 93.0);

/// A public set: what is learned from, what is measured on, and the accuracy that is expected.
pub(super) struct Task {
    pub(super) name: &'static str,
    pub(super) folder: &'static str,
    pub(super) train: &'static [&'static str],
    pub(super) valid: &'static [&'static str],
    accuracy: Target,
}

pub(super) const BANKING: Task = Task {
    name: "Banking77, 10 examples",
    folder: "intent/banking77",
    train: &["train_10"],
    valid: &["valid"],
    accuracy: Target::new(84.0, 86.0),
};
pub(super) const CLINC: Task = Task {
    name: "CLINC150, 10 examples",
    folder: "intent/clinc150",
    train: &["train_10", "oos_train"],
    valid: &["valid", "oos_valid"],
    accuracy: Target::new(91.5, 93.0),
};
pub(super) const HWU: Task = Task {
    name: "HWU64, 10 examples",
    folder: "intent/hwu64",
    train: &["train_10"],
    valid: &["valid"],
    accuracy: Target::new(83.0, 86.0),
};
const TASKS: [Task; 5] = [
    BANKING,
    Task {
        name: "Banking77, all examples",
        train: &["train"],
        accuracy: Target::new(92.5, 93.5),
        ..BANKING
    },
    CLINC,
    Task {
        name: "CLINC150, 10 examples, none out of scope",
        train: &["train_10"],
        ..CLINC
    },
    HWU,
];

/// xSID's languages, from English examples only.
const PARALLEL: [(&str, Target); 2] = [
    ("it", Target::new(89.0, 92.0)),
    ("de", Target::new(88.0, 91.0)),
];
const FOLDS: usize = 5;

pub(super) async fn measure(bench: &Bench) -> Result<Section, AppError> {
    let mut section = Section::new("Intent");
    for task in &TASKS {
        public(bench, task, &mut section).await?;
    }
    for (language, target) in PARALLEL {
        parallel(bench, language, target, &mut section).await?;
    }
    shop(bench, &mut section).await?;
    Ok(section)
}

async fn public(bench: &Bench, task: &Task, section: &mut Section) -> Result<(), AppError> {
    let train = bench.examples_of(task.folder, task.train)?;
    let valid = bench.examples_of(task.folder, task.valid)?;
    let (Some(train), Some(valid)) = (train, valid) else {
        return Ok(());
    };
    let train_vectors = bench
        .embed(train.iter().map(|row| row.text.as_str()))
        .await?;
    let valid_vectors = bench
        .embed(valid.iter().map(|row| row.text.as_str()))
        .await?;
    let started = Instant::now();
    let model = IntentModel::fit(&train, train_vectors.all()).map_err(unfit)?;
    let seconds = started.elapsed().as_secs_f64();
    (bench.say)(&format!("intent: {}, fitted in {seconds:.1} s", task.name));
    let answers = answers(&model, &valid, valid_vectors.all());
    let name = task.name;
    section
        .figures
        .push(in_scope_accuracy(format!("{name}: accuracy"), &answers).expecting(task.accuracy));
    section
        .figures
        .extend(scope(name, &answers, Some((AUROC, AT_RECALL))));
    calibrated(name, &answers, section);
    let names = answers.iter().filter(|answer| answer.inside());
    let confusion = Confusion::of(
        &[],
        names.map(|answer| (answer.truth.as_str(), answer.name.as_str())),
    );
    let confused = confusion.most_confused(10).into_iter();
    section.tables.push(Table {
        title: format!("{name}: most confused"),
        head: ["meant", "taken for", "cases", "of"]
            .map(str::to_owned)
            .to_vec(),
        rows: confused
            .map(|(truth, guess, count, all)| {
                vec![
                    truth.to_owned(),
                    guess.to_owned(),
                    count.to_string(),
                    all.to_string(),
                ]
            })
            .collect(),
    });
    Ok(())
}

/// English and the other language say the same line by line: what is measured must not have been learned from in
/// English, so each fifth is measured with a model of the other four.
async fn parallel(
    bench: &Bench,
    language: &str,
    target: Target,
    section: &mut Section,
) -> Result<(), AppError> {
    let english = bench.examples_of("intent/xsid", &["en_valid"])?;
    let other = bench.examples_of("intent/xsid", &[&format!("{language}_valid")])?;
    let (Some(english), Some(other)) = (english, other) else {
        return Ok(());
    };
    let mut all = Vec::new();
    for fold in 0..FOLDS {
        let part = |rows: &[LabelledText], inside: bool| -> Vec<LabelledText> {
            let placed = rows.iter().enumerate();
            let of = placed.filter(|(place, _)| (place % FOLDS == fold) == inside);
            of.map(|(_, row)| row.clone()).collect()
        };
        let (train, valid) = (part(&english, false), part(&other, true));
        let known = bench.embed(texts(&train)).await?;
        let asked = bench.embed(texts(&valid)).await?;
        let model = IntentModel::fit(&train, known.all()).map_err(unfit)?;
        all.extend(answers(&model, &valid, asked.all()));
    }
    (bench.say)(&format!("intent: xSID {language} from en"));
    let name = format!("xSID {language} from en, in fifths");
    section
        .figures
        .push(in_scope_accuracy(format!("{name}: accuracy"), &all).expecting(target));
    calibrated(&name, &all, section);
    Ok(())
}

fn texts(rows: &[LabelledText]) -> impl Iterator<Item = &str> {
    rows.iter().map(|row| row.text.as_str())
}

async fn shop(bench: &Bench, section: &mut Section) -> Result<(), AppError> {
    let Some(rows) = bench.own("intent_cases.jsonl")? else {
        return Ok(());
    };
    let cases: Vec<LabelledText> = rows.into_iter().map(Row::example).collect();
    let texts = bench.examples.iter().map(|example| example.text.as_str());
    let vectors = bench.embed(texts).await?;
    let model = IntentModel::fit_with_fallback(&bench.examples, vectors.all()).map_err(unfit)?;
    (bench.say)("intent: the shop's own");
    let case_vectors = bench
        .embed(cases.iter().map(|case| case.text.as_str()))
        .await?;
    let kinds = [
        ("shop", case_vectors.all()),
        ("shop without E5", case_vectors.brief()),
    ];
    for (name, vectors) in kinds {
        let answers = answers(&model, &cases, vectors);
        section.figures.push(in_scope_accuracy(
            format!("{name}: accuracy in scope"),
            &answers,
        ));
        section
            .figures
            .push(decided(format!("{name}: decided rightly"), &answers));
        section.figures.extend(scope(name, &answers, None));
        calibrated(name, &answers, section);
        by_language(name, &answers, section);
        let pairs = answers
            .iter()
            .map(|answer| (answer.truth.as_str(), answer.decided.as_str()));
        let labels: Vec<&str> = model
            .names()
            .iter()
            .map(String::as_str)
            .chain([OUT_OF_SCOPE])
            .collect();
        section.drawings.push(Drawing {
            title: format!("{name}: meant (rows) and decided (columns)"),
            svg: confusion_matrix(&Confusion::of(&labels, pairs)),
        });
    }
    Ok(())
}

fn by_language(name: &str, answers: &[Answer], section: &mut Section) {
    let mut languages: Vec<Language> = answers
        .iter()
        .filter_map(|answer| answer.language)
        .collect();
    languages.sort_by_key(|language| language.code().to_owned());
    languages.dedup();
    for language in languages {
        let of = answers
            .iter()
            .filter(|answer| answer.language == Some(language));
        let own: Vec<Answer> = of.cloned().collect();
        let name = format!("{name}, {language}");
        section.figures.push(in_scope_accuracy(
            format!("{name}: accuracy in scope"),
            &own,
        ));
        section
            .figures
            .push(decided(format!("{name}: decided rightly"), &own));
        section.figures.push(error(&name, &own));
    }
}

/// What a model said of a case.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    truth: String,
    language: Option<Language>,
    name: String,
    decided: String,
    score: f64,
}

impl Answer {
    fn inside(&self) -> bool {
        self.truth != OUT_OF_SCOPE
    }

    fn right(&self) -> bool {
        self.truth == self.name
    }
}

/// What a model says of cases; a case without vectors is left out.
pub(super) fn answers(
    model: &IntentModel,
    cases: &[LabelledText],
    vectors: VectorsOf,
) -> Vec<Answer> {
    let pairs = cases.iter().enumerate();
    let answers = pairs.filter_map(|(place, case)| {
        let intent = model.predict(&case.text, vectors.of(place)?);
        Some(Answer {
            truth: case.intent.clone(),
            language: case.language,
            decided: intent.decided().to_owned(),
            score: f64::from(intent.score),
            name: intent.name,
        })
    });
    answers.collect()
}

/// The best name is right, among what is in scope.
pub(super) fn in_scope_accuracy(name: String, answers: &[Answer]) -> Figure {
    let inside = answers.iter().filter(|answer| answer.inside());
    Figure::hits(name, &inside.map(Answer::right).collect::<Vec<_>>())
}

/// The best name, or that there is none, is right.
fn decided(name: String, answers: &[Answer]) -> Figure {
    let hits: Vec<bool> = answers
        .iter()
        .map(|answer| answer.truth == answer.decided)
        .collect();
    Figure::hits(name, &hits)
}

/// How well the score tells what is out of scope; nothing where nothing is.
pub(super) fn scope(
    name: &str,
    answers: &[Answer],
    targets: Option<(Target, Target)>,
) -> Vec<Figure> {
    let outside = answers.iter().filter(|answer| !answer.inside()).count();
    if outside == 0 {
        return Vec::new();
    }
    let split = |places: &[usize]| {
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        for answer in places.iter().map(|place| &answers[*place]) {
            if answer.inside() {
                inside.push((answer.score, answer.right()));
            } else {
                outside.push(answer.score);
            }
        }
        (inside, outside)
    };
    let area = Figure::resampled(
        format!("{name}: AUROC out of scope"),
        answers.len(),
        |places| {
            let (inside, outside) = split(places);
            let scores: Vec<f64> = inside.iter().map(|(score, _)| *score).collect();
            auroc(&scores, &outside)
        },
    );
    let at_recall = format!("{name}: accuracy in scope at 80 % recall out of scope");
    let at_recall = Figure::resampled(at_recall, answers.len(), |places| {
        let (inside, outside) = split(places);
        accuracy_at_recall(&inside, &outside, RECALL)
    });
    let refused = answers.iter().filter(|answer| !answer.inside());
    let refused: Vec<bool> = refused
        .map(|answer| answer.decided == OUT_OF_SCOPE)
        .collect();
    let kept: Vec<bool> = answers
        .iter()
        .filter(|answer| answer.inside())
        .map(|answer| answer.decided == answer.truth)
        .collect();
    vec![
        area.expecting(targets.map(|(area, _)| area)),
        at_recall.expecting(targets.map(|(_, at_recall)| at_recall)),
        Figure::hits(
            format!("{name}: recall out of scope, own threshold"),
            &refused,
        ),
        Figure::hits(format!("{name}: accuracy in scope, own threshold"), &kept),
    ]
}

fn error(name: &str, answers: &[Answer]) -> Figure {
    let error = calibration_error(&calibration(&scored(answers)));
    Figure::new(format!("{name}: ECE"), Unit::Error, error, answers.len()).expecting(CALIBRATED)
}

fn calibrated(name: &str, answers: &[Answer], section: &mut Section) {
    section.figures.push(error(name, answers));
    section.drawings.push(Drawing {
        title: format!("{name}: share of right answers over the score"),
        svg: calibration_curve(&calibration(&scored(answers))),
    });
}

fn scored(answers: &[Answer]) -> Vec<(f64, bool)> {
    answers
        .iter()
        .map(|answer| (answer.score, answer.right()))
        .collect()
}

pub(super) fn unfit(error: FitError) -> AppError {
    AppError::Configuration(format!("the intents cannot be fitted: {error}"))
}
