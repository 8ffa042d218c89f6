//! Article numbers and models: "article 4711", "ref. AB-12", "EC685".

use super::super::words::{Token, Words};
use super::{mention, used};
use crate::domain::{Fact, Mention};

/// Tokens that a code may be made of: letters, digits and dashes without a blank between them.
const LONGEST_CODE: usize = 7;

/// Finds them, and gives the tokens without them. A code after a word that announces one needs a digit; one that
/// stands alone needs letters before at least two digits, and a model's length.
pub(super) fn take(tokens: &[Token], words: &Words, mentions: &mut Vec<Mention>) -> Vec<Token> {
    let mut rest = tokens.to_vec();
    let mut place = 0;
    while place < tokens.len() {
        let last = code_end(tokens, place);
        let code: String = (place..=last)
            .filter_map(|place| tokens.get(place))
            .map(|token| token.text.to_uppercase())
            .collect();
        if is_code(&code) && (announced(tokens, words, place) || is_model(&code)) {
            mentions.extend(mention(tokens, place, last, Fact::Reference(code)));
            for token in &mut rest[place..=last] {
                *token = used(token);
            }
        }
        place = last + 1;
    }
    rest
}

/// The last token of what is written together from here.
fn code_end(tokens: &[Token], start: usize) -> usize {
    let joined = |token: &&Token| {
        !token.apart
            && (token.is_word()
                || token.is_number()
                || matches!(token.text.as_str(), "-" | "/" | "_"))
    };
    let first = tokens
        .get(start)
        .is_some_and(|token| token.is_word() || token.is_number());
    let following = tokens.get(start + 1..).unwrap_or_default();
    let mut last = start;
    if first {
        last += following
            .iter()
            .take(LONGEST_CODE)
            .take_while(joined)
            .count();
    }
    while last > start
        && tokens
            .get(last)
            .is_some_and(|token| !token.is_word() && !token.is_number())
    {
        last -= 1;
    }
    last
}

fn is_code(code: &str) -> bool {
    code.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'/' | b'_'))
        && code.bytes().filter(u8::is_ascii_digit).count() >= 2
        && code.len() <= 24
}

fn announced(tokens: &[Token], words: &Words, place: usize) -> bool {
    let filler = |token: &Token| {
        matches!(
            token.text.as_str(),
            "." | ":" | "#" | "n" | "nr" | "no" | "number" | "numero" | "°"
        )
    };
    let mut before = place;
    while before > 0 && place - before < 3 && tokens.get(before - 1).is_some_and(filler) {
        before -= 1;
    }
    words.reference.ends_before(tokens, before).is_some()
}

/// Letters, then at least two digits: "EC685", "AB-1234"; not a unit with its number, nor "v60".
fn is_model(code: &str) -> bool {
    let letters = code.bytes().take_while(u8::is_ascii_uppercase).count();
    let rest = code.get(letters..).unwrap_or_default();
    let digits = rest
        .trim_start_matches('-')
        .bytes()
        .take_while(u8::is_ascii_digit)
        .count();
    (2..=5).contains(&letters) && digits >= 3
}
