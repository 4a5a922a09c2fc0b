//! Everything that was ever released, by whomever.

use btc_staking_protocol::finality::vote::VoteMessage;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// What left at a height: the app hash and the signature, both in hex.
type Released = (String, String);

#[derive(Clone, Default)]
pub struct Oracle(Arc<Mutex<BTreeMap<u64, Released>>>);

impl Oracle {
    /// Takes in a signature.
    pub fn released(&self, by: &str, message: VoteMessage, signature: [u8; 32]) {
        self.released_text(
            by,
            message.height.to_u64(),
            (hex::encode(message.app_hash), hex::encode(signature)),
        );
    }

    pub fn released_text(&self, by: &str, height: u64, new: Released) {
        let mut all = self.0.lock().unwrap();
        let before = all.entry(height).or_insert_with(|| new.clone());
        assert_eq!(*before, new, "{by} released a second signature at height {height}");
    }

    pub fn heights(&self) -> Vec<u64> {
        self.0.lock().unwrap().keys().copied().collect()
    }

    pub fn has(&self, height: u64) -> bool {
        self.0.lock().unwrap().contains_key(&height)
    }
}
