//! What a file is, read from its first bytes: the types that WhatsApp takes, by their signatures.

use crate::domain::MediaKind;

/// A file that is none of the known ones.
const UNKNOWN: &str = "application/octet-stream";

/// Signatures at the beginning of a file.
const BEGINNINGS: &[(&[u8], &str)] = &[
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf2", "audio/mpeg"),
    (b"\xff\xf1", "audio/aac"),
    (b"\xff\xf9", "audio/aac"),
    (b"#!AMR", "audio/amr"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "application/x-ole-storage",
    ),
];

/// The type of a file, from its bytes alone.
#[must_use]
pub fn type_of(bytes: &[u8]) -> &'static str {
    let known = BEGINNINGS
        .iter()
        .find(|(beginning, _)| bytes.starts_with(beginning));
    if let Some((_, known)) = known {
        return known;
    }
    if bytes.starts_with(b"RIFF") {
        return match bytes.get(8..12) {
            Some(b"WEBP") => "image/webp",
            Some(b"WAVE") => "audio/wav",
            _ => UNKNOWN,
        };
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return match bytes.get(8..11) {
            Some(b"M4A") => "audio/mp4",
            Some(b"3gp") => "video/3gpp",
            _ => "video/mp4",
        };
    }
    let is_text = |text: &str| {
        !text
            .chars()
            .any(|character| character.is_control() && !character.is_whitespace())
    };
    match std::str::from_utf8(bytes) {
        Ok(text) if !bytes.is_empty() && is_text(text) => "text/plain",
        Ok(_) | Err(_) => UNKNOWN,
    }
}

/// Whether a file of this type may be of this kind. A document may be anything; a sound in an MP4 file may
/// call itself a video.
#[must_use]
pub fn fits(kind: MediaKind, mime_type: &str) -> bool {
    match kind {
        MediaKind::Image => mime_type.starts_with("image/"),
        MediaKind::Sticker | MediaKind::AnimatedSticker => mime_type == "image/webp",
        MediaKind::Video => mime_type.starts_with("video/"),
        MediaKind::Audio | MediaKind::Voice => {
            mime_type.starts_with("audio/") || mime_type.starts_with("video/")
        }
        MediaKind::Document => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn files_are_known_by_their_bytes() {
        let table: [(&[u8], &str); 14] = [
            (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
            (b"\x89PNG\r\n\x1a\nrest", "image/png"),
            (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
            (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
            (b"RIFF", "application/octet-stream"),
            (b"OggS\x00\x02", "audio/ogg"),
            (b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
            (b"\x00\x00\x00\x18ftypM4A ", "audio/mp4"),
            (b"\x00\x00\x00\x18ftyp3gp5", "video/3gpp"),
            (b"%PDF-1.7", "application/pdf"),
            (b"PK\x03\x04\x14", "application/zip"),
            ("ciao, è testo\n".as_bytes(), "text/plain"),
            (b"\x7fELF\x02\x01", "application/octet-stream"),
            (b"", "application/octet-stream"),
        ];
        for (bytes, expected) in table {
            assert_eq!(type_of(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_page_is_no_picture_and_a_program_no_sound() {
        assert!(!fits(MediaKind::Image, type_of(b"<html><script>")));
        assert!(!fits(MediaKind::Voice, type_of(b"\x7fELF\x02\x01")));
        assert!(!fits(MediaKind::Sticker, "image/png"));
        assert!(fits(MediaKind::Document, type_of(b"\x7fELF\x02\x01")));
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_type(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(type_of(&bytes).contains('/'));
        }
    }
}
