//! From a decision to a payment link.

use minijinja::context;
use serde_json::json;

use super::errand::{Called, Errand, Part};
use super::products::{Reference, chosen, referred};
use super::{catalog, choice, cues, has_subject, products};
use crate::domain::{PaymentButton, ProductId};
use crate::ports::TurnFacts;
use crate::tools::{PaymentAnswer, ProductAnswer};

/// What is to be bought.
pub struct Basket {
    /// The product.
    pub product: ProductId,
    quantity: u32,
}

impl Basket {
    /// The same product in another number of pieces.
    pub fn of(self, quantity: u32) -> Self {
        Self { quantity, ..self }
    }
}

/// Below this score a purchase is not sure.
const SURE: f32 = 0.6;

/// The link for what the customer takes.
pub fn buy(errand: &mut Errand<'_>) -> Option<Part> {
    let entities = errand.asked.triage.entities.clone();
    if asks_only(errand) {
        return products::question(errand);
    }
    let pointed =
        !entities.ordinals.is_empty() || entities.comparison.is_some() || has_subject(errand.asked);
    if let Some(mut basket) = pending_basket(errand.facts)
        && !pointed
    {
        basket.quantity = entities.quantity.unwrap_or(basket.quantity);
        return link(errand, &basket);
    }
    // Who only asks to see the cheapest gets an offer.
    let unsure = errand.asked.triage.intent.score < SURE || cues::showing(&errand.asked.text);
    if entities.comparison.is_some() && entities.ordinals.is_empty() && unsure {
        return products::comparison(errand);
    }
    let products = match referred(errand) {
        Reference::Missing => return None,
        Reference::Known(products) => products,
        Reference::Unknown if has_subject(errand.asked) => return catalog::search(errand),
        Reference::Unknown => {
            return Some(Part::text(errand.words.plain("which_product")).awaiting("choose"));
        }
    };
    match chosen(&products, entities.comparison) {
        Some(product) => link(
            errand,
            &Basket {
                product: product.id,
                quantity: entities.quantity.unwrap_or(1),
            },
        ),
        None => Some(Part::text(errand.words.plain("which_product")).awaiting("choose")),
    }
}

/// A question about a property is none to buy, unless it says so.
fn asks_only(errand: &Errand<'_>) -> bool {
    let (text, entities) = (&errand.asked.text, &errand.asked.triage.entities);
    let property =
        !entities.colors.is_empty() || !entities.features.is_empty() || entities.in_stock;
    property && text.contains('?') && entities.quantity.is_none() && !cues::taking(text)
}

/// What was offered or linked last: `basket:<product>x<quantity>`.
pub fn pending_basket(facts: &TurnFacts) -> Option<Basket> {
    let (product, quantity) = facts
        .history
        .awaiting()?
        .strip_prefix("basket:")?
        .rsplit_once('x')?;
    Some(Basket {
        product: ProductId::from(product),
        quantity: quantity.parse().ok()?,
    })
}

/// Summary, total, one button, how long it lives. The same basket gives the same link.
pub fn link(errand: &mut Errand<'_>, basket: &Basket) -> Option<Part> {
    let arguments = json!({
        "items": [{ "product_id": basket.product, "quantity": basket.quantity }],
    });
    match errand.call::<PaymentAnswer>("payment_link", arguments) {
        Called::Missing => None,
        Called::Done(payment) => Some(linked(errand, payment, basket)),
        Called::Refused => refused(errand, basket),
    }
}

fn linked(errand: &Errand<'_>, payment: PaymentAnswer, basket: &Basket) -> Part {
    let text = errand.words.say(
        "link",
        context! {
            lines => errand.words.list(&payment.lines),
            total => payment.total.display(errand.words.spoken()),
            hours => payment.expires_in_hours,
        },
    );
    let mut part =
        Part::text(text).awaiting(format!("basket:{}x{}", basket.product, basket.quantity));
    part.answer.payment = Some(PaymentButton {
        id: payment.id,
        label: errand.words.plain("link_label"),
        url: payment.url,
        total: payment.total,
    });
    part
}

/// Too few in stock, or payments are off: say which.
fn refused(errand: &mut Errand<'_>, basket: &Basket) -> Option<Part> {
    let product = match errand.call::<ProductAnswer>("get_product", json!({ "id": basket.product }))
    {
        Called::Missing => return None,
        Called::Done(answer) => Some(answer.product),
        Called::Refused => None,
    };
    let Some(product) = product.filter(|product| product.stock < basket.quantity) else {
        let mut part = Part::text(errand.words.plain("payments_off")).awaiting("person");
        part.answer.choices.push(choice(errand.words, "person"));
        return Some(part);
    };
    let values = || context! { title => product.title.as_str(), number => product.stock };
    if product.stock == 0 {
        return Some(Part::text(errand.words.say("sold_out", values())));
    }
    let text = errand.words.say("not_enough", values());
    Some(Part::text(text).awaiting(format!("basket:{}x{}", product.id, product.stock)))
}
