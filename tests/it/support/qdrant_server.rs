//! A Qdrant server for tests: the real wire format over one edge shard per collection, with faults.

mod convert;
mod service;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::qdrant_client::Payload;
use ::qdrant_client::qdrant::collections_server::CollectionsServer;
use ::qdrant_client::qdrant::points_server::PointsServer;
use ::qdrant_client::qdrant::{self as wire, *};
use ::qdrant_edge as edge;
use tempfile::TempDir;
use tonic::Status;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use self::service::Service;

/// A running server. It keeps what was stored while it is stopped.
pub struct QdrantServer {
    address: SocketAddr,
    state: Arc<State>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Every answer comes late.
    Slow(Duration),
    /// Every call is answered with this many `unavailable` first.
    Unavailable(u32),
    /// Collections are created with one dimension more than was asked.
    WrongDimension,
}

#[derive(Default)]
struct State {
    collections: Mutex<HashMap<String, Arc<Collection>>>,
    aliases: Mutex<HashMap<String, String>>,
    fault: Mutex<Fault>,
    calls: Mutex<Vec<&'static str>>,
    /// Last, because the engine writes to it until it is closed.
    folder: Option<TempDir>,
}

struct Collection {
    shard: edge::EdgeShard,
    metadata: HashMap<String, Value>,
}

impl QdrantServer {
    /// Starts on a free port.
    pub fn start() -> Self {
        let state = State {
            folder: Some(TempDir::new().unwrap()),
            ..State::default()
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self {
            address,
            state: Arc::new(state),
            runtime: None,
        };
        server.restart();
        server
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes every following call fail in this way.
    pub fn set_fault(&self, fault: Fault) {
        *self.state.fault.lock().unwrap() = fault;
    }

    /// The calls since the last time, by name.
    pub fn take_calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.state.calls.lock().unwrap())
    }

    /// The names of its collections.
    pub fn collections(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .state
            .collections
            .lock()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        names.sort();
        names
    }

    /// Creates a collection that some other program owns.
    pub fn add_foreign_collection(&self, name: &str) {
        self.state
            .create(CreateCollection {
                collection_name: name.to_owned(),
                ..Default::default()
            })
            .unwrap();
    }

    /// Closes its port and every connection.
    pub fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Listens again where it did before.
    pub fn restart(&mut self) {
        self.stop();
        let listener = std::net::TcpListener::bind(self.address).unwrap();
        listener.set_nonblocking(true).unwrap();
        self.address = listener.local_addr().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let service = Service(Arc::clone(&self.state));
        runtime.spawn(async move {
            let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener).unwrap());
            Server::builder()
                .add_service(CollectionsServer::new(service.clone()))
                .add_service(PointsServer::new(service))
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
        self.runtime = Some(runtime);
    }
}

impl Drop for QdrantServer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl State {
    fn find(&self, name: &str) -> Result<Arc<Collection>, Status> {
        let target = self.aliases.lock().unwrap().get(name).cloned();
        let collections = self.collections.lock().unwrap();
        collections
            .get(target.as_deref().unwrap_or(name))
            .cloned()
            .ok_or_else(|| Status::not_found(format!("Collection `{name}` doesn't exist!")))
    }

    fn create(&self, request: CreateCollection) -> Result<(), Status> {
        let name = request.collection_name.clone();
        if self.collections.lock().unwrap().contains_key(&name) {
            return Err(Status::already_exists(format!(
                "Collection `{name}` already exists!"
            )));
        }
        let extra = usize::from(*self.fault.lock().unwrap() == Fault::WrongDimension);
        let mut config = edge::EdgeConfigBuilder::new();
        if let Some(vectors_config::Config::ParamsMap(map)) =
            request.vectors_config.and_then(|config| config.config)
        {
            for (vector, params) in map.map {
                assert_eq!(params.distance(), wire::Distance::Cosine);
                let size = params.size as usize + extra;
                let params = edge::EdgeVectorParams::builder(size, edge::Distance::Cosine).build();
                config = config.vector(vector, params);
            }
        }
        for (vector, params) in request.sparse_vectors_config.unwrap_or_default().map {
            assert_eq!(params.modifier(), wire::Modifier::Idf);
            let params = edge::EdgeSparseVectorParams {
                modifier: Some(edge::Modifier::Idf),
                ..Default::default()
            };
            config = config.sparse_vector(vector, params);
        }
        let unique = self
            .folder
            .as_ref()
            .unwrap()
            .path()
            .join(uuid::Uuid::new_v4().to_string());
        std::fs::create_dir(&unique).unwrap();
        let shard = edge::EdgeShard::new(&unique, config.build()).map_err(refused)?;
        let collection = Arc::new(Collection {
            shard,
            metadata: request.metadata,
        });
        self.collections.lock().unwrap().insert(name, collection);
        Ok(())
    }

    fn query(&self, request: QueryPoints) -> Result<BatchResult, Status> {
        let collection = self.find(&request.collection_name)?;
        let Some(query::Variant::Nearest(input)) = request.query.and_then(|query| query.variant)
        else {
            return Err(Status::invalid_argument("only nearest is supported"));
        };
        let vector = match input.variant {
            Some(vector_input::Variant::Dense(dense)) => edge::VectorInternal::Dense(dense.data),
            Some(vector_input::Variant::Sparse(sparse)) => {
                edge::VectorInternal::Sparse(edge::SparseVector {
                    indices: sparse.indices,
                    values: sparse.values,
                })
            }
            _ => {
                return Err(Status::invalid_argument(
                    "only dense and sparse are supported",
                ));
            }
        };
        let nearest = edge::QueryEnum::Nearest(edge::NamedQuery {
            query: vector,
            using: request.using,
        });
        let request = edge::QueryRequest {
            prefetches: Vec::new(),
            query: Some(edge::ScoringQuery::Vector(nearest)),
            filter: request.filter.map(convert::filter),
            score_threshold: None,
            limit: request.limit.unwrap_or(10) as usize,
            offset: 0,
            params: None,
            with_vector: edge::WithVector::Bool(false),
            with_payload: edge::WithPayloadInterface::Bool(true),
        };
        let hits = collection.shard.query(request).map_err(refused)?;
        let result = hits
            .into_iter()
            .map(|hit| ScoredPoint {
                payload: Payload::from(hit.payload.unwrap_or_default().0).into(),
                score: hit.score,
                ..Default::default()
            })
            .collect();
        Ok(BatchResult { result })
    }
}

fn refused(error: edge::OperationError) -> Status {
    Status::invalid_argument(format!("Wrong input: {error}"))
}
