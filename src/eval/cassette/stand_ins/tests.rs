//! What is replaced, what stays, and what comes back.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const URL: &str = "http://127.0.0.1:8080";

fn stand_ins() -> StandIns {
    let secrets = [SecretString::from("hunter2-hunter2")];
    Scrubber::new(URL, &secrets).stand_ins(&["10472".to_owned()])
}

fn hidden(text: &str) -> String {
    stand_ins().hide(text)
}

#[test]
fn what_differs_and_what_names_a_person_is_replaced() {
    let id = "0193a1b2c3d4e5f60718293a4b5c6d7e";
    for (text, expected) in [
        (format!("{URL}/pay/{id}"), "<shop-1>/pay/<id-1>"),
        (
            format!("ticket tk_{id}, tk_{id}, {id}"),
            "ticket <id-1>, <id-1>, <id-2>",
        ),
        (
            "until 2026-11-21T21:39:06.123456Z!".to_owned(),
            "until <time-1>!",
        ),
        (
            "Anna.Ros@example.com anna.ros@Example.com".to_owned(),
            "<email-1> <email-1>",
        ),
        (
            "+39 333 1234567 or 0039-333-123.45.67".to_owned(),
            "<phone-1> or <phone-1>",
        ),
        (
            "333 1234567, (02) 1234567, 347/1234567".to_owned(),
            "<phone-1>, <phone-2>, <phone-3>",
        ),
        ("+39\u{a0}02\u{a0}12345678".to_owned(), "<phone-1>"),
        ("4111 1111 1111 1111".to_owned(), "[card •••• 1111]"),
        (
            "key sk-abcdefghijklmnop1234 hunter2-hunter2".to_owned(),
            "key <key-1> <key-2>",
        ),
        ("IT60X0542811101000000123456".to_owned(), "<account-1>"),
        (
            "order 10472 of 2026-11-21".to_owned(),
            "order <id-1> of <date-1>",
        ),
    ] {
        assert_eq!(hidden(&text), expected, "{text}");
    }
}

#[test]
fn the_rest_stays() {
    for text in [
        "1.299,00 € for order 10417, article 4711, placed 2026-11-02, 05.11.2026 or 5/11/26",
        "300 or 400 euro; 12-24 months; macchina-aria; 15:30; <passage-1>",
        "{\"minor\":189000,\"currency\":\"EUR\",\"cups\":8}",
    ] {
        assert_eq!(hidden(text), text);
    }
}

#[test]
fn a_reply_gets_the_values_of_the_request_back() {
    let mut recorded = stand_ins();
    recorded.hide("write to anna@example.com about 0193a1b2c3d4e5f60718293a4b5c6d7e");
    let reply = recorded.hide_value(&json!({
        "to": "ANNA@example.com", "link": "0193a1b2c3d4e5f60718293a4b5c6d7e", "call": 393_331_234_567_u64,
    }));
    let other = "ffffa1b2c3d4e5f60718293a4b5c6d7e";
    let mut replayed = stand_ins();
    replayed.hide(&format!("write to bea@example.com about {other}"));
    let shown = replayed.show_value(&reply);
    assert_eq!(
        shown,
        json!({ "to": "bea@example.com", "link": other, "call": "<phone-1>" })
    );
}

#[test]
fn a_stand_in_that_the_customer_writes_is_not_taken_for_ours() {
    let mut stand_ins = stand_ins();
    assert_eq!(
        stand_ins.hide("<id-7> 0193a1b2c3d4e5f60718293a4b5c6d7e <id-1>"),
        "<id-1> <id-2> <id-3>"
    );
    assert_eq!(stand_ins.show("<id-1> <id-3>"), "<id-7> <id-1>");
}

#[test]
fn calls_are_numbered_and_a_shown_id_is_nobody_elses() {
    let mut stand_ins = stand_ins();
    assert_eq!(stand_ins.hide_call("call_x"), "call00001");
    assert_eq!(stand_ins.hide_call("call00003"), "call00002");
    assert_eq!(stand_ins.hide_call("call_x"), "call00001");
    assert_eq!(stand_ins.hide_call("offline-0-1"), "offline-0-1");
    assert_eq!(stand_ins.show_call("call00003"), "call00003x");
}

/// Words of a conversation with values between them.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-zà-ü ,.:0-9()<>-]{0,12}",
        "(tk_)?[0-9a-f]{32}",
        "[a-c]{1,3}@[a-c]{2}\\.it",
        "\\+39 3[0-9]{2} [0-9]{7}",
        "<(id|phone|email)-[0-9]{1,3}>",
        "2026-11-2[0-9]T10:00:0[0-9]Z",
        Just(format!("{URL}/pay/")),
    ];
    prop::collection::vec(part, 0..9).prop_map(|parts| parts.join(" "))
}

proptest! {
    #[test]
    fn hiding_twice_changes_nothing(text in text()) {
        let once = hidden(&text);
        prop_assert_eq!(hidden(&once), once);
    }

    #[test]
    fn the_same_value_has_the_same_stand_in_and_another_another(
        one in "[0-9a-f]{32}", other in "[0-9a-f]{32}", between in "[a-z ]{0,9}",
    ) {
        prop_assume!(one != other);
        let expected = format!("<id-1> {between} <id-2> <id-1>");
        prop_assert_eq!(hidden(&format!("{one} {between} {other} {one}")), expected);
    }

    #[test]
    fn what_is_hidden_can_be_shown(text in text()) {
        let mut stand_ins = stand_ins();
        let hidden = stand_ins.hide(&text);
        let shown = stand_ins.show(&hidden);
        // Spelled as it was first.
        prop_assert_eq!(stand_ins.hide(&shown), hidden);
    }
}
