//! `understand` and `search --batch`: one line out for every line in, in order, whatever the line is.

use serde_json::{Value, json};

use crate::support::program::{Program, run, warm};

/// A thousand lines as bytes, and the text that each stands for.
fn odd_lines() -> Vec<(Vec<u8>, String)> {
    let long = "parola ".repeat(64 * 1024 / 7);
    let plain = [
        "",
        " ",
        "\t",
        "Dov'è il mio ordine?",
        "☕️🤬👩‍👩‍👧‍👦",
        "أين طلبي؟",
        "\u{202e}הזמנה שלי\u{202c}",
        "我的订单在哪里",
        "null",
        "[1, 2]",
        "{\"text\": 7}",
        "{\"message\": \"x\"}",
        "{\"text\": \"cut",
        r#"{"text": "\ud800"}"#,
        r#"{"text": "a\udc00b"}"#,
        "a\u{0}b\u{7}",
        "e\u{301}\u{301}\u{301}",
        "zero\u{200b}width\u{feff}",
        "line\u{2028}separator\u{85}next",
        "\"",
        "''; DROP TABLE inbox; --",
        "{{ 7 * 7 }}",
    ];
    let mut lines: Vec<(Vec<u8>, String)> = plain
        .iter()
        .map(|text| (text.as_bytes().to_vec(), (*text).to_owned()))
        .collect();
    lines.push((long.as_bytes().to_vec(), long));
    lines.push((
        b"caff\xe8 \xff\xfe".to_vec(),
        "caff\u{fffd} \u{fffd}\u{fffd}".to_owned(),
    ));
    for text in ["due\nrighe", "tab\there", "emoji \u{1f600}", ""] {
        lines.push((
            json!({ "text": text, "id": 1 }).to_string().into_bytes(),
            text.to_owned(),
        ));
    }
    lines.push((
        br#"{"text": "\ud83d\ude00"}"#.to_vec(),
        "\u{1f600}".to_owned(),
    ));
    for number in lines.len()..1_000 {
        let text = format!("{} {number}", plain[number % plain.len()]);
        // With a number behind it none of these is JSON any more.
        lines.push((text.clone().into_bytes(), text));
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_odd_lines_are_a_thousand_lines() {
    let data = warm().await;
    let lines = odd_lines();
    let input: Vec<u8> = lines
        .iter()
        .flat_map(|(line, _)| [line.as_slice(), b"\n"].concat())
        .collect();
    let done = run(data.path(), &["understand"], &[], &input).await;
    assert_eq!(done.code, Some(0), "{}", done.said);
    let out = done.lines();
    assert_eq!(out.len(), lines.len());
    for ((_, text), out) in lines.iter().zip(&out) {
        assert_eq!(out["text"], text.as_str());
        let code = out["language"].as_str().unwrap();
        assert!(
            ["en", "it", "es", "pt", "de", "fr"].contains(&code),
            "{code}"
        );
        assert_ne!(out["intent"]["name"], "out_of_scope");
        assert!(out["intent"]["name"].is_string() && out["intent"]["in_scope"].is_boolean());
        assert!(out["intent"]["score"].as_f64().unwrap().is_finite());
        let polarity = out["sentiment"]["polarity"].as_f64().unwrap();
        assert!((-1.0..=1.0).contains(&polarity), "{out}");
        let label = out["sentiment"]["label"].as_str().unwrap();
        assert!(
            ["negative", "neutral", "positive"].contains(&label),
            "{label}"
        );
        assert!(out["sentiment"]["intensity"].as_f64().unwrap().is_finite());
    }
    // The same lines with the other line ending, from a file, and without one at the end.
    let few = &lines[..5];
    let file = data.path().join("lines.txt");
    let text = few
        .iter()
        .map(|(line, _)| String::from_utf8_lossy(line))
        .collect::<Vec<_>>();
    std::fs::write(&file, text.join("\r\n")).unwrap();
    let again = run(
        data.path(),
        &["understand", file.to_str().unwrap()],
        &[],
        "",
    )
    .await;
    assert_eq!(again.lines(), out[..5]);
    assert!(
        run(data.path(), &["understand"], &[], "")
            .await
            .out
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_searches_keeps_its_order_alone_and_beside_a_server() {
    let data = warm().await;
    let queries = [
        "moka per 6 tazze",
        "",
        "{\"text\": \"grinder\", \"id\": 3}",
        "🫖",
        "how long does shipping take?",
        "\u{202e}טחנת קפה",
    ];
    let input = queries.join("\n");
    let arguments = ["search", "--batch", "-", "--limit", "2"];
    let alone = run(data.path(), &arguments, &[], &input).await;
    assert_eq!(alone.code, Some(0), "{alone}");
    let lines = alone.lines();
    let asked: Vec<&str> = lines
        .iter()
        .map(|line| line["query"].as_str().unwrap())
        .collect();
    assert_eq!(
        asked,
        [
            queries[0], "", "grinder", queries[3], queries[4], queries[5]
        ]
    );
    let mut found: Vec<&Value> = lines
        .iter()
        .flat_map(|line| line["results"].as_array().unwrap())
        .collect();
    assert!(
        lines
            .iter()
            .all(|line| line["results"].as_array().unwrap().len() <= 2)
    );
    found.retain(|result| {
        !result["id"].is_string()
            || !result["title"].is_string()
            || !result["kind"].is_string()
            || !result["score"].is_number()
    });
    assert!(found.is_empty(), "{found:?}");

    let file = data.path().join("queries.txt");
    std::fs::write(&file, &input).unwrap();
    let program = Program::serve(data.path(), &[]).await.unwrap();
    let arguments = [
        "search",
        "--batch",
        file.to_str().unwrap(),
        "--limit",
        "2",
        "--json",
    ];
    let beside = run(data.path(), &arguments, &[], "").await;
    assert_eq!(beside.lines(), lines);
    let many = "moka\n".repeat(200);
    let many = run(
        data.path(),
        &["search", "--batch", "-", "--limit", "1"],
        &[],
        many,
    )
    .await;
    assert_eq!(many.lines().len(), 200);
    assert_eq!(program.stop().await, Some(0));
}
