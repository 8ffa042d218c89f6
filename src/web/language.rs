//! Which language a browser asks for.

use axum::http::{HeaderMap, header};

use crate::domain::Language;

/// The best of `offered` by the browser's `Accept-Language` (RFC 9110, 12.5.4), else the first offered.
pub fn preferred(headers: &HeaderMap, offered: &[Language]) -> Language {
    let wanted = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    let mut best: Option<(f32, Language)> = None;
    for part in wanted.unwrap_or_default().split(',') {
        let (tag, weight) = part.split_once(';').unwrap_or((part, "q=1"));
        let weight: f32 = weight
            .trim()
            .trim_start_matches("q=")
            .parse()
            .unwrap_or(0.0);
        let Ok(language) = tag.trim().parse::<Language>() else {
            continue;
        };
        let better = best.is_none_or(|(least, _)| weight > least);
        if offered.contains(&language) && weight > 0.0 && better {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language)
        .or(offered.first().copied())
        .unwrap_or(Language::EN)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const OFFERED: [Language; 3] = [Language::EN, Language::IT, Language::DE];

    fn asked(value: &str) -> Language {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(header::ACCEPT_LANGUAGE, value);
        }
        preferred(&headers, &OFFERED)
    }

    #[test]
    fn the_heaviest_offered_language_wins() {
        assert_eq!(asked("it-IT,it;q=0.9,en;q=0.8"), Language::IT);
        assert_eq!(asked("fr,en;q=0.3,de-CH;q=0.7"), Language::DE);
        assert_eq!(asked("it;q=0, de;q=0.1"), Language::DE);
        assert_eq!(asked("ja, *;q=0.5"), Language::EN);
        assert_eq!(asked(""), Language::EN);
    }

    proptest! {
        #[test]
        fn any_header_gives_an_offered_language(value in "[ -~]{0,60}") {
            prop_assert!(OFFERED.contains(&asked(&value)));
        }
    }
}
