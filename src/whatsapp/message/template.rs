//! A template with its parameters, as it is sent.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{FormError, Location, Media, limits};

/// A template with its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// Its language.
    pub language: TemplateLanguage,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    components: Vec<Component>,
}

/// The language of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateLanguage {
    /// Its code, for example `it` or `en_US`.
    pub code: String,
    /// Always `deterministic`, when Meta writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// A part of a template that takes parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Component {
    /// What stands above.
    Header {
        /// One text, picture, film, document or place.
        parameters: Vec<Parameter>,
    },
    /// The words.
    Body {
        /// One for each blank.
        parameters: Vec<Parameter>,
    },
    /// A button.
    Button {
        /// What it does.
        sub_type: ButtonKind,
        /// Its place, from 0.
        index: ButtonIndex,
        /// What it takes.
        parameters: Vec<Parameter>,
    },
    /// Cards side by side.
    Carousel {
        /// The cards.
        cards: Vec<TemplateCard>,
    },
    /// An offer that ends.
    LimitedTimeOffer {
        /// When.
        parameters: Vec<Parameter>,
    },
    /// A component that we do not make.
    #[serde(untagged)]
    Other(Value),
}

/// A card of a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TemplateCard {
    card_index: usize,
    components: Vec<Component>,
}

/// What a button of a template does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ButtonKind {
    /// Replies with a payload of ours.
    QuickReply,
    /// Opens a link that ends in a text of ours.
    Url,
    /// Copies a code.
    CopyCode,
    /// Shows the catalog.
    Catalog,
    /// Opens a flow.
    Flow,
    /// Another kind, or another spelling of one.
    #[serde(untagged)]
    Other(String),
}

/// The place of a button: Meta writes it as a number and as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ButtonIndex {
    /// As a number.
    Number(u8),
    /// As text.
    Text(String),
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Parameter {
    /// Text.
    Text {
        /// The text.
        text: String,
        /// The blank, when blanks have names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parameter_name: Option<String>,
    },
    /// An amount.
    Currency {
        /// The amount.
        currency: Currency,
        /// The blank, when blanks have names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parameter_name: Option<String>,
    },
    /// A time.
    DateTime {
        /// The time.
        date_time: DateTime,
        /// The blank, when blanks have names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parameter_name: Option<String>,
    },
    /// A picture.
    Image {
        /// Where it is.
        image: Media,
    },
    /// A film.
    Video {
        /// Where it is.
        video: Media,
    },
    /// A file.
    Document {
        /// Where it is.
        document: Media,
    },
    /// A place.
    Location {
        /// The place.
        location: Location,
    },
    /// What a quick reply brings back.
    Payload {
        /// Our data.
        payload: String,
    },
    /// What a button copies.
    CouponCode {
        /// The code.
        coupon_code: String,
    },
    /// What a catalog or flow button does.
    Action {
        /// `{"thumbnail_product_retailer_id": …}` or `{"flow_token": …, "flow_action_data": {…}}`.
        action: Value,
    },
    /// When an offer ends.
    LimitedTimeOffer {
        /// The time.
        limited_time_offer: Offer,
    },
    /// A parameter that we do not make.
    #[serde(untagged)]
    Other(Value),
}

/// An amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Currency {
    /// The amount in words, shown where it cannot be localised.
    pub fallback_value: String,
    /// ISO 4217.
    pub code: String,
    /// A thousand times the amount.
    pub amount_1000: i32,
}

/// A time; the Cloud API always shows the words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DateTime {
    /// The time in words.
    pub fallback_value: String,
    /// Its parts, which the Cloud API passes over.
    #[serde(flatten)]
    parts: Map<String, Value>,
}

/// When an offer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Milliseconds since 1970.
    pub expiration_time_ms: i64,
}

impl Template {
    /// A template without parameters.
    ///
    /// # Errors
    /// When it has no name or no language.
    pub fn new(name: &str, language: &str) -> Result<Self, FormError> {
        Ok(Self {
            name: limits::id("the name of a template", name, limits::OPAQUE)?,
            language: TemplateLanguage {
                code: limits::id("the language of a template", language, limits::BUTTON_TITLE)?,
                policy: None,
            },
            components: Vec::new(),
        })
    }

    /// Fills the header.
    #[must_use]
    pub fn header(self, parameter: Parameter) -> Self {
        let parameters = vec![parameter];
        self.with(Component::Header { parameters })
    }

