//! The configuration as an engineer meets it: files, variables, flags and faults.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use secrecy::ExposeSecret;
use serde_json::Value;
use sportello::config::{self, Config, Flag, PaymentProvider, ToolMode};

const DEFAULT_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sportello.toml");

/// The keys whose default is that they are not set.
const WITHOUT_DEFAULT: [&str; 32] = [
    "server.public_url",
    "server.api_token",
    "agent.disclosure",
    "agent.texts",
    "whatsapp.catalog_id",
    "whatsapp.templates",
    "whatsapp.code_template",
    "knowledge.path",
    "llm.base_url",
    "llm.api_key",
    "embedding.base_url",
    "embedding.api_key",
    "retrieval.url",
    "retrieval.api_key",
    "retrieval.reranker.url",
    "retrieval.reranker.api_key",
    "retrieval.reranker.model",
    "whatsapp.app_secret",
    "whatsapp.verify_token",
    "whatsapp.access_token",
    "whatsapp.phone_number_id",
    "whatsapp.waba_id",
    "whatsapp.numbers",
    "whatsapp.people_per_day",
    "whatsapp.budget.conversation",
    "whatsapp.budget.day",
    "transcription.base_url",
    "transcription.api_key",
    "payments.provider",
    "payments.stripe_secret_key",
    "payments.stripe_webhook_secret",
    "desk.password",
];

fn load(toml: &str, variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sportello.toml");
    fs::write(&path, toml).unwrap();
    let prefix = format!("{}/", folder.path().display());
    config::load(Some(&path), pairs(variables), &[]).map_err(|faults| {
        faults
            .iter()
            .map(|fault| fault.to_string().replace(&prefix, ""))
            .collect()
    })
}

fn pairs(variables: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    let pairs: Vec<_> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    pairs.into_iter()
}

fn without_file(variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    config::load(None, pairs(variables), &[])
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

/// The keys of the commented default file: dotted key, the line that sets it, whether it is an example.
fn documented() -> Vec<(String, String, bool)> {
    let text = fs::read_to_string(DEFAULT_FILE).unwrap();
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in text.lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            section = format!("{name}.");
        }
        let Some((key, _)) = line
            .strip_prefix("# ")
            .and_then(|line| line.split_once(" = "))
        else {
            continue;
        };
        if key
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter == '_')
        {
            keys.push((
                format!("{section}{key}"),
                line[2..].to_owned(),
                line.ends_with("# example"),
            ));
        }
    }
    keys
}

/// The dotted keys of a table, those of tables in it included.
fn keys_of(schema: &Value, table: &Value, prefix: &str, keys: &mut Vec<String>) {
    for (name, value) in table["properties"].as_object().unwrap() {
        let key = format!("{prefix}{name}");
        let inner = value["$ref"]
            .as_str()
            .map(|reference| schema.pointer(&reference[1..]).unwrap());
        match inner.filter(|inner| inner["properties"].is_object()) {
            Some(inner) => keys_of(schema, inner, &format!("{key}."), keys),
            None => keys.push(key),
        }
    }
}

fn as_file(key: &str, line: &str) -> String {
    match key.rsplit_once('.') {
        Some((section, _)) => format!("[{section}]\n{line}\n"),
        None => format!("{line}\n"),
    }
}

#[test]
fn the_default_file_changes_nothing() {
    let config = config::load(Some(Path::new(DEFAULT_FILE)), pairs(&[]), &[]).unwrap();
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
}

#[test]
fn the_default_file_documents_every_key_once_with_its_default() {
    let schema = schemars::schema_for!(Config).to_value();
    let mut expected = Vec::new();
    keys_of(&schema, &schema, "", &mut expected);
    let documented = documented();
    let mut found: Vec<String> = documented.iter().map(|(key, ..)| key.clone()).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    let default = format!("{:?}", Config::default());
    for (key, line, example) in documented {
        let unset = WITHOUT_DEFAULT.contains(&key.as_str());
        assert_eq!(
            example, unset,
            "{key}: only keys without a default are examples"
        );
        if !example {
            let config = load(
                &as_file(&key, &line),
                &[("SPORTELLO_WHATSAPP__APP_SECRET", "x")],
            )
            .unwrap();
            let config = Config {
                whatsapp: config::Whatsapp {
                    app_secret: Vec::new(),
                    ..config.whatsapp
                },
                ..config
            };
            assert_eq!(format!("{config:?}"), default, "{key}");
        }
    }
}

