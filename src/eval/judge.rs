//! What a turn must be, against what it was. Pure.

use regex::Regex;
use serde_json::Value;

use super::case::Expect;
use super::matcher::{ExpectedCall, Matcher};
use super::observed::TurnSeen;
use crate::domain::{Answer, Holder, Language, Outcome};

/// What is wrong with a turn; empty when nothing is. What concerns the store at the end is not looked at.
pub fn judge(expect: &Expect, said: &TurnSeen) -> Vec<String> {
    let nothing = Answer::default();
    let answer = said.outcome.answer().unwrap_or(&nothing);
    let mut faults = Vec::new();
    if let Some(ending) = expect.outcome
        && ending.name() != said.outcome.name()
    {
        faults.push(differs("the outcome", ending.name(), said.outcome.name()));
    }
    if let Some(holder) = expect.holder
        && holder != said.holder
    {
        faults.push(differs("the holder", name(holder), name(said.holder)));
    }
    tools(expect, said, &mut faults);
    understood(expect, said, &mut faults);
    colleagues(expect, said, &mut faults);
    words(expect, said, answer, &mut faults);
    products(expect, answer, &mut faults);
    payment(expect, answer, said.link_before.as_deref(), &mut faults);
    cited(expect, said, answer, &mut faults);
    if let Some(tickets) = expect.tickets
        && said.tickets != tickets
    {
        faults.push(format!("there are {} tickets", said.tickets));
    }
    faults
}

fn cited(expect: &Expect, said: &TurnSeen, answer: &Answer, faults: &mut Vec<String>) {
    if let Some(source) = &expect.source
        && !answer.sources.iter().any(|named| named.id == *source)
    {
        let named: Vec<&str> = answer
            .sources
            .iter()
            .map(|named| named.id.as_str())
            .collect();
        faults.push(differs("the sources", source, &named.join(", ")));
    }
    let read: Vec<&str> = said
        .trace
        .passages
        .iter()
        .map(|passage| passage.document.as_str())
        .collect();
    for document in expect
        .passages
        .iter()
        .filter(|name| !read.contains(&name.as_str()))
    {
        faults.push(differs("the passages", document, &read.join(", ")));
    }
}

/// What is wrong with the calls of some turns; others may be made between those that are expected.
pub fn calls(expected: &[ExpectedCall], made: &[(&str, &Value)]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut left = made.iter();
    for call in expected {
        if left
            .by_ref()
            .any(|(name, arguments)| call.matches(name, arguments))
        {
            continue;
        }
        let same = made.iter().find(|(name, _)| *name == call.name);
        match same.and_then(|(_, arguments)| arguments.as_object()) {
            Some(arguments) if !call.faults(arguments).is_empty() => {
                faults.extend(call.faults(arguments));
            }
            Some(_) => faults.push(format!("`{}` was called too early", call.name)),
            None => {
                let made: Vec<&str> = made.iter().map(|(name, _)| *name).collect();
                faults.push(differs("the calls", &call.name, &made.join(", ")));
            }
        }
        break;
    }
    faults
}

/// What is wrong with what the store has in the end.
pub fn paths(expect: &Expect, state: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, matcher) in &expect.state {
        let found = match serde_json_path::JsonPath::parse(path) {
            Ok(parsed) => parsed.query(state).all(),
            Err(error) => {
                faults.push(format!("`{path}` is no JSON path: {error}"));
                continue;
            }
        };
        if found.is_empty() && !matcher.matches(&Value::Null) {
            faults.push(format!("{path}: expected {matcher}, got nothing"));
        }
        for value in found.into_iter().filter(|value| !matcher.matches(value)) {
            faults.push(format!("{path}: expected {matcher}, got {value}"));
        }
    }
    faults
}

