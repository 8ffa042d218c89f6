//! Card numbers in text: found and masked before anything is stored.
//!
//! A card number is 13 to 19 digits, perhaps with spaces, dots, dashes or underscores between them, whose
//! prefix and length an issuer uses and whose check digit is right (ISO/IEC 7812, Luhn). A run of digits is
//! never cut: a card number inside a longer run is not one. Security codes are three or four digits
//! beside a word that names them.

mod json;
#[cfg(test)]
mod tests;

pub use json::{mask_cards_in_json, mask_cards_in_value};

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Text in which no card number is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked<'a> {
    /// The text; borrowed when nothing was masked.
    pub text: Cow<'a, str>,
    /// How many numbers were masked, card numbers and security codes.
    pub found: usize,
}

/// Replaces each card number by `[card •••• 1111]` and each security code by `•••`. Masking twice changes
/// nothing more.
#[must_use]
pub fn mask_cards(text: &str) -> Masked<'_> {
    if text
        .chars()
        .filter(|&character| digit(character).is_some())
        .nth(2)
        .is_none()
    {
        return Masked {
            text: Cow::Borrowed(text),
            found: 0,
        };
    }
    let numbers = mask_numbers(text);
    let after = mask_codes(&CODE_AFTER_WORD, &numbers.text);
    let before = mask_codes(&CODE_BEFORE_WORD, &after.text);
    let found = numbers.found + after.found + before.found;
    Masked {
        text: if found == 0 {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(before.text.into_owned())
        },
        found,
    }
}

const CODE: &str = "•••";
const SHORTEST: usize = 13;
const LONGEST: usize = 19;
const LONGEST_PHONE: usize = 15;
const WIDEST_GAP: usize = 3;

/// Prefixes in use (first, last) and the lengths that go with them.
const ISSUERS: &[(u32, u32, &[usize])] = &[
    (4, 4, &[13, 16, 19]),               // Visa
    (51, 55, &[16]),                     // Mastercard
    (2221, 2720, &[16]),                 // Mastercard
    (34, 34, &[15]),                     // American Express
    (37, 37, &[15]),                     // American Express
    (300, 305, &[14, 16, 17, 18, 19]),   // Diners Club
    (3095, 3095, &[14, 16, 17, 18, 19]), // Diners Club
    (36, 36, &[14, 16, 17, 18, 19]),     // Diners Club
    (38, 39, &[14, 16, 17, 18, 19]),     // Diners Club
    (3528, 3589, &[16, 17, 18, 19]),     // JCB
    (6011, 6011, &[16, 17, 18, 19]),     // Discover
    (644, 649, &[16, 17, 18, 19]),       // Discover
    (65, 65, &[16, 17, 18, 19]),         // Discover, Elo, RuPay
    (62, 62, &[16, 17, 18, 19]),         // UnionPay
    (81, 82, &[16, 17, 18, 19]),         // UnionPay, RuPay
    (60, 60, &[16]),                     // RuPay, Hipercard
    (508, 508, &[16]),                   // RuPay
    (5067, 5067, &[16]),                 // Elo
    (5090, 5090, &[16]),                 // Elo
    (6362, 6363, &[16]),                 // Elo
    (2200, 2204, &[16, 17, 18, 19]),     // Mir
    (5018, 5018, MAESTRO),
    (5020, 5020, MAESTRO),
    (5038, 5038, MAESTRO),
    (5612, 5612, MAESTRO),
    (5893, 5893, MAESTRO),
    (6304, 6304, MAESTRO),
    (6759, 6763, MAESTRO),
];
const MAESTRO: &[usize] = &[13, 14, 15, 16, 17, 18, 19];

/// A run of digits.
struct Run {
    bytes: Range<usize>,
    digits: Vec<u8>,
    /// Only separators, and few of them, lie between this run and the one before.
    joined: bool,
    /// A `+` stands before it, as before an international phone number.
    plus: bool,
}

impl Run {
    /// Whether this is the fraction of a decimal number such as a latitude.
    fn is_fraction_of(&self, whole: &Self, text: &str) -> bool {
        whole.digits.len() <= 3
            && self.digits.len() > 4
            && text.get(whole.bytes.end..self.bytes.start) == Some(".")
    }
}

fn mask_numbers(text: &str) -> Masked<'_> {
    let runs = runs(text);
    let mut masked = String::new();
    let mut copied = 0;
    let mut found = 0;
    let mut first = 0;
    while first < runs.len() {
        let Some((last, digits)) = longest_card(&runs, first, text) else {
            first += 1;
            continue;
        };
        masked.push_str(&text[copied..runs[first].bytes.start]);
        masked.push_str("[card •••• ");
        masked.extend(
            digits[digits.len() - 4..]
                .iter()
                .map(|&digit| char::from(b'0' + digit)),
        );
        masked.push(']');
        found += 1;
        copied = runs[last].bytes.end;
        first = last + 1;
    }
    if found == 0 {
        return Masked {
            text: Cow::Borrowed(text),
            found,
        };
    }
    masked.push_str(&text[copied..]);
    Masked {
        text: Cow::Owned(masked),
        found,
    }
}

