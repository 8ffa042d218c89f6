//! `sportello report`: figures on labelled sets, as a page and as a table; what advertisements led to.

mod ads;
mod server;

use std::path::PathBuf;

use super::output::{line, note};
use super::{Failure, Shared};
use crate::app::{AppError, encoder, examples, folder, knowledge_source, questions};
use crate::eval::{Area, Bench, FigureReport, measure, served};
use crate::knowledge;
use crate::store::Store;

/// Messages that a server answers before its memory is measured.
const SERVED: usize = 25;

/// What `report` does.
#[derive(Debug, clap::Subcommand)]
pub enum Report {
    /// Measure language, intent, sentiment, retrieval and speed against floors and goals
    Understanding {
        /// The folder of public sets; a set that is absent is left out
        #[arg(long, value_name = "DIR", default_value = "../shared/data")]
        shared: PathBuf,
        /// The folder of the shop's own cases
        #[arg(long, value_name = "DIR", default_value = "eval/data")]
        own: PathBuf,
        /// Write the page with all tables and drawings
        #[arg(long, value_name = "FILE.html")]
        out: Option<PathBuf>,
        /// Measure only these: intent, sentiment, language, retrieval, speed, ablation
        #[arg(long, value_delimiter = ',', value_name = "AREAS")]
        only: Vec<Area>,
    },
    /// What advertisements led to: conversations, hand-offs and payments of each
    Ads {
        /// One JSON array instead of a table
        #[arg(long)]
        json: bool,
    },
}

/// Measures and reports. What misses its floor is marked; it is no failure.
pub async fn run(shared: Shared, report: Report) -> Result<(), Failure> {
    let (sets, own, out, only) = match report {
        Report::Understanding {
            shared,
            own,
            out,
            only,
        } => (shared, own, out, only),
        Report::Ads { json } => return ads::run(&shared, json).await,
    };
    folder(&shared.data)?;
    let store = Store::open(&shared.data).await?;
    let source = knowledge_source(&shared.config);
    let knowledge =
        knowledge::load(&source, shared.config.shop.currency).map_err(AppError::Knowledge)?;
    let questions = questions()?;
    if questions.is_none() {
        note("skipped: all that needs E5; its file is absent");
    }
    let bench = Bench {
        config: shared.config,
        data: shared.data,
        store: store.clone(),
        reader: encoder()?,
        questions,
        examples: examples(&knowledge),
        shared: sets,
        own,
        say: note,
    };
    let areas = if only.is_empty() {
        &Area::ALL[..]
    } else {
        &only
    };
    let report = figures(&bench, areas).await;
    store.close().await;
    let report = report?;
    for text in report.lines() {
        line(&text)?;
    }
    if let Some(file) = out {
        std::fs::write(&file, report.html()?).map_err(|error| {
            Failure::Machine(format!("{} cannot be written: {error}", file.display()))
        })?;
        note(&format!("wrote {}", file.display()));
    }
    Ok(())
}

async fn figures(bench: &Bench, areas: &[Area]) -> Result<FigureReport, Failure> {
    let mut report = measure(bench, areas).await?;
    if !areas.contains(&Area::Speed) || bench.questions.is_none() {
        return Ok(report);
    }
    let messages = bench.messages(SERVED)?;
    if !messages.is_empty() {
        note("speed: a server of its own");
        let measured = server::measure(&messages).await?;
        let section = served(&measured.ready, measured.resident, messages.len());
        report.sections.push(section);
    }
    Ok(report)
}
