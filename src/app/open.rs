//! Opening the parts that every command shares.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};

use crate::config::{self, BuiltinEncoder, Config, EmbeddingProvider, PaymentProvider};
use crate::events::Events;
use crate::knowledge::{self, Fault, Knowledge, KnowledgeSource};
use crate::openai::OpenAiEmbedder;
use crate::ports::IndexPoint;
use crate::ports::{EmbedError, Embedder, Index, IndexError};
use crate::prompts::{PromptError, Prompts};
use crate::qdrant::{EdgeIndex, RemoteIndex};
use crate::rerank::Reranker;
use crate::retrieval::{Builder, IndexingError, Retriever, Space, Wording};
use crate::store::{Store, StoreError};
use crate::texts::Texts;
use crate::tools::{Registry, Workbench, registry};
use crate::understand::e5::E5Encoder;
use crate::understand::encoder::{EncoderError, SentenceEncoder};
use crate::understand::{BuiltinEmbedder, E5Embedder};
use crate::whatsapp::templates::Definition;

/// The files that the set-up makes.
const USE_FILE: &str = "use-multilingual-v3.bin";
const E5_FILE: &str = "multilingual-e5-small-q4.bin";

/// Why the program cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The knowledge has faults.
    #[error("the knowledge has faults:\n{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Knowledge(Vec<Fault>),
    /// The configuration asks for something that cannot be.
    #[error("{0}")]
    Configuration(String),
    /// The machine failed: a folder, a socket, a port.
    #[error("{0}")]
    Machine(String),
    /// The model file is missing or broken.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The embedding endpoint failed.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Building the index failed.
    #[error(transparent)]
    Indexing(#[from] IndexingError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A prompt is broken.
    #[error(transparent)]
    Prompt(#[from] PromptError),
}

impl AppError {
    /// The exit code: 1 a check failed, 2 the call or the configuration is wrong, 3 the machine or a
    /// provider failed.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Knowledge(_) => 1,
            Self::Configuration(_) => 2,
            Self::Machine(_)
            | Self::Encoder(_)
            | Self::Embed(_)
            | Self::Index(_)
            | Self::Indexing(_)
            | Self::Store(_)
            | Self::Prompt(_) => 3,
        }
    }

    /// Whether the same may work later: an endpoint or a server is away.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Embed(EmbedError::Unavailable(_))
                | Self::Index(IndexError::Unavailable(_))
                | Self::Indexing(
                    IndexingError::Embed(EmbedError::Unavailable(_))
                        | IndexingError::Index(IndexError::Unavailable(_))
                )
        )
    }
}

/// The parts that every command shares.
pub struct App {
    /// The configuration.
    pub config: Arc<Config>,
    /// All state.
    pub data: PathBuf,
    /// The store.
    pub store: Store,
    /// The knowledge, as it was read last.
    pub knowledge: Arc<ArcSwap<Knowledge>>,
    /// Rings when the knowledge was read again and is another.
    pub changes: watch::Sender<()>,
    /// Prompts and phrases.
    pub prompts: Arc<Prompts>,
    /// Makes vectors for understanding.
    pub reader: Arc<dyn Embedder>,
    /// Makes the second kind of vectors for understanding, where the index needs them anyway.
    pub questions: Option<Arc<dyn Embedder>>,
    /// The search.
    pub retriever: Arc<Retriever>,
    /// Builds the index.
    pub builder: Builder,
    /// The tools.
    pub tools: Arc<Registry>,
    /// What happens in conversations.
    pub events: Events,
    /// Rings when the WhatsApp door has stored something.
    pub arrivals: Arc<Notify>,
    /// Rings when a message may be due.
    pub inbox: Arc<Notify>,
    /// Rings when something is to be sent.
    pub outbox: Arc<Notify>,
    /// How the outside reaches the server, without a slash at the end.
    pub public_url: Arc<str>,
    /// The shop's templates.
    pub templates: Vec<Definition>,
}

