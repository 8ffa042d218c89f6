//! What Meta says of the account, its numbers, its templates and its customers' wishes, through the door.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use sportello::config::Whatsapp;
use sportello::domain::{
    Answer, Channel, ConsentState, ContactId, Filling, Language, MARKETING, Quality,
    TemplateCategory, TemplateMessage, TemplateStatus, TemplateValue,
};
use sportello::store::{Ending, Notification, Notified, Patience, Store};
use sportello::whatsapp::door::{Door, router};
use sportello::whatsapp::intake::Sorter;
use sportello::whatsapp::webhook::{self, AccountEvent, ItemKind};
use tempfile::TempDir;
use tokio::sync::Notify;
use tower::ServiceExt as _;

use crate::store::{taken, work_in};
use crate::support::data::bodies;
use crate::support::graph::{
    NUMBER, SECRET, account_webhook, sign, template_webhook, text_webhook,
};

const PHONE: &str = "+393331234567";

struct Shop {
    store: Store,
    _folder: TempDir,
}

impl Shop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        Self {
            store,
            _folder: folder,
        }
    }

    async fn deliver(&self, body: &Value) {
        let whatsapp = Whatsapp {
            app_secret: vec![SECRET.into()],
            phone_number_id: Some(NUMBER.to_owned()),
            ..Whatsapp::default()
        };
        let sorter = Sorter::new(&whatsapp, 0, Patience::default());
        let door = router(Door {
            store: self.store.clone(),
            arrivals: Arc::new(Notify::new()),
            sorter: sorter.clone(),
            whatsapp,
        });
        let bytes = body.to_string().into_bytes();
        let request = Request::post("/webhooks/whatsapp")
            .header("x-hub-signature-256", sign(SECRET, &bytes))
            .body(Body::from(bytes))
            .unwrap();
        assert_eq!(
            door.oneshot(request).await.unwrap().status(),
            StatusCode::OK
        );
        work_in(&self.store, &sorter).await;
    }

    async fn says(&self, id: &str, text: &str) {
        let now = jiff::Timestamp::now().as_second();
        self.deliver(&text_webhook("393331234567", id, text, now))
            .await;
    }

    async fn contact(&self) -> ContactId {
        let store = &self.store;
        let id = store
            .conversation_of(Channel::Whatsapp, PHONE, NUMBER)
            .await;
        let state = store.conversation(&id.unwrap().unwrap()).await.unwrap();
        state.unwrap().contact.id
    }

    async fn consent(&self) -> Option<ConsentState> {
        let contact = self.contact().await;
        self.store.consent_of(&contact, MARKETING).await.unwrap()
    }

    async fn notify(&self, key: &str, template: &str) -> Notified {
        let filled = TemplateMessage {
            name: template.to_owned(),
            language: "it".to_owned(),
            header: None,
            body: vec![TemplateValue {
                name: Some("order".to_owned()),
                value: Filling::Text {
                    text: "10412".to_owned(),
                },
            }],
            buttons: Vec::new(),
        };
        let notification = Notification {
            key: key.to_owned(),
            sender: NUMBER.to_owned(),
            phone: PHONE.to_owned(),
            language: Language::IT,
            answer: Answer {
                template: Some(Box::new(filled)),
                ..Answer::text("Novità")
            },
        };
        let now = sportello::clock::now();
        self.store.notify(notification, now).await.unwrap()
    }
}

fn wish(value: &str, timestamp: i64) -> Value {
    let mut body = text_webhook("393331234567", "x", "x", 1);
    let change = &mut body["entry"][0]["changes"][0];
    change["field"] = json!("user_preferences");
    change["value"].as_object_mut().unwrap().remove("messages");
    change["value"]["user_preferences"] = json!([{
        "wa_id": "393331234567", "category": "marketing_messages", "value": value,
        "detail": "User requested it", "timestamp": timestamp,
    }]);
    body
}

#[test]
fn every_shared_event_of_the_account_has_a_type() {
    let mut typed = 0;
    for (path, body) in bodies("whatsapp/pywa/updates-flat") {
        let known = ["account_update", "template_", "user_marketing_preferences"];
        if !known
            .iter()
            .any(|kind| path.rsplit('/').next().unwrap().starts_with(kind))
        {
            continue;
        }
        for item in webhook::parse(body.as_bytes()).unwrap().items {
            assert!(matches!(item.kind, ItemKind::Other { .. }), "{path}");
            assert_ne!(item.account_event(), AccountEvent::Unknown, "{path}");
            typed += 1;
        }
    }
    assert!(typed == 0 || typed > 20, "{typed}");
}

