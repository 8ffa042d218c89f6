//! Typed facts in a message: order numbers, addresses, prices, quantities, days, products' properties.

mod addresses;
mod dates;
mod numbers;
mod pick;
mod price;
mod references;
mod terms;

use super::words::{self, Token, tokens};
use crate::domain::{Entities, Fact, Language, Mention};

/// Characters that are looked at.
const LONGEST_TEXT: usize = 4_000;

/// Everything that can be read from a message in this language; never fails, at worst finds nothing.
///
/// Mentions say where in `text` a fact stands. Beyond the first 4,000 characters nothing is read.
#[must_use]
pub fn entities(text: &str, language: Language) -> Entities {
    let cut = text.char_indices().nth(LONGEST_TEXT);
    let text = cut.map_or(text, |(end, _)| text.get(..end).unwrap_or(text));
    let mut mentions = Vec::new();
    let plain = addresses::take(text, language, &mut mentions);
    let words = words::of(language);
    let all_tokens = tokens(&plain);
    let (orders, tokens) = numbers::orders(&all_tokens, &mut mentions);
    let tokens = references::take(&tokens, words, &mut mentions);
    let tokens = dates::take(&tokens, words, &mut mentions);
    let price = price::price(&tokens, words);
    let terms = terms::terms(&tokens, words);
    let quantity = pick::quantity(&tokens, words, &price.taken, &terms.category_places);
    if let (Some(range), Some((first, last))) = (price.range, price.span) {
        mentions.extend(mention(&tokens, first, last, Fact::Price(range)));
    }
    if let Some((number, place)) = quantity {
        mentions.extend(mention(&tokens, place, place, Fact::Quantity(number)));
    }
    mentions.sort_by_key(|mention| (mention.start, mention.end));
    let mut found = Entities {
        orders,
        price: price.range,
        quantity: quantity.map(|(number, _)| number),
        ordinals: pick::ordinals(&tokens, words),
        colors: terms.colors,
        categories: terms.categories,
        features: terms.features,
        comparison: terms.comparison,
        in_stock: words.in_stock.occur_in(&tokens),
        ..Entities::default()
    };
    for mention in &mentions {
        match &mention.fact {
            Fact::Email(address) => push(&mut found.emails, address.clone()),
            Fact::Phone(number) => push(&mut found.phones, number.clone()),
            Fact::Reference(code) => push(&mut found.references, code.clone()),
            Fact::Date(when) => push(&mut found.dates, *when),
            Fact::Order(_) | Fact::Price(_) | Fact::Quantity(_) => {}
        }
    }
    found.mentions = mentions;
    found
}

/// A fact over the tokens from `first` to `last`.
fn mention(tokens: &[Token], first: usize, last: usize, fact: Fact) -> Option<Mention> {
    Some(Mention {
        start: tokens.get(first)?.start,
        end: tokens.get(last)?.end,
        fact,
    })
}

fn push<T: PartialEq>(list: &mut Vec<T>, value: T) {
    if !list.contains(&value) {
        list.push(value);
    }
}

/// Puts a mark in place of a token that was used, so that nothing else reads it.
fn used(token: &Token) -> Token {
    Token {
        text: ";".to_owned(),
        ..token.clone()
    }
}

#[cfg(test)]
mod tests;
