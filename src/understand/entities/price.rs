//! Prices and ranges of prices.

use super::super::words::{Token, Words};
use super::numbers::{hundredths, is_measure};
use crate::domain::PriceRange;

/// Below this an amount without a currency is hardly a price.
const SMALLEST_BARE_PRICE: i64 = 1_500;

/// A range, and the tokens that it was read from.
#[derive(Debug, Default)]
pub(super) struct PriceFound {
    pub(super) range: Option<PriceRange>,
    pub(super) taken: Vec<usize>,
    /// First and last token of the amounts that make the range.
    pub(super) span: Option<(usize, usize)>,
}

/// The range that a text asks for; a bare amount that is only mentioned is none.
pub(super) fn price(tokens: &[Token], words: &Words) -> PriceFound {
    let amounts: Vec<Amount> = (0..tokens.len())
        .filter_map(|place| Amount::at(tokens, words, place))
        .collect();
    let mut found = PriceFound {
        range: None,
        taken: amounts
            .iter()
            .filter(|amount| amount.has_currency)
            .map(|amount| amount.place)
            .collect(),
        span: None,
    };
    if let Some((range, [first, second])) = between(tokens, words, &amounts) {
        found.range = Some(range);
        found.taken.extend([first.place, second.place]);
        found.span = Some((first.start, second.end - 1));
        return found;
    }
    let mut range = PriceRange {
        min: None,
        max: None,
    };
    for amount in amounts.iter().filter(|amount| amount.plausible()) {
        match amount.bound(tokens, words) {
            Some(Bound::Under) => range.max = range.max.or(Some(amount.minor)),
            Some(Bound::Over) => range.min = range.min.or(Some(amount.minor)),
            Some(Bound::About) if range.min.is_none() && range.max.is_none() => {
                range = PriceRange {
                    min: Some(amount.minor * 4 / 5),
                    max: Some(amount.minor * 6 / 5),
                };
            }
            Some(Bound::About) | None => continue,
        }
        found.taken.push(amount.place);
        let first = found.span.map_or(amount.start, |(first, _)| first);
        found.span = Some((first, amount.end - 1));
    }
    found.range = ordered(range);
    found
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Under,
    Over,
    About,
}

struct Amount {
    place: usize,
    /// First token of the amount, its currency sign included.
    start: usize,
    /// Token after the amount, its currency included.
    end: usize,
    minor: i64,
    has_currency: bool,
}

impl Amount {
    fn at(tokens: &[Token], words: &Words, place: usize) -> Option<Self> {
        let token = tokens.get(place)?;
        let spoken = words
            .pick
            .numbers
            .iter()
            .find(|(word, _)| super::words::fold_word(word) == token.text);
        let minor = match spoken {
            Some((_, number)) => i64::from(*number) * 100,
            None if token.is_number() => hundredths(&token.text)?,
            None => return None,
        };
        let sign = |token: &Token| matches!(token.text.as_str(), "€" | "$" | "£");
        let sign_before = place
            .checked_sub(1)
            .and_then(|before| tokens.get(before))
            .is_some_and(sign);
        // "250,-" is a price in German shops.
        let dash = tokens
            .get(place + 1..place + 3)
            .is_some_and(|next| next[0].text == "," && next[1].text == "-");
        let next = place + 1 + if dash { 2 } else { 0 };
        let sign_after = tokens.get(next).is_some_and(sign);
        let word_after = words.price.currency.starts_at(tokens, next).is_some();
        let has_currency = sign_before || sign_after || word_after || dash;
        let measure = is_measure(tokens, place);
        if (measure || spoken.is_some()) && !has_currency {
            return None;
        }
        Some(Self {
            place,
            start: place - usize::from(sign_before),
            end: next + usize::from(sign_after || word_after),
            minor,
            has_currency,
        })
    }

    fn plausible(&self) -> bool {
        let year = (198_000..=209_900).contains(&self.minor) && self.minor != 200_000;
        self.has_currency || (self.minor >= SMALLEST_BARE_PRICE && !year)
    }