/// What the store has and must not have.
pub fn stored(expect: &Expect, state: &Value) -> Vec<String> {
    if expect.not_stored.is_empty() {
        return Vec::new();
    }
    let all = state.to_string();
    let stored = expect.not_stored.iter().filter(|word| all.contains(*word));
    stored.map(|word| format!("`{word}` is stored")).collect()
}

fn differs(what: &str, expected: &str, found: &str) -> String {
    let found = if found.is_empty() { "nothing" } else { found };
    format!("{what}: expected {expected}, got {found}")
}

fn name(holder: Holder) -> &'static str {
    match holder {
        Holder::Agent => "agent",
        Holder::Human => "human",
    }
}

fn tools(expect: &Expect, said: &TurnSeen, faults: &mut Vec<String>) {
    let made = said.calls();
    faults.extend(calls(&expect.calls, &made));
    let tools = said.trace.tools.iter();
    let called: Vec<&str> = tools.map(|tool| tool.name.as_str()).collect();
    let mut left = called.iter();
    if !expect
        .tools
        .iter()
        .all(|tool| left.any(|called| called == tool))
    {
        let expected = expect.tools.join(", ");
        faults.push(differs("the tools", &expected, &called.join(", ")));
    }
    for tool in &expect.not_tools {
        if called.contains(&tool.as_str()) {
            faults.push(format!("`{tool}` was called"));
        }
    }
}

fn understood(expect: &Expect, said: &TurnSeen, faults: &mut Vec<String>) {
    let triage = said.trace.triage.as_ref();
    if let Some(language) = expect.language {
        let found = triage.map(|triage| triage.language.language);
        if found != Some(language) {
            let found = found.as_ref().map_or("", Language::code);
            faults.push(differs("the language", language.code(), found));
        }
    }
    if let Some(intent) = &expect.intent {
        let found = triage.map_or("", |triage| triage.intent.decided());
        if found != intent {
            faults.push(differs("the intent", intent, found));
        }
    }
    if let Some(label) = expect.sentiment {
        let found = triage.map_or("", |triage| triage.sentiment.label.name());
        if found != label.name() {
            faults.push(differs("the sentiment", label.name(), found));
        }
    }
    if let Some(limit) = expect.polarity_below {
        match triage.map(|triage| triage.sentiment.polarity) {
            Some(polarity) if polarity < limit => {}
            found => {
                let found = found.map_or(String::new(), |found| format!("{found:.2}"));
                faults.push(differs("the polarity", &format!("below {limit}"), &found));
            }
        }
    }
}

/// What a colleague reads: the summary, and the notes of the trace.
fn colleagues(expect: &Expect, said: &TurnSeen, faults: &mut Vec<String>) {
    let summary = match &said.outcome {
        Outcome::HandedOff { summary, .. } => summary.to_lowercase(),
        Outcome::Answered { .. } | Outcome::Silent { .. } => String::new(),
    };
    for word in &expect.summary {
        if !summary.contains(&word.to_lowercase()) {
            faults.push(format!("the summary lacks `{word}`"));
        }
    }
    for note in &expect.notes {
        if !said.trace.notes.contains(note) {
            let found = said.trace.notes.join(", ");
            faults.push(differs("the notes", note, &found));
        }
    }
}

fn words(expect: &Expect, said: &TurnSeen, answer: &Answer, faults: &mut Vec<String>) {
    let language = said
        .trace
        .triage
        .as_ref()
        .map_or(Language::EN, |triage| triage.language.language);
    let shown = shown(answer, language);
    let read = shown.to_lowercase();
    let has = |word: &String| read.contains(&word.to_lowercase());
    for word in expect.contains.iter().filter(|word| !has(word)) {
        faults.push(format!("the answer lacks `{word}`"));
    }
    if !expect.contains_any.is_empty() && !expect.contains_any.iter().any(has) {
        let words = expect.contains_any.join("`, `");
        faults.push(format!("the answer has none of `{words}`"));
    }
    for word in expect.not_contains.iter().filter(|word| has(word)) {
        faults.push(format!("the answer has `{word}`"));
    }
    let found = |pattern: &str| Regex::new(pattern).is_ok_and(|regex| regex.is_match(&shown));
    for pattern in expect.matches.iter().filter(|pattern| !found(pattern)) {
        faults.push(format!("the answer does not match `{pattern}`"));
    }
    for pattern in expect.not_matches.iter().filter(|pattern| found(pattern)) {
        faults.push(format!("the answer matches `{pattern}`"));
    }
}

