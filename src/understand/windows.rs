//! Long texts in windows: how they go through a network, and how their vectors become one.

use super::sums::normalize;

/// The windows in runs of at most `pieces` pieces, or of one window that is longer.
pub(super) fn passes(windows: &[Vec<u32>], pieces: usize) -> impl Iterator<Item = &[Vec<u32>]> {
    let mut rest = windows;
    std::iter::from_fn(move || {
        let mut taken = 0;
        let fitting = rest.iter().take_while(|window| {
            taken += window.len();
            taken <= pieces
        });
        let (pass, later) = rest.split_at(fitting.count().max(1).min(rest.len()));
        rest = later;
        (!pass.is_empty()).then_some(pass)
    })
}

/// The one vector of a text's windows, given as (pieces, vector): their mean, weighted by their lengths and
/// normalised; of a single window its own vector.
pub(super) fn pool(mut windows: impl Iterator<Item = (usize, Vec<f32>)>) -> Vec<f32> {
    let Some((pieces, first)) = windows.next() else {
        return Vec::new();
    };
    let Some(second) = windows.next() else {
        return first;
    };
    let mut mean = vec![0.0; first.len()];
    for (pieces, vector) in [(pieces, first), second].into_iter().chain(windows) {
        for (sum, value) in mean.iter_mut().zip(vector) {
            *sum += pieces as f32 * value;
        }
    }
    normalize(&mut mean);
    mean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_holds_what_fits_and_never_nothing() {
        let windows: Vec<Vec<u32>> = [3, 2, 9, 1, 1].map(|length| vec![7; length]).to_vec();
        let lengths: Vec<usize> = passes(&windows, 5).map(<[_]>::len).collect();
        assert_eq!(lengths, [2, 1, 2]);
        assert_eq!(passes(&[], 5).count(), 0);
    }

    #[test]
    fn a_longer_window_counts_for_more() {
        let one = (3, vec![1.0, 0.0]);
        let other = (4, vec![0.0, 1.0]);
        assert_eq!(pool([one.clone()].into_iter()), [1.0, 0.0]);
        assert_eq!(pool([one, other].into_iter()), [0.6, 0.8]);
        assert!(pool(std::iter::empty()).is_empty());
    }
}
