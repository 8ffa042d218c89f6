//! What becomes of other tools' files.

use std::path::Path;

use serde_json::{Value, json};

use super::*;

mod models;

fn source<'a>(name: &'a str, text: &'a str, beside: &'a Beside<'a>) -> Source<'a> {
    Source {
        name: Path::new(name),
        text,
        beside,
    }
}

fn nothing(path: &str) -> Result<String, String> {
    Err(format!("{path} is not there"))
}

type Reader = fn(&Source, &Wishes) -> Result<Imported, ImportFault>;

fn read(reader: Reader, name: &str, text: &str, wishes: &Wishes) -> Imported {
    reader(&source(name, text, &nothing), wishes).unwrap()
}

/// Cases as a suite has them, after they were checked as a suite's.
fn lines(imported: &Imported) -> Vec<Value> {
    let lines: Vec<String> = imported
        .cases
        .iter()
        .map(|case| line(case).unwrap())
        .collect();
    if !lines.is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("suite.jsonl");
        std::fs::write(&file, lines.join("\n")).unwrap();
        let suite = crate::eval::Suite::load(&file).unwrap();
        assert_eq!(suite.cases.len(), lines.len());
    }
    let parsed = lines.iter().map(|line| serde_json::from_str(line).unwrap());
    parsed.collect()
}

fn refused(imported: &Imported) -> Vec<&str> {
    let names = imported.refused.iter().map(|refused| refused.what.as_str());
    names.collect()
}

#[test]
fn promptfoos_assertions_keep_their_meaning() {
    let expect = |assertions: Value| {
        let test = json!([{"vars": {"q": "hi", "who": ["Ada"]}, "assert": assertions}]).to_string();
        let wishes = Wishes {
            variable: Some("q".to_owned()),
            ..Wishes::default()
        };
        let imported = read(promptfoo, "tests.json", &test, &wishes);
        assert!(imported.refused.is_empty(), "{test}");
        lines(&imported)[0]["turns"][0]["expect"].clone()
    };
    for (assertion, expected) in [
        (
            json!({"type": "equals", "value": "a.b"}),
            json!({"matches": [r"\Aa\.b\z"]}),
        ),
        (
            json!({"type": "contains", "value": "€ 5"}),
            json!({"matches": ["€ 5"]}),
        ),
        (
            json!({"type": "not-contains", "value": "X"}),
            json!({"not_matches": ["X"]}),
        ),
        (
            json!({"type": "icontains", "value": "{{who}}"}),
            json!({"contains": ["Ada"]}),
        ),
        (
            json!({"type": "not-icontains", "value": "x"}),
            json!({"not_contains": ["x"]}),
        ),
        (
            json!({"type": "contains-any", "value": "a, \"b, c\""}),
            json!({"matches": ["(?:a|b, c)"]}),
        ),
        (
            json!({"type": "not-contains-any", "value": ["a", 1]}),
            json!({"not_matches": ["(?:a|1)"]}),
        ),
        (
            json!({"type": "contains-all", "value": ["a", "b"]}),
            json!({"matches": ["a", "b"]}),
        ),
        (
            json!({"type": "icontains-any", "value": ["a", "b"]}),
            json!({"contains_any": ["a", "b"]}),
        ),
        (
            json!({"type": "icontains-all", "value": ["a", "b"]}),
            json!({"contains": ["a", "b"]}),
        ),
        (
            json!({"type": "not-icontains-any", "value": ["a", "b"]}),
            json!({"not_contains": ["a", "b"]}),
        ),
        (
            json!({"type": "regex", "value": r"\d+ €"}),
            json!({"matches": [r"\d+ €"]}),
        ),
        (
            json!({"type": "not-regex", "value": "^no"}),
            json!({"not_matches": ["^no"]}),
        ),
        (
            json!({"type": "starts-with", "value": "Ciao"}),
            json!({"matches": [r"\ACiao"]}),
        ),
    ] {
        assert_eq!(expect(json!([assertion])), expected, "{assertion}");
    }
    let twice = json!([
        {"type": "assert-set", "assert": [{"type": "icontains-any", "value": ["a"]}]},
        {"type": "icontains-any", "value": ["b", "c"]},
    ]);
    assert_eq!(
        expect(twice),
        json!({"contains_any": ["a"], "matches": ["(?i)(?:b|c)"]})
    );
}

