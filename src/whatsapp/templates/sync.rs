//! The shop's templates and Meta's: what is missing is created, what differs is reported.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use super::Definition;
use crate::config;
use crate::domain::{
    NumberChange, Quality, TemplateCategory, TemplateChange, TemplateStatus, template_language,
};
use crate::whatsapp::webhook::plain_tier;

/// Templates of one page.
const PAGE: &str = "100";
/// An account has at most 6,000 templates.
const PAGES: usize = 100;
/// Reading is tried so often.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// Why templates cannot be read or created.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The configuration lacks something.
    #[error("{0}")]
    Configuration(String),
    /// The Graph API cannot be reached or took too long.
    #[error("the Graph API cannot be reached: {0}")]
    Unreachable(String),
    /// The Graph API refused.
    #[error("the Graph API refused: {0}")]
    Refused(String),
}

/// The Graph API's templates of one account.
pub struct GraphTemplates {
    client: Client,
    graph: Url,
    account: String,
    token: SecretString,
}

/// What was found and done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SyncReport {
    /// One for each template of ours or Meta's.
    pub templates: Vec<Synced>,
}

/// One template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Synced {
    /// Its name.
    pub name: String,
    /// Its language.
    pub language: String,
    /// `created`, `same`, `different`, `only_at_meta` or `failed`.
    pub outcome: &'static str,
    /// Where it stands.
    pub status: Option<TemplateStatus>,
    /// What differs, or why it failed.
    pub note: Option<String>,
}

/// A template as Meta has it.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteTemplate {
    /// What the store keeps of it.
    pub change: TemplateChange,
    components: Value,
}

impl GraphTemplates {
    /// A client for the configured account.
    ///
    /// # Errors
    /// When the account's id or the token is missing, or the address is none.
    pub fn new(config: &config::Whatsapp) -> Result<Self, SyncError> {
        let missing = |key: &str| {
            SyncError::Configuration(format!("`{key}` is not set; templates belong to it"))
        };
        let graph = Url::parse(&config.graph_url)
            .map_err(|error| SyncError::Configuration(format!("`whatsapp.graph_url`: {error}")))?;
        let client = Client::builder()
            .timeout(Duration::from_secs(config.timeout_seconds.max(1)))
            .redirect(Policy::none())
            .build()
            .map_err(|error| SyncError::Configuration(error.to_string()))?;
        Ok(Self {
            client,
            graph,
            account: config
                .waba_id
                .clone()
                .ok_or_else(|| missing("whatsapp.waba_id"))?,
            token: config
                .access_token
                .clone()
                .ok_or_else(|| missing("whatsapp.access_token"))?,
        })
    }

    /// Every template of the account.
    ///
    /// # Errors
    /// When a page cannot be read.
    pub async fn list(&self) -> Result<Vec<RemoteTemplate>, SyncError> {
        let fields = "id,name,language,status,category,quality_score,rejected_reason,components";
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let mut query = vec![("fields", fields), ("limit", PAGE)];
            if let Some(after) = &after {
                query.push(("after", after.as_str()));
            }
            let page = self.read("message_templates", &query).await?;
            let data = page.get("data").and_then(Value::as_array);
            found.extend(data.into_iter().flatten().filter_map(RemoteTemplate::read));
            let cursor = page
                .pointer("/paging/cursors/after")
                .and_then(Value::as_str);
            match cursor {
                Some(cursor) if page.pointer("/paging/next").is_some() => {
                    after = Some(cursor.to_owned());
                }
                _ => break,
            }
        }
        Ok(found)
    }

    /// The account's numbers with their quality and tier.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn numbers(&self) -> Result<Vec<NumberChange>, SyncError> {
        let fields = "id,display_phone_number,quality_rating,messaging_limit_tier";
        let page = self
            .read("phone_numbers", &[("fields", fields), ("limit", PAGE)])
            .await?;
        let data = page.get("data").and_then(Value::as_array);
        let text = |value: &Value, name: &str| {
            let text = value.get(name).and_then(Value::as_str);
            text.map(str::to_owned)
        };
        let read = |value: &Value| {
            Some(NumberChange {
                number: text(value, "id")?,
                display: text(value, "display_phone_number"),
                quality: text(value, "quality_rating").map(Quality::from),
                tier: text(value, "messaging_limit_tier").map(|tier| plain_tier(&tier)),
                ..NumberChange::default()
            })
        };
        Ok(data.into_iter().flatten().filter_map(read).collect())
    }

    /// Creates a template. Its status and category are what Meta says.
    ///
    /// # Errors
    /// When Meta refuses it or does not answer; it is not tried twice.
    pub async fn create(&self, definition: &Definition) -> Result<TemplateChange, SyncError> {
        let request = self
            .client
            .request(Method::POST, self.address("message_templates")?)
            .bearer_auth(self.token.expose_secret())
            .json(&definition.creation());
        let made = answer(request.send().await.map_err(unreachable)?).await?;
        let text = |name: &str| made.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(TemplateChange {
            name: definition.name.clone(),
            language: definition.language.clone(),
            external_id: text("id"),
            status: Some(text("status").map_or(TemplateStatus::Pending, TemplateStatus::from)),
            category: Some(
                text("category").map_or(definition.category.clone(), TemplateCategory::from),
            ),
            ..TemplateChange::default()
        })
    }

    /// Brings Meta's templates up to ours: creates what is missing and reports what differs. Also what the
    /// store is to keep.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub async fn sync(
        &self,
        definitions: &[Definition],
    ) -> Result<(SyncReport, Vec<TemplateChange>), SyncError> {
        let there = self.list().await?;
        let mut report = SyncReport::default();
        let mut changes: Vec<TemplateChange> =
            there.iter().map(|remote| remote.change.clone()).collect();
        for definition in definitions {
            let remote = there.iter().find(|remote| remote.is(definition));
            let synced = match remote {
                Some(remote) => remote.compared(definition),
                None => match self.create(definition).await {
                    Ok(change) => {
                        let synced = Synced::of(&change, "created", None);
                        changes.push(change);
                        synced
                    }
                    Err(error @ SyncError::Unreachable(_)) => return Err(error),
                    Err(error) => Synced {
                        name: definition.name.clone(),
                        language: definition.language.clone(),
                        outcome: "failed",
                        status: None,
                        note: Some(error.to_string()),
                    },
                },
            };
            report.templates.push(synced);
        }
        let others = there
            .iter()
            .filter(|remote| !definitions.iter().any(|definition| remote.is(definition)));
        report
            .templates
            .extend(others.map(|remote| Synced::of(&remote.change, "only_at_meta", None)));
        Ok((report, changes))
    }

    fn address(&self, edge: &str) -> Result<Url, SyncError> {
        let mut address = self.graph.clone();
        address
            .path_segments_mut()
            .map_err(|()| {
                SyncError::Configuration("`whatsapp.graph_url` takes no path".to_owned())
            })?
            .pop_if_empty()
            .extend([self.account.as_str(), edge]);
        Ok(address)
    }

    /// Reads, again after a pause while the API is away.
    async fn read(&self, edge: &str, query: &[(&str, &str)]) -> Result<Value, SyncError> {
        let mut address = self.address(edge)?;
        address.query_pairs_mut().extend_pairs(query);
        let mut tries = 1;
        loop {
            let request = self
                .client
                .get(address.clone())
                .bearer_auth(self.token.expose_secret());
            let read = match request.send().await {
                Ok(response) => answer(response).await,
                Err(error) => Err(unreachable(error)),
            };
            match read {
                Err(SyncError::Unreachable(_)) if tries < TRIES => {
                    tokio::time::sleep(PAUSE * tries).await;
                    tries += 1;
                }
                other => return other,
            }
        }
    }
}

