//! The application hash: a chain of hashes over what every block wrote.
//!
//! ```text
//! writes_h = SHA-256( for each written key in ascending order:
//!                     01 ‖ LE32(len key) ‖ key ‖ LE32(len value) ‖ value      for a put
//!                     00 ‖ LE32(len key) ‖ key                                for a delete )
//! app_hash_h = SHA-256( "btc-staking/app-hash/1" ‖ app_hash_(h-1) ‖ BE64(h) ‖ writes_h )
//! ```
//!
//! It is equal on two nodes exactly if they wrote the same from genesis on, which is what consensus compares. It is no
//! Merkle root: `abci_query` gives no proofs. A write that leaves a value as it was counts as a write.

use super::layer::Writes;
use sha2::{Digest, Sha256};

const DOMAIN: &[u8] = b"btc-staking/app-hash/1";

/// Returns the hash of the state after a block that wrote `writes` on top of the state hashed by `previous`.
pub(crate) fn next(previous: &[u8; 32], height: u64, writes: &Writes) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(previous);
    hash.update(height.to_be_bytes());
    hash.update(hash_writes(writes));
    hash.finalize().into()
}

fn hash_writes(writes: &Writes) -> [u8; 32] {
    let mut hash = Sha256::new();
    for (key, value) in writes {
        hash.update([u8::from(value.is_some())]);
        update_sized(&mut hash, key);
        if let Some(value) = value {
            update_sized(&mut hash, value);
        }
    }
    hash.finalize().into()
}

fn update_sized(hash: &mut Sha256, bytes: &[u8]) {
    // Longer values cannot be stored: a block is bounded far below.
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    hash.update(len.to_le_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_input_moves_the_hash() {
        let writes =
            |key: &[u8], value: Option<&[u8]>| Writes::from([(key.to_vec(), value.map(<[u8]>::to_vec))]);
        let hashes = [
            next(&[0; 32], 1, &Writes::new()),
            next(&[1; 32], 1, &Writes::new()),
            next(&[0; 32], 2, &Writes::new()),
            next(&[0; 32], 1, &writes(b"a", Some(b"b"))),
            next(&[0; 32], 1, &writes(b"a", Some(b""))),
            next(&[0; 32], 1, &writes(b"a", None)),
            next(&[0; 32], 1, &writes(b"ab", Some(b""))),
        ];
        for (i, a) in hashes.iter().enumerate() {
            assert!(hashes[i + 1..].iter().all(|b| a != b), "hash {i} repeats");
        }
    }
}
