//! A message without what says nothing by itself: addresses, long numbers, blanked card numbers.

/// From so many digits on, a number names something: an order, a telephone.
const NAMING_DIGITS: usize = 4;

/// What stands in the place of a card number.
const CARD: &str = "[card ";

/// The words that can carry a mood: no e-mail or web addresses, no numbers that name something. The marks
/// behind them stay.
pub fn without_addresses(text: &str) -> String {
    let kept: Vec<&str> = text
        .split_whitespace()
        .map(|word| if is_address(word) { marks(word) } else { word })
        .filter(|word| !word.is_empty())
        .collect();
    kept.join(" ")
}

/// The message without blanked card numbers, unless it says nothing else.
pub fn without_cards(text: &str) -> String {
    let mut rest = text.to_owned();
    while let Some(start) = rest.find(CARD)
        && let Some(length) = rest.get(start..).and_then(|tail| tail.find(']'))
    {
        rest.replace_range(start..=start + length, "");
    }
    if rest.chars().any(char::is_alphabetic) {
        rest.trim().to_owned()
    } else {
        text.to_owned()
    }
}

fn is_address(word: &str) -> bool {
    let lower = word.to_lowercase();
    let mail = lower
        .split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
    let web = ["http://", "https://", "www."]
        .iter()
        .any(|start| lower.starts_with(start));
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let number = digits >= NAMING_DIGITS && !word.chars().any(char::is_alphabetic);
    mail || web || number
}

fn marks(word: &str) -> &str {
    let bare = word.trim_end_matches(['!', '?']);
    word.get(bare.len()..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_long_numbers_carry_no_mood() {
        let table = [
            ("sarah.whitfield@example.com", ""),
            ("it's Angry@Example.com!", "it's !"),
            ("where is 10432??", "where is ??"),
            ("see https://shop.example/a?b=1 now", "see now"),
            ("the 3rd time in 30 days", "the 3rd time in 30 days"),
        ];
        for (text, expected) in table {
            assert_eq!(without_addresses(text), expected, "{text}");
        }
    }

    #[test]
    fn a_card_number_does_not_hide_the_rest() {
        let table = [
            (
                "[card •••• 1111] do you ship to Malta?",
                "do you ship to Malta?",
            ),
            ("[card •••• 1111]", "[card •••• 1111]"),
            ("pay with [card •••• 1111].", "pay with ."),
            ("[card without end", "[card without end"),
        ];
        for (text, expected) in table {
            assert_eq!(without_cards(text), expected, "{text}");
        }
    }
}
