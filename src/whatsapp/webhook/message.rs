//! One message of a webhook as [`Inbound`].

use serde_json::Value;

use super::{ItemKind, integer, text};
use crate::domain::{Channel, Inbound, InboundContent};

/// A message with what the webhook says around it.
pub(super) struct Seen<'a> {
    pub(super) message: &'a Value,
    pub(super) contact: Option<&'a Value>,
    pub(super) number: Option<&'a str>,
    pub(super) key: &'a str,
    pub(super) time: Option<&'a Value>,
    /// Whether it was written by us on the phone app; its customer is whom it went to.
    pub(super) echo: bool,
}

impl Seen<'_> {
    /// The message; without an address of the customer a notice is only kept and a message is unparsable.
    /// A message without a time was sent at 0.
    pub(super) fn parse(&self) -> ItemKind {
        if !self.message.is_object() {
            return ItemKind::Unparsable {
                reason: "a message that is no object".to_owned(),
            };
        }
        let content = self.content();
        let phone = self
            .address("from", "to")
            .and_then(|address| e164(&address));
        let sender = phone
            .clone()
            .or_else(|| self.address("from", "to"))
            .or_else(|| self.address("from_user_id", "to_user_id"));
        match (sender, content) {
            (Some(sender), content) => ItemKind::Message(Inbound {
                channel: Channel::Whatsapp,
                recipient: self.number.unwrap_or_default().to_owned(),
                external_id: self.key.to_owned(),
                sender,
                phone,
                name: self.name(),
                sent_at: integer(self.message.get("timestamp"))
                    .or_else(|| integer(self.time))
                    .unwrap_or(0),
                content,
            }),
            (None, InboundContent::Silent { kind }) => ItemKind::Other { field: kind },
            (None, _) => ItemKind::Unparsable {
                reason: "a message without a sender".to_owned(),
            },
        }
    }

    fn address(&self, inbound: &str, echo: &str) -> Option<String> {
        text(self.message, if self.echo { echo } else { inbound })
    }

    fn name(&self) -> Option<String> {
        let profile = self.contact?.get("profile")?;
        text(profile, "name").or_else(|| text(profile, "username"))
    }

    fn content(&self) -> InboundContent {
        let kind = text(self.message, "type").unwrap_or_else(|| "unknown".to_owned());
        let kind = if self.echo { "echo".to_owned() } else { kind };
        match kind.as_str() {
            "text" => words(self.message, "text", "body"),
            "interactive" => tapped(&self.message["interactive"]),
            "button" => choice(&self.message["button"], "payload", "text"),
            "reaction" | "system" | "edit" | "revoke" | "echo" | "ephemeral"
            | "request_welcome" => {
                return InboundContent::Silent { kind };
            }
            _ => words(self.message, &kind, "caption"),
        }
        .unwrap_or_else(|| match text(&self.message["interactive"], "type") {
            Some(kind) if kind == "call_permission_reply" => InboundContent::Silent { kind },
            Some(kind) => InboundContent::Unreadable { kind },
            None => InboundContent::Unreadable { kind },
        })
    }
}

fn words(message: &Value, kind: &str, name: &str) -> Option<InboundContent> {
    let text = text(message.get(kind)?, name)?;
    Some(InboundContent::Text { text })
}

fn tapped(interactive: &Value) -> Option<InboundContent> {
    let kind = text(interactive, "type")?;
    match kind.as_str() {
        "button_reply" | "list_reply" => choice(interactive.get(&kind)?, "id", "title"),
        _ => None,
    }
}

fn choice(tapped: &Value, id: &str, title: &str) -> Option<InboundContent> {
    let id = text(tapped, id);
    let title = text(tapped, title).or_else(|| id.clone())?;
    Some(InboundContent::Choice {
        id: id.unwrap_or_else(|| title.clone()),
        title,
    })
}

/// A phone number in E.164 with its `+`; nothing when the text is none.
fn e164(address: &str) -> Option<String> {
    let digits: String = address
        .chars()
        .filter(|character| !matches!(character, '+' | ' ' | '-' | '(' | ')'))
        .collect();
    let is_phone =
        (6..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_phone.then(|| format!("+{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_are_told_from_other_addresses() {
        assert_eq!(e164("393331234567").as_deref(), Some("+393331234567"));
        assert_eq!(e164("+39 333 123-4567").as_deref(), Some("+393331234567"));
        for address in [
            "",
            "111",
            "IT.13491208655302741918",
            "1234567890123456",
            "<PHONE>",
        ] {
            assert_eq!(e164(address), None, "{address}");
        }
    }
}