/// Whether an expectation can be read at all. The error says what is wrong with it.
pub fn expected(expect: &Expect) -> Result<(), String> {
    expect.calls.iter().try_for_each(call)?;
    for (path, matcher) in &expect.state {
        serde_json_path::JsonPath::parse(path).map_err(|error| {
            format!("`{path}` is no JSON path ({error}); write for example $.tickets[0].priority")
        })?;
        if let Some(fault) = matcher.fault() {
            return Err(format!("{path}: {fault}"));
        }
    }
    let mut patterns = expect.matches.iter().chain(&expect.not_matches);
    patterns.try_for_each(|pattern| match Regex::new(pattern) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("the regex `{pattern}` is wrong: {error}")),
    })
}

/// Whether a call's matchers can be read. The error says what is wrong with one.
pub fn call(call: &ExpectedCall) -> Result<(), String> {
    match call.arguments.values().find_map(Matcher::fault) {
        Some(fault) => Err(format!("`{}`: {fault}", call.name)),
        None => Ok(()),
    }
}

/// Everything that the customer reads: text, cards, buttons.
fn shown(answer: &Answer, language: Language) -> String {
    let mut parts = vec![answer.text.clone()];
    for card in &answer.products {
        parts.push(card.title.clone());
        parts.push(card.price.display(language));
        parts.extend(card.reason.clone());
    }
    if let Some(payment) = &answer.payment {
        parts.push(payment.label.clone());
        parts.push(payment.total.display(language));
    }
    parts.extend(answer.choices.iter().map(|choice| choice.title.clone()));
    parts.join("\n")
}

fn products(expect: &Expect, answer: &Answer, faults: &mut Vec<String>) {
    let count = answer.products.len();
    if expect.products_min.is_some_and(|least| count < least)
        || expect.products_max.is_some_and(|most| count > most)
    {
        faults.push(format!("there are {count} product cards"));
    }
    let Some(most) = expect.max_price else { return };
    for card in &answer.products {
        if card.price.minor > most {
            faults.push(format!("{} costs {}", card.id, card.price.minor));
        }
    }
}