#[test]
fn everything_in_the_default_file_can_be_switched_on() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["knowledge", "templates", "texts"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let mut text = fs::read_to_string(DEFAULT_FILE).unwrap();
    for (_, line, _) in documented() {
        text = text.replacen(&format!("# {line}\n"), &format!("{line}\n"), 1);
    }
    let path = folder.path().join("sportello.toml");
    fs::write(&path, text).unwrap();
    let config = config::load(Some(&path), pairs(&[]), &[]).unwrap();
    assert_eq!(config.knowledge.path, Some(folder.path().join("knowledge")));
    assert_eq!(config.agent.texts, Some(folder.path().join("texts")));
    assert_eq!(config.payments.provider, Some(PaymentProvider::Stripe));
    assert_eq!(config.whatsapp.numbers.len(), 1);
}

#[test]
fn it_is_a_demo_only_without_a_file() {
    assert!(without_file(&[]).unwrap().demo);
    assert!(!without_file(&[("SPORTELLO__DEMO", "false")]).unwrap().demo);
    assert!(!load("", &[]).unwrap().demo);
    assert!(load("demo = true", &[]).unwrap().demo);
}

#[test]
fn the_environment_wins_over_the_file_and_flags_over_both() {
    let toml = "[llm]\nmodel = \"from-file\"\ntries = 2\n[server]\nlisten = \"127.0.0.1:1\"\n\
        [retrieval.reranker]\nurl = \"http://localhost:1/rerank/\"\ncandidates = 5\n";
    let variables = [
        ("SPORTELLO_LLM__MODEL", "123"),
        ("SPORTELLO_LLM__TOOL_MODE", "json_schema"),
        ("SPORTELLO_LLM__TEMPERATURE", "1"),
        ("SPORTELLO_LLM__BASE_URL", "http://localhost:1/v1/"),
        ("SPORTELLO_AGENT__DEBOUNCE_SECONDS", "0.5"),
        ("SPORTELLO_SHOP__LANGUAGES", "it, en"),
        ("SPORTELLO_WHATSAPP__APP_SECRET", "one,two"),
        (
            "SPORTELLO_WHATSAPP__NUMBERS",
            r#"[{"phone_number_id":"7"}]"#,
        ),
        ("SPORTELLO_SERVER__LISTEN", "127.0.0.1:2"),
        ("SPORTELLO_RETRIEVAL__RERANKER__CANDIDATES", "30"),
        ("SPORTELLO_RETRIEVAL__RERANKER__API_KEY", "123"),
        ("SPORTELLO_DESK__HOURS", ""),
        ("SPORTELLO_MODELS", "/models"),
        ("SPORTELLO_LOG", "debug"),
        ("OTHER_LLM__MODEL", "x"),
    ];
    let config = load(toml, &variables).unwrap();
    assert_eq!(config.llm.model, "123");
    let reranker = &config.retrieval.reranker;
    assert_eq!(
        (reranker.candidates, reranker.url.as_deref()),
        (30, Some("http://localhost:1/rerank"))
    );
    assert_eq!(reranker.api_key.as_ref().unwrap().expose_secret(), "123");
    assert_eq!(config.llm.tries, 2);
    assert_eq!(config.llm.tool_mode, ToolMode::JsonSchema);
    assert_eq!(
        config.llm.base_url.as_deref(),
        Some("http://localhost:1/v1")
    );
    assert_eq!(
        config
            .shop
            .languages
            .iter()
            .map(|language| language.code())
            .collect::<Vec<_>>(),
        ["it", "en"]
    );
    let secrets: Vec<_> = config
        .whatsapp
        .app_secret
        .iter()
        .map(|secret| secret.expose_secret())
        .collect();
    assert_eq!(secrets, ["one", "two"]);
    assert_eq!(config.whatsapp.numbers[0].phone_number_id, "7");
    assert_eq!(config.server.listen, "127.0.0.1:2");

    let flag = Flag {
        name: "--listen",
        key: "server.listen",
        value: "0.0.0.0:80",
    };
    let faults = config::load(None, pairs(&variables), &[flag]).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].origin, "--listen");
}

