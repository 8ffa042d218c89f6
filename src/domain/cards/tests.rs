use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn masked(text: &str) -> String {
    mask_cards(text).text.into_owned()
}

#[test]
fn card_numbers_of_every_issuer_are_masked_however_they_are_written() {
    let cases = [
        ("4111111111111111", "1111"),
        ("4222222222222", "2222"),
        ("5555 5555 5555 4444", "4444"),
        ("2223-0031-2200-3222", "3222"),
        ("3782 822463 10005", "0005"),
        ("3056.9309.0259.04", "5904"),
        ("6011 1111\u{a0}1111 1117", "1117"),
        ("3530 – 1113 – 3330 – 0000", "0000"),
        ("6200000000000005", "0005"),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "1111"),
        ("4111_1111_1111_1111", "1111"),
        ("４１１１１１１１１１１１１１１１", "1111"),
        ("4111 1111\n1111 1111", "1111"),
    ];
    for (number, last) in cases {
        let text = format!("ecco: {number}, grazie");
        assert_eq!(
            masked(&text),
            format!("ecco: [card •••• {last}], grazie"),
            "{number}"
        );
    }
}

#[test]
fn a_card_is_found_beside_its_date_and_code() {
    let text = "4111 1111 1111 1111 12/27 cvv 123";
    assert_eq!(masked(text), "[card •••• 1111] 12/27 cvv •••");
    assert_eq!(mask_cards(text).found, 2);
    assert_eq!(
        masked("1) 4111111111111111 2) 5555555555554444"),
        "1) [card •••• 1111] 2) [card •••• 4444]"
    );
}

#[test]
fn numbers_that_are_no_cards_stay() {
    for text in [
        "4111111111111112",     // wrong check digit
        "14111111111111111",    // inside a longer run
        "41111111111111110000", // twenty digits
        "00340434161094015902", // a parcel
        "+49 151 2345 6789 0",  // a phone
        "1111111111111117",     // no issuer
        "BM-10432",
        "Bestellung 10432??",
        "45.46427050283746, 9.19033400000000", // a place
        "1.299,00 € o 2.499,00 €",
        "2026-11-21 10:30:00",
    ] {
        let result = mask_cards(text);
        assert_eq!((result.found, result.text.as_ref()), (0, text));
    }
}

#[test]
fn a_phone_number_is_told_from_a_card_by_its_plus() {
    assert_eq!(masked("+4222222222222"), "+4222222222222");
    assert_eq!(masked("4222222222222"), "[card •••• 2222]");
    assert_eq!(masked("+4111111111111111"), "+[card •••• 1111]");
}

