//! What must be there before a message is understood: the fitted intents, and the index.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};

use super::open::{App, AppError};
use crate::agent::{Agent, Limits, Settings};
use crate::clock;
use crate::config::{Config, Llm};
use crate::knowledge::Knowledge;
use crate::offline::OfflineModel;
use crate::openai::OpenAiChat;
use crate::ports::{ChatModel, Embedder};
use crate::retrieval::{BuildReport, embed_cached, embed_queries_cached};
use crate::store::Store;
use crate::understand::{
    IntentModel, LabelledText, Languages, SentimentModel, Understanding, VectorsOf,
};

/// So many fitted models stay, since several commands with several settings may share a folder.
const FITTED: usize = 4;

/// The agent, ready.
#[derive(Clone)]
pub struct Prepared {
    /// The agent.
    pub agent: Arc<Agent>,
    /// What it understands with; replaced when the intents change.
    pub understanding: Arc<ArcSwap<Understanding>>,
}

impl App {
    /// Fits the intents, or reads what was fitted before, and makes the agent.
    ///
    /// # Errors
    /// When the embedder or the store fails.
    pub async fn prepare(&self) -> Result<Prepared, AppError> {
        let understanding = Arc::new(ArcSwap::from_pointee(self.understanding().await?));
        sweep(&self.data);
        let offline: Arc<dyn ChatModel> = Arc::new(OfflineModel::new(
            Arc::clone(&self.prompts),
            self.config.shop.name.clone(),
        ));
        let agent = Agent {
            model: self.model()?,
            offline,
            tools: Arc::clone(&self.tools),
            retriever: Arc::clone(&self.retriever),
            reader: Arc::clone(&self.reader),
            questions: self.questions.clone(),
            understanding: Arc::clone(&understanding),
            prompts: Arc::clone(&self.prompts),
            settings: settings(&self.config),
        };
        Ok(Prepared {
            agent: Arc::new(agent),
            understanding,
        })
    }

    /// What messages are understood with.
    ///
    /// # Errors
    /// When the embedder or the store fails, or the intents cannot be fitted.
    pub async fn understanding(&self) -> Result<Understanding, AppError> {
        let examples = examples(&self.knowledge.load());
        let readers = Readers {
            reader: self.reader.as_ref(),
            questions: self.questions.as_deref(),
            always_both: false,
        };
        let intents = Self::fit_intents(&self.data, &self.store, readers, examples).await?;
        let languages = Languages::new(&self.config.shop.languages);
        tokio::task::spawn_blocking(move || {
            languages.warm();
            Understanding {
                languages,
                intents,
                sentiments: SentimentModel::builtin(),
            }
        })
        .await
        .map_err(|error| AppError::Machine(error.to_string()))
    }

    /// Fits intents, or reads what was fitted from the same examples before.
    ///
    /// # Errors
    /// When the embedder or the store fails, or the examples cannot be fitted.
    pub async fn fit_intents(
        data: &Path,
        store: &Store,
        readers: Readers<'_>,
        examples: Vec<LabelledText>,
    ) -> Result<IntentModel, AppError> {
        let file = intents_file(data, readers, &examples);
        if let Ok(bytes) = tokio::fs::read(&file).await
            && let Ok(model) = serde_json::from_slice::<IntentModel>(&bytes)
        {
            used(&file);
            return Ok(model);
        }
        let texts: Vec<String> = examples
            .iter()
            .map(|example| example.text.clone())
            .collect();
        let (sentence, retrieval) = readers.vectors(store, &texts).await?;
        let always_both = readers.always_both;
        let fit = move || {
            let vectors = VectorsOf {
                sentence: &sentence,
                retrieval: retrieval.as_deref(),
            };
            if always_both {
                IntentModel::fit(&examples, vectors)
            } else {
                IntentModel::fit_with_fallback(&examples, vectors)
            }
        };
        let model = tokio::task::spawn_blocking(fit)
            .await
            .map_err(|error| AppError::Machine(error.to_string()))?
            .map_err(|error| {
                AppError::Configuration(format!("the intents cannot be fitted: {error}"))
            })?;
        let bytes =
            serde_json::to_vec(&model).map_err(|error| AppError::Machine(error.to_string()))?;
        keep(file, bytes).await?;
        Ok(model)
    }