    /// Fills the blanks of the body; without any the body needs no component.
    #[must_use]
    pub fn body(self, parameters: Vec<Parameter>) -> Self {
        if parameters.is_empty() {
            self
        } else {
            self.with(Component::Body { parameters })
        }
    }

    /// Fills a button.
    ///
    /// # Errors
    /// When a template has no such place.
    pub fn button(
        self,
        index: u8,
        sub_type: ButtonKind,
        parameter: Parameter,
    ) -> Result<Self, FormError> {
        Ok(self.with(Component::button(index, sub_type, parameter)?))
    }

    /// Fills the cards, each with its components.
    ///
    /// # Errors
    /// When there are fewer than two or more than ten.
    pub fn carousel(self, cards: Vec<Vec<Component>>) -> Result<Self, FormError> {
        limits::count("cards", cards.len(), limits::CARDS)?;
        let cards = cards
            .into_iter()
            .enumerate()
            .map(|(card_index, components)| TemplateCard {
                card_index,
                components,
            })
            .collect();
        Ok(self.with(Component::Carousel { cards }))
    }

    /// Says when the offer ends.
    #[must_use]
    pub fn offer(self, expiration_time_ms: i64) -> Self {
        let limited_time_offer = Offer { expiration_time_ms };
        let parameters = vec![Parameter::LimitedTimeOffer { limited_time_offer }];
        self.with(Component::LimitedTimeOffer { parameters })
    }

    fn with(mut self, component: Component) -> Self {
        self.components.push(component);
        self
    }
}

impl Component {
    /// A button's parameter.
    ///
    /// # Errors
    /// When a template has no such place.
    pub fn button(
        index: u8,
        sub_type: ButtonKind,
        parameter: Parameter,
    ) -> Result<Self, FormError> {
        if index >= limits::TEMPLATE_BUTTONS {
            return Err(FormError::Range("the place of a button"));
        }
        Ok(Self::Button {
            sub_type,
            index: ButtonIndex::Text(index.to_string()),
            parameters: vec![parameter],
        })
    }
}

impl Parameter {
    /// Text on one line, for the blank with this name.
    #[must_use]
    pub fn text(name: Option<&str>, text: &str) -> Self {
        Self::Text {
            text: limits::title(text, limits::PARAMETER),
            parameter_name: name.map(str::to_owned),
        }
    }

    /// An amount in hundredths of a currency, and the same in words.
    ///
    /// # Errors
    /// When it is too large for a template.
    pub fn currency(
        name: Option<&str>,
        words: &str,
        code: &str,
        minor: i64,
    ) -> Result<Self, FormError> {
        let amount_1000 = minor
            .checked_mul(10)
            .and_then(|amount| i32::try_from(amount).ok())
            .ok_or(FormError::Range("an amount"))?;
        Ok(Self::Currency {
            currency: Currency {
                fallback_value: limits::title(words, limits::PARAMETER),
                code: code.to_owned(),
                amount_1000,
            },
            parameter_name: name.map(str::to_owned),
        })
    }

    /// A time in words.
    #[must_use]
    pub fn date_time(name: Option<&str>, words: &str) -> Self {
        Self::DateTime {
            date_time: DateTime {
                fallback_value: limits::title(words, limits::PARAMETER),
                parts: Map::new(),
            },
            parameter_name: name.map(str::to_owned),
        }
    }

    /// What a quick reply brings back.
    #[must_use]
    pub fn payload(payload: impl Into<String>) -> Self {
        Self::Payload {
            payload: payload.into(),
        }
    }

    /// What a button copies.
    ///
    /// # Errors
    /// When the code is empty or too long.
    pub fn coupon(code: &str) -> Result<Self, FormError> {
        Ok(Self::CouponCode {
            coupon_code: limits::id("a coupon", code, limits::COUPON)?,
        })
    }

    /// The product whose picture a catalog button shows.
    #[must_use]
    pub fn thumbnail(product: &str) -> Self {
        Self::Action {
            action: json!({ "thumbnail_product_retailer_id": product }),
        }
    }

    /// What a flow begins with.
    #[must_use]
    pub fn flow(token: &str, data: Map<String, Value>) -> Self {
        let mut action = json!({ "flow_token": token });
        if !data.is_empty() {
            action["flow_action_data"] = Value::Object(data);
        }
        Self::Action { action }
    }
}
