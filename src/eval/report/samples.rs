//! A run with a failing case of every sort, and texts that attack whoever shows them.

use serde_json::{Value, json};

use crate::eval::compare::{Comparison, RecordedRun, compare};
use crate::eval::gates::GateResult;
use crate::eval::results::{About, CaseResult, Results};

/// What an unkind customer writes.
pub const HOSTILE: &str =
    "<script>alert(1)</script> & \"quoted\" ]]> 🙂 \u{1}\u{0}\n<img src=x onerror=alert(2)>";

fn triage() -> Value {
    json!({
        "language": {"language": "it", "confidence": 0.93, "kept": false},
        "intent": {"name": "order_status", "score": 0.81, "in_scope": true, "runners_up": [["returns", 0.11]]},
        "sentiment": {"label": "negative", "polarity": -0.7, "intensity": 0.7},
        "entities": {"orders": [], "emails": [], "price": null, "quantity": null, "ordinals": [], "colors": [],
            "categories": [], "features": [], "comparison": null, "in_stock": false},
    })
}

fn turn() -> Value {
    json!({
        "customer": ["Where is it?", HOSTILE],
        "outcome": {"outcome": "handed_off", "answer": {"text": "A colleague will look into it."},
            "reason": "upset", "summary": "Asks for a parcel."},
        "trace": {
            "triage": triage(), "plan": "answer", "retrieval": "hybrid", "milliseconds": 412, "notes": ["injection_suspected"],
            "passages": [{"id": "faq-shipping:it:0", "document": "faq-shipping", "kind": "faq", "title": "Shipping",
                "headings": ["Shipping", "Italy"], "text": "Two days. </pre><script>alert(3)</script>", "language": "it",
                "source": "faq.yaml", "score": 0.71, "ranking": {"dense_rank": 1, "dense_score": 0.7, "bm25_rank": null, "bm25_score": null}}],
            "models": [{"model": "offline", "input_tokens": 120, "output_tokens": 14, "fell_back": null}],
            "tools": [{"name": "get_order_status", "arguments": {"number": "10432"}, "result": {"error": "no such order"}, "failed": true}],
        },
        "holder": "human", "tickets": 1, "manners": ["an exclamation mark in a row"], "milliseconds": 412,
    })
}

fn understood(intent: &str, language: &str, sentiment: &str) -> Value {
    json!({"seen": "understood", "intent": intent, "intent_score": 0.62, "language": language, "language_score": 0.98,
        "sentiment": sentiment, "polarity": 0.1})
}

fn case(kind: &str, name: &str, language: &str, faults: &[&str], observed: Value) -> CaseResult {
    let case = json!({
        "suite": "shop", "kind": kind, "case": name, "language": language, "passed": faults.is_empty(),
        "faults": faults, "observed": observed,
    });
    serde_json::from_value(case).unwrap()
}

/// Ten cases that ran, four of which passed, and one that was skipped.
pub fn cases() -> Vec<CaseResult> {
    let talked = json!({"seen": "talked", "turns": [turn()], "state": {}});
    let labelled = |mut case: CaseResult, expected: &str, got: &str| {
        case.expected = Some(expected.to_owned());
        case.got = Some(got.to_owned());
        case
    };
    let mut search = case(
        "retrieval",
        "search-1",
        "de",
        &["expected one of faq-shipping, got faq-invoice"],
        json!({"seen": "ranked", "language": "de", "documents": ["faq-invoice"], "scores": [0.5]}),
    );
    search.said = vec!["where is <b>my parcel</b>".to_owned()];
    search.scores.insert("ndcg@10".to_owned(), 0.25);
    let mut talk = case(
        "conversation",
        "talk-1",
        "it",
        &["turn 1: the outcome: expected answered, got handed_off"],
        talked.clone(),
    );
    talk.prompt = vec![
        ["system".to_owned(), "You stand at a counter.".to_owned()],
        ["user".to_owned(), HOSTILE.to_owned()],
    ];
    let mut again = case(
        "conversation",
        "talk-2",
        "it",
        &["turn 1: no"],
        talked.clone(),
    );
    again.repeat = 1;
    vec![
        labelled(
            case(
                "intent",
                "money back",
                "en",
                &[],
                understood("refund", "en", "neutral"),
            ),
            "refund",
            "refund",
        ),
        labelled(
            case(
                "intent",
                HOSTILE,
                "it",
                &["expected refund, got greeting"],
                understood("greeting", "it", "neutral"),
            ),
            "refund",
            "greeting",
        ),
        labelled(
            case(
                "sentiment",
                "lovely",
                "en",
                &[],
                understood("greeting", "en", "positive"),
            ),
            "positive",
            "positive",
        ),
        labelled(
            case(
                "language",
                "guten Tag",
                "de",
                &[],
                understood("greeting", "de", "neutral"),
            ),
            "de",
            "de",
        ),
        search,
        talk,
        case("conversation", "talk-2", "it", &[], talked),
        again,
        case(
            "tool_call",
            "tool-1",
            "es",
            &["the calls: expected `open_ticket`, got `search_catalog`"],
            json!({"seen": "called", "calls": [["search_catalog", {"query": "ignore all <b>"}]], "text": "Sí."}),
        ),
        case(
            "safety",
            "attack-1",
            "pt",
            &["the store is locked"],
            json!({"seen": "failed", "reason": "the store is locked"}),
        ),
        {
            let seen = json!({"seen": "skipped", "reason": "no model plays the customer"});
            let mut skipped = case("simulation", "later", "en", &[], seen);
            skipped.skipped = true;
            skipped
        },
    ]
}

/// A run that missed a threshold and a gate.
pub fn results() -> Results {
    let about = About {
        model: "offline".to_owned(),
        repeats: 2,
        milliseconds: Some(2345),
        ..About::default()
    };
    let mut results = Results::new(&[], about, cases(), None);
    results.suites = vec!["shop".to_owned()];
    results.passed = false;
    for kind in &mut results.kinds {
        (kind.threshold, kind.reached) = match kind.kind.name() {
            "intent" => (Some(0.9), false),
            "sentiment" => (Some(0.5), true),
            _ => (None, true),
        };
    }
    results.gates = vec![GateResult {
        name: "retrieval ndcg@10 [language=de] at least 0.6".to_owned(),
        held: false,
        found: "0.250".to_owned(),
    }];
    results
}

/// The run against one in which everything passed.
pub fn comparison() -> Comparison {
    let now = results();
    let mut before = now.clone();
    before.cases.iter_mut().for_each(|case| case.passed = true);
    let runs = [
        RecordedRun::of("baseline.json", &before),
        RecordedRun::of("results.json", &now),
    ];
    compare(&runs[0], &runs[1], 0.01).unwrap()
}
