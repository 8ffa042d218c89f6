//! Messages with something to tap.

mod build;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Media, limits};

/// A message with something to tap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interactive {
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Header>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Words>,
    #[serde(skip_serializing_if = "Option::is_none")]
    footer: Option<Words>,
    /// What can be tapped.
    #[serde(flatten)]
    pub form: Form,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Words {
    text: String,
}

/// What stands above the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Header {
    /// Words.
    Text {
        /// At most 60 characters.
        text: String,
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
}

impl Header {
    /// Words, shortened when they are too long.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text {
            text: limits::title(text, limits::HEADER),
        }
    }
}

/// What can be tapped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Form {
    /// Up to three buttons that reply.
    Button {
        /// The buttons.
        action: Buttons,
    },
    /// A list that opens.
    List {
        /// The list.
        action: List,
    },
    /// A button that opens a link.
    CtaUrl {
        /// The link.
        action: Named<Link>,
    },
    /// One product of the catalog at Meta.
    Product {
        /// The product.
        action: CatalogProduct,
    },
    /// Several products of the catalog at Meta.
    ProductList {
        /// The products.
        action: CatalogProducts,
    },
    /// The whole catalog at Meta.
    CatalogMessage {
        /// The product whose picture it shows.
        action: Named<Thumbnail>,
    },
    /// Asks for a place.
    LocationRequestMessage {
        /// Always `send_location`.
        action: Plain,
    },
    /// Asks for the phone number.
    RequestContactInfo {
        /// Always `request_contact_info`.
        action: Plain,
    },
    /// Opens a form of several screens.
    Flow {
        /// The flow.
        action: Named<Flow>,
    },
    /// Cards side by side, each with a link.
    Carousel {
        /// The cards.
        action: Cards,
    },
    /// A form that we do not make.
    #[serde(untagged)]
    Other {
        /// Meta's name of it.
        #[serde(rename = "type")]
        kind: String,
        /// What it does.
        action: Value,
    },
}

/// Reply buttons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buttons {
    buttons: Vec<Button>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Button {
    #[serde(rename = "type")]
    kind: ButtonType,
    reply: Reply,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ButtonType {
    Reply,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Reply {
    id: String,
    title: String,
}

/// A list that opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    button: String,
    sections: Vec<ListSection>,
}

/// Rows below a title.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListSection {
    /// The title; needed when there are several sections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The rows.
    pub rows: Vec<ListRow>,
}

/// A row of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRow {
    /// What comes back when it is tapped.
    pub id: String,
    /// What it says.
    pub title: String,
    /// What it says below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// An action with a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Named<T> {
    name: String,
    parameters: T,
}

/// An action that is only a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plain {
    name: String,
}

/// A button that opens a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    display_text: String,
    url: String,
}

/// One product of a catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogProduct {
    catalog_id: String,
    product_retailer_id: String,
}

/// Products of a catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogProducts {
    catalog_id: String,
    sections: Vec<ProductSection>,
}

/// Products below a title.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductSection {
    /// The title.
    pub title: String,
    /// The products.
    pub product_items: Vec<Sku>,
}

/// A product by the id it has in the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sku {
    /// The id.
    pub product_retailer_id: String,
}

/// Whose picture a catalog message shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thumbnail {
    thumbnail_product_retailer_id: String,
}

/// A flow and where it begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    flow_message_version: String,
    #[serde(flatten)]
    id: FlowId,
    flow_cta: String,
    /// Comes back with what the customer filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_token: Option<String>,
    /// Where it begins.
    #[serde(flatten)]
    action: FlowAction,
    /// `draft` for a flow that is not published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

/// Which flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowId {
    /// By WhatsApp's id.
    #[serde(rename = "flow_id")]
    Id(String),
    /// By the name we gave it.
    #[serde(rename = "flow_name")]
    Name(String),
}

/// How a flow begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "flow_action", rename_all = "snake_case")]
pub enum FlowAction {
    /// On a screen, with data for it.
    Navigate {
        /// `{"screen": …, "data": {…}}`.
        flow_action_payload: Screen,
    },
    /// As our endpoint says.
    DataExchange,
}

/// A screen of a flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Screen {
    screen: String,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    data: Map<String, Value>,
}

/// Cards side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cards {
    cards: Vec<IndexedCard>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct IndexedCard {
    card_index: usize,
    #[serde(flatten)]
    card: Interactive,
}

/// A card of a carousel: a picture or film, words and a link.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// The picture or film.
    pub header: Header,
    /// The words.
    pub body: String,
    /// What the button says.
    pub label: String,
    /// Where it leads.
    pub url: String,
}
