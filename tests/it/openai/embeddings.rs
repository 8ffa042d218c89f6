//! Vectors from an endpoint.

use sportello::openai::OpenAiEmbedder;
use sportello::ports::{EmbedError, Embedder};

use crate::support::model::{Reply, ScriptedModel};

#[tokio::test]
async fn embeds_in_batches_in_order_and_normalised() {
    let model = ScriptedModel::start([Reply::status(503)]).await;
    let embedder = OpenAiEmbedder::new(&model.embedding()).unwrap();
    assert_eq!(embedder.dimension(), 0, "nobody has told it yet");
    embedder.embed(&["moka".to_owned()]).await.unwrap();
    assert_eq!(
        (embedder.id(), embedder.dimension()),
        ("scripted-embedding@127.0.0.1", 16)
    );

    let texts: Vec<String> = (0..300)
        .map(|number| format!("word{number} moka"))
        .chain([String::new()])
        .collect();
    let vectors = embedder.embed(&texts).await.unwrap();
    assert_eq!(vectors.len(), 301);
    for vector in &vectors {
        let norm: f32 = vector.iter().map(|number| number * number).sum();
        assert!((norm - 1.0).abs() < 1e-5, "{norm}");
    }
    for at in [0, 127, 128, 299] {
        assert_eq!(
            embedder.embed(&texts[at..=at]).await.unwrap()[0],
            vectors[at]
        );
    }
    let batches: Vec<usize> = model
        .requests()
        .iter()
        .map(|request| request.body["input"].as_array().unwrap().len())
        .collect();
    assert_eq!(batches, [1, 1, 128, 128, 45, 1, 1, 1, 1]);
    assert!(embedder.embed(&[]).await.unwrap().is_empty());
    assert!(model.requests()[0].authorization.is_none());
}

#[tokio::test]
async fn a_change_of_dimension_is_refused() {
    let model = ScriptedModel::start([]).await;
    let embedder = OpenAiEmbedder::new(&model.embedding()).unwrap();
    embedder.embed(&["moka".to_owned()]).await.unwrap();
    model.set_dimension(24);
    let error = embedder.embed(&["moka".to_owned()]).await.unwrap_err();
    assert!(
        matches!(&error, EmbedError::Unusable(text) if text.contains("24") && text.contains("16")),
        "{error}"
    );
}

#[tokio::test]
async fn embedding_failures_say_whether_to_come_back() {
    let model = ScriptedModel::start(vec![Reply::status(503); 3]).await;
    let embedder = OpenAiEmbedder::new(&model.embedding()).unwrap();
    assert!(matches!(
        embedder.embed(&["moka".to_owned()]).await,
        Err(EmbedError::Unavailable(_))
    ));
    model.then([Reply::status(401)]);
    assert!(matches!(
        embedder.embed(&["moka".to_owned()]).await,
        Err(EmbedError::Unusable(_))
    ));
    model.then([Reply::Body(
        "{\"data\": [{\"index\": 9, \"embedding\": [1]}]}".to_owned(),
    )]);
    assert!(matches!(
        embedder.embed(&["moka".to_owned()]).await,
        Err(EmbedError::Unusable(_))
    ));
    assert_eq!(model.requests().len(), 5);
}
