use super::*;
use crate::domain::{Comparison, OrderNumber, When};

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
        (Language::EN, "300ish", Some(24_000), Some(36_000)),
        (
            Language::EN,
            "something 300ish euro",
            Some(24_000),
            Some(36_000),
        ),
        (Language::EN, "less than 1,299.00", None, Some(129_900)),
        (Language::DE, "unter 1.299,00 €", None, Some(129_900)),
        (Language::IT, "tra 100 e 200", Some(10_000), Some(20_000)),
        (Language::DE, "300 Euro oder so", Some(24_000), Some(36_000)),
        (
            Language::ES,
            "unos 200 euros aproximadamente",
            Some(16_000),
            Some(24_000),
        ),
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

fn mentioned(language: Language, text: &str) -> Vec<(String, Fact)> {
    let mentions = read(language, text).mentions;
    let written = |mention: Mention| (text[mention.start..mention.end].to_owned(), mention.fact);
    mentions.into_iter().map(written).collect()
}

#[test]
fn mentions_say_where_they_stand() {
    let text = "Ciao è l'ordine 10432: però vorrei 2 pezzi sotto i 300 €, scrivi a Bob@Example.com o +39 333 123 4567 domani";
    let found: Vec<String> = mentioned(Language::IT, text)
        .into_iter()
        .map(|(written, _)| written)
        .collect();
    assert_eq!(
        found,
        [
            "10432",
            "2",
            "300 €",
            "Bob@Example.com",
            "+39 333 123 4567",
            "domani"
        ]
    );
}

#[test]
fn telephone_numbers_of_the_customers_country() {
    for (language, text, number) in [
        (
            Language::IT,
            "il mio numero è 333 123 4567",
            "+393331234567",
        ),
        (Language::IT, "chiamatemi al 3331234567", "+393331234567"),
        (Language::IT, "0039 02 12345678", "+390212345678"),
        (Language::DE, "Tel. 030/12345678", "+493012345678"),
        (Language::DE, "+49 (0)30 12345678", "+493012345678"),
        (Language::ES, "mi móvil 612 345 678", "+34612345678"),
        (Language::PT, "912 345 678", "+351912345678"),
        (Language::FR, "06 12 34 56 78", "+33612345678"),
        (Language::EN, "call me on 07400 123456", "+447400123456"),
    ] {
        assert_eq!(read(language, text).phones, [number], "{text}");
    }
    for text in [
        "4111 1111 1111 1111",
        "10432",
        "1Z999AA10123456784",
        "DE89 3704 0044 0532 0130 00",
        "123456789012",
    ] {
        assert!(read(Language::DE, text).phones.is_empty(), "{text}");
    }
}

#[test]
fn days_in_words_and_figures() {
    let day = |day, month, year| When::Day { day, month, year };
    let weekday = |weekday, weeks| When::Weekday { weekday, weeks };
    let days = |from_today| When::Days { from_today };
    for (language, text, when) in [
        (Language::EN, "will it be here tomorrow?", days(1)),
        (Language::EN, "I ordered three days ago", days(-3)),
        (Language::EN, "in 2 weeks", days(14)),
        (Language::EN, "ordered a week ago", days(-7)),
        (Language::EN, "on May 3rd, 2026", day(3, 5, Some(2026))),
        (Language::EN, "the 3rd of May", day(3, 5, None)),
        (Language::EN, "last monday", weekday(1, -1)),
        (Language::IT, "arriva lunedì?", weekday(1, 0)),
        (Language::IT, "lunedì scorso", weekday(1, -1)),
        (Language::IT, "l'ho ordinato due settimane fa", days(-14)),
        (Language::IT, "dopodomani", days(2)),
        (Language::IT, "il 12/05", day(12, 5, None)),
        (Language::IT, "entro 3 giorni", days(3)),
        (Language::DE, "am 3. Mai", day(3, 5, None)),
        (Language::DE, "am 3.5.", day(3, 5, None)),
        (Language::DE, "vor 3 Tagen bestellt", days(-3)),
        (Language::DE, "nächsten Freitag", weekday(5, 1)),
        (Language::DE, "bis morgen", days(1)),
        (Language::ES, "pedí hace dos semanas", days(-14)),
        (Language::ES, "el 3 de mayo de 2026", day(3, 5, Some(2026))),
        (Language::ES, "llega pasado mañana?", days(2)),
        (Language::PT, "na segunda-feira", weekday(1, 0)),
        (Language::PT, "há 3 dias", days(-3)),
        (Language::FR, "le 1er mars", day(1, 3, None)),
        (Language::FR, "il y a deux semaines", days(-14)),
        (Language::FR, "après-demain", days(2)),
        (Language::EN, "2026-05-03", day(3, 5, Some(2026))),
        (Language::EN, "05/23/2026", day(23, 5, Some(2026))),
    ] {
        assert_eq!(read(language, text).dates, [when], "{text}");
    }
    for (language, text) in [
        (Language::DE, "guten Morgen"),
        (Language::ES, "por la mañana"),
        (Language::EN, "open 24/7"),
        (Language::EN, "may I ask something"),
        (Language::DE, "15.30 Uhr"),
        (Language::EN, "45/99/2024"),
    ] {
        assert_eq!(read(language, text).dates, [], "{text}");
    }
}

#[test]
fn article_numbers_and_models() {
    for (language, text, code) in [
        (Language::EN, "do you have the EC685?", "EC685"),
        (Language::EN, "article number 4711", "4711"),
        (Language::IT, "codice AB-1234", "AB-1234"),
        (Language::DE, "Artikelnummer: 20-115", "20-115"),
        (Language::ES, "la referencia 88X2", "88X2"),
        (Language::FR, "réf. A-110", "A-110"),
        (Language::PT, "código 5512", "5512"),
    ] {
        assert_eq!(read(language, text).references, [code], "{text}");
    }
    for text in [
        "v60 filters",
        "250g beans",
        "15 bar",
        "order 10432",
        "100-150 €",
        "2x",
    ] {
        let found = read(Language::EN, text).references;
        assert!(found.is_empty(), "{text}: {found:?}");
    }
}

#[test]
fn odd_texts_are_read_in_time() {
    let odd = [
        String::new(),
        "😀".repeat(10_000),
        "a".repeat(65_536),
        "1/".repeat(30_000),
        "\u{200b}\u{202e}e\u{301}".repeat(5_000),
        "مرحبا 10432 ".repeat(2_000),
        "domani tra 3 giorni ".repeat(3_000),
        "+39 ".repeat(10_000),
    ];
    for text in &odd {
        for mention in read(Language::IT, text).mentions {
            assert!(text.get(mention.start..mention.end).is_some());
        }
    }
}
