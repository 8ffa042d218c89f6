//! What a run may spend, what it spent, and who refuses when it is spent.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::Serialize;

use crate::ports::{ChatModel, ModelError, ModelMessage, ModelReply, ModelRequest};

/// Prices are per so many tokens.
const PER: f64 = 1_000_000.0;
/// Characters of a token, for endpoints that do not tell how many they counted.
const TOKEN: usize = 4;

/// What a model costs per million tokens, in whatever currency `--max-cost` is.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// The model, by its name in reports or by the part of it before the host.
    pub model: String,
    /// Tokens read.
    pub input: f64,
    /// Tokens written.
    pub output: f64,
}

impl FromStr for Price {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || {
            format!(
                "`{text}` is no price; write `NAME=IN/OUT`, what a million tokens read and written cost, for example `gpt-5-mini=0.25/2`"
            )
        };
        let (model, prices) = text.rsplit_once('=').ok_or_else(form)?;
        let (input, output) = prices.split_once('/').ok_or_else(form)?;
        let number = |text: &str| {
            let number = text.trim().parse::<f64>().ok();
            number.filter(|number| number.is_finite() && *number >= 0.0)
        };
        match (number(input), number(output)) {
            (Some(input), Some(output)) if !model.trim().is_empty() => Ok(Self {
                model: model.trim().to_owned(),
                input,
                output,
            }),
            _ => Err(form()),
        }
    }
}

/// What a run may spend, over all its models. Calls that are under way when it is spent are finished, so that a little
/// more may be spent.
#[derive(Debug, Default)]
pub struct Budget {
    /// Tokens read and written.
    pub max_tokens: Option<u64>,
    /// Money, in the currency of the prices.
    pub max_cost: Option<f64>,
    /// The prices.
    pub prices: Vec<Price>,
    ledger: Mutex<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    models: BTreeMap<String, Spent>,
    refused: bool,
}

/// What a model was asked and what that cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Spent {
    /// Its name.
    pub model: String,
    /// Calls that were answered.
    pub calls: u64,
    /// Calls that failed after all tries; they may have cost something that nobody told.
    pub failed: u64,
    /// Why the last one failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// What they cost; none without a price.
    pub cost: Option<f64>,
}

impl Budget {
    /// A budget.
    #[must_use]
    pub fn new(max_tokens: Option<u64>, max_cost: Option<f64>, prices: Vec<Price>) -> Self {
        Self {
            max_tokens,
            max_cost,
            prices,
            ledger: Mutex::default(),
        }
    }

    /// What is spent, by model.
    #[must_use]
    pub fn spent(&self) -> Vec<Spent> {
        self.ledger().models.values().cloned().collect()
    }

    /// Whether a call was refused because the budget is spent: then the run is not complete.
    #[must_use]
    pub fn refused(&self) -> bool {
        self.ledger().refused
    }

    /// Which limit is reached, and what was spent; none while there is something left.
    #[must_use]
    pub fn exhausted(&self) -> Option<String> {
        self.limit_reached(&self.ledger())
    }

    /// Whether a model has a price.
    #[must_use]
    pub fn has_price(&self, model: &str) -> bool {
        self.price(model).is_some()
    }

    fn limit_reached(&self, ledger: &Ledger) -> Option<String> {
        let tokens: u64 = ledger
            .models
            .values()
            .map(|spent| spent.input_tokens.saturating_add(spent.output_tokens))
            .fold(0, u64::saturating_add);
        if let Some(limit) = self.max_tokens.filter(|limit| tokens >= *limit) {
            return Some(format!("{tokens} tokens of {limit}"));
        }
        let cost: f64 = ledger.models.values().filter_map(|spent| spent.cost).sum();
        let limit = self.max_cost.filter(|limit| cost >= *limit)?;
        Some(format!("{cost:.4} of {limit}"))
    }

    fn price(&self, model: &str) -> Option<&Price> {
        let short = model.rsplit_once('@').map_or(model, |(short, _)| short);
        let named = |name: &str| self.prices.iter().find(|price| price.model == name);
        named(model).or_else(|| named(short))
    }

    fn admit(&self) -> Result<(), ModelError> {
        let mut ledger = self.ledger();
        match self.limit_reached(&ledger) {
            None => Ok(()),
            Some(reached) => {
                ledger.refused = true;
                Err(ModelError::Spent(reached))
            }
        }
    }

