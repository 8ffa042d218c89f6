//! Slips in queries, against small texts and against the demo shop's.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::domain::Currency;
use crate::knowledge::{self, KnowledgeSource};

const TEXTS: [(&str, Language); 6] = [
    (
        "The cappuccino machine. Our machine, a grinder, 58 mm, X7B-cod.",
        Language::EN,
    ),
    ("Descaling and delivery of the portafilter", Language::EN),
    (
        "La macchina per il cappuccino, il macinacaffè e la spedizione",
        Language::IT,
    ),
    (
        "Spedizione, spedizione! Il caffè e il montalatte",
        Language::IT,
    ),
    ("Kaffee und Maschine", Language::DE),
    ("Die Mühle, ganz leise", Language::DE),
];

fn vocabulary() -> Vocabulary {
    Vocabulary::of(TEXTS)
}

fn english(query: &str) -> String {
    vocabulary().correct(query, Language::EN)
}

fn italian(query: &str) -> String {
    vocabulary().correct(query, Language::IT)
}

fn demo() -> Vocabulary {
    let knowledge = knowledge::load(&KnowledgeSource::Embedded, Currency::EUR).unwrap();
    let points = knowledge::chunks(&knowledge, 220);
    Vocabulary::of(
        points
            .iter()
            .map(|point| (point.words.as_str(), point.passage.language)),
    )
}

#[test]
fn slips_are_put_right() {
    assert_eq!(english("capucino machne"), "cappuccino machine");
    assert_eq!(english("Do you have a GRNIDER?"), "Do you have a grinder?");
    assert_eq!(
        italian("quanto costa la spediziome"),
        "quanto costa la spedizione"
    );
    assert_eq!(italian("un macinacafé"), "un macinacaffe");
    assert_eq!(vocabulary().correct("muehle", Language::DE), "muhle");
}

#[test]
fn everyday_words_known_words_numbers_and_codes_stay() {
    for query in [
        "what about the kitchen",
        "machine",
        "MACHINE with Cappuccino",
        "machne7 grindr_x grinder@machne.it www.machne.com https://machne",
        "58mm ABC-1234",
        "",
        "   ",
        "🙂 ?!",
    ] {
        assert_eq!(english(query), query);
    }
    let french = "la machne a cafe";
    assert_eq!(
        vocabulary().correct(french, Language::FR),
        french,
        "no text is in it"
    );
    assert_eq!(
        vocabulary().correct("kaffemaschine", Language::DE),
        "kaffemaschine"
    );
}

#[test]
fn words_are_joined_and_split() {
    assert_eq!(italian("capu ccino"), "cappuccino");
    assert_eq!(italian("macina caffe"), "macina caffe macinacaffe");
    assert_eq!(italian("monta-latte"), "monta-latte montalatte");
    assert_eq!(
        italian("macchinacappuccino"),
        "macchinacappuccino macchina cappuccino"
    );
    assert_eq!(
        vocabulary().correct("Maschinekaffee", Language::DE),
        "Maschinekaffee maschine kaffee"
    );
    // Two words of the texts stay two words.
    assert_eq!(italian("macchina cappuccino"), "macchina cappuccino");
}

#[test]
fn doubts_keep_the_word() {
    let rivals = Vocabulary::of([("torrente torretta", Language::IT)]);
    assert_eq!(
        rivals.correct("torrenta", Language::IT),
        "torrenta torrente torretta".replace(" torretta", "")
    );
    let rivals = Vocabulary::of([("colma colta", Language::PT)]);
    assert_eq!(
        rivals.correct("coxpa colxa", Language::PT),
        "coxpa colxa colma"
    );
    // Perhaps another form of the word.
    let form = Vocabulary::of([("annulli compratore", Language::IT)]);
    assert_eq!(form.correct("annullx", Language::IT), "annullx annulli");
    assert_eq!(form.correct("comprattore", Language::IT), "compratore");
    // A word of another language of the texts.
    let both = Vocabulary::of([("grinders", Language::EN), ("grindero", Language::IT)]);
    assert_eq!(both.correct("grinders", Language::IT), "grinders grindero");
    assert_eq!(
        both.correct("grinders grindero", Language::IT),
        "grinders grindero"
    );
}

#[test]
fn it_is_stored_as_words_and_counts() {
    let stored = serde_json::to_string(&vocabulary()).unwrap();
    assert!(stored.contains("\"spedizione\":3"), "{stored}");
    let read: Vocabulary = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, vocabulary());
    assert_eq!(read.correct("capucino", Language::EN), "cappuccino");
    assert!(
        knows(&read, "Macinacaffè", Language::IT) && !knows(&read, "Macinacaffè", Language::EN)
    );
    assert!(serde_json::from_str::<Vocabulary>("{\"english\":{}}").is_err());
}

