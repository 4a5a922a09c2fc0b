//! What comes from a Bitcoin node, and what was stored of it.

use crate::example;
use bitcoin::{
    Transaction, TxMerkleNode, Txid,
    block::Header,
    consensus::{deserialize, serialize},
    hashes::Hash,
};
use btc_staking_babylon::convert::{
    bytes::{decode_header, decode_tx},
    proof::{decode_inclusion, encode_inclusion},
};
use btc_staking_bitcoin_node::{
    follower::Cursor,
    ports::BlockRef,
    watch::{Confirmation, Watch},
};
use btc_staking_protocol::{
    height::BtcHeight,
    identify::{Payload, Tag, identify_stake, is_possible_stake},
    inclusion::InclusionProof,
};
use prost::Message;

/// Valid examples.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "transaction" => {
            let terms = example::terms();
            let signature = example::staker().sign(example::checked().sighashes().unbonding, &example::AUX);
            let unbonding =
                example::checked().assemble_unbonding(&example::signed_by(&[0, 1, 4]), &signature);
            let mut seeds = vec![serialize(&terms.staking_tx), serialize(&terms.slashing_tx)];
            seeds.extend(unbonding.map(|tx| serialize(&tx)));
            seeds
        }
        "identify" => vec![serialize(&phase1_stake())],
        "header" => vec![vec![1; 80]],
        "inclusion_proof" => {
            let txids: Vec<Txid> = (0..5).map(|byte| Txid::from_byte_array([byte; 32])).collect();
            let prove = |position| {
                InclusionProof::build(bitcoin::BlockHash::all_zeros(), &txids, position)
                    .map(|proof| encode_inclusion(&proof).encode_to_vec())
            };
            (1..5).filter_map(|position| prove(position).ok()).collect()
        }
        "cursor" => {
            let hash = bitcoin::BlockHash::all_zeros();
            let full = serde_json::json!({"start": 5, "window": 4, "first": 5, "recent": [hash, hash]});
            vec![full.to_string().into_bytes()]
        }
        "confirmation" => {
            let block =
                BlockRef { height: BtcHeight::new(7), hash: bitcoin::BlockHash::from_byte_array([3; 32]) };
            let tx = example::staking_tx();
            let confirmation = Confirmation { block, index: 1, tx, siblings: vec![[4; 32]] };
            serde_json::to_vec(&confirmation).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// A phase-1 stake with the worked example's keys.
fn phase1_stake() -> Transaction {
    let mut tx = example::staking_tx();
    let payload = Payload {
        tag: Tag::new(*b"bbn1"),
        staker: example::staker().public_key(),
        finality_provider: example::provider_key(),
        staking_time: 1000,
    };
    tx.output.push(payload.build_output());
    tx
}

/// A transaction: what was read is written the same way, without what trails it.
pub fn transaction(data: &[u8]) -> bool {
    let Ok(tx) = decode_tx("tx", data) else { return false };
    let bytes = serialize(&tx);
    assert!(data.starts_with(&bytes), "the bytes read are the bytes written");
    assert_eq!(decode_tx("tx", &bytes).as_ref(), Ok(&tx));
    let checked = example::checked();
    let _ = checked.classify_staking_spend(&tx);
    let _ = checked.verify_staker_spend(&tx, &[example::staking_tx()]);
    let _ = checked.recover_finality_provider_secret(&tx, &example::signed_by(&[0]));
    true
}

/// An OP_RETURN that may announce a stake: whoever is identified is also a possible stake.
pub fn identify(data: &[u8]) -> bool {
    let Ok(tx) = deserialize::<Transaction>(data) else { return false };
    let tag = Tag::new(*b"bbn1");
    let params = example::params();
    let Ok(stake) = identify_stake(&tx, tag, &params.covenant_committee) else { return false };
    assert!(is_possible_stake(&tx, tag));
    assert_eq!(Payload::from_bytes(&stake.payload.to_bytes()), Some(stake.payload));
    assert_eq!(stake.payload.build_output().value.to_sat(), 0);
    true
}

/// A block header is its 80 bytes.
pub fn header(data: &[u8]) -> bool {
    let Ok(header) = decode_header("header", data) else { return false };
    assert_eq!(serialize(&header), data);
    assert_eq!(deserialize::<Header>(data).ok(), Some(header));
    let _ = header.target();
    true
}

/// A proof of inclusion: encodes as it decoded, and leads to no root but its own.
pub fn inclusion_proof(data: &[u8]) -> bool {
    let Ok(wire) = Message::decode(data) else { return false };
    let Ok(proof) = decode_inclusion(&wire) else { return false };
    assert_eq!(decode_inclusion(&encode_inclusion(&proof)).as_ref(), Ok(&proof));
    let txid = Txid::from_byte_array([2; 32]);
    assert!(proof.verify(&txid, &TxMerkleNode::from_byte_array([0xee; 32])).is_err());
    true
}

/// A follower's stored place.
pub fn cursor(data: &[u8]) -> bool {
    let Ok(cursor) = serde_json::from_slice::<Cursor>(data) else { return false };
    let text = serde_json::to_vec(&cursor).unwrap_or_default();
    assert_eq!(serde_json::from_slice::<Cursor>(&text).ok(), Some(cursor.clone()));
    if let Some(tip) = cursor.tip() {
        assert!(tip.height >= cursor.start());
    }
    true
}

/// A stored confirmation: restoring it watches exactly its transaction.
pub fn confirmation(data: &[u8]) -> bool {
    let Ok(found) = serde_json::from_slice::<Confirmation>(data) else { return false };
    let mut watch = Watch::new();
    let txid = found.tx.compute_txid();
    watch.restore_confirmation(found.clone());
    assert_eq!(watch.confirmation(&txid), Some(&found));
    true
}
