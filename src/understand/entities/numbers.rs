//! Order numbers, and numbers as customers write them.

use super::super::words::{self, Token};
use super::{mention, used};
use crate::domain::{Fact, Mention, OrderNumber};

/// What may follow a number that measures something else.
const UNITS: &[&str] = &[
    "g",
    "gr",
    "kg",
    "mg",
    "ml",
    "cl",
    "l",
    "cm",
    "mm",
    "m",
    "w",
    "watt",
    "kw",
    "bar",
    "db",
    "v",
    "h",
    "min",
    "tazze",
    "tazza",
    "cups",
    "cup",
    "tassen",
    "tazas",
    "chavenas",
    "tasses",
    "persone",
    "people",
    "personas",
    "pessoas",
    "personen",
    "personnes",
    "anni",
    "years",
    "anos",
    "jahre",
    "ans",
    "giorni",
    "days",
    "dias",
    "tage",
    "jours",
    "uhr",
    "ore",
    "hours",
    "horas",
    "stunden",
    "heures",
    "am",
    "pm",
    "%",
    "grad",
    "gradi",
    "degrees",
    "graus",
    "grados",
    "gramm",
    "grammi",
    "grams",
    "gramos",
    "gramas",
    "grammes",
    "liter",
    "litri",
    "litros",
    "litres",
    "liters",
    "mesi",
    "months",
    "meses",
    "monate",
    "mois",
    "settimane",
    "weeks",
    "semanas",
    "wochen",
    "semaines",
    "minuti",
    "minutes",
    "minutos",
    "minuten",
    "kilo",
    "kilos",
    "chili",
    "volte",
    "times",
    "veces",
    "vezes",
    "mal",
    "fois",
    "°",
    "mails",
    "mail",
    "emails",
    "monat",
    "jahr",
    "tag",
    "woche",
    "year",
    "month",
    "day",
    "week",
];

/// Whether the token after this place says that the number there is a measure.
pub(super) fn is_measure(tokens: &[Token], place: usize) -> bool {
    tokens
        .get(place + 1)
        .is_some_and(|next| UNITS.contains(&next.text.as_str()))
}

/// A number in hundredths: `1.000,50` and `1,000.50` are 100050, `12` is 1200.
pub(super) fn hundredths(text: &str) -> Option<i64> {
    let groups: Vec<&str> = text.split(['.', ',']).collect();
    let decimals = match groups.as_slice() {
        [] | [_] => "",
        [.., last] if last.len() == 3 && !mixed_with_decimals(text) => "",
        [.., last] => last,
    };
    if decimals.len() > 2 {
        return None;
    }
    let whole_groups = if decimals.is_empty() {
        groups.len()
    } else {
        groups.len() - 1
    };
    let whole: String = groups.get(..whole_groups)?.concat();
    let whole: i64 = if whole.len() <= 9 {
        whole.parse().ok()?
    } else {
        return None;
    };
    let cents: i64 = match decimals.len() {
        0 => 0,
        1 => decimals.parse::<i64>().ok()? * 10,
        _ => decimals.parse().ok()?,
    };
    Some(whole * 100 + cents)
}

/// Two kinds of separator, the second once: the last group is a fraction.
fn mixed_with_decimals(text: &str) -> bool {
    let separators: Vec<char> = text
        .chars()
        .filter(|letter| matches!(letter, '.' | ','))
        .collect();
    matches!(separators.as_slice(), [.., before, last] if before != last)
}

/// The order numbers of a text, and its tokens without them.
pub(super) fn orders(
    tokens: &[Token],
    mentions: &mut Vec<Mention>,
) -> (Vec<OrderNumber>, Vec<Token>) {
    let mut orders: Vec<OrderNumber> = Vec::new();
    let mut rest = tokens.to_vec();
    for (place, token) in tokens.iter().enumerate() {
        if is_order(tokens, place) {
            let number = OrderNumber::from(token.text.clone());
            mentions.extend(mention(tokens, place, place, Fact::Order(number.clone())));
            if !orders.contains(&number) {
                orders.push(number);
            }
            rest[place] = used(token);
        }
    }
    (orders, rest)
}

fn is_order(tokens: &[Token], place: usize) -> bool {
    let text = tokens[place].text.as_str();
    if !(4..=8).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let before = place.checked_sub(1).and_then(|before| tokens.get(before));
    let glued = tokens
        .get(place + 1)
        .is_some_and(|next| next.is_word() && !next.apart);
    let after_letters = before.is_some_and(|before| before.is_word() && !tokens[place].apart);
    if is_money(tokens, place)
        || is_measure(tokens, place)
        || glued
        || after_letters
        || is_postcode(tokens, place)
    {
        return false;
    }
    let hashed = before.is_some_and(|before| before.text == "#");
    let year = text.len() == 4 && (text.starts_with("19") || text.starts_with("20"));
    let near = if year {
        words::all().any(|words| words.order.ends_before(tokens, place).is_some())
    } else {
        near_order_word(tokens, place)
    };
    hashed || near || text.len() == 5
}

fn is_money(tokens: &[Token], place: usize) -> bool {
    let sign = |token: &Token| matches!(token.text.as_str(), "€" | "$" | "£");
    let before = place.checked_sub(1).and_then(|before| tokens.get(before));
    let currency =
        words::all().any(|words| words.price.currency.starts_at(tokens, place + 1).is_some());
    before.is_some_and(sign) || tokens.get(place + 1).is_some_and(sign) || currency
}

fn is_postcode(tokens: &[Token], place: usize) -> bool {
    words::all().any(|words| {
        let phrases = &words.postcode;
        phrases.ends_before(tokens, place).is_some()
            || place > 0 && phrases.ends_before(tokens, place - 1).is_some()
    })
}

/// A word for orders at most five tokens before the number or two after it, in the same sentence.
fn near_order_word(tokens: &[Token], place: usize) -> bool {
    let stop = |token: &&Token| !matches!(token.text.as_str(), "." | "!" | "?" | ";");
    let before = tokens[..place]
        .iter()
        .rev()
        .take(5)
        .take_while(stop)
        .count();
    let after = tokens[place + 1..].iter().take(2).take_while(stop).count();
    let window = &tokens[place - before..=place + after];
    words::all().any(|words| words.order.occur_in(window))
}
