//! The knowledge folder: the demo shop as it is, and folders with every kind of fault.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use sportello::domain::{Currency, Language, PassageKind, ProductId};
use sportello::knowledge::{self, Knowledge, KnowledgeSource};
use sportello::ports::IndexPoint;
use tempfile::TempDir;

const CATALOG: &str = "id,category,price_minor,currency,stock,image,attributes,title_en,description_en,title_it\n\
    aria,espresso_machine,14900,EUR,18,cup.svg,colors=Black|red;power_w=1350,Aria,\"Small,\nand red\",Macchina Aria\n";
const ORDERS: &str = "number,name,phone,email,language,placed_on,status,carrier,tracking,expected_on,items,note\n\
    1001,Anna,+393331234567,anna@example.it,it,2026-10-05,shipped,GLS,X1,2026-10-08,aria x2,\n";
const FAQ: &str = "---\nid: faq-returns\nlanguage: en\ntitle: \"May I return it: opened?\"\ntags: [returns]\nupdated: 2026-10-12\n---\n\nYes, within 30 days.\n";
const INTENT: &str = "name: buy\ndescription: Wants to buy\nexamples:\n  en:\n    - I take it\n    - buy\n    - \"yes: that one\"\n  it:\n    - lo prendo\n    - compro\n";
const OUT_OF_SCOPE: &str = "name: out_of_scope\ndescription: Anything else\nexamples:\n  en: [tell me a joke, hello mum, 123, yes, bitcoin]\n";

/// A small folder in which everything is right.
fn shop() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("catalog.csv", CATALOG),
        ("demo/orders.csv", ORDERS),
        ("faq/en/returns.md", FAQ),
        (
            "policies/en/shipping.md",
            "---\nid: policy-shipping\nlanguage: en\ntitle: Shipping\ntags: []\nupdated: 2026-10-12\n---\n## How\n\nFast.\n",
        ),
        ("intents/buy.yaml", INTENT),
        ("intents/out_of_scope.yaml", OUT_OF_SCOPE),
        ("images/cup.svg", "<svg/>"),
    ];
    for (path, content) in files {
        write(&folder, path, content);
    }
    folder
}

