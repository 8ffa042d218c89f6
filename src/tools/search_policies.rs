//! `search_policies`: passages of the shop's policies and FAQ.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Annotations, CallContext, Caller, EVERYONE, Tool, ToolError, Workbench};
use crate::domain::{Language, Passage, PassageKind, Scope};
use crate::ports::Filter;
use crate::retrieval::{Mode, Query, SearchLegs};

/// What to look for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Args {
    /// The question, in the customer's own words.
    #[schemars(length(min = 1, max = 300))]
    query: String,
    /// At most so many passages.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 10))]
    limit: u32,
}

fn three() -> u32 {
    3
}

/// Passages that fit, best first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PoliciesAnswer {
    /// The passages; empty when the shop's texts say nothing of it.
    pub passages: Vec<PassageView>,
}

/// A passage with its source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PassageView {
    /// The document, for example `policy-returns`.
    pub document: String,
    /// The document's title.
    pub title: String,
    /// The headings above the text.
    pub headings: Vec<String>,
    /// The text.
    pub text: String,
    /// The text's language.
    pub language: Language,
}

impl From<&Passage> for PassageView {
    fn from(passage: &Passage) -> Self {
        Self {
            document: passage.document.clone(),
            title: passage.title.clone(),
            headings: passage.headings.clone(),
            text: passage.text.clone(),
            language: passage.language,
        }
    }
}

/// The tool.
pub struct SearchPolicies(pub Workbench);

#[async_trait]
impl Tool for SearchPolicies {
    const NAME: &'static str = "search_policies";
    const TITLE: &'static str = "Search policies and FAQ";
    const DESCRIPTION: &'static str = include_str!("../../tools/search_policies.md");
    const ANNOTATIONS: Annotations = Annotations::READS;
    const CALLERS: &'static [Caller] = EVERYONE;
    const SCOPE: Option<Scope> = Some(Scope::CatalogRead);
    type Args = Args;
    type Output = PoliciesAnswer;

    async fn call(&self, args: Args, context: &CallContext) -> Result<PoliciesAnswer, ToolError> {
        let query = Query {
            text: &args.query,
            vector: None,
            diversity: 0.0,
            legs: SearchLegs::Both,
            language: context.language,
            limit: args.limit as usize,
            filter: Filter {
                kinds: vec![PassageKind::Faq, PassageKind::Policy],
                ..Filter::default()
            },
        };
        let found =
            self.0
                .retriever
                .search(&query)
                .await
                .map_err(|error| ToolError::Unavailable {
                    detail: error.to_string(),
                })?;
        if found.mode == Mode::None {
            return Err(ToolError::Unavailable {
                detail: "there is no index yet".to_owned(),
            });
        }
        let passages = if found.relevant {
            found.passages.iter().map(PassageView::from).collect()
        } else {
            Vec::new()
        };
        Ok(PoliciesAnswer { passages })
    }
}
