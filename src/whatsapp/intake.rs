//! From the bytes of a delivery to what the store takes: which item is ours, and what cannot be worked on.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::webhook::{self, Item, ItemKind, Malformed, Status, StatusKind};
use super::{notices, rates};
use crate::config;
use crate::domain::ErrorClass;
use crate::store::{
    Arrival, ArrivalItem, Delivered, Event, Intake, NewDeadLetter, Patience, ReadItem, WaitingItem,
};

/// Sorts deliveries.
#[derive(Debug, Clone)]
pub struct Sorter {
    /// Our numbers, each with its portfolio; without any, every number is ours.
    numbers: HashMap<String, String>,
    ours: Vec<String>,
    rates: config::Rates,
    debounce: i64,
    patience: Patience,
}

impl Sorter {
    /// Sorts for the configured numbers. `debounce` is the milliseconds to wait for more of a burst.
    #[must_use]
    pub fn new(whatsapp: &config::Whatsapp, debounce: i64, patience: Patience) -> Self {
        let several = whatsapp.numbers.iter().map(|number| {
            let portfolio = number.portfolio_id.clone().unwrap_or_default();
            (number.phone_number_id.clone(), portfolio)
        });
        let short = whatsapp.phone_number_id.clone();
        let mut numbers: HashMap<String, String> = short
            .map(|number| (number, String::new()))
            .into_iter()
            .collect();
        numbers.extend(several);
        Self {
            ours: numbers.keys().cloned().collect(),
            numbers,
            rates: whatsapp.rates.clone(),
            debounce,
            patience,
        }
    }

    /// A delivery as it is stored before it is acknowledged: the body, and each of its items alone.
    #[must_use]
    pub fn arrival(&self, body: &[u8]) -> Arrival {
        match webhook::parse(body) {
            Ok(delivery) => Arrival {
                fault: delivery.items.iter().find_map(|item| self.fault(item)),
                body: delivery.body,
                items: delivery
                    .items
                    .into_iter()
                    .map(|item| ArrivalItem {
                        recipient: item.phone_number_id.unwrap_or_default(),
                        key: item.key,
                        body: item.raw.to_string(),
                    })
                    .collect(),
                letter: None,
            },
            Err(malformed) => {
                let letter = unreadable(malformed);
                Arrival {
                    body: letter.body.clone(),
                    fault: Some(letter.reason.clone()),
                    items: Vec::new(),
                    letter: Some(letter),
                }
            }
        }
    }

    /// What a delivery brings. One that is not JSON, and every item that is not ours or cannot be read,
    /// becomes a dead letter; the others are not touched by it.
    #[must_use]
    pub fn intake(&self, body: &[u8]) -> Intake {
        let mut intake = Intake {
            patience: self.patience,
            ..Intake::default()
        };
        match webhook::parse(body) {
            Ok(delivery) => {
                for item in delivery.items {
                    self.sort(item, &mut intake);
                }
            }
            Err(malformed) => intake.dead_letters.push(unreadable(malformed)),
        }
        intake
    }

    /// What items bring that were stored before.
    #[must_use]
    pub fn read(&self, waiting: &[WaitingItem]) -> Vec<ReadItem> {
        let read = |item: &WaitingItem| ReadItem {
            id: item.id.clone(),
            received_at: item.received_at,
            intake: self.intake(item.body.as_bytes()),
        };
        waiting.iter().map(read).collect()
    }

    /// Why an item cannot be worked on.
    fn fault(&self, item: &Item) -> Option<String> {
        let recipient = item.phone_number_id.as_deref().unwrap_or_default();
        let is_ours =
            recipient.is_empty() || self.numbers.is_empty() || self.numbers.contains_key(recipient);
        if !is_ours {
            return Some("a number that is not in the configuration".to_owned());
        }
        match &item.kind {
            ItemKind::Unparsable { reason } => Some(reason.clone()),
            ItemKind::Message(_) | ItemKind::Status(_) | ItemKind::Other { .. } => None,
        }
    }