    fn note(&self, model: &str, reply: Result<(u64, u64), String>) {
        let mut ledger = self.ledger();
        let spent = ledger.models.entry(model.to_owned()).or_default();
        model.clone_into(&mut spent.model);
        match reply {
            Ok((input, output)) => {
                spent.calls += 1;
                spent.input_tokens = spent.input_tokens.saturating_add(input);
                spent.output_tokens = spent.output_tokens.saturating_add(output);
            }
            Err(failure) => {
                spent.failed += 1;
                spent.failure = Some(failure);
            }
        }
        let price = self.price(model);
        spent.cost = price.map(|price| {
            price.input * number(spent.input_tokens) / PER
                + price.output * number(spent.output_tokens) / PER
        });
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A chat model that is paid from a budget.
pub struct Metered {
    inner: Arc<dyn ChatModel>,
    name: String,
    budget: Arc<Budget>,
}

impl Metered {
    /// A model that is paid from a budget, by its name in reports.
    #[must_use]
    pub fn new(inner: Arc<dyn ChatModel>, name: String, budget: Arc<Budget>) -> Self {
        Self {
            inner,
            name,
            budget,
        }
    }
}

#[async_trait]
impl ChatModel for Metered {
    fn id(&self) -> &str {
        self.inner.id()
    }

    async fn complete(&self, request: &ModelRequest) -> Result<ModelReply, ModelError> {
        self.budget.admit()?;
        let reply = self.inner.complete(request).await;
        let counted = match &reply {
            Ok(reply) => Ok(tokens(request, reply)),
            Err(error) => Err(error.to_string()),
        };
        self.budget.note(&self.name, counted);
        reply
    }
}

/// Tokens read and written: as told, else about as many as there must be.
fn tokens(request: &ModelRequest, reply: &ModelReply) -> (u64, u64) {
    if reply.input_tokens > 0 || reply.output_tokens > 0 {
        return (reply.input_tokens, reply.output_tokens);
    }
    let read = request.messages.iter().map(|message| match message {
        ModelMessage::System(text) | ModelMessage::User(text) => text.len(),
        ModelMessage::Assistant { text, .. } => text.len(),
        ModelMessage::Tool { content, .. } => content.len(),
    });
    let offered = request
        .tools
        .iter()
        .map(|tool| tool.description.len() + tool.input_schema.to_string().len());
    let called = reply
        .calls
        .iter()
        .map(|call| call.arguments.to_string().len());
    let about = |characters: usize| u64::try_from(characters.div_ceil(TOKEN)).unwrap_or(u64::MAX);
    (
        about(read.chain(offered).sum()),
        about(reply.text.len() + called.sum::<usize>()),
    )
}

#[expect(clippy::cast_precision_loss, reason = "no run reads 2^53 tokens")]
fn number(tokens: u64) -> f64 {
    tokens as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::models::pace::tests::{Fixed, request};

    fn metered(budget: &Arc<Budget>, name: &str) -> Metered {
        Metered::new(
            Arc::new(Fixed::default()),
            name.to_owned(),
            Arc::clone(budget),
        )
    }

    #[tokio::test]
    async fn calls_are_refused_once_the_tokens_are_spent_and_nobody_stands_in() {
        let budget = Arc::new(Budget::new(Some(240), None, Vec::new()));
        let (one, other) = (metered(&budget, "one@host"), metered(&budget, "other@host"));
        one.complete(&request()).await.unwrap();
        assert!(!budget.refused() && budget.exhausted().is_none());
        other.complete(&request()).await.unwrap();
        assert_eq!(budget.exhausted().as_deref(), Some("240 tokens of 240"));
        let error = one.complete(&request()).await.unwrap_err();
        assert!(matches!(&error, ModelError::Spent(_)) && !error.may_be_replaced());
        assert!(budget.refused());
        let spent = budget.spent();
        let counted: Vec<(&str, u64, u64)> = spent
            .iter()
            .map(|spent| (spent.model.as_str(), spent.calls, spent.input_tokens))
            .collect();
        assert_eq!(counted, [("one@host", 1, 100), ("other@host", 1, 100)]);
    }

    #[tokio::test]
    async fn money_is_counted_by_the_price_of_each_model() {
        let prices = ["one=10/100", "other@host=0/0"].map(|price| price.parse().unwrap());
        let budget = Arc::new(Budget::new(None, Some(0.006), prices.to_vec()));
        metered(&budget, "other@host")
            .complete(&request())
            .await
            .unwrap();
        let one = metered(&budget, "one@host");
        one.complete(&request()).await.unwrap();
        // 100 tokens read at 10 and 20 written at 100, each per million.
        assert_eq!(budget.spent()[0].cost, Some(0.003));
        one.complete(&request()).await.unwrap();
        assert!(one.complete(&request()).await.is_err());
        assert_eq!(budget.exhausted().as_deref(), Some("0.0060 of 0.006"));
        assert!(budget.has_price("other@host") && !budget.has_price("other@elsewhere"));
    }

    #[test]
    fn prices_are_read_or_explained() {
        let price: Price = "gpt-5-mini=0.25/2".parse().unwrap();
        assert_eq!(
            (price.model.as_str(), price.input, price.output),
            ("gpt-5-mini", 0.25, 2.0)
        );
        for text in ["gpt", "gpt=1", "=1/2", "gpt=1/x", "gpt=-1/2", "gpt=inf/1"] {
            assert!(
                text.parse::<Price>().unwrap_err().contains("NAME=IN/OUT"),
                "{text}"
            );
        }
    }
}
