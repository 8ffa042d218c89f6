//! What a shop's own assistant may do.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// What a token allows. It allows nothing that is not named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Scope {
    /// To look products, policies and FAQ up.
    #[serde(rename = "catalog:read")]
    CatalogRead,
    /// To ask for the status of orders.
    #[serde(rename = "orders:read")]
    OrdersRead,
    /// To open tickets.
    #[serde(rename = "tickets:write")]
    TicketsWrite,
    /// To make payment links.
    #[serde(rename = "payments:write")]
    PaymentsWrite,
}

/// Whom a one-time code is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeRecipient {
    /// E.164 phone.
    Phone(String),
    /// A channel's own id of someone whose phone it does not tell.
    UserId(String),
}

impl Scope {
    /// All of them, in the order that every list shows.
    pub const ALL: [Self; 4] = [
        Self::CatalogRead,
        Self::OrdersRead,
        Self::TicketsWrite,
        Self::PaymentsWrite,
    ];

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CatalogRead => "catalog:read",
            Self::OrdersRead => "orders:read",
            Self::TicketsWrite => "tickets:write",
            Self::PaymentsWrite => "payments:write",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.name() == name)
            .ok_or_else(|| {
                format!(
                    "there is no scope `{name}`; the scopes are {}",
                    Self::ALL.map(Self::name).join(", ")
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_and_an_unknown_one_is_told_the_known() {
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse(), Ok(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.name());
        }
        let error = "orders:write".parse::<Scope>().unwrap_err();
        assert!(error.contains("`orders:write`"), "{error}");
        assert!(Scope::ALL.iter().all(|scope| error.contains(scope.name())));
    }
}
