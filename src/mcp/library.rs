//! The knowledge as resources: texts by language, products by id.

use std::collections::BTreeMap;

use rmcp::model::{Resource, ResourceContents, ResourceTemplate};
use serde_json::Value;

use super::Identity;
use crate::domain::{Language, Product};

const PRODUCT: &str = "sportello://products/";
const MARKDOWN: &str = "text/markdown";
const JSON: &str = "application/json";

/// What kind of text a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DocumentKind {
    /// A policy.
    Policy,
    /// An FAQ entry.
    Faq,
}

impl DocumentKind {
    /// All kinds, in the order of the list.
    pub(super) const ALL: [Self; 2] = [Self::Policy, Self::Faq];

    fn folder(self) -> &'static str {
        match self {
            Self::Policy => "policies",
            Self::Faq => "faq",
        }
    }

    /// RFC 6570 template of the kind's addresses.
    pub(super) fn template(self) -> String {
        format!("sportello://{}/{{slug}}/{{language}}", self.folder())
    }
}

/// A text of the shop in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its kind.
    pub kind: DocumentKind,
    /// Its name, the same in every language, of characters that need no escape in an address.
    pub slug: String,
    /// The language it is written in.
    pub language: Language,
    /// The title.
    pub title: String,
    /// The text in Markdown.
    pub body: String,
}

/// The knowledge at one moment.
#[derive(Debug, Default)]
pub struct Library {
    documents: BTreeMap<(DocumentKind, String, Language), Document>,
    products: BTreeMap<String, Product>,
}

impl Library {
    /// Orders texts by kind, slug and language, products by id.
    pub fn new(
        documents: impl IntoIterator<Item = Document>,
        products: impl IntoIterator<Item = Product>,
    ) -> Self {
        Self {
            documents: documents
                .into_iter()
                .map(|document| {
                    (
                        (document.kind, document.slug.clone(), document.language),
                        document,
                    )
                })
                .collect(),
            products: products
                .into_iter()
                .map(|product| (product.id.as_str().to_owned(), product))
                .collect(),
        }
    }

    /// The texts as MCP lists them. Products are too many to list; they have a template.
    pub(super) fn resources(&self) -> Vec<Resource> {
        self.documents
            .values()
            .map(|document| {
                Resource::new(
                    address(document),
                    format!("{}-{}", document.slug, document.language),
                )
                .with_title(document.title.as_str())
                .with_mime_type(MARKDOWN)
                .with_size(document.body.len() as u64)
            })
            .collect()
    }

    /// The resource at this address.
    pub(super) fn read(&self, uri: &str, identity: &Identity) -> Option<ResourceContents> {
        if let Some(id) = uri.strip_prefix(PRODUCT) {
            let text = product_json(self.products.get(id)?, identity)?;
            return Some(ResourceContents::text(text, uri).with_mime_type(JSON));
        }
        let document = self.document(uri)?;
        Some(ResourceContents::text(document.body.as_str(), uri).with_mime_type(MARKDOWN))
    }

    fn document(&self, uri: &str) -> Option<&Document> {
        let (folder, rest) = uri.strip_prefix("sportello://")?.split_once('/')?;
        let (slug, language) = rest.split_once('/')?;
        let kind = DocumentKind::ALL
            .into_iter()
            .find(|kind| kind.folder() == folder)?;
        let language: Language = language.parse().ok()?;
        let document = self.documents.get(&(kind, slug.to_owned(), language))?;
        (address(document) == uri).then_some(document)
    }

    /// What can stand for a variable of a template, where others may be chosen already; nothing when there
    /// is no such template or variable.
    pub(super) fn suggestions<'a>(
        &self,
        template: &str,
        variable: &str,
        chosen: impl Fn(&str) -> Option<&'a str>,
    ) -> Vec<String> {
        if template == product_template_address() && variable == "id" {
            return self.products.keys().cloned().collect();
        }
        let documents = self
            .documents
            .values()
            .filter(|document| document.kind.template() == template);
        let mut values: Vec<String> = match variable {
            "slug" => documents
                .filter(|document| {
                    chosen("language").is_none_or(|chosen| document.language.code() == chosen)
                })
                .map(|document| document.slug.clone())
                .collect(),
            "language" => documents
                .filter(|document| chosen("slug").is_none_or(|chosen| document.slug == chosen))
                .map(|document| document.language.to_string())
                .collect(),
            _ => Vec::new(),
        };
        values.sort();
        values.dedup();
        values
    }
}

