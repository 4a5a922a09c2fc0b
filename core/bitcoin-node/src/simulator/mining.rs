//! Block templates and regtest proof of work.

use super::{chain::Chain, mempool::Entry, rules};
use bitcoin::{
    Amount, Block, CompactTarget, OutPoint, ScriptBuf, Sequence, Target, Transaction, TxIn, TxMerkleNode,
    TxOut, Txid, Weight, Witness, absolute, block,
    hashes::Hash,
    opcodes,
    script::{Builder, PushBytesBuf, Script},
    transaction,
};
use btc_staking_protocol::height::BtcHeight;
use std::collections::HashSet;

/// Regtest's difficulty, the same for ever.
const REGTEST_BITS: u32 = 0x207f_ffff;
/// BIP 9 version without any signal.
const BLOCK_VERSION: i32 = 0x2000_0000;
const HALVING_INTERVAL: u32 = 150;
/// Room left for header, transaction count and coinbase.
const RESERVED: Weight = Weight::from_wu(8_000);
/// Bytes that introduce the witness commitment in the coinbase (BIP 141).
const COMMITMENT_TAG: [u8; 4] = [0xaa, 0x21, 0xa9, 0xed];
const WITNESS_RESERVED: [u8; 32] = [0; 32];

/// Mines a block on the tip with as much of `entries` as fits, in their order, paying to `script`. `extra_nonce` keeps
/// two blocks apart that are otherwise the same.
pub(super) fn mine(chain: &Chain, entries: &[Entry], script: &Script, time: u32, extra_nonce: u64) -> Block {
    let tip = chain.tip();
    let height = rules::next_height(chain);
    let chosen = choose(entries);
    let fees = chosen.iter().map(|entry| entry.fee).sum::<Amount>();
    let mut txdata = vec![build_coinbase(height, subsidy(height) + fees, script, extra_nonce)];
    txdata.extend(chosen.iter().map(|entry| entry.tx.clone()));
    let header = block::Header {
        version: block::Version::from_consensus(BLOCK_VERSION),
        prev_blockhash: tip.hash,
        merkle_root: TxMerkleNode::all_zeros(),
        time: time.max(chain.median_time_past().saturating_add(1)),
        bits: CompactTarget::from_consensus(REGTEST_BITS),
        nonce: 0,
    };
    let mut block = Block { header, txdata };
    commit_to_witnesses(&mut block);
    block.header.merkle_root = block.compute_merkle_root().expect("there is a coinbase");
    let target = Target::from_compact(block.header.bits);
    while block.header.validate_pow(target).is_err() {
        // Every second hash is low enough; 2^32 misses in a row do not happen.
        block.header.nonce = block.header.nonce.wrapping_add(1);
    }
    block
}

/// Takes entries as they came until the block is full, leaving out children of those left out.
fn choose(entries: &[Entry]) -> Vec<&Entry> {
    let mut room = Weight::MAX_BLOCK - RESERVED;
    let mut left_out: HashSet<Txid> = HashSet::new();
    let mut chosen = Vec::new();
    for entry in entries {
        let orphan = entry.tx.input.iter().any(|input| left_out.contains(&input.previous_output.txid));
        match room.checked_sub(entry.tx.weight()).filter(|_| !orphan) {
            Some(rest) => {
                room = rest;
                chosen.push(entry);
            }
            None => {
                left_out.insert(entry.txid);
            }
        }
    }
    chosen
}

fn subsidy(height: BtcHeight) -> Amount {
    let halvings = height.to_u32() / HALVING_INTERVAL;
    Amount::from_sat(Amount::from_int_btc(50).to_sat().checked_shr(halvings).unwrap_or(0))
}

/// The coinbase, height first (BIP 34), with room for the witness commitment in its last output.
fn build_coinbase(height: BtcHeight, value: Amount, script: &Script, extra_nonce: u64) -> Transaction {
    let script_sig = Builder::new()
        .push_int(i64::from(height.to_u32()))
        .push_slice(extra_nonce.to_le_bytes())
        .into_script();
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig,
            sequence: Sequence::MAX,
            witness: Witness::from_slice(&[WITNESS_RESERVED]),
        }],
        output: vec![
            TxOut { value, script_pubkey: script.to_owned() },
            TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new() },
        ],
    }
}

/// Writes the commitment to all witnesses into the coinbase's last output (BIP 141).
fn commit_to_witnesses(block: &mut Block) {
    let root = block.witness_root().expect("there is a coinbase");
    let commitment = Block::compute_witness_commitment(&root, &WITNESS_RESERVED);
    let mut data = PushBytesBuf::new();
    let bytes = [&COMMITMENT_TAG[..], &commitment.to_byte_array()[..]].concat();
    data.extend_from_slice(&bytes).expect("36 bytes are a short push");
    let script_pubkey = Builder::new().push_opcode(opcodes::all::OP_RETURN).push_slice(data).into_script();
    if let Some(output) = block.txdata.first_mut().and_then(|coinbase| coinbase.output.last_mut()) {
        output.script_pubkey = script_pubkey;
    }
}
