//! Every tool for every caller: what it answers fits the schema that it shows, and what it refuses says how
//! to do better.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sportello::app::App;
use sportello::clock;
use sportello::config::Config;
use sportello::domain::{About, Channel, Inbound, InboundContent, Language};
use sportello::store::Intake;
use sportello::tools::{CallContext, Caller, ToolError, ToolSpec};
use tempfile::TempDir;

use crate::support::program::warm;

const PHONE: &str = "+4915112345678";

struct Shop {
    app: App,
    customer: CallContext,
    _data: TempDir,
}

impl Shop {
    async fn open() -> Self {
        let data = warm().await;
        let config = Config {
            demo: true,
            ..Config::default()
        };
        let app = App::open(config, data.path(), "https://shop.example")
            .await
            .unwrap();
        app.builder.build_words(app.points()).await.unwrap();
        let inbound = Inbound {
            channel: Channel::Terminal,
            recipient: "terminal".to_owned(),
            external_id: "one".to_owned(),
            sender: "jonas".to_owned(),
            phone: Some(PHONE.to_owned()),
            name: None,
            sent_at: clock::now() / 1000,
            content: InboundContent::Text {
                text: "Hallo".to_owned(),
            },
            about: About::default(),
        };
        let intake = Intake {
            messages: vec![(inbound, 0)],
            ..Intake::default()
        };
        let accepted = app.store.accept(intake, clock::now()).await.unwrap();
        let conversation = accepted[0].conversation.clone();
        let state = app.store.conversation(&conversation).await.unwrap();
        let mut customer = CallContext::of(Caller::Conversation, Language::DE);
        customer.conversation = Some(conversation);
        customer.contact = Some(state.unwrap().contact.id);
        customer.phone = Some(PHONE.to_owned());
        Self {
            app,
            customer,
            _data: data,
        }
    }

    fn context(&self, caller: Caller) -> CallContext {
        CallContext {
            caller,
            ..self.customer.clone()
        }
    }

    /// Calls, and checks what comes against the tool's schema or, when it is refused, for a text.
    async fn call(
        &self,
        spec: &ToolSpec,
        arguments: &Value,
        context: &CallContext,
    ) -> Result<Value, ToolError> {
        let result = self
            .app
            .tools
            .call(spec.name, arguments.clone(), context)
            .await;
        match &result {
            Ok(answer) => {
                let schema = jsonschema::validator_for(&spec.output_schema).unwrap();
                let faults: Vec<String> = schema
                    .iter_errors(answer)
                    .map(|fault| fault.to_string())
                    .collect();
                assert!(
                    faults.is_empty(),
                    "{} {arguments}: {faults:?} in {answer}",
                    spec.name
                );
            }
            Err(error) => {
                let text = error.for_caller();
                assert!(
                    text.len() > 20 && text.ends_with('.'),
                    "{} {arguments}: {text}",
                    spec.name
                );
            }
        }
        result
    }
}

/// Arguments that a tool takes, and whether they come to anything.
fn calls() -> Vec<(&'static str, Value, bool)> {
    let basket =
        |id: &str, quantity: u32| json!({"items": [{"product_id": id, "quantity": quantity}]});
    let wrong = json!({"order_number": "10434", "email": "not@example.com"});
    let mut calls = vec![
        ("search_catalog", json!({"query": "moka", "limit": 2}), true),
        (
            "search_catalog",
            json!({"query": "moka", "limit": 2.0}),
            true,
        ),
        ("search_catalog", json!({}), true),
        ("search_catalog", json!({"query": "electric scooter"}), true),
        (
            "search_catalog",
            json!({"category": "grinder", "max_price": 100, "in_stock": true}),
            true,
        ),
        ("search_catalog", json!({"category": "scooter"}), false),
        (
            "search_catalog",
            json!({"min_price": 200, "max_price": 100}),
            false,
        ),
        ("get_product", json!({"id": "macchina-aria"}), true),
        ("get_product", json!({"id": "none"}), false),
        (
            "search_policies",
            json!({"query": "Can I return an opened box?"}),
            true,
        ),
        ("search_policies", json!({"query": "zzzz"}), true),
        ("get_order_status", json!({}), true),
        ("get_order_status", json!({"order_number": "10432"}), true),
        ("get_order_status", json!({"order_number": "99999"}), true),
        (
            "open_ticket",
            json!({"subject": "Address", "summary": "Change it."}),
            true,
        ),
        (
            "open_ticket",
            json!({"subject": "Again", "summary": "More.", "order_number": "10432"}),
            true,
        ),
        ("payment_link", basket("macchina-aria", 1), true),
        ("payment_link", basket("none", 1), false),
        ("payment_link", basket("macchina-aria", 50), false),
        ("payment_link", json!({}), false),
        ("payment_link", json!({"order_number": "10432"}), false),
        (
            "hand_off_to_human",
            json!({"reason": "requested", "summary": "Wants a person."}),
            true,
        ),
    ];
    // Until it is locked.
    calls.extend(std::iter::repeat_n(("get_order_status", wrong, true), 6));
    calls
}

