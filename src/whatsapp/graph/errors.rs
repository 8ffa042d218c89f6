//! Meta's error codes, by what is to be done about them.

use reqwest::StatusCode;

use crate::ports::SendError;

/// A class of errors. The same code may come in the answer to a request or in a `failed` status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// A fault of Meta's that passes.
    Transient,
    /// Too many requests of the app, the account or the number: slow down.
    Throughput,
    /// Too many messages to one customer: hold that customer's.
    Pair,
    /// The account is held for a while: pause bulk messages.
    AccountHold,
    /// The 24 hours since the customer's last message are over: only a template may go out.
    Window,
    /// The customer cannot be reached on WhatsApp.
    Undeliverable,
    /// Meta's own cap on marketing: once more after a day at the earliest.
    MarketingCap,
    /// The customer stopped marketing messages.
    OptedOut,
    /// The customer is in an experiment of Meta's.
    Experiment,
    /// This recipient does not get this message: blocked, wrong kind of id, country.
    Recipient,
    /// The request is wrong: a fault of ours.
    Payload,
    /// The template is wrong, paused or disabled.
    Template,
    /// The account, its payment, its permissions or its token: a person is needed.
    Account,
    /// The marketing messages API refused.
    MarketingApi,
    /// A code that we do not know.
    Unknown,
}

impl ErrorClass {
    /// The class of a code.
    #[must_use]
    pub fn of(code: i64) -> Self {
        match code {
            1 | 2 | 131_000 | 131_016 | 133_004 => Self::Transient,
            4 | 80_007 | 130_429 => Self::Throughput,
            131_056 => Self::Pair,
            131_048 | 131_057 | 131_064 => Self::AccountHold,
            131_047 => Self::Window,
            131_026 => Self::Undeliverable,
            131_049 => Self::MarketingCap,
            131_050 => Self::OptedOut,
            130_472 => Self::Experiment,
            130_403 | 130_497 | 131_062 | 131_063 => Self::Recipient,
            100 | 131_008 | 131_009 | 131_051..=131_053 => Self::Payload,
            132_000 | 132_001 | 132_005 | 132_007 | 132_012 | 132_015 | 132_016 | 132_018
            | 132_068 | 132_069 => Self::Template,
            3 | 10 | 190 | 200..=299 | 368 | 131_005 | 131_031 | 131_042 | 133_010 => Self::Account,
            134_100..=134_102 => Self::MarketingApi,
            _ => Self::Unknown,
        }
    }

    /// What a sender does about it. A code we know says for certain that nothing was sent; one we do not
    /// know says so only when Meta blames the request.
    pub(super) fn send_error(self, code: i64, status: StatusCode, trace: &str) -> SendError {
        let reason =
            format!("the Graph API answered {status}, code {code} ({self:?}), trace {trace}");
        match self {
            Self::Transient | Self::Throughput | Self::Pair | Self::AccountHold => {
                SendError::Retry(reason)
            }
            Self::Unknown if !status.is_client_error() => SendError::Ambiguous(reason),
            Self::Window
            | Self::Undeliverable
            | Self::MarketingCap
            | Self::OptedOut
            | Self::Experiment
            | Self::Recipient
            | Self::Payload
            | Self::Template
            | Self::Account
            | Self::MarketingApi
            | Self::Unknown => SendError::Rejected(reason),
        }
    }
}