#[test]
fn the_demo_shops_customers_slip() {
    let demo = demo();
    for (language, query, meant) in [
        (Language::EN, "capucino machne", "cappuccino machine"),
        (Language::EN, "portafiler gaskt", "portafilter gasket"),
        (
            Language::EN,
            "delivry to switzerlnd",
            "delivery switzerland",
        ),
        (Language::EN, "warrenty", "warranty"),
        (Language::EN, "descalng", "descaling"),
        (Language::IT, "machina capucino", "macchina cappuccino"),
        (Language::IT, "macinacafe eletrico", "macinacaffe elettrico"),
        (Language::IT, "garanzzia", "garanzia"),
        (Language::IT, "guarnizzione moka", "guarnizione"),
        (Language::ES, "molinilo electrico", "molinillo"),
        (Language::ES, "gastos de emvio", "envio"),
        (Language::ES, "debolucion", "devolucion"),
        (Language::PT, "mohinho eletrico", "moinho"),
        (Language::PT, "devoluçao", "devoluçao"),
        (Language::PT, "garntia", "garantia"),
        (Language::DE, "kaffebohnen", "kaffeebohnen"),
        (Language::DE, "sibträger", "siebtrager"),
        (Language::DE, "entkalken rechnug", "rechnung"),
        (Language::DE, "reparatr", "reparatur"),
    ] {
        let corrected = demo.correct(query, language);
        for word in meant.split(' ') {
            assert!(corrected.contains(word), "{language} {query}: {corrected}");
        }
    }
}

#[test]
fn ten_thousand_words_are_ready_in_a_moment() {
    let text: String = (0..10_000_u32)
        .map(|number| {
            let mut word = String::from("w");
            let mut rest = number.wrapping_mul(2_654_435_761);
            for _ in 0..4 + number % 8 {
                word.push(char::from(b'a' + (rest % 26) as u8));
                rest = rest / 26 + number;
            }
            word + " "
        })
        .collect();
    let begun = Instant::now();
    let vocabulary = Vocabulary::of([(text.as_str(), Language::EN)]);
    let built = begun.elapsed();
    let begun = Instant::now();
    for _ in 0..100 {
        let _ = vocabulary.correct("capucino machne wabcdefg spedizione", Language::EN);
    }
    let looked_up = begun.elapsed() / 100;
    println!("built in {built:?}, looked up in {looked_up:?}");
    assert!(built < Duration::from_millis(500), "{built:?}");
    assert!(looked_up < Duration::from_millis(5), "{looked_up:?}");
}

proptest! {
    #[test]
    fn no_query_panics(query in ".{0,80}", text in ".{0,120}") {
        let vocabulary = Vocabulary::of([(text.as_str(), Language::IT), (text.as_str(), Language::EN)]);
        let _ = vocabulary.correct(&query, Language::IT);
        prop_assert_eq!(vocabulary.correct(&text, Language::IT), text);
    }

    #[test]
    fn known_words_stay_and_a_correction_stays(
        words in proptest::collection::vec("[a-zàè]{1,12}", 1..12),
        query in proptest::collection::vec("[a-zàè]{1,12}", 1..6),
    ) {
        let text = words.join(" ");
        let vocabulary = Vocabulary::of([(text.as_str(), Language::EN)]);
        prop_assert_eq!(vocabulary.correct(&text, Language::EN), text);
        let once = vocabulary.correct(&query.join(" "), Language::EN);
        for word in query {
            let known = folded(&word);
            if knows(&vocabulary, &known, Language::EN) {
                prop_assert!(words_of(&once).contains(&known), "{} in {}", known, once);
            }
        }
    }
}

fn words_of(text: &str) -> Vec<String> {
    words(text).into_iter().map(|word| word.folded).collect()
}

/// Right words that no text of the shop has are the danger of correcting.
#[test]
fn what_is_written_rightly_is_hardly_touched() {
    let demo = demo();
    let (mut asked, mut lost) = (0, 0);
    for file in [
        "relevance",
        "intent_cases",
        "sentiment_cases",
        "language_cases",
    ] {
        let path = format!("{}/eval/data/{file}.jsonl", env!("CARGO_MANIFEST_DIR"));
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let language = case["language"].as_str().unwrap().parse().unwrap();
            let text = case["text"].as_str().unwrap();
            let kept = words_of(&demo.correct(text, language));
            let words = words_of(text);
            asked += words.len();
            lost += words.iter().filter(|word| !kept.contains(word)).count();
        }
    }
    println!("{lost} of {asked} words lost");
    assert!(asked > 4_000 && lost * 400 < asked, "{lost} of {asked}");
}

fn knows(vocabulary: &Vocabulary, word: &str, language: Language) -> bool {
    let lexicon = vocabulary.languages.get(&language);
    lexicon.is_some_and(|lexicon| lexicon.knows(&folded(word)))
}
