//! Every form that can be built is one that Meta takes, and Meta's own examples read back as they were.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sportello::whatsapp::message::{
    ButtonKind, Card, Component, ContactCard, Content, Flow, FlowId, FormError, Header,
    Interactive, ListRow, ListSection, Location, Media, MediaSource, Message, Parameter,
    ProductSection, ReadReceipt, Request, Sku, Template,
};

use crate::support::data::{bodies, shared};
use crate::support::graph::faults;

/// Meta's examples that Meta's own rules refuse, and why.
const FAULTY: [(&str, &str); 3] = [
    ("send_multi_product_message", "its header is of no type"),
    ("send_text_message_with_preview_url", "it has no type"),
    ("send_reply_to_list_message", "it has no type"),
];

#[test]
fn the_official_examples_read_back_as_they_were() {
    let (mut read, mut refused) = (0, 0);
    for (path, body) in bodies("whatsapp/meta-openapi/requests") {
        let body: Value = serde_json::from_str(&body).unwrap();
        let parsed = serde_json::from_value::<Request>(body.clone());
        if FAULTY.iter().any(|(name, _)| path.contains(name)) {
            assert!(parsed.is_err(), "{path}");
            refused += 1;
            continue;
        }
        let parsed = parsed.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(serde_json::to_value(&parsed).unwrap(), body, "{path}");
        read += 1;
    }
    if shared("whatsapp").is_some() {
        assert_eq!((read, refused), (47, 3));
    }
}

fn sent(content: Content) -> Value {
    let message = Message::new("+393331234567", content)
        .quoting("wamid.1")
        .carrying("ob_1")
        .unwrap();
    serde_json::to_value(Request::Message(Box::new(message))).unwrap()
}

fn link() -> MediaSource {
    MediaSource::Link("https://shop.example/a.jpg".to_owned())
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "\\PC{0,40}",
        1 => "\\PC{1000,1100}",
        2 => "(👩‍👩‍👧|🇮🇹|é|\n|\t| ){0,30}",
        1 => "a{4090,4100}",
    ]
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-z0-9]{1,3}", 2 => "\\PC{0,20}", 1 => "a{190,260}"]
}

fn header() -> impl Strategy<Value = Option<Header>> {
    let media = |kind: u8| match kind {
        0 => Header::Image {
            image: Media::new(link()),
        },
        1 => Header::Video {
            video: Media::new(MediaSource::Id("1".to_owned())),
        },
        _ => Header::Document {
            document: Media::new(link()).named("a.pdf"),
        },
    };
    prop::option::of(prop_oneof![
        words().prop_map(|text| Header::Text { text }),
        (0_u8..3).prop_map(media),
    ])
}

fn rows() -> impl Strategy<Value = Vec<ListSection>> {
    let row =
        (id(), words(), prop::option::of(words())).prop_map(|(id, title, description)| ListRow {
            id,
            title,
            description,
        });
    let section = (
        prop::option::weighted(0.8, words()),
        prop::collection::vec(row, 0..6),
    )
        .prop_map(|(title, rows)| ListSection { title, rows });
    prop::collection::vec(section, 0..5)
}

fn skus() -> impl Strategy<Value = Vec<ProductSection>> {
    let section =
        (words(), prop::collection::vec("[a-z0-9]{1,8}", 0..12)).prop_map(|(title, ids)| {
            let product_items = ids
                .into_iter()
                .map(|product_retailer_id| Sku {
                    product_retailer_id,
                })
                .collect();
            ProductSection {
                title,
                product_items,
            }
        });
    prop::collection::vec(section, 0..5)
}

fn cards() -> impl Strategy<Value = Vec<Card>> {
    let card = (header(), words(), words()).prop_map(|(header, body, label)| Card {
        header: header.unwrap_or(Header::Image {
            image: Media::new(link()),
        }),
        body,
        label,
        url: "https://shop.example/p/aria".to_owned(),
    });
    prop::collection::vec(card, 0..12)
}

fn flows() -> impl Strategy<Value = Result<Flow, FormError>> {
    (any::<bool>(), words(), "[A-Z_]{0,12}").prop_map(|(by_name, label, screen)| {
        let id = if by_name {
            FlowId::Name("booking".to_owned())
        } else {
            FlowId::Id("123".to_owned())
        };
        if screen.is_empty() {
            return Ok(Flow::exchanging(id, &label));
        }
        Flow::new(
            id,
            &label,
            &screen,
            Map::from_iter([("a".to_owned(), json!(1))]),
        )
    })
}

