//! Meta's error codes, by what is to be done about them. What each class means and what happens then is written at
//! [`ErrorClass`].

use reqwest::StatusCode;

pub use crate::domain::ErrorClass;
use crate::ports::SendError;

impl ErrorClass {
    /// The class of one of Meta's codes.
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
            100 | 131_008 | 131_009 | 131_051 => Self::Payload,
            131_052 | 131_053 => Self::Media,
            132_000 | 132_001 | 132_005 | 132_007 | 132_012 | 132_015 | 132_016 | 132_018
            | 132_068 | 132_069 => Self::Template,
            3 | 10 | 190 | 200..=299 | 368 | 131_005 | 131_031 | 131_042 | 133_010 => Self::Account,
            134_100..=134_102 => Self::MarketingApi,
            _ => Self::Unknown,
        }
    }

    /// What an answer with this code means. A code we know says for certain that nothing was sent, whatever the HTTP
    /// status; one we do not know says so only when Meta blames the request.
    pub(super) fn send_error(self, code: i64, status: StatusCode, trace: &str) -> SendError {
        let reason =
            format!("the Graph API answered {status}, code {code} ({self}), trace {trace}");
        if self == Self::Unknown && !status.is_client_error() {
            SendError::Ambiguous(reason)
        } else {
            SendError::Refused {
                class: self,
                code,
                reason,
            }
        }
    }
}
