//! Models as `--model` names them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::SecretString;
use sha2::{Digest, Sha256};
use url::Url;

use crate::config::{self, Llm};

/// The forms, for errors.
const FORMS: &str = "write `offline`, `configured`, `openai:NAME@URL` or `replay:FOLDER`";
/// Names the variable that holds the key.
const KEY: &str = "key_env";

/// A model of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSpec {
    /// The offline model.
    Offline,
    /// What the configuration says; the offline model when it names no endpoint.
    Configured,
    /// An OpenAI-compatible endpoint. Everything else is as the configuration's `[llm]` says.
    OpenAi {
        /// The model's name there.
        model: String,
        /// The address, ending in `/v1`.
        url: Url,
        /// The variable that holds its key; the configuration's key when missing.
        key: Option<String>,
    },
    /// Recordings.
    Replay(PathBuf),
}

impl ModelSpec {
    /// The name in reports. Carries no key and no query.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Offline => "offline".to_owned(),
            Self::Configured => "configured".to_owned(),
            Self::OpenAi { model, url, .. } => format!("{model}@{}", host(url)),
            Self::Replay(folder) => format!("replay:{}", folder.display()),
        }
    }

    /// A name for a folder of what belongs to the model; another one for every model.
    #[must_use]
    pub fn folder(&self) -> String {
        let whole = self.to_string();
        let safe = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        let name: String = whole
            .chars()
            .map(|letter| if safe(letter) { letter } else { '-' })
            .take(60)
            .collect();
        if name == whole {
            return name;
        }
        let hash = hex::encode(Sha256::digest(&whole));
        format!("{name}-{}", &hash[..8])
    }

    /// The settings of its endpoint; none when it has no endpoint.
    ///
    /// # Errors
    /// When the variable of the key is not set.
    pub fn llm(&self, configured: &Llm) -> Result<Option<Llm>, String> {
        match self {
            Self::Offline | Self::Replay(_) => Ok(None),
            Self::Configured => {
                let has_endpoint = configured.base_url.is_some();
                Ok(has_endpoint.then(|| configured.clone()))
            }
            Self::OpenAi { model, url, key } => {
                let own: Option<SecretString> = match key {
                    Some(name) => Some(config::secret(name).ok_or_else(|| {
                        format!(
                            "the variable {name} is not set; it is to hold the key of {}",
                            self.name()
                        )
                    })?),
                    None => configured.api_key.clone(),
                };
                Ok(Some(Llm {
                    base_url: Some(url.to_string()),
                    api_key: own,
                    model: model.clone(),
                    ..configured.clone()
                }))
            }
        }
    }
}

/// Host and port: one provider.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

impl FromStr for ModelSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "offline" => Ok(Self::Offline),
            None if text == "configured" => Ok(Self::Configured),
            Some(("openai", rest)) => endpoint(rest),
            Some(("replay", "")) => {
                Err("`replay:` names no folder; write `replay:FOLDER`".to_owned())
            }
            Some(("replay", folder)) => Ok(Self::Replay(PathBuf::from(folder))),
            None | Some(_) => Err(format!("there is no model `{text}`; {FORMS}")),
        }
    }
}

/// `NAME@URL`. A name may hold `@`; an address begins with its scheme. What is not understood is not repeated: it may
/// be a key.
fn endpoint(text: &str) -> Result<ModelSpec, String> {
    let form = "write `openai:NAME@URL`, for example `openai:gpt-5-mini@https://api.openai.com/v1`";
    let at = text
        .find("@http://")
        .or_else(|| text.find("@https://"))
        .filter(|at| *at > 0)
        .ok_or_else(|| format!("`openai:` needs a model's name and an http address; {form}"))?;
    let (model, address) = (&text[..at], &text[at + 1..]);
    let mut url = Url::parse(address)
        .map_err(|error| format!("the address of the model {model} is none ({error}); {form}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!(
            "the address of the model {model} holds a key; put it into a variable and write `?{KEY}=VARIABLE`"
        ));
    }
    let query = url.query().unwrap_or_default().to_owned();
    let (named, kept): (Vec<&str>, Vec<&str>) = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .partition(|pair| pair.split('=').next() == Some(KEY));
    let key = named.last().and_then(|pair| pair.split_once('='));
    let key = key.map(|(_, name)| name.to_owned());
    let is_name = |name: &String| {
        let mut letters = name.bytes();
        letters
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
    };
    if !named.is_empty() && !key.as_ref().is_some_and(is_name) {
        return Err(format!(
            "`{KEY}` of the model {model} is not the name of a variable; write `?{KEY}=VARIABLE`"
        ));
    }
    url.set_query((!kept.is_empty()).then(|| kept.join("&")).as_deref());
    url.set_fragment(None);
    Ok(ModelSpec::OpenAi {
        model: model.to_owned(),
        url,
        key,
    })
}

