//! Whether a message may go out now. Decided inside the transaction that marks it `sending`.

use super::dialect::Row;
use super::rows::{number, optional_number, optional_parsed, optional_text, parsed, text};
use super::{StoreError, pace};
use crate::domain::{Holder, Lane, MessageCategory};
use crate::store::conversations::holder;

/// Free words may follow a customer's message for so long.
pub(super) const WINDOW: i64 = 24 * 60 * 60 * 1_000;
/// After so many undeliverable messages in a row a customer counts as unreachable.
pub(super) const UNREACHABLE: i64 = 3;
/// A notification looks again after this time while a person holds the conversation.
const HELD: i64 = 10 * 60 * 1_000;
/// The row before it is being sent, or something came that is not worked in: look again soon.
const BEHIND: i64 = 250;

/// Why a message is never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A person holds the conversation.
    TakenOver,
    /// The customer cannot be reached.
    Unreachable,
    /// Marketing without the customer's consent.
    NoConsent,
    /// The template is stopped.
    Template,
    /// Its one-time code is over.
    Spent,
}

impl Refusal {
    /// What the desk shows.
    pub(super) fn fault(self) -> &'static str {
        match self {
            Self::TakenOver => "a person took over",
            Self::Unreachable => {
                "not sent: earlier messages could not be delivered to this customer"
            }
            Self::NoConsent => "not sent: the customer has not agreed to marketing messages",
            Self::Template => "not sent: the template is paused, disabled or not approved",
            Self::Spent => "not sent: the one-time code in it is over",
        }
    }
}

/// What becomes of a row whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may go; whether it opens the conversation from our side.
    Send { initiated: bool },
    /// Not before then, milliseconds.
    Wait(i64),
    /// Never.
    Refuse(Refusal),
    /// The 24 hours are over: a template, or a note for a person.
    Held,
}

/// Everything the rules look at, as it stands in the transaction.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub id: String,
    pub conversation: String,
    pub contact: String,
    pub sender: String,
    pub lane: Lane,
    pub category: MessageCategory,
    pub template: Option<String>,
    /// Goes although a person holds the conversation.
    pub regardless: bool,
    pub attempts: i64,
    pub capped: bool,
    /// How often a file in it was refused.
    pub media_tries: i64,
    pub holder: Holder,
    pub last_inbound_at: Option<i64>,
    pub free_until: Option<i64>,
    pub pair_full_at: i64,
    pub pair_held_until: i64,
    pub pair_holds: i64,
    pub undeliverable: i64,
    /// Whether another row of the conversation's lane is being sent.
    pub behind: bool,
    /// Of a row with a one-time code: until when it is worth sending; the past when the code is gone.
    pub secret_until: Option<i64>,
    /// Whether something came that is not worked in yet: it may be a STOP, or open the window.
    pub unheard: bool,
}

/// What a lookup tells beside the row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Permits {
    /// It advertises: by its row, or by what the channel says of its template.
    pub marketing: bool,
    /// The customer agreed to marketing.
    pub consent: bool,
    /// The row's template may be used.
    pub usable: bool,
    /// The portfolio may write to one more person first; else from when.
    pub reach_from: Option<i64>,
}

/// Whether free words may be sent: after a message within the window, or through a free entry point.
pub(super) fn window_is_open(
    last_inbound_at: Option<i64>,
    free_until: Option<i64>,
    now: i64,
) -> bool {
    last_inbound_at.is_some_and(|at| now < at + WINDOW)
        || free_until.is_some_and(|until| now < until)
}

/// The row and all that is decided about it, for `FACTS` and a `WHERE` on `o`.
pub(super) const FACTS: &str = "SELECT o.id, o.conversation_id, o.sender, o.lane, o.category, o.template, o.regardless, \
    o.attempts, o.capped, o.media_tries, CASE WHEN o.secret IS NULL AND o.secret_until IS NOT NULL THEN 0 \
    ELSE o.secret_until END AS secret_until, v.holder, v.contact_id, v.last_inbound_at, v.free_until, v.pair_free_at, \
    v.pair_held_until, v.pair_holds, c.undeliverable, \
    EXISTS (SELECT 1 FROM outbox p WHERE p.conversation_id = o.conversation_id AND p.lane = o.lane \
    AND p.state IN ('queued', 'sending') AND p.state = 'sending' AND p.id <> o.id) AS behind, \
    EXISTS (SELECT 1 FROM arrivals WHERE id > '') AS unheard \
    FROM outbox o JOIN conversations v ON v.id = o.conversation_id JOIN contacts c ON c.id = v.contact_id";