fn payment(expect: &Expect, answer: &Answer, before: Option<&str>, faults: &mut Vec<String>) {
    let link = answer.payment.as_ref().map(|payment| payment.id.as_str());
    match expect.payment {
        Some(true) if link.is_none() => faults.push("there is no payment link".to_owned()),
        Some(false) if link.is_some() => faults.push("there is a payment link".to_owned()),
        Some(_) | None => {}
    }
    if let Some(total) = expect.payment_total {
        let found = answer.payment.as_ref().map(|payment| payment.total.minor);
        if found != Some(total) {
            let found = found.map_or(String::new(), |found| found.to_string());
            faults.push(differs("the total", &total.to_string(), &found));
        }
    }
    if let Some(same) = expect.same_payment
        && same != (link.is_some() && link == before)
    {
        let what = if same { "is not" } else { "is" };
        faults.push(format!("the payment link {what} the one before"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ToolTrace, TurnTrace};
    use serde_json::json;

    fn said(text: &str, tools: &[&str]) -> TurnSeen {
        let tools = tools.iter().map(|name| ToolTrace {
            name: (*name).to_owned(),
            arguments: Value::Null,
            result: Value::Null,
            failed: false,
        });
        TurnSeen {
            customer: Vec::new(),
            outcome: Outcome::Answered {
                answer: Answer::text(text),
                awaiting: None,
            },
            trace: TurnTrace {
                tools: tools.collect(),
                ..TurnTrace::default()
            },
            holder: Holder::Agent,
            tickets: 0,
            link_before: None,
            manners: Vec::new(),
            judged: None,
            milliseconds: 0,
        }
    }

    #[test]
    fn calls_keep_their_order_and_say_what_is_wrong() {
        let call = |name: &str, arguments: Value| -> ExpectedCall {
            serde_json::from_value(json!({"name": name, "arguments": arguments})).unwrap()
        };
        let (moka, two) = (json!({"query": "moka"}), json!({"quantity": 2}));
        let made = [("search", &moka), ("other", &two), ("pay", &two)];
        let search = call("search", json!({"query": {"regex": "mok"}}));
        let pay = call("pay", json!({"quantity": 2}));
        assert!(calls(&[search.clone(), pay.clone()], &made).is_empty());
        assert_eq!(
            calls(&[pay, search], &made),
            ["`search` was called too early"]
        );
        let wrong = calls(&[call("pay", json!({"quantity": 3}))], &made);
        assert_eq!(wrong, ["`pay`: quantity is 2, expected 3"]);
        assert_eq!(calls(&[call("none", json!({}))], &made).len(), 1);
    }

    #[test]
    fn the_store_is_looked_into() {
        let expect: Expect = serde_json::from_value(json!({
            "state": {"$.tickets[0].priority": "high", "$.tickets[1]": {"ignore": true}},
            "not_stored": ["4111"],
        }))
        .unwrap();
        let kept = json!({"tickets": [{"priority": "high"}], "text": "****"});
        assert!(paths(&expect, &kept).is_empty());
        assert!(stored(&expect, &kept).is_empty());
        let kept = json!({"tickets": [{"priority": "low"}], "text": "4111 1111"});
        assert_eq!(paths(&expect, &kept).len(), 1);
        assert_eq!(stored(&expect, &kept), ["`4111` is stored"]);
        assert_eq!(paths(&expect, &json!({})).len(), 1);
    }

    #[test]
    fn tools_may_have_others_between_them_but_keep_their_order() {
        let turn = said("", &["search_catalog", "get_product", "payment_link"]);
        let tools = |names: &[&str]| Expect {
            tools: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Expect::default()
        };
        let right = tools(&["search_catalog", "payment_link"]);
        assert!(judge(&right, &turn).is_empty());
        let wrong = tools(&["payment_link", "search_catalog"]);
        assert_eq!(judge(&wrong, &turn).len(), 1);
    }

    #[test]
    fn regular_expressions_are_found_or_must_not_be() {
        let expect = Expect {
            matches: vec![r"\A(?i)ciao".to_owned(), r"\d{2} €".to_owned()],
            not_matches: vec!["Moka".to_owned(), r"sorry\z".to_owned()],
            ..Expect::default()
        };
        assert!(judge(&expect, &said("Ciao, costa 24 € (moka)", &[])).is_empty());
        let faults = judge(&expect, &said("Moka: sorry", &[]));
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert_eq!(expected(&expect), Ok(()));
        let wrong = Expect {
            not_matches: vec!["(".to_owned()],
            ..Expect::default()
        };
        assert!(expected(&wrong).unwrap_err().contains("the regex `(`"));
    }

    #[test]
    fn words_are_found_in_any_case_and_a_missing_link_is_not_the_same() {
        let expect = Expect {
            contains: vec!["ÜBER".to_owned()],
            not_contains: vec!["scooter".to_owned()],
            same_payment: Some(true),
            ..Expect::default()
        };
        let faults = judge(&expect, &said("Mehr über Scooter", &[]));
        assert_eq!(
            faults,
            [
                "the answer has `scooter`",
                "the payment link is not the one before"
            ]
        );
    }
}
