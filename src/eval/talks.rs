//! Conversations of a suite: said, paid and judged turn by turn.

use uuid::Uuid;

use super::case::{ConversationCase, Expect, Kind, Turn};
use super::judge::judge;
use super::manners::Manners;
use super::report::CaseResult;
use crate::app::{App, Said, Talk};
use crate::domain::{
    Answer, ConversationId, Holder, InboundContent, Outcome, PaymentId, Speaker, TurnTrace,
};

/// More of a conversation than this is not read back.
const MESSAGES: i64 = 200;

/// Runs a conversation. Every one is a customer of its own.
pub async fn conversation(app: &App, case: &ConversationCase) -> CaseResult {
    let session = format!("eval-{}", Uuid::now_v7().simple());
    let mut faults = Vec::new();
    let mut talk = Conversation {
        app,
        id: None,
        link: None,
        manners: Manners::new(app),
    };
    for (number, turn) in (1..).zip(&case.turns) {
        let said = if turn.paid {
            talk.paid().await
        } else {
            talk.said(&session, case.phone.as_deref(), turn).await
        };
        let said = match said {
            Ok(said) => said,
            Err(fault) => {
                faults.push(format!("turn {number}: {fault}"));
                break;
            }
        };
        let mut found = judge(&turn.expect, &said, talk.link.as_deref());
        found.extend(talk.manners.faults(&turn.say.texts(), &said, turn.paid));
        found.extend(talk.stored(&turn.expect, &said).await);
        found.extend(talk.priced(&said).await);
        if !found.is_empty() {
            let text = said.outcome.answer().map_or("", |answer| &answer.text);
            let found = found.into_iter();
            faults.extend(found.map(|fault| format!("turn {number}: {fault}")));
            faults.push(format!("turn {number} said: {}", text.replace('\n', " / ")));
        }
        let answer = said.outcome.answer();
        if let Some(payment) = answer.and_then(|answer| answer.payment.as_ref()) {
            talk.link = Some(payment.id.to_string());
        }
    }
    CaseResult {
        kind: Kind::Conversation,
        case: case.id.clone(),
        language: case.language,
        expected: None,
        got: None,
        passed: faults.is_empty(),
        faults,
    }
}

struct Conversation<'a> {
    app: &'a App,
    id: Option<ConversationId>,
    /// The payment link shown last.
    link: Option<String>,
    manners: Manners<'a>,
}

impl Conversation<'_> {
    async fn said(
        &mut self,
        session: &str,
        phone: Option<&str>,
        turn: &Turn,
    ) -> Result<Said, String> {
        let talk = Talk {
            session: session.to_owned(),
            phone: phone.map(str::to_owned),
            content: content(turn),
        };
        let said = self.app.talk(talk).await.map_err(text)?;
        self.id = Some(said.conversation.clone());
        Ok(said)
    }

    /// Pays the link shown last the way the demo's page does. Providers repeat themselves, so it is said
    /// twice; the customer must read of it once.
    async fn paid(&mut self) -> Result<Said, String> {
        let (Some(conversation), Some(link)) = (self.id.clone(), self.link.clone()) else {
            return Err("there is no payment link to pay".to_owned());
        };
        let before = self.answers(&conversation).await?.len();
        let link = PaymentId::from(link);
        let mut order = None;
        for _ in 0..2 {
            let paid = self.app.paid(link.clone(), None).await.map_err(text)?;
            order = paid.and_then(|paid| paid.link.order);
        }
        let mut answers = self.answers(&conversation).await?;
        let thanks = match (answers.len().checked_sub(before), answers.pop()) {
            (Some(1), Some(thanks)) => thanks,
            (new, _) => return Err(format!("the payment was answered {new:?} times")),
        };
        let order = order.ok_or("the payment made no order")?;
        if !thanks.text.contains(order.as_str()) {
            return Err(format!("the order {order} is not named: {}", thanks.text));
        }
        Ok(Said {
            conversation,
            outcome: Outcome::Answered {
                answer: thanks,
                awaiting: None,
            },
            trace: TurnTrace::default(),
            holder: Holder::Agent,
        })
    }

    /// What the agent said so far.
    async fn answers(&self, conversation: &ConversationId) -> Result<Vec<Answer>, String> {
        let store = &self.app.store;
        let messages = store.transcript(conversation, "", MESSAGES).await;
        let by_agent = messages
            .map_err(text)?
            .into_iter()
            .filter(|message| message.speaker == Speaker::Agent);
        Ok(by_agent.filter_map(|message| message.answer).collect())
    }

    /// What the store must have of the conversation, and what it must not.
    async fn stored(&self, expect: &Expect, said: &Said) -> Vec<String> {
        let mut faults = Vec::new();
        let store = &self.app.store;
        let Ok(Some(kept)) = store.desk_conversation(&said.conversation).await else {
            return vec!["the conversation cannot be read back".to_owned()];
        };
        if let Some(tickets) = expect.tickets
            && kept.tickets.len() != tickets
        {
            faults.push(format!("there are {} tickets", kept.tickets.len()));
        }
        if expect.not_stored.is_empty() {
            return faults;
        }
        let turns = store.turns(&said.conversation, MESSAGES).await;
        let turns: Vec<_> = turns.into_iter().flatten().collect();
        let turns: Vec<_> = turns
            .iter()
            .map(|turn| (&turn.outcome, &turn.trace))
            .collect();
        match serde_json::to_string(&(&kept, turns)) {
            Ok(all) => {
                let found = expect.not_stored.iter().filter(|word| all.contains(*word));
                faults.extend(found.map(|word| format!("`{word}` is stored")));
            }
            Err(error) => faults.push(error.to_string()),
        }
        faults
    }

    /// Whether a payment link asks for what the catalog says.
    async fn priced(&self, said: &Said) -> Vec<String> {
        let answer = said.outcome.answer();
        let Some(payment) = answer.and_then(|answer| answer.payment.as_ref()) else {
            return Vec::new();
        };
        let Ok(Some(link)) = self.app.store.payment(&payment.id).await else {
            return vec!["the payment link is not in the store".to_owned()];
        };
        let knowledge = self.app.knowledge.load();
        let sum: Option<i64> = link
            .lines
            .iter()
            .map(|line| {
                let price = knowledge.product(&line.product_id)?.price;
                Some(price.times(line.quantity)?.minor)
            })
            .sum();
        let right = sum == Some(link.total.minor) && link.total == payment.total;
        let fault = || format!("the link asks for {}, not {sum:?}", payment.total.minor);
        (!right).then(fault).into_iter().collect()
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn content(turn: &Turn) -> Vec<InboundContent> {
    let texts = turn.say.texts().into_iter();
    let tapped = turn.choice.iter().map(|tap| InboundContent::Choice {
        id: tap.id.clone(),
        title: tap.title.clone(),
    });
    texts
        .map(|text| InboundContent::Text { text })
        .chain(tapped)
        .collect()
}
