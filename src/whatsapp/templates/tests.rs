use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::domain::{ButtonFilling, Currency, Filling, Money};

fn checked(files: &[(&str, &str)]) -> Result<Vec<Definition>, Vec<String>> {
    let files = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
        .collect();
    let mut faults = Vec::new();
    let definitions = check::all(files, &mut faults);
    if faults.is_empty() {
        Ok(definitions)
    } else {
        Err(faults.iter().map(ToString::to_string).collect())
    }
}

const OFFER: &str = r#"
name = "offer"
language = "en-US"
category = "marketing"

[[components]]
type = "HEADER"
text = "For {{1}}"

[[components]]
type = "BODY"
text = "Hello {{1}}, it is {{2}} until {{3}} only."

[[components]]
type = "BUTTONS"
buttons = [
    { type = "URL", text = "See it", url = "https://shop.example/p/{{page}}" },
    { type = "QUICK_REPLY", text = "Stop offers" },
    { type = "COPY_CODE" },
]

[[parameters]]
name = "1"
example = "Anna"
[[parameters]]
name = "2"
type = "currency"
example = "€9.90"
[[parameters]]
name = "3"
type = "date_time"
example = "Monday"
[[parameters]]
name = "page"
type = "url-suffix"
example = "aria"
[[parameters]]
name = "code"
type = "url-suffix"
example = "SAVE10"
"#;

fn text(text: &str) -> Filling {
    Filling::Text {
        text: text.to_owned(),
    }
}

fn values() -> BTreeMap<String, Filling> {
    BTreeMap::from([
        ("1".to_owned(), text("Ada")),
        (
            "2".to_owned(),
            Filling::Currency {
                amount: Money::new(990, Currency::EUR),
                text: "€9.90".to_owned(),
            },
        ),
        (
            "3".to_owned(),
            Filling::DateTime {
                text: "Friday".to_owned(),
            },
        ),
        ("page".to_owned(), text("mulino-lento")),
        ("code".to_owned(), text("SAVE10")),
    ])
}

#[test]
fn the_demo_shop_has_news_of_orders_in_five_languages_and_one_that_sells() {
    let definitions = load(None).unwrap();
    let updates: Vec<&str> = definitions
        .iter()
        .filter(|one| one.name == "order_update" && one.category == TemplateCategory::Utility)
        .map(|one| one.language.as_str())
        .collect();
    assert_eq!(updates.len(), 5, "{updates:?}");
    for language in ["en", "it", "es", "pt", "de"] {
        assert!(updates.contains(&language), "{language}");
    }
    let sells = definitions
        .iter()
        .filter(|one| one.category.needs_consent());
    assert_eq!(
        sells.map(|one| one.name.as_str()).collect::<Vec<_>>(),
        ["news"]
    );
    let french = for_language(&definitions, "order_update", Language::FR, Language::IT);
    assert_eq!(french.unwrap().language, "it");
    assert!(for_language(&definitions, "unheard_of", Language::IT, Language::EN).is_none());
}

#[test]
fn a_template_is_created_with_its_examples() {
    let offer = checked(&[("offer.toml", OFFER)]).unwrap().remove(0);
    let created = offer.creation();
    assert_eq!(created["language"], "en_US");
    assert_eq!(created["parameter_format"], "POSITIONAL");
    assert_eq!(
        created["components"],
        json!([
            { "type": "HEADER", "format": "TEXT", "text": "For {{1}}", "example": { "header_text": ["Anna"] } },
            { "type": "BODY", "text": "Hello {{1}}, it is {{2}} until {{3}} only.",
              "example": { "body_text": [["Anna", "€9.90", "Monday"]] } },
            { "type": "BUTTONS", "buttons": [
                { "type": "URL", "text": "See it", "url": "https://shop.example/p/{{1}}",
                  "example": ["https://shop.example/p/aria"] },
                { "type": "QUICK_REPLY", "text": "Stop offers" },
                { "type": "COPY_CODE", "example": "SAVE10" },
            ] },
        ])
    );
    let update = load(None).unwrap();
    let update = for_language(&update, "order_update", Language::IT, Language::IT).unwrap();
    let created = update.creation();
    assert_eq!(created["parameter_format"], "NAMED");
    let examples = &created["components"][0]["example"]["body_text_named_params"];
    assert_eq!(
        examples[0],
        json!({ "param_name": "name", "example": "Anna" })
    );
}

