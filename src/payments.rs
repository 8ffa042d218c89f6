//! Where customers pay: the demo page of our own, or Stripe Checkout.

pub mod demo;
pub mod door;
pub mod stripe;

pub use demo::DemoPayments;
pub use stripe::StripePayments;
