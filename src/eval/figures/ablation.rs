//! What each part is good for: the same figures with the part taken away.

use super::Section;
use super::bench::{Bench, Embedded};
use super::figure::{Figure, Unit};
use super::intent::{self, BANKING, CLINC, HWU, Task, answers, unfit};
use super::sentiment::{Tweets, confusion, tweets};
use crate::app::AppError;
use crate::domain::Language;
use crate::eval::measures::mean;
use crate::understand::{IntentModel, LabelledText, Languages, SentimentModel};

/// What is left of a message.
#[derive(Clone, Copy)]
struct Parts {
    name: &'static str,
    sentence: bool,
    retrieval: bool,
    words: bool,
}

const WHOLE: Parts = Parts {
    name: "everything",
    sentence: true,
    retrieval: true,
    words: true,
};
const PARTS: [Parts; 5] = [
    WHOLE,
    Parts {
        name: "without E5",
        retrieval: false,
        ..WHOLE
    },
    Parts {
        name: "without sentence vectors",
        sentence: false,
        ..WHOLE
    },
    Parts {
        name: "without words",
        words: false,
        ..WHOLE
    },
    Parts {
        name: "words only",
        sentence: false,
        retrieval: false,
        words: true,
    },
];

pub(super) async fn measure(bench: &Bench) -> Result<Section, AppError> {
    let mut section = Section::new("Ablation");
    for task in [BANKING, CLINC, HWU] {
        intents(bench, &task, &mut section).await?;
    }
    if let Some(tweets) = tweets(bench).await? {
        moods(&tweets, &mut section);
    }
    Ok(section)
}

async fn intents(bench: &Bench, task: &Task, section: &mut Section) -> Result<(), AppError> {
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
    for parts in PARTS {
        if train_vectors.retrieval.is_none() && parts.retrieval {
            continue;
        }
        (bench.say)(&format!("ablation: {}, {}", task.name, parts.name));
        let (examples, cases) = (parts.texts(&train), parts.texts(&valid));
        let (known, asked) = (parts.vectors(&train_vectors), parts.vectors(&valid_vectors));
        let model = IntentModel::fit(&examples, known.all()).map_err(unfit)?;
        let answers = answers(&model, &cases, asked.all());
        let name = format!("{}, {}", task.name, parts.name);
        section.figures.push(intent::in_scope_accuracy(
            format!("{name}: accuracy"),
            &answers,
        ));
        section
            .figures
            .extend(intent::scope(&name, &answers, None).into_iter().take(1));
    }
    Ok(())
}

impl Parts {
    fn texts(self, rows: &[LabelledText]) -> Vec<LabelledText> {
        let kept = rows.iter().map(|row| LabelledText {
            text: if self.words {
                row.text.clone()
            } else {
                String::new()
            },
            ..row.clone()
        });
        kept.collect()
    }

    /// The vectors that are left; one that is alone takes the first place, and none at all are zeros.
    fn vectors(self, whole: &Embedded) -> Embedded {
        let retrieval = whole.retrieval.clone().filter(|_| self.retrieval);
        match (self.sentence, retrieval) {
            (true, retrieval) => Embedded {
                sentence: whole.sentence.clone(),
                retrieval,
            },
            (false, Some(alone)) => Embedded {
                sentence: alone,
                retrieval: None,
            },
            (false, None) => Embedded {
                sentence: whole
                    .sentence
                    .iter()
                    .map(|vector| vec![0.0; vector.len()])
                    .collect(),
                retrieval: None,
            },
        }
    }
}

fn moods(tweets: &[Tweets], section: &mut Section) {
    let model = SentimentModel::builtin();
    let languages = Languages::new(&super::LANGUAGES);
    // Only the six have weights of their own.
    let other = "nl".parse().unwrap_or(Language::EN);
    let kinds = [
        ("everything", false, true),
        ("without E5", false, false),
        ("without the languages' own weights", true, true),
        ("without both", true, false),
    ];
    for (name, one_for_all, with_e5) in kinds {
        let language = |text: &str| {
            if one_for_all {
                other
            } else {
                languages.detect(text, None).language
            }
        };
        let scores = tweets.iter().map(|set| {
            let moods = set.moods(&model, language, with_e5);
            100.0 * confusion(moods.iter()).macro_f1()
        });
        let scores: Vec<f64> = scores.collect();
        let name = format!("tweets, {name}: macro-F1, mean of six");
        let cases = tweets.iter().map(Tweets::len).sum();
        section
            .figures
            .push(Figure::new(name, Unit::Percent, mean(&scores), cases));
    }
}
