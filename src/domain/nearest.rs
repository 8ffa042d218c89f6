//! What was probably meant by a name that is not known.

/// The known name that a wrong one was probably meant to be: at most two slips away, or a third of its length.
#[must_use]
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distances = known
        .into_iter()
        .map(|name| (strsim::osa_distance(wrong, name), name));
    let (distance, name) = distances.min()?;
    (distance <= 2 || distance * 3 <= name.len()).then_some(name)
}

/// `; did you mean …?` when one of the known names is near.
#[must_use]
pub fn suggestion<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wrong, known).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_was_meant() {
        let known = ["conversation", "intent", "retrieval"];
        assert_eq!(nearest("intnet", known), Some("intent"));
        assert_eq!(nearest("convresatoin_s", known), Some("conversation"));
        assert_eq!(nearest("payment", known), None);
        assert_eq!(nearest("intent", []), None);
    }
}
