//! Meta's errors as the Graph API answers them: the HTTP status and the title of a code.

use serde_json::{Value, json};

/// Every code that `developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes` lists for
/// messages and that this program has a rule for: code, HTTP status, title.
pub const TABLE: &[(i64, u16, &str)] = &[
    (1, 400, "API Unknown"),
    (2, 503, "API Service"),
    (3, 500, "API Method"),
    (4, 400, "API Too Many Calls"),
    (10, 403, "Permission Denied"),
    (100, 400, "Invalid parameter"),
    (190, 401, "Access token has expired"),
    (200, 403, "API Permission"),
    (368, 403, "Temporarily blocked for policies violations"),
    (80_007, 400, "Rate limit issues"),
    (130_403, 403, "Recipient has blocked the business"),
    (130_429, 400, "Rate limit hit"),
    (130_472, 400, "User's number is part of an experiment"),
    (
        130_497,
        403,
        "Business account is restricted from messaging users in this country",
    ),
    (131_000, 500, "Something went wrong"),
    (131_005, 403, "Access denied"),
    (131_008, 400, "Required parameter is missing"),
    (131_009, 400, "Parameter value is not valid"),
    (131_016, 500, "Service unavailable"),
    (131_026, 400, "Message undeliverable"),
    (131_031, 403, "Account has been locked"),
    (131_042, 400, "Business eligibility payment issue"),
    (131_047, 400, "Re-engagement message"),
    (131_048, 400, "Spam rate limit hit"),
    (
        131_049,
        400,
        "Not delivered to maintain healthy ecosystem engagement",
    ),
    (
        131_050,
        400,
        "User has stopped receiving marketing messages",
    ),
    (131_051, 400, "Unsupported message type"),
    (131_052, 400, "Media download error"),
    (131_053, 400, "Media upload error"),
    (131_056, 400, "Pair rate limit hit"),
    (131_057, 500, "Account in maintenance mode"),
    (
        131_062,
        400,
        "Authentication templates cannot go to this recipient",
    ),
    (131_063, 400, "Marketing is disabled on this API"),
    (131_064, 400, "Account is held for a while"),
    (132_000, 400, "Template Param Count Mismatch"),
    (132_001, 404, "Template does not exist"),
    (132_005, 400, "Template Hydrated Text Too Long"),
    (132_007, 400, "Template Format Character Policy Violated"),
    (132_012, 400, "Template Parameter Format Mismatch"),
    (132_015, 400, "Template is Paused"),
    (132_016, 400, "Template is Disabled"),
    (132_018, 400, "Template parameters are not valid"),
    (132_068, 400, "Flow is in blocked state"),
    (132_069, 400, "Flow is in throttled state"),
    (133_004, 503, "Server Temporarily Unavailable"),
    (133_010, 400, "Phone number Not Registered"),
    (134_100, 400, "Only marketing messages are supported"),
    (134_101, 400, "Template is being synchronised"),
    (134_102, 400, "Template is unavailable for this API"),
];

/// The HTTP status with which Meta answers a code; 400 for one that is not in the table.
#[must_use]
pub fn status(code: i64) -> u16 {
    entry(code).map_or(400, |(_, status, _)| *status)
}

/// The body of an answer with an error.
#[must_use]
pub fn body(code: i64) -> Value {
    let title = title(code);
    json!({ "error": {
        "message": format!("(#{code}) {title}"),
        "type": "OAuthException",
        "code": code,
        "error_data": { "messaging_product": "whatsapp", "details": title },
        "fbtrace_id": "AStandInTrace",
    } })
}

/// The same error as a `failed` status carries it.
#[must_use]
pub fn in_status(code: i64) -> Value {
    let title = title(code);
    json!({
        "code": code,
        "title": title,
        "message": title,
        "error_data": { "details": title },
    })
}

fn title(code: i64) -> &'static str {
    entry(code).map_or("Unknown error", |(_, _, title)| title)
}

fn entry(code: i64) -> Option<&'static (i64, u16, &'static str)> {
    TABLE.iter().find(|(known, ..)| *known == code)
}