fn unreachable(error: reqwest::Error) -> SyncError {
    SyncError::Unreachable(error.without_url().to_string())
}

async fn answer(response: Response) -> Result<Value, SyncError> {
    let status = response.status();
    let body = response.bytes().await.map_err(unreachable)?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if let Some(error) = body.get("error") {
        let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        let code = error
            .get("code")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        // About a template these words are Meta's own and quote no customer.
        let said = match text("error_user_msg") {
            "" => text("message"),
            said => said,
        };
        return Err(SyncError::Refused(format!("code {code}: {said}")));
    }
    if status.is_success() {
        Ok(body)
    } else if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        Err(SyncError::Unreachable(format!("it answered {status}")))
    } else {
        Err(SyncError::Refused(format!("it answered {status}")))
    }
}

impl RemoteTemplate {
    fn read(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let quality = value
            .pointer("/quality_score/score")
            .and_then(Value::as_str);
        Some(Self {
            change: TemplateChange {
                name: text("name")?,
                language: template_language(&text("language")?),
                external_id: text("id"),
                status: text("status").map(TemplateStatus::from),
                category: text("category").map(TemplateCategory::from),
                quality: quality.map(|score| Quality::from(score.to_owned())),
                reason: text("rejected_reason").filter(|reason| reason != "NONE"),
            },
            components: value.get("components").cloned().unwrap_or_default(),
        })
    }

    fn is(&self, definition: &Definition) -> bool {
        self.change.name == definition.name && self.change.language == definition.language
    }

    fn compared(&self, definition: &Definition) -> Synced {
        let mut differs = Vec::new();
        if self.change.category.as_ref() != Some(&definition.category) {
            let theirs = self
                .change
                .category
                .as_ref()
                .map_or("none", TemplateCategory::name);
            differs.push(format!("the category is {theirs} at Meta"));
        }
        let ours = Value::Array(definition.components());
        for (part, mine) in shape(&ours) {
            let theirs = shape(&self.components)
                .into_iter()
                .find(|(name, _)| *name == part);
            if theirs.is_none_or(|(_, theirs)| theirs != mine) {
                differs.push(format!("{part} is written otherwise at Meta"));
            }
        }
        if shape(&self.components).len() > shape(&ours).len() {
            differs.push("there is more of it at Meta".to_owned());
        }
        if differs.is_empty() {
            Synced::of(&self.change, "same", None)
        } else {
            Synced::of(&self.change, "different", Some(differs.join("; ")))
        }
    }
}

/// The words of each component, without the examples that Meta may leave out.
fn shape(components: &Value) -> Vec<(String, Value)> {
    let part = |component: &Value| {
        let name = component.get("type")?.as_str()?.to_uppercase();
        let buttons = component.get("buttons").and_then(Value::as_array);
        let buttons: Vec<Value> = buttons
            .into_iter()
            .flatten()
            .map(|button| {
                json!([
                    button["type"],
                    button["text"],
                    button["url"],
                    button["phone_number"]
                ])
            })
            .collect();
        Some((
            name,
            json!([component["format"], component["text"], buttons]),
        ))
    };
    let components = components.as_array();
    components.into_iter().flatten().filter_map(part).collect()
}

impl Synced {
    fn of(change: &TemplateChange, outcome: &'static str, note: Option<String>) -> Self {
        Self {
            name: change.name.clone(),
            language: change.language.clone(),
            outcome,
            status: change.status.clone(),
            note,
        }
    }
}
