//! Stories: what the customer writes, what it means, and what follows.

use regex::Regex;
use serde_json::Value;

use super::super::{Imported, Wishes, turn};
use super::{intent, plain};
use crate::eval::case::{Ending, Expect, Turn};

/// A name and why it is not taken over.
type Refused = (String, String);
/// Actions that say nothing to anyone.
const SILENT: [&str; 4] = [
    "action_listen",
    "action_restart",
    "action_session_start",
    "action_back",
];

/// Takes a story over. The error names it.
pub fn story(
    story: &Value,
    place: &str,
    wishes: &Wishes,
    imported: &mut Imported,
) -> Result<(), Refused> {
    let names = ["story", "test_case"];
    let name = names.iter().find_map(|name| story.get(*name)?.as_str());
    let name = name.unwrap_or("story");
    let refused = |why: &str| Err((format!("story `{name}`"), why.to_owned()));
    let Some(steps) = story.get("steps").and_then(Value::as_array) else {
        return refused("it has no `steps`");
    };
    for (part, why) in [
        ("or", "it stands for several stories; write each"),
        ("checkpoint", "it goes on in another story; write it whole"),
    ] {
        if steps.iter().any(|step| step.get(part).is_some()) {
            return refused(why);
        }
    }
    let mut turns: Vec<Turn> = Vec::new();
    for step in steps {
        let step = Step {
            step,
            place,
            wishes,
        };
        if step.step.get("user").is_some() || step.step.get("intent").is_some() {
            turns.push(
                step.said(imported)
                    .map_err(|why| (format!("story `{name}`"), why))?,
            );
        } else if let Some(last) = turns.last_mut() {
            step.follows(&mut last.expect, imported);
        } else {
            step.follows(&mut Expect::default(), imported);
        }
    }
    if turns.iter().all(|turn| turn.expect == Expect::default()) {
        return refused(
            "nothing of it can be judged; map its intents and actions in a file of --intents",
        );
    }
    imported.conversation(name, turns, Vec::new(), wishes);
    Ok(())
}

struct Step<'a> {
    step: &'a Value,
    place: &'a str,
    wishes: &'a Wishes,
}

impl Step<'_> {
    fn said(&self, imported: &mut Imported) -> Result<Turn, String> {
        let said = self.step.get("user").and_then(Value::as_str);
        let said = said.map(str::trim).unwrap_or_default();
        if said.is_empty() || said.starts_with('/') {
            return Err("a step has no words of the customer; write `user`".to_owned());
        }
        let mut turn = turn(plain(said, self.place, imported));
        if let Some(theirs) = self.step.get("intent").and_then(Value::as_str) {
            match intent(theirs, self.wishes) {
                Ok(ours) => turn.expect.intent = Some(ours),
                Err(why) => {
                    imported.refuse(format!("intent `{theirs}` of a turn"), why, self.place)
                }
            }
        }
        for assertion in self.list("assertions") {
            self.assertion(assertion, &mut turn.expect, imported);
        }
        Ok(turn)
    }

    fn list(&self, name: &str) -> &[Value] {
        let list = self.step.get(name).and_then(Value::as_array);
        list.map(Vec::as_slice).unwrap_or_default()
    }

    /// What comes after the customer's words.
    fn follows(&self, expect: &mut Expect, imported: &mut Imported) {
        let Some(fields) = self.step.as_object() else {
            imported.refuse("step that is no object", "it is left out", self.place);
            return;
        };
        for (name, value) in fields {
            match (name.as_str(), value.as_str()) {
                ("action" | "utter", Some(action)) => self.action(action, expect, imported),
                ("bot", _) => {
                    let why =
                        "what that bot says, word for word; the shop's agent has its own words";
                    imported.refuse("text of the bot", why, self.place);
                }
                _ => {
                    let why = "that bot's inner state; look at the effect with `state` instead";
                    imported.refuse(format!("step `{name}`"), why, self.place);
                }
            }
        }
    }

    fn action(&self, action: &str, expect: &mut Expect, imported: &mut Imported) {
        match self.wishes.actions.get(action).map(String::as_str) {
            Some("handed_off") => expect.outcome = Some(Ending::HandedOff),
            Some("answered") => expect.outcome = Some(Ending::Answered),
            Some("silent") => expect.outcome = Some(Ending::Silent),
            Some("ignore") => {}
            Some(tool) => expect.tools.push(tool.to_owned()),
            None if SILENT.contains(&action) => {}
            None => imported.refuse(
                format!("action `{action}`"),
                "what that bot does; say what it is here under `actions` in a file of --intents (handed_off, \
                 answered, silent, ignore, or a tool)",
                self.place,
            ),
        }
    }

    fn assertion(&self, assertion: &Value, expect: &mut Expect, imported: &mut Imported) {
        let Some((name, value)) = assertion
            .as_object()
            .and_then(|fields| fields.iter().next())
        else {
            imported.refuse("assertion without a name", "it is left out", self.place);
            return;
        };
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        match name.as_str() {
            "action_executed" if value.is_string() => {
                self.action(value.as_str().unwrap_or_default(), expect, imported);
            }
            "bot_uttered" => {
                if let Some(action) = text("utter_name") {
                    self.action(action, expect, imported);
                }
                match text("text_matches").map(|pattern| (pattern, Regex::new(pattern))) {
                    Some((pattern, Ok(_))) => expect.matches.push(pattern.to_owned()),
                    Some((pattern, Err(_))) => imported.refuse(
                        format!("assertion `text_matches: {pattern}`"),
                        "this expression is not read here; write it another way",
                        self.place,
                    ),
                    None => {}
                }
                if value.get("buttons").is_some() {
                    let why = "that bot's buttons; write `contains` with their titles";
                    imported.refuse("assertion `buttons`", why, self.place);
                }
            }
            other => imported.refuse(
                format!("assertion `{other}`"),
                "that bot's inner state, or a model's judgement; write an effect or words",
                self.place,
            ),
        }
    }
}