/// The longest card number that starts with this run: the last run it takes, and its digits.
fn longest_card(runs: &[Run], first: usize, text: &str) -> Option<(usize, Vec<u8>)> {
    let fraction =
        |position: usize| position > 0 && runs[position].is_fraction_of(&runs[position - 1], text);
    let mut digits = Vec::new();
    let mut longest = None;
    for (position, run) in runs.iter().enumerate().skip(first) {
        let apart = position > first && !run.joined;
        if apart || fraction(position) || digits.len() + run.digits.len() > LONGEST {
            break;
        }
        digits.extend_from_slice(&run.digits);
        let phone = runs[first].plus && digits.len() <= LONGEST_PHONE;
        if !phone && is_card(&digits) {
            longest = Some((position, digits.clone()));
        }
    }
    longest
}

fn runs(text: &str) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut gap = None;
    let mut previous = None;
    for (position, character) in text.char_indices() {
        let end = position + character.len_utf8();
        match (digit(character), runs.last_mut()) {
            (Some(digit), Some(run)) if gap == Some(0) => {
                run.digits.push(digit);
                run.bytes.end = end;
            }
            (Some(digit), _) => {
                runs.push(Run {
                    bytes: position..end,
                    digits: vec![digit],
                    joined: gap.is_some(),
                    plus: previous == Some('+'),
                });
                gap = Some(0);
            }
            (None, _) => {
                gap = gap
                    .map(|width| width + 1)
                    .filter(|&width| width <= WIDEST_GAP && is_separator(character));
            }
        }
        previous = Some(character);
    }
    runs
}

/// ASCII, full-width, Arabic and Persian digits.
fn digit(character: char) -> Option<u8> {
    let zero = match character {
        '0'..='9' => '0',
        '０'..='９' => '０',
        '٠'..='٩' => '٠',
        '۰'..='۹' => '۰',
        _ => return None,
    };
    u8::try_from(u32::from(character) - u32::from(zero)).ok()
}

fn is_separator(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '.' | '-' | '_' | '·' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{200b}' | '\u{2060}'
        )
}

fn is_card(digits: &[u8]) -> bool {
    digits.len() >= SHORTEST && luhn(digits) && is_issued(digits)
}

fn is_issued(digits: &[u8]) -> bool {
    ISSUERS.iter().any(|(low, high, lengths)| {
        let places = low.ilog10() as usize + 1;
        let prefix = digits[..places]
            .iter()
            .fold(0, |number, &digit| number * 10 + u32::from(digit));
        (*low..=*high).contains(&prefix) && lengths.contains(&digits.len())
    })
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| match (place % 2, u32::from(digit)) {
            (1, digit) if digit > 4 => digit * 2 - 9,
            (1, digit) => digit * 2,
            (_, digit) => digit,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Between a word and its code: nothing that another number or a mask could hide in.
const GAP: &str = r"[^\p{L}\p{N}\[\]•]";
const STRONG_WORDS: &str =
    r"cvv2?|cvc2?|cvn2?|csc|(?:karten)?pr(?:ü|u\x{308}|ue)f(?:ziffer|nummer|zahl)";

static CODE_AFTER_WORD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let security = r"(?:sicurezza|controllo|verifica|seguridad|seguran[çc]a|verificaci[óo]n|verifica[çc][ãa]o)";
    let words = format!(
        r"{STRONG_WORDS}|security code|sicherheitscode|code de s[ée]curit[ée]|cryptogramme(?: visuel)?|c(?:o|ó|o\x{{301}})di(?:ce|go)(?: d[ie] {security})?"
    );
    let is = r"is|è|é|e|es|ist|est";
    Regex::new(&format!(
        r"(?i)\b(?:{words}){GAP}{{0,4}}(?:\b(?:{is})\b{GAP}{{1,4}})?(?P<code>\d{{3,4}})"
    ))
    .ok()
});

static CODE_BEFORE_WORD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?i)(?P<code>\d{{3,4}}){GAP}{{0,3}}\b(?:{STRONG_WORDS})\b"
    ))
    .ok()
});

fn mask_codes<'a>(pattern: &Option<Regex>, text: &'a str) -> Masked<'a> {
    let mut found = 0;
    let masked = match pattern {
        Some(pattern) => pattern.replace_all(text, |captures: &Captures<'_>| {
            let (all, code) = (captures.get_match(), captures.name("code"));
            match code {
                Some(code) if stands_alone(text, code.range()) => {
                    found += 1;
                    let before = &text[all.start()..code.start()];
                    format!("{before}{CODE}{}", &text[code.end()..all.end()])
                }
                _ => all.as_str().to_owned(),
            }
        }),
        None => Cow::Borrowed(text),
    };
    Masked {
        text: masked,
        found,
    }
}

/// Whether digits are a number of their own, not a piece of a longer one, of a price or of a word.
fn stands_alone(text: &str, digits: Range<usize>) -> bool {
    let goes_on =
        |mut beside: Box<dyn Iterator<Item = char> + '_>, letters: bool| match beside.next() {
            Some('.' | ',' | '-' | '/') => beside.next().is_some_and(char::is_numeric),
            Some(character) => character.is_numeric() || letters && character.is_alphabetic(),
            None => false,
        };
    let before = Box::new(text[..digits.start].chars().rev());
    let after = Box::new(text[digits.end..].chars());
    !goes_on(before, false) && !goes_on(after, false)
}
