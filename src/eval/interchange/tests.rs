//! What becomes of other tools' files.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

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

#[test]
fn bfcls_answers_become_matchers() {
    let questions = r#"{"id": "simple_0", "question": [[{"role": "user", "content": "Area?"}]], "function": [{"name": "math.area", "description": "d", "parameters": {"type": "dict", "properties": {"a": {"type": "float"}, "shape": {"type": "tuple", "items": {"type": "any"}, "optional": true}}, "required": ["a"]}}]}
{"id": "irrelevance_0", "question": [[{"role": "user", "content": "?"}]], "function": [{"name": "f", "parameters": {"type": "dict"}}]}
{"id": "simple_1", "question": [[{"role": "user", "content": "?"}]], "function": [{"name": "f", "parameters": {}}]}
{"id": "multi_turn_0", "question": [[{"role": "user", "content": "?"}], []], "function": []}
"#;
    let answers = r#"{"id": "simple_0", "ground_truth": [{"math.area": {"a": [5], "unit": ["San Diego, CA", ""], "b": [{"range": [1], "c": ["x", "y"]}], "d": [{"range": [[2]]}], "e": [""]}}]}
{"id": "lonely", "ground_truth": []}
"#;
    let sources = [
        source("q.jsonl", questions, &nothing),
        source("a.jsonl", answers, &nothing),
    ];
    let imported = bfcl(&sources, &Wishes::default()).unwrap();
    let cases = lines(&imported);
    assert_eq!(
        cases[0]["functions"][0],
        json!({"name": "math_area", "description": "d", "parameters": {"type": "object", "properties":
            {"a": {"type": "number"}, "shape": {"type": "array", "items": {}}}, "required": ["a"]}})
    );
    let Case::ToolCall(case) = &imported.cases[0] else {
        panic!("no tool call");
    };
    let fits = |arguments: Value| case.tools[0].matches("math_area", &arguments);
    let all = |change: fn(&mut Value)| {
        let mut all = json!({"a": 5.0, "b": {"range": 1, "c": "Y"}, "d": {"range": [2]}});
        change(&mut all);
        all
    };
    assert!(fits(all(|_| {})));
    assert!(fits(all(|all| all["unit"] = json!("san diego CA"))));
    assert!(fits(all(|all| all["unit"] = json!(""))));
    assert!(fits(all(|all| all["e"] = json!(""))));
    assert!(!fits(all(|all| all["unit"] = json!("Boston"))));
    assert!(!fits(all(|all| all["b"]["c"] = json!("z"))));
    assert!(!fits(all(|all| all["d"] = json!({"range": [3]}))));
    assert!(!fits(all(|all| all["a"] = json!("5"))));
    assert_eq!(cases[1]["tools"], json!([]));
    assert_eq!(
        refused(&imported),
        ["question", "question", "answer without a question"]
    );
    assert_eq!(imported.refused[0].place, "q.jsonl:3");
}

#[test]
fn taus_tasks_become_customers() {
    let tasks = json!([
        {"id": "0", "user_scenario": {"persona": null, "instructions": {"known_info": "You are Ada.", "reason_for_call": "Swap it."}},
         "evaluation_criteria": {"actions": [
            {"name": "get_order", "arguments": {"id": "#1"}},
            {"name": "swap", "arguments": {"id": "#1", "note": "x"}, "compare_args": ["id"]},
            {"name": "transfer_to_human_agents", "arguments": {"summary": "s"}},
            {"name": "pay", "requestor": "user", "arguments": {}}],
            "communicate_info": ["54.04"], "nl_assertions": ["is kind"], "reward_basis": ["DB"]}},
        {"instruction": "You are Bo.", "actions": [], "outputs": ["3"]},
        {"id": "2"},
    ])
    .to_string();
    let imported = read(tau, "tasks.json", &tasks, &Wishes::default());
    let cases = lines(&imported);
    assert_eq!(
        cases[0]["persona"],
        "You are Ada.\n\nWhy you write: Swap it."
    );
    assert_eq!(
        cases[0]["expect"],
        json!({"outcome": "handed_off", "contains": ["54.04"]})
    );
    assert_eq!(cases[1]["expect"], json!({"contains": ["3"]}));
    assert_eq!(
        refused(&imported),
        [
            "call `get_order`",
            "call `swap`",
            "call of the customer `pay`",
            "assertion in words",
            "final state of the database",
            "final state of the database",
            "task"
        ]
    );
    let wishes = Wishes {
        tools: true,
        ..Wishes::default()
    };
    let imported = read(tau, "tasks.json", &tasks, &wishes);
    assert_eq!(
        lines(&imported)[0]["expect"]["calls"],
        json!([{"name": "swap", "arguments": {"id": {"equal": "#1"}, "note": {"ignore": true}}}])
    );
}

