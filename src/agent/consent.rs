//! What the customer's own words ask for. A model changes something only within that, whatever it has read: a text of
//! the shop, a tool's result or a clever message may give orders, but only the customer's wish carries them out. Pure.

use crate::domain::{History, InboundContent, Intent, Polarity, Speaker};
use crate::ports::Request;
use crate::tools::ToolError;

/// From this score on, an intent that is not the best one counts too: whoever may want it is not asked twice.
const PERHAPS: f32 = 0.15;
/// Intents of those who want to pay.
const PAYING: [&str; 1] = ["buy"];
/// Intents of those who want a colleague to do something.
const REPORTING: [&str; 6] = [
    "complaint",
    "damaged_item",
    "human",
    "order_change",
    "return_refund",
    "warranty_repair",
];

/// What the customer's own words ask for in this turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wishes {
    payment: bool,
    ticket: bool,
}

impl Wishes {
    /// Reads them: from what is asked now, from a button of ours, from a yes to the agent, or from an answer to the
    /// agent's question about what was asked before.
    pub fn of(messages: &[InboundContent], requests: &[Request], history: &History) -> Self {
        let last = history.entries.last();
        let asked = last.filter(|entry| entry.speaker == Speaker::Agent);
        let tapped = messages
            .iter()
            .any(|content| matches!(content, InboundContent::Choice { .. }));
        let agreed = asked.is_some() && requests.iter().any(|request| means(request, &["confirm"]));
        let goes_on = asked.is_some_and(|entry| entry.awaiting.is_some() || entry.text.contains('?'));
        let before = history
            .entries
            .iter()
            .rev()
            .find_map(|entry| entry.intent.as_deref())
            .filter(|_| goes_on);
        let offered = asked
            .and_then(|entry| entry.awaiting.as_deref())
            .and_then(|awaiting| awaiting.split(':').next());
        let wants = |intents: &[&str]| {
            tapped
                || agreed
                || before.is_some_and(|intent| intents.contains(&intent))
                || requests.iter().any(|request| means(request, intents))
        };
        let unhappy = |request: &Request| request.triage.sentiment.label == Polarity::Negative;
        Self {
            payment: wants(&PAYING) || matches!(offered, Some("basket" | "choose")),
            ticket: wants(&REPORTING)
                || offered == Some("ticket_order")
                || requests.iter().any(unhappy),
        }
    }

    /// Whether a tool may run.
    ///
    /// # Errors
    /// [`ToolError::NotAllowed`], with what the model is to do instead.
    pub fn allow(self, tool: &str) -> Result<(), ToolError> {
        let allowed = match tool {
            "payment_link" => self.payment,
            "open_ticket" => self.ticket,
            _ => true,
        };
        if allowed {
            return Ok(());
        }
        Err(ToolError::NotAllowed(
            "The customer has not asked for this in their own words. Ask whether they want it, and call again when \
             they say yes."
                .to_owned(),
        ))
    }
}

fn means(request: &Request, intents: &[&str]) -> bool {
    let Intent {
        name,
        in_scope,
        runners_up,
        ..
    } = &request.triage.intent;
    let perhaps = runners_up
        .iter()
        .any(|(name, score)| *score >= PERHAPS && intents.contains(&name.as_str()));
    (*in_scope && intents.contains(&name.as_str())) || perhaps
}
