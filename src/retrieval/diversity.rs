//! Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): the next passage is the best that does not
//! repeat what was chosen before it. Two passages are alike as far as they share words.

use std::collections::HashSet;

use crate::domain::Passage;

/// Only so many of the best are compared.
const CANDIDATES: usize = 30;

/// Orders passages, best first, and keeps `limit` of them. `weight` is what repeating all words costs, in units of
/// the score; 0 leaves the order as it is. The first stays the first.
pub(super) fn diversify(mut passages: Vec<Passage>, limit: usize, weight: f32) -> Vec<Passage> {
    if weight <= 0.0 || passages.len() < 3 || limit < 2 {
        passages.truncate(limit);
        return passages;
    }
    passages.truncate(CANDIDATES.max(limit));
    let mut waiting: Vec<(HashSet<String>, f32, Passage)> = passages
        .into_iter()
        .map(|passage| (words(&passage), 0.0, passage))
        .collect();
    let mut chosen = Vec::with_capacity(limit);
    while chosen.len() < limit && !waiting.is_empty() {
        let gain =
            |(_, alike, passage): &(HashSet<String>, f32, Passage)| passage.score - weight * alike;
        let best = (0..waiting.len())
            .reduce(|best, next| {
                if gain(&waiting[next]) > gain(&waiting[best]) {
                    next
                } else {
                    best
                }
            })
            .unwrap_or(0);
        let (seen, _, passage) = waiting.remove(best);
        for (words, alike, _) in &mut waiting {
            *alike = alike.max(shared(words, &seen));
        }
        chosen.push(passage);
    }
    chosen
}

fn words(passage: &Passage) -> HashSet<String> {
    let text = format!("{} {}", passage.title, passage.text).to_lowercase();
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| word.chars().count() > 3)
        .map(str::to_owned)
        .collect()
}

/// Jaccard's index of two sets of words.
fn shared(one: &HashSet<String>, other: &HashSet<String>) -> f32 {
    let both = one.intersection(other).count();
    let all = one.len() + other.len() - both;
    #[expect(clippy::cast_precision_loss, reason = "words of a passage")]
    let share = both as f32 / all.max(1) as f32;
    share
}

#[cfg(test)]
mod tests {
    use super::super::fuse::tests::passage;
    use super::*;

    fn passages() -> Vec<Passage> {
        let texts = [
            ("a", "white porcelain espresso cups, set of six", 0.50),
            ("b", "white porcelain espresso cups, set of four", 0.49),
            ("c", "double walled glasses that keep warm", 0.48),
        ];
        let passages = texts.map(|(id, text, score)| Passage {
            text: text.to_owned(),
            score,
            ..passage(id)
        });
        passages.to_vec()
    }

    fn order(passages: &[Passage]) -> String {
        passages.iter().map(|passage| passage.id.as_str()).collect()
    }

    #[test]
    fn what_repeats_comes_later_and_the_first_stays() {
        assert_eq!(order(&diversify(passages(), 3, 0.1)), "acb");
        assert_eq!(order(&diversify(passages(), 2, 0.1)), "ac");
        assert_eq!(order(&diversify(passages(), 3, 0.0)), "abc");
        assert_eq!(order(&diversify(passages(), 2, 0.001)), "ab");
        assert!(diversify(Vec::new(), 3, 0.1).is_empty());
    }
}
