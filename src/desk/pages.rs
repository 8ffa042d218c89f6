//! The login form, the desk's page and its files.

use std::sync::Arc;

use axum::extract::{Form, Path, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use minijinja::context;
use rust_embed::RustEmbed;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{Desk, session};
use crate::edge::{Client, Fault, file, same_secret};

#[derive(RustEmbed)]
#[folder = "src/desk/assets"]
struct Assets;

/// The desk's templates.
pub fn templates() -> minijinja::Environment<'static> {
    let mut templates = minijinja::Environment::new();
    templates.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    for (name, text) in [
        ("login.html", include_str!("pages/login.html")),
        ("desk.html", include_str!("pages/desk.html")),
    ] {
        if let Err(error) = templates.add_template(name, text) {
            tracing::error!(name, %error, "a template cannot be read");
        }
    }
    templates
}

/// The desk, or the login form.
pub async fn desk(Shared(desk): Shared<Arc<Desk>>, headers: HeaderMap) -> Result<Response, Fault> {
    if session::logged_in(&desk, &headers) {
        render(&desk, StatusCode::OK, "desk.html", "")
    } else {
        render(&desk, StatusCode::OK, "login.html", "")
    }
}

/// What the login form sends.
#[derive(Deserialize)]
pub struct Login {
    password: SecretString,
}

/// Begins a session, or shows the form again.
pub async fn login(
    Shared(desk): Shared<Arc<Desk>>,
    client: Client,
    Form(login): Form<Login>,
) -> Result<Response, Fault> {
    if let Err(fault) = desk.logins.check(&client) {
        let mut response = render(&desk, fault.status, "login.html", &fault.text)?;
        if let Some(seconds) = fault.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        return Ok(response);
    }
    if !same_secret(
        login.password.expose_secret(),
        desk.state.password.expose_secret(),
    ) {
        tracing::warn!("a wrong password at the desk");
        return render(
            &desk,
            StatusCode::UNAUTHORIZED,
            "login.html",
            "That is not the password.",
        );
    }
    Ok(with_cookie(Redirect::to("/desk"), session::begin(&desk)))
}

/// Ends the session.
pub async fn logout(Shared(desk): Shared<Arc<Desk>>) -> Response {
    with_cookie(Redirect::to("/desk"), session::end(&desk))
}

/// A script or style of the desk.
pub async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    file::<Assets>(&path, &headers)
}

fn with_cookie(redirect: Redirect, cookie: Option<HeaderValue>) -> Response {
    let mut response = redirect.into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

fn render(desk: &Desk, status: StatusCode, name: &str, error: &str) -> Result<Response, Fault> {
    let html = desk
        .templates
        .get_template(name)
        .and_then(|template| template.render(context! { shop => desk.state.shop.as_str(), error }))
        .map_err(|error| {
            tracing::error!(name, %error, "a page cannot be rendered");
            Fault::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something of ours failed. Try again in a moment.",
            )
        })?;
    Ok((status, Html(html)).into_response())
}
