//! What was understood of a message.

use jiff::Span;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Language, OrderNumber};

/// Everything that was understood of one message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Triage {
    /// The language to answer in.
    pub language: LanguageGuess,
    /// What the customer wants.
    pub intent: Intent,
    /// How the customer feels.
    pub sentiment: Sentiment,
    /// Numbers, prices and other typed facts found in the text.
    pub entities: Entities,
}

/// A language with how sure we are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LanguageGuess {
    /// The language.
    pub language: Language,
    /// Confidence in [0, 1].
    pub confidence: f32,
    /// Whether the conversation's language was kept because the message alone says too little.
    pub kept: bool,
}

/// The intent of a message: always the best name, and whether it is in scope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The best intent among the shop's; never `out_of_scope`.
    pub name: String,
    /// Calibrated probability in [0, 1] that the message is in scope and means this.
    pub score: f32,
    /// Whether the score reaches the threshold.
    pub in_scope: bool,
    /// The next best, with their scores.
    pub runners_up: Vec<(String, f32)>,
}

impl Intent {
    /// Whether this is the intent, in scope.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.in_scope && self.name == name
    }

    /// The name to report: the intent or `out_of_scope`.
    #[must_use]
    pub fn decided(&self) -> &str {
        if self.in_scope {
            &self.name
        } else {
            "out_of_scope"
        }
    }
}

/// The sign of a sentiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Polarity {
    /// Unhappy.
    Negative,
    /// Neither.
    Neutral,
    /// Happy.
    Positive,
}

impl Polarity {
    /// The label in JSON and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Negative => "negative",
            Self::Neutral => "neutral",
            Self::Positive => "positive",
        }
    }
}

/// How the customer feels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sentiment {
    /// The sign.
    pub label: Polarity,
    /// From -1 (furious) over 0 to 1 (delighted).
    pub polarity: f32,
    /// How strongly it is expressed, in [0, 1].
    pub intensity: f32,
}

/// Typed facts found in a message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Entities {
    /// Order numbers.
    pub orders: Vec<OrderNumber>,
    /// E-mail addresses.
    pub emails: Vec<String>,
    /// A price or a range of prices.
    pub price: Option<PriceRange>,
    /// How many pieces.
    pub quantity: Option<u32>,
    /// Which of the shown products, counted from 1; -1 is the last.
    pub ordinals: Vec<i32>,
    /// Colours in English, lower case.
    pub colors: Vec<String>,
    /// Categories of the catalog.
    pub categories: Vec<String>,
    /// Features in the catalog's terms, for example (`cappuccino`, `yes`).
    pub features: Vec<(String, String)>,
    /// A word that compares: the cheaper one.
    pub comparison: Option<Comparison>,
    /// Whether the customer asks for what is in stock.
    pub in_stock: bool,
    /// Telephone numbers in E.164 form, for example `+393331234567`.
    #[serde(default)]
    pub phones: Vec<String>,
    /// Days, as they were named.
    #[serde(default)]
    pub dates: Vec<When>,
    /// Article numbers and models, as written, in upper case.
    #[serde(default)]
    pub references: Vec<String>,
    /// Where in the text orders, addresses, numbers, prices, quantities and days stand, in the text's order.
    #[serde(default)]
    pub mentions: Vec<Mention>,
}

/// A typed fact and its place in the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mention {
    /// First byte; always at the start of a character.
    pub start: usize,
    /// The byte after the last; always at the start of a character or the end of the text.
    pub end: usize,
    /// What it is.
    pub fact: Fact,
}

/// What a mention says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "value")]
pub enum Fact {
    /// An order number.
    Order(OrderNumber),
    /// An e-mail address in lower case.
    Email(String),
    /// A telephone number in E.164 form.
    Phone(String),
    /// An article number or a model.
    Reference(String),
    /// A price or a range of prices.
    Price(PriceRange),
    /// A number of pieces.
    Quantity(u32),
    /// A day.
    Date(When),
}

/// A day as a customer names it. What day that is depends on today: see [`When::resolve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "named")]
pub enum When {
    /// So many days from today: 1 is tomorrow, -1 is yesterday.
    Days {
        /// Days from today.
        from_today: i32,
    },
    /// A day of the week.
    Weekday {
        /// 1 is Monday, 7 is Sunday.
        weekday: i8,
        /// -1 for the last one, 1 for the one of the next week, 0 for the nearest to come.
        weeks: i8,
    },
    /// A day of a month, of the nearest year when none is named.
    Day {
        /// 1 to 31.
        day: i8,
        /// 1 to 12.
        month: i8,
        /// Four digits.
        year: Option<i16>,
    },
}

impl When {
    /// The day that is meant when it is `today`; none for a day that does not exist. A day of a month without a
    /// year is the one nearest to today, before or after.
    #[must_use]
    pub fn resolve(self, today: Date) -> Option<Date> {
        match self {
            Self::Days { from_today } => after(today, from_today),
            Self::Weekday { weekday, weeks } => {
                let to_come = (weekday - today.weekday().to_monday_one_offset()).rem_euclid(7);
                let days = match weeks {
                    0 => to_come,
                    // Last Monday is never today; next Monday is the one after the coming Sunday.
                    ..0 if to_come == 0 => -7,
                    ..0 => to_come - 7,
                    _ => weekday + 7 - today.weekday().to_monday_one_offset(),
                };
                after(today, i32::from(days))
            }
            Self::Day {
                day,
                month,
                year: Some(year),
            } => Date::new(year, month, day).ok(),
            Self::Day {
                day,
                month,
                year: None,
            } => [-1, 0, 1]
                .into_iter()
                .filter_map(|years| Date::new(today.year() + years, month, day).ok())
                .min_by_key(|date| (*date - today).get_days().abs()),
        }
    }
}

/// Prices in minor units, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PriceRange {
    /// At least.
    pub min: Option<i64>,
    /// At most.
    pub max: Option<i64>,
}

/// A word that picks one of several products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// The cheapest.
    Cheapest,
    /// The most expensive.
    Dearest,
}

fn after(date: Date, days: i32) -> Option<Date> {
    date.checked_add(Span::new().try_days(days).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn days_are_found_from_today() {
        // A Saturday.
        let today = date(2026, 11, 21);
        let weekday = |weekday, weeks| When::Weekday { weekday, weeks };
        let day = |day, month, year| When::Day { day, month, year };
        for (when, found) in [
            (When::Days { from_today: 1 }, Some(date(2026, 11, 22))),
            (
                When::Days {
                    from_today: i32::MAX,
                },
                None,
            ),
            (weekday(6, 0), Some(today)),
            (weekday(6, -1), Some(date(2026, 11, 14))),
            (weekday(1, 0), Some(date(2026, 11, 23))),
            (weekday(1, -1), Some(date(2026, 11, 16))),
            (weekday(1, 1), Some(date(2026, 11, 23))),
            (weekday(7, 1), Some(date(2026, 11, 29))),
            (day(3, 5, Some(2027)), Some(date(2027, 5, 3))),
            (day(31, 2, None), None),
            (day(10, 1, None), Some(date(2027, 1, 10))),
            (day(29, 2, None), None),
        ] {
            assert_eq!(when.resolve(today), found, "{when:?}");
        }
    }
}
