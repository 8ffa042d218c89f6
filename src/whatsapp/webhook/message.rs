//! One message of a webhook as [`Inbound`]: who sent it and what the webhook says around it.

use serde_json::Value;

use super::{ItemKind, content, integer, text};
use crate::domain::{About, Channel, Inbound, InboundContent, ProductId, Referral};

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

/// By what the sender is known; each may be absent.
#[derive(Debug, Default)]
struct Sender {
    phone: Option<String>,
    user_id: Option<String>,
    /// An address that is neither, as in Meta's examples.
    other: Option<String>,
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
        let content = content::of(self.message);
        let content = if self.echo {
            InboundContent::Echo {
                content: Box::new(content),
            }
        } else {
            content
        };
        let sender = self.sender();
        let address = sender.phone.as_ref().or(sender.user_id.as_ref());
        match (address.or(sender.other.as_ref()).cloned(), content) {
            (Some(address), content) => ItemKind::Message(Box::new(Inbound {
                channel: Channel::Whatsapp,
                recipient: self.number.unwrap_or_default().to_owned(),
                external_id: self.key.to_owned(),
                sender: address,
                phone: sender.phone,
                name: self.name(),
                sent_at: integer(self.message.get("timestamp"))
                    .or_else(|| integer(self.time))
                    .unwrap_or(0),
                content,
                about: self.about(sender.user_id),
            })),
            (None, content) if content.is_silent() => ItemKind::Other {
                field: content.kind().unwrap_or("notice").to_owned(),
            },
            (None, _) => ItemKind::Unparsable {
                reason: "a message without a sender".to_owned(),
            },
        }
    }

    fn sender(&self) -> Sender {
        let (phone, user_id) = if self.echo {
            ("to", "to_user_id")
        } else {
            ("from", "from_user_id")
        };
        let address = text(self.message, phone);
        let mut sender = Sender {
            phone: address.as_deref().and_then(content::e164),
            user_id: text(self.message, user_id).or_else(|| {
                // A user id where a phone belongs.
                address.clone().filter(|address| is_user_id(address))
            }),
            other: address,
        };
        self.complete(&mut sender);
        if let Some(before) = self.known_before() {
            sender.user_id = Some(before);
        }
        sender
    }

    /// What the contact beside the message adds, if it is the sender's.
    fn complete(&self, sender: &mut Sender) {
        let Some(contact) = self.contact else { return };
        let phone = text(contact, "wa_id").as_deref().and_then(content::e164);
        let user_id = text(contact, "user_id");
        let same_phone = sender.phone.is_some() && (phone.is_none() || phone == sender.phone);
        let same_user = sender.user_id.is_some() && sender.user_id == user_id;
        let alone = sender.phone.is_none() && sender.user_id.is_none() && sender.other.is_none();
        if same_user || alone {
            sender.phone = sender.phone.take().or(phone);
        }
        if same_phone || alone {
            sender.user_id = sender.user_id.take().or(user_id);
        }
    }

    /// A notice that someone's id has changed is about the one who had the id before it.
    fn known_before(&self) -> Option<String> {
        text(self.message.get("system")?, "previous_user_id")
    }

    fn name(&self) -> Option<String> {
        let profile = self.contact?.get("profile")?;
        text(profile, "name").or_else(|| text(profile, "username"))
    }

    fn about(&self, user_id: Option<String>) -> About {
        let context = self.message.get("context").unwrap_or(&Value::Null);
        let flag = |name| context.get(name).and_then(Value::as_bool) == Some(true);
        About {
            portfolio: String::new(),
            user_id,
            reply_to: text(context, "id"),
            product: context
                .get("referred_product")
                .and_then(|product| text(product, "product_retailer_id"))
                .map(ProductId),
            forwarded: flag("forwarded") || flag("frequently_forwarded"),
            referral: self.message.get("referral").and_then(referral),
        }
    }
}

fn referral(said: &Value) -> Option<Referral> {
    said.is_object().then(|| Referral {
        source_type: text(said, "source_type"),
        source_id: text(said, "source_id"),
        source_url: text(said, "source_url"),
        headline: text(said, "headline"),
        body: text(said, "body"),
        media_type: text(said, "media_type"),
        picture_url: text(said, "image_url").or_else(|| text(said, "thumbnail_url")),
        click_id: text(said, "ctwa_clid"),
        welcome: said
            .get("welcome_message")
            .and_then(|welcome| text(welcome, "text")),
    })
}

/// Two letters, a dot, and up to 128 letters and digits; a parent id has `ENT.` in between.
fn is_user_id(address: &str) -> bool {
    let Some((country, rest)) = address.split_once('.') else {
        return false;
    };
    let rest = rest.strip_prefix("ENT.").unwrap_or(rest);
    country.len() == 2
        && country.bytes().all(|byte| byte.is_ascii_uppercase())
        && (1..=128).contains(&rest.len())
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sender(message: &Value, contact: Option<&Value>) -> (Option<String>, Option<String>) {
        let seen = Seen {
            message,
            contact,
            number: None,
            key: "k",
            time: None,
            echo: false,
        };
        let sender = seen.sender();
        (sender.phone, sender.user_id)
    }

    const USER: &str = "IT.13491208655302741918";

    #[test]
    fn phone_and_user_id_come_from_the_message_and_from_its_own_contact_only() {
        let phone = Some("+393331234567".to_owned());
        let user = Some(USER.to_owned());
        let own = json!({ "wa_id": "393331234567", "user_id": USER });
        let other = json!({ "wa_id": "390000000000", "user_id": "IT.2" });
        let from = json!({ "from": "393331234567" });
        assert_eq!(sender(&from, None), (phone.clone(), None));
        assert_eq!(sender(&from, Some(&own)), (phone.clone(), user.clone()));
        assert_eq!(sender(&from, Some(&other)), (phone.clone(), None));
        let id = json!({ "from_user_id": USER });
        assert_eq!(sender(&id, Some(&own)), (phone.clone(), user.clone()));
        assert_eq!(sender(&id, Some(&other)), (None, user.clone()));
        assert_eq!(sender(&json!({ "from": USER }), None), (None, user.clone()));
        assert_eq!(sender(&json!({}), Some(&own)), (phone.clone(), user));
        let moved = json!({
            "from": "393331234567", "from_user_id": "IT.new",
            "system": { "user_id": "IT.new", "previous_user_id": "IT.old" },
        });
        assert_eq!(sender(&moved, None), (phone, Some("IT.old".to_owned())));
    }

    #[test]
    fn user_ids_are_told_from_other_addresses() {
        for address in ["US.13491208655302741918", "IT.ENT.11815799212886844830"] {
            assert!(is_user_id(address), "{address}");
        }
        for address in [
            "",
            "US.",
            "us.1",
            "USA.1",
            "<BSUID>",
            "393331234567",
            "US.a b",
        ] {
            assert!(!is_user_id(address), "{address}");
        }
    }
}
