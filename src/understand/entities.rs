//! Typed facts in a message: order numbers, addresses, prices, quantities, products' properties.

mod numbers;
mod pick;
mod price;
mod terms;

use std::sync::LazyLock;

use regex::Regex;

use super::words::{self, Token, tokens};
use crate::domain::{Entities, Language};

/// Characters that are looked at.
const LONGEST_TEXT: usize = 4_000;

/// Everything that can be read from a message in this language; never fails, at worst finds nothing.
#[must_use]
pub fn entities(text: &str, language: Language) -> Entities {
    let text: String = text.chars().take(LONGEST_TEXT).collect();
    let emails = emails(&text);
    let plain = without_addresses(&text);
    let words = words::of(language);
    let all_tokens = tokens(&plain);
    let (orders, tokens) = numbers::orders(&all_tokens);
    let price = price::price(&tokens, words);
    let terms = terms::terms(&tokens, words);
    Entities {
        orders,
        emails,
        price: price.range,
        quantity: pick::quantity(&tokens, words, &price.taken, &terms.category_places),
        ordinals: pick::ordinals(&tokens, words),
        colors: terms.colors,
        categories: terms.categories,
        features: terms.features,
        comparison: terms.comparison,
        in_stock: words.in_stock.occur_in(&tokens),
    }
}

fn emails(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for address in EMAIL.iter().flat_map(|pattern| pattern.find_iter(text)) {
        let address = address.as_str().trim_end_matches(['.', '-']).to_lowercase();
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

/// The text without e-mail and web addresses and telephone or card numbers, whose digits mean nothing else.
fn without_addresses(text: &str) -> String {
    let mut plain = text.to_owned();
    for pattern in EMAIL.iter().chain(NOISE.iter()) {
        plain = pattern.replace_all(&plain, " ; ").into_owned();
    }
    plain
}

static EMAIL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)[\p{L}0-9][\p{L}0-9._%+-]*@[\p{L}0-9-]+(?:\.[\p{L}0-9-]+)*\.\p{L}{2,}").ok()
});

static NOISE: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r"(?i)\b(?:https?://|www\.)\S+",
        // International telephone numbers, groups of digits, and runs longer than any order number.
        r"\+\d[\d\s().\-/]{6,}\d",
        r"\b0\d{1,4}[\s/.\-]\d[\d\s/.\-]{4,}\d\b",
        r"\b\d{3,4}[ .\-]\d{2,4}[ .\-]\d{2,4}(?:[ .\-]\d{2,4})*\b",
        r"\b\d{9,}\b",
        r"\b\d{1,2}[./\-]\d{1,2}[./\-]\d{2,4}\b",
        r"\b\d{1,2}:\d{2}\b",
    ]
    .iter()
    .filter_map(|pattern| Regex::new(pattern).ok())
    .collect()
});

/// Puts a mark in place of a token that was used, so that nothing else reads it.
fn used(token: &Token) -> Token {
    Token {
        text: ";".to_owned(),
        apart: token.apart,
    }
}

#[cfg(test)]
mod tests;
