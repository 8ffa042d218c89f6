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
    let model = IntentModel::fit(&examples, &vectors).unwrap();
    let inside = model.predict("track my order", &vector(0, 0.5));
    assert!(inside.is("order_status"), "{inside:?}");
    assert_eq!(inside.runners_up.len(), 2);
    let outside = model.predict("a poem please", &vector(3, 0.5));
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
    let model = IntentModel::fit(&examples, &vectors).unwrap();
    assert!(model.predict("thanks", &vector(2, 0.5)).is("thanks"));
    assert!(!model.predict("a poem please", &vector(7, 0.5)).in_scope);
}

#[test]
fn fitting_twice_and_storing_give_the_same_model() {
    let (examples, vectors) = examples();
    let model = IntentModel::fit(&examples, &vectors).unwrap();
    assert_eq!(model, IntentModel::fit(&examples, &vectors).unwrap());
    let stored = serde_json::to_string(&model).unwrap();
    assert_eq!(model, serde_json::from_str(&stored).unwrap());
    assert!(
        serde_json::from_str::<IntentModel>(&stored.replacen("\"dense\":8", "\"dense\":9", 1))
            .is_err()
    );
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let (examples, mut vectors) = examples();
    assert_eq!(IntentModel::fit(&[], &[]), Err(FitError::NoExamples));
    assert_eq!(
        IntentModel::fit(&examples, &vectors[1..]),
        Err(FitError::Vectors {
            examples: 80,
            vectors: 79
        })
    );
    vectors[3].pop();
    assert_eq!(
        IntentModel::fit(&examples, &vectors),
        Err(FitError::Dimension {
            example: 3,
            found: 7,
            expected: 8
        })
    );
}
