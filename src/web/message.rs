//! The page with the whole text of a message that a channel shortened.

use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use minijinja::context;

use super::{Web, language};
use crate::domain::Language;
use crate::edge::{Client, Fault};

/// Shows the text to whoever has the token; the token cannot be guessed.
pub async fn page(
    Shared(web): Shared<Arc<Web>>,
    client: Client,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    web.clients.check(&client)?;
    let plain = token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    let found = if plain {
        web.state.store.page(&token).await?
    } else {
        None
    };
    let preferred = || language::preferred(&headers, &web.state.shop.languages);
    let (status, text, language) = match found {
        Some((text, language)) => (StatusCode::OK, text, language.unwrap_or_else(preferred)),
        None => {
            let language = preferred();
            (
                StatusCode::NOT_FOUND,
                unknown(language).to_owned(),
                language,
            )
        }
    };
    let paragraphs = text.split("\n\n").map(str::trim);
    let paragraphs: Vec<String> = paragraphs.map(str::to_owned).collect();
    let html = web
        .templates
        .get_template("message.html")
        .and_then(|template| {
            template.render(context! {
                shop => web.state.shop.name.as_str(),
                language => language.code(),
                paragraphs,
            })
        })
        .map_err(|error| {
            tracing::error!(%error, "a message's page cannot be rendered");
            Fault::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something of ours failed. Try again in a moment.",
            )
        })?;
    Ok((status, Html(html)).into_response())
}

fn unknown(language: Language) -> &'static str {
    match language {
        Language::IT => "Questo messaggio non c'è più.",
        Language::ES => "Este mensaje ya no está.",
        Language::PT => "Esta mensagem já não existe.",
        Language::DE => "Diese Nachricht gibt es nicht mehr.",
        _ => "This message is not here any more.",
    }
}
