//! The payment page: what is to be paid, and whether it is.

mod texts;

use std::sync::Arc;

use axum::extract::{Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::Timestamp;
use minijinja::context;
use minijinja::value::Serde;
use serde::{Deserialize, Serialize};

use super::{PaymentDoor, Web, language};
use crate::domain::{Language, PaymentId};
use crate::edge::{Client, Fault};
use crate::ports::PaymentError;
use crate::store::{PaymentLink, PaymentState};
use texts::texts;

/// How the customer came here.
#[derive(Debug, Deserialize)]
pub struct Visit {
    /// From the provider's page.
    returned: Option<u8>,
}

/// What the page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Shown {
    Open,
    Paid,
    Expired,
    Confirming,
    Unavailable,
    Unknown,
}

/// Shows a link, or sends the customer on to the provider's page.
pub async fn page(
    Shared(web): Shared<Arc<Web>>,
    client: Client,
    Path(id): Path<PaymentId>,
    Query(visit): Query<Visit>,
    headers: axum::http::HeaderMap,
) -> Result<Response, Fault> {
    web.clients.check(&client)?;
    let Some(link) = find(&web, &id).await? else {
        let wanted = language::preferred(&headers, &web.state.shop.languages);
        return show(&web, Shown::Unknown, None, wanted);
    };
    let shown = shown(&link, (web.state.clock)());
    match &web.state.payments {
        PaymentDoor::Hosted(_) if shown == Shown::Open && visit.returned.is_some() => {
            show(&web, Shown::Confirming, Some(&link), link.language)
        }
        PaymentDoor::Hosted(checkout) if shown == Shown::Open => match checkout(link.clone()).await
        {
            Ok(url) => Ok(Redirect::to(&url).into_response()),
            Err(error) => {
                let (PaymentError::Unavailable(_) | PaymentError::Refused(_)) = &error;
                tracing::error!(%error, payment = %link.id, "no checkout page");
                show(&web, Shown::Unavailable, Some(&link), link.language)
            }
        },
        PaymentDoor::Hosted(_) | PaymentDoor::Demo(_) | PaymentDoor::Closed => {
            show(&web, shown, Some(&link), link.language)
        }
    }
}

/// Pays on the demo page; the browser then reads the page again. Nowhere else can a visitor say that
/// something was paid.
pub async fn pay(
    Shared(web): Shared<Arc<Web>>,
    client: Client,
    Path(id): Path<PaymentId>,
    headers: axum::http::HeaderMap,
) -> Result<Response, Fault> {
    web.clients.check(&client)?;
    let PaymentDoor::Demo(pay) = &web.state.payments else {
        return Err(Fault::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "Payments are made on the provider's page. Open the link with GET.",
        ));
    };
    let Some(link) = find(&web, &id).await? else {
        let wanted = language::preferred(&headers, &web.state.shop.languages);
        return show(&web, Shown::Unknown, None, wanted);
    };
    match shown(&link, (web.state.clock)()) {
        Shown::Open => {
            pay(link.id.clone()).await?;
            Ok(Redirect::to(&format!("/pay/{}", link.id)).into_response())
        }
        shown @ (Shown::Paid
        | Shown::Expired
        | Shown::Confirming
        | Shown::Unavailable
        | Shown::Unknown) => show(&web, shown, Some(&link), link.language),
    }
}

async fn find(web: &Web, id: &PaymentId) -> Result<Option<PaymentLink>, Fault> {
    if matches!(web.state.payments, PaymentDoor::Closed) {
        return Ok(None);
    }
    Ok(web.state.store.payment(id).await?)
}

fn shown(link: &PaymentLink, now: i64) -> Shown {
    match link.state {
        PaymentState::Paid => Shown::Paid,
        PaymentState::Open if link.expires_at > now => Shown::Open,
        PaymentState::Open | PaymentState::Expired => Shown::Expired,
    }
}

#[derive(Serialize)]
struct Line<'a> {
    title: &'a str,
    quantity: u32,
    unit: String,
    sum: String,
}

fn show(
    web: &Web,
    shown: Shown,
    link: Option<&PaymentLink>,
    language: Language,
) -> Result<Response, Fault> {
    let status = match shown {
        Shown::Open | Shown::Paid | Shown::Confirming => StatusCode::OK,
        Shown::Expired => StatusCode::GONE,
        Shown::Unavailable => StatusCode::BAD_GATEWAY,
        Shown::Unknown => StatusCode::NOT_FOUND,
    };
    let html = render(web, shown, link, language).map_err(|error| {
        tracing::error!(%error, "the payment page cannot be rendered");
        Fault::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something of ours failed. Try again in a moment.",
        )
    })?;
    Ok((status, Html(html)).into_response())
}

fn render(
    web: &Web,
    shown: Shown,
    link: Option<&PaymentLink>,
    language: Language,
) -> Result<String, minijinja::Error> {
    let (language, texts) = texts(language);
    let lines: Vec<Line<'_>> = link
        .iter()
        .flat_map(|link| &link.lines)
        .map(|line| Line {
            title: &line.title,
            quantity: line.quantity,
            unit: line.unit_price.display(language),
            sum: line
                .unit_price
                .times(line.quantity)
                .map(|sum| sum.display(language))
                .unwrap_or_default(),
        })
        .collect();
    web.templates.get_template("pay.html")?.render(context! {
        shop => web.state.shop.name.as_str(),
        language => language.code(),
        t => Serde(texts),
        shown => Serde(shown),
        demo => matches!(web.state.payments, PaymentDoor::Demo(_)),
        lines => Serde(lines),
        id => link.map(|link| link.id.as_str()).unwrap_or_default(),
        total => link.map(|link| link.total.display(language)).unwrap_or_default(),
        order => link.and_then(|link| link.order.as_ref()).map(|order| order.as_str()).unwrap_or_default(),
        expires => link.map(|link| moment(link.expires_at, &web.state.shop.timezone, texts.date)),
    })
}

/// A moment in the shop's time zone; in UTC when the machine does not know the zone.
fn moment(milliseconds: i64, zone: &str, format: &str) -> String {
    let timestamp = Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    let local = timestamp
        .in_tz(zone)
        .unwrap_or_else(|_| timestamp.to_zoned(jiff::tz::TimeZone::UTC));
    local.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_the_shops_time() {
        let moment = |zone| moment(1_793_000_000_000, zone, "%d.%m.%Y %H:%M %Z");
        assert_eq!(moment("Europe/Rome"), "26.10.2026 08:33 CET");
        assert_eq!(moment("No/Where"), "26.10.2026 07:33 UTC");
    }
}
