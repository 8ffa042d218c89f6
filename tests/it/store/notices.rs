//! Edits, revocations, echoes and late messages; any order of any batches ends in the same state.

use proptest::prelude::*;
use serde_json::{Value, json};
use sportello::config;
use sportello::domain::{Holder, InboundContent};
use sportello::store::{Patience, Store};
use sportello::whatsapp::intake::Sorter;
use sqlx::Row as _;
use std::path::Path;

use super::{LEASE, NOW, OURS, answered, claim, count, deliver, empty, second_connection};
use crate::support::graph::text_webhook;

const CUSTOMER: &str = "393331234567";

fn sorter() -> Sorter {
    let config = config::Whatsapp {
        phone_number_id: Some(OURS.to_owned()),
        ..config::Whatsapp::default()
    };
    let patience = Patience {
        burst: Some(10_000),
        late: Some(30 * 60_000),
        voice: 60_000,
    };
    Sorter::new(&config, 0, patience)
}

fn element(id: &str, seconds: i64, kind: &str, content: Value) -> Value {
    let at = (NOW / 1000 + seconds).to_string();
    json!({ "from": CUSTOMER, "id": id, "timestamp": at, "type": kind, kind: content })
}

fn said(id: &str, seconds: i64, words: &str) -> Value {
    element(id, seconds, "text", json!({ "body": words }))
}

fn edit(id: &str, seconds: i64, original: &str, words: &str) -> Value {
    let message = json!({ "type": "text", "text": { "body": words } });
    let edit = json!({ "original_message_id": original, "message": message });
    element(id, seconds, "edit", edit)
}

fn revoke(id: &str, seconds: i64, original: &str) -> Value {
    element(
        id,
        seconds,
        "revoke",
        json!({ "original_message_id": original }),
    )
}

fn echo(mut message: Value) -> Value {
    message["to"] = message["from"].take();
    message["from"] = json!("390212345678");
    message
}

/// A body with these elements.
fn body(list: &str, elements: &[Value]) -> Value {
    let mut body = text_webhook(CUSTOMER, "x", "x", 1);
    let change = &mut body["entry"][0]["changes"][0];
    if list == "message_echoes" {
        change["field"] = json!("smb_message_echoes");
    }
    let value = change["value"].as_object_mut().unwrap();
    value.remove("messages");
    value.insert(list.to_owned(), json!(elements));
    body
}

async fn take(store: &Store, body: &Value, now: i64) {
    deliver(store, &sorter(), body, now).await;
}

async fn messages(store: &Store, elements: &[Value], now: i64) {
    take(store, &body("messages", elements), now).await;
}

