//! Multi-vectors as this index keeps them: a bit per number, its sign, and a byte per vector.
//!
//! A passage has some sixty vectors, so what one takes is what the index takes. The signs say nearly all that the order of
//! passages needs, because the question's numbers stay exact: `q · d` is estimated by `(q · s) / Σ|d|` with the signs s,
//! which is without bias (RaBitQ; Gao and Long, arXiv 2405.12497).

use mainstay_domain::port::MultiVector;

/// Bytes of the code of a vector of so many numbers: the signs, and what they are to be divided by.
pub(super) const fn width(dimension: usize) -> usize {
    dimension.div_ceil(8) + 1
}

/// The codes of the vectors. Those of length 0 have none, so that what is left can be compared.
pub(super) fn encode(multi: &MultiVector) -> Vec<Vec<u8>> {
    multi.vectors().filter_map(encode_one).collect()
}

fn encode_one(vector: &[f32]) -> Option<Vec<u8>> {
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    let sum = vector.iter().map(|number| number.abs()).sum::<f32>();
    if !(length > 0.0 && sum.is_finite()) {
        return None;
    }
    // Of a vector of length 1 the absolute numbers add up to at most √dimension.
    let share = sum / length / (vector.len() as f32).sqrt();
    let bits = vector.chunks(8).map(|numbers| {
        numbers.iter().enumerate().fold(0u8, |byte, (at, number)| byte | (u8::from(*number > 0.0) << at))
    });
    Some(bits.chain([(share * 255.0).round().clamp(1.0, 255.0) as u8]).collect())
}

/// How close passages are to a question: `mean over q of max over d of q · d`, for each passage whose codes, one after the
/// other, are not empty.
pub(super) fn closeness(question: &MultiVector, passages: &[Vec<u8>]) -> Vec<f32> {
    let width = width(question.dimension);
    let root = (question.dimension as f32).sqrt();
    let mut sums = vec![0.0; passages.len()];
    let mut table = vec![[0.0f32; 256]; width - 1];
    for vector in question.vectors() {
        fill(&mut table, vector);
        for (sum, codes) in sums.iter_mut().zip(passages) {
            let similarities = codes.chunks_exact(width).map(|code| {
                let (divisor, signs) = code.split_last().expect("a code has a last byte");
                let signed: f32 = table.iter().zip(signs).map(|(row, &byte)| row[usize::from(byte)]).sum();
                signed / (root * f32::from(*divisor) / 255.0)
            });
            *sum += similarities.fold(f32::NEG_INFINITY, f32::max);
        }
    }
    let vectors = question.vectors().len() as f32;
    sums.into_iter().map(|sum| sum / vectors).collect()
}

/// What every byte of signs adds up to, for each eight numbers of a vector of the question: a passage's vector is then
/// looked up a byte at a time.
fn fill(table: &mut [[f32; 256]], vector: &[f32]) {
    for (row, numbers) in table.iter_mut().zip(vector.chunks(8)) {
        row[0] = -numbers.iter().sum::<f32>();
        for (at, number) in numbers.iter().enumerate() {
            let known = 1 << at;
            for byte in 0..known {
                row[known + byte] = row[byte] + 2.0 * number;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(vectors: usize, dimension: usize, seed: u64) -> MultiVector {
        let mut random = fastrand::Rng::with_seed(seed);
        let values = (0..vectors).flat_map(|_| {
            let vector: Vec<f32> = (0..dimension).map(|_| random.f32() - 0.5).collect();
            let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
            vector.into_iter().map(|number| number / length).collect::<Vec<_>>()
        });
        MultiVector { dimension, values: values.collect() }
    }

    fn exact(question: &MultiVector, passage: &MultiVector) -> f32 {
        let dot = |one: &[f32], other: &[f32]| one.iter().zip(other).map(|(a, b)| a * b).sum::<f32>();
        let nearest = |q| passage.vectors().map(|d| dot(q, d)).fold(f32::NEG_INFINITY, f32::max);
        question.vectors().map(nearest).sum::<f32>() / question.vectors().len() as f32
    }

    #[test]
    fn the_estimate_is_near_what_it_estimates() {
        for (seed, dimension) in [(1, 384), (2, 100), (3, 1_024)] {
            let (question, passage) = (random(8, dimension, seed), random(1, dimension, seed + 100));
            let codes = encode(&passage).concat();
            assert_eq!(codes.len(), width(dimension));
            let estimated = closeness(&question, &[codes])[0];
            assert!((estimated - exact(&question, &passage)).abs() < 0.08, "{dimension}: {estimated}");
            // The same text is as close as can be.
            let same = closeness(&passage, &[encode(&passage).concat()])[0];
            assert!((same - 1.0).abs() < 0.01, "{same}");
        }
    }

    #[test]
    fn the_nearest_vector_of_a_passage_counts_for_each_of_the_question() {
        let question = random(3, 384, 1);
        let mut with_all = random(9, 384, 2);
        with_all.values.extend(&question.values);
        let mut with_one = random(9, 384, 2);
        with_one.values.extend(&question.values[..384]);
        let passages = [random(12, 384, 3), with_one, with_all].map(|passage| encode(&passage).concat());
        let [none, one, all] = closeness(&question, &passages)[..] else { panic!("three passages") };
        assert!(none < one && one < all && all > 0.95, "{none} {one} {all}");
    }

    #[test]
    fn a_vector_of_nothing_has_no_code() {
        let nothing = MultiVector { dimension: 4, values: vec![0.0; 8] };
        assert_eq!(encode(&nothing), Vec::<Vec<u8>>::new());
        assert_eq!(encode(&MultiVector::default()), Vec::<Vec<u8>>::new());
    }
}
