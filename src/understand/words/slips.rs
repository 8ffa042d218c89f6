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
        && distance(written, meant) <= slips
}

/// Edits between two words, two swapped neighbours counting as one.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let width = right.len() + 1;
    let mut table: Vec<usize> = vec![0; (left.len() + 1) * width];
    for row in 0..=left.len() {
        for column in 0..width {
            table[row * width + column] = if row == 0 || column == 0 {
                row + column
            } else {
                let differs = usize::from(left[row - 1] != right[column - 1]);
                let mut fewest = (table[(row - 1) * width + column] + 1)
                    .min(table[row * width + column - 1] + 1)
                    .min(table[(row - 1) * width + column - 1] + differs);
                let swapped = row > 1
                    && column > 1
                    && left[row - 1] == right[column - 2]
                    && left[row - 2] == right[column - 1];
                if swapped {
                    fewest = fewest.min(table[(row - 2) * width + column - 2] + 1);
                }
                fewest
            };
        }
    }
    table.last().copied().unwrap_or(0)
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
