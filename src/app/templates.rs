//! The shop's templates: read once at start, synchronised on demand.

use std::path::Path;

use super::open::{AppError, folder};
use crate::clock;
use crate::config::Config;
use crate::store::{ChannelTemplate, Store};
use crate::whatsapp::templates::{
    self, Definition, GraphTemplates, SyncError, SyncReport, TemplateFault,
};

/// Reads and checks the templates of a configuration.
///
/// # Errors
/// Every fault at once.
pub fn check_templates(config: &Config) -> Result<Vec<Definition>, Vec<TemplateFault>> {
    templates::load(config.whatsapp.templates.as_deref())
}

pub(super) fn read(config: &Config) -> Result<Vec<Definition>, AppError> {
    check_templates(config).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        AppError::Configuration(format!("the templates have faults:\n{}", lines.join("\n")))
    })
}

/// What the store knows of the templates; a running server may use it meanwhile.
///
/// # Errors
/// What the store says.
pub async fn known_templates(data: &Path) -> Result<Vec<ChannelTemplate>, AppError> {
    folder(data)?;
    let store = Store::open(data).await?;
    let known = store.channel_templates().await;
    store.close().await;
    Ok(known?)
}

/// Creates at Meta what is missing there, and keeps what Meta says of templates and numbers.
///
/// # Errors
/// When the templates have faults, Meta does not answer, or the store fails.
pub async fn sync_templates(config: &Config, data: &Path) -> Result<SyncReport, AppError> {
    let definitions = read(config)?;
    let graph = GraphTemplates::new(&config.whatsapp).map_err(sync_error)?;
    let (report, changes) = graph.sync(&definitions).await.map_err(sync_error)?;
    let numbers = graph.numbers().await.map_err(sync_error)?;
    folder(data)?;
    let store = Store::open(data).await?;
    let now = clock::now();
    let kept = async {
        for change in changes {
            store.record_template(change, now).await?;
        }
        for number in numbers {
            store.record_number(number, now).await?;
        }
        Ok(report)
    };
    let kept = kept.await;
    store.close().await;
    kept
}

fn sync_error(error: SyncError) -> AppError {
    match error {
        SyncError::Configuration(message) => AppError::Configuration(message),
        other @ (SyncError::Unreachable(_) | SyncError::Refused(_)) => {
            AppError::Machine(other.to_string())
        }
    }
}
