//! Which tools a caller has, and how the list shows them.

use std::sync::Arc;

use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Value, json};

use super::access::Assistant;
use super::confirm;
use crate::domain::Scope;
use crate::tools::{Caller, Registry, ToolSpec};

/// How far a tool is from a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// It is not there.
    Never,
    /// It can be called.
    Open,
    /// It can be called for a verified customer, whose handle is an argument.
    ForCustomer {
        /// Whether it is of no use without.
        needed: bool,
    },
    /// It takes a token that allows this.
    Token(Scope),
}

impl Reach {
    /// How far a tool is from an assistant, or from a client without a token. `codes` says whether customers can be
    /// verified here.
    pub(super) fn of(spec: &ToolSpec, assistant: Option<&Assistant>, codes: bool) -> Self {
        let has = |caller| spec.callers.contains(&caller);
        let for_customers = has(Caller::Customer) && !has(Caller::Anonymous);
        let Some(assistant) = assistant else {
            return match spec.scope {
                _ if has(Caller::Anonymous) => Self::Open,
                _ if for_customers && codes => Self::ForCustomer { needed: true },
                Some(scope) if has(Caller::Assistant) => Self::Token(scope),
                Some(_) | None => Self::Never,
            };
        };
        let needed = !has(Caller::Assistant);
        if needed && !(for_customers && codes) {
            return Self::Never;
        }
        match spec.scope {
            Some(scope) if !assistant.scopes.contains(&scope) => Self::Token(scope),
            Some(_) | None if for_customers && codes => Self::ForCustomer { needed },
            Some(_) | None => Self::Open,
        }
    }
}

/// The tools of a caller as MCP lists them: the shop's, then those that verify a customer.
pub(super) fn tools(
    shop: &Registry,
    verification: Option<&Registry>,
    assistant: Option<&Assistant>,
) -> Vec<Tool> {
    let caller = assistant.map_or(Caller::Anonymous, |_| Caller::Assistant);
    let shown = shop.specs(Caller::Operator).filter_map(|spec| {
        match Reach::of(spec, assistant, verification.is_some()) {
            Reach::Open => Some(tool(spec, None, true)),
            Reach::ForCustomer { needed } => Some(tool(spec, Some(needed), true)),
            Reach::Never | Reach::Token(_) => None,
        }
    });
    let verifying = verification
        .into_iter()
        .flat_map(|registry| registry.specs(caller))
        .map(|spec| tool(spec, None, false));
    shown.chain(verifying).collect()
}

/// `customer` says whether the handle is an argument, and whether it must be there; `asks` whether a change asks first.
fn tool(spec: &ToolSpec, customer: Option<bool>, asks: bool) -> Tool {
    let object = |schema: &Value| Arc::new(schema.as_object().cloned().unwrap_or_default());
    let hints = spec.annotations;
    let (mut input, mut output) = (spec.input_schema.clone(), spec.output_schema.clone());
    if let Some(needed) = customer {
        input["properties"][CUSTOMER] = json!({
            "type": "string",
            "description": "What confirm_customer answered as `customer`: the user for whom you ask.",
            "maxLength": 100,
        });
        if needed {
            require(&mut input, CUSTOMER);
        }
    }
    if asks && !hints.read_only_hint {
        input["properties"][confirm::ARGUMENT] = confirm::parameter();
        output = confirm::output(&output);
    }
    Tool::new(spec.name, spec.description.clone(), object(&input))
        .with_title(spec.title)
        .with_raw_output_schema(object(&output))
        .with_annotations(ToolAnnotations::from_raw(
            Some(spec.title.to_owned()),
            Some(hints.read_only_hint),
            Some(hints.destructive_hint),
            Some(hints.idempotent_hint),
            Some(hints.open_world_hint),
        ))
}

/// The argument that takes a customer's handle.
pub(super) const CUSTOMER: &str = "customer";

fn require(schema: &mut Value, name: &str) {
    let required = &mut schema["required"];
    if required.is_null() {
        *required = json!([]);
    }
    if let Some(names) = required.as_array_mut() {
        names.push(json!(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::TokenId;
    use crate::tools::specs;

    fn reached(assistant: Option<&[Scope]>, codes: bool) -> Vec<(&'static str, Reach)> {
        let assistant = assistant.map(|scopes| Assistant {
            token: TokenId::new(),
            scopes: scopes.to_vec(),
        });
        specs()
            .iter()
            .map(|spec| (spec.name, Reach::of(spec, assistant.as_ref(), codes)))
            .collect()
    }

    #[test]
    fn every_caller_reaches_what_is_theirs() {
        let (open, never) = (Reach::Open, Reach::Never);
        let customer = Reach::ForCustomer { needed: true };
        let either = Reach::ForCustomer { needed: false };
        let row = |orders, tickets, payments| {
            vec![
                ("search_catalog", open),
                ("get_product", open),
                ("search_policies", open),
                ("get_order_status", orders),
                ("open_ticket", tickets),
                ("payment_link", payments),
                ("hand_off_to_human", never),
            ]
        };
        let orders = Reach::Token(Scope::OrdersRead);
        assert_eq!(reached(None, false), row(orders, never, never));
        assert_eq!(reached(None, true), row(customer, customer, customer));
        let all = Some(&Scope::ALL[..]);
        assert_eq!(reached(all, true), row(either, customer, customer));
        assert_eq!(reached(all, false), row(open, never, never));
        let tickets = Some(&[Scope::CatalogRead, Scope::TicketsWrite][..]);
        let payments = Reach::Token(Scope::PaymentsWrite);
        assert_eq!(reached(tickets, true), row(orders, customer, payments));
        let nothing = reached(Some(&[]), true);
        let catalog = Reach::Token(Scope::CatalogRead);
        assert!(nothing[..3].iter().all(|(_, reach)| *reach == catalog));
    }

    #[test]
    fn a_handle_and_a_confirmation_are_shown_at_this_door_only() {
        let spec = specs().into_iter().find(|spec| spec.name == "open_ticket");
        let spec = spec.unwrap();
        assert!(spec.input_schema["properties"].get(CUSTOMER).is_none());
        let listed = serde_json::to_value(tool(&spec, Some(true), true)).unwrap();
        let input = &listed["inputSchema"];
        assert_eq!(input["required"], json!(["subject", "summary", "customer"]));
        for name in [CUSTOMER, confirm::ARGUMENT] {
            let text = input["properties"][name]["description"].as_str().unwrap();
            assert!(text.len() <= 150, "{text}");
        }
        let validator = jsonschema::validator_for(&listed["outputSchema"]).unwrap();
        let ticket = json!({ "ticket": "tk_1", "created": true, "priority": "normal" });
        assert!(validator.is_valid(&ticket));
        assert!(validator.is_valid(&confirm::question("spq_x")));
        assert!(!validator.is_valid(&json!({ "ticket": "tk_1" })));
    }
}
