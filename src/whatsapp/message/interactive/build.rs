//! The constructors of interactive messages, which hold Meta's limits.

use serde_json::{Map, Value};

use super::{
    Button, ButtonType, Buttons, Card, Cards, CatalogProduct, CatalogProducts, Flow, FlowAction,
    FlowId, Form, Header, IndexedCard, Interactive, Link, List, ListRow, ListSection, Named, Plain,
    ProductSection, Reply, Screen, Thumbnail, Words,
};
use crate::whatsapp::message::FormError;
use crate::whatsapp::message::limits::{self, Titles};

impl Flow {
    /// A flow that begins on a screen; its button says `label`.
    ///
    /// # Errors
    /// When the screen has no name.
    pub fn new(
        id: FlowId,
        label: &str,
        screen: &str,
        data: Map<String, Value>,
    ) -> Result<Self, FormError> {
        let screen = limits::id("the screen of a flow", screen, limits::ROW_ID)?;
        let action = FlowAction::Navigate {
            flow_action_payload: Screen { screen, data },
        };
        Ok(Self::beginning(id, label, action))
    }

    /// A flow whose first screen our endpoint chooses.
    #[must_use]
    pub fn exchanging(id: FlowId, label: &str) -> Self {
        Self::beginning(id, label, FlowAction::DataExchange)
    }

    fn beginning(id: FlowId, label: &str, action: FlowAction) -> Self {
        Self {
            flow_message_version: "3".to_owned(),
            id,
            flow_cta: limits::title(label, limits::FLOW_BUTTON),
            flow_token: None,
            action,
            mode: None,
        }
    }
}

impl Interactive {
    /// Buttons that reply: id and title of each. Titles that read alike are numbered.
    ///
    /// # Errors
    /// When there are none or more than three, or an id is empty, too long or there twice.
    pub fn buttons<'a>(
        body: &str,
        buttons: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, FormError> {
        let mut titles = Titles::default();
        let buttons = buttons
            .into_iter()
            .map(|(id, title)| {
                let reply = Reply {
                    id: limits::id("the id of a button", id, limits::BUTTON_ID)?,
                    title: titles.unique(title, limits::BUTTON_TITLE),
                };
                Ok(Button {
                    kind: ButtonType::Reply,
                    reply,
                })
            })
            .collect::<Result<Vec<_>, FormError>>()?;
        limits::count("buttons", buttons.len(), 1..=limits::BUTTONS)?;
        limits::distinct(
            "buttons",
            buttons.iter().map(|button| button.reply.id.as_str()),
        )?;
        let action = Buttons { buttons };
        Ok(Self::new(body, limits::BODY, Form::Button { action }))
    }

    /// A list that opens with a button. Titles of rows that read alike are numbered.
    ///
    /// # Errors
    /// When there are no rows or more than ten in all, a section has none, several sections are not all
    /// titled, or an id is empty, too long or there twice.
    pub fn list(body: &str, button: &str, sections: Vec<ListSection>) -> Result<Self, FormError> {
        limits::count("sections", sections.len(), 1..=limits::SECTIONS)?;
        let several = sections.len() > 1;
        let mut titles = Titles::default();
        let mut headings = Titles::default();
        let mut rows = 0;
        let mut fitted = Vec::with_capacity(sections.len());
        for section in sections {
            limits::count("rows in a section", section.rows.len(), 1..=limits::ROWS)?;
            rows += section.rows.len();
            let heading = section.title.filter(|title| !title.trim().is_empty());
            if several && heading.is_none() {
                return Err(FormError::Empty("the title of a section"));
            }
            fitted.push(ListSection {
                title: heading.map(|title| headings.unique(&title, limits::SECTION_TITLE)),
                rows: section
                    .rows
                    .into_iter()
                    .map(|row| row.fitted(&mut titles))
                    .collect::<Result<_, _>>()?,
            });
        }
        limits::count("rows", rows, 1..=limits::ROWS)?;
        let ids = fitted
            .iter()
            .flat_map(|section| &section.rows)
            .map(|row| row.id.as_str());
        limits::distinct("rows", ids)?;
        let action = List {
            button: limits::title(button, limits::BUTTON_TITLE),
            sections: fitted,
        };
        Ok(Self::new(body, limits::LIST_BODY, Form::List { action }))
    }

    /// A button that opens a link.
    ///
    /// # Errors
    /// When the link is empty or has more than 2,000 characters.
    pub fn cta_url(body: &str, label: &str, url: &str) -> Result<Self, FormError> {
        let parameters = Link {
            display_text: limits::title(label, limits::BUTTON_TITLE),
            url: limits::id("a link", url, limits::LINK)?,
        };
        let action = Named {
            name: "cta_url".to_owned(),
            parameters,
        };
        Ok(Self::new(body, limits::BODY, Form::CtaUrl { action }))
    }

    /// One product of a catalog at Meta; the words beside it may be none.
    ///
    /// # Errors
    /// When the catalog or the product has no id.
    pub fn product(body: &str, catalog: &str, product: &str) -> Result<Self, FormError> {
        let action = CatalogProduct {
            catalog_id: limits::id("a catalog", catalog, limits::BUTTON_ID)?,
            product_retailer_id: limits::id("a product", product, limits::BUTTON_ID)?,
        };
        let mut made = Self::new(body, limits::BODY, Form::Product { action });
        if body.trim().is_empty() {
            made.body = None;
        }
        Ok(made)
    }

