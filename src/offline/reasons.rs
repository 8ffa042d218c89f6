//! Why a product fits, in a few words from its attributes.

use minijinja::context;

use crate::domain::Entities;
use crate::prompts::Words;
use crate::tools::{ProductView, has_feature};

/// From so few pieces on, the number is said.
pub const FEW: u32 = 3;

/// One reason: what was asked for first, then what stands out.
pub fn reason(product: &ProductView, wish: &Entities, words: Words<'_>) -> Option<String> {
    if product.stock == 0 {
        return Some(words.plain("reason_out_of_stock"));
    }
    wished(product, wish, words).or_else(|| outstanding(product, words))
}

fn wished(product: &ProductView, wish: &Entities, words: Words<'_>) -> Option<String> {
    if let Some(color) = wish
        .colors
        .iter()
        .find(|color| has(product, "colors", color))
    {
        return Some(words.say(
            "reason_color",
            context! { color => words.name("colors", color) },
        ));
    }
    for (key, value) in &wish.features {
        if !has(product, key, value) {
            continue;
        }
        let said = match key.as_str() {
            "quiet" => quiet(product, words),
            "compact" => narrow(product, words),
            "cappuccino" => milk(product, words),
            "decaf" | "organic" | "induction" => Some(words.plain(&format!("reason_{key}"))),
            "burr" => Some(words.plain(&format!("reason_{value}"))),
            _ => None,
        };
        if said.is_some() {
            return said;
        }
    }
    None
}

fn outstanding(product: &ProductView, words: Words<'_>) -> Option<String> {
    if product.stock <= FEW {
        return Some(words.say("reason_few_left", context! { number => product.stock }));
    }
    milk(product, words)
        .or_else(|| burr(product, words))
        .or_else(|| roast(product, words))
        .or_else(|| narrow(product, words))
        .or_else(|| {
            ["decaf", "organic", "induction"]
                .into_iter()
                .find(|key| has(product, key, "yes"))
                .map(|key| words.plain(&format!("reason_{key}")))
        })
}

fn milk(product: &ProductView, words: Words<'_>) -> Option<String> {
    let milk = first(product, "milk")?;
    matches!(milk, "automatic" | "panarello" | "pitcher")
        .then(|| words.plain(&format!("reason_milk_{milk}")))
}

fn burr(product: &ProductView, words: Words<'_>) -> Option<String> {
    let burr = first(product, "burr")?;
    matches!(burr, "conical" | "flat" | "manual").then(|| words.plain(&format!("reason_{burr}")))
}

fn roast(product: &ProductView, words: Words<'_>) -> Option<String> {
    let roast = first(product, "roast")?.replace('-', "_");
    matches!(roast.as_str(), "light" | "medium" | "medium_dark" | "dark")
        .then(|| words.plain(&format!("reason_{roast}")))
}

fn quiet(product: &ProductView, words: Words<'_>) -> Option<String> {
    let number = first(product, "noise_db")?;
    Some(words.say("reason_quiet", context! { number }))
}

fn narrow(product: &ProductView, words: Words<'_>) -> Option<String> {
    let width = first(product, "width_cm")?;
    let narrow = has(product, "compact", "yes");
    narrow.then(|| words.say("reason_narrow", context! { number => width }))
}

fn first<'p>(product: &'p ProductView, key: &str) -> Option<&'p str> {
    product.attributes.get(key)?.first().map(String::as_str)
}

/// Whether a product has a feature for sure.
pub fn has(product: &ProductView, key: &str, value: &str) -> bool {
    has_feature(&product.attributes, key, value) == Some(true)
}

/// The stock as a customer reads it.
pub fn stock(product: &ProductView, words: Words<'_>) -> String {
    match product.stock {
        0 => words.plain("stock_out"),
        few @ 1..=FEW => words.say("stock_few", context! { number => few }),
        _ => words.plain("stock_in"),
    }
}