/// Everything that makes vectors.
#[derive(Clone)]
pub struct Encoders {
    /// Makes vectors for understanding.
    pub reader: Arc<dyn Embedder>,
    /// Makes the second kind of vectors for understanding, where the index needs them anyway.
    pub questions: Option<Arc<dyn Embedder>>,
    /// Makes the vectors of the index, where an endpoint does.
    pub endpoint: Option<Arc<dyn Embedder>>,
}

impl Encoders {
    /// Those that the configuration wants.
    ///
    /// # Errors
    /// When a model file is missing or broken, or the endpoint's address cannot be used.
    pub fn open(config: &Config) -> Result<Self, AppError> {
        let embedding = &config.embedding;
        let (mut questions, mut endpoint) = (None, None);
        match (embedding.provider, embedding.encoder) {
            (EmbeddingProvider::Builtin, BuiltinEncoder::E5) => questions = Some(e5()?),
            (EmbeddingProvider::Builtin, BuiltinEncoder::Use) => {}
            (EmbeddingProvider::Openai, _) => {
                let embedder: Arc<dyn Embedder> = Arc::new(OpenAiEmbedder::new(embedding)?);
                endpoint = Some(embedder);
            }
        }
        Ok(Self {
            reader: encoder()?,
            questions,
            endpoint,
        })
    }

    /// The space of the index.
    #[must_use]
    pub fn space(&self) -> Space {
        match (&self.endpoint, &self.questions) {
            (Some(endpoint), _) => Space::endpoint(Arc::clone(endpoint)),
            (None, Some(questions)) => Space::both(Arc::clone(questions), Arc::clone(&self.reader)),
            (None, None) => Space::sentence(Arc::clone(&self.reader)),
        }
    }
}

impl App {
    /// Opens the store, the knowledge and the index in a data folder, which is made when missing.
    ///
    /// # Errors
    /// [`AppError`], with what to do about it.
    pub async fn open(config: Config, data: &Path, public_url: &str) -> Result<Self, AppError> {
        folder(data)?;
        let store = Store::open(data).await?;
        let encoders = Encoders::open(&config)?;
        Self::with(store, encoders, config, data, public_url).await
    }

    /// The same with a store and encoders that are open already.
    ///
    /// # Errors
    /// [`AppError`], with what to do about it.
    pub async fn with(
        store: Store,
        encoders: Encoders,
        config: Config,
        data: &Path,
        public_url: &str,
    ) -> Result<Self, AppError> {
        let config = Arc::new(config);
        let templates = super::templates::read(&config)?;
        let texts = own_texts(&config)?;
        let wrong = |fault: String| AppError::Configuration(format!("`agent.texts`: {fault}"));
        let prompts = Prompts::with(&texts.prompts).map_err(|fault| wrong(fault.to_string()))?;
        let knowledge = Arc::new(ArcSwap::from_pointee(read_knowledge(&config)?));
        if config.demo {
            store.seed_orders(knowledge.load().orders.clone()).await?;
        }
        let space = Arc::new(encoders.space());
        let Encoders {
            reader, questions, ..
        } = encoders;
        let index = index(&config, data)?;
        let wording = Wording::open(data);
        let reranker = Reranker::new(&config.retrieval.reranker)
            .map_err(|error| AppError::Configuration(error.to_string()))?;
        let retriever = Arc::new(
            Retriever::new(Arc::clone(&index), Arc::clone(&space), Arc::clone(&wording))
                .with_synonyms(Arc::clone(&knowledge))
                .with_reranker(reranker),
        );
        let public_url: Arc<str> = public_url.trim_end_matches('/').into();
        let workbench = Workbench {
            knowledge: Arc::clone(&knowledge),
            retriever: Arc::clone(&retriever),
            store: store.clone(),
            public_url: Arc::clone(&public_url),
            payments: payment_provider(&config),
            link_milliseconds: config.payments.link_minutes.saturating_mul(60_000),
        };
        let tools = registry(&workbench)
            .described(&texts.tools)
            .map_err(wrong)?;
        Ok(Self {
            tools: Arc::new(tools),
            builder: Builder::new(index, space, wording, store.clone()),
            config,
            data: data.to_owned(),
            store,
            knowledge,
            changes: watch::Sender::new(()),
            prompts: Arc::new(prompts),
            reader,
            questions,
            retriever,
            events: Events::default(),
            arrivals: Arc::default(),
            inbox: Arc::default(),
            outbox: Arc::default(),
            public_url,
            templates,
        })
    }