#[test]
fn promptfoo_refuses_by_name() {
    let text = "\
- vars: {q: hi}
  assert:
    - {type: llm-rubric, value: is nice}
    - {type: latency, threshold: 5}
    - {type: contains, value: ok}
    - {type: contains, value: ok, transform: output.a}
    - {type: regex, value: \"(?=a)b\"}
    - {type: not-contains-all, value: [a, b]}
    - {type: dances}
- vars: {q: hi}
  assert: [{type: python, value: 1 == 1}]
- vars: {q: hi}
  threshold: 0.5
  assert: [{type: contains, value: a}]
- vars: {a: x, b: y}
  assert: [{type: contains, value: a}]
- vars: {q: hi}
";
    let imported = read(promptfoo, "t.yaml", text, &Wishes::default());
    assert_eq!(lines(&imported).len(), 1);
    let names = refused(&imported);
    let expected = [
        "assertion `llm-rubric`",
        "assertion `latency`",
        "assertion `contains` with `transform`",
        "assertion `regex` `(?=a)b`",
        "assertion `not-contains-all`",
        "assertion `dances`",
        "assertion `python`",
        "test",
        "test with `threshold`",
        "test",
        "test",
    ];
    assert_eq!(names, expected);
    assert_eq!(imported.refused[7].place, "t.yaml:10");
    let told = imported.lines().join("\n");
    assert!(
        told.contains("(a, b) is the customer's message? Name it with --var"),
        "{told}"
    );
    assert!(
        told.contains("1 × assertion `llm-rubric`: a model would judge it"),
        "{told}"
    );
}

#[test]
fn promptfoos_message_is_a_variable_or_the_users_prompt() {
    let config = "\
prompts:
  - '[{\"role\": \"system\", \"content\": \"Be kind.\"}, {\"role\": \"user\", \"content\": \"{{who}}: {{what}}\"}]'
defaultTest:
  vars: {who: Ada}
  assert: [{type: not-contains, value: sorry}]
tests:
  - vars: {what: [one, two]}
    metadata: {topic: numbers}
    assert: [{type: icontains, value: '{{what}}'}]
";
    let imported = read(
        promptfoo,
        "promptfooconfig.yaml",
        config,
        &Wishes::default(),
    );
    let said: Vec<Value> = lines(&imported)
        .iter()
        .map(|case| {
            json!([
                case["turns"][0]["say"],
                case["turns"][0]["expect"]["contains"],
                case["tags"]
            ])
        })
        .collect();
    assert_eq!(
        said,
        [
            json!(["Ada: one", ["one"], ["topic=numbers"]]),
            json!(["Ada: two", ["two"], ["topic=numbers"]])
        ]
    );
    assert!(refused(&imported).contains(&"message of the system"));
    let wishes = Wishes {
        variable: Some("what".to_owned()),
        language: Some(Language::EN),
        ..Wishes::default()
    };
    let imported = read(promptfoo, "promptfooconfig.yaml", config, &wishes);
    assert_eq!(lines(&imported)[1]["turns"][0]["say"], "two");
    assert_eq!(lines(&imported)[1]["language"], "en");
}

#[test]
fn promptfoos_conversations_and_files_are_read() {
    let files = |path: &str| match path {
        "tests.csv" => Ok("question,__expected,__expected2,__description\n\
            hi,icontains:hello,,Greets\n\"what, else\",\"contains-any: a,b\",similar(0.8):c,\n"
            .to_owned()),
        other => Err(format!("{other} is not there")),
    };
    let config = "\
tests:
  - file://tests.csv
  - {vars: {q: one}, metadata: {conversationId: 7}, assert: [{type: contains, value: a}]}
  - {vars: {q: two}, metadata: {conversationId: 7}, assert: [{type: contains, value: b}]}
  - make_tests.py
";
    let imported = promptfoo(&source("c.yaml", config, &files), &Wishes::default()).unwrap();
    let cases = lines(&imported);
    assert_eq!(cases[0]["id"], "Greets");
    assert_eq!(cases[1]["id"], "what, else");
    assert_eq!(
        cases[1]["turns"][0]["expect"],
        json!({"matches": ["(?:a|b)"]})
    );
    assert_eq!(cases[2]["turns"][1]["say"], "two");
    assert_eq!(cases.len(), 3);
    assert_eq!(
        refused(&imported),
        ["assertion `similar`", "tests from `make_tests.py`"]
    );
    assert_eq!(imported.refused[0].place, "tests.csv:3");
    let missing = "tests: file://other.csv\n";
    let fault = promptfoo(&source("c.yaml", missing, &files), &Wishes::default()).unwrap_err();
    assert!(
        fault
            .to_string()
            .contains("`other.csv`: other.csv is not there"),
        "{fault}"
    );
    let fault = promptfoo(&source("c.yaml", "tests: [\n", &files), &Wishes::default()).unwrap_err();
    assert!(fault.message.contains("no YAML"), "{fault}");
    let fault = promptfoo(&source("t.jsonl", "{}\n{\n", &files), &Wishes::default()).unwrap_err();
    assert_eq!(fault.line, Some(2));
}

#[test]
fn openais_lines_become_conversations() {
    let text = r#"{"item": {"question": "Where is it?", "ideal": "on its way"}, "sample": {"output_text": "?"}}
{"input": [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes?"}, {"role": "user", "content": [{"type": "input_text", "text": "bye"}]}], "ideal": ["Bye", "See you"]}
{"item": {"text": "no answer"}}
{"item": {"a": "x", "b": "y", "ideal": "z"}}
"#;
    let imported = read(openai, "data.jsonl", text, &Wishes::default());
    let cases = lines(&imported);
    assert_eq!(
        cases[0]["turns"],
        json!([{"say": "Where is it?", "expect": {"contains": ["on its way"]}}])
    );
    assert_eq!(
        cases[1]["turns"],
        json!([{"say": "hi"}, {"say": "bye", "expect": {"contains_any": ["Bye", "See you"]}}])
    );
    assert_eq!(
        refused(&imported),
        [
            "message of the system",
            "message of the assistant",
            "item",
            "item"
        ]
    );
    assert_eq!(imported.refused[2].place, "data.jsonl:3");
}

#[test]
fn openais_graders_are_taken_apart() {
    let check = |operation: &str, reference: &str| {
        json!({"type": "string_check", "name": operation, "input": "{{ sample.output_text }}",
               "operation": operation, "reference": reference})
    };
    let graders = json!({"testing_criteria": [
        check("eq", "{{item.label}}"),
        {"type": "multi", "calculate_output": "a + b", "graders": {
            "a": check("ilike", "Late"), "b": check("ne", "no"), "c": {"type": "python", "source": ""}}},
        check("like", "{{ item.label }}!"),
        {"type": "score_model"}, {"type": "text_similarity"}, {"type": "label_model"},
        {"type": "string_check", "input": "{{item.x}}", "operation": "eq", "reference": "1"},
        check("starts", "x"),
    ]});
    let wishes = Wishes {
        graders: Some(graders),
        ..Wishes::default()
    };
    let text = "{\"item\": {\"question\": \"hm?\", \"label\": \"late.\"}}\n{\"item\": {\"question\": \"hm?\"}}\n";
    let imported = read(openai, "data.jsonl", text, &wishes);
    let cases = lines(&imported);
    assert_eq!(
        cases[0]["turns"][0]["expect"],
        json!({"contains": ["Late"], "matches": [r"\Alate\.\z", r"late\.!"], "not_matches": [r"\Ano\z"]})
    );
    assert_eq!(cases.len(), 1);
    assert_eq!(
        refused(&imported),
        [
            "`calculate_output` of a grader `multi`",
            "grader `python`",
            "grader `score_model`",
            "grader `text_similarity`",
            "grader `label_model`",
            "grader `string_check` of something else than {{sample.output_text}}",
            "grader `string_check` with the operation `starts`",
            "item",
        ]
    );
    let only = Wishes {
        graders: Some(json!([{"type": "python"}])),
        ..Wishes::default()
    };
    let fault = openai(&source("data.jsonl", text, &nothing), &only).unwrap_err();
    assert!(fault.message.contains("grader `python`"), "{fault}");
}

#[test]
fn rasas_examples_become_intents() {
    let text = "version: '3.1'
nlu:
- intent: greet
  examples: |
    - hey [Ada](name:first)
    - hello
- intent: faq/ask_hours
  examples:
    - text: |
        when are you [open]{\"entity\": \"state\"}?
- intent: nlu_fallback
  examples: |
    - what is the meaning of life
- intent: book_flight
  examples: |
    - to [Rome][{\"entity\": \"city\"}]
- synonym: open
  examples: |
    - opened
responses:
  utter_greet: []
";
    let wishes = Wishes {
        intents: BTreeMap::from([("faq".to_owned(), "opening_hours".to_owned())]),
        known: BTreeSet::from(["greet".to_owned(), "opening_hours".to_owned()]),
        ..Wishes::default()
    };
    let imported = read(rasa, "nlu.yml", text, &wishes);
    let found: Vec<String> = lines(&imported)
        .iter()
        .map(|case| {
            format!(
                "{} = {}",
                case["text"].as_str().unwrap(),
                case["intent"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            "hey Ada = greet",
            "hello = greet",
            "when are you open? = opening_hours",
            "what is the meaning of life = out_of_scope"
        ]
    );
    let expected = [
        "part `responses`",
        "entity `name`",
        "entity `state`",
        "example of the intent `book_flight`",
        "synonym `open`",
    ];
    assert_eq!(refused(&imported), expected);
    assert_eq!(imported.refused[3].place, "nlu.yml:14");
}

#[test]
fn rasas_stories_become_conversations() {
    let text = "stories:
- story: asks for a person
  steps:
  - user: |
      [hello](greeting) there
    intent: greet
  - action: utter_greet
  - user: a human please
    intent: want_human
  - slot_was_set: [{a: b}]
  - action: action_handoff
- story: elsewhere
  steps:
  - user: hi
    intent: greet
  - checkpoint: x
- story: nothing to judge
  steps:
  - user: hi
  - action: utter_greet
test_cases:
- test_case: an order
  steps:
  - user: where is my order
    assertions:
    - action_executed: action_order
    - bot_uttered: {text_matches: order \\d+}
    - slot_was_set: [{name: x}]
  - bot: It comes.
";
    let mut wishes = Wishes::default();
    let map =
        "greet: hello\nactions: {action_handoff: handed_off, action_order: get_order_status}\n";
    mapping(&source("map.yaml", map, &nothing), &mut wishes).unwrap();
    let imported = read(rasa, "test_stories.yml", text, &wishes);
    let cases = lines(&imported);
    assert_eq!(
        cases[0]["turns"],
        json!([
            {"say": "hello there", "expect": {"intent": "hello"}},
            {"say": "a human please", "expect": {"intent": "want_human", "outcome": "handed_off"}},
        ])
    );
    assert_eq!(
        cases[1]["turns"][0]["expect"],
        json!({"tools": ["get_order_status"], "matches": [r"order \d+"]})
    );
    assert_eq!(cases.len(), 2);
    let expected = [
        "entity `greeting`",
        "action `utter_greet`",
        "step `slot_was_set`",
        "story `elsewhere`",
        "action `utter_greet`",
        "story `nothing to judge`",
        "assertion `slot_was_set`",
        "text of the bot",
    ];
    assert_eq!(refused(&imported), expected);
    assert!(mapping(&source("map.yaml", "a: [b]", &nothing), &mut wishes).is_err());
    let fault = rasa(&source("domain.yml", "intents: [a]", &nothing), &wishes).unwrap_err();
    assert!(fault.message.contains("nlu.yml"), "{fault}");
}