#[test]
fn all_faults_come_at_once_with_their_places() {
    let toml = r#"
[llm]
modle = "x"
tool_mode = "fast"
tries = "three"
timeout_seconds = 0
context_tokens = 1.5
base_url = "http://127.0.0.1:11434"
api_key = 42

[sever]
listen = "x"

[server]
listen = ":8080"
public_url = "ftp://shop.example"

[shop]
languages = [
  "en",
  "italian",
  3,
]
currency = "EURO"
timezone = "Europe/Roma"

[whatsapp]
access_token = "t0ps3cret"
numbers = [{ phone = "1" }]

[embedding]
provider = "openai"

[payments]
provider = "stripe"

[agent]
upset_below = 0.5

[desk]
hours = "Mo-Fr 9"
password = ""
port = 1
"#;
    let faults = load(
        toml,
        &[
            ("SPORTELLO_LLM__TEMPRATURE", "0.1"),
            ("SPORTELLO_LIMITS__TOOLS_PER_MINUTE", "many"),
        ],
    );
    insta::assert_snapshot!(faults.unwrap_err().join("\n"));
}

#[test]
fn what_is_not_toml_is_said_line_by_line_without_quoting_it() {
    let toml = "[llm]\napi_key = t0ps3cret\n\n[whatsapp]\naccess_token = \"x\"\napp_secret \"t0ps3cret\"\n[desk]\nhours = 3x\n";
    let faults = load(toml, &[]).unwrap_err();
    let text = faults.join("\n");
    assert!(!text.contains("t0ps3cret"), "{text}");
    for line in ["sportello.toml:2: ", "sportello.toml:6: "] {
        assert!(faults.iter().any(|fault| fault.starts_with(line)), "{text}");
    }
    assert!(
        !text.contains("is set without"),
        "no fault that only follows from the broken file: {text}"
    );
}