#[tokio::test]
async fn a_whole_message_stops_and_resumes_and_the_latest_counts() {
    let shop = Shop::open().await;
    shop.says("wamid.1", "start").await;
    assert_eq!(shop.consent().await, None, "a greeting is no consent");
    shop.says("wamid.2", "please stop the order").await;
    assert_eq!(
        shop.consent().await,
        None,
        "a word in a sentence asks for nothing"
    );
    shop.says("wamid.3", "Basta!").await;
    assert_eq!(shop.consent().await, Some(ConsentState::Revoked));
    shop.says("wamid.4", "START").await;
    assert_eq!(shop.consent().await, Some(ConsentState::Granted));
    shop.says("wamid.3", "Basta!").await;
    assert_eq!(
        shop.consent().await,
        Some(ConsentState::Granted),
        "it came twice"
    );
    shop.deliver(&wish("stop", 1_795_000_001)).await;
    assert_eq!(shop.consent().await, Some(ConsentState::Revoked));
    shop.deliver(&wish("resume", 1_795_000_002)).await;
    shop.deliver(&wish("stop", 1_795_000_001)).await;
    assert_eq!(
        shop.consent().await,
        Some(ConsentState::Granted),
        "the stop came twice"
    );
    shop.deliver(&wish("perhaps", 1_795_000_003)).await;
    assert_eq!(shop.consent().await, Some(ConsentState::Granted));
}

#[tokio::test]
async fn a_refusal_by_meta_for_an_opt_out_is_a_no_even_of_a_stranger() {
    let shop = Shop::open().await;
    let mut body = text_webhook("x", "x", "x", 1);
    let value = &mut body["entry"][0]["changes"][0]["value"];
    value.as_object_mut().unwrap().remove("messages");
    value["statuses"] = json!([{
        "id": "wamid.9", "status": "failed", "timestamp": "1795000000", "recipient_id": "393331234567",
        "errors": [{ "code": 131_050, "title": "opted out" }],
    }]);
    shop.deliver(&body).await;
    shop.says("wamid.1", "ciao").await;
    assert_eq!(shop.consent().await, Some(ConsentState::Revoked));
}

#[tokio::test]
async fn templates_follow_what_meta_says() {
    let shop = Shop::open().await;
    let refused = |notified: Notified| matches!(notified, Notified::NoTemplate(_));
    assert!(
        refused(shop.notify("a", "order_update").await),
        "unknown to Meta"
    );
    shop.deliver(&template_webhook("APPROVED", "order_update", "IT"))
        .await;
    let sent = shop.notify("a", "order_update").await;
    assert!(
        matches!(sent, Notified::Queued { template: true, .. }),
        "{sent:?}"
    );
    assert!(matches!(
        shop.notify("a", "order_update").await,
        Notified::Before { .. }
    ));

    for event in ["PAUSED", "DISABLED", "REJECTED", "SOMETHING_NEW"] {
        shop.deliver(&template_webhook(event, "order_update", "it"))
            .await;
        assert!(refused(shop.notify("b", "order_update").await), "{event}");
    }
    // What waits in the outbox is looked at again when it is sent.
    let now = sportello::clock::now();
    assert!(taken(&shop.store, now).await.is_none());

    shop.deliver(&template_webhook("REINSTATED", "order_update", "it"))
        .await;
    let category = json!({ "message_template_id": 1, "message_template_name": "order_update",
        "message_template_language": "it", "new_category": "MARKETING" });
    shop.deliver(&account_webhook("template_category_update", category))
        .await;
    assert_eq!(shop.notify("c", "order_update").await, Notified::NoConsent);
    let contact = shop.contact().await;
    let yes = sportello::domain::ConsentChange::marketing(ConsentState::Granted, "desk", None);
    assert!(shop.store.record_consent(&contact, yes, now).await.unwrap());
    let sent = shop.notify("c", "order_update").await;
    assert!(
        matches!(sent, Notified::Queued { template: true, .. }),
        "{sent:?}"
    );

    let quality = json!({ "message_template_name": "order_update", "message_template_language": "it",
        "message_template_id": 1, "previous_quality_score": "GREEN", "new_quality_score": "RED" });
    shop.deliver(&account_webhook("message_template_quality_update", quality))
        .await;
    let known = shop.store.channel_templates().await.unwrap().remove(0);
    assert_eq!(known.quality, Some(Quality::Red));
    assert_eq!(known.category, Some(TemplateCategory::Marketing));
    assert_eq!(known.status, Some(TemplateStatus::Approved));
    let alerts = shop.store.alerts().await.unwrap();
    let told: i64 = alerts.iter().map(|alert| alert.times).sum();
    assert_eq!(told, 6, "{alerts:?}");
}

#[tokio::test]
async fn inside_the_day_it_goes_as_text_and_after_it_as_a_template() {
    let shop = Shop::open().await;
    shop.deliver(&template_webhook("APPROVED", "order_update", "it"))
        .await;
    shop.says("wamid.1", "ciao").await;
    for key in ["a", "b"] {
        let sent = shop.notify(key, "order_update").await;
        assert!(
            matches!(
                sent,
                Notified::Queued {
                    template: false,
                    ..
                }
            ),
            "{sent:?}"
        );
    }
    let now = sportello::clock::now();
    let (text, _) = taken(&shop.store, now).await.unwrap();
    assert_eq!(text.message.answer.template, None);
    let ended = Ending::Sent("wamid.out".to_owned());
    shop.store.record_sending(&text, ended, now).await.unwrap();
    let tomorrow = now + 25 * 60 * 60 * 1000;
    let (late, _) = taken(&shop.store, tomorrow).await.unwrap();
    assert!(
        late.message.answer.template.is_some(),
        "the window closed while it waited"
    );
}