    /// Several products of a catalog at Meta, below a header.
    ///
    /// # Errors
    /// When there are no products or more than 30, more than ten sections, one of several sections has no
    /// title, or a product is there twice.
    pub fn product_list(
        header: &str,
        body: &str,
        catalog: &str,
        sections: Vec<ProductSection>,
    ) -> Result<Self, FormError> {
        limits::count("sections", sections.len(), 1..=limits::SECTIONS)?;
        let mut headings = Titles::default();
        let sections = sections
            .into_iter()
            .map(|section| {
                limits::count(
                    "products in a section",
                    section.product_items.len(),
                    1..=limits::PRODUCTS,
                )?;
                for item in &section.product_items {
                    limits::id("a product", &item.product_retailer_id, limits::BUTTON_ID)?;
                }
                Ok(ProductSection {
                    title: headings.unique(&section.title, limits::SECTION_TITLE),
                    product_items: section.product_items,
                })
            })
            .collect::<Result<Vec<_>, FormError>>()?;
        let products = || sections.iter().flat_map(|section| &section.product_items);
        limits::count("products", products().count(), 1..=limits::PRODUCTS)?;
        limits::distinct(
            "products",
            products().map(|item| item.product_retailer_id.as_str()),
        )?;
        let action = CatalogProducts {
            catalog_id: limits::id("a catalog", catalog, limits::BUTTON_ID)?,
            sections,
        };
        let made = Self::new(body, limits::BODY, Form::ProductList { action });
        Ok(made.headed(Header::text(header)))
    }

    /// The whole catalog at Meta, with the picture of one product.
    ///
    /// # Errors
    /// When the product has no id.
    pub fn catalog(body: &str, thumbnail: &str) -> Result<Self, FormError> {
        let parameters = Thumbnail {
            thumbnail_product_retailer_id: limits::id("a product", thumbnail, limits::BUTTON_ID)?,
        };
        let action = Named {
            name: "catalog_message".to_owned(),
            parameters,
        };
        Ok(Self::new(
            body,
            limits::BODY,
            Form::CatalogMessage { action },
        ))
    }

    /// Asks for a place.
    #[must_use]
    pub fn location_request(body: &str) -> Self {
        let name = "send_location".to_owned();
        let action = Plain { name };
        Self::new(body, limits::BODY, Form::LocationRequestMessage { action })
    }

    /// Asks someone whose number we do not know for it; it comes back as a contact card.
    #[must_use]
    pub fn contact_request(body: &str) -> Self {
        let name = "request_contact_info".to_owned();
        let action = Plain { name };
        Self::new(body, limits::BODY, Form::RequestContactInfo { action })
    }

    /// Opens a flow.
    #[must_use]
    pub fn flow(body: &str, flow: Flow) -> Self {
        let action = Named {
            name: "flow".to_owned(),
            parameters: flow,
        };
        Self::new(body, limits::BODY, Form::Flow { action })
    }

    /// Cards side by side.
    ///
    /// # Errors
    /// When there are fewer than two or more than ten, a card's header is text, or a link does not fit.
    pub fn carousel(body: &str, cards: Vec<Card>) -> Result<Self, FormError> {
        limits::count("cards", cards.len(), limits::CARDS)?;
        let cards = cards
            .into_iter()
            .enumerate()
            .map(|(card_index, card)| {
                if matches!(card.header, Header::Text { .. } | Header::Document { .. }) {
                    return Err(FormError::Empty("the picture of a card"));
                }
                let words = limits::filled(&card.body, limits::CARD_BODY);
                let made = Self::cta_url(&words, &card.label, &card.url)?;
                Ok(IndexedCard {
                    card_index,
                    card: made.headed(card.header),
                })
            })
            .collect::<Result<_, FormError>>()?;
        let action = Cards { cards };
        Ok(Self::new(body, limits::BODY, Form::Carousel { action }))
    }

    /// Puts something above the body. A product has no header.
    #[must_use]
    pub fn headed(mut self, header: Header) -> Self {
        self.header = Some(match header {
            Header::Text { text } => Header::text(&text),
            other @ (Header::Image { .. } | Header::Video { .. } | Header::Document { .. }) => {
                other
            }
        })
        .filter(|_| !matches!(self.form, Form::Product { .. }));
        self
    }

    /// Puts small words below.
    #[must_use]
    pub fn footed(mut self, footer: &str) -> Self {
        self.footer = (!footer.trim().is_empty()).then(|| Words {
            text: limits::title(footer, limits::FOOTER),
        });
        self
    }

    fn new(body: &str, limit: usize, form: Form) -> Self {
        Self {
            header: None,
            body: Some(Words {
                text: limits::filled(body, limit),
            }),
            footer: None,
            form,
        }
    }
}

impl ListRow {
    fn fitted(self, titles: &mut Titles) -> Result<Self, FormError> {
        Ok(Self {
            id: limits::id("the id of a row", &self.id, limits::ROW_ID)?,
            title: titles.unique(&self.title, limits::ROW_TITLE),
            description: self
                .description
                .filter(|words| !words.trim().is_empty())
                .map(|words| limits::title(&words, limits::ROW_DESCRIPTION)),
        })
    }
}