#[test]
fn a_filled_template_carries_every_value_and_its_text() {
    let offer = checked(&[("offer.toml", OFFER)]).unwrap().remove(0);
    let (message, read) = offer.fill(&values()).unwrap();
    assert_eq!(read, "For Ada\n\nHello Ada, it is €9.90 until Friday only.");
    assert_eq!(message.header.unwrap().value, text("Ada"));
    assert_eq!(message.body.len(), 3);
    assert!(message.body.iter().all(|value| value.name.is_none()));
    let buttons: Vec<(u8, ButtonFilling)> = message
        .buttons
        .into_iter()
        .map(|button| (button.index, button.value))
        .collect();
    let suffix = "mulino-lento".to_owned();
    let payload = "Stop offers".to_owned();
    let code = "SAVE10".to_owned();
    assert_eq!(
        buttons,
        [
            (0, ButtonFilling::Url { suffix }),
            (1, ButtonFilling::Payload { payload }),
            (2, ButtonFilling::Coupon { code }),
        ]
    );
}

#[test]
fn values_are_checked_by_number_type_and_length() {
    let offer = checked(&[("offer.toml", OFFER)]).unwrap().remove(0);
    let mut wrong = values();
    wrong.remove("1");
    wrong.insert("2".to_owned(), text("€9.90"));
    wrong.insert(
        "3".to_owned(),
        Filling::DateTime {
            text: "x".repeat(2_000),
        },
    );
    wrong.insert("page".to_owned(), text("two words"));
    wrong.insert("code".to_owned(), text(""));
    wrong.insert("more".to_owned(), text("x"));
    let faults = offer.fill(&wrong).unwrap_err();
    for (name, fault) in [
        ("1", "missing"),
        ("2", "must be Currency"),
        ("3", "longer"),
        ("page", "space"),
        ("code", "empty"),
        ("more", "no blank"),
    ] {
        let name = format!("`{name}`");
        let found = faults
            .iter()
            .any(|one| one.contains(&name) && one.contains(fault));
        assert!(found, "{name} {fault}: {faults:?}");
    }
    assert_eq!(faults.len(), 6, "{faults:?}");
}

#[test]
fn every_fault_is_told_at_once_with_its_line() {
    let wrong = r#"
name = "Offer!"
language = "english"
category = "gossip"

[[components]]
type = "BODY"
text = "{{1}} {{2}} and {{name}}"

[[components]]
type = "FOOTER"
text = "for {{1}}"

[[components]]
type = "BUTTONS"
buttons = [{ type = "URL", text = "See", url = "shop.example/{{a}}/{{b}}" }]

[[parameters]]
name = "1"
example = ""

[[parameters]]
name = "lost"
example = "x"
"#;
    let faults = checked(&[("wrong.toml", wrong)]).unwrap_err();
    for (line, fault) in [
        ("wrong.toml:2", "`name`"),
        ("wrong.toml:3", "`language`"),
        ("wrong.toml:4", "`category`"),
        ("wrong.toml:8", "begins nor ends"),
        ("wrong.toml:8", "words between"),
        ("wrong.toml:8", "all named or all numbered"),
        ("wrong.toml:12", "footer"),
        ("wrong.toml:16", "a link begins"),
        ("wrong.toml:19", "needs an example"),
        ("wrong.toml:23", "no blank"),
        ("wrong.toml", "the blank `2`"),
        ("wrong.toml", "the blank `a`"),
    ] {
        let found = faults
            .iter()
            .any(|one| one.starts_with(line) && one.contains(fault));
        assert!(found, "{line} {fault}: {faults:#?}");
    }
    let twice = checked(&[("a.toml", OFFER), ("b.toml", OFFER)]).unwrap_err();
    assert!(
        twice[0].starts_with("b.toml:2") && twice[0].contains("a.toml"),
        "{twice:?}"
    );
    let broken = checked(&[("c.toml", "name = \"x\"\nlanguage = 3\n")]).unwrap_err();
    assert!(broken[0].starts_with("c.toml:2"), "{broken:?}");
    let unknown = checked(&[("d.toml", &OFFER.replace("COPY_CODE", "DANCE"))]).unwrap_err();
    assert_eq!(unknown.len(), 1, "{unknown:?}");
}

#[test]
fn a_folder_is_read_with_what_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("offer.toml"), OFFER).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "not a template").unwrap();
    assert_eq!(load(Some(folder.path())).unwrap().len(), 1);
    std::fs::write(folder.path().join("bad.toml"), [0xff, 0xfe]).unwrap();
    let faults = load(Some(folder.path())).unwrap_err();
    assert!(faults[0].message.contains("UTF-8"), "{faults:?}");
    assert!(load(Some(&folder.path().join("none"))).is_err());
}
