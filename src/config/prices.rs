//! Prices below a cent, as decimal texts.

/// Millionths of a currency in a decimal text such as `0.0248`; none when it is no price. At most six decimals.
#[must_use]
pub fn micros(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 6 || !digits(whole) || !digits(part) {
        return None;
    }
    let part: i64 = format!("{part:0<6}").parse().ok()?;
    whole
        .parse::<i64>()
        .ok()?
        .checked_mul(1_000_000)?
        .checked_add(part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_price_is_a_decimal() {
        for (text, expected) in [
            ("0", 0),
            ("0.0248", 24_800),
            ("12", 12_000_000),
            ("1.5", 1_500_000),
            ("0.000001", 1),
        ] {
            assert_eq!(micros(text), Some(expected), "{text}");
        }
        for text in [
            "",
            ".5",
            "-1",
            "1,5",
            "0.0000001",
            "free",
            "1e3",
            "99999999999999999999",
        ] {
            assert_eq!(micros(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in 0..1_000_000_000_000_i64) {
            let text = format!("{}.{:06}", value / 1_000_000, value % 1_000_000);
            prop_assert_eq!(micros(&text), Some(value));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,30}") {
            prop_assert!(micros(&text).is_none_or(|micros| micros >= 0));
        }
    }
}
