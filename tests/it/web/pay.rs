//! The payment page.

use std::sync::Arc;

use reqwest::header;
use sportello::clock;
use sportello::ports::PaymentError;
use sportello::web::PaymentDoor;

use crate::counter::start;

#[tokio::test]
async fn a_demo_link_is_paid_once() {
    let counter = start(|_| {}).await;
    let (_, conversation) = counter.visitor("ok").await;
    let link = counter.payment(&conversation, clock::now() + 60_000).await;
    let path = format!("/pay/{}", link.id);
    let page = counter.get(&path).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let html = page.text().await.unwrap();
    assert!(
        html.contains("nessun addebito") && html.contains("298,00\u{a0}€"),
        "{html}"
    );
    assert!(html.contains("Macchina &lt;espresso&gt; Aria") && html.contains("lang=\"it\""));

    let paid = counter.post(&path).send().await.unwrap();
    assert_eq!(
        (
            paid.status().as_u16(),
            paid.headers()[header::LOCATION].to_str().unwrap()
        ),
        (303, path.as_str())
    );
    let order = counter
        .store
        .payment(&link.id)
        .await
        .unwrap()
        .unwrap()
        .order
        .unwrap();
    for page in [
        counter.get(&path).send().await.unwrap(),
        counter.post(&path).send().await.unwrap(),
    ] {
        let html = page.text().await.unwrap();
        assert!(
            html.contains("Pagato, grazie") && html.contains(&format!(">{order}<")),
            "{html}"
        );
        assert!(!html.contains("<form"));
    }
    let thanks = counter
        .store
        .transcript(&conversation, "", 10)
        .await
        .unwrap();
    assert_eq!(thanks.len(), 2, "one thank-you");
}

#[tokio::test]
async fn an_expired_or_unknown_link_says_what_to_do() {
    let counter = start(|_| {}).await;
    let (_, conversation) = counter.visitor("ok").await;
    let link = counter.payment(&conversation, clock::now() - 1).await;
    let path = format!("/pay/{}", link.id);
    for page in [
        counter.get(&path).send().await.unwrap(),
        counter.post(&path).send().await.unwrap(),
    ] {
        assert_eq!(page.status(), 410);
        assert!(page.text().await.unwrap().contains("chiedi un nuovo link"));
    }
    assert_eq!(
        counter
            .store
            .payment(&link.id)
            .await
            .unwrap()
            .unwrap()
            .order,
        None
    );
    let unknown = counter.get("/pay/none").send().await.unwrap();
    assert_eq!(unknown.status(), 404);
    assert!(
        unknown
            .text()
            .await
            .unwrap()
            .contains("no such payment link")
    );
}

#[tokio::test]
async fn a_hosted_link_leads_to_the_provider_and_cannot_be_paid_here() {
    let counter = start(|state| {
        state.payments = PaymentDoor::Hosted(Arc::new(|link| {
            Box::pin(async move { Ok(format!("https://pay.example/c/{}", link.id)) })
        }));
    })
    .await;
    let (_, conversation) = counter.visitor("ok").await;
    let link = counter.payment(&conversation, clock::now() + 60_000).await;
    let path = format!("/pay/{}", link.id);
    let sent_on = counter.get(&path).send().await.unwrap();
    assert_eq!(sent_on.status(), 303);
    assert_eq!(
        sent_on.headers()[header::LOCATION],
        format!("https://pay.example/c/{}", link.id)
    );
    let back = counter
        .get(&format!("{path}?returned=1"))
        .send()
        .await
        .unwrap();
    assert!(
        back.text()
            .await
            .unwrap()
            .contains("http-equiv=\"refresh\"")
    );
    assert_eq!(counter.post(&path).send().await.unwrap().status(), 405);
    assert_eq!(
        counter
            .store
            .payment(&link.id)
            .await
            .unwrap()
            .unwrap()
            .order,
        None
    );
}

#[tokio::test]
async fn a_provider_that_is_away_is_said_so() {
    let counter = start(|state| {
        state.payments = PaymentDoor::Hosted(Arc::new(|_| {
            Box::pin(async { Err(PaymentError::Unavailable("timeout".to_owned())) })
        }));
    })
    .await;
    let (_, conversation) = counter.visitor("ok").await;
    let link = counter.payment(&conversation, clock::now() + 60_000).await;
    let page = counter
        .get(&format!("/pay/{}", link.id))
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 502);
    assert!(
        page.text()
            .await
            .unwrap()
            .contains("Non è stato addebitato nulla")
    );
}
