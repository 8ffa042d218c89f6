//! Payments of the demo: our own labelled page is the place, and no money moves.

use async_trait::async_trait;

use crate::ports::{Checkout, CheckoutPage, PaymentError, Payments};

/// Sends nobody anywhere: the page of the link takes the "payment" itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct DemoPayments;

#[async_trait]
impl Payments for DemoPayments {
    fn name(&self) -> &'static str {
        "demo"
    }

    async fn checkout(&self, request: &Checkout) -> Result<CheckoutPage, PaymentError> {
        Ok(CheckoutPage {
            external_id: format!("demo_{}", request.id),
            url: None,
        })
    }
}
