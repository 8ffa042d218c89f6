//! The page itself, its files, and the shelf.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use axum::Json;
use axum::extract::{Path, Query, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use minijinja::context;
use minijinja::value::Serde;
use rust_embed::RustEmbed;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Web, language};
use crate::domain::{Language, Money, Product, ProductId};
use crate::edge::{Fault, file};

#[derive(RustEmbed)]
#[folder = "src/web/assets"]
struct Assets;

/// The page's words by language: one table for the server and for the page's script.
static TEXTS: LazyLock<BTreeMap<Language, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("pages/texts.json")).unwrap_or_default());

/// Which language to show.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    language: Option<Language>,
}

/// The shop's page, in the browser's language or the one asked for.
pub async fn page(
    Shared(web): Shared<Arc<Web>>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let offered = offered(&web.state.shop.languages);
    let language = wanted
        .language
        .filter(|language| offered.contains(language))
        .unwrap_or_else(|| language::preferred(&headers, &offered));
    let html = render(&web, language).map_err(|error| {
        tracing::error!(%error, "the page cannot be rendered");
        Fault::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something of ours failed. Try again in a moment.",
        )
    })?;
    let mut response = Html(html).into_response();
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept-language"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn render(web: &Web, language: Language) -> Result<String, minijinja::Error> {
    let texts = TEXTS.get(&language).cloned().unwrap_or_default();
    web.templates.get_template("shop.html")?.render(context! {
        shop => web.state.shop.name.as_str(),
        language => language.code(),
        currency => web.state.shop.currency.code(),
        t => Serde(texts),
    })
}

/// The shop's languages in which the page has words, in the shop's order; English when there is none.
fn offered(languages: &[Language]) -> Vec<Language> {
    let known: Vec<Language> = languages
        .iter()
        .copied()
        .filter(|language| TEXTS.contains_key(language))
        .collect();
    if known.is_empty() {
        vec![Language::EN]
    } else {
        known
    }
}

/// A script or style of the page.
pub async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    file::<Assets>(&path, &headers)
}

/// A picture of the catalog, by its file name.
pub async fn image(
    Shared(web): Shared<Arc<Web>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let found = if name.starts_with('.') {
        None
    } else {
        (web.state.images)(&name)
    };
    let Some((bytes, kind)) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = format!("\"{}\"", hex::encode(&Sha256::digest(&bytes)[..16]));
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, kind)], bytes).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=3600"),
    );
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    // An owner's SVG opened by itself must not run scripts in the shop's name.
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox"),
    );
    response
}

/// A product on the shelf.
#[derive(Debug, Serialize)]
struct Shelved<'a> {
    id: &'a ProductId,
    category: &'a str,
    title: &'a str,
    description: &'a str,
    price: Money,
    stock: u32,
    image: &'a str,
}

/// `{"products": […]}` in the catalog's order, with texts in the language asked for.
pub async fn products(
    Shared(web): Shared<Arc<Web>>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Response {
    let language = wanted
        .language
        .unwrap_or_else(|| language::preferred(&headers, &web.state.shop.languages));
    let catalog = (web.state.products)();
    let shelf: Vec<Shelved<'_>> = catalog
        .iter()
        .map(|product| shelved(product, language))
        .collect();
    let body = Json(serde_json::json!({ "products": shelf }));
    ([(header::CACHE_CONTROL, "no-cache")], body).into_response()
}

fn shelved(product: &Product, language: Language) -> Shelved<'_> {
    Shelved {
        id: &product.id,
        category: &product.category,
        title: product.title(language),
        description: product.description(language),
        price: product.price,
        stock: product.stock,
        image: &product.image,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::{Caller, specs};

    fn keys(value: &Value) -> Vec<&String> {
        value
            .as_object()
            .map(|map| map.keys().collect())
            .unwrap_or_default()
    }

    #[test]
    fn every_language_has_the_same_words() {
        let english = &TEXTS[&Language::EN];
        assert!(keys(english).len() > 30);
        for language in ["it", "es", "pt", "de"] {
            let texts = &TEXTS[&language.parse().unwrap()];
            assert_eq!(keys(texts), keys(english), "{language}");
            for group in ["categories", "tools", "fields"] {
                assert_eq!(keys(&texts[group]), keys(&english[group]), "{language}");
            }
        }
    }

    #[test]
    fn every_tool_of_the_page_has_a_name_for_the_visitor() {
        let page = include_str!("pages/shop.html");
        let forms = page.split(" toolname=\"").skip(1);
        let forms = forms.filter_map(|rest| rest.split('"').next());
        let offered: Vec<&str> = specs()
            .into_iter()
            .filter(|spec| spec.callers.contains(&Caller::Page))
            .map(|spec| spec.name)
            .chain(forms)
            .collect();
        assert!(offered.contains(&"open_ticket") && offered.contains(&"send_message"));
        let named = &TEXTS[&Language::EN]["tools"];
        for tool in &offered {
            assert!(named[*tool].is_string(), "{tool}");
        }
        assert_eq!(keys(named).len(), offered.len());
    }
}