impl Facts {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: text(row, "id")?,
            conversation: text(row, "conversation_id")?,
            contact: text(row, "contact_id")?,
            sender: text(row, "sender")?,
            lane: parsed(row, "lane")?,
            category: optional_parsed(row, "category")?.unwrap_or(MessageCategory::Service),
            template: optional_text(row, "template")?,
            regardless: number(row, "regardless")? != 0,
            attempts: number(row, "attempts")?,
            capped: number(row, "capped")? != 0,
            media_tries: number(row, "media_tries")?,
            holder: holder(&text(row, "holder")?),
            last_inbound_at: optional_number(row, "last_inbound_at")?,
            free_until: optional_number(row, "free_until")?,
            pair_full_at: number(row, "pair_free_at")?,
            pair_held_until: number(row, "pair_held_until")?,
            pair_holds: number(row, "pair_holds")?,
            undeliverable: number(row, "undeliverable")?,
            behind: number(row, "behind")? != 0,
            secret_until: optional_number(row, "secret_until")?,
            unheard: number(row, "unheard")? != 0,
        })
    }

    /// Whether free words may be sent: within the window, or a free entry point.
    pub(super) fn window_is_open(&self, now: i64) -> bool {
        window_is_open(self.last_inbound_at, self.free_until, now)
    }

    /// Whether it would open the conversation from our side.
    pub(super) fn initiates(&self, now: i64) -> bool {
        self.template.is_some() && !self.window_is_open(now)
    }

    /// The rules, in the order of what weighs most.
    pub(super) fn judge(&self, permits: &Permits, now: i64) -> Verdict {
        if self.secret_until.is_some_and(|until| until <= now) {
            return Verdict::Refuse(Refusal::Spent);
        }
        let closed = self.template.is_none() && !self.window_is_open(now);
        if self.unheard && (closed || self.lane == Lane::Bulk) {
            return Verdict::Wait(now + BEHIND);
        }
        if closed {
            return Verdict::Held;
        }
        if self.holder == Holder::Human && !self.regardless {
            return match self.lane {
                Lane::Reply => Verdict::Refuse(Refusal::TakenOver),
                Lane::Bulk => Verdict::Wait(now + HELD),
            };
        }
        if self.undeliverable >= UNREACHABLE {
            return Verdict::Refuse(Refusal::Unreachable);
        }
        if permits.marketing && !permits.consent {
            return Verdict::Refuse(Refusal::NoConsent);
        }
        if self.template.is_some() && !permits.usable {
            return Verdict::Refuse(Refusal::Template);
        }
        if self.behind {
            return Verdict::Wait(now + BEHIND);
        }
        if self.pair_held_until > now {
            return Verdict::Wait(self.pair_held_until);
        }
        if let Err(at) = pace::pair(self.pair_full_at, now) {
            return Verdict::Wait(at);
        }
        match permits.reach_from {
            Some(from) if self.initiates(now) => Verdict::Wait(from),
            _ => Verdict::Send {
                initiated: self.initiates(now),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000_000;

    fn reply() -> Facts {
        Facts {
            id: "ob".to_owned(),
            conversation: "cv".to_owned(),
            contact: "ct".to_owned(),
            sender: "us".to_owned(),
            lane: Lane::Reply,
            category: MessageCategory::Service,
            template: None,
            regardless: false,
            attempts: 0,
            capped: false,
            media_tries: 0,
            holder: Holder::Agent,
            last_inbound_at: Some(NOW),
            free_until: None,
            pair_full_at: 0,
            pair_held_until: 0,
            pair_holds: 0,
            undeliverable: 0,
            behind: false,
            secret_until: None,
            unheard: false,
        }
    }

    fn campaign() -> Facts {
        Facts {
            lane: Lane::Bulk,
            category: MessageCategory::Marketing,
            template: Some("{}".to_owned()),
            last_inbound_at: None,
            ..reply()
        }
    }

    const ALL: Permits = Permits {
        marketing: false,
        consent: true,
        usable: true,
        reach_from: None,
    };
    const SEND: Verdict = Verdict::Send { initiated: false };

    #[test]
    fn free_words_go_for_24_hours_or_through_a_free_entry_point() {
        let ends = NOW + WINDOW;
        assert_eq!(reply().judge(&ALL, ends - 1), SEND);
        assert_eq!(reply().judge(&ALL, ends), Verdict::Held);
        let advert = Facts {
            free_until: Some(NOW + 3 * WINDOW),
            ..reply()
        };
        assert_eq!(advert.judge(&ALL, NOW + 3 * WINDOW - 1), SEND);
        assert_eq!(advert.judge(&ALL, NOW + 3 * WINDOW), Verdict::Held);
        let regardless = Facts {
            regardless: true,
            holder: Holder::Human,
            ..reply()
        };
        assert_eq!(regardless.judge(&ALL, NOW), SEND);
        assert_eq!(regardless.judge(&ALL, ends), Verdict::Held);
        let never = Facts {
            last_inbound_at: None,
            ..reply()
        };
        assert_eq!(never.judge(&ALL, NOW), Verdict::Held);
    }

    #[test]
    fn while_a_person_holds_it_the_agent_is_silent_and_notifications_wait() {
        let held = |facts: Facts| Facts {
            holder: Holder::Human,
            ..facts
        };
        let refused = Verdict::Refuse(Refusal::TakenOver);
        assert_eq!(held(reply()).judge(&ALL, NOW), refused);
        assert_eq!(held(campaign()).judge(&ALL, NOW), Verdict::Wait(NOW + HELD));
    }

    #[test]
    fn a_template_needs_to_be_usable_and_marketing_needs_consent() {
        let template = campaign();
        assert_eq!(template.judge(&ALL, NOW), Verdict::Send { initiated: true });
        let without = Permits {
            marketing: true,
            consent: false,
            ..ALL
        };
        assert_eq!(
            template.judge(&without, NOW),
            Verdict::Refuse(Refusal::NoConsent)
        );
        let utility = Facts {
            category: MessageCategory::Utility,
            ..campaign()
        };
        let not_asked = Permits {
            consent: false,
            ..ALL
        };
        assert_eq!(
            utility.judge(&not_asked, NOW),
            Verdict::Send { initiated: true }
        );
        let stopped = Permits {
            usable: false,
            ..ALL
        };
        assert_eq!(
            utility.judge(&stopped, NOW),
            Verdict::Refuse(Refusal::Template)
        );
        let gone = Facts {
            undeliverable: UNREACHABLE,
            ..utility
        };
        assert_eq!(gone.judge(&ALL, NOW), Verdict::Refuse(Refusal::Unreachable));
    }

    #[test]
    fn the_tier_counts_only_those_we_write_to_first() {
        let full = Permits {
            reach_from: Some(NOW + 5),
            ..ALL
        };
        assert_eq!(campaign().judge(&full, NOW), Verdict::Wait(NOW + 5));
        let inside = Facts {
            last_inbound_at: Some(NOW - 1),
            ..campaign()
        };
        assert_eq!(inside.judge(&full, NOW), SEND);
    }

    #[test]
    fn what_is_not_worked_in_yet_is_waited_for_where_it_may_matter() {
        let unheard = |facts: Facts| Facts {
            unheard: true,
            ..facts
        };
        let soon = Verdict::Wait(NOW + BEHIND);
        assert_eq!(unheard(reply()).judge(&ALL, NOW), SEND);
        assert_eq!(unheard(campaign()).judge(&ALL, NOW), soon);
        let closed = Facts {
            last_inbound_at: None,
            ..reply()
        };
        assert_eq!(unheard(closed).judge(&ALL, NOW), soon);
    }

    #[test]
    fn a_held_or_emptied_pair_waits() {
        let held = Facts {
            pair_held_until: NOW + 4_000,
            ..reply()
        };
        assert_eq!(held.judge(&ALL, NOW), Verdict::Wait(NOW + 4_000));
        assert_eq!(held.judge(&ALL, NOW + 4_000), SEND);
        let emptied = Facts {
            pair_full_at: (NOW + 45 * 6_000) * 1_000,
            ..reply()
        };
        assert_eq!(emptied.judge(&ALL, NOW), Verdict::Wait(NOW + 6_000));
    }
}