#[test]
fn security_codes_are_masked_in_five_languages() {
    let cases = [
        ("CVV: 123", "CVV: •••"),
        ("cvc2=1234.", "cvc2=•••."),
        (
            "il codice di sicurezza è 987",
            "il codice di sicurezza è •••",
        ),
        ("codice 987", "codice •••"),
        ("mi código es 987!", "mi código es •••!"),
        ("código de segurança 987", "código de segurança •••"),
        ("Prüfziffer ist 987", "Prüfziffer ist •••"),
        ("987 (CVV)", "••• (CVV)"),
        ("cvv123", "cvv•••"),
    ];
    for (text, expected) in cases {
        assert_eq!(masked(text), expected);
    }
    for text in [
        "codice 10432",
        "codice 100,50",
        "codice BM-1234",
        "codice sconto 1234",
        "codice 1234-5678",
        "299 euro",
        "codici 123",
    ] {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn json_stays_json_and_keeps_its_identifiers() {
    let raw = json!({
        "metadata": {"phone_number_id": "4111111111111111", "display_phone_number": "4111111111111111"},
        "from": "4222222222222",
        "id": "4111111111111111",
        "image": {"id": "4111111111111111", "caption": "carta 4111 1111 1111 1111", "url": "https://x/4111111111111111"},
        "document": {"filename": "4111-1111-1111-1111.pdf"},
        "poll": {"options": [{"label": "4111111111111111"}, {"label": 4_111_111_111_111_111_u64}]},
        "nfm_reply": {"response_json": "{\"id\":4111111111111111,\"cvv\":\"123\",\"ok\":true}"},
        "location": {"latitude": 45.464_270_502_837_46},
    });
    let masked = mask_cards_in_json(&raw.to_string()).text.into_owned();
    let value: Value = serde_json::from_str(&masked).unwrap();
    for path in [
        "/metadata/phone_number_id",
        "/from",
        "/id",
        "/image/id",
        "/image/url",
        "/location",
    ] {
        assert_eq!(value.pointer(path), raw.pointer(path), "{path}");
    }
    assert_eq!(value["image"]["caption"], "carta [card •••• 1111]");
    assert_eq!(value["document"]["filename"], "[card •••• 1111].pdf");
    assert_eq!(value["poll"]["options"][0]["label"], "[card •••• 1111]");
    assert_eq!(value["poll"]["options"][1]["label"], "[card •••• 1111]");
    let form: Value =
        serde_json::from_str(value["nfm_reply"]["response_json"].as_str().unwrap()).unwrap();
    assert_eq!(
        form,
        json!({"id": "[card •••• 1111]", "cvv": "•••", "ok": true})
    );
}

#[test]
fn escapes_hide_no_card_and_text_that_is_no_json_is_masked_too() {
    let raw = r#"{"body":"\u0034111 1111\u00a01111 1111"}"#;
    assert_eq!(
        mask_cards_in_json(raw).text,
        r#"{"body":"[card •••• 1111]"}"#
    );
    assert_eq!(
        mask_cards_in_json("{4111111111111111").text,
        "{[card •••• 1111]"
    );
}

/// A card number of 13 to 19 digits with the right check digit.
fn card() -> impl Strategy<Value = String> {
    let prefix = prop_oneof![
        Just(("4", 13)),
        Just(("4", 16)),
        Just(("4", 19)),
        Just(("51", 16)),
        Just(("2720", 16)),
        Just(("37", 15)),
        Just(("36", 14)),
        Just(("3528", 17)),
        Just(("6011", 18)),
        Just(("62", 19)),
    ];
    (prefix, prop::collection::vec(0_u8..10, 19)).prop_map(|((prefix, length), filling)| {
        let mut digits: Vec<u8> = prefix.bytes().map(|byte| byte - b'0').collect();
        digits.extend_from_slice(&filling[..length - 1 - digits.len()]);
        let check = (0..10)
            .find(|&check| luhn(&[digits.as_slice(), &[check]].concat()))
            .unwrap();
        digits.push(check);
        digits
            .iter()
            .map(|&digit| char::from(b'0' + digit))
            .collect()
    })
}

fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "\\PC{0,20}",
        "[0-9 .-]{0,24}",
        card(),
        card().prop_map(|card| format!("{{\"a\":{card}}}"))
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("(id|from|body|cvv|[a-z]{1,4})", inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_card_survives(
        card in card(),
        before in "[^0-9٠-٩۰-۹０-９+]{0,8}",
        after in "[^0-9٠-٩۰-۹０-９]{0,8}",
        gap in "[ .-]",
        every in 1_usize..6,
    ) {
        let written: String = card
            .char_indices()
            .map(|(place, digit)| if place > 0 && place % every == 0 { format!("{gap}{digit}") } else { digit.to_string() })
            .collect();
        let result = mask_cards(&format!("{before}{written}{after}")).text.into_owned();
        prop_assert!(result.contains(&format!("[card •••• {}]", &card[card.len() - 4..])), "{result}");
        prop_assert!(!result.contains(&written));
    }

    #[test]
    fn masking_twice_changes_nothing_more(text in "([0-9 .,+-]{0,24}|cvv|codice| |\\PC){0,6}") {
        let once = masked(&text);
        prop_assert_eq!(masked(&once), once);
    }

    #[test]
    fn text_without_many_digits_stays(
        text in "[^0-9٠-٩۰-۹０-９cCpP]{0,40}[0-9]{0,12}[^0-9٠-٩۰-۹０-９cCpP]{0,40}",
    ) {
        prop_assert_eq!(masked(&text), text);
    }

    #[test]
    fn masked_json_has_the_same_shape(value in any_json()) {
        let raw = value.to_string();
        let result = mask_cards_in_json(&raw);
        let after: Value = serde_json::from_str(&result.text).unwrap();
        prop_assert!(same_shape(&value, &after, ""), "{after}");
        prop_assert_eq!(mask_cards_in_json(&result.text).found, 0);
    }
}

fn same_shape(before: &Value, after: &Value, key: &str) -> bool {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            before.len() == after.len()
                && before
                    .iter()
                    .zip(after)
                    .all(|((name, one), (other, two))| name == other && same_shape(one, two, name))
        }
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len()
                && before
                    .iter()
                    .zip(after)
                    .all(|(one, two)| same_shape(one, two, key))
        }
        (Value::String(_) | Value::Number(_), Value::String(_)) if key != "id" && key != "from" => {
            true
        }
        (before, after) => before == after,
    }
}
