//! Plain values that every part of the program speaks in. No IO, no wire format, no clock.

pub mod access;
pub mod account;
pub mod attachments;
pub mod cards;
pub mod consent;
pub mod conversation;
pub mod ids;
pub mod inbound;
pub mod language;
pub mod message;
pub mod money;
pub mod nearest;
pub mod order;
pub mod outcome;
pub mod passage;
pub mod product;
pub mod sending;
pub mod template;
pub mod trace;
pub mod triage;

pub use access::{CodeRecipient, Scope};
pub use account::{
    Alert, ChannelChange, NumberChange, Quality, Sending, TemplateCategory, TemplateChange,
    TemplateStatus, template_language,
};
pub use attachments::{Cart, CartItem, ContactCard, Location, Media, MediaKind, Moved, Referral};
pub use cards::{Masked, mask_cards, mask_cards_in_json, mask_cards_in_value};
pub use consent::{ConsentChange, ConsentState, MARKETING, consent_word};
pub use conversation::{Channel, History, HistoryEntry, Holder, Reference, Speaker};
pub use ids::{
    ContactId, ConversationId, InboxId, OrderNumber, OutboxId, PaymentId, ProductId, TicketId,
    TokenId, TurnId,
};
pub use inbound::{About, Inbound, InboundContent};
pub use language::Language;
pub use message::{Answer, Choice, PaymentButton, ProductCard, Source};
pub use money::{Currency, Money};
pub use nearest::{nearest, suggestion};
pub use order::{Order, OrderItem, OrderStatus};
pub use outcome::{HandOffReason, Outcome};
pub use passage::{Passage, PassageKind, Ranking};
pub use product::{Category, Product, ProductText};
pub use sending::{ErrorClass, Lane, MessageCategory};
pub use template::{ButtonFilling, Filling, TemplateButton, TemplateMessage, TemplateValue};
pub use trace::{ModelTrace, Progress, ToolTrace, TurnTrace};
pub use triage::{
    Comparison, Entities, Fact, Intent, LanguageGuess, Mention, Polarity, PriceRange, Sentiment,
    Triage, When,
};
