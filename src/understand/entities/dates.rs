//! Days in words: "tomorrow", "lunedì scorso", "3. Mai", "hace dos semanas".

use super::super::words::{Phrases, Token, Words, fold_word};
use super::{mention, used};
use crate::domain::{Fact, Mention, When};

/// More days than this from today is no day that anybody means.
const FARTHEST: i32 = 1_000;

/// Finds them, and gives the tokens without them.
pub(super) fn take(tokens: &[Token], words: &Words, mentions: &mut Vec<Mention>) -> Vec<Token> {
    let mut rest = tokens.to_vec();
    let mut place = 0;
    while place < tokens.len() {
        let found = counted(tokens, words, place)
            .or_else(|| of_month(tokens, words, place))
            .or_else(|| weekday(tokens, words, place))
            .or_else(|| near(tokens, words, place));
        let Some((when, end)) = found else {
            place += 1;
            continue;
        };
        mentions.extend(mention(tokens, place, end - 1, Fact::Date(when)));
        for token in &mut rest[place..end] {
            *token = used(token);
        }
        place = end;
    }
    rest
}

/// A day and the token after it.
type Found = Option<(When, usize)>;

/// "in 3 days", "two weeks ago".
fn counted(tokens: &[Token], words: &Words, place: usize) -> Found {
    let dates = &words.dates;
    let ahead = dates.ahead.starts_at(tokens, place);
    let ago = dates.ago_before.starts_at(tokens, place);
    let start = place + ahead.or(ago).unwrap_or(0);
    let number = i32::try_from(number(tokens, words, start)?).ok()?;
    let unit = start + 1;
    let (days, length) = [
        (&dates.days, 1),
        (&dates.weeks, 7),
        (&dates.months_long, 30),
    ]
    .into_iter()
    .find_map(|(unit_words, days)| Some((days, unit_words.starts_at(tokens, unit)?)))?;
    let end = unit + length;
    let after = dates.ago_after.starts_at(tokens, end);
    let sign = match (ahead, ago, after) {
        (_, Some(_), _) | (_, _, Some(_)) => -1,
        (Some(_), None, None) => 1,
        (None, None, None) => return None,
    };
    let from_today = number.checked_mul(days).filter(|days| *days <= FARTHEST)? * sign;
    Some((When::Days { from_today }, end + after.unwrap_or(0)))
}

/// A number in figures or in words, "a" among them.
fn number(tokens: &[Token], words: &Words, place: usize) -> Option<u32> {
    let token = tokens.get(place)?;
    if words.pick.one.starts_at(tokens, place) == Some(1) {
        return Some(1);
    }
    let spoken = words
        .pick
        .numbers
        .iter()
        .find(|(word, _)| fold_word(word) == token.text);
    spoken
        .map(|(_, number)| *number)
        .or_else(|| token.text.parse().ok())
}

/// "3. Mai", "3 de mayo de 2026", "May 3rd".
fn of_month(tokens: &[Token], words: &Words, place: usize) -> Found {
    let (day, month, mut end) = if let Some(day) = day_number(tokens, place) {
        let mut next = place + 1;
        while next < place + 4
            && let Some(length) = words.dates.links.starts_at(tokens, next)
        {
            next += length;
        }
        let (month, length) = month(tokens, words, next)?;
        (day, month, next + length)
    } else {
        let (month, length) = month(tokens, words, place)?;
        let day = day_number(tokens, place + length)?;
        let end = place + length + 1;
        let suffix = tokens
            .get(end)
            .filter(|token| !token.apart && token.is_word());
        (day, month, end + usize::from(suffix.is_some()))
    };
    let mut year = None;
    for gap in 0..=1 {
        let linked = gap == 0
            || words.dates.links.starts_at(tokens, end) == Some(1)
            || tokens.get(end).is_some_and(|token| token.text == ",");
        let named = tokens
            .get(end + gap)
            .and_then(|token| token.text.parse::<i16>().ok());
        if let Some(named) = named.filter(|named| linked && (1_990..2_100).contains(named)) {
            year = Some(named);
            end += gap + 1;
            break;
        }
    }
    Some((When::Day { day, month, year }, end))
}

fn day_number(tokens: &[Token], place: usize) -> Option<i8> {
    let day = tokens.get(place)?.text.parse().ok()?;
    (1..=31).contains(&day).then_some(day)
}

fn month(tokens: &[Token], words: &Words, place: usize) -> Option<(i8, usize)> {
    listed(&words.dates.months, tokens, place)
}

/// The number in its list, from 1, of the phrase that starts here, and its length.
fn listed(list: &[Phrases], tokens: &[Token], place: usize) -> Option<(i8, usize)> {
    (1..)
        .zip(list)
        .find_map(|(number, phrases)| Some((number, phrases.starts_at(tokens, place)?)))
}

/// "next monday", "lunedì scorso", "Freitag".
fn weekday(tokens: &[Token], words: &Words, place: usize) -> Found {
    let dates = &words.dates;
    let shift = |place: usize| {
        let last = dates
            .last
            .starts_at(tokens, place)
            .map(|length| (-1, length));
        last.or_else(|| {
            dates
                .next
                .starts_at(tokens, place)
                .map(|length| (1, length))
        })
    };
    let before = shift(place);
    let start = place + before.map_or(0, |(_, length)| length);
    let (weekday, length) = listed(&dates.weekdays, tokens, start)?;
    let end = start + length;
    let after = shift(end).filter(|_| before.is_none());
    let (weeks, more) = match (before, after) {
        (Some((weeks, _)), _) => (weeks, 0),
        (None, Some((weeks, length))) => (weeks, length),
        (None, None) => (0, 0),
    };
    Some((When::Weekday { weekday, weeks }, end + more))
}

fn near(tokens: &[Token], words: &Words, place: usize) -> Found {
    let longest = words
        .dates
        .near
        .iter()
        .filter_map(|(days, phrases)| Some((phrases.starts_at(tokens, place)?, days)));
    let (length, days) = longest.max_by_key(|(length, _)| *length)?;
    let before = place.checked_sub(1).and_then(|before| tokens.get(before));
    // "la mañana" and "guten Morgen" are the time of day.
    let time_of_day = before
        .is_some_and(|before| matches!(before.text.as_str(), "la" | "guten" | "am" | "jeden"));
    let from_today = days.parse().ok()?;
    (!(time_of_day && from_today == 1)).then_some((When::Days { from_today }, place + length))
}
