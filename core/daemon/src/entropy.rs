//! Randomness as something that is passed in.

use sha2::{Digest, Sha256};
use std::sync::{Mutex, PoisonError};
use thiserror::Error;

/// Gives random bytes.
pub trait Entropy: Send + Sync {
    /// Fills `out` with random bytes.
    ///
    /// # Errors
    /// [`EntropyError`] when the source has none; `out` must not be used then.
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError>;

    /// A random number.
    ///
    /// # Errors
    /// As [`Entropy::fill`].
    fn next_u64(&self) -> Result<u64, EntropyError> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

/// The operating system has no randomness to give.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the operating system gives no randomness: {0}")]
pub struct EntropyError(pub String);

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

/// The same bytes for the same seed, for tests. Never for keys: the bytes are as public as the seed.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    blocks: Mutex<u64>,
}

impl Entropy for OsEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(out).map_err(|error| EntropyError(error.to_string()))
    }
}

impl SeededEntropy {
    /// A source that is determined by `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, blocks: Mutex::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError> {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in out.chunks_mut(32) {
            let block =
                Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(blocks.to_be_bytes());
            for (byte, random) in chunk.iter_mut().zip(block.finalize()) {
                *byte = random;
            }
            *blocks = blocks.wrapping_add(1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_determines_all_bytes_and_calls_differ() {
        let (one, same, other) = (SeededEntropy::new(1), SeededEntropy::new(1), SeededEntropy::new(2));
        let first = one.next_u64().unwrap();
        assert_eq!(same.next_u64().unwrap(), first);
        assert_ne!(one.next_u64().unwrap(), first);
        assert_ne!(other.next_u64().unwrap(), first);
    }

    #[test]
    fn the_system_gives_other_bytes_each_time() {
        let mut buffers = [[0u8; 32]; 2];
        for buffer in &mut buffers {
            OsEntropy.fill(buffer).unwrap();
        }
        assert_ne!(buffers[0], buffers[1]);
    }
}