/// Every interactive form, made of whatever comes; what does not fit is refused by its constructor.
fn interactives() -> impl Strategy<Value = Result<Interactive, FormError>> {
    let url = prop_oneof![
        "https://shop\\.example/[a-z]{0,20}",
        "https://a/a{1990,2010}"
    ];
    prop_oneof![
        (words(), prop::collection::vec((id(), words()), 0..5)).prop_map(|(body, buttons)| {
            let buttons = buttons
                .iter()
                .map(|(id, title)| (id.as_str(), title.as_str()));
            Interactive::buttons(&body, buttons)
        }),
        (words(), words(), rows())
            .prop_map(|(body, button, rows)| Interactive::list(&body, &button, rows)),
        (words(), words(), url)
            .prop_map(|(body, label, url)| Interactive::cta_url(&body, &label, &url)),
        (words(), id()).prop_map(|(body, sku)| Interactive::product(&body, "3670", &sku)),
        (words(), words(), skus()).prop_map(|(header, body, skus)| Interactive::product_list(
            &header, &body, "3670", skus
        )),
        (words(), id()).prop_map(|(body, sku)| Interactive::catalog(&body, &sku)),
        words().prop_map(|body| Ok(Interactive::location_request(&body))),
        words().prop_map(|body| Ok(Interactive::contact_request(&body))),
        (words(), flows()).prop_map(|(body, flow)| Ok(Interactive::flow(&body, flow?))),
        (words(), cards()).prop_map(|(body, cards)| Interactive::carousel(&body, cards)),
    ]
}

fn parameters() -> impl Strategy<Value = Vec<Parameter>> {
    let name = || prop::option::of("[a-z_]{1,10}");
    let parameter = prop_oneof![
        (name(), words()).prop_map(|(name, text)| Parameter::text(name.as_deref(), &text)),
        (name(), words(), 0..100_000_000_i64).prop_map(|(name, text, minor)| {
            Parameter::currency(name.as_deref(), &text, "EUR", minor).unwrap()
        }),
        (name(), words()).prop_map(|(name, text)| Parameter::date_time(name.as_deref(), &text)),
    ];
    prop::collection::vec(parameter, 0..6)
}

fn heads() -> impl Strategy<Value = Parameter> {
    prop_oneof![
        words().prop_map(|text| Parameter::text(None, &text)),
        Just(Parameter::Image {
            image: Media::new(link())
        }),
        Just(Parameter::Video {
            video: Media::new(link())
        }),
        Just(Parameter::Document {
            document: Media::new(link()).named("a.pdf")
        }),
        Just(Parameter::Location {
            location: Location::new(45.4, 9.2, Some("Moka".to_owned()), None).unwrap()
        }),
    ]
}

fn buttons() -> impl Strategy<Value = (ButtonKind, Parameter)> {
    prop_oneof![
        words().prop_map(|text| (ButtonKind::Url, Parameter::text(None, &text))),
        words().prop_map(|text| (ButtonKind::QuickReply, Parameter::payload(text))),
        "[A-Z0-9]{1,20}".prop_map(|code| (ButtonKind::CopyCode, Parameter::coupon(&code).unwrap())),
        Just((ButtonKind::Catalog, Parameter::thumbnail("aria"))),
        Just((ButtonKind::Flow, Parameter::flow("token", Map::new()))),
    ]
}

fn templates() -> impl Strategy<Value = Result<Template, FormError>> {
    let parts = (
        "[a-z_]{0,20}",
        prop_oneof![Just("it"), Just("en_US")],
        prop::option::of(heads()),
        parameters(),
        prop::collection::vec(buttons(), 0..4),
        prop::option::weighted(0.3, prop::collection::vec((heads(), buttons()), 0..12)),
        prop::option::of(1_i64..2_000_000_000_000),
    );
    parts.prop_map(|(name, language, head, body, buttons, cards, offer)| {
        let mut template = Template::new(&name, language)?.body(body);
        if let Some(head) = head {
            template = template.header(head);
        }
        for (index, (kind, parameter)) in (0..).zip(buttons) {
            template = template.button(index, kind, parameter)?;
        }
        if let Some(cards) = cards {
            let cards = cards
                .into_iter()
                .map(|(head, (kind, parameter))| {
                    let header = Component::Header {
                        parameters: vec![head],
                    };
                    Ok(vec![header, Component::button(0, kind, parameter)?])
                })
                .collect::<Result<_, FormError>>()?;
            template = template.carousel(cards)?;
        }
        if let Some(ends) = offer {
            template = template.offer(ends);
        }
        Ok(template)
    })
}

