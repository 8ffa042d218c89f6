//! `sportello check`.

use serde_json::json;

use super::output::{json as print_json, line};
use super::{Failure, Shared};
use crate::app::knowledge_source;
use crate::config::ConfigFault;
use crate::knowledge;

/// What `check` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One JSON object instead of lines
    #[arg(long)]
    json: bool,
}

/// Reports the faults of a configuration that cannot be read. The knowledge is not looked at: its place and
/// its currency are part of the configuration.
pub fn configuration(faults: &[ConfigFault], args: &Args) -> Result<(), Failure> {
    if args.json {
        print_json(&json!({ "ok": false, "faults": faults, "warnings": [] }))?;
    }
    Err(Failure::configuration(faults))
}

/// Reports every fault of the knowledge.
pub fn run(shared: &Shared, args: &Args) -> Result<(), Failure> {
    let source = knowledge_source(&shared.config);
    match knowledge::load(&source, shared.config.shop.currency) {
        Ok(knowledge) => {
            let counts = json!({
                "ok": true,
                "products": knowledge.products.len(),
                "documents": knowledge.documents.len(),
                "intents": knowledge.intents.len(),
                "synonyms": knowledge.synonyms.groups(),
                "orders": knowledge.orders.len(),
                "faults": [],
                "warnings": knowledge.warnings,
            });
            if args.json {
                return print_json(&counts);
            }
            for warning in &knowledge.warnings {
                line(&format!("warning: {warning}"))?;
            }
            line(&format!(
                "ok: {} products, {} documents, {} intents, {} groups of synonyms, {} orders",
                knowledge.products.len(),
                knowledge.documents.len(),
                knowledge.intents.len(),
                knowledge.synonyms.groups(),
                knowledge.orders.len()
            ))
        }
        Err(faults) => {
            if args.json {
                print_json(&json!({ "ok": false, "faults": faults, "warnings": [] }))?;
            } else {
                for fault in &faults {
                    line(&fault.to_string())?;
                }
            }
            Err(Failure::Check(format!(
                "{} faults in the knowledge",
                faults.len()
            )))
        }
    }
}
