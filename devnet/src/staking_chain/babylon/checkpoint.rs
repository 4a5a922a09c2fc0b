//! A checkpoint of an epoch as two OP_RETURN payloads on Bitcoin (`chain.md` 3.3).
//!
//! | part | bytes |
//! |---|---|
//! | 0 | tag 4, part and version 1, epoch 8 (big-endian), block hash 32, bitmap 13, submitter 20 |
//! | 1 | tag 4, part and version 1, BLS signature 48, link 10 |
//!
//! The link is the beginning of the SHA-256 of part 0 without its first five bytes.

use bitcoin::{
    Amount, ScriptBuf, TxOut, opcodes,
    script::{self, PushBytesBuf},
};
use btc_staking_babylon::proto::checkpointing::RawCheckpointResponse;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Tag, and the byte with part and version.
const HEADER_BYTES: usize = 5;
/// Bytes of the link between the parts.
const LINK_BYTES: usize = 10;

/// What validators signed about an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The epoch.
    pub epoch: u64,
    /// Hash of its last block.
    pub block_hash: [u8; 32],
    /// Which validators signed.
    pub bitmap: [u8; 13],
    /// Their aggregated signature.
    pub bls_signature: [u8; 48],
}

/// A field of a checkpoint that is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field} of the checkpoint is {found:?}, it must be {expected}")]
pub struct InvalidCheckpoint {
    field: &'static str,
    found: String,
    expected: &'static str,
}

impl Checkpoint {
    /// Takes a chain's answer.
    ///
    /// # Errors
    /// [`InvalidCheckpoint`] for a wrong length.
    pub fn from_answer(answer: &RawCheckpointResponse) -> Result<Self, InvalidCheckpoint> {
        let invalid = |field, found: &dyn AsRef<[u8]>, expected| InvalidCheckpoint {
            field,
            found: hex::encode(found.as_ref()),
            expected,
        };
        let mut block_hash = [0; 32];
        hex::decode_to_slice(&answer.block_hash_hex, &mut block_hash).map_err(|_| InvalidCheckpoint {
            field: "block hash",
            found: answer.block_hash_hex.clone(),
            expected: "64 hex digits",
        })?;
        let bitmap = answer.bitmap.as_slice();
        let bls_signature = answer.bls_multi_sig.as_slice();
        Ok(Self {
            epoch: answer.epoch_num,
            block_hash,
            bitmap: bitmap.try_into().map_err(|_| invalid("bitmap", &bitmap, "13 bytes"))?,
            bls_signature: bls_signature
                .try_into()
                .map_err(|_| invalid("signature", &bls_signature, "48 bytes"))?,
        })
    }

    /// The payloads of both parts, for a chain with this tag and a submitter's account (20 bytes).
    pub fn payloads(&self, tag: [u8; 4], submitter: [u8; 20]) -> [Vec<u8>; 2] {
        let first = [
            &tag[..],
            &[version_byte(0)],
            &self.epoch.to_be_bytes(),
            &self.block_hash,
            &self.bitmap,
            &submitter,
        ]
        .concat();
        let link = Sha256::digest(&first[HEADER_BYTES..]);
        let second = [&tag[..], &[version_byte(1)], &self.bls_signature, &link[..LINK_BYTES]].concat();
        [first, second]
    }

    /// As [`Checkpoint::payloads`], each as an output that pays nothing.
    pub fn outputs(&self, tag: [u8; 4], submitter: [u8; 20]) -> [TxOut; 2] {
        self.payloads(tag, submitter).map(op_return)
    }
}

/// The part in the upper half; version 0 in the lower one.
const fn version_byte(part: u8) -> u8 {
    part << 4
}

fn op_return(payload: Vec<u8>) -> TxOut {
    let data = PushBytesBuf::try_from(payload).expect("a payload has less than 80 bytes");
    let script: ScriptBuf =
        script::Builder::new().push_opcode(opcodes::all::OP_RETURN).push_slice(data).into_script();
    TxOut { value: Amount::ZERO, script_pubkey: script }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint { epoch: 0x0102, block_hash: [0xaa; 32], bitmap: [0xbb; 13], bls_signature: [0xcc; 48] }
    }

    /// By hand from the table of `chain.md` 3.3; the link by `sha256sum` over the first part's last 73 bytes.
    #[test]
    fn the_payloads_are_those_of_the_table() {
        let [first, second] = checkpoint().payloads([1, 2, 3, 4], [0xdd; 20]);
        let expected =
            ["01020304", "00", "0000000000000102", &"aa".repeat(32), &"bb".repeat(13), &"dd".repeat(20)];
        assert_eq!(hex::encode(&first), expected.concat());
        let expected = ["01020304", "10", &"cc".repeat(48), LINK].concat();
        assert_eq!(hex::encode(&second), expected);
        assert_eq!((first.len(), second.len()), (78, 63));
    }

    const LINK: &str = "cbf4809dd0c5391cc0a7";

    #[test]
    fn a_payload_is_one_push_behind_op_return() {
        let [first, second] = checkpoint().outputs([1, 2, 3, 4], [0xdd; 20]);
        assert_eq!(first.script_pubkey.as_bytes()[..3], [0x6a, 0x4c, 78]);
        assert_eq!(second.script_pubkey.as_bytes()[..2], [0x6a, 63]);
        assert!(first.script_pubkey.is_op_return() && first.script_pubkey.len() <= 83, "not standard");
    }

    #[test]
    fn an_answer_with_wrong_lengths_is_refused_by_name() {
        let good = RawCheckpointResponse {
            epoch_num: 0x0102,
            block_hash_hex: "aa".repeat(32),
            bitmap: vec![0xbb; 13],
            bls_multi_sig: vec![0xcc; 48],
        };
        assert_eq!(Checkpoint::from_answer(&good), Ok(checkpoint()));
        for (bad, field) in [
            (RawCheckpointResponse { block_hash_hex: "aa".into(), ..good.clone() }, "block hash"),
            (RawCheckpointResponse { bitmap: vec![0; 12], ..good.clone() }, "bitmap"),
            (RawCheckpointResponse { bls_multi_sig: vec![0; 96], ..good.clone() }, "signature"),
        ] {
            assert_eq!(Checkpoint::from_answer(&bad).unwrap_err().field, field);
        }
    }
}
