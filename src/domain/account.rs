//! What a channel says of our numbers, our account and our templates, as plain values.

use serde::{Deserialize, Serialize};

use super::ConsentChange;

/// How customers rate what we send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Quality {
    /// Good.
    Green,
    /// Middling.
    Yellow,
    /// Bad: the channel may pause what is sent.
    Red,
    /// Not rated, or a rating that we do not know.
    Other(String),
}

/// Where a template stands with the channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum TemplateStatus {
    /// May be sent.
    Approved,
    /// Is being looked at.
    Pending,
    /// Was refused.
    Rejected,
    /// Is paused for its quality.
    Paused,
    /// May not be sent any more.
    Disabled,
    /// May be paused soon; may be sent.
    Flagged,
    /// Another state, by its name: not sent.
    Other(String),
}

/// What a template is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum TemplateCategory {
    /// About something the customer began.
    Utility,
    /// Sells: needs a yes.
    Marketing,
    /// Codes that prove who someone is.
    Authentication,
    /// Another one, by its name: treated as one that sells.
    Other(String),
}

macro_rules! named {
    ($kind:ident { $($variant:ident = $name:literal $(| $more:literal)*),+ $(,)? }) => {
        impl $kind {
            /// The channel's name of it, in capitals.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::Other(name) => name,
                }
            }
        }

        impl From<String> for $kind {
            fn from(name: String) -> Self {
                let name = name.trim().to_uppercase();
                match name.as_str() {
                    $($name $(| $more)* => Self::$variant,)+
                    _ => Self::Other(name),
                }
            }
        }

        impl From<$kind> for String {
            fn from(kind: $kind) -> Self {
                kind.name().to_owned()
            }
        }

        impl std::str::FromStr for $kind {
            type Err = String;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                Ok(Self::from(name.to_owned()))
            }
        }
    };
}

named!(Quality { Green = "GREEN", Yellow = "YELLOW", Red = "RED" });
named!(TemplateStatus {
    Approved = "APPROVED" | "REINSTATED" | "UNARCHIVED" | "ACTIVE",
    Pending = "PENDING" | "IN_APPEAL",
    Rejected = "REJECTED",
    Paused = "PAUSED",
    Disabled = "DISABLED",
    Flagged = "FLAGGED",
});
named!(TemplateCategory {
    Utility = "UTILITY",
    Marketing = "MARKETING",
    Authentication = "AUTHENTICATION",
});

impl TemplateStatus {
    /// Whether a template in this state may be sent.
    #[must_use]
    pub fn usable(&self) -> bool {
        matches!(self, Self::Approved | Self::Flagged)
    }
}

impl TemplateCategory {
    /// Whether the customer must have said yes.
    #[must_use]
    pub fn needs_consent(&self) -> bool {
        matches!(self, Self::Marketing | Self::Other(_))
    }
}

/// A template's language as the channel writes it: `it`, `en_US`. `en-us` is the same as `en_US`.
#[must_use]
pub fn template_language(code: &str) -> String {
    let mut parts = code.trim().split(['-', '_']);
    let language = parts.next().unwrap_or_default().to_lowercase();
    let rest: Vec<String> = parts.map(str::to_uppercase).collect();
    if rest.is_empty() {
        language
    } else {
        format!("{language}_{}", rest.join("_"))
    }
}

/// What an event of the account changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelChange {
    /// A customer's yes or no, and the addresses the channel knows them by.
    pub consent: Option<(Vec<String>, ConsentChange)>,
    /// A template.
    pub template: Option<TemplateChange>,
    /// Numbers of ours.
    pub numbers: Vec<NumberChange>,
    /// What a person should know.
    pub alert: Option<Alert>,
}

/// What is new of a template. What is none stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateChange {
    /// Its name.
    pub name: String,
    /// Its language, as [`template_language`] writes it.
    pub language: String,
    /// The channel's id.
    pub external_id: Option<String>,
    /// Where it stands.
    pub status: Option<TemplateStatus>,
    /// What it is for.
    pub category: Option<TemplateCategory>,
    /// How it is rated.
    pub quality: Option<Quality>,
    /// Why it stands there.
    pub reason: Option<String>,
}

/// What is new of a number of ours. What is none stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NumberChange {
    /// The channel's id of it.
    pub number: String,
    /// As people dial it.
    pub display: Option<String>,
    /// How it is rated.
    pub quality: Option<Quality>,
    /// How many people it may write to first in 24 hours: a number, or `UNLIMITED`.
    pub tier: Option<String>,
    /// The last event about it.
    pub event: Option<String>,
    /// Whether it may send.
    pub sending: Option<Sending>,
}

/// Whether a number may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sending {
    /// It may.
    Allowed,
    /// It may not.
    Stopped {
        /// Why.
        reason: String,
        /// Until when, seconds since 1970; none without an end.
        until: Option<i64>,
    },
}

/// What a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The channel's name of the event.
    pub kind: String,
    /// What it is about: a number, a template, the account.
    pub subject: String,
    /// What happened.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_channel_are_read_and_unknown_ones_kept() {
        let status = |name: &str| TemplateStatus::from(name.to_owned());
        assert!(status("approved").usable());
        assert!(status("REINSTATED").usable());
        for name in [
            "PAUSED",
            "DISABLED",
            "REJECTED",
            "PENDING",
            "LIMIT_EXCEEDED",
            "SOMETHING_NEW",
        ] {
            assert!(!status(name).usable(), "{name}");
        }
        assert_eq!(status("SOMETHING_NEW").name(), "SOMETHING_NEW");
        assert!(TemplateCategory::from("NEW".to_owned()).needs_consent());
        assert!(!TemplateCategory::Utility.needs_consent());
    }

    #[test]
    fn a_language_has_one_spelling() {
        for code in ["en-US", "en_US", "EN_us", " en-us "] {
            assert_eq!(template_language(code), "en_US");
        }
        assert_eq!(template_language("IT"), "it");
        assert_eq!(template_language("zh_hant_hk"), "zh_HANT_HK");
    }
}
