//! Keys that come again and again: a committee and its finality providers stand in every delegation of a list, and parsing
//! a key takes a square root. Each is parsed once.

use super::{
    Result,
    bytes::{decode_covenant_key, decode_provider_key},
};
use btc_staking_protocol::keys::{CovenantPublicKey, FinalityProviderPublicKey};
use std::{cell::RefCell, collections::HashMap};

/// Remembers keys that were parsed before. Decoding with it gives the same as without it.
#[derive(Debug, Default)]
pub struct KnownKeys {
    covenant: Known<CovenantPublicKey>,
    providers: Known<FinalityProviderPublicKey>,
}

/// Most keys that are remembered; a list with more of them is read without this help.
const MOST: usize = 4_096;

#[derive(Debug)]
struct Known<K>(RefCell<HashMap<[u8; 32], K>>);

impl<K> Default for Known<K> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: Copy> Known<K> {
    fn get_or(&self, bytes: &[u8], parse: impl FnOnce() -> Result<K>) -> Result<K> {
        let Ok(bytes) = <[u8; 32]>::try_from(bytes) else { return parse() };
        if let Some(key) = self.0.borrow().get(&bytes) {
            return Ok(*key);
        }
        let key = parse()?;
        let mut known = self.0.borrow_mut();
        if known.len() < MOST {
            known.insert(bytes, key);
        }
        Ok(key)
    }
}

impl KnownKeys {
    /// Decodes 32 bytes of a committee member's key.
    pub(super) fn covenant(&self, field: &str, bytes: &[u8]) -> Result<CovenantPublicKey> {
        self.covenant.get_or(bytes, || decode_covenant_key(field, bytes))
    }

    /// Decodes a list of finality provider keys.
    pub(super) fn providers(&self, field: &str, keys: &[Vec<u8>]) -> Result<Vec<FinalityProviderPublicKey>> {
        let decode = |(index, key): (usize, &Vec<u8>)| {
            self.providers.get_or(key, || decode_provider_key(&format!("{field}[{index}]"), key))
        };
        keys.iter().enumerate().map(decode).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_key_is_the_same_key_and_a_bad_one_stays_bad() {
        let keys = KnownKeys::default();
        let good =
            [0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b, 0x07]
                .into_iter()
                .chain([
                    0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17,
                    0x98,
                ])
                .collect::<Vec<u8>>();
        for _ in 0..2 {
            assert_eq!(keys.covenant("pk", &good), decode_covenant_key("pk", &good));
            assert_eq!(keys.covenant("pk", &[0xff; 32]), decode_covenant_key("pk", &[0xff; 32]));
            assert!(keys.covenant("pk", &good[1..]).is_err());
        }
        assert_eq!(keys.covenant.0.borrow().len(), 1);
        let providers = keys.providers("fp_btc_pk_list", &[good.clone(), vec![0xff; 32]]);
        assert_eq!(providers.unwrap_err().path, "fp_btc_pk_list[1]");
    }
}
