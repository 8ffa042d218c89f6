//! Calls to the server: a deadline, a few retries, and errors that say what the caller can do.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use qdrant_client::qdrant::CreateCollection;
use qdrant_client::{Qdrant, QdrantError};
use secrecy::ExposeSecret;
use tonic::{Code, Status};
use url::Url;

use super::Metadata;
use crate::config::Retrieval;
use crate::ports::IndexError;

/// A Qdrant server.
pub(super) struct Server {
    /// The client; connects when it is first used.
    pub client: Qdrant,
    timeout: Duration,
}

impl Server {
    pub(super) fn new(retrieval: &Retrieval) -> Result<Self, IndexError> {
        let wrong = || {
            IndexError::Unusable(
                "retrieval.url must be the address of a Qdrant server's gRPC port, \
                 for example `http://localhost:6334`"
                    .to_owned(),
            )
        };
        let address = retrieval.url.as_deref().ok_or_else(wrong)?;
        let parsed = Url::parse(address).map_err(|_| wrong())?;
        if !["http", "https"].contains(&parsed.scheme()) {
            return Err(wrong());
        }
        let timeout = Duration::from_secs(retrieval.timeout_seconds.max(1));
        let client = Qdrant::from_url(address)
            .api_key(
                retrieval
                    .api_key
                    .as_ref()
                    .map(|key| key.expose_secret().to_owned()),
            )
            .timeout(timeout)
            .connect_timeout(timeout)
            .skip_compatibility_check()
            .build()
            .map_err(|_| wrong())?;
        Ok(Self { client, timeout })
    }

    /// Runs a call, again when the server could not be reached, all within the timeout.
    pub(super) async fn call<T, Running>(
        &self,
        what: &str,
        call: impl FnMut() -> Running,
    ) -> Result<T, IndexError>
    where
        Running: Future<Output = Result<T, QdrantError>>,
    {
        self.try_call(call)
            .await
            .map_err(|fault| fault.into_error(what, self.timeout))
    }

    /// The metadata of a collection or of the one behind an alias; none when there is none.
    pub(super) async fn metadata(&self, name: &str) -> Result<Option<Metadata>, IndexError> {
        match self.try_call(|| self.client.collection_info(name)).await {
            Ok(answer) => {
                let config = answer.result.and_then(|info| info.config);
                Ok(Some(
                    config.map(|config| config.metadata).unwrap_or_default(),
                ))
            }
            Err(fault) if fault.is(Code::NotFound) => Ok(None),
            Err(fault) => Err(fault.into_error("reading a collection", self.timeout)),
        }
    }

    /// The names of all collections.
    pub(super) async fn collections(&self) -> Result<Vec<String>, IndexError> {
        let answer = self
            .call("listing collections", || self.client.list_collections())
            .await?;
        Ok(answer
            .collections
            .into_iter()
            .map(|collection| collection.name)
            .collect())
    }

    /// The collection behind an alias.
    pub(super) async fn alias_target(&self, alias: &str) -> Result<Option<String>, IndexError> {
        let answer = self
            .call("listing aliases", || self.client.list_aliases())
            .await?;
        Ok(answer
            .aliases
            .into_iter()
            .find(|entry| entry.alias_name == alias)
            .map(|entry| entry.collection_name))
    }

    /// Creates a collection that is known not to exist.
    pub(super) async fn create(&self, request: CreateCollection) -> Result<(), IndexError> {
        match self
            .try_call(|| self.client.create_collection(request.clone()))
            .await
        {
            Ok(_) => Ok(()),
            // The answer to a first attempt was lost.
            Err(fault) if fault.is(Code::AlreadyExists) => Ok(()),
            Err(fault) => Err(fault.into_error("creating a collection", self.timeout)),
        }
    }

    /// Deletes a collection with everything in it.
    pub(super) async fn delete(&self, collection: &str) -> Result<(), IndexError> {
        self.call("deleting a collection", || {
            self.client.delete_collection(collection)
        })
        .await?;
        Ok(())
    }

    async fn try_call<T, Running>(&self, call: impl FnMut() -> Running) -> Result<T, Fault>
    where
        Running: Future<Output = Result<T, QdrantError>>,
    {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(50))
            .with_max_delay(Duration::from_millis(500))
            .with_max_times(2)
            .with_jitter();
        let attempts = call.retry(pauses).when(unreachable);
        match tokio::time::timeout(self.timeout, attempts).await {
            Ok(answer) => answer.map_err(Fault::Answer),
            Err(_) => Err(Fault::Deadline),
        }
    }
}

enum Fault {
    Deadline,
    Answer(QdrantError),
}

impl Fault {
    fn is(&self, code: Code) -> bool {
        matches!(self, Self::Answer(error) if status(error).is_some_and(|status| status.code() == code))
    }

    /// Messages name the operation and the server's own words, never headers or points.
    fn into_error(self, what: &str, timeout: Duration) -> IndexError {
        let error = match self {
            Self::Answer(error) => error,
            Self::Deadline => {
                let seconds = timeout.as_secs();
                return IndexError::Unavailable(format!("{what} took longer than {seconds} s"));
            }
        };
        let busy = matches!(error, QdrantError::ResourceExhaustedError { .. });
        let reason = match status(&error) {
            Some(status) => format!("{what}: {} ({:?})", status.message(), status.code()),
            None => format!("{what}: {error}"),
        };
        if busy || unreachable(&error) {
            IndexError::Unavailable(reason)
        } else {
            IndexError::Unusable(reason)
        }
    }
}

/// Whether the server could not be reached or did not answer in time.
fn unreachable(error: &QdrantError) -> bool {
    let Some(status) = status(error) else {
        return matches!(error, QdrantError::Io(_));
    };
    match status.code() {
        // The client reports its own timeout as cancelled and a broken connection as unknown.
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown => true,
        Code::Internal => status.message().starts_with("Failed to connect"),
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss
        | Code::Unauthenticated => false,
    }
}

fn status(error: &QdrantError) -> Option<&Status> {
    match error {
        QdrantError::ResponseError { status }
        | QdrantError::ResourceExhaustedError { status, .. } => Some(status),
        QdrantError::ConversionError(_)
        | QdrantError::InvalidUri(_)
        | QdrantError::NoSnapshotFound(_)
        | QdrantError::Io(_)
        | QdrantError::JsonToPayload(_)
        | QdrantError::PayloadDeserialization(_) => None,
    }
}
