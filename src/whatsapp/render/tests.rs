use serde_json::json;

use super::*;
use crate::domain::{Currency, Language, Money, OutboxId, PaymentId, ProductId};

fn outgoing(answer: Answer) -> Outgoing {
    Outgoing {
        id: OutboxId::from("ob_1"),
        sender: "106540352242922".to_owned(),
        recipient: "+393331234567".to_owned(),
        answer,
        language: Language::IT,
        upload: false,
    }
}

fn card(id: &str, title: &str, stock: u32) -> ProductCard {
    ProductCard {
        id: ProductId::from(id),
        title: title.to_owned(),
        price: Money::new(29_900, Currency::EUR),
        stock,
        image_url: "https://shop.example/aria.jpg".to_owned(),
        reason: None,
    }
}

fn choice(id: &str, title: &str) -> Choice {
    Choice {
        id: id.to_owned(),
        title: title.to_owned(),
    }
}

#[test]
fn text_carries_address_and_outbox_row() {
    assert_eq!(
        body(&outgoing(Answer::text("Ciao!"))),
        json!({
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": "+393331234567",
            "biz_opaque_callback_data": "ob_1",
            "type": "text",
            "text": { "body": "Ciao!" },
        })
    );
    let link = body(&outgoing(Answer::text("Ecco: https://shop.example")));
    assert_eq!(link["text"]["preview_url"], true);
}

#[test]
fn phones_get_their_plus_and_user_ids_their_own_field() {
    let to = |recipient: &str| {
        body(&Outgoing {
            recipient: recipient.to_owned(),
            ..outgoing(Answer::text("x"))
        })
    };
    assert_eq!(to("393331234567")["to"], "+393331234567");
    for id in ["IT.13491208655302741918", "US.ENT.11815799212886844830"] {
        assert_eq!(to(id)["recipient"], id);
        assert_eq!(to(id).get("to"), None);
    }
}

#[test]
fn products_become_a_list_with_price_and_stock() {
    let answer = Answer {
        text: "Ecco due macchine.".to_owned(),
        products: vec![
            card("aria", "Aria", 4),
            card("vento", "Macchina da caffè Vento Doppia", 0),
        ],
        ..Answer::default()
    };
    let interactive = &body(&outgoing(answer))["interactive"];
    assert_eq!(
        *interactive,
        json!({
            "type": "list",
            "body": { "text": "Ecco due macchine." },
            "action": { "button": "Vedi i prodotti", "sections": [{ "rows": [
                { "id": "product:aria", "title": "Aria", "description": "299,00\u{a0}€ · 4 disponibili" },
                { "id": "product:vento", "title": "Macchina da caffè Vento…", "description": "299,00\u{a0}€ · esaurito" },
            ] }] },
        })
    );
}

