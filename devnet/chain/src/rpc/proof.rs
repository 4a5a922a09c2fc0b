//! Merkle proofs that a transaction is in a block: RFC 6962's tree over the transactions' hashes.

use super::form::hex_upper;
use crate::app::tx_hash;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

type Node = [u8; 32];

fn leaf(value: &[u8]) -> Node {
    Sha256::new().chain_update([0]).chain_update(value).finalize().into()
}

fn next_level(level: &[Node]) -> Vec<Node> {
    let join = |pair: &[Node]| match pair {
        [left, right] => {
            Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
        }
        // A node without a sibling moves up as it is.
        single => single[0],
    };
    level.chunks(2).map(join).collect()
}

/// The proof of the transaction at `index`, as `tx` and `tx_search` show it.
pub(super) fn of_tx(txs: &[Vec<u8>], index: usize) -> Option<Value> {
    let bytes = txs.get(index)?;
    let mut level: Vec<Node> = txs.iter().map(|tx| leaf(&tx_hash(tx))).collect();
    let leaf_hash = *level.get(index)?;
    let (mut at, mut aunts) = (index, vec![]);
    while level.len() > 1 {
        aunts.extend(level.get(at ^ 1).map(|aunt| STANDARD.encode(aunt)));
        (at, level) = (at / 2, next_level(&level));
    }
    Some(json!({
        "root_hash": hex_upper(level.first()?),
        "data": STANDARD.encode(bytes),
        "proof": {
            "total": txs.len().to_string(),
            "index": index.to_string(),
            "leaf_hash": STANDARD.encode(leaf_hash),
            "aunts": aunts,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_lead_to_the_data_hash_of_the_header() {
        for count in 1..20u8 {
            let txs: Vec<Vec<u8>> = (0..count).map(|tx| vec![tx; 3]).collect();
            let hashes: Vec<_> = txs.iter().map(|tx| tx_hash(tx)).collect();
            let root = tendermint::merkle::simple_hash_from_byte_vectors::<tendermint::crypto::default::Sha256>(
                &hashes,
            );
            for index in 0..txs.len() {
                let shown = of_tx(&txs, index).unwrap();
                assert_eq!(shown["root_hash"], hex_upper(&root));
                let proof: tendermint::tx::Proof = serde_json::from_value(shown).unwrap();
                assert_eq!(proof.data, txs[index]);
                assert_eq!(proof.proof.total, u64::from(count));
            }
        }
        assert_eq!(of_tx(&[], 0), None);
    }
}
