//! The command line is a contract: what goes where, and which exit code says what.

use super::shop;
use crate::support::listener::nobody;
use crate::support::program::{Program, run, warm};

const MODELS: &str = "SPORTELLO_MODELS";

#[tokio::test(flavor = "multi_thread")]
async fn every_command_says_by_its_code_what_went_wrong() {
    let data = warm().await;
    let suite = data.path().join("suite.yaml");
    let missed = "name: missed\nthresholds: {language: 1.0}\ncases:\n  \
                  - {kind: language, text: \"Dov'è il mio ordine?\", language: de}\n";
    std::fs::write(&suite, missed).unwrap();
    let suite = suite.to_str().unwrap();
    let taken = data.path().join("taken.db");
    std::fs::write(&taken, "x").unwrap();
    let cases: &[(i32, &[&str])] = &[
        (0, &["--version"]),
        (0, &["--help"]),
        (0, &["check"]),
        (0, &["index"]),
        (0, &["search", "moka"]),
        (0, &["tools", "list"]),
        (
            0,
            &[
                "tools",
                "call",
                "get_product",
                "{\"id\": \"macchina-aria\"}",
            ],
        ),
        (0, &["chat"]),
        (0, &["mcp"]),
        (0, &["understand"]),
        (1, &["eval", "run", suite]),
        (
            1,
            &[
                "tools",
                "call",
                "get_order_status",
                "{\"order_number\": \"10441\"}",
            ],
        ),
        (2, &[]),
        (2, &["dance"]),
        (2, &["search"]),
        (2, &["search", "moka", "--limit", "0"]),
        (2, &["search", "moka", "--limit", "many"]),
        (2, &["search", "moka", "--kind", "rumour"]),
        (2, &["search", "moka", "--language", "italian"]),
        (2, &["search", "--batch", "/nowhere/queries.txt"]),
        (2, &["understand", "/nowhere/lines.txt"]),
        (2, &["understand", "--intents", "/nowhere/intents.jsonl"]),
        (2, &["tools", "call", "dance"]),
        (2, &["tools", "call", "get_product", "not json"]),
        (2, &["tools", "call", "get_product", "{\"idd\": 1}"]),
        (2, &["eval", "run", "/nowhere/suite.yaml"]),
        (2, &["--config", "/nowhere/sportello.toml", "check"]),
        (2, &["serve", "--listen", "nowhere"]),
        (2, &["serve", "--listen", "0.0.0.0:0"]),
        (2, &["backup", taken.to_str().unwrap()]),
    ];
    for (code, arguments) in cases {
        let ended = run(data.path(), arguments, &[], "").await;
        assert_eq!(ended.code, Some(*code), "{arguments:?}: {ended}");
        assert_eq!(
            ended.said.is_empty(),
            *code == 0 && arguments[0] != "chat",
            "{arguments:?}: {ended}"
        );
        if *code > 1 {
            assert!(ended.out.is_empty(), "{arguments:?}: {ended}");
            assert!(!ended.said.contains("panicked"), "{arguments:?}: {ended}");
        }
    }
    let copy = data.path().join("copy.db");
    assert_eq!(
        run(data.path(), &["backup", copy.to_str().unwrap()], &[], "")
            .await
            .code,
        Some(0)
    );
    assert!(std::fs::read(copy).unwrap().starts_with(b"SQLite format 3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_in_knowledge_are_not_faults_in_configuration() {
    let (data, folder) = (warm().await, shop::small());
    let knowledge = [("SPORTELLO_KNOWLEDGE__PATH", folder.path().to_str().unwrap())];
    let fine = run(data.path(), &["check", "--json"], &knowledge, "").await;
    assert_eq!(
        (fine.code, fine.json()["ok"].as_bool()),
        (Some(0), Some(true)),
        "{fine}"
    );

    shop::products(
        folder.path(),
        &[
            shop::ARIA,
            shop::ARIA,
            "molino,grinder,cheap,EUR,-4,,,Molino,,,",
        ],
    );
    let json = run(data.path(), &["check", "--json"], &knowledge, "").await;
    assert_eq!(json.code, Some(1), "{json}");
    let faults = json.json()["faults"].as_array().unwrap().len();
    assert!(faults >= 3, "all at once: {json}");
    let lines = run(data.path(), &["check"], &knowledge, "").await;
    assert_eq!(
        (lines.code, lines.out.lines().count()),
        (Some(1), faults),
        "{lines}"
    );
    assert!(
        lines.out.lines().all(|line| line.contains("catalog.csv:")),
        "{lines}"
    );
    for command in [
        &["index"][..],
        &["search", "x"],
        &["serve", "--listen", "127.0.0.1:0"],
    ] {
        let refused = run(data.path(), command, &knowledge, "").await;
        assert_eq!(refused.code, Some(1), "{command:?}: {refused}");
        assert!(refused.said.contains("catalog.csv:"), "{refused}");
    }
    let both = [knowledge[0], ("SPORTELLO_SHOP__CURRENCY", "EURO")];
    let both = run(data.path(), &["check", "--json"], &both, "").await;
    assert_eq!(both.code, Some(2), "{both}");
    let fault = &both.json()["faults"][0];
    assert_eq!(fault["origin"], "SPORTELLO_SHOP__CURRENCY", "{both}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_starts_nothing() {
    let data = warm().await;
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let faulty: [(&[(&str, &str)], &str); 7] = [
        (&[("SPORTELLO_FOO__BAR", "1")], "SPORTELLO_FOO__BAR"),
        (&[("SPORTELLO_LLM__MODLE", "x")], "SPORTELLO_LLM__MODEL?"),
        (
            &[("SPORTELLO_WHATSAPP__VERIFY_TOKEN", "x")],
            "whatsapp.app_secret",
        ),
        (
            &[("SPORTELLO_WHATSAPP__ACCESS_TOKEN", "x")],
            "whatsapp.app_secret",
        ),
        (
            &[("SPORTELLO_PAYMENTS__PROVIDER", "stripe")],
            "payments.stripe_webhook_secret",
        ),
        (
            &[("SPORTELLO_EMBEDDING__PROVIDER", "openai")],
            "embedding.base_url",
        ),
        (&[("SPORTELLO_LLM__BASE_URL", "http://127.0.0.1:1")], "/v1"),
    ];
    for (variables, named) in faulty {
        let refused = run(data.path(), &serve, variables, "").await;
        assert_eq!(refused.code, Some(2), "{variables:?}: {refused}");
        assert!(refused.said.contains(named), "{variables:?}: {refused}");
    }
    let public = run(data.path(), &["serve", "--listen", "0.0.0.0:0"], &[], "").await;
    assert!(
        public.said.contains("--listen") && public.said.contains("demo_public"),
        "{public}"
    );

    // A name without two underscores is somebody else's, and a public demo is a decision.
    let fine = [("SPORTELLO_FOO", "1"), ("SPORTELLO__DEMO_PUBLIC", "true")];
    let program = Program::serve(data.path(), &fine).await.unwrap();
    assert_eq!(
        reqwest::get(format!("{}/healthz", program.url))
            .await
            .unwrap()
            .status(),
        200
    );
    let port = program.url.rsplit_once(':').unwrap().1;
    let other = tempfile::tempdir().unwrap();
    let taken = format!("127.0.0.1:{port}");
    let taken = run(other.path(), &["serve", "--listen", &taken], &[], "").await;
    assert_eq!(taken.code, Some(3), "{taken}");
    assert!(taken.said.contains("--listen"), "{taken}");
    assert_eq!(program.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_on_the_machine_is_said_with_what_to_do() {
    let data = warm().await;
    let empty = tempfile::tempdir().unwrap();
    let models = [(MODELS, empty.path().to_str().unwrap())];
    for command in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["index"],
        &["search", "moka"],
        &["understand"],
        &["mcp"],
    ] {
        let missing = run(data.path(), command, &models, "moka\n").await;
        assert_eq!(missing.code, Some(3), "{command:?}: {missing}");
        assert!(
            missing.said.contains("make models"),
            "{command:?}: {missing}"
        );
        assert!(
            missing.said.contains(empty.path().to_str().unwrap()),
            "{missing}"
        );
    }
    std::fs::write(empty.path().join("use-multilingual-v3.bin"), "not a model").unwrap();
    let broken = run(data.path(), &["search", "moka"], &models, "").await;
    assert_eq!(broken.code, Some(3), "{broken}");
    assert!(broken.said.contains("make models"), "{broken}");
    for command in [&["check"][..], &["tools", "list"]] {
        assert_eq!(
            run(data.path(), command, &models, "").await.code,
            Some(0),
            "{command:?}"
        );
    }

    let file = empty.path().join("a file");
    std::fs::write(&file, "x").unwrap();
    let folder = run(&file, &["search", "moka"], &[], "").await;
    assert_eq!(folder.code, Some(3), "{folder}");
    assert!(folder.said.contains("--data"), "{folder}");
    let url = format!("http://{}", nobody().await);
    let qdrant = [
        ("SPORTELLO_RETRIEVAL__URL", url.as_str()),
        ("SPORTELLO_RETRIEVAL__TIMEOUT_SECONDS", "1"),
    ];
    let away = run(data.path(), &["index"], &qdrant, "").await;
    assert_eq!(away.code, Some(3), "{away}");
}