#[test]
fn products_that_read_alike_are_told_apart_and_choices_fill_the_list() {
    let answer = Answer {
        text: "Scegli".to_owned(),
        products: (0..9)
            .map(|number| card(&format!("p{number}"), "Lo stesso titolo, molto lungo", 1))
            .collect(),
        choices: vec![choice("human", "Parla con noi"), choice("more", "Altro")],
        ..Answer::default()
    };
    let body = body(&outgoing(answer));
    let sections = body["interactive"]["action"]["sections"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(sections[0]["rows"][1]["title"], "Lo stesso titolo, m… (2)");
    assert_eq!(
        sections[1],
        json!({ "title": "Altro", "rows": [{ "id": "human", "title": "Parla con noi" }] })
    );
}

#[test]
fn choices_become_buttons_and_a_list_when_they_are_many_or_the_text_is_long() {
    let three = vec![choice("a", "Sì"), choice("b", "No"), choice("c", "")];
    let answer = Answer {
        text: "Va bene?".to_owned(),
        choices: three.clone(),
        ..Answer::default()
    };
    let buttons = &body(&outgoing(answer))["interactive"];
    assert_eq!(buttons["type"], "button");
    assert_eq!(
        buttons["action"]["buttons"][2]["reply"],
        json!({ "id": "c", "title": "c" })
    );

    let long = Answer {
        text: "a".repeat(2_000),
        choices: three,
        ..Answer::default()
    };
    let list = &body(&outgoing(long))["interactive"];
    assert_eq!(
        (
            list["type"].as_str(),
            list["body"]["text"].as_str().map(str::len)
        ),
        (Some("list"), Some(2_000))
    );

    let four = (0..4)
        .map(|number| choice(&number.to_string(), "Sì"))
        .collect();
    let list = body(&outgoing(Answer {
        text: "?".to_owned(),
        choices: four,
        ..Answer::default()
    }));
    assert_eq!(
        list["interactive"]["action"]["sections"][0]["rows"][3]["title"],
        "Sì (4)"
    );
}

#[test]
fn a_payment_becomes_a_button_that_opens_it() {
    let payment = |url: String| Answer {
        text: "Totale 299 €".to_owned(),
        payment: Some(PaymentButton {
            id: PaymentId::from("p"),
            label: "Paga 299,00 € adesso, per favore".to_owned(),
            url,
            total: Money::new(29_900, Currency::EUR),
        }),
        ..Answer::default()
    };
    let sent = body(&outgoing(payment("https://shop.example/pay/p".to_owned())));
    assert_eq!(
        sent["interactive"]["action"],
        json!({ "name": "cta_url", "parameters": {
            "display_text": "Paga 299,00 € adess…", "url": "https://shop.example/pay/p",
        } })
    );
    let url = format!("https://shop.example/pay/{}", "p".repeat(2_000));
    let sent = body(&outgoing(payment(url.clone())));
    assert_eq!(sent["text"]["body"], format!("Totale 299 €\n\n{url}"));
}

#[test]
fn a_long_text_ends_in_the_link_of_its_page() {
    let sent = body(&outgoing(Answer::text("è".repeat(5_000))));
    assert_eq!(
        sent["text"]["body"].as_str().map(length),
        Some(limits::TEXT)
    );
    let style = Style {
        pages: Some("https://shop.example/m/".to_owned()),
        ..Style::default()
    };
    let paged = |text: String| Answer {
        page: Some("token".to_owned()),
        ..Answer::text(text)
    };
    let long = styled(&outgoing(paged("è".repeat(5_000))), &style);
    let said = long["text"]["body"].as_str().unwrap().to_owned();
    assert!(
        said.ends_with("è…\n\nLeggi tutto: https://shop.example/m/token"),
        "{said}"
    );
    assert_eq!(length(&said), limits::TEXT);
    let short = styled(&outgoing(paged("breve".to_owned())), &style);
    assert_eq!(short["text"]["body"], "breve");
}

#[test]
fn a_catalog_at_meta_shows_the_products_itself() {
    let style = Style {
        catalog_id: Some("367025965434465".to_owned()),
        ..Style::default()
    };
    let answer = |cards: &[&str], choices| Answer {
        text: "Ecco.".to_owned(),
        products: cards.iter().map(|id| card(id, id, 1)).collect(),
        choices,
        ..Answer::default()
    };
    let one = styled(&outgoing(answer(&["aria"], Vec::new())), &style);
    assert_eq!(
        one["interactive"],
        json!({ "type": "product", "body": { "text": "Ecco." }, "action": {
            "catalog_id": "367025965434465", "product_retailer_id": "aria",
        } })
    );
    let two = styled(
        &outgoing(answer(&["aria", "vento", "aria"], Vec::new())),
        &style,
    );
    assert_eq!(
        two["interactive"]["action"]["sections"],
        json!([{ "title": "Prodotti", "product_items": [
            { "product_retailer_id": "aria" }, { "product_retailer_id": "vento" },
        ] }])
    );
    let asked = answer(&["aria"], vec![choice("person", "Una persona")]);
    let asked = styled(&outgoing(asked), &style);
    assert_eq!(
        asked["interactive"]["type"], "list",
        "a choice is never lost"
    );
}

#[test]
fn a_template_is_sent_instead_of_what_it_says() {
    use crate::domain::{ButtonFilling, Filling, TemplateButton, TemplateMessage, TemplateValue};
    let text = |name: &str, text: &str| TemplateValue {
        name: Some(name.to_owned()),
        value: Filling::Text {
            text: text.to_owned(),
        },
    };
    let answer = Answer {
        template: Some(Box::new(TemplateMessage {
            name: "order_update".to_owned(),
            language: "it".to_owned(),
            header: None,
            body: vec![text("number", "10001"), text("status", "spedito\noggi")],
            buttons: vec![TemplateButton {
                index: 0,
                value: ButtonFilling::Url {
                    suffix: "10001".to_owned(),
                },
            }],
        })),
        ..Answer::text("Il tuo ordine 10001")
    };
    assert_eq!(
        body(&outgoing(answer))["template"],
        json!({ "name": "order_update", "language": { "code": "it" }, "components": [
            { "type": "body", "parameters": [
                { "type": "text", "text": "10001", "parameter_name": "number" },
                { "type": "text", "text": "spedito oggi", "parameter_name": "status" },
            ] },
            { "type": "button", "sub_type": "url", "index": "0",
              "parameters": [{ "type": "text", "text": "10001" }] },
        ] })
    );
}

#[test]
fn every_language_has_words_that_fit() {
    for code in ["en", "it", "es", "pt", "de", "fr", "nl"] {
        let words = Words::of(code.parse().unwrap());
        for button in [words.show_products, words.choose, words.pay] {
            assert!(
                (1..=limits::BUTTON_TITLE).contains(&length(button)),
                "{button}"
            );
        }
        for section in [words.products, words.more] {
            assert!(
                (1..=limits::ROW_TITLE).contains(&length(section)),
                "{section}"
            );
        }
    }
}