    fn sort(&self, item: Item, intake: &mut Intake) {
        let recipient = item.phone_number_id.clone().unwrap_or_default();
        if let Some(reason) = self.fault(&item) {
            intake.dead_letters.push(NewDeadLetter {
                recipient,
                key: item.key,
                reason,
                body: item.raw.to_string(),
            });
            return;
        }
        let portfolio = self.numbers.get(&recipient);
        let notice = notices::notice(&item, &self.ours);
        let noticed = notice.is_some();
        intake.notices.extend(notice);
        let customer = match &item.kind {
            ItemKind::Status(status) if !status.errors.is_empty() => item.status_addresses(),
            ItemKind::Status(_)
            | ItemKind::Message(_)
            | ItemKind::Other { .. }
            | ItemKind::Unparsable { .. } => Vec::new(),
        };
        match item.kind {
            ItemKind::Message(mut inbound) => {
                inbound.about.portfolio = portfolio.cloned().unwrap_or_default();
                intake.messages.push((*inbound, self.debounce));
            }
            ItemKind::Status(ref status) => intake.deliveries.push(Delivered {
                recipient,
                key: item.key,
                external_id: status.wamid.clone(),
                outbox_id: status.outbox_id.as_ref().map(|id| id.0.clone()),
                status: status.status.name().to_owned(),
                failure: failure(status),
                customer,
                priced: status
                    .pricing
                    .as_ref()
                    .map(|pricing| rates::priced(&self.rates, pricing)),
                body: item.raw.to_string(),
            }),
            // It is kept with what it changes.
            ItemKind::Other { .. } if noticed => {}
            ItemKind::Other { ref field } => intake.events.push(Event {
                recipient,
                key: item.key,
                kind: field.clone(),
                body: item.raw.to_string(),
            }),
            // It has a fault.
            ItemKind::Unparsable { .. } => {}
        }
    }
}

/// Why a message failed: the first error counts.
fn failure(status: &Status) -> Option<(ErrorClass, i64)> {
    let error = status.errors.first()?;
    (status.status == StatusKind::Failed).then(|| (ErrorClass::of(error.code), error.code))
}

fn unreadable(malformed: Malformed) -> NewDeadLetter {
    let digest = Sha256::digest(malformed.body.as_bytes());
    NewDeadLetter {
        recipient: String::new(),
        key: format!("body:{}", hex::encode(&digest[..16])),
        reason: format!("not JSON: {}", malformed.reason),
        body: malformed.body,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sorter(numbers: &[&str]) -> Sorter {
        let config = config::Whatsapp {
            phone_number_id: numbers.first().map(|number| (*number).to_owned()),
            ..config::Whatsapp::default()
        };
        Sorter::new(&config, 0, Patience::default())
    }

    fn body(number: &str) -> Vec<u8> {
        json!({ "entry": [{ "changes": [{ "field": "messages", "value": {
            "metadata": { "phone_number_id": number },
            "messages": [{ "from": "393331234567", "id": "wamid.1", "type": "text", "text": { "body": "x" } }, 7],
        } }] }] })
        .to_string()
        .into_bytes()
    }

    #[test]
    fn what_is_not_ours_or_not_readable_is_a_dead_letter_and_costs_no_neighbour() {
        let sorted = |numbers: &[&str]| {
            let intake = sorter(numbers).intake(&body("1"));
            let reasons = intake.dead_letters.iter();
            let reasons: Vec<String> = reasons.map(|letter| letter.reason.clone()).collect();
            (intake.messages.len(), reasons)
        };
        let odd = "a message that is no object".to_owned();
        assert_eq!(sorted(&["1"]), (1, vec![odd.clone()]));
        assert_eq!(sorted(&[]), (1, vec![odd]));
        let (messages, reasons) = sorted(&["2"]);
        assert_eq!((messages, reasons.len()), (0, 2));
        assert!(reasons[0].contains("not in the configuration"));
    }

    #[test]
    fn a_letter_opens_as_the_item_that_it_holds() {
        let buried = sorter(&["2"]).intake(&body("1"));
        let letter = buried.dead_letters[0].clone();
        let opened = sorter(&["1"]).intake(letter.body.as_bytes());
        assert_eq!(opened.messages.len(), 1);
        assert_eq!(opened.messages[0].0.external_id, letter.key);
        assert!(opened.dead_letters.is_empty());
    }

    #[test]
    fn a_body_that_is_no_json_is_one_letter_however_often_it_comes() {
        let sorter = sorter(&["1"]);
        let (one, two) = (sorter.intake(b"{"), sorter.intake(b"{"));
        assert_eq!(one.dead_letters, two.dead_letters);
        assert!(one.dead_letters[0].reason.starts_with("not JSON"));
        assert_ne!(one.dead_letters, sorter.intake(b"[").dead_letters);
    }
}
