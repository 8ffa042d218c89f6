//! Words that were written in a hurry.

/// Equal but for one slip in a word of six letters or two in a word of nine.
pub(super) fn nearly(written: &str, meant: &str) -> bool {
    if written == meant {
        return true;
    }
    let length = meant.chars().count();
    let slips = match length {
        0..6 => return false,
        6..9 => 1,
        _ => 2,
    };
    let alike_at_start = written.chars().next() == meant.chars().next();
    alike_at_start
        && written.chars().count().abs_diff(length) <= slips
        && strsim::osa_distance(written, meant) <= slips
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_forgiven_in_long_words_only() {
        assert!(nearly("capucino", "cappuccino"));
        assert!(nearly("machne", "machine"));
        assert!(nearly("grnider", "grinder"));
        assert!(!nearly("block", "black"));
        assert!(!nearly("while", "white"));
    }
}
