//! Payments: the demo, and Stripe against a stand-in.

use secrecy::SecretString;
use sportello::config;
use sportello::domain::{Currency, Money, PaymentId};
use sportello::payments::stripe::{StripeEventKind, verify_webhook};
use sportello::payments::{DemoPayments, StripePayments};
use sportello::ports::{Checkout, CheckoutPage, PaymentError, Payments};

use crate::support::listener::nobody;
use crate::support::stripe::{Reply, SECRET, Stripe, event, sign, unix_now};

fn checkout(seconds: i64) -> Checkout {
    Checkout {
        id: PaymentId::from("4f1c0000000000000000000000000001"),
        lines: vec![
            (
                "Aria & Vento, 2 tazze".to_owned(),
                Money::new(29_900, Currency::EUR),
                2,
            ),
            ("Caffè".to_owned(), Money::new(890, Currency::EUR), 1),
        ],
        currency: Currency::EUR,
        expires_at: unix_now() + seconds,
        return_url: "https://shop.example/pay/1?done=1&x=ü".to_owned(),
    }
}

#[tokio::test]
async fn the_demo_sends_nobody_anywhere() {
    let page = DemoPayments.checkout(&checkout(3_600)).await.unwrap();
    assert_eq!(DemoPayments.name(), "demo");
    assert_eq!(page.url, None);
    assert!(page.external_id.starts_with("demo_"));
}

#[tokio::test]
async fn a_link_opens_one_session_however_often_it_is_clicked() {
    let stripe = Stripe::start().await;
    let payments = StripePayments::new(&stripe.config()).unwrap();
    let request = checkout(3_600);
    let page = payments.checkout(&request).await.unwrap();
    assert_eq!(
        page,
        CheckoutPage {
            external_id: "cs_test_1".to_owned(),
            url: Some("https://checkout.stripe.test/c/pay/cs_test_1".to_owned()),
        }
    );
    assert_eq!(payments.checkout(&request).await.unwrap(), page);
    assert_eq!(stripe.sessions().len(), 1);

    let form = &stripe.requests()[0];
    let field = |name: &str| form[name].as_str();
    assert_eq!(field("client_reference_id"), request.id.as_str());
    assert_eq!(
        field("line_items[0][price_data][product_data][name]"),
        "Aria & Vento, 2 tazze"
    );
    assert_eq!(field("line_items[1][price_data][unit_amount]"), "890");
    assert_eq!(field("success_url"), request.return_url);
    assert_eq!(field("expires_at"), request.expires_at.to_string());
}

#[tokio::test]
async fn a_link_that_outlives_stripes_limits_still_opens_one_session() {
    let stripe = Stripe::start().await;
    let payments = StripePayments::new(&stripe.config()).unwrap();
    let first = payments.checkout(&checkout(7_200)).await.unwrap();
    for seconds in [60, 7 * 86_400] {
        assert_eq!(payments.checkout(&checkout(seconds)).await.unwrap(), first);
    }
    assert_eq!(stripe.sessions().len(), 1);
    stripe.close_sessions("complete");
    let closed = payments.checkout(&checkout(60)).await;
    assert!(
        matches!(closed, Err(PaymentError::Refused(_))),
        "{closed:?}"
    );
    assert_eq!(stripe.sessions().len(), 1);
}

#[tokio::test]
async fn passing_faults_are_tried_again_with_the_same_key() {
    let stripe = Stripe::start().await;
    let payments = StripePayments::new(&stripe.config()).unwrap();
    for fault in [
        Reply::Error(500, "api_error"),
        Reply::Error(429, "rate_limit"),
        Reply::Hang,
        Reply::Reset,
    ] {
        stripe.reply_next(&[fault]);
        let page = payments.checkout(&checkout(3_600)).await.unwrap();
        assert_eq!(page.external_id, "cs_test_1", "{fault:?}");
    }
    assert_eq!(stripe.sessions().len(), 1);
}

#[tokio::test]
async fn retries_end_and_refusals_are_not_repeated() {
    let stripe = Stripe::start().await;
    let payments = StripePayments::new(&stripe.config()).unwrap();
    stripe.reply_next(&[Reply::Error(503, "api_error"); 3]);
    let result = payments.checkout(&checkout(3_600)).await;
    assert!(
        matches!(result, Err(PaymentError::Unavailable(_))),
        "{result:?}"
    );
    assert_eq!(stripe.requests().len(), 3);

    stripe.reply_next(&[Reply::Error(402, "card_error")]);
    let result = payments.checkout(&checkout(3_600)).await;
    assert!(
        matches!(result, Err(PaymentError::Refused(_))),
        "{result:?}"
    );
    assert_eq!(stripe.requests().len(), 4);

    let wrong = config::Payments {
        stripe_secret_key: Some("sk_wrong".into()),
        ..stripe.config()
    };
    let result = StripePayments::new(&wrong)
        .unwrap()
        .checkout(&checkout(3_600))
        .await;
    assert!(
        matches!(result, Err(PaymentError::Refused(_))),
        "{result:?}"
    );
}

#[tokio::test]
async fn nobody_at_stripes_address_is_unavailable_and_no_key_is_refused() {
    let config = config::Payments {
        stripe_url: format!("http://{}", nobody().await),
        stripe_secret_key: Some("sk_test".into()),
        ..config::Payments::default()
    };
    let result = StripePayments::new(&config)
        .unwrap()
        .checkout(&checkout(3_600))
        .await;
    assert!(
        matches!(result, Err(PaymentError::Unavailable(_))),
        "{result:?}"
    );
    let none = config::Payments {
        stripe_secret_key: None,
        ..config
    };
    assert!(matches!(
        StripePayments::new(&none),
        Err(PaymentError::Refused(_))
    ));
}

#[tokio::test]
async fn a_signed_event_names_the_link_it_pays() {
    let stripe = Stripe::start().await;
    let payments = StripePayments::new(&stripe.config()).unwrap();
    let request = checkout(3_600);
    payments.checkout(&request).await.unwrap();
    let mut session = stripe.sessions().remove(0);
    session["payment_status"] = "paid".into();
    let body = event("checkout.session.completed", &session).to_string();
    let header = sign(SECRET, unix_now(), body.as_bytes());
    let secrets = [SecretString::from(SECRET)];
    let event = verify_webhook(&secrets, Some(&header), body.as_bytes(), unix_now()).unwrap();
    let paid = StripeEventKind::Completed {
        payment_id: request.id,
        session_id: "cs_test_1".to_owned(),
        paid: true,
    };
    assert_eq!(event.kind, paid);
}