fn write(folder: &TempDir, path: &str, content: impl AsRef<[u8]>) {
    let path = folder.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn load(folder: &Path) -> Result<Knowledge, Vec<String>> {
    knowledge::load(&KnowledgeSource::Folder(folder.to_owned()), Currency::EUR)
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

fn demo() -> Knowledge {
    match knowledge::load(&KnowledgeSource::Embedded, Currency::EUR) {
        Ok(knowledge) => knowledge,
        Err(faults) => panic!(
            "{}",
            faults
                .iter()
                .map(|fault| format!("{fault}\n"))
                .collect::<String>()
        ),
    }
}

#[test]
fn the_demo_shop_is_complete() {
    let knowledge = demo();
    assert!(knowledge.warnings.is_empty(), "{:#?}", knowledge.warnings);
    assert!(knowledge.products.len() >= 60);
    for kind in [PassageKind::Faq, PassageKind::Policy] {
        let least = if kind == PassageKind::Faq { 25 } else { 6 };
        for language in [
            Language::EN,
            Language::IT,
            Language::ES,
            Language::PT,
            Language::DE,
        ] {
            let there = |document: &&knowledge::Document| {
                document.kind == kind && document.language == language
            };
            assert!(
                knowledge.documents.iter().filter(there).count() >= least,
                "{kind:?} {language}"
            );
        }
    }
    assert!(knowledge.intents.len() >= 15);
    assert!(
        knowledge
            .intents
            .iter()
            .any(|intent| intent.name == knowledge::OUT_OF_SCOPE)
    );
    assert!(!knowledge.orders.is_empty());
    for product in knowledge.products.iter() {
        assert_eq!(knowledge.product(&product.id), Some(product));
        let file = product.image.strip_prefix("/images/").unwrap();
        let (bytes, media) = knowledge.image(file).unwrap();
        assert!(!bytes.is_empty() && media.starts_with("image/"));
    }
    for document in &knowledge.documents {
        assert_eq!(
            knowledge.document(&document.id, document.language),
            Some(document)
        );
    }
    assert_eq!(knowledge.product(&ProductId::from("nothing")), None);
    for file in ["../catalog.csv", "nothing.svg", "", "../../Cargo.toml"] {
        assert!(knowledge.image(file).is_none());
    }
}

#[test]
fn the_folder_and_the_program_hold_the_same_shop() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("knowledge");
    assert_eq!(load(&folder).unwrap().fingerprint, demo().fingerprint);
}

#[test]
fn the_demo_shops_chunks_keep_to_the_limit() {
    let points = knowledge::chunks(&demo(), 220);
    let ids: HashSet<&str> = points
        .iter()
        .map(|point| point.passage.id.as_str())
        .collect();
    assert_eq!(ids.len(), points.len());
    for point in &points {
        assert!(
            !point.passage.text.trim().is_empty(),
            "{}",
            point.passage.id
        );
        assert!(
            point.words.contains(&point.passage.title) && point.words.contains(&point.passage.text)
        );
        if point.passage.kind != PassageKind::Product {
            assert!(tokens(&point.passage.text) <= 220, "{}", point.passage.id);
        }
    }
}

fn tokens(text: &str) -> usize {
    tiktoken_rs::o200k_base_singleton()
        .encode_ordinary(text)
        .len()
}

/// The chunks of one document or product, as far as they are decided here.
fn shown(points: &[IndexPoint], document: &str, language: Language) -> Vec<serde_json::Value> {
    let belongs = |point: &&IndexPoint| {
        point.passage.document == document && point.passage.language == language
    };
    let shown = points.iter().filter(belongs).map(|point| {
        serde_json::json!({
            "passage": point.passage,
            "words": point.words,
            "embedding": knowledge::embedding_text(point),
            "price": point.price,
            "in_stock": point.in_stock,
            "category": point.category,
        })
    });
    shown.collect()
}

#[test]
fn chunks_of_the_demo_shop_look_right() {
    let points = knowledge::chunks(&demo(), 220);
    insta::assert_yaml_snapshot!("faq", shown(&points, "faq-descaling", Language::EN));
    insta::assert_yaml_snapshot!("policy", shown(&points, "policy-returns", Language::IT));
    insta::assert_yaml_snapshot!("product", shown(&points, "macchina-aria", Language::DE));
}

#[test]
fn a_small_folder_is_read_as_written() {
    let folder = shop();
    let knowledge = load(folder.path()).unwrap();
    assert_eq!(knowledge.warnings, []);
    let product = knowledge.product(&ProductId::from("aria")).unwrap();
    assert_eq!(product.image, "/images/cup.svg");
    assert_eq!(product.attribute("colors"), ["black", "red"]);
    assert_eq!(product.description(Language::IT), "Small,\nand red");
    assert_eq!(knowledge.documents[0].title, "May I return it: opened?");
    assert_eq!(knowledge.documents[0].body, "Yes, within 30 days.");
    assert_eq!(
        knowledge.intents[0].examples[&Language::EN],
        ["I take it", "buy", "yes: that one"]
    );
    assert_eq!(knowledge.orders[0].items[0].quantity, 2);
    let (bytes, media) = knowledge.image("cup.svg").unwrap();
    assert_eq!(
        (bytes.as_ref(), media),
        (b"<svg/>".as_slice(), "image/svg+xml")
    );
    let before = knowledge.fingerprint;
    write(&folder, "faq/en/returns.md", FAQ.replace("30", "14"));
    assert_ne!(load(folder.path()).unwrap().fingerprint, before);
}

#[test]
fn files_from_a_spreadsheet_are_read() {
    let folder = shop();
    let catalog = format!("\u{feff}{}\n,,,,,,,,,\n", CATALOG.replace('\n', "\r\n"));
    write(&folder, "catalog.csv", catalog);
    write(&folder, "faq/en/returns.md", FAQ.replace('\n', "\r\n"));
    let knowledge = load(folder.path()).unwrap();
    assert_eq!(knowledge.products.len(), 1);
    write(
        &folder,
        "catalog.csv",
        CATALOG.replace(',', ";").replace('"', ""),
    );
    let faults = load(folder.path()).unwrap_err();
    assert!(
        faults[0].starts_with("catalog.csv:1: the columns are not separated by commas"),
        "{faults:#?}"
    );
}

#[test]
fn a_shop_without_intents_gets_those_of_the_demo() {
    let folder = shop();
    fs::remove_dir_all(folder.path().join("intents")).unwrap();
    fs::remove_file(folder.path().join("demo/orders.csv")).unwrap();
    let knowledge = load(folder.path()).unwrap();
    assert_eq!(knowledge.intents, demo().intents);
    assert_eq!(knowledge.warnings.len(), 1);
    assert!(knowledge.orders.is_empty());
}

#[test]
fn all_faults_come_at_once_with_their_lines() {
    let folder = shop();
    let rows = "\n\
        aria,Espresso,14900,EUR,1,,,Twice,,\n\
        b c,grinder,-1,USD,many,none.svg,colors=;x=1;x=2,\"two\nlines\",,\n\
        c,grinder,1.50,EUR,1,\n\
        \"d\",,100,EUR,3,,,,\"a text\nwithout title\",\n\
        e,grinder,100,EUR,3,/etc/passwd,,E,,\n";
    write(
        &folder,
        "catalog.csv",
        CATALOG.replacen("title_it", "titel_it", 1) + rows,
    );
    let orders = "1001,,123,anna@,xx,2026-13-01,lost,,,soon,aria x0;arya x1;aria,\n\
        1002,Bo,,,it,2026-10-05,paid,,,2026-10-01,aria x1,\n";
    write(&folder, "demo/orders.csv", format!("{ORDERS}{orders}"));
    write(&folder, "faq/en/plain.md", "no front matter\n");
    write(
        &folder,
        "faq/en/keys.md",
        "---\nid: faq-other\nlanguage: it\nupdated: yesterday\n---\n\n",
    );
    write(
        &folder,
        "faq/en/yaml.md",
        "---\nid: faq-yaml\ntitle: [unclosed\n---\ntext\n",
    );
    write(
        &folder,
        "faq/en/typo.md",
        "---\nid: faq-typo\nlanguage: en\ntitel: x\n---\ntext\n",
    );
    write(
        &folder,
        "faq/it/returns.md",
        b"---\nid: faq-returns\nlanguage: it\ntitle: caff\xe8\n---\n",
    );
    write(&folder, "faq/english/returns.md", FAQ);
    write(&folder, "policies/notes.txt", "x");
    write(
        &folder,
        "intents/few.yaml",
        "name: fewer\nexamples:\n  en:\n    - one\n  xx:\n    - two\n    - three\n",
    );
    write(
        &folder,
        "intents/copy.yaml",
        "name: copy\ndescription: x\nexamples:\n  en: [a, b, A, c]\n  it:\n    - d\n    - Lo  PRENDO\n",
    );
    write(
        &folder,
        "intents/broken.yaml",
        "name: broken\nexamples:\n  en:\n   - a\n  - b\n",
    );
    write(&folder, "images/large.png", vec![0; 5 * 1024 * 1024 + 1]);
    let faults = load(folder.path()).unwrap_err();
    insta::assert_snapshot!(faults.join("\n"));
}

#[test]
fn what_is_odd_is_a_warning() {
    let folder = shop();
    write(
        &folder,
        "faq/it/other.md",
        FAQ.replace("returns\n", "other\n")
            .replace("language: en", "language: it"),
    );
    write(&folder, "faq/readme.txt", "x");
    fs::remove_file(folder.path().join("intents/out_of_scope.yaml")).unwrap();
    let warnings: Vec<String> = load(folder.path())
        .unwrap()
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect();
    insta::assert_snapshot!(warnings.join("\n"));
}

#[test]
fn a_folder_that_is_not_there_or_empty_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let faults = load(&folder.path().join("nowhere")).unwrap_err();
    assert!(
        faults.len() == 1 && faults[0].contains("nowhere:1: there is no such folder"),
        "{faults:?}"
    );
    let faults = load(folder.path()).unwrap_err();
    assert!(
        faults.len() == 1 && faults[0].starts_with("catalog.csv:1: the catalog is missing"),
        "{faults:?}"
    );
}

