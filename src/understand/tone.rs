//! Signs of mood that words alone do not carry: emoji, capitals, repetition, harsh and glad words.

use super::words::{self, Token, tokens};

/// Number of signs that the sentiment head reads beside the sentence vector.
pub(super) const SIGNS: usize = 14;

/// Emoji that please.
const GLAD_EMOJI: &str = "😀😃😄😁😆😊🙂🥰😍🤩😘😋😎🤗🥳😇😉👍👏🙌🙏💪🎉🎊✨🌟⭐❤💕💖💗💙💚💛🧡💜🤍🖤💯🔥🏆🎁🌹🌸😻🤝👌✅☺😌🫶🥹😺🌈🍀💐";
/// Emoji that complain.
const ANGRY_EMOJI: &str =
    "😠😡🤬😤😒🙄😑😞😔😟😕🙁☹😣😖😫😩😢😭😨😱😰😓🤦🤮🤢👎💔💩🖕😾😿😪😥🤡🚫❌⚠😷🤒😬🥺😐";
/// Characters that are looked at.
const LONGEST_TEXT: usize = 2_000;

/// What the surface of a message says about its mood; counts are capped at 3.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Tone {
    pub(super) glad_emoji: f32,
    pub(super) angry_emoji: f32,
    pub(super) glad_words: f32,
    /// Glad words with a negation before them.
    pub(super) glad_denied: f32,
    pub(super) harsh_words: f32,
    /// Says that it is not the first time.
    pub(super) again: f32,
    /// Complains of a wait.
    pub(super) waited: f32,
    /// Says please, or asks whether one could.
    pub(super) polite: f32,
    /// Says what nobody means.
    pub(super) sarcastic: f32,
    /// Praises in a way that mocks beside a complaint.
    pub(super) ironic: f32,
    /// Longest run of exclamation marks, from the second on.
    pub(super) exclaimed: f32,
    /// Longest run of question marks, from the second on.
    pub(super) insisted: f32,
    /// Words in capitals among words in small letters, or a message all in capitals.
    pub(super) shouted: f32,
    /// Words with a letter three times in a row.
    pub(super) drawn_out: f32,
}

impl Tone {
    /// Reads a message in any of the six languages.
    pub(super) fn of(text: &str) -> Self {
        let text: String = text.chars().take(LONGEST_TEXT).collect();
        let tokens = tokens(&text);
        let (glad_words, glad_denied) = glad(&tokens);
        let count = |of: &str| text.chars().filter(|letter| of.contains(*letter)).count();
        Self {
            glad_emoji: capped(count(GLAD_EMOJI)),
            angry_emoji: capped(count(ANGRY_EMOJI)),
            glad_words,
            glad_denied,
            harsh_words: capped(places(&tokens, |words| &words.tone.harsh).len()),
            again: capped(places(&tokens, |words| &words.tone.again).len()),
            waited: capped(places(&tokens, |words| &words.tone.waited).len()),
            polite: capped(places(&tokens, |words| &words.tone.polite).len()),
            sarcastic: capped(places(&tokens, |words| &words.tone.sarcastic).len()),
            ironic: capped(places(&tokens, |words| &words.tone.ironic).len()),
            exclaimed: capped(longest_run(&text, '!').saturating_sub(1)),
            insisted: capped(longest_run(&text, '?').saturating_sub(1)),
            shouted: capped(shouted(&text)),
            drawn_out: capped(
                text.split_whitespace()
                    .filter(|word| is_drawn_out(word))
                    .count(),
            ),
        }
    }

    /// The signs as features of the head, each at most 1.
    pub(super) fn signs(&self) -> [f32; SIGNS] {
        [
            self.glad_emoji,
            self.angry_emoji,
            self.glad_words,
            self.glad_denied,
            self.harsh_words,
            self.again,
            self.waited,
            self.polite,
            self.sarcastic,
            self.ironic,
            self.exclaimed,
            self.insisted,
            self.shouted,
            self.drawn_out,
        ]
        .map(|sign| sign / 3.0)
    }

    /// How worked up the writer is, in [0, 1], for good or bad.
    pub(super) fn arousal(&self) -> f32 {
        let once = |sign: f32, least: f32, more: f32| {
            if sign > 0.0 {
                least + more * (sign - 1.0)
            } else {
                0.0
            }
        };
        let total = once(self.harsh_words, 0.3, 0.15)
            + once(self.again, 0.2, 0.1)
            + once(self.waited, 0.15, 0.1)
            + once(self.sarcastic, 0.3, 0.1)
            + once(self.exclaimed, 0.15, 0.1)
            + once(self.insisted, 0.04, 0.04)
            + once(self.shouted, 0.2, 0.1)
            + once(self.drawn_out, 0.1, 0.05)
            + once(self.angry_emoji.max(self.glad_emoji), 0.15, 0.1);
        total.min(1.0)
    }
}

impl Tone {
    /// Whether praise is mockery: it is never meant, or a complaint stands beside it.
    pub(super) fn mocks(&self) -> bool {
        let complains = self.again + self.waited + self.harsh_words + self.angry_emoji > 0.0;
        self.sarcastic > 0.0 || (self.ironic > 0.0 && complains)
    }

    /// Whether it is said politely and calmly.
    pub(super) fn is_civil(&self) -> bool {
        self.polite > 0.0
            && self.harsh_words + self.shouted + self.exclaimed == 0.0
            && !self.mocks()
    }
}

fn capped(count: usize) -> f32 {
    count.min(3) as f32
}

/// Places where a phrase of any language starts.
fn places(tokens: &[Token], of: fn(&words::Words) -> &words::Phrases) -> Vec<usize> {
    let starts =
        |place: &usize| words::all().any(|words| of(words).starts_at(tokens, *place).is_some());
    (0..tokens.len()).filter(starts).collect()
}

fn glad(tokens: &[Token]) -> (f32, f32) {
    let denials = places(tokens, |words| &words.tone.negations);
    let (denied, glad): (Vec<usize>, Vec<usize>) = places(tokens, |words| &words.tone.glad)
        .into_iter()
        .partition(|place| {
            denials
                .iter()
                .any(|denial| (1..=3).contains(&place.wrapping_sub(*denial)))
        });
    (capped(glad.len()), capped(denied.len()))
}

fn longest_run(text: &str, of: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for letter in text.chars() {
        run = if letter == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

fn shouted(text: &str) -> usize {
    let words = text
        .split(|letter: char| !letter.is_alphabetic())
        .filter(|word| word.chars().count() > 3);
    words
        .filter(|word| word.chars().all(char::is_uppercase))
        .count()
}

fn is_drawn_out(word: &str) -> bool {
    let letters: Vec<char> = word
        .chars()
        .filter(|letter| letter.is_alphabetic())
        .collect();
    letters
        .windows(3)
        .any(|run| run[0] == run[1] && run[1] == run[2] && run[0] != 'w')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surface_of_anger_is_read() {
        let tone = Tone::of("È la TERZA volta che scrivo!!! vergogna 😡");
        assert_eq!(
            (tone.shouted, tone.again, tone.harsh_words),
            (1.0, 1.0, 1.0)
        );
        assert_eq!((tone.exclaimed, tone.angry_emoji), (2.0, 1.0));
        assert!(tone.arousal() > 0.8);
        assert_eq!(Tone::of("where is my order?").arousal(), 0.0);
    }

    #[test]
    fn a_denied_praise_is_no_praise() {
        let tone = Tone::of("this is not a great machine");
        assert_eq!((tone.glad_words, tone.glad_denied), (0.0, 1.0));
        assert_eq!(Tone::of("sooooo goood").drawn_out, 2.0);
    }
}