#[test]
fn a_run_is_sorted_as_trec_eval_sorts_it() {
    let qrels = TrecQrels::read("q 0 a 1\nq 0 b 0\nq 0 c 2\nr 0 a 1\n").unwrap();
    let run = "q Q0 a 1 0.5 t\nq Q0 b 2 0.50000000001 t\n\nq Q0 x 3 0.1 t\nq Q0 c 4 0.9 t\nz Q0 a 1 1 t\n";
    let figures = TrecFigures::new(&qrels, &TrecRun::read(run).unwrap());
    // c, then b before a: the scores are the same in 32 bits, and b is greater.
    let of = |name: &str| figures.by_query["q"][name];
    assert!((of("recall@1") - 0.5).abs() < 1e-12 && (of("recall@3") - 1.0).abs() < 1e-12);
    let (gained, best) = (2.0 + 0.5, 2.0 + 1.0 / 3.0_f64.log2());
    assert!((of("ndcg@10") - gained / best).abs() < 1e-12);
    assert_eq!(
        (figures.missing.clone(), figures.unjudged.clone()),
        (vec!["r".to_owned()], vec!["z".to_owned()])
    );
    let mrr = &figures.measures["mrr"];
    assert!((mrr.value - 0.5).abs() < 1e-12 && mrr.interval == [0.0, 1.0]);
    for (text, line) in [("q 0 a\n", 1), ("q 0 a 1\nq 0 a 2\n", 2), ("q 0 a x", 1)] {
        assert_eq!(TrecQrels::read(text).unwrap_err().line, line);
    }
    for text in ["q Q0 a 1 t", "q Q0 a 1 NaN t", "q Q0 a 1 1 t\nq Q0 a 2 1 t"] {
        assert!(TrecRun::read(text).is_err(), "{text}");
    }
}

/// Texts that look a little like the files.
fn texts() -> impl Strategy<Value = String> {
    let words = "[-\\[\\]{}:,\"'a-z0-9 \n|&*!/()%#.]{0,120}";
    let known = prop::sample::select(vec![
        "tests:\n  - vars: {q: hi}\n    assert: [{type: contains, value: a}]\n",
        "nlu:\n- intent: a\n  examples: |\n    - [b](c)\n",
        "stories:\n- story: a\n  steps:\n  - user: hi\n    intent: b\n",
        "{\"item\": {\"input\": \"hi\", \"ideal\": \"x\"}}\n",
        "{\"id\": \"a_1\", \"question\": [[{\"role\": \"user\", \"content\": \"x\"}]], \"function\": [{\"name\": \"f\"}]}\n",
        "{\"id\": \"a_1\", \"ground_truth\": [{\"f\": {\"a\": [\"\", {\"b\": [1]}]}}]}\n",
        "[{\"id\": 1, \"instruction\": \"x\", \"actions\": [{\"name\": \"f\"}]}]",
        "a,__expected\nhi,contains:x\n",
        "q Q0 d 1 0.5 t\n",
        "q 0 d 1\n",
    ]);
    (words, known, 0..200_usize, any::<String>()).prop_map(|(words, known, place, odd)| {
        let place = (0..=place.min(known.len()))
            .rev()
            .find(|place| known.is_char_boundary(*place));
        let (start, end) = known.split_at(place.unwrap_or(0));
        match words.len() % 3 {
            0 => format!("{start}{words}{end}"),
            1 => format!("{known}{words}"),
            _ => odd,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_makes_a_reader_panic(text in texts()) {
        let wishes = Wishes::default();
        for ending in ["yaml", "csv", "jsonl", "json"] {
            let name = format!("file.{ending}");
            let source = source(&name, &text, &nothing);
            let readers: [Reader; 4] = [promptfoo, openai, rasa, tau];
            for reader in readers {
                if let Ok(imported) = reader(&source, &wishes) {
                    lines(&imported);
                    imported.lines();
                }
            }
            if let Ok(imported) = bfcl(&[source], &wishes) {
                lines(&imported);
            }
        }
        let _ = TrecQrels::read(&text);
        let _ = TrecRun::read(&text);
        let _ = mapping(&source("map.yaml", &text, &nothing), &mut Wishes::default());
    }
}
