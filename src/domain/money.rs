//! Amounts in minor units, and how a customer reads them.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Language;

/// An ISO 4217 currency with two decimals.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");

    /// The three-letter code.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("EUR")
    }

    fn symbol(&self) -> &str {
        match self.code() {
            "EUR" => "€",
            "USD" => "$",
            "GBP" => "£",
            code => code,
        }
    }
}

impl FromStr for Currency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            [a, b, c] if text.bytes().all(|byte| byte.is_ascii_alphabetic()) => Ok(Self([
                a.to_ascii_uppercase(),
                b.to_ascii_uppercase(),
                c.to_ascii_uppercase(),
            ])),
            _ => Err(format!(
                "`{text}` is not a three-letter currency code such as `EUR`"
            )),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl JsonSchema for Currency {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Currency".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "ISO 4217 code, for example `EUR`"
        })
    }
}

/// An amount of money: minor units (cents) of a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Money {
    /// Minor units, for example 29900 for 299.00.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// An amount in minor units.
    #[must_use]
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// The amount times a quantity, or nothing when it does not fit.
    #[must_use]
    pub fn times(&self, quantity: u32) -> Option<Self> {
        let minor = self.minor.checked_mul(i64::from(quantity))?;
        Some(Self { minor, ..*self })
    }

    /// The amount as a customer of this language writes it: `1.299,00 €`, `€1,299.00`.
    #[must_use]
    pub fn display(&self, language: Language) -> String {
        let (thousands, decimal) = match language.code() {
            "en" => (',', '.'),
            "fr" => ('\u{202f}', ','),
            _ => ('.', ','),
        };
        let sign = if self.minor < 0 { "-" } else { "" };
        let minor = self.minor.unsigned_abs();
        let whole = group(minor / 100, thousands);
        let cents = minor % 100;
        let symbol = self.currency.symbol();
        if language == Language::EN {
            format!("{sign}{symbol}{whole}{decimal}{cents:02}")
        } else {
            format!("{sign}{whole}{decimal}{cents:02}\u{a0}{symbol}")
        }
    }
}

fn group(number: u64, separator: char) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(separator);
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_follow_the_customers_locale() {
        let amount = Money::new(129_905, Currency::EUR);
        assert_eq!(amount.display(Language::EN), "€1,299.05");
        assert_eq!(amount.display(Language::IT), "1.299,05\u{a0}€");
        assert_eq!(
            Money::new(990, Currency::EUR).display(Language::DE),
            "9,90\u{a0}€"
        );
    }

    #[test]
    fn a_total_that_does_not_fit_is_refused() {
        assert_eq!(Money::new(i64::MAX, Currency::EUR).times(2), None);
    }
}