#[test]
fn secrets_appear_nowhere() {
    let places = [
        ("SPORTELLO_LLM__API_KEY", "t0ps3cret"),
        ("SPORTELLO_WHATSAPP__APP_SECRET", "t0ps3cret"),
        (
            "SPORTELLO_WHATSAPP__NUMBERS",
            r#"[{"phone_number_id":"7","access_token":"t0ps3cret"}]"#,
        ),
        ("SPORTELLO_DESK__PASSWORD", "t0ps3cret"),
        ("SPORTELLO_PAYMENTS__STRIPE_SECRET_KEY", "t0ps3cret"),
    ];
    let config = without_file(&places).unwrap();
    assert!(!format!("{config:?}").contains("t0ps3cret"));
    let wrong = [
        ("SPORTELLO_LLM__BASE_URL", "https://user:t0ps3cret@host/v1"),
        ("SPORTELLO_RETRIEVAL__URL", "t0ps3cret"),
        (
            "SPORTELLO_WHATSAPP__NUMBERS",
            r#"[{"phone_number_id":7,"access_token":["t0ps3cret"]}]"#,
        ),
        ("SPORTELLO_WHATSAPP__APP_SECRET", r#"[["t0ps3cret"]]"#),
        ("SPORTELLO_DESK__PASSWORT", "t0ps3cret"),
    ];
    let faults = without_file(&wrong).unwrap_err();
    for (variable, _) in wrong {
        let named = |fault: &String| fault.starts_with(variable);
        assert!(faults.iter().any(named), "{variable}: {faults:#?}");
    }
    assert!(!faults.join("\n").contains("t0ps3cret"), "{faults:#?}");
}

#[test]
fn what_belongs_together_is_checked_together() {
    let ok = [
        "demo = true\ndemo_public = true\n[server]\nlisten = \"0.0.0.0:80\"",
        "[server]\nlisten = \"[::]:0\"",
        "demo = true\n[server]\nlisten = \"localhost:80\"",
        "[whatsapp]\napp_secret = [\"a\", \"b\"]\naccess_token = \"c\"",
        "[payments]\nprovider = \"demo\"",
        "whatsapp.app_secret = \"a\"",
    ];
    for toml in ok {
        assert!(
            load(toml, &[]).is_ok(),
            "{toml}: {:?}",
            load(toml, &[]).err()
        );
    }
    let wrong = [
        (
            "demo = true\n[server]\nlisten = \"0.0.0.0:80\"",
            "sportello.toml:3: a demo may listen",
        ),
        (
            "[whatsapp]\nverify_token = \"a\"",
            "sportello.toml:2: `whatsapp.verify_token` is set without",
        ),
        (
            "[whatsapp]\napp_secret = []\nwaba_id = \"a\"",
            "sportello.toml:3: `whatsapp.waba_id` is set without",
        ),
        (
            "[payments]\nprovider = \"stripe\"\nstripe_secret_key = \"a\"",
            "sportello.toml:2: `payments.provider` is",
        ),
        (
            "[llm]\ntries = 99999999999",
            "sportello.toml:2: `llm.tries` cannot be used",
        ),
        (
            "[llm]\ntemperature = nan",
            "sportello.toml:2: the number must be finite",
        ),
        (
            "[knowledge]\npath = \"nowhere\"",
            "sportello.toml:2: `knowledge.path`: there is no folder",
        ),
        (
            "[agent]\ndeadline_seconds = 600",
            "sportello.toml:2: `agent.deadline_seconds` must lie between 1 and 540",
        ),
        (
            "[agent]\ntexts = \"nowhere\"",
            "sportello.toml:2: `agent.texts`: there is no folder",
        ),
        (
            "listen = \"x\"",
            "sportello.toml:1: unknown key `listen`; did you mean `server.listen`?",
        ),
        ("llm = 3", "sportello.toml:1: `llm` must be a table of keys"),
    ];
    for (toml, expected) in wrong {
        let faults = load(toml, &[]).unwrap_err();
        assert!(
            faults.len() == 1 && faults[0].starts_with(expected),
            "{toml}: {faults:#?}"
        );
    }
    let warned = load("[payments]\nprovider = \"demo\"", &[]).unwrap();
    assert_eq!(config::warnings(&warned).len(), 1);
    assert!(config::warnings(&Config::default()).is_empty());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let faults =
        config::load(Some(&PathBuf::from("/nowhere/s.toml")), pairs(&[]), &[]).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].origin, "/nowhere/s.toml");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_file_and_no_variable_makes_it_panic(
        text in "(\\[?\\[?(llm|shop|whatsapp)\\]?\\]?\n|[a-z_.]{1,12} = [^\n]{0,12}\n|.{0,20}\n){0,6}",
        name in "SPORTELLO_(LLM|SHOP|WHATSAPP)?__?(MODEL|NUMBERS|LANGUAGES|DEMO|X/~Y)?",
        value in ".{0,20}",
    ) {
        let _ = load(&text, &[(&name, &value)]);
    }
}

#[test]
fn faults_of_a_table_in_a_section_have_their_places() {
    let toml = "[retrieval.reranker]\nurl = \"rerank\"\napi_key = \" \"\n";
    let variables = [
        ("SPORTELLO_RETRIEVAL__RERANKER__TIMEOUT", "1"),
        ("SPORTELLO_RETRIEVAL__RERANKER__CANDIDATES", "0"),
    ];
    assert_eq!(
        load(toml, &variables).unwrap_err(),
        [
            "SPORTELLO_RETRIEVAL__RERANKER__CANDIDATES: `retrieval.reranker.candidates` must be a whole number of at least 1",
            "SPORTELLO_RETRIEVAL__RERANKER__TIMEOUT: unknown key `retrieval.reranker.timeout`; use one of url, model, api_key, timeout_seconds, candidates",
        ]
    );
    assert_eq!(
        load(toml, &[]).unwrap_err(),
        [
            "sportello.toml:2: `retrieval.reranker.url` is not a web address; write for example \"https://shop.example\"",
            "sportello.toml:3: `retrieval.reranker.api_key` is empty; fill it in or remove it",
        ]
    );
    let whole = [(
        "SPORTELLO_RETRIEVAL__RERANKER",
        r#"{"url":"http://h/rerank"}"#,
    )];
    let config = load("", &whole).unwrap();
    assert_eq!(
        config.retrieval.reranker.url.as_deref(),
        Some("http://h/rerank")
    );
}