#[tokio::test]
async fn every_answer_of_every_tool_fits_its_schema_whoever_asks() {
    let shop = Shop::open().await;
    let mut answered = BTreeSet::new();
    for caller in [Caller::Anonymous, Caller::Page, Caller::Conversation] {
        for spec in shop.app.tools.specs(caller) {
            for (_, arguments, succeeds) in calls().iter().filter(|call| call.0 == spec.name) {
                let context = shop.context(caller);
                let result = shop.call(spec, arguments, &context).await;
                assert_eq!(
                    result.is_ok(),
                    *succeeds,
                    "{} {arguments}: {result:?}",
                    spec.name
                );
                if result.is_ok() {
                    answered.insert(spec.name);
                }
            }
        }
    }
    let all: BTreeSet<&str> = shop
        .app
        .tools
        .specs(Caller::Operator)
        .map(|spec| spec.name)
        .collect();
    assert_eq!(answered, all, "a tool without a call here");
}

#[tokio::test]
async fn every_fault_in_any_argument_of_any_tool_is_named() {
    let shop = Shop::open().await;
    for spec in shop.app.tools.specs(Caller::Operator) {
        let sound = calls()
            .into_iter()
            .find(|call| call.0 == spec.name && call.2)
            .unwrap();
        let properties = spec.input_schema["properties"].as_object().unwrap();
        let mut faults = vec![("nonsense".to_owned(), json!(1))];
        for (name, schema) in properties {
            faults.push((name.clone(), other_type(schema)));
            if let Some(most) = schema["maxLength"].as_u64() {
                faults.push((name.clone(), "x".repeat(most as usize + 1).into()));
            }
            if let Some(most) = schema["maximum"].as_f64() {
                faults.push((name.clone(), json!(most + 1.0)));
            }
            if schema.get("enum").is_some() {
                faults.push((name.clone(), json!("nonsense")));
            }
        }
        for (name, value) in faults {
            let mut arguments = sound.1.clone();
            arguments[&name] = value;
            let refused = refused(&shop, spec, &arguments).await;
            assert!(
                refused.starts_with(&format!("`{name}` ")),
                "{} {name}: {refused}",
                spec.name
            );
        }
        for name in spec.input_schema["required"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let refused = refused(&shop, spec, &json!({})).await;
            let expected = format!("`{}` is missing: ", name.as_str().unwrap());
            assert!(refused.contains(&expected), "{}: {refused}", spec.name);
        }
    }
}

fn other_type(schema: &Value) -> Value {
    if schema["type"] == "string" || schema.get("enum").is_some() {
        json!(3)
    } else {
        json!("three")
    }
}

async fn refused(shop: &Shop, spec: &ToolSpec, arguments: &Value) -> String {
    let context = shop.context(Caller::Operator);
    match shop.call(spec, arguments, &context).await {
        Err(ToolError::Invalid(text)) => text,
        other => panic!("{} {arguments}: {other:?}", spec.name),
    }
}

#[tokio::test]
async fn a_tool_for_customers_says_so_to_others() {
    let shop = Shop::open().await;
    for spec in shop.app.tools.specs(Caller::Conversation) {
        if spec.callers.contains(&Caller::Anonymous) {
            continue;
        }
        let arguments = calls()
            .into_iter()
            .find(|call| call.0 == spec.name && call.2)
            .unwrap()
            .1;
        let nobody = CallContext::of(Caller::Conversation, Language::EN);
        let result = shop.call(spec, &arguments, &nobody).await;
        assert!(
            matches!(result, Err(ToolError::NotAllowed(_))),
            "{result:?}"
        );
        let stranger = shop.context(Caller::Anonymous);
        let result = shop.call(spec, &arguments, &stranger).await;
        assert!(matches!(result, Err(ToolError::Unknown(_))), "{result:?}");
    }
}