    /// Brings the index up to date with the knowledge as it was read.
    ///
    /// # Errors
    /// What the embedder, the index or the store says.
    pub async fn index(
        &self,
        progress: impl Fn(usize, usize) + Send + Sync,
    ) -> Result<BuildReport, AppError> {
        Ok(self.builder.build(self.points(), progress).await?)
    }

    /// Reads the knowledge again and brings the index and the intents up to date with it.
    ///
    /// # Errors
    /// What is wrong with the knowledge, the embedder, the index or the store.
    pub async fn reindex(
        &self,
        prepared: Option<&Prepared>,
        progress: impl Fn(usize, usize) + Send + Sync,
    ) -> Result<BuildReport, AppError> {
        self.reload_knowledge()?;
        let report = self.index(progress).await?;
        let understanding = self.understanding().await?;
        if let Some(prepared) = prepared {
            prepared.understanding.store(Arc::new(understanding));
        }
        Ok(report)
    }

    fn model(&self) -> Result<Option<Arc<dyn ChatModel>>, AppError> {
        if self.config.llm.base_url.is_none() {
            return Ok(None);
        }
        self.endpoint_model(&self.config.llm).map(Some)
    }

    /// The chat model at another endpoint than the configured one. Nothing is sent.
    ///
    /// # Errors
    /// When the address or the key cannot be used.
    pub fn endpoint_model(&self, llm: &Llm) -> Result<Arc<dyn ChatModel>, AppError> {
        let model = OpenAiChat::new(llm, self.prompts.json_mode()?)
            .map_err(|error| AppError::Configuration(error.to_string()))?;
        Ok(Arc::new(model))
    }
}

impl Prepared {
    /// The same with another chat model.
    #[must_use]
    pub fn with_model(&self, model: Arc<dyn ChatModel>) -> Self {
        let agent = &self.agent;
        Self {
            agent: Arc::new(Agent {
                model: Some(model),
                offline: Arc::clone(&agent.offline),
                tools: Arc::clone(&agent.tools),
                retriever: Arc::clone(&agent.retriever),
                reader: Arc::clone(&agent.reader),
                questions: agent.questions.clone(),
                understanding: Arc::clone(&agent.understanding),
                prompts: Arc::clone(&agent.prompts),
                settings: agent.settings.clone(),
            }),
            understanding: Arc::clone(&self.understanding),
        }
    }
}

/// What makes the vectors that intents are fitted on.
#[derive(Clone, Copy)]
pub struct Readers<'a> {
    /// The sentence encoder.
    pub reader: &'a dyn Embedder,
    /// The encoder of questions, where one is used.
    pub questions: Option<&'a dyn Embedder>,
    /// Whether every message will come with both vectors; then no head for less is fitted.
    pub always_both: bool,
}

impl Readers<'_> {
    /// Both kinds of vectors of some texts, from the cache where they are in it.
    ///
    /// # Errors
    /// When an embedder or the store fails.
    pub async fn vectors(
        self,
        store: &Store,
        texts: &[String],
    ) -> Result<(Vec<Vec<f32>>, Option<Vec<Vec<f32>>>), AppError> {
        let sentence = embed_cached(store, self.reader, texts, &|_, _| {}).await?;
        let retrieval = match self.questions {
            Some(questions) => Some(embed_queries_cached(store, questions, texts).await?),
            None => None,
        };
        let sentence = sentence.into_iter().map(|(vector, _)| vector).collect();
        Ok((sentence, retrieval))
    }
}

