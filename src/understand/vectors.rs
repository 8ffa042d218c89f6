//! The vectors that a text comes with.

/// The vectors of one text. They come from outside: understanding reads no model file.
#[derive(Debug, Clone, Copy)]
pub struct Vectors<'a> {
    /// From the sentence encoder, of unit length; all zeros when there is none, then words decide alone.
    pub sentence: &'a [f32],
    /// From the retrieval encoder, as of a query and of unit length, where one is loaded.
    pub retrieval: Option<&'a [f32]>,
}

/// The vectors of many texts: place by place, all of a kind equally long.
#[derive(Debug, Clone, Copy)]
pub struct VectorsOf<'a> {
    /// From the sentence encoder.
    pub sentence: &'a [Vec<f32>],
    /// From the retrieval encoder, as of queries.
    pub retrieval: Option<&'a [Vec<f32>]>,
}

impl<'a> Vectors<'a> {
    /// Without the retrieval encoder.
    #[must_use]
    pub fn sentence(sentence: &'a [f32]) -> Self {
        Self {
            sentence,
            retrieval: None,
        }
    }
}

impl<'a> VectorsOf<'a> {
    /// Without the retrieval encoder.
    #[must_use]
    pub fn sentence(sentence: &'a [Vec<f32>]) -> Self {
        Self {
            sentence,
            retrieval: None,
        }
    }

    /// The vectors of the text at `place`.
    #[must_use]
    pub fn of(&self, place: usize) -> Option<Vectors<'a>> {
        Some(Vectors {
            sentence: self.sentence.get(place)?,
            retrieval: self
                .retrieval
                .and_then(|vectors| vectors.get(place))
                .map(Vec::as_slice),
        })
    }
}
