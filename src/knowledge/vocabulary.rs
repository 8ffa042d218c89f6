//! Small closed lists and the spellings that knowledge files share.

use crate::domain::Language;

/// ISO 639-1.
const LANGUAGES: &str = "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv \
    cy da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id \
    ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh \
    mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa \
    sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve \
    vi vo wa wo xh yi yo za zh zu";

const MEDIA_TYPES: [(&str, &str); 7] = [
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("avif", "image/avif"),
];

/// A language by its code in lower case, exactly.
pub(super) fn language(code: &str) -> Result<Language, String> {
    let known = code.len() == 2 && LANGUAGES.split(' ').any(|known| known == code);
    known.then(|| code.parse().ok()).flatten().ok_or_else(|| {
        format!("`{code}` is not a language; use a two-letter ISO 639-1 code such as `it`")
    })
}

/// The media type of a picture by its file's ending.
pub(super) fn media_type(file: &str) -> Option<&'static str> {
    let ending = file.rsplit_once('.')?.1.to_ascii_lowercase();
    MEDIA_TYPES
        .iter()
        .find(|(known, _)| *known == ending)
        .map(|(_, media)| *media)
}

/// An ISO date, as written.
pub(super) fn date(text: &str) -> Result<jiff::civil::Date, String> {
    let iso = text.len() == 10
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-');
    iso.then(|| text.parse().ok())
        .flatten()
        .ok_or_else(|| format!("`{text}` is not a date; write it as 2026-10-31"))
}

/// Whether a text can be an id: it travels in addresses, button replies and order lines.
pub(super) fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}
