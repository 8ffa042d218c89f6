//! Dead letters: kept once, tried again by hand, beside whoever uses the database.

use serde_json::{Value, json};
use sportello::config;
use sportello::store::{Patience, Store};
use sportello::whatsapp::intake::Sorter;

use super::{NOW, count, empty};
use crate::support::graph::{NUMBER, SECRET, text_webhook};
use crate::support::program::run;

/// Sorts for another number than the stand-in's.
fn stranger() -> Sorter {
    let config = config::Whatsapp {
        phone_number_id: Some("999".to_owned()),
        ..config::Whatsapp::default()
    };
    Sorter::new(&config, 0, Patience::default())
}

async fn bury(store: &Store) {
    let mut body = text_webhook("393331234567", "wamid.1", "ciao", NOW / 1000);
    let messages = &mut body["entry"][0]["changes"][0]["value"]["messages"];
    messages.as_array_mut().unwrap().push(json!(7));
    for body in [body.to_string(), "{".to_owned()] {
        let intake = stranger().intake(body.as_bytes());
        for _ in 0..2 {
            store.accept(intake.clone(), NOW).await.unwrap();
        }
    }
}

#[tokio::test]
async fn letters_are_listed_shown_and_replayed_from_the_command_line() {
    let (folder, store) = empty().await;
    bury(&store).await;
    let variables = [
        ("SPORTELLO_WHATSAPP__APP_SECRET", SECRET),
        ("SPORTELLO_WHATSAPP__PHONE_NUMBER_ID", NUMBER),
    ];
    let command = async |arguments: &[&str]| {
        let mut all = vec!["deadletter"];
        all.extend(arguments);
        run(folder.path(), &all, &variables, "").await
    };
    let listed = command(&["list", "--json"]).await.json();
    let letters = listed.as_array().unwrap();
    assert_eq!(letters.len(), 3, "each once: {listed}");
    let reasons: Vec<&str> = letters
        .iter()
        .map(|one| one["reason"].as_str().unwrap())
        .collect();
    assert!(
        reasons[0].contains("not in the configuration"),
        "{reasons:?}"
    );
    assert!(reasons[2].starts_with("not JSON"), "{reasons:?}");
    let id = letters[0]["id"].as_str().unwrap();
    let shown: Value = command(&["show", id]).await.json();
    assert_eq!(
        shown["entry"][0]["changes"][0]["value"]["messages"][0]["id"],
        "wamid.1"
    );
    assert_eq!(command(&["list"]).await.out.lines().count(), 3);

    // Now the number is configured: what is right goes the way of every delivery, the rest stays.
    let replayed = command(&["replay", "--all", "--json"]).await;
    assert_eq!(replayed.code, Some(1), "{replayed}");
    let replayed = replayed.json();
    assert_eq!(
        (&replayed[0]["messages"], &replayed[0]["reason"]),
        (&json!(1), &json!(null))
    );
    assert_eq!(replayed[1]["reason"], "a message that is no object");
    assert!(
        replayed[2]["reason"]
            .as_str()
            .unwrap()
            .starts_with("not JSON")
    );
    assert_eq!(count(folder.path(), "SELECT COUNT(*) FROM inbox").await, 1);
    assert_eq!(command(&["list"]).await.out.lines().count(), 2);
    let all = command(&["list", "--all", "--json"]).await.json();
    assert_eq!(all.as_array().unwrap().len(), 3);

    // Again: nothing is stored twice.
    let again = command(&["replay", id, "--json"]).await;
    assert_eq!(
        (again.code, &again.json()[0]["messages"]),
        (Some(0), &json!(0))
    );
    assert_eq!(count(folder.path(), "SELECT COUNT(*) FROM inbox").await, 1);
    for wrong in [
        &["show", "nothing"][..],
        &["replay", "nothing"],
        &["replay"],
    ] {
        assert_eq!(command(wrong).await.code, Some(2), "{wrong:?}");
    }
}
