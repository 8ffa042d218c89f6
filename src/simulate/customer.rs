//! A customer's phone: what is typed becomes a webhook, what comes is shown.

use std::path::{Path, PathBuf};

use axum::body::Bytes;
use serde_json::{Value, json};

use super::files::Medium;
use super::graph::{Graph, Sent};
use super::screen::{self, Choice};
use super::webhook;

/// A quarter of a second of silence, Ogg with Opus, as WhatsApp records voice notes.
const SILENCE: &[u8] = include_bytes!("silence.ogg");
const CATALOG: &str = "194836987003835";

/// What can be typed.
pub const HELP: &str = "\
Type what the customer writes. Commands:
  /1, /2 … or /tap N   choose from the last message
  /image FILE [WORDS]  send a picture
  /voice [FILE]        send a voice note (without a file: silence)
  /location [LAT LON]  send a place
  /cart ID:2 ID        send a cart of products, by their ids in the catalog
  /react 👍            react to the last message; /react alone takes it back
  /fail CODE           the next message of the server is refused with this error of Meta's
  /help                this text
  /quit                end";

/// What a line asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Say it.
    Say(String),
    /// Send a picture, with a caption.
    Image(PathBuf, Option<String>),
    /// Send a voice note.
    Voice(Option<PathBuf>),
    /// Send a place: latitude, longitude.
    Location(f64, f64),
    /// Send a cart: ids and quantities.
    Cart(Vec<(String, u32)>),
    /// Choose from the last message.
    Tap(usize),
    /// React to the last message; empty takes it back.
    React(String),
    /// Have the next message refused.
    Fail(i64),
    /// Explain.
    Help,
    /// End.
    Quit,
}

impl Act {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with a command, with an example.
    pub fn read(line: &str) -> Result<Self, String> {
        let line = line.trim();
        let Some(command) = line.strip_prefix('/') else {
            return Ok(Self::Say(line.to_owned()));
        };
        let (name, rest) = command
            .split_once(char::is_whitespace)
            .unwrap_or((command, ""));
        let rest = rest.trim();
        if let Ok(number) = name.parse() {
            return Ok(Self::Tap(number));
        }
        match name {
            "tap" => rest
                .parse()
                .map(Self::Tap)
                .map_err(|_| "a number is missing, for example: /tap 1".to_owned()),
            "image" if rest.is_empty() => {
                Err("a file is missing, for example: /image cup.jpg".into())
            }
            "image" => {
                let (file, words) = rest.split_once(' ').unwrap_or((rest, ""));
                let words = Some(words.trim().to_owned()).filter(|words| !words.is_empty());
                Ok(Self::Image(PathBuf::from(file), words))
            }
            "voice" => Ok(Self::Voice(
                Some(rest)
                    .filter(|rest| !rest.is_empty())
                    .map(PathBuf::from),
            )),
            "location" => place(rest),
            "cart" => cart(rest),
            "react" => Ok(Self::React(rest.to_owned())),
            "fail" => rest
                .parse()
                .map(Self::Fail)
                .map_err(|_| "a code is missing, for example: /fail 131047".to_owned()),
            "help" => Ok(Self::Help),
            "quit" => Ok(Self::Quit),
            _ => Err(format!("/{name} is no command; /help lists them")),
        }
    }
}

/// Milan's cathedral, unless told otherwise.
fn place(rest: &str) -> Result<Act, String> {
    if rest.is_empty() {
        return Ok(Act::Location(45.464_2, 9.191_6));
    }
    let numbers: Vec<f64> = rest
        .split([' ', ','])
        .filter_map(|part| part.parse().ok())
        .collect();
    match numbers[..] {
        [latitude, longitude] => Ok(Act::Location(latitude, longitude)),
        _ => Err("two numbers, for example: /location 45.46 9.19".to_owned()),
    }
}

fn cart(rest: &str) -> Result<Act, String> {
    let item = |part: &str| match part.rsplit_once(':') {
        Some((id, quantity)) => Some((id.to_owned(), quantity.parse().ok()?)),
        None => Some((part.to_owned(), 1)),
    };
    let items: Option<Vec<(String, u32)>> = rest.split_whitespace().map(item).collect();
    items
        .filter(|items| !items.is_empty())
        .map(Act::Cart)
        .ok_or_else(|| "ids with quantities, for example: /cart macchina-aria:2".to_owned())
}

/// A customer with a phone.
pub struct Customer {
    graph: Graph,
    digits: String,
    name: String,
    choices: Vec<Choice>,
    last: Option<String>,
}

impl Customer {
    /// A customer with this number, in international form.
    #[must_use]
    pub fn new(graph: Graph, phone: &str, name: &str) -> Self {
        Self {
            graph,
            digits: phone.trim_start_matches('+').to_owned(),
            name: name.to_owned(),
            choices: Vec::new(),
            last: None,
        }
    }

    /// A message that came, as lines to show; nothing when it went to somebody else.
    pub fn receive(&mut self, sent: &Sent) -> Option<Vec<String>> {
        let to = sent.request["to"].as_str()?.trim_start_matches('+');
        if to != self.digits {
            return None;
        }
        let shown = screen::draw(&sent.request);
        self.last = Some(sent.wamid.clone());
        if !shown.choices.is_empty() {
            self.choices = shown.choices;
        }
        Some(shown.lines)
    }

