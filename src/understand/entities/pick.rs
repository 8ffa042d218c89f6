//! How many pieces, and which of the products that were shown.

use super::super::words::{Phrases, Token, Words, fold_word};
use super::numbers::is_measure;

/// More pieces than this is no order over a counter.
const MOST_PIECES: u32 = 999;

/// The number of pieces that a text names, and its place.
pub(super) fn quantity(
    tokens: &[Token],
    words: &Words,
    prices: &[usize],
    categories: &[(usize, usize)],
) -> Option<(u32, usize)> {
    let pick = &words.pick;
    (0..tokens.len())
        .filter(|place| !prices.contains(place))
        .find_map(|place| {
            if pick.pair.starts_at(tokens, place).is_some() {
                return Some((2, place));
            }
            let number = number_at(tokens, words, place);
            if let Some(number) = number
                && !is_measure(tokens, place)
                && counts_pieces(tokens, words, place, categories)
            {
                return Some((number, place));
            }
            let one = pick.one.starts_at(tokens, place).is_some();
            let of = pick.of.starts_at(tokens, place + 1).is_some();
            let taken = pick.firm.ends_before(tokens, place).is_some();
            let counted = tokens.get(place + 1).is_none_or(|next| !next.is_word())
                || of
                || categories.iter().any(|(start, _)| *start == place + 1);
            (one && taken && counted).then_some((1, place))
        })
}

fn number_at(tokens: &[Token], words: &Words, place: usize) -> Option<u32> {
    let token = tokens.get(place)?;
    let spoken = words
        .pick
        .numbers
        .iter()
        .find(|(word, _)| fold_word(word) == token.text);
    let number = spoken
        .map(|(_, number)| *number)
        .or_else(|| token.text.parse().ok())?;
    (1..=MOST_PIECES).contains(&number).then_some(number)
}

fn counts_pieces(
    tokens: &[Token],
    words: &Words,
    place: usize,
    categories: &[(usize, usize)],
) -> bool {
    let pick = &words.pick;
    let is = |at: Option<usize>, texts: &[&str]| {
        at.and_then(|at| tokens.get(at))
            .is_some_and(|token| texts.contains(&token.text.as_str()))
    };
    let times = ["x", "×", "*"];
    let marked = is(Some(place + 1), &times) || is(place.checked_sub(1), &times);
    // Inside the name of a product a number is part of the name.
    let of = pick.of.starts_at(tokens, place + 1).is_some();
    let pieces = pick.pieces.starts_at(tokens, place + 1).is_some();
    let named = categories.iter().any(|(start, _)| *start == place + 1);
    let taken =
        (place.saturating_sub(2)..place).any(|before| ends_at(&pick.take, tokens, before, place));
    let chosen = pick.articles.ends_before(tokens, place).is_some();
    marked || (of && !chosen) || pieces || (!chosen && (named || taken))
}

/// Whether a phrase that starts at or before `start` ends between there and `end`.
fn ends_at(phrases: &Phrases, tokens: &[Token], start: usize, end: usize) -> bool {
    phrases
        .starts_at(tokens, start)
        .is_some_and(|length| start + length <= end)
}

/// The places of the products that a text points at, counted from 1; -1 is the last.
pub(super) fn ordinals(tokens: &[Token], words: &Words) -> Vec<i32> {
    let pick = &words.pick;
    let mut found = Vec::new();
    for place in 0..tokens.len() {
        let ordinal = if pick
            .last
            .starts_at(tokens, place)
            .is_some_and(|length| is_thing(tokens, words, place + length))
        {
            Some(-1)
        } else {
            ordinal_word(tokens, words, place).or_else(|| ordinal_digit(tokens, words, place))
        };
        if let Some(ordinal) = ordinal
            && !found.contains(&ordinal)
        {
            found.push(ordinal);
        }
    }
    found
}

fn ordinal_word(tokens: &[Token], words: &Words, place: usize) -> Option<i32> {
    let pick = &words.pick;
    let (number, length) = pick
        .ordinals
        .iter()
        .find_map(|(number, forms)| Some((number, forms.starts_at(tokens, place)?)))?;
    let pointed = pick.articles.ends_before(tokens, place).is_some()
        || pick.one.starts_at(tokens, place + length).is_some()
        || tokens.len() == length;
    if pointed && is_thing(tokens, words, place + length) {
        number.parse().ok()
    } else {
        None
    }
}

/// "number 2", "la 2": an article and a digit with nothing that it could count.
fn ordinal_digit(tokens: &[Token], words: &Words, place: usize) -> Option<i32> {
    let number: i32 = tokens
        .get(place)?
        .text
        .parse()
        .ok()
        .filter(|number| (1..=10).contains(number))?;
    let mut article = place;
    while article > 0 && matches!(tokens[article - 1].text.as_str(), "." | "°" | "º") {
        article -= 1;
    }
    let pointed = words.pick.articles.ends_before(tokens, article).is_some();
    let hashed = place > 0 && tokens[place - 1].text == "#";
    let counts = tokens.get(place + 1).is_some_and(|next| {
        next.is_number() || next.text == "€" || (next.is_word() && next.text.chars().count() > 3)
    });
    let separate = tokens
        .get(place + 1)
        .is_none_or(|next| next.apart || !next.is_word());
    ((pointed || hashed) && !counts && separate && !is_measure(tokens, place)).then_some(number)
}

/// Whether what follows is not a time, a message or anything else that is no product.
fn is_thing(tokens: &[Token], words: &Words, place: usize) -> bool {
    words.pick.not_things.starts_at(tokens, place).is_none()
}