/// One file per content, so that a changed intent is fitted anew and an unchanged one is not.
fn intents_file(data: &Path, readers: Readers<'_>, examples: &[LabelledText]) -> PathBuf {
    let mut hasher = Sha256::new();
    hasher.update(env!("CARGO_PKG_VERSION"));
    hasher.update(readers.reader.id());
    hasher.update(readers.questions.map_or("", |questions| questions.id()));
    hasher.update([u8::from(readers.always_both)]);
    for example in examples {
        hasher.update(&example.intent);
        hasher.update([0]);
        hasher.update(&example.text);
        hasher.update([0]);
    }
    let hash = hex::encode(hasher.finalize());
    data.join(format!("intents-{}.json", &hash[..16]))
}

/// A fitted model that is read stays; the ones that were used longest ago make room for new ones.
fn used(file: &Path) {
    let now = Duration::from_millis(u64::try_from(clock::now()).unwrap_or(0));
    let touched =
        std::fs::File::open(file).and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH + now));
    // Where the time cannot be set, the model is fitted again some day.
    drop(touched);
}

/// Removes fitted models beyond the [`FITTED`] used last, which earlier versions and examples have left.
fn sweep(data: &Path) {
    let Ok(entries) = std::fs::read_dir(data) else {
        return;
    };
    let mut fitted: Vec<(SystemTime, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("intents-") && name.ends_with(".json")
        })
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    fitted.sort();
    let many = fitted.len().saturating_sub(FITTED);
    for (_, file) in fitted.into_iter().take(many) {
        // Nothing depends on it; what stays is removed the next time.
        let _ = std::fs::remove_file(file);
    }
}

/// A file that is either whole or not there.
async fn keep(file: PathBuf, bytes: Vec<u8>) -> Result<(), AppError> {
    let unfinished = file.with_extension(format!("tmp{}", std::process::id()));
    let written = async {
        tokio::fs::write(&unfinished, bytes).await?;
        tokio::fs::rename(&unfinished, &file).await
    };
    written.await.map_err(|error| {
        AppError::Machine(format!("{} cannot be written: {error}", file.display()))
    })
}

/// The intents' examples as the classifier takes them.
pub fn examples(knowledge: &Knowledge) -> Vec<LabelledText> {
    knowledge
        .intents
        .iter()
        .flat_map(|intent| {
            intent.examples.iter().flat_map(|(language, texts)| {
                texts.iter().map(|text| LabelledText {
                    text: text.clone(),
                    intent: intent.name.clone(),
                    language: Some(*language),
                })
            })
        })
        .collect()
}

fn settings(config: &Config) -> Settings {
    Settings {
        shop: config.shop.name.clone(),
        about: config.shop.about.clone(),
        home: config
            .shop
            .languages
            .first()
            .copied()
            .unwrap_or(crate::domain::Language::EN),
        deadline: Duration::from_secs(config.agent.deadline_seconds),
        limits: Limits {
            steps: config.agent.max_steps,
            tokens: config.agent.max_tokens,
        },
        output_tokens: config.llm.max_output_tokens,
        passages: config.retrieval.passages,
        diversity: config.retrieval.diversity,
        misunderstandings: config.agent.misunderstandings,
        upset_below: config.agent.upset_below,
        disclosure: config.agent.disclosure.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fitted_models_that_nobody_used_lately_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
        for age in 0..7_u64 {
            let file = std::fs::File::create(path(&format!("intents-{age}.json"))).unwrap();
            let modified = start - Duration::from_secs(60 * age);
            file.set_modified(modified).unwrap();
        }
        std::fs::write(path("sportello.db"), "").unwrap();
        used(&path("intents-6.json"));
        sweep(folder.path());
        let mut left: Vec<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let expected = [
            "intents-0.json",
            "intents-1.json",
            "intents-2.json",
            "intents-6.json",
        ];
        assert_eq!(left[..4], expected);
        assert_eq!(left[4..], ["sportello.db"]);
    }
}
