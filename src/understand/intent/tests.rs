use super::*;

const INTENTS: [&str; 4] = ["order_status", "shipping_info", "thanks", OUT_OF_SCOPE];

/// Twenty made-up examples an intent, each near its intent's own direction.
fn examples() -> (Vec<LabelledText>, Vec<Vec<f32>>) {
    let words = [
        ["where is my order", "track order"],
        ["do you ship", "delivery cost"],
        ["thanks", "cheers"],
        ["poem", "weather"],
    ];
    let example = |place: usize| {
        let class = place % INTENTS.len();
        let text = format!("{} {place}", words[class][place / 4 % 2]);
        LabelledText {
            text,
            intent: INTENTS[class].to_owned(),
            language: Some(Language::EN),
        }
    };
    (
        (0..80).map(example).collect(),
        (0..80)
            .map(|place| vector(place % 4, place as f32))
            .collect(),
    )
}

fn vector(class: usize, seed: f32) -> Vec<f32> {
    let mut vector: Vec<f32> = (0..8)
        .map(|place| 0.15 * (seed * (place as f32 + 1.3)).sin())
        .collect();
    vector[class] += 1.0;
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.iter().map(|value| value / length).collect()
}

#[test]
fn it_knows_what_it_was_shown_and_what_is_outside() {
    let (examples, vectors) = examples();
    let model = IntentModel::fit(&examples, VectorsOf::sentence(&vectors)).unwrap();
    let inside = model.predict("track my order", Vectors::sentence(&vector(0, 0.5)));
    assert!(inside.is("order_status"), "{inside:?}");
    assert_eq!(inside.runners_up.len(), 2);
    let outside = model.predict("a poem please", Vectors::sentence(&vector(3, 0.5)));
    assert_eq!(outside.decided(), OUT_OF_SCOPE);
    assert!(model.names().contains(&outside.name) && outside.score < inside.score);
}

#[test]
fn without_examples_from_outside_the_least_typical_is_turned_away() {
    let (examples, vectors) = examples();
    let (examples, vectors): (Vec<_>, Vec<_>) = examples
        .into_iter()
        .zip(vectors)
        .filter(|(example, _)| example.intent != OUT_OF_SCOPE)
        .unzip();
    let model = IntentModel::fit(&examples, VectorsOf::sentence(&vectors)).unwrap();
    assert!(
        model
            .predict("thanks", Vectors::sentence(&vector(2, 0.5)))
            .is("thanks")
    );
    assert!(
        !model
            .predict("a poem please", Vectors::sentence(&vector(7, 0.5)))
            .in_scope
    );
}

#[test]
fn fitting_twice_and_storing_give_the_same_model() {
    let (examples, vectors) = examples();
    let model = IntentModel::fit(&examples, VectorsOf::sentence(&vectors)).unwrap();
    assert_eq!(
        model,
        IntentModel::fit(&examples, VectorsOf::sentence(&vectors)).unwrap()
    );
    let stored = serde_json::to_string(&model).unwrap();
    assert_eq!(model, serde_json::from_str(&stored).unwrap());
    assert!(
        serde_json::from_str::<IntentModel>(&stored.replacen("\"dense\":[8]", "\"dense\":[9]", 1))
            .is_err()
    );
}

#[test]
fn a_message_is_read_by_the_head_that_its_vectors_allow() {
    let (examples, vectors) = examples();
    let others: Vec<Vec<f32>> = (0..80)
        .map(|place| vector(place % 4, 0.5 + place as f32)[..6].to_vec())
        .collect();
    let both = VectorsOf {
        sentence: &vectors,
        retrieval: Some(&others),
    };
    let brief = IntentModel::fit(&examples, VectorsOf::sentence(&vectors)).unwrap();
    let whole = IntentModel::fit(&examples, both).unwrap();
    let model = IntentModel::fit_with_fallback(&examples, both).unwrap();
    let message = "track my order";
    for place in 0..8 {
        let with = both.of(place).unwrap();
        let without = Vectors::sentence(with.sentence);
        assert_eq!(model.predict(message, with), whole.predict(message, with));
        assert_eq!(
            model.predict(message, without),
            brief.predict(message, without)
        );
    }
    // Nothing known but the words, and a vector of another model: both are read all the same.
    let unknown = model.predict("thanks", Vectors::sentence(&[]));
    let foreign = whole.predict("cheers", Vectors::sentence(&[1.0; 3]));
    assert_eq!([&unknown.name, &foreign.name], ["thanks", "thanks"]);
    let stored = serde_json::to_string(&model).unwrap();
    assert_eq!(model, serde_json::from_str(&stored).unwrap());
}

#[test]
fn no_message_is_too_strange() {
    let (examples, vectors) = examples();
    let model = IntentModel::fit(&examples, VectorsOf::sentence(&vectors)).unwrap();
    for text in [
        String::new(),
        "a".repeat(65_536),
        "\u{200b}\u{202e}\u{0}".repeat(1_000),
        "😀".repeat(10_000),
        "مرحبا أين طلبي".to_owned(),
    ] {
        for numbers in [vec![], vec![0.0; 8], vec![1.0; 8], vec![f32::MAX; 8]] {
            let intent = model.predict(&text, Vectors::sentence(&numbers));
            assert!((0.0..=1.0).contains(&intent.score), "{intent:?}");
        }
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let (examples, mut vectors) = examples();
    assert_eq!(
        IntentModel::fit(&[], VectorsOf::sentence(&[])),
        Err(FitError::NoExamples)
    );
    assert_eq!(
        IntentModel::fit(&examples, VectorsOf::sentence(&vectors[1..])),
        Err(FitError::Vectors {
            examples: 80,
            vectors: 79
        })
    );
    vectors[3].pop();
    assert_eq!(
        IntentModel::fit(&examples, VectorsOf::sentence(&vectors)),
        Err(FitError::Dimension {
            example: 3,
            found: 7,
            expected: 8
        })
    );
}