    fn bound(&self, tokens: &[Token], words: &Words) -> Option<Bound> {
        let price = &words.price;
        let sign = tokens
            .get(self.start.wrapping_sub(1))
            .map(|token| token.text.as_str());
        let after = [
            (&price.under_after, Bound::Under),
            (&price.over_after, Bound::Over),
            (&price.about_after, Bound::About),
        ];
        let before = [
            (&price.under, Bound::Under),
            (&price.over, Bound::Over),
            (&price.about, Bound::About),
        ];
        // The words before may be parted from the amount by an article, or by an "about" that says less.
        let mut starts = vec![self.start];
        for skipped in [&price.fillers, &price.about] {
            starts.extend(
                skipped
                    .ends_before(tokens, self.start)
                    .map(|length| self.start - length),
            );
        }
        let longest = |bounds: [(&super::super::words::Phrases, Bound); 3], start: usize| {
            let found = bounds
                .into_iter()
                .filter_map(|(phrases, bound)| Some((phrases.ends_before(tokens, start)?, bound)));
            found
                .reduce(|best, next| if next.0 > best.0 { next } else { best })
                .map(|(_, bound)| bound)
        };
        let found = starts
            .iter()
            .map(|start| longest(before, *start))
            .collect::<Vec<_>>();
        let firm = found
            .iter()
            .flatten()
            .find(|bound| **bound != Bound::About)
            .copied();
        let behind = after
            .into_iter()
            .find(|(phrases, _)| phrases.starts_at(tokens, self.end).is_some());
        let behind = behind.filter(|(_, bound)| *bound != Bound::About || firm.is_none());
        match sign {
            Some("<") => Some(Bound::Under),
            Some(">") => Some(Bound::Over),
            _ => behind
                .map(|(_, bound)| bound)
                .or(firm)
                .or_else(|| found.into_iter().flatten().next()),
        }
    }
}

/// Two amounts that belong together: "between 100 and 200", "100-200 €".
fn between<'a>(
    tokens: &[Token],
    words: &Words,
    amounts: &'a [Amount],
) -> Option<(PriceRange, [&'a Amount; 2])> {
    amounts.windows(2).find_map(|pair| {
        let [first, second] = pair else { return None };
        let money = first.has_currency || second.has_currency;
        let plausible =
            money || (first.minor >= SMALLEST_BARE_PRICE && second.minor >= SMALLEST_BARE_PRICE);
        let mut middle: Vec<&str> = tokens
            .get(first.end..second.start)?
            .iter()
            .map(|token| token.text.as_str())
            .collect();
        // "tra i 100 e i 200 euro": an article may stand before the second amount too.
        if middle.len() > 1 && words.price.fillers.ends_before(tokens, second.start) == Some(1) {
            middle.pop();
        }
        let dashed = matches!(middle.as_slice(), ["-" | "–" | "—" | "/"]);
        let spoken = words.price.between.iter().any(|(open, link)| {
            let starts = [first.start, first.start.saturating_sub(1)];
            let opens = if open.0.is_empty() {
                money
            } else {
                starts.iter().any(|start| {
                    start
                        .checked_sub(open.0.len())
                        .is_some_and(|at| open.stands_at(tokens, at))
                })
            };
            opens && link.0.iter().map(String::as_str).eq(middle.iter().copied())
        });
        let range = PriceRange {
            min: Some(first.minor.min(second.minor)),
            max: Some(first.minor.max(second.minor)),
        };
        (plausible && (dashed && money || spoken)).then_some((range, [first, second]))
    })
}

fn ordered(range: PriceRange) -> Option<PriceRange> {
    match (range.min, range.max) {
        (None, None) => None,
        (Some(min), Some(max)) if min > max => Some(PriceRange {
            min: Some(max),
            max: Some(min),
        }),
        _ => Some(range),
    }
}
