//! E-mail addresses, telephone numbers and dates in figures: what is told by its form alone.

use std::str::FromStr as _;
use std::sync::LazyLock;

use jiff::civil::Date;
use phonenumber::country::Id;
use regex::{Captures, Match, Regex};

use crate::domain::{Fact, Language, Mention, When};

/// Finds addresses and dates in figures and gives the text without them and without web addresses and other long
/// numbers, whose digits mean nothing else. Byte for byte as long as the text it was given.
pub(super) fn take(text: &str, language: Language, mentions: &mut Vec<Mention>) -> String {
    let mut plain = text.to_owned();
    let mut found = |found: Match<'_>, fact: Option<Fact>, plain: &mut String| {
        mentions.extend(fact.map(|fact| Mention {
            start: found.start(),
            end: found.end(),
            fact,
        }));
        // A mark that ends a sentence, and blanks to keep the places of the rest.
        plain.replace_range(
            found.range(),
            &format!(";{}", " ".repeat(found.len().saturating_sub(1))),
        );
    };
    for address in EMAIL.iter().flat_map(|pattern| pattern.find_iter(text)) {
        found(
            address,
            Some(Fact::Email(address.as_str().to_lowercase())),
            &mut plain,
        );
    }
    for (pattern, read) in FORMS.iter() {
        let before = plain.clone();
        for captures in pattern.captures_iter(&before) {
            if let Some(whole) = captures.name("whole").or_else(|| captures.get(0)) {
                match read(&captures, language) {
                    Read::Fact(fact) => found(whole, Some(fact), &mut plain),
                    Read::Noise => found(whole, None, &mut plain),
                    Read::Nothing => {}
                }
            }
        }
    }
    plain
}

/// What a pattern's match turned out to be.
enum Read {
    Fact(Fact),
    /// Nothing that is wanted, and nothing that anything else should read.
    Noise,
    /// Something for others to read.
    Nothing,
}

type Reader = fn(&Captures<'_>, Language) -> Read;

static EMAIL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)[\p{L}0-9][\p{L}0-9._%+-]*@[\p{L}0-9-]+(?:\.[\p{L}0-9-]+)*\.\p{L}{2,}").ok()
});

/// Patterns in the order in which they are tried; what one has taken the next ones do not see.
static FORMS: LazyLock<Vec<(Regex, Reader)>> = LazyLock::new(|| {
    let forms: [(&str, Reader); 12] = [
        (r"(?i)\b(?:https?://|www\.)\S+", |_, _| Read::Noise),
        // Bank accounts and cards.
        (
            r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b",
            |_, _| Read::Noise,
        ),
        (r"\b\d{4}(?:[ -]?\d{4}){3}\b", |_, _| Read::Noise),
        (
            r"\b(?<year>\d{4})-(?<month>\d{1,2})-(?<day>\d{1,2})\b",
            date,
        ),
        (
            r"\b(?<day>\d{1,2})[./\-](?<month>\d{1,2})[./\-](?<year>\d{4}|\d{2})\b",
            date,
        ),
        // International numbers, groups of digits, and runs longer than any order number.
        (r"(?:\+|\b00)\d[\d\s().\-/]{5,18}\d\b", phone),
        (
            r"(?:\(0\d{1,4}\)|\b0\d{1,4})[\s/.\-]*\d[\d\s/.\-]{3,14}\d\b",
            phone,
        ),
        (
            r"\b\d{3,4}[ .\-]\d{2,4}[ .\-]\d{2,4}(?:[ .\-]\d{2,4})*\b",
            phone,
        ),
        (r"\b\d{9,}\b", phone),
        (r"\b(?<day>\d{1,2})/(?<month>\d{2})\b", date),
        // "3.5." is a day in German; so is "3. 5.".
        (
            r"(?<whole>\b(?<day>\d{1,2})\. ?(?<month>\d{1,2})\.)(?:\D|$)",
            german_date,
        ),
        (r"\b\d{1,2}:\d{2}\b", |_, _| Read::Noise),
    ];
    forms
        .into_iter()
        .filter_map(|(pattern, read)| Some((Regex::new(pattern).ok()?, read)))
        .collect()
});

fn german_date(captures: &Captures<'_>, language: Language) -> Read {
    if language == Language::DE {
        date(captures, language)
    } else {
        Read::Nothing
    }
}

/// Day, month and year; where only that makes a date, the month stands first.
fn date(captures: &Captures<'_>, _: Language) -> Read {
    let part = |name: &str| {
        captures
            .name(name)
            .and_then(|part| part.as_str().parse().ok())
    };
    let year: Option<i16> = part("year").map(|year| if year < 100 { year + 2_000 } else { year });
    let (Some(first), Some(second)) = (part("day"), part("month")) else {
        return Read::Nothing;
    };
    let (Ok(first), Ok(second)) = (i8::try_from(first), i8::try_from(second)) else {
        return Read::Nothing;
    };
    // 2028 is a leap year: without a year every day that can be is one.
    let real = |day: i8, month: i8| Date::new(year.unwrap_or(2_028), month, day).is_ok();
    let (day, month) = if real(first, second) {
        (first, second)
    } else if real(second, first) {
        (second, first)
    } else if year.is_some() {
        return Read::Noise;
    } else {
        return Read::Nothing;
    };
    Read::Fact(Fact::Date(When::Day { day, month, year }))
}

/// A telephone number of the customer's country or with its country's code, checked against the numbering plans of
/// libphonenumber; other long numbers are noise. Without a sign that it is one (a plus, a zero, groups), only a
/// mobile number passes.
fn phone(captures: &Captures<'_>, language: Language) -> Read {
    let written = captures.get(0).map_or("", |whole| whole.as_str());
    let international = written.replacen("00", "+", usize::from(written.starts_with("00")));
    let country = country(language);
    let Ok(number) = phonenumber::parse(Some(country), &international) else {
        return Read::Noise;
    };
    if !phonenumber::is_valid(&number) {
        return Read::Noise;
    }
    let marked = written.starts_with(['+', '0', '(']);
    let mobile = number.number_type(&phonenumber::metadata::DATABASE) == phonenumber::Type::Mobile;
    if marked || mobile {
        Read::Fact(Fact::Phone(
            number.format().mode(phonenumber::Mode::E164).to_string(),
        ))
    } else {
        Read::Noise
    }
}

/// Where most who write in a language live.
fn country(language: Language) -> Id {
    let code = if language == Language::EN {
        "GB"
    } else {
        language.code()
    };
    Id::from_str(&code.to_uppercase()).unwrap_or(Id::GB)
}