/// The letters and digits, for comparing texts whose white space and markup may differ.
fn letters(text: &str) -> String {
    text.chars()
        .filter(|letter| letter.is_alphanumeric())
        .collect()
}

fn documents(body: &str) -> TempDir {
    let folder = shop();
    write(
        &folder,
        "faq/en/returns.md",
        format!("{}\n{body}\n", FAQ.replace("Yes, within 30 days.\n", "")),
    );
    let policy = FAQ
        .replace("Yes, within 30 days.\n", "")
        .replace("faq-returns", "policy-shipping");
    write(
        &folder,
        "policies/en/shipping.md",
        format!("{policy}\n{body}\n"),
    );
    folder
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_text_is_lost_and_chunks_keep_to_the_limit(
        body in "([a-zàèß€,.!? 0-9]{1,60}\n|\n|#{1,3} [a-zA-Z ]{1,20}\n|- [a-z ]{1,60}\n){1,20}end",
        limit in 8usize..60,
    ) {
        let folder = documents(&body);
        let knowledge = load(folder.path()).unwrap();
        let points = knowledge::chunks(&knowledge, limit);
        for document in &knowledge.documents {
            let (mut headings, mut texts) = (String::new(), String::new());
            for point in points.iter().filter(|point| point.passage.document == document.id) {
                prop_assert!(tokens(&point.passage.text) <= limit);
                headings.push_str(&letters(&point.passage.headings.join(" ")));
                texts.push_str(&letters(&point.passage.text));
            }
            for word in body.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
                // A list's numbers are drawn anew, everything else must be there.
                let number = word.bytes().all(|byte| byte.is_ascii_digit());
                prop_assert!(number || texts.contains(word) || headings.contains(word), "{word} in {texts}");
            }
        }
    }

    #[test]
    fn paragraphs_are_cut_without_losing_a_letter(body in "([A-Za-zàèß]{1,30}[,.]? ){1,120}", limit in 1usize..40) {
        let folder = documents(&body);
        let knowledge = load(folder.path()).unwrap();
        let points = knowledge::chunks(&knowledge, limit);
        for document in &knowledge.documents {
            let pieces = points.iter().filter(|point| point.passage.document == document.id);
            let text: String = pieces.map(|point| letters(&point.passage.text)).collect();
            prop_assert_eq!(text, letters(&body));
        }
    }

    #[test]
    fn no_bytes_make_the_loader_panic(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "[-a-z,\"\n:#\\[\\]{}&*!|> ']{0,200}".prop_map(String::into_bytes),
        ],
        place in 0usize..6,
        keep in any::<bool>(),
    ) {
        let paths = [
            "catalog.csv", "demo/orders.csv", "faq/en/returns.md", "policies/en/shipping.md", "intents/buy.yaml", "images/cup.svg",
        ];
        let folder = shop();
        let path = paths[place];
        let mut content = if keep { fs::read(folder.path().join(path)).unwrap() } else { Vec::new() };
        content.extend(bytes);
        write(&folder, path, content);
        if let Ok(knowledge) = load(folder.path()) {
            let _ = knowledge::chunks(&knowledge, 40);
        }
    }
}
