//! No statement of the store reads a whole table that grows: each is read from its source and explained.

use std::collections::HashMap;
use std::path::Path;

use sqlx::{AssertSqlSafe, Row as _};

use super::{empty, second_connection};

/// Statements that read everything on purpose, by how they begin, and why they may.
const WHOLE: &[(&str, &str)] = &[
    (
        "UPDATE conversations SET lease_until = 0 WHERE lease_until > 0",
        "once, at start",
    ),
    (
        "SELECT COUNT(*) AS n FROM conversations WHERE waiting_since",
        "counts an index of those who wait",
    ),
    (
        "SELECT MIN(CASE WHEN lease_until",
        "reads an index of those that are due",
    ),
    (
        "SELECT s.id, s.free_at, s.bulk_from, s.broken",
        "one row per number of ours",
    ),
    (
        "SELECT COUNT(*) AS waiting FROM arrivals",
        "what waits is soon worked in",
    ),
    (
        "SELECT id, channel, phone, user_id, name, created_at",
        "the newest, in the order of their ids",
    ),
    (
        "SELECT v.id, v.referral, CASE",
        "a report by hand, over an index of what advertisements led to",
    ),
    (
        "SELECT tier FROM channel_numbers",
        "the numbers of a shop are few",
    ),
    (
        "SELECT kind, subject, detail, times",
        "what a person must look at is little",
    ),
    (
        "SELECT * FROM channel_templates ORDER BY",
        "the templates of a shop are few",
    ),
    (
        "SELECT * FROM channel_templates t WHERE category",
        "the templates of a shop are few",
    ),
    (
        "SELECT id, name, scopes, created_at, expires_at, revoked_at, used_at FROM tokens ORDER BY",
        "the tokens of a shop are few",
    ),
    (
        "SELECT * FROM channel_numbers ORDER BY",
        "the numbers of a shop are few",
    ),
];

/// The string literals of Rust source that are SQL, constants put in their places.
fn statements() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut literals = Vec::new();
    let mut constants = HashMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        let parts: Vec<&str> = source.split('"').collect();
        for place in (1..parts.len()).step_by(2) {
            let literal = parts[place].replace("\\\n", " ");
            let literal = literal.split_whitespace().collect::<Vec<_>>().join(" ");
            let name = parts[place - 1].trim_end().strip_suffix(": &str =");
            if let Some(name) = name.and_then(|before| before.rsplit(' ').next()) {
                constants.insert(format!("{{{name}}}"), literal.clone());
            }
            literals.push(literal);
        }
    }
    let begun = |literal: &String| {
        constants
            .iter()
            .find(|(name, _)| literal.starts_with(*name))
    };
    let parts: Vec<&String> = literals
        .iter()
        .filter_map(begun)
        .map(|(_, part)| part)
        .collect();
    let verbs = ["SELECT ", "INSERT ", "UPDATE ", "DELETE "];
    literals
        .iter()
        .filter(|literal| !parts.contains(literal))
        .map(|literal| {
            let fill =
                |filled: String, (name, part): (&String, &String)| filled.replace(name, part);
            constants.iter().fold(literal.clone(), fill)
        })
        .filter(|literal| verbs.iter().any(|verb| literal.starts_with(verb)))
        // The beginnings of statements whose rows or values are counted when they run.
        .filter(|literal| {
            !(literal.starts_with("INSERT ") && literal.ends_with(')'))
                || literal.contains(" VALUES ")
                || literal.contains(" SELECT ")
        })
        .map(|literal| {
            if literal.ends_with("IN (") {
                literal + "'x')"
            } else {
                literal
            }
        })
        .collect()
}

#[tokio::test]
async fn every_statement_uses_an_index() {
    let (folder, _store) = empty().await;
    let mut connection = second_connection(folder.path()).await;
    // A plan also names the tables that point to a parent; their scan is skipped while no key is violated.
    sqlx::query("PRAGMA foreign_keys = OFF")
        .execute(&mut connection)
        .await
        .unwrap();
    let mut faults = Vec::new();
    let statements = statements();
    assert!(statements.len() > 40, "{} statements", statements.len());
    for statement in &statements {
        if WHOLE.iter().any(|(begin, _)| statement.starts_with(begin)) {
            continue;
        }
        let explain = format!("EXPLAIN QUERY PLAN {statement}");
        let plan = sqlx::query(AssertSqlSafe(explain))
            .fetch_all(&mut connection)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
        for step in plan {
            let step: String = step.get("detail");
            // Read in the order of the index until there are enough: the desk's lists.
            let ordered =
                step.contains("USING INDEX conversations_") && statement.contains("LIMIT");
            if step.starts_with("SCAN") && !ordered && !step.contains("CONSTANT ROW") {
                faults.push(format!("{step}: {statement}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn the_exceptions_are_statements() {
    let statements = statements();
    for (begin, why) in WHOLE {
        let known = statements
            .iter()
            .any(|statement| statement.starts_with(begin));
        assert!(known, "{begin} ({why}) is no statement any more");
    }
}
