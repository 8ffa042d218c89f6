//! A webhook's body as items, each parsed alone: one that cannot be read never costs its neighbours.

mod account;
mod content;
mod message;
mod status;

pub(super) use account::plain_tier;
pub use account::{
    AccountEvent, AccountUpdate, BanState, NumberEvent, Preference, PreferenceValue, Restriction,
    change,
};
pub use status::{Pricing, Status, StatusConversation, StatusError, StatusKind, StatusRecipient};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::domain::{Inbound, mask_cards, mask_cards_in_value};

/// What one POST brought. Card numbers are masked in all of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The body as it may be stored: the bytes received, or, when a card number was in them, JSON without it.
    pub body: String,
    /// How many card numbers and security codes were masked.
    pub masked: usize,
    /// Every item of every entry and change, in the order received.
    pub items: Vec<Item>,
}

/// A body that is not JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not JSON: {reason}")]
pub struct Malformed {
    /// Where reading stopped; quotes nothing of the body.
    pub reason: String,
    /// The body as it may be stored: card numbers masked, bytes that are no UTF-8 replaced.
    pub body: String,
}

/// One message, status or event.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Which number of ours it concerns; none for events of the account.
    pub phone_number_id: Option<String>,
    /// The same for the same item in every delivery: a message's id, a status's `id:status`, else `hash:…`.
    /// Unique together with the number.
    pub key: String,
    /// A body that holds only this item; parsing it again gives the same item.
    pub raw: Value,
    /// What it is.
    pub kind: ItemKind,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq)]
pub enum ItemKind {
    /// A message of a customer, or a notice about one.
    Message(Box<Inbound>),
    /// What became of a message of ours.
    Status(Box<Status>),
    /// An event that is only kept, for example `account_update`.
    Other {
        /// The list it came from, else the change's field.
        field: String,
    },
    /// Something that has not the shape it should have.
    Unparsable {
        /// What is wrong; quotes nothing of the item.
        reason: String,
    },
}

impl Item {
    /// What the item says of the account or of a customer's wishes.
    #[must_use]
    pub fn account_event(&self) -> AccountEvent {
        let ItemKind::Other { field } = &self.kind else {
            return AccountEvent::Unknown;
        };
        let value = self.raw.pointer("/entry/0/changes/0/value");
        let listed = value.and_then(|value| value.get(field)?.get(0));
        listed
            .or(value)
            .map_or(AccountEvent::Unknown, |value| account::parse(field, value))
    }

    /// Who a status is about: E.164 phone and business-scoped user id.
    #[must_use]
    pub fn status_addresses(&self) -> Vec<String> {
        let status = self.raw.pointer("/entry/0/changes/0/value/statuses/0");
        let Some(status) = status else {
            return Vec::new();
        };
        let phone = text(status, "recipient_id").map(|digits| format!("+{digits}"));
        phone
            .into_iter()
            .chain(text(status, "recipient_user_id"))
            .collect()
    }
}

/// Reads a body whose signature was verified.
///
/// # Errors
/// Only when the bytes are not JSON; everything else becomes items.
pub fn parse(raw: &[u8]) -> Result<Delivery, Malformed> {
    let malformed = |reason: String| Malformed {
        reason,
        body: mask_cards(&String::from_utf8_lossy(raw)).text.into_owned(),
    };
    let text = std::str::from_utf8(raw).map_err(|error| malformed(error.to_string()))?;
    let mut body: Value =
        serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    let masked = mask_cards_in_value(&mut body);
    Ok(Delivery {
        body: if masked == 0 {
            text.to_owned()
        } else {
            body.to_string()
        },
        masked,
        items: items(body),
    })
}

/// The lists in a change's value whose elements are items of their own.
const LISTS: [&str; 9] = [
    "messages",
    "message_echoes",
    "statuses",
    "errors",
    "calls",
    "groups",
    "user_preferences",
    "history",
    "state_sync",
];

fn items(mut body: Value) -> Vec<Item> {
    let Some(entries) = taken_list(&mut body, "entry") else {
        return vec![unparsable(body, "a body without entries")];
    };
    let object = body.get("object").cloned();
    let mut items = Vec::new();
    for mut entry in entries {
        let Some(changes) = taken_list(&mut entry, "changes") else {
            items.push(unparsable(
                json!({ "entry": [entry] }),
                "an entry without changes",
            ));
            continue;
        };
        for change in changes {
            Change::new(object.as_ref(), &entry, change).items(&mut items);
        }
    }
    items
}

/// Takes a list out of an object; what is there but no list stays in place.
fn taken_list(object: &mut Value, name: &str) -> Option<Vec<Value>> {
    let list = object.get_mut(name).filter(|list| list.is_array())?;
    match list.take() {
        Value::Array(list) => Some(list),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            None
        }
    }
}

/// One change with what surrounds it, so that each of its items can be wrapped alone again.
struct Change {
    object: Option<Value>,
    entry_id: Option<Value>,
    time: Option<Value>,
    change: Value,
    field: String,
}

impl Change {
    fn new(object: Option<&Value>, entry: &Value, change: Value) -> Self {
        Self {
            object: object.cloned(),
            entry_id: entry.get("id").cloned(),
            time: entry.get("time").cloned(),
            field: text(&change, "field").unwrap_or_else(|| "unknown".to_owned()),
            change,
        }
    }