    /// What is to be in the index.
    #[must_use]
    pub fn points(&self) -> Vec<IndexPoint> {
        knowledge::chunks(&self.knowledge.load(), self.config.retrieval.chunk_tokens)
    }

    /// Reads the knowledge again, for a new index.
    ///
    /// # Errors
    /// [`AppError::Knowledge`]; the knowledge stays as it was then.
    pub fn reload_knowledge(&self) -> Result<Arc<Knowledge>, AppError> {
        let fresh = Arc::new(read_knowledge(&self.config)?);
        let before = self.knowledge.swap(Arc::clone(&fresh));
        if before.fingerprint != fresh.fingerprint {
            self.changes.send_replace(());
        }
        Ok(fresh)
    }
}

/// Where the knowledge is.
pub fn knowledge_source(config: &Config) -> KnowledgeSource {
    match &config.knowledge.path {
        Some(folder) => KnowledgeSource::Folder(folder.clone()),
        None => KnowledgeSource::Embedded,
    }
}

/// The texts that take the place of the program's own.
pub fn own_texts(config: &Config) -> Result<Texts, AppError> {
    let read = config.agent.texts.as_deref().map(Texts::read).transpose();
    read.map(Option::unwrap_or_default)
        .map_err(|fault| AppError::Configuration(format!("`agent.texts`: {fault}")))
}

/// The sentence encoder.
pub fn encoder() -> Result<Arc<dyn Embedder>, AppError> {
    let encoder = SentenceEncoder::open(&config::models_folder().join(USE_FILE))?;
    Ok(Arc::new(BuiltinEmbedder::new(Arc::new(encoder))))
}

fn e5() -> Result<Arc<dyn Embedder>, AppError> {
    let encoder = E5Encoder::open(&config::models_folder().join(E5_FILE))?;
    Ok(Arc::new(E5Embedder::new(Arc::new(encoder))))
}

/// The encoder of questions, where its file is.
pub fn questions() -> Result<Option<Arc<dyn Embedder>>, AppError> {
    let file = config::models_folder().join(E5_FILE);
    if !file.exists() {
        return Ok(None);
    }
    e5().map(Some)
}

/// The payment provider's name; the demo's own page when nothing else is said in a demo.
pub fn payment_provider(config: &Config) -> Option<&'static str> {
    match config.payments.provider {
        Some(PaymentProvider::Stripe) => Some("stripe"),
        Some(PaymentProvider::Demo) => Some("demo"),
        None => config.demo.then_some("demo"),
    }
}

/// Makes the data folder.
pub fn folder(data: &Path) -> Result<(), AppError> {
    std::fs::create_dir_all(data).map_err(|error| {
        AppError::Machine(format!(
            "the data folder {} cannot be made: {error}; name another one with --data",
            data.display()
        ))
    })
}

fn read_knowledge(config: &Config) -> Result<Knowledge, AppError> {
    knowledge::load(&knowledge_source(config), config.shop.currency).map_err(AppError::Knowledge)
}

fn index(config: &Config, data: &Path) -> Result<Arc<dyn Index>, AppError> {
    Ok(match config.retrieval.url {
        Some(_) => Arc::new(RemoteIndex::connect(&config.retrieval)?),
        None => Arc::new(EdgeIndex::open(&data.join("index"))?),
    })
}
