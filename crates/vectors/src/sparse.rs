//! Sparse vectors: few terms of very many.

/// Terms with their weights: ids ascending, each once, weights not zero.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct SparseVector {
    terms: Vec<u32>,
    weights: Vec<f32>,
}

impl SparseVector {
    /// The terms' ids, ascending.
    pub fn terms(&self) -> &[u32] {
        &self.terms
    }

    /// The terms' weights, in the order of [`SparseVector::terms`].
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// Whether there is no term in it.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The terms and their weights, apart.
    pub(crate) fn into_parts(self) -> (Vec<u32>, Vec<f32>) {
        (self.terms, self.weights)
    }
}

/// Takes terms in any order. The weights of a term that comes more than once are added.
impl FromIterator<(u32, f32)> for SparseVector {
    fn from_iter<I: IntoIterator<Item = (u32, f32)>>(pairs: I) -> Self {
        let mut pairs: Vec<(u32, f32)> = pairs.into_iter().collect();
        pairs.sort_by_key(|&(term, _)| term);
        pairs.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                earlier.1 += later.1;
            }
            same
        });
        let (terms, weights) = pairs.into_iter().filter(|&(_, weight)| weight != 0.0).unzip();
        Self { terms, weights }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_sorted_added_up_and_kept_only_with_a_weight() {
        let vector: SparseVector =
            [(9, 1.0), (3, 2.0), (9, 0.5), (5, 0.0), (7, 1.0), (7, -1.0)].into_iter().collect();
        assert_eq!((vector.terms(), vector.weights()), (&[3, 9][..], &[2.0, 1.5][..]));
    }
}