    fn items(mut self, items: &mut Vec<Item>) {
        let value = match self.change.get_mut("value") {
            Some(Value::Object(value)) => std::mem::take(value),
            _ => {
                items.push(unparsable(
                    self.wrap(self.change.clone()),
                    "a change without a value",
                ));
                return;
            }
        };
        if !LISTS.iter().any(|list| value.contains_key(*list)) {
            items.push(self.whole(value));
            return;
        }
        let (lists, around): (Map<_, _>, Map<_, _>) = value
            .into_iter()
            .partition(|(name, _)| LISTS.contains(&name.as_str()));
        let contacts = match around.get("contacts") {
            Some(Value::Array(contacts)) => contacts.as_slice(),
            _ => &[],
        };
        for (list, elements) in lists {
            match elements {
                Value::Array(elements) => {
                    items.extend(
                        elements
                            .into_iter()
                            .map(|element| self.item(&list, element, &around, contacts)),
                    );
                }
                other @ (Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Object(_)) => items.push(unparsable(
                    self.rewrap(&around, None, &list, other),
                    "a list that is none",
                )),
            }
        }
    }

    /// A change that is an item itself.
    fn whole(&self, value: Map<String, Value>) -> Item {
        let phone_number_id = number(&value);
        let value = Value::Object(value);
        let key = hash(&json!([phone_number_id, self.time, self.field, value]));
        let raw = self.wrap(json!({ "field": self.field, "value": value }));
        let field = self.field.clone();
        Item {
            phone_number_id,
            key,
            raw,
            kind: ItemKind::Other { field },
        }
    }

    fn item(
        &self,
        list: &str,
        element: Value,
        around: &Map<String, Value>,
        contacts: &[Value],
    ) -> Item {
        let phone_number_id = number(around);
        let contact = contact_of(&element, contacts);
        let fallback = || hash(&json!([phone_number_id, self.field, list, element]));
        let (key, kind) = match (self.field.as_str(), list) {
            ("messages", "messages") | (_, "message_echoes") => {
                let key = text(&element, "id").unwrap_or_else(fallback);
                let seen = message::Seen {
                    message: &element,
                    contact,
                    number: phone_number_id.as_deref(),
                    key: &key,
                    time: self.time.as_ref(),
                    echo: list == "message_echoes",
                };
                let kind = seen.parse();
                (key, kind)
            }
            ("messages", "statuses") => match status::parse(&element) {
                Ok((key, status)) => (key, ItemKind::Status(Box::new(status))),
                Err(reason) => (fallback(), ItemKind::Unparsable { reason }),
            },
            _ => (
                fallback(),
                ItemKind::Other {
                    field: list.to_owned(),
                },
            ),
        };
        let raw = self.rewrap(around, contact.cloned(), list, Value::Array(vec![element]));
        Item {
            phone_number_id,
            key,
            raw,
            kind,
        }
    }

    fn rewrap(
        &self,
        around: &Map<String, Value>,
        contact: Option<Value>,
        list: &str,
        elements: Value,
    ) -> Value {
        let mut value: Map<String, Value> = around
            .iter()
            .filter(|(name, _)| matches!(name.as_str(), "messaging_product" | "metadata"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if let Some(contact) = contact {
            value.insert("contacts".to_owned(), Value::Array(vec![contact]));
        }
        value.insert(list.to_owned(), elements);
        self.wrap(json!({ "field": self.field, "value": value }))
    }

    fn wrap(&self, change: Value) -> Value {
        let mut entry = Map::new();
        entry.extend(self.entry_id.clone().map(|id| ("id".to_owned(), id)));
        entry.extend(self.time.clone().map(|time| ("time".to_owned(), time)));
        entry.insert("changes".to_owned(), Value::Array(vec![change]));
        json!({ "object": self.object, "entry": [entry] })
    }
}

fn unparsable(raw: Value, reason: &str) -> Item {
    Item {
        phone_number_id: None,
        key: hash(&raw),
        raw,
        kind: ItemKind::Unparsable {
            reason: reason.to_owned(),
        },
    }
}

fn number(value: &Map<String, Value>) -> Option<String> {
    text(value.get("metadata")?, "phone_number_id")
}

/// The contact an item speaks of: the one with its address, or the only one.
fn contact_of<'a>(element: &Value, contacts: &'a [Value]) -> Option<&'a Value> {
    let addresses: Vec<String> = [
        "from",
        "from_user_id",
        "to",
        "to_user_id",
        "recipient_id",
        "recipient_user_id",
        "wa_id",
        "user_id",
    ]
    .into_iter()
    .filter_map(|name| text(element, name))
    .collect();
    contacts
        .iter()
        .find(|contact| {
            ["wa_id", "user_id"]
                .into_iter()
                .any(|name| text(contact, name).is_some_and(|address| addresses.contains(&address)))
        })
        .or_else(|| contacts.first().filter(|_| contacts.len() == 1))
}

fn hash(value: &Value) -> String {
    let digest = Sha256::digest(value.to_string().as_bytes());
    format!("hash:{}", hex::encode(&digest[..16]))
}

/// A field that is text, or a number as text; nothing when absent, empty or of another kind.
fn text(object: &Value, name: &str) -> Option<String> {
    match object.get(name)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

/// An integer such as a time, which Meta writes as text or as a number.
fn integer(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.as_i64(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
