//! `sportello templates`.

use super::output::{json as print_json, line};
use super::{Failure, Shared};
use crate::app::{check_templates, known_templates, sync_templates};

/// What `templates` does.
#[derive(Debug, clap::Subcommand)]
pub enum Templates {
    /// Where each template stands at Meta, as far as it is known
    List {
        /// One JSON array instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Check the files and report every fault
    Check {
        /// One JSON object instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Create at Meta what is missing there, and report what differs
    Sync {
        /// One JSON object instead of lines
        #[arg(long)]
        json: bool,
    },
}

/// Lists, checks or synchronises.
pub async fn run(shared: &Shared, templates: Templates) -> Result<(), Failure> {
    match templates {
        Templates::List { json } => list(shared, json).await,
        Templates::Check { json } => check(shared, json),
        Templates::Sync { json } => sync(shared, json).await,
    }
}

async fn list(shared: &Shared, as_json: bool) -> Result<(), Failure> {
    let known = known_templates(&shared.data).await?;
    if as_json {
        return print_json(&known);
    }
    if known.is_empty() {
        return line("nothing is known yet; run `sportello templates sync`");
    }
    for template in known {
        let name = |text: Option<&str>| text.unwrap_or("-").to_owned();
        line(&format!(
            "{} {} {} {} {}",
            template.name,
            template.language,
            name(template.status.as_ref().map(|status| status.name())),
            name(template.category.as_ref().map(|category| category.name())),
            template.reason.as_deref().unwrap_or_default(),
        ))?;
    }
    Ok(())
}

fn check(shared: &Shared, as_json: bool) -> Result<(), Failure> {
    let (count, faults) = match check_templates(&shared.config) {
        Ok(definitions) => (definitions.len(), Vec::new()),
        Err(faults) => (0, faults),
    };
    if as_json {
        print_json(&serde_json::json!({
            "ok": faults.is_empty(), "templates": count, "faults": faults,
        }))?;
    } else if faults.is_empty() {
        line(&format!("ok: {count} templates"))?;
    } else {
        for fault in &faults {
            line(&fault.to_string())?;
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Failure::Check(format!(
            "{} faults in the templates",
            faults.len()
        )))
    }
}

async fn sync(shared: &Shared, as_json: bool) -> Result<(), Failure> {
    let report = sync_templates(&shared.config, &shared.data).await?;
    if as_json {
        print_json(&report)?;
    } else {
        for synced in &report.templates {
            let status = synced.status.as_ref().map_or("-", |status| status.name());
            let note = synced.note.as_deref().unwrap_or_default();
            let (name, language, outcome) = (&synced.name, &synced.language, synced.outcome);
            line(&format!("{outcome} {name} {language} {status} {note}"))?;
        }
    }
    let failed = report
        .templates
        .iter()
        .filter(|synced| matches!(synced.outcome, "failed" | "different"))
        .count();
    if failed == 0 {
        Ok(())
    } else {
        Err(Failure::Check(format!("{failed} templates need a look")))
    }
}
