//! 256 secret bits.

use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A key: wiped when it is dropped, never printed. On the heap, so that moving it leaves no copy behind; for the same
/// reason it cannot be cloned.
pub(crate) struct KeyBytes(Box<[u8; Self::LENGTH]>);

impl KeyBytes {
    pub(crate) const LENGTH: usize = 32;

    /// A new key out of the operating system's randomness.
    pub(crate) fn generate() -> Result<Self, NoRandomness> {
        let mut key = Self(Box::new([0; Self::LENGTH]));
        fill_random(key.0.as_mut_slice())?;
        Ok(key)
    }

    /// The key with these bytes; `None` when they are not 32.
    pub(crate) fn copy_of(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::LENGTH {
            return None;
        }
        let mut key = Self(Box::new([0; Self::LENGTH]));
        key.0.copy_from_slice(bytes);
        Some(key)
    }

    /// The bytes, for the cipher. Not for messages, logs or traces.
    pub(crate) fn expose(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl Drop for KeyBytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for KeyBytes {}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyBytes(…)")
    }
}

/// Fills the buffer with randomness that nobody can predict.
pub(crate) fn fill_random(buffer: &mut [u8]) -> Result<(), NoRandomness> {
    SystemRandom::new().fill(buffer).map_err(|_| NoRandomness)
}

/// The operating system gave no randomness.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the operating system gave no randomness: make `/dev/urandom` or `getrandom` available to the process"
)]
pub struct NoRandomness;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_wiped_when_dropped_and_does_not_show_in_debug_output() {
        fn is_wiped<T: ZeroizeOnDrop>(_: &T) {}
        let key = KeyBytes::copy_of(&[0xab; 32]).expect("32 bytes");
        is_wiped(&key);
        assert_eq!(format!("{:?}", Some(key)), "Some(KeyBytes(…))");
    }

    #[test]
    fn a_key_has_32_bytes_and_is_never_the_same_twice() {
        assert!(KeyBytes::copy_of(&[1; 31]).is_none() && KeyBytes::copy_of(&[1; 33]).is_none());
        let [one, two] = [(); 2].map(|()| KeyBytes::generate().expect("randomness"));
        assert_ne!(one.expose(), two.expose());
    }
}
