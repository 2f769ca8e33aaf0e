//! What is done with vectors, whatever made them.

/// Brings the vector to length 1. A vector too short to have a direction becomes zero.
pub(crate) fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    let factor = if length > f32::MIN_POSITIVE.sqrt() { length.recip() } else { 0.0 };
    for value in vector {
        *value *= factor;
    }
}