fn plain() -> impl Strategy<Value = Result<Content, FormError>> {
    let source = || prop_oneof![Just(link()), "[0-9]{1,20}".prop_map(MediaSource::Id),];
    let media = move || {
        (source(), words()).prop_map(|(source, caption)| Media::new(source).captioned(&caption))
    };
    let contact = (words(), "\\+[0-9]{6,14}");
    prop_oneof![
        words().prop_map(|text| Ok(Content::text(&text))),
        media().prop_map(|image| Ok(Content::Image { image })),
        media().prop_map(|video| Ok(Content::Video { video })),
        media().prop_map(|document| Ok(Content::Document {
            document: document.named("a.pdf")
        })),
        source().prop_map(|source| Ok(Content::Audio {
            audio: Media::new(source)
        })),
        source().prop_map(|source| Ok(Content::sticker(source))),
        Just(Ok(Content::reaction("wamid.1", "👍"))),
        Just(Ok(Content::reaction("wamid.1", ""))),
        (-100.0..100.0, -200.0..200.0, prop::option::of(words())).prop_map(
            |(latitude, longitude, name)| {
                Ok(Content::Location {
                    location: Location::new(latitude, longitude, name, None)?,
                })
            }
        ),
        prop::collection::vec(contact, 0..7).prop_map(|contacts| {
            let cards = contacts
                .iter()
                .map(|(name, phone)| ContactCard::new(name, phone))
                .collect::<Result<_, _>>()?;
            Content::contacts(cards)
        }),
    ]
}

proptest! {
    #[test]
    fn every_form_that_is_built_is_one_that_meta_takes(
        form in interactives(), header in header(), footer in words(),
    ) {
        let Ok(form) = form else { return Ok(()) };
        let own = faults(&sent(form.clone().into()));
        prop_assert_eq!(own, Vec::<String>::new());
        let mut more = form.footed(&footer);
        if let Some(header) = header {
            // A list of products has a header of words only.
            let words = matches!(header, Header::Text { .. });
            let products = serde_json::to_value(&more).unwrap()["type"] == "product_list";
            if words || !products {
                more = more.headed(header);
            }
        }
        let body = sent(more.into());
        prop_assert_eq!(faults(&body), Vec::<String>::new(), "{}", body);
        let back: Request = serde_json::from_value(body.clone()).unwrap();
        prop_assert_eq!(serde_json::to_value(back).unwrap(), body);
    }

    #[test]
    fn every_template_that_is_filled_is_one_that_meta_takes(template in templates()) {
        let Ok(template) = template else { return Ok(()) };
        let body = sent(template.into());
        prop_assert_eq!(faults(&body), Vec::<String>::new(), "{}", body);
        let back: Request = serde_json::from_value(body.clone()).unwrap();
        prop_assert_eq!(serde_json::to_value(back).unwrap(), body);
    }

    #[test]
    fn every_plain_message_is_one_that_meta_takes(content in plain()) {
        let Ok(content) = content else { return Ok(()) };
        let body = sent(content);
        prop_assert_eq!(faults(&body), Vec::<String>::new(), "{}", body);
    }
}

#[test]
fn what_cannot_be_shortened_is_refused() {
    let row = |number: usize| ListRow {
        id: number.to_string(),
        title: "Row".to_owned(),
        description: None,
    };
    let section = |title: Option<&str>, rows: std::ops::Range<usize>| ListSection {
        title: title.map(str::to_owned),
        rows: rows.map(row).collect(),
    };
    let list = |sections| Interactive::list("Body", "Open", sections);
    assert!(list(vec![section(Some("a"), 0..6), section(Some("b"), 6..10)]).is_ok());
    assert!(list(vec![section(Some("a"), 0..6), section(Some("b"), 6..11)]).is_err());
    assert!(list(vec![section(None, 0..2), section(Some("b"), 2..3)]).is_err());
    assert!(list(vec![section(Some("a"), 0..2), section(Some("b"), 1..3)]).is_err());
    assert!(list(Vec::new()).is_err());
    let alike = list(vec![section(None, 0..2)]).unwrap();
    let alike = serde_json::to_value(alike).unwrap();
    assert_eq!(
        alike["action"]["sections"][0]["rows"][1]["title"],
        "Row (2)"
    );
    assert!(Interactive::buttons("?", [("a", "1"), ("a", "2")]).is_err());
    assert!(Interactive::buttons("?", [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]).is_err());
    assert!(Interactive::cta_url("?", "Pay", &format!("https://{}", "a".repeat(2_000))).is_err());
    assert!(Location::new(91.0, 0.0, None, None).is_err());
    assert!(Location::new(f64::NAN, 0.0, None, None).is_err());
    assert!(Content::contacts(Vec::new()).is_err());
    assert!(Parameter::currency(None, "x", "EUR", i64::MAX).is_err());
    assert!(
        Message::new("1", Content::text("x"))
            .carrying(&"a".repeat(513))
            .is_err()
    );
}

#[test]
fn a_read_receipt_may_type() {
    let typing = serde_json::to_value(Request::Read(ReadReceipt::new("wamid.1", true))).unwrap();
    assert_eq!(
        typing,
        json!({ "messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1",
                "typing_indicator": { "type": "text" } })
    );
    let read = serde_json::to_value(ReadReceipt::new("wamid.1", false)).unwrap();
    assert_eq!(read.get("typing_indicator"), None);
}