#[tokio::test]
async fn a_banned_account_sends_nothing_until_it_is_free() {
    let shop = Shop::open().await;
    shop.deliver(&template_webhook("APPROVED", "order_update", "it"))
        .await;
    shop.notify("a", "order_update").await;
    let ban = |state: &str| {
        let value = json!({ "event": "DISABLED_UPDATE", "ban_info": { "waba_ban_state": state } });
        account_webhook("account_update", value)
    };
    shop.deliver(&ban("DISABLE")).await;
    let now = sportello::clock::now();
    assert!(taken(&shop.store, now).await.is_none());
    let number = shop.store.channel_numbers().await.unwrap().remove(0);
    assert_eq!(
        number.stopped_reason.as_deref(),
        Some("the account is disabled")
    );
    shop.deliver(&ban("REINSTATE")).await;
    assert!(taken(&shop.store, now + 120_000).await.is_some());

    let restricted = |kind: &str, until: i64| {
        let value = json!({ "event": "ACCOUNT_RESTRICTION", "restriction_info": [
            { "restriction_type": kind, "expiration": until } ] });
        account_webhook("account_update", value)
    };
    let stopped = async || {
        let number = shop.store.channel_numbers().await.unwrap().remove(0);
        number.stopped_reason.zip(number.stopped_until)
    };
    shop.deliver(&restricted("RESTRICTED_ADD_PHONE_NUMBER_ACTION", 1))
        .await;
    assert_eq!(stopped().await, None, "messages are not meant");
    let until = now / 1000 + 3600;
    shop.deliver(&restricted("RESTRICTED_BIZ_INITIATED_MESSAGING", until))
        .await;
    assert_eq!(stopped().await.unwrap().1, until * 1000);
    shop.deliver(&account_webhook(
        "account_update",
        json!({ "event": "ACCOUNT_DELETED" }),
    ))
    .await;
    let number = shop.store.channel_numbers().await.unwrap().remove(0);
    assert_eq!(
        (number.stopped_reason.is_some(), number.stopped_until),
        (true, None)
    );
}

#[tokio::test]
async fn quality_tier_and_alerts_are_kept_and_can_be_put_aside() {
    let shop = Shop::open().await;
    let events = [
        (
            "phone_number_quality_update",
            json!({ "display_phone_number": "15550783881", "event": "FLAGGED", "current_limit": "TIER_10K" }),
        ),
        (
            "business_capability_update",
            json!({ "max_daily_conversation_per_phone": 2000, "max_phone_numbers_per_business": 25 }),
        ),
        (
            "account_alerts",
            json!({ "alert_type": "OBA_APPROVED", "alert_severity": "INFORMATIONAL", "alert_description": "Approved" }),
        ),
        ("account_review_update", json!({ "decision": "APPROVED" })),
        (
            "phone_number_name_update",
            json!({ "display_phone_number": "15550783881", "decision": "REJECTED", "requested_verified_name": "x", "rejection_reason": "NAME_FORMAT" }),
        ),
        (
            "security",
            json!({ "display_phone_number": "15550783881", "event": "PIN_CHANGED", "requester": "1" }),
        ),
        ("account_update", json!({ "event": "SOMETHING_NEW" })),
        ("something_new", json!({ "a": 1 })),
        ("phone_number_quality_update", json!({ "broken": true })),
    ];
    for (field, value) in &events {
        shop.deliver(&account_webhook(field, value.clone())).await;
        shop.deliver(&account_webhook(field, value.clone())).await;
    }
    let numbers = shop.store.channel_numbers().await.unwrap();
    assert_eq!(numbers.len(), 1, "{numbers:?}");
    assert_eq!(numbers[0].number, NUMBER);
    assert_eq!(numbers[0].quality, Some(Quality::Red));
    assert_eq!(numbers[0].tier.as_deref(), Some("2000"));
    let alerts = shop.store.alerts().await.unwrap();
    assert_eq!(alerts.len(), 6, "{alerts:?}");
    assert!(
        alerts.iter().all(|alert| alert.times == 1),
        "once each: {alerts:?}"
    );
    let now = sportello::clock::now();
    let (kind, subject) = (&alerts[0].kind, &alerts[0].subject);
    assert!(shop.store.clear_alert(kind, subject, now).await.unwrap());
    assert!(!shop.store.clear_alert("none", subject, now).await.unwrap());
    assert_eq!(shop.store.alerts().await.unwrap().len(), 5);
}
