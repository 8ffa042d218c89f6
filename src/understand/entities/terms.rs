//! Colours, categories and features in the catalog's own terms.

use std::collections::BTreeMap;

use super::super::words::{self, Phrase, Phrases, Token, Words};
use crate::domain::Comparison;

/// What was found, each thing once and in the order of the text.
#[derive(Debug, Default)]
pub(super) struct Terms {
    pub(super) colors: Vec<String>,
    pub(super) categories: Vec<String>,
    /// First token of each category's name, and the token after it.
    pub(super) category_places: Vec<(usize, usize)>,
    pub(super) features: Vec<(String, String)>,
    pub(super) comparison: Option<Comparison>,
}

/// Reads a text with its language's tables; what these do not know, with those of the other languages.
pub(super) fn terms(tokens: &[Token], own: &Words) -> Terms {
    let mut found = Terms {
        comparison: comparison(tokens, own),
        ..Terms::default()
    };
    for (_, _, color) in matches(tokens, own, |words| &words.colors, Phrase::stands_at) {
        push(&mut found.colors, color.to_owned());
    }
    for (_, _, feature) in matches(
        tokens,
        own,
        |words| &words.features,
        Phrase::nearly_stands_at,
    ) {
        if let Some((key, value)) = feature.split_once('=') {
            push(&mut found.features, (key.to_owned(), value.to_owned()));
        }
    }
    let categories = matches(
        tokens,
        own,
        |words| &words.categories,
        Phrase::nearly_stands_at,
    );
    let wanted = |start: usize| own.purpose.ends_before(tokens, start).is_none();
    let any_wanted = categories.iter().any(|(start, _, _)| wanted(*start));
    for (start, end, names) in categories {
        // "a grinder for moka" asks for a grinder.
        if any_wanted && !wanted(start) {
            continue;
        }
        found.category_places.push((start, end));
        for name in names.split('+') {
            push(&mut found.categories, name.to_owned());
        }
    }
    found
}

fn comparison(tokens: &[Token], words: &Words) -> Option<Comparison> {
    if words.comparison.cheapest.occur_in(tokens) {
        Some(Comparison::Cheapest)
    } else if words.comparison.dearest.occur_in(tokens) {
        Some(Comparison::Dearest)
    } else {
        None
    }
}

type Table = BTreeMap<String, Phrases>;

/// Places and names of a table's phrases: at each place the longest, exact before nearly, own before foreign.
fn matches<'a>(
    tokens: &[Token],
    own: &'a Words,
    table: fn(&'a Words) -> &'a Table,
    nearly: fn(&Phrase, &[Token], usize) -> bool,
) -> Vec<(usize, usize, &'a str)> {
    let mut found = Vec::new();
    let mut place = 0;
    while place < tokens.len() {
        let exact = longest(table(own), tokens, place, Phrase::stands_at)
            .or_else(|| longest(table(own), tokens, place, nearly))
            .or_else(|| {
                words::all()
                    .find_map(|words| longest(table(words), tokens, place, Phrase::stands_at))
            })
            .filter(|_| tokens[place].is_word() || tokens[place].is_number());
        if let Some((length, name)) = exact {
            found.push((place, place + length, name));
            place += length;
        } else {
            place += 1;
        }
    }
    found
}

fn longest<'a>(
    table: &'a Table,
    tokens: &[Token],
    place: usize,
    stands: fn(&Phrase, &[Token], usize) -> bool,
) -> Option<(usize, &'a str)> {
    let mut best: Option<(usize, &str)> = None;
    for (name, phrases) in table {
        let fits = phrases.iter().find(|phrase| stands(phrase, tokens, place));
        if let Some(phrase) = fits
            && best.is_none_or(|(length, _)| phrase.0.len() > length)
        {
            best = Some((phrase.0.len(), name));
        }
    }
    best
}

fn push<T: PartialEq>(list: &mut Vec<T>, value: T) {
    if !list.contains(&value) {
        list.push(value);
    }
}
