//! An order as the shop's book has it.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Language, OrderNumber, ProductId};

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The number the customer knows.
    pub number: OrderNumber,
    /// Who ordered.
    pub name: String,
    /// E.164 phone; empty when the order has none.
    pub phone: String,
    /// E-mail; empty when the order has none.
    pub email: String,
    /// The customer's language.
    pub language: Language,
    /// ISO date.
    pub placed_on: String,
    /// Where it stands.
    pub status: OrderStatus,
    /// The carrier, once there is one.
    pub carrier: Option<String>,
    /// The carrier's tracking code.
    pub tracking: Option<String>,
    /// ISO date on which it should arrive.
    pub expected_on: Option<String>,
    /// What was ordered.
    pub items: Vec<OrderItem>,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderItem {
    /// The product.
    pub product_id: ProductId,
    /// Pieces.
    pub quantity: u32,
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Ordered, not paid yet.
    AwaitingPayment,
    /// Paid, not packed yet.
    Paid,
    /// Packed, waiting for the carrier.
    Packed,
    /// With the carrier.
    Shipped,
    /// On the van today.
    OutForDelivery,
    /// Delivered.
    Delivered,
    /// Cancelled.
    Cancelled,
    /// Money returned.
    Refunded,
}

impl OrderStatus {
    /// The name in files, in the store and in tool results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AwaitingPayment => "awaiting_payment",
            Self::Paid => "paid",
            Self::Packed => "packed",
            Self::Shipped => "shipped",
            Self::OutForDelivery => "out_for_delivery",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
        }
    }
}

impl FromStr for OrderStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::AwaitingPayment,
            Self::Paid,
            Self::Packed,
            Self::Shipped,
            Self::OutForDelivery,
            Self::Delivered,
            Self::Cancelled,
            Self::Refunded,
        ]
        .into_iter()
        .find(|status| status.name() == text)
        .ok_or_else(|| {
            format!(
                "`{text}` is not an order status; use awaiting_payment, paid, packed, shipped, \
                 out_for_delivery, delivered, cancelled or refunded"
            )
        })
    }
}