async fn rows(folder: &Path, query: &'static str) -> Vec<String> {
    let mut connection = second_connection(folder).await;
    let rows = sqlx::query(query).fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn texts(folder: &Path) -> Vec<String> {
    rows(
        folder,
        "SELECT speaker || ': ' || text FROM messages ORDER BY id",
    )
    .await
}

#[tokio::test]
async fn an_edit_replaces_what_waits_and_marks_what_was_answered() {
    let (folder, store) = empty().await;
    messages(&store, &[said("a", 0, "due mooka")], NOW).await;
    messages(&store, &[edit("b", 5, "a", "due moka")], NOW + 5_000).await;
    assert_eq!(texts(folder.path()).await, ["customer: due moka"]);
    let held = claim(&store, NOW + 20_000).await.unwrap();
    let words: Vec<&str> = held
        .pending
        .iter()
        .filter_map(|one| one.content.words())
        .collect();
    assert_eq!(words, ["due moka"]);
    store
        .close_turn(answered(&held, "ecco"), NOW + 20_000)
        .await
        .unwrap();
    messages(&store, &[edit("c", 60, "a", "tre moka")], NOW + 60_000).await;
    let said = store.transcript(&held.state.id, "", 10).await.unwrap();
    assert_eq!(
        (said[0].text.as_str(), said[0].edited_at),
        ("tre moka", Some(NOW + 60_000))
    );
    assert_eq!(said[1].edited_at, None);
}

#[tokio::test]
async fn what_is_taken_back_is_gone_from_everywhere() {
    let (folder, store) = empty().await;
    messages(&store, &[said("a", 0, "segreto")], NOW).await;
    messages(&store, &[edit("b", 1, "a", "segretissimo")], NOW).await;
    messages(&store, &[revoke("c", 2, "a"), said("d", 3, "scusa")], NOW).await;
    assert_eq!(
        texts(folder.path()).await,
        ["customer: ", "customer: scusa"]
    );
    let kept = "SELECT COUNT(*) FROM inbox WHERE content LIKE '%segret%'";
    assert_eq!(count(folder.path(), kept).await, 0);
    for bodies in [
        "SELECT COUNT(*) FROM messages WHERE body LIKE '%segret%'",
        "SELECT COUNT(*) FROM webhooks WHERE body LIKE '%segret%'",
    ] {
        assert_eq!(count(folder.path(), bodies).await, 0);
    }
    let held = claim(&store, NOW + 20_000).await.unwrap();
    let words: Vec<&str> = held
        .pending
        .iter()
        .filter_map(|one| one.content.words())
        .collect();
    assert_eq!(words, ["scusa"]);
    let shown = store.transcript(&held.state.id, "", 10).await.unwrap();
    assert_eq!(shown[0].kind.as_deref(), Some("revoked"));
}

#[tokio::test]
async fn nobody_changes_what_another_wrote() {
    let (folder, store) = empty().await;
    messages(&store, &[said("a", 0, "mio")], NOW).await;
    let mut foreign = edit("b", 1, "a", "tuo");
    foreign["from"] = json!("393330000000");
    messages(&store, &[foreign], NOW).await;
    take(
        &store,
        &body("message_echoes", &[echo(revoke("c", 2, "a"))]),
        NOW,
    )
    .await;
    assert_eq!(texts(folder.path()).await, ["customer: mio"]);
}

#[tokio::test]
async fn a_colleague_on_the_phone_app_pauses_the_agent_once() {
    let (folder, store) = empty().await;
    messages(&store, &[said("a", 0, "ciao")], NOW).await;
    let answer = body(
        "message_echoes",
        &[echo(said("b", 5, "eccomi, sono Marta"))],
    );
    take(&store, &answer, NOW).await;
    let held = claim(&store, NOW + 20_000).await.unwrap();
    assert_eq!(held.state.holder, Holder::Human);
    assert_eq!(
        texts(folder.path()).await,
        ["customer: ciao", "human: eccomi, sono Marta"]
    );
    // Handed back, the same echo again pauses nothing.
    store.close_turn(answered(&held, "-"), NOW).await.unwrap();
    store
        .set_holder(&held.state.id, Holder::Agent, NOW)
        .await
        .unwrap();
    take(&store, &answer, NOW + 1).await;
    let state = store.conversation(&held.state.id).await.unwrap().unwrap();
    assert_eq!(state.holder, Holder::Agent);
    assert_eq!(texts(folder.path()).await.len(), 2);
    take(
        &store,
        &body("message_echoes", &[echo(edit("c", 9, "b", "eccomi"))]),
        NOW,
    )
    .await;
    assert_eq!(texts(folder.path()).await[1], "human: eccomi");
}

#[tokio::test]
async fn after_an_outage_there_is_one_answer() {
    let (_folder, store) = empty().await;
    let hour = 3_600;
    let old: Vec<Value> = (0..40)
        .map(|nth| said(&format!("old{nth}"), -24 * hour + nth, "c'è qualcuno?"))
        .collect();
    let newest = said("new", -2 * hour, "allora?");
    // The newest comes first, as a retry may.
    messages(&store, &[newest], NOW).await;
    let held = claim(&store, NOW + LEASE).await.unwrap();
    assert!(
        !held.outdated,
        "the newest is answered, however late it comes"
    );
    store
        .close_turn(answered(&held, "sì"), NOW + LEASE)
        .await
        .unwrap();
    messages(&store, &old, NOW + LEASE + 1).await;
    let held = claim(&store, NOW + 2 * LEASE).await.unwrap();
    assert_eq!(held.pending.len(), 40);
    assert!(held.outdated, "what is older is kept and not answered");
    store
        .close_turn(answered(&held, "-"), NOW + 2 * LEASE)
        .await
        .unwrap();
    messages(&store, &[said("now", 200, "ancora qui?")], NOW + 200_000).await;
    let held = claim(&store, NOW + 3 * LEASE + 200_000).await.unwrap();
    assert!(!held.outdated);
}

#[tokio::test]
async fn what_comes_late_together_is_one_turn_in_the_order_it_was_written() {
    let (_folder, store) = empty().await;
    let late = [said("b", -5_000, "due"), said("a", -6_000, "uno")];
    messages(&store, &late, NOW).await;
    assert_eq!(
        store.next_due().await.unwrap(),
        Some(NOW + 10_000),
        "more may come"
    );
    let held = claim(&store, NOW + 10_000).await.unwrap();
    let words: Vec<&str> = held
        .pending
        .iter()
        .filter_map(|one| one.content.words())
        .collect();
    assert_eq!((words, held.outdated), (vec!["uno", "due"], false));
}

#[tokio::test]
async fn the_latest_advertisement_stays_with_the_conversation() {
    let (_folder, store) = empty().await;
    let ad = |id: &str, seconds: i64, headline: &str| {
        let mut message = said(id, seconds, "info?");
        message["referral"] = json!({ "source_type": "ad", "headline": headline });
        message
    };
    messages(&store, &[ad("b", 60, "Estate"), ad("a", 0, "Inverno")], NOW).await;
    messages(&store, &[said("c", 90, "allora?")], NOW).await;
    let held = claim(&store, NOW + LEASE).await.unwrap();
    let referral = held.state.referral.unwrap();
    assert_eq!(referral.headline.as_deref(), Some("Estate"));
    let desk = store
        .desk_conversation(&held.state.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(desk.referral, Some(referral));
}

/// A day at the counter: everything that two customers and a colleague do.
fn day() -> Vec<(&'static str, Value)> {
    let other = |mut message: Value| {
        message["from"] = json!("393330000000");
        message["from_user_id"] = json!("IT.22222222222222222222");
        message
    };
    let reaction = json!({ "message_id": "a", "emoji": "👍" });
    let place = json!({ "latitude": 45.0, "longitude": 9.0 });
    let image = json!({ "id": "7001", "mime_type": "image/jpeg", "caption": "guarda" });
    let status = |name: &str| {
        json!({ "id": "wamid.out", "status": name, "timestamp": "1795000000",
            "recipient_id": CUSTOMER })
    };
    vec![
        ("messages", said("a", 0, "ciao")),
        ("messages", edit("b", 2, "a", "ciao!")),
        ("messages", edit("c", 3, "a", "buongiorno")),
        ("messages", said("d", 4, "sbagliato")),
        ("messages", revoke("e", 6, "d")),
        ("messages", edit("f", 5, "d", "ancora sbagliato")),
        ("messages", element("g", 7, "reaction", reaction)),
        ("messages", element("h", 8, "location", place)),
        ("messages", element("i", 9, "image", image)),
        (
            "messages",
            element("j", 10, "hologram", json!({ "depth": 3 })),
        ),
        ("messages", other(said("k", 11, "io sono un'altra"))),
        ("messages", other(revoke("l", 12, "a"))),
        ("messages", json!("poison")),
        ("message_echoes", echo(said("m", 13, "arrivo"))),
        ("message_echoes", echo(edit("n", 14, "m", "arrivo subito"))),
        ("statuses", status("sent")),
        ("statuses", status("delivered")),
        (
            "user_preferences",
            json!({ "wa_id": CUSTOMER, "category": "marketing_messages", "value": "stop" }),
        ),
    ]
}

/// What must not depend on how the day arrived.
async fn end_state(folder: &Path) -> Vec<Vec<String>> {
    let queries = [
        "SELECT address || ' ' || COALESCE(phone, '-') || ' ' || COALESCE(user_id, '-') || ' ' || \
         COALESCE(name, '-') FROM contacts ORDER BY 1",
        "SELECT c.address || ' ' || v.holder || ' ' || v.recipient FROM conversations v \
         JOIN contacts c ON c.id = v.contact_id ORDER BY 1",
        "SELECT i.external_id || ' ' || c.address || ' ' || i.content || ' ' || COALESCE(i.target, '-') \
         FROM inbox i JOIN conversations v ON v.id = i.conversation_id \
         JOIN contacts c ON c.id = v.contact_id ORDER BY 1",
        "SELECT i.external_id || ' ' || m.speaker || ' ' || m.text || ' ' || m.body || ' ' || \
         (m.revoked_at IS NULL) FROM messages m JOIN inbox i ON i.id = m.id ORDER BY 1",
        "SELECT i.external_id || ' ' || f.external_id || ' ' || f.state FROM media f \
         JOIN inbox i ON i.id = f.message_id ORDER BY 1",
        "SELECT recipient || ' ' || key || ' ' || kind || ' ' || body FROM events ORDER BY 1",
        "SELECT recipient || ' ' || key || ' ' || reason || ' ' || body FROM dead_letters ORDER BY 1",
    ];
    let mut state = Vec::new();
    for query in queries {
        state.push(rows(folder, query).await);
    }
    state
}

/// The day in batches: which elements each body holds, some of them several times.
async fn arrives(batches: &[Vec<usize>]) -> Vec<Vec<String>> {
    let (folder, store) = empty().await;
    let day = day();
    let sorter = sorter();
    for batch in batches {
        let mut changes = Vec::new();
        for place in batch {
            let (list, element) = &day[place % day.len()];
            changes
                .push(body(list, std::slice::from_ref(element))["entry"][0]["changes"][0].clone());
        }
        let mut whole = text_webhook(CUSTOMER, "x", "x", 1);
        whole["entry"][0]["changes"] = json!(changes);
        let intake = sorter.intake(whole.to_string().as_bytes());
        store.accept(intake, NOW).await.unwrap();
    }
    end_state(folder.path()).await
}

/// All elements at least once, in any order, cut anywhere.
fn batches() -> impl Strategy<Value = Vec<Vec<usize>>> {
    let count = day().len();
    let order = prop::collection::vec(0..count, 0..12).prop_flat_map(move |again| {
        let mut all: Vec<usize> = (0..count).collect();
        all.extend(again);
        Just(all).prop_shuffle()
    });
    (order, prop::collection::vec(1..7_usize, 30)).prop_map(|(order, sizes)| {
        let mut rest = order.as_slice();
        let mut batches = Vec::new();
        for size in sizes {
            let (batch, left) = rest.split_at(size.min(rest.len()));
            batches.push(batch.to_vec());
            rest = left;
        }
        batches.push(rest.to_vec());
        batches
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_any_batches_ends_the_same(batches in batches()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let whole = vec![(0..day().len()).collect()];
            assert_eq!(arrives(&batches).await, arrives(&whole).await);
        });
    }
}

#[tokio::test]
async fn a_thousand_items_in_many_entries_are_all_stored_and_the_poison_costs_nothing() {
    let (folder, store) = empty().await;
    let words = "parola ".repeat(420);
    let entries: Vec<Value> = (0..10)
        .map(|entry| {
            let changes: Vec<Value> = (0..10)
                .map(|change| {
                    let mut elements: Vec<Value> = (0..10)
                        .map(|nth| {
                            let mut message =
                                said(&format!("w.{entry}.{change}.{nth}"), nth, &words);
                            message["from"] = json!(format!("39333{entry:04}{change:02}{nth}"));
                            message
                        })
                        .collect();
                    elements[3] = json!(["poison", entry, change]);
                    body("messages", &elements)["entry"][0]["changes"][0].clone()
                })
                .collect();
            json!({ "id": entry.to_string(), "changes": changes })
        })
        .collect();
    let whole = json!({ "object": "whatsapp_business_account", "entry": entries }).to_string();
    assert!(whole.len() > 2_500_000, "{}", whole.len());
    let intake = sorter().intake(whole.as_bytes());
    for _ in 0..2 {
        store.accept(intake.clone(), NOW).await.unwrap();
    }
    assert_eq!(
        count(folder.path(), "SELECT COUNT(*) FROM inbox").await,
        900
    );
    assert_eq!(
        count(folder.path(), "SELECT COUNT(*) FROM contacts").await,
        900
    );
    assert_eq!(
        count(folder.path(), "SELECT COUNT(*) FROM dead_letters").await,
        100
    );
    let first = store.dead_letters(false, 1).await.unwrap().remove(0);
    assert_eq!(first.reason, "a message that is no object");
}

#[test]
fn a_silent_kind_is_known_by_its_content() {
    let kept = serde_json::to_value(InboundContent::Silent {
        kind: "system".to_owned(),
    });
    assert_eq!(kept.unwrap(), json!({ "type": "silent", "kind": "system" }));
}
