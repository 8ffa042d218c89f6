use super::*;
use crate::domain::{Comparison, OrderNumber};

fn read(language: Language, text: &str) -> Entities {
    entities(text, language)
}

fn range(language: Language, text: &str) -> (Option<i64>, Option<i64>) {
    read(language, text)
        .price
        .map_or((None, None), |range| (range.min, range.max))
}

#[test]
fn prices_in_six_languages() {
    for (language, text, min, max) in [
        (Language::IT, "macchina sotto i 300€", None, Some(30_000)),
        (
            Language::IT,
            "da 100 a 150 euro",
            Some(10_000),
            Some(15_000),
        ),
        (
            Language::IT,
            "tra i 100 e i 200 euro",
            Some(10_000),
            Some(20_000),
        ),
        (Language::IT, "sui 150 euro", Some(12_000), Some(18_000)),
        (Language::IT, "fino a cento euro", None, Some(10_000)),
        (Language::DE, "unter 300 €", None, Some(30_000)),
        (Language::DE, "eine Mühle ab 200", Some(20_000), None),
        (
            Language::DE,
            "zwischen 100 und 200",
            Some(10_000),
            Some(20_000),
        ),
        (Language::DE, "höchstens 250,-", None, Some(25_000)),
        (Language::ES, "más de 300 euros", Some(30_000), None),
        (
            Language::ES,
            "entre 100 y 200 euros",
            Some(10_000),
            Some(20_000),
        ),
        (Language::PT, "até 200 euros", None, Some(20_000)),
        (
            Language::PT,
            "entre 100 e 200 euro",
            Some(10_000),
            Some(20_000),
        ),
        (Language::FR, "à moins de 150€", None, Some(15_000)),
        (Language::EN, "less than 1.000,50 EUR", None, Some(100_050)),
        (Language::EN, "under €1,299.00", None, Some(129_900)),
        (Language::EN, "around 150", Some(12_000), Some(18_000)),
        (Language::EN, "max 250", None, Some(25_000)),
        (Language::EN, "budget around 400", None, Some(40_000)),
        (Language::EN, "100-150 €", Some(10_000), Some(15_000)),
    ] {
        assert_eq!(range(language, text), (min, max), "{text}");
    }
}

#[test]
fn amounts_that_limit_nothing_are_no_price() {
    for text in [
        "create a payment link of 1 euro for the most expensive machine",
        "I paid 89.90 EUR for order 10611",
        "a machine under 30 cm with 15 bar",
        "I bought it in 2023",
        "from 2 to 4 cups",
    ] {
        assert_eq!(range(Language::EN, text), (None, None), "{text}");
    }
}

#[test]
fn order_numbers_and_what_only_looks_like_one() {
    let orders = |text: &str| read(Language::EN, text).orders;
    for text in [
        "Wo bleibt meine Bestellung 10432??",
        "10432",
        "my order #10432",
        "ordine n. 10432 non arrivato",
        "il mio numero è 333 123 4567, ordine 10432",
        "write to bob99999@example.com about 10432",
    ] {
        assert_eq!(orders(text), [OrderNumber::from("10432")], "{text}");
    }
    for text in [
        "delivered in 2024",
        "order from 2023?",
        "my zip is 20121",
        "it costs 10432 €",
        "4111 1111 1111 1111",
        "+39 333 1234567",
        "12345@example.com",
        "1500 W",
        "call 0039 02 123456",
        "123456789",
    ] {
        let found = orders(text);
        assert!(
            found.is_empty() || text.contains("2023"),
            "{text}: {found:?}"
        );
    }
    assert_eq!(orders("pedido 4711 por favor"), [OrderNumber::from("4711")]);
}

#[test]
fn quantities_and_places() {
    for (language, text, quantity, ordinals) in [
        (
            Language::EN,
            "ok I take two of the first one",
            Some(2),
            vec![1],
        ),
        (Language::EN, "2x grinder please", Some(2), vec![]),
        (Language::IT, "ne prendo due", Some(2), vec![]),
        (Language::IT, "un paio di moke", Some(2), vec![]),
        (Language::IT, "e la seconda c'è in rosso?", None, vec![2]),
        (Language::IT, "l'ultima che mi hai mostrato", None, vec![-1]),
        (
            Language::IT,
            "sono indeciso tra la 1 e la 2, quale?",
            None,
            vec![1, 2],
        ),
        (Language::IT, "È la TERZA volta che scrivo", None, vec![]),
        (Language::DE, "ich nehme eine davon", Some(1), vec![]),
        (Language::DE, "das zweite bitte", None, vec![2]),
        (
            Language::DE,
            "3 Packungen Bohnen für etwa 20€",
            Some(3),
            vec![],
        ),
        (Language::ES, "quiero dos de la primera", Some(2), vec![1]),
        (Language::PT, "levo a segunda", None, vec![2]),
        (Language::FR, "je prends la première", None, vec![1]),
        (Language::EN, "a machine for 4 people", None, vec![]),
    ] {
        let found = read(language, text);
        assert_eq!(
            (found.quantity, found.ordinals),
            (quantity, ordinals),
            "{text}"
        );
    }
}

#[test]
fn products_in_the_catalogs_terms() {
    let found = read(
        Language::IT,
        "cerco una macchina da caffè rossa e silenziosa, disponibile",
    );
    assert_eq!(found.categories, ["espresso_machine", "capsule_machine"]);
    assert_eq!(found.colors, ["red"]);
    assert_eq!(found.features, [("quiet".to_owned(), "yes".to_owned())]);
    assert!(found.in_stock);
    assert!(!read(Language::IT, "grazie per la disponibilità").in_stock);

    let typos = read(Language::EN, "capucino machne");
    assert_eq!(
        typos.features,
        [("cappuccino".to_owned(), "yes".to_owned())]
    );
    assert!(typos.categories.contains(&"espresso_machine".to_owned()));

    let purpose = read(Language::EN, "a grinder for moka, conical burrs");
    assert_eq!(purpose.categories, ["grinder"]);
    assert!(
        purpose
            .features
            .contains(&("grind".to_owned(), "moka".to_owned()))
    );

    let plain = read(Language::IT, "quale e la piu economica");
    assert_eq!(plain.comparison, Some(Comparison::Cheapest));
    assert_eq!(
        read(Language::DE, "die teuerste Kaffeemühle").comparison,
        Some(Comparison::Dearest)
    );
}

#[test]
fn addresses_are_found_once() {
    let found = read(
        Language::EN,
        "Bob.Smith@Example.com. and bob.smith@example.com, not bob@",
    );
    assert_eq!(found.emails, ["bob.smith@example.com"]);
}
