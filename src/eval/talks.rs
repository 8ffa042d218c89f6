//! Conversations of a suite, as they go through the same door, worker and store as a customer's.

use serde_json::Value;

use super::case::{ConversationCase, Turn, Words};
use super::cassette::CaseBook;
use super::manners::Manners;
use super::observed::{Talked, TurnSeen};
use crate::app::{App, Said, Talk};
use crate::domain::{
    Answer, ConversationId, Holder, InboundContent, Outcome, PaymentId, Speaker, TurnTrace,
};
use crate::store::{DeskConversation, StoreError};

/// More of a conversation than this is not read back.
const MESSAGES: i64 = 200;

/// A conversation of an evaluation. Every one is a customer of its own.
pub struct Conversation<'a> {
    app: &'a App,
    session: String,
    phone: Option<&'a str>,
    id: Option<ConversationId>,
    /// Told what differs from run to run.
    book: Option<&'a CaseBook>,
    /// The payment link shown last.
    link: Option<String>,
    manners: Manners<'a>,
    talked: Talked,
    /// What the store had after the last turn.
    kept: Result<Option<DeskConversation>, StoreError>,
}

/// Runs a scripted conversation. `session` names its customer.
pub async fn conversation(
    app: &App,
    case: &ConversationCase,
    session: String,
    book: Option<&CaseBook>,
) -> Talked {
    let mut talk = Conversation::new(app, session, case.phone.as_deref());
    talk.book = book;
    for turn in &case.turns {
        let went = if turn.paid {
            talk.pay().await
        } else {
            talk.say(&turn.say.texts(), content(turn)).await
        };
        if !went {
            break;
        }
    }
    talk.end()
}

/// Runs a conversation of texts only.
pub async fn texts(
    app: &App,
    phone: Option<&str>,
    said: impl Iterator<Item = &Words>,
    session: String,
) -> Talked {
    let mut talk = Conversation::new(app, session, phone);
    for words in said {
        if !talk.say_texts(&words.texts()).await {
            break;
        }
    }
    talk.end()
}

impl<'a> Conversation<'a> {
    /// One that begins.
    pub fn new(app: &'a App, session: String, phone: Option<&'a str>) -> Self {
        Self {
            app,
            session,
            phone,
            id: None,
            book: None,
            link: None,
            manners: Manners::new(app),
            talked: Talked::default(),
            kept: Ok(None),
        }
    }

    /// Says texts as a burst. False when the conversation broke off.
    pub async fn say_texts(&mut self, texts: &[String]) -> bool {
        let content = texts.iter().cloned();
        let content = content.map(|text| InboundContent::Text { text }).collect();
        self.say(texts, content).await
    }

    /// What was seen so far.
    pub fn talked(&self) -> &Talked {
        &self.talked
    }

    async fn say(&mut self, texts: &[String], content: Vec<InboundContent>) -> bool {
        let talk = Talk {
            session: self.session.clone(),
            phone: self.phone.map(str::to_owned),
            content,
        };
        let said = self.app.talk(talk).await.map_err(text);
        if let Ok(said) = &said {
            self.id = Some(said.conversation.clone());
        }
        self.take(texts, said, false).await
    }

    async fn pay(&mut self) -> bool {
        let paid = self.paid().await;
        let said = paid.map(|(said, order)| {
            if let Some(book) = self.book {
                book.fresh(&said.conversation, &order);
            }
            self.talked.orders.push(order);
            said
        });
        self.take(&[], said, true).await
    }

    /// Keeps a turn. `notice` is an answer that no turn made.
    async fn take(&mut self, texts: &[String], said: Result<Said, String>, notice: bool) -> bool {
        if let Some(id) = &self.id {
            self.kept = self.app.store.desk_conversation(id).await;
        }
        let said = match said {
            Ok(said) => said,
            Err(fault) => {
                self.talked.broke_off = Some(fault);
                return false;
            }
        };
        let mut manners = self.manners.faults(texts, &said, notice);
        manners.extend(self.priced(&said).await);
        let tickets = if let Ok(Some(kept)) = &self.kept {
            kept.tickets.len()
        } else {
            0
        };
        let link = said
            .outcome
            .answer()
            .and_then(|answer| answer.payment.as_ref())
            .map(|payment| payment.id.to_string());
        self.talked.turns.push(TurnSeen {
            customer: texts.to_vec(),
            milliseconds: said.trace.milliseconds,
            outcome: said.outcome,
            trace: TurnTrace {
                milliseconds: 0,
                ..said.trace
            },
            holder: said.holder,
            tickets,
            link_before: self.link.clone(),
            manners,
            judged: None,
        });
        if link.is_some() {
            self.link = link;
        }
        true
    }

    /// The whole conversation, with what the store has of it.
    pub fn end(mut self) -> Talked {
        match self.kept.map(serde_json::to_value) {
            Ok(Ok(state)) => self.talked.state = state,
            Ok(Err(error)) => self.talked.broke_off = Some(error.to_string()),
            Err(error) => self.talked.broke_off = Some(error.to_string()),
        }
        if self.talked.state == Value::Null && self.talked.broke_off.is_none() {
            self.talked.broke_off = Some("the conversation cannot be read back".to_owned());
        }
        self.talked.conversation = self.id;
        self.talked
    }

    /// Pays the link shown last the way the demo's page does. Providers repeat themselves, so it is said
    /// twice; the customer must read of it once. Answers the order's number, too.
    async fn paid(&self) -> Result<(Said, String), String> {
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
        let said = Said {
            conversation,
            outcome: Outcome::Answered {
                answer: thanks,
                awaiting: None,
            },
            trace: TurnTrace::default(),
            holder: Holder::Agent,
        };
        Ok((said, order.as_str().to_owned()))
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
