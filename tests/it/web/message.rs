//! The page with the whole text of a message that WhatsApp shortens.

use sportello::domain::Answer;
use sportello::store::{Intake, Store};

use crate::counter::start;
use crate::store::{NOW, answered, claim, message, sent, taken, text};

/// A conversation on WhatsApp that is answered with this text: the token of its page.
async fn token(store: &Store, id: &str, words: &str) -> Option<String> {
    let intake = Intake {
        messages: vec![(message("+393331234567", id, text("ciao")), 0)],
        ..Intake::default()
    };
    let accepted = store.accept(intake, NOW).await.unwrap().remove(0);
    let claim = claim(store, NOW).await.unwrap();
    store
        .close_turn(answered(&claim, words), NOW)
        .await
        .unwrap();
    let said = store
        .transcript(&accepted.conversation, "", 100)
        .await
        .unwrap();
    let answer: Answer = said.last().unwrap().answer.clone().unwrap();
    let (row, _) = taken(store, NOW).await.unwrap();
    assert_eq!(
        row.message.answer.page, answer.page,
        "what is sent knows its page"
    );
    sent(store, &row, id).await;
    answer.page
}

#[tokio::test]
async fn a_long_answer_has_a_page_that_only_its_token_opens() {
    let counter = start(|_| {}).await;
    assert_eq!(token(&counter.store, "wamid.1", "Breve.").await, None);
    let long = format!("<b>Primo</b>\n\n{}fine", "parola ".repeat(700));
    let token = token(&counter.store, "wamid.2", &long).await.unwrap();
    assert_eq!(token.len(), 32);
    let page = counter.get(&format!("/m/{token}")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let html = page.text().await.unwrap();
    assert!(
        html.contains("fine</p>") && html.contains("lang=\"it\""),
        "{html}"
    );
    assert!(html.contains("&lt;b&gt;Primo"), "text never becomes markup");
    for other in ["0".repeat(32), "x".to_owned(), token[..31].to_owned()] {
        let page = counter.get(&format!("/m/{other}")).send().await.unwrap();
        assert_eq!(page.status(), 404, "{other}");
    }
}
