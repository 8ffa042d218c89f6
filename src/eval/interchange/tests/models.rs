//! Files of benchmarks, and whatever else a file may hold.

use proptest::prelude::*;

use super::*;

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
                    let _ = imported.lines();
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
