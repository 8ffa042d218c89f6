//! `faq/<language>/<slug>.md` and `policies/<language>/<slug>.md`: Markdown with front matter.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::domain::{Language, PassageKind};

use super::files::Files;
use super::yaml::yaml_fault;
use super::{Document, Notes, vocabulary};

const FOLDERS: [(&str, PassageKind); 2] =
    [("faq", PassageKind::Faq), ("policies", PassageKind::Policy)];

/// Reads all documents, in the order of their paths.
pub(super) fn read(files: &Files, notes: &mut Notes) -> Vec<Document> {
    let mut documents = Vec::new();
    for (folder, kind) in FOLDERS {
        for (path, parts) in files.below(folder) {
            let slug = match parts.as_slice() {
                [_, file] => file.strip_suffix(".md"),
                _ => None,
            };
            let (Some(slug), Some(code)) = (slug, parts.first()) else {
                let message =
                    format!("the file is not read; texts are at {folder}/<language>/<name>.md");
                notes.warning(path, 1, message);
                continue;
            };
            let language = match vocabulary::language(code) {
                Ok(language) => language,
                Err(message) => {
                    notes.fault(path, 1, format!("the folder's name: {message}"));
                    continue;
                }
            };
            let place = Place {
                path,
                slug,
                kind,
                language,
            };
            documents.extend(
                files
                    .text(path, notes)
                    .and_then(|text| document(&place, &text, notes)),
            );
        }
        missing_translations(folder, kind, &documents, notes);
    }
    documents
}

/// What the path says of a document.
struct Place<'a> {
    path: &'a str,
    slug: &'a str,
    kind: PassageKind,
    language: Language,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrontMatter {
    id: Option<Spanned<String>>,
    language: Option<Spanned<String>>,
    title: Option<Spanned<String>>,
    tags: Option<Vec<String>>,
    updated: Option<Spanned<String>>,
}

fn document(place: &Place<'_>, text: &str, notes: &mut Notes) -> Option<Document> {
    let path = place.path;
    let Some((yaml, body)) = split(text) else {
        let message = "there is no front matter; begin with a line `---`, then id, language, title, tags and \
                       updated, then a line `---`";
        notes.fault(path, 1, message);
        return None;
    };
    // The line that opens the front matter becomes an empty one, so that YAML counts lines as the file does.
    let front = match serde_saphyr::from_str::<FrontMatter>(&format!("\n{yaml}")) {
        Ok(front) => front,
        Err(error) => {
            notes.faults.push(yaml_fault(path, &error));
            return None;
        }
    };
    let before = notes.faults.len();
    let expected = format!("{}-{}", place.kind.name(), place.slug);
    check(place, &expected, &front, notes);
    if body.trim().is_empty() {
        notes.fault(
            path,
            1,
            "there is no text below the front matter; write it or remove the file",
        );
    }
    if notes.faults.len() > before {
        return None;
    }
    Some(Document {
        id: expected,
        kind: place.kind,
        language: place.language,
        title: front.title?.value.trim().to_owned(),
        tags: front.tags?,
        updated: front.updated?.value,
        body: body.trim().to_owned(),
        source: path.to_owned(),
    })
}

/// Notes everything that the front matter lacks or has wrong.
fn check(place: &Place<'_>, expected: &str, front: &FrontMatter, notes: &mut Notes) {
    let path = place.path;
    check_key(place, "id", &front.id, expected, notes);
    check_key(
        place,
        "language",
        &front.language,
        place.language.code(),
        notes,
    );
    if front
        .title
        .as_ref()
        .is_none_or(|title| title.value.trim().is_empty())
    {
        let line = line_of(&front.title);
        notes.fault(
            path,
            line,
            "the front matter lacks `title`; add for example `title: How do I return a product?`",
        );
    }
    if front.tags.is_none() {
        notes.fault(
            path,
            1,
            "the front matter lacks `tags`; add for example `tags: [returns, refund]`",
        );
    }
    match front
        .updated
        .as_ref()
        .map(|date| vocabulary::date(&date.value))
    {
        None => notes.fault(
            path,
            1,
            "the front matter lacks `updated`; add for example `updated: 2026-10-31`",
        ),
        Some(Err(message)) => notes.fault(
            path,
            line_of(&front.updated),
            format!("`updated`: {message}"),
        ),
        Some(Ok(_)) => {}
    }
}

fn check_key(
    place: &Place<'_>,
    key: &str,
    found: &Option<Spanned<String>>,
    expected: &str,
    notes: &mut Notes,
) {
    match found {
        None => notes.fault(
            place.path,
            1,
            format!("the front matter lacks `{key}`; add `{key}: {expected}`"),
        ),
        Some(found) if found.value != expected => {
            let value = &found.value;
            let message = format!(
                "`{key}` is `{value}`, but the path says `{expected}`; write `{key}: {expected}` or move the file"
            );
            notes.fault(place.path, line_of_span(found), message);
        }
        Some(_) => {}
    }
}

fn line_of(found: &Option<Spanned<String>>) -> usize {
    found.as_ref().map_or(1, line_of_span)
}

fn line_of_span(found: &Spanned<String>) -> usize {
    usize::try_from(found.referenced.line()).unwrap_or(1)
}

/// The front matter and the text below it.
fn split(text: &str) -> Option<(&str, &str)> {
    let (first, rest) = text.split_once('\n')?;
    if first.trim_end() != "---" {
        return None;
    }
    let mut offset = 0;
    for line in rest.split_inclusive('\n') {
        let end = offset + line.len();
        if line.trim_end() == "---" {
            return Some((rest.get(..offset)?, rest.get(end..)?));
        }
        offset = end;
    }
    None
}

fn missing_translations(
    folder: &str,
    kind: PassageKind,
    documents: &[Document],
    notes: &mut Notes,
) {
    let mut translations: BTreeMap<&str, BTreeSet<Language>> = BTreeMap::new();
    for document in documents.iter().filter(|document| document.kind == kind) {
        translations
            .entry(&document.id)
            .or_default()
            .insert(document.language);
    }
    let languages: BTreeSet<Language> = translations.values().flatten().copied().collect();
    for (id, there) in &translations {
        let slug = id
            .strip_prefix(kind.name())
            .and_then(|id| id.strip_prefix('-'))
            .unwrap_or(id);
        for language in languages.difference(there) {
            let path = format!("{folder}/{language}/{slug}.md");
            notes.warning(
                &path,
                1,
                format!(
                    "`{id}` is not written in `{language}`; customers get it in another language"
                ),
            );
        }
    }
}