/// The templates as MCP lists them.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new(DocumentKind::Policy.template(), "policies")
            .with_title("A policy of the shop")
            .with_description("Shipping, returns, warranty and the like, in one language.")
            .with_mime_type(MARKDOWN),
        ResourceTemplate::new(DocumentKind::Faq.template(), "faq")
            .with_title("An answer of the shop's FAQ")
            .with_description("One frequent question with its answer, in one language.")
            .with_mime_type(MARKDOWN),
        ResourceTemplate::new(product_template_address(), "products")
            .with_title("A product of the catalog")
            .with_description("Price in minor units, stock, attributes and texts by language.")
            .with_mime_type(JSON),
    ]
}

fn product_template_address() -> String {
    format!("{PRODUCT}{{id}}")
}

fn address(document: &Document) -> String {
    format!(
        "sportello://{}/{}/{}",
        document.kind.folder(),
        document.slug,
        document.language
    )
}

/// The product with a picture address that works from anywhere.
fn product_json(product: &Product, identity: &Identity) -> Option<String> {
    let mut value = serde_json::to_value(product).ok()?;
    if product.image.starts_with('/') {
        value["image"] = Value::String(identity.address(&product.image));
    }
    serde_json::to_string_pretty(&value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library() -> Library {
        let document = |kind, slug: &str, language| Document {
            kind,
            slug: slug.to_owned(),
            language,
            title: format!("{slug} in {language}"),
            body: format!("# {slug}"),
        };
        Library::new(
            [
                document(DocumentKind::Faq, "invoice", Language::IT),
                document(DocumentKind::Policy, "returns", Language::IT),
                document(DocumentKind::Policy, "returns", Language::EN),
            ],
            [],
        )
    }

    fn identity() -> Identity {
        Identity {
            name: "Shop".to_owned(),
            about: String::new(),
            public_url: "https://shop.example".parse().unwrap(),
        }
    }

    #[test]
    fn every_listed_resource_can_be_read() {
        let library = library();
        let addresses: Vec<String> = library
            .resources()
            .into_iter()
            .map(|resource| resource.uri)
            .collect();
        assert_eq!(
            addresses,
            [
                "sportello://policies/returns/en",
                "sportello://policies/returns/it",
                "sportello://faq/invoice/it"
            ]
        );
        for address in addresses {
            assert!(library.read(&address, &identity()).is_some(), "{address}");
        }
    }

    #[test]
    fn an_address_that_is_not_listed_reads_nothing() {
        for address in [
            "sportello://policies/returns/de",
            "sportello://policies/returns/it-IT",
            "sportello://policies/returns",
            "sportello://faq/returns/it",
            "sportello://products/none",
            "file:///etc/passwd",
            "",
        ] {
            assert!(library().read(address, &identity()).is_none(), "{address}");
        }
    }

    #[test]
    fn suggestions_know_the_templates_and_their_variables() {
        let library = library();
        let policies = DocumentKind::Policy.template();
        let faq = DocumentKind::Faq.template();
        let any = |template: &str, variable: &str| {
            library.suggestions(template, variable, |_| None::<&str>)
        };
        assert_eq!(any(&policies, "slug"), ["returns"]);
        assert_eq!(any(&policies, "language"), ["en", "it"]);
        let chosen = |name: &str| (name == "language").then_some("en");
        assert_eq!(library.suggestions(&policies, "slug", chosen), ["returns"]);
        assert!(library.suggestions(&faq, "slug", chosen).is_empty());
        let chosen = |name: &str| (name == "slug").then_some("invoice");
        assert_eq!(library.suggestions(&faq, "language", chosen), ["it"]);
        for (template, variable) in [
            (policies.as_str(), "id"),
            ("sportello://products/{id}", "id"),
            ("sportello://orders/{id}", "id"),
        ] {
            assert!(any(template, variable).is_empty(), "{template}");
        }
    }
}