/// As it is written on the command line.
impl fmt::Display for ModelSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenAi { model, url, key } => {
                write!(formatter, "openai:{model}@{url}")?;
                let Some(key) = key else { return Ok(()) };
                let sign = if url.query().is_some() { '&' } else { '?' };
                write!(formatter, "{sign}{KEY}={key}")
            }
            Self::Offline | Self::Configured | Self::Replay(_) => formatter.write_str(&self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_form_is_read_and_written_back() {
        for (text, name) in [
            ("offline", "offline"),
            ("configured", "configured"),
            ("replay:eval/cassettes", "replay:eval/cassettes"),
            ("openai:gpt-5@https://api.example/v1", "gpt-5@api.example"),
            (
                "openai:org/m@v2@http://localhost:8000/v1",
                "org/m@v2@localhost:8000",
            ),
            (
                "openai:m@https://a.example/v1?api-version=1&key_env=OTHER_KEY",
                "m@a.example",
            ),
            (
                "openai:m@https://a.example/v1?key_env=OTHER_KEY",
                "m@a.example",
            ),
        ] {
            let spec: ModelSpec = text.parse().unwrap();
            assert_eq!(
                (spec.to_string().as_str(), spec.name().as_str()),
                (text, name)
            );
        }
        let spec: ModelSpec = "openai:m@https://a.example/v1?key_env=K&api-version=1"
            .parse()
            .unwrap();
        let ModelSpec::OpenAi { url, key, .. } = &spec else {
            panic!("{spec:?}");
        };
        assert_eq!(
            (url.as_str(), key.as_deref()),
            ("https://a.example/v1?api-version=1", Some("K"))
        );
    }

    #[test]
    fn anything_else_is_refused_with_what_to_write() {
        for text in [
            "",
            "gpt-5",
            "openai",
            "openai:gpt-5",
            "openai:@https://a.example/v1",
            "replay:",
            "Offline",
        ] {
            let error = text.parse::<ModelSpec>().unwrap_err();
            assert!(error.contains("write `"), "{text}: {error}");
        }
        for text in [
            "openai:m@https://user:sk-secret@a.example/v1",
            "openai:m@https://a.example/v1?key_env=sk-secret",
            "openai:m@https://a.example/v1?key_env",
        ] {
            let error = text.parse::<ModelSpec>().unwrap_err();
            assert!(
                error.contains("key_env=VARIABLE") && !error.contains("sk-secret"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_variable_that_is_not_set_is_told_and_the_rest_is_the_configurations() {
        let configured = Llm {
            base_url: Some("https://configured.example/v1".to_owned()),
            api_key: Some(SecretString::from("sk-configured")),
            temperature: 0.7,
            ..Llm::default()
        };
        let spec: ModelSpec = "openai:m@https://a.example/v1".parse().unwrap();
        let llm = spec.llm(&configured).unwrap().unwrap();
        assert_eq!(llm.base_url.as_deref(), Some("https://a.example/v1"));
        assert_eq!((llm.model.as_str(), llm.temperature), ("m", 0.7));
        assert!(llm.api_key.is_some());
        let spec: ModelSpec = "openai:m@https://a.example/v1?key_env=NO_SUCH_VARIABLE_HERE"
            .parse()
            .unwrap();
        assert!(
            spec.llm(&configured)
                .unwrap_err()
                .contains("NO_SUCH_VARIABLE_HERE")
        );
        assert!(
            ModelSpec::Configured
                .llm(&Llm::default())
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn every_model_has_a_folder_of_its_own() {
        let texts = [
            "offline",
            "configured",
            "openai:m@https://a.example/v1",
            "openai:m@https://a.example/v2",
            "openai:m@http://a.example/v1",
        ];
        let names: HashSet<String> = texts
            .iter()
            .map(|text| text.parse::<ModelSpec>().unwrap().folder())
            .collect();
        assert_eq!(names.len(), texts.len());
        assert!(
            names.iter().all(|name| !name.contains(['/', ':', '.'])),
            "{names:?}"
        );
    }
}
