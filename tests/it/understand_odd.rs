//! No message is too strange to be read, and what is found in it stands where it is said to stand.

use proptest::prelude::*;
use sportello::domain::{Fact, Language};
use sportello::understand::{Languages, SentimentModel, Vectors, entities, requests};

const LANGUAGES: [Language; 6] = [
    Language::EN,
    Language::IT,
    Language::ES,
    Language::PT,
    Language::DE,
    Language::FR,
];

#[test]
fn huge_and_odd_messages_are_read_in_time() {
    let languages = Languages::new(&LANGUAGES);
    let model = SentimentModel::builtin();
    let odd = [
        "😀".repeat(10_000),
        "a".repeat(65_536),
        "1 ".repeat(30_000),
        "\u{200b}\u{202e}".repeat(5_000),
        "è e anche ".repeat(6_000),
    ];
    for text in &odd {
        let _ = languages.detect(text, None);
        let _ = entities(text, Language::IT);
        let _ = requests(text);
        let _ = model.score(text, Language::IT, Vectors::sentence(&[0.0; 512]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_written_breaks_it(text in "\\PC{0,200}", place in 0_usize..6) {
        let languages = languages();
        let _ = languages.detect(&text, None);
        let _ = languages.detect(&text, Some(LANGUAGES[place]));
        prop_assert!(!requests(&text).is_empty());
        let mood = builtin().score(&text, LANGUAGES[place], Vectors::sentence(&[0.1; 512]));
        prop_assert!((-1.0..=1.0).contains(&mood.polarity) && (0.0..=1.0).contains(&mood.intensity));
        for mention in entities(&text, LANGUAGES[place]).mentions {
            prop_assert!(mention.start < mention.end && text.get(mention.start..mention.end).is_some());
        }
    }

    #[test]
    fn mentions_stand_where_they_say(
        text in "(order |ordine |Bestellung |#)?(10432|10518)?[ ,.]{1,3}(bob@example\\.com|\\+39 333 123 4567|12/05/2026|domani|morgen|unter 300 €|2x|EC685|é|ß|👍|\\u{200b}|\\u{202e}| |ﬁ){0,12}",
        place in 0_usize..6,
    ) {
        let found = entities(&text, LANGUAGES[place]);
        let mut before = 0;
        for mention in &found.mentions {
            let written = text.get(mention.start..mention.end);
            prop_assert!(written.is_some() && mention.start >= before, "{mention:?}");
            before = mention.start;
            let written = written.unwrap_or_default();
            match &mention.fact {
                Fact::Order(number) => prop_assert_eq!(written, number.as_str()),
                Fact::Email(address) => prop_assert_eq!(&written.to_lowercase(), address),
                Fact::Phone(number) => prop_assert!(number.starts_with('+') && written.ends_with(&number[number.len() - 1..])),
                Fact::Reference(code) => prop_assert!(!written.is_ascii() || *code == written.to_uppercase()),
                Fact::Price(range) => prop_assert!(range.min.or(range.max).is_some()),
                Fact::Quantity(number) => prop_assert!(*number > 0),
                Fact::Date(_) => prop_assert!(!written.trim().is_empty()),
            }
        }
    }

    #[test]
    fn prices_are_ordered_and_not_negative(
        text in "(under|between|ab|tra i|max|-|€|euro|sotto|and|e|entre|[0-9]{1,12}([.,][0-9]{1,4}){0,3}| ){1,30}",
        place in 0_usize..6,
    ) {
        if let Some(range) = entities(&text, LANGUAGES[place]).price {
            prop_assert!(range.min.is_none_or(|min| min >= 0) && range.max.is_none_or(|max| max >= 0));
            prop_assert!(range.min.is_none() || range.max.is_none() || range.min <= range.max);
        }
    }
}

fn languages() -> &'static Languages {
    static SHARED: std::sync::LazyLock<Languages> =
        std::sync::LazyLock::new(|| Languages::new(&LANGUAGES));
    &SHARED
}

fn builtin() -> &'static SentimentModel {
    static SHARED: std::sync::LazyLock<SentimentModel> =
        std::sync::LazyLock::new(SentimentModel::builtin);
    &SHARED
}
