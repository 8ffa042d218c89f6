use super::*;

fn run(name: &str, scores: &[(&str, &str, &[f64])]) -> RecordedRun {
    RecordedRun {
        name: name.to_owned(),
        cases: scores
            .iter()
            .map(|(id, slice, scores)| RecordedCase {
                id: (*id).to_owned(),
                slices: vec![(*slice).to_owned()],
                scores: scores.to_vec(),
            })
            .collect(),
    }
}

fn many(name: &str, passes: impl Fn(usize) -> bool) -> RecordedRun {
    RecordedRun {
        name: name.to_owned(),
        cases: (0..200)
            .map(|place| RecordedCase {
                id: format!("{place:03}"),
                slices: vec![if place < 40 { "it" } else { "en" }.to_owned()],
                scores: vec![f64::from(u8::from(passes(place)))],
            })
            .collect(),
    }
}

#[test]
fn a_part_that_drops_is_found_below_an_even_whole() {
    let before = many("before", |place| place % 2 == 0);
    let now = many("now", |place| place >= 40 && (place % 2 == 0 || place < 80));
    let found = compare(&before, &now, 0.01).unwrap();
    let slices: Vec<(&str, ComparisonVerdict)> = found
        .slices
        .iter()
        .map(|slice| (slice.name.as_str(), slice.verdict))
        .collect();
    assert_eq!(
        slices,
        [
            ("all", ComparisonVerdict::NoEvidence),
            ("en", ComparisonVerdict::Improved),
            ("it", ComparisonVerdict::Regressed)
        ]
    );
    assert_eq!(found.verdict, ComparisonVerdict::Regressed);
    assert_eq!((found.flips.lost.len(), found.flips.won.len()), (20, 20));
    assert!(found.slices[0].needed.unwrap() > 200);
    let [low, high] = found.slices[2].interval;
    assert!(low < -0.5 && -0.5 < high && high < 0.0, "{low} {high}");
}

#[test]
fn what_is_smaller_than_the_minimum_effect_is_no_evidence() {
    let (before, now) = (many("a", |place| place >= 20), many("b", |_| true));
    let verdict = |minimum| compare(&before, &now, minimum).unwrap().verdict;
    assert_eq!(verdict(0.05), ComparisonVerdict::Improved);
    assert_eq!(verdict(0.2), ComparisonVerdict::NoEvidence);
}

#[test]
fn repeats_are_one_case_and_tell_what_is_flaky() {
    let before = run(
        "before",
        &[
            ("a", "x", &[1.0, 0.0]),
            ("b", "x", &[1.0, 1.0]),
            ("gone", "x", &[1.0]),
        ],
    );
    let now = run(
        "now",
        &[
            ("a", "x", &[1.0, 1.0]),
            ("b", "x", &[0.0, 0.0]),
            ("new", "x", &[0.0]),
        ],
    );
    let found = compare(&before, &now, 0.01).unwrap();
    assert_eq!(
        found.slices.len(),
        1,
        "a part that is the whole is left out"
    );
    assert_eq!(found.slices[0].cases, 2);
    assert!((found.slices[0].difference + 0.25).abs() < 1e-9);
    assert_eq!(found.flips.lost, ["b"]);
    assert!(found.flips.won.is_empty());
    assert_eq!(found.flaky, ["a"]);
    assert_eq!(found.unpaired, ["gone", "new"]);
    assert!(found.slices[0].p > 0.3);
}

#[test]
fn the_same_run_twice_is_no_evidence_of_anything() {
    let run = many("one", |place| place % 3 == 0);
    let found = compare(&run, &run, 0.01).unwrap();
    assert_eq!(found.verdict, ComparisonVerdict::NoEvidence);
    assert_eq!(found.slices[0].interval, [0.0, 0.0]);
    let other = RecordedRun {
        cases: Vec::new(),
        ..run.clone()
    };
    assert!(compare(&run, &other, 0.01).is_err());
}

#[test]
fn our_own_run_is_compared_by_kind_language_and_tag() {
    let stored = |passed: [bool; 3]| {
        let case = |name: &str, passed: bool, repeat: u32, skipped: bool| {
            serde_json::json!({
                "suite": "s", "kind": "intent", "case": name, "language": "it", "tags": ["typo", "typo"],
                "passed": passed, "repeat": repeat, "skipped": skipped, "observed": {"seen": "failed", "reason": ""},
            })
        };
        let file = serde_json::json!({
            "version": 1, "sportello": "0", "model": "m", "suites": ["s"], "repeats": 2, "passed": true, "kinds": [],
            "figures": [], "gates": [], "tokens": [0, 0],
            "cases": [case("a", passed[0], 0, false), case("a", passed[1], 1, false), case("b", passed[2], 0, false),
                case("left out", false, 0, true)],
        });
        let results: crate::eval::Results = serde_json::from_value(file.clone()).unwrap();
        (results, file)
    };
    let (before, file) = stored([true, true, true]);
    let (now, _) = stored([true, false, false]);
    let run = RecordedRun::of("before", &before);
    let ids: Vec<(&str, usize)> = run
        .cases
        .iter()
        .map(|case| (case.id.as_str(), case.scores.len()))
        .collect();
    assert_eq!(ids, [("intent [it]: a", 2), ("intent [it]: b", 1)]);
    assert_eq!(run.cases[0].slices, ["intent", "intent, it", "tag=typo"]);
    let found = compare(&run, &RecordedRun::of("now", &now), 0.01).unwrap();
    assert_eq!(found.flips.lost, ["intent [it]: b"]);
    assert_eq!(found.flaky, ["intent [it]: a"]);
    assert!(found.unpaired.is_empty());
    // A file says the same.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.json");
    std::fs::write(&path, file.to_string()).unwrap();
    let read = RecordedRun::read(&path).unwrap();
    assert_eq!(read.cases.len(), 2);
    assert_eq!(read.cases[0].scores, [1.0, 1.0]);
    assert_eq!(read.cases[0].slices, run.cases[0].slices);
}
