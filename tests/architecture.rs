#![expect(missing_docs, reason = "test")]
#[test]
fn placeholder() {}