    /// The webhook that an act causes; none for one that is only this program's.
    ///
    /// # Errors
    /// When a file cannot be read or there is nothing to choose.
    pub fn act(&self, act: &Act, at: i64) -> Result<Option<Value>, String> {
        let (kind, content) = match act {
            Act::Say(text) => ("text", json!({ "body": text })),
            Act::Image(file, words) => {
                let mut image = self.send(&read(file)?, picture_type(file));
                if let Some(words) = words {
                    image["caption"] = json!(words);
                }
                ("image", image)
            }
            Act::Voice(file) => {
                let bytes = match file {
                    Some(file) => read(file)?,
                    None => Bytes::from_static(SILENCE),
                };
                let mut voice = self.send(&bytes, "audio/ogg; codecs=opus");
                voice["voice"] = json!(true);
                ("audio", voice)
            }
            Act::Location(latitude, longitude) => (
                "location",
                json!({ "latitude": latitude, "longitude": longitude }),
            ),
            Act::Cart(items) => ("order", order(items)),
            Act::Tap(number) => return self.tap(*number, at).map(Some),
            Act::React(emoji) => {
                let last = self
                    .last
                    .as_ref()
                    .ok_or("there is no message to react to yet")?;
                let mut reaction = json!({ "message_id": last });
                if !emoji.is_empty() {
                    reaction["emoji"] = json!(emoji);
                }
                ("reaction", reaction)
            }
            Act::Fail(_) | Act::Help | Act::Quit => return Ok(None),
        };
        Ok(Some(self.message(kind, content, None, at)))
    }

    fn tap(&self, number: usize, at: i64) -> Result<Value, String> {
        let choice = number
            .checked_sub(1)
            .and_then(|place| self.choices.get(place))
            .ok_or_else(|| format!("there is no choice {number}"))?;
        let (kind, content) = if choice.kind == "button" {
            (
                "button",
                json!({ "payload": choice.id, "text": choice.title }),
            )
        } else {
            let mut reply = json!({ "id": choice.id, "title": choice.title });
            if let Some(description) = &choice.description {
                reply["description"] = json!(description);
            }
            let mut interactive = json!({ "type": choice.kind });
            interactive[choice.kind] = reply;
            ("interactive", interactive)
        };
        Ok(self.message(kind, content, self.last.as_deref(), at))
    }

    fn send(&self, bytes: &Bytes, kind: &str) -> Value {
        let medium = Medium {
            bytes: bytes.clone(),
            kind: kind.to_owned(),
        };
        let digest = medium.digest();
        json!({ "id": self.graph.keep(medium), "mime_type": kind, "sha256": digest })
    }

    fn message(&self, kind: &str, content: Value, context: Option<&str>, at: i64) -> Value {
        let run = &self.graph.account().run;
        let mut message = json!({
            "from": self.digits,
            "id": format!("wamid.in{run}{}", self.graph.next_id()),
            "timestamp": at.to_string(),
            "type": kind,
        });
        message[kind] = content;
        if let Some(id) = context {
            message["context"] = json!({ "from": self.graph.account().number, "id": id });
        }
        let value = json!({
            "contacts": [{ "profile": { "name": self.name }, "wa_id": self.digits }],
            "messages": [message],
        });
        webhook::messages(self.graph.account(), value)
    }
}

/// A price goes along, as Meta sends it; nobody may believe it.
fn order(items: &[(String, u32)]) -> Value {
    let items: Vec<Value> = items
        .iter()
        .map(|(id, quantity)| {
            json!({ "product_retailer_id": id, "quantity": quantity, "item_price": 0.01, "currency": "EUR" })
        })
        .collect();
    json!({ "catalog_id": CATALOG, "text": "", "product_items": items })
}

fn read(file: &Path) -> Result<Bytes, String> {
    std::fs::read(file)
        .map(Bytes::from)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))
}

fn picture_type(file: &Path) -> &'static str {
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("png") => "image/png",
        Some("webp") => "image/webp",
        _ => "image/jpeg",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_words_or_commands() {
        let read = |line| Act::read(line).unwrap();
        assert_eq!(read(" ciao / salve "), Act::Say("ciao / salve".into()));
        assert_eq!(read("/2"), Act::Tap(2));
        assert_eq!(read("/tap 3"), Act::Tap(3));
        assert_eq!(
            read("/image a.jpg is it this?"),
            Act::Image("a.jpg".into(), Some("is it this?".into()))
        );
        assert_eq!(read("/voice"), Act::Voice(None));
        assert_eq!(read("/location 45.1, 9.2"), Act::Location(45.1, 9.2));
        assert_eq!(
            read("/cart a:2 b"),
            Act::Cart(vec![("a".into(), 2), ("b".into(), 1)])
        );
        assert_eq!(read("/react 👍"), Act::React("👍".into()));
        assert_eq!(read("/fail 131047"), Act::Fail(131_047));
        for wrong in [
            "/tap",
            "/image",
            "/cart",
            "/cart a:x",
            "/location 1",
            "/fail x",
            "/dance",
        ] {
            assert!(Act::read(wrong).is_err(), "{wrong}");
        }
    }
}
