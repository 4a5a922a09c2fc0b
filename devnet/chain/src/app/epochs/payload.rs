//! A checkpoint as it lies on Bitcoin: the `OP_RETURN`s of two transactions (`chain.md` 3.3).
//!
//! | part | bytes |
//! |---|---|
//! | first | tag 4, version and part 1, epoch 8 big-endian, block hash 32, bitmap 13, submitter 20 |
//! | second | tag 4, version and part 1, BLS signature 48, link 10 |
//!
//! The low half of the version byte is the version, the high half the number of the part. The link is the beginning of the
//! SHA-256 of the first part behind its tag and version.

use bitcoin::Transaction;
use sha2::{Digest, Sha256};
use thiserror::Error;

const HEAD: usize = 5;
const FIRST: usize = 78;
const SECOND: usize = 63;
const SIGNATURE: usize = 48;
/// Most bytes that an `OP_RETURN` may push to be relayed.
const MAX_PUSH: usize = 80;

/// A checkpoint read from Bitcoin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) epoch: u64,
    pub(super) block_hash: Vec<u8>,
    pub(super) bitmap: Vec<u8>,
    /// Account of who sent it to Bitcoin.
    pub(super) submitter: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

/// Why two transactions hold no checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum NoCheckpoint {
    #[error("transaction has more than one OP_RETURN output")]
    ManyReturns,
    #[error("provided transaction should provide op return data")]
    NoReturn,
    #[error("part {part} has {found} bytes, it must have {expected}")]
    Length { part: u8, found: usize, expected: usize },
    #[error("part {part} has tag {found}, expected {expected}")]
    Tag { part: u8, found: String, expected: String },
    #[error("part {0} has an unknown version")]
    Version(u8),
    #[error("header of part {part} says it is part {found}")]
    Part { part: u8, found: u8 },
    #[error("the parts do not connect")]
    Link,
}

impl Payload {
    /// Reads the checkpoint of two transactions.
    pub(super) fn read(first: &Transaction, second: &Transaction, tag: &[u8]) -> Result<Self, NoCheckpoint> {
        let (first, second) = (part(0, &returned(first)?, tag)?, part(1, &returned(second)?, tag)?);
        let (signature, link) = second.split_at(SIGNATURE);
        if Sha256::digest(&first)[..link.len()] != *link {
            return Err(NoCheckpoint::Link);
        }
        let mut epoch = [0; 8];
        epoch.copy_from_slice(&first[..8]);
        Ok(Self {
            epoch: u64::from_be_bytes(epoch),
            block_hash: first[8..40].to_vec(),
            bitmap: first[40..53].to_vec(),
            submitter: first[53..].to_vec(),
            signature: signature.to_vec(),
        })
    }
}

/// The data of the one `OP_RETURN` of a transaction.
fn returned(tx: &Transaction) -> Result<Vec<u8>, NoCheckpoint> {
    let mut found = tx.output.iter().filter_map(|output| null_data(output.script_pubkey.as_bytes()));
    let data = found.next().unwrap_or_default();
    if found.next().is_some() {
        return Err(NoCheckpoint::ManyReturns);
    }
    if data.is_empty() { Err(NoCheckpoint::NoReturn) } else { Ok(data.to_vec()) }
}

/// What stands behind `OP_RETURN` in a standard script of that kind, as far as the reference reads it: behind the opcode
/// that pushes it and, for pushes with a length of one byte, behind that.
fn null_data(script: &[u8]) -> Option<&[u8]> {
    const RETURN: u8 = 0x6a;
    let (first, rest) = script.split_first()?;
    if *first != RETURN {
        return None;
    }
    let Some((push, operand)) = rest.split_first() else { return Some(&[]) };
    let (head, pushed) = match push {
        0..=75 => (0, usize::from(*push)),
        76 => (1, usize::from(*operand.first()?)),
        77 => (2, usize::from(u16::from_le_bytes(operand.get(..2)?.try_into().ok()?))),
        78 => (4, usize::try_from(u32::from_le_bytes(operand.get(..4)?.try_into().ok()?)).ok()?),
        0x51..=0x60 => (0, 0),
        _ => return None,
    };
    let standard = pushed <= MAX_PUSH && operand.len() == pushed + head;
    standard.then(|| if *push == 76 { &operand[1..] } else { operand })
}

/// A part behind its head, which must be as expected.
fn part(part: u8, data: &[u8], tag: &[u8]) -> Result<Vec<u8>, NoCheckpoint> {
    let expected = if part == 0 { FIRST } else { SECOND };
    if data.len() != expected {
        return Err(NoCheckpoint::Length { part, found: data.len(), expected });
    }
    let (head, content) = data.split_at(HEAD);
    if head[..4] != *tag {
        return Err(NoCheckpoint::Tag { part, found: hex::encode(&head[..4]), expected: hex::encode(tag) });
    }
    if head[4] & 0x0f != 0 {
        return Err(NoCheckpoint::Version(part));
    }
    if head[4] >> 4 != part {
        return Err(NoCheckpoint::Part { part, found: head[4] >> 4 });
    }
    Ok(content.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::{Amount, ScriptBuf, TxOut, absolute::LockTime, transaction::Version};

    const TAG: [u8; 4] = [1, 2, 3, 4];

    fn tx(scripts: &[Vec<u8>]) -> Transaction {
        let output = |script: &Vec<u8>| TxOut {
            value: Amount::ZERO,
            script_pubkey: ScriptBuf::from_bytes(script.clone()),
        };
        Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![],
            output: scripts.iter().map(output).collect(),
        }
    }

    fn push(data: &[u8]) -> Vec<u8> {
        let len = u8::try_from(data.len()).unwrap();
        let head = if len <= 75 { vec![0x6a, len] } else { vec![0x6a, 76, len] };
        [head.as_slice(), data].concat()
    }

    fn parts() -> (Vec<u8>, Vec<u8>) {
        let content = [7u64.to_be_bytes().as_slice(), &[1; 32], &[2; 13], &[3; 20]].concat();
        let link = Sha256::digest(&content)[..10].to_vec();
        let first = [TAG.as_slice(), &[0x00], &content].concat();
        (first, [TAG.as_slice(), &[0x10], &[4; 48], &link].concat())
    }

    #[test]
    fn a_checkpoint_is_read_from_its_two_transactions() {
        let (first, second) = parts();
        let spend = vec![0x51];
        let read = Payload::read(&tx(&[spend, push(&first)]), &tx(&[push(&second)]), &TAG).unwrap();
        let expected = Payload {
            epoch: 7,
            block_hash: vec![1; 32],
            bitmap: vec![2; 13],
            submitter: vec![3; 20],
            signature: vec![4; 48],
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_not_a_checkpoint_is_refused_with_the_reason() {
        let (first, second) = parts();
        let with = |at: usize, value: u8| {
            let mut changed = first.clone();
            changed[at] = value;
            changed
        };
        type Expected = fn(&NoCheckpoint) -> bool;
        let cases: [(Vec<Vec<u8>>, Expected); 7] = [
            (vec![push(&first), push(&first)], |e| *e == NoCheckpoint::ManyReturns),
            (vec![vec![0x51]], |e| *e == NoCheckpoint::NoReturn),
            (vec![push(&first[..77])], |e| matches!(e, NoCheckpoint::Length { found: 77, expected: 78, .. })),
            (vec![push(&with(0, 9))], |e| matches!(e, NoCheckpoint::Tag { .. })),
            (vec![push(&with(4, 1))], |e| *e == NoCheckpoint::Version(0)),
            (vec![push(&with(4, 0x10))], |e| matches!(e, NoCheckpoint::Part { found: 1, .. })),
            (vec![push(&with(10, 9))], |e| *e == NoCheckpoint::Link),
        ];
        for (scripts, expected) in cases {
            let refused = Payload::read(&tx(&scripts), &tx(&[push(&second)]), &TAG).unwrap_err();
            assert!(expected(&refused), "{refused}");
        }
    }

    #[test]
    fn only_standard_returns_count() {
        assert_eq!(null_data(&[0x6a]), Some(&[][..]));
        assert_eq!(null_data(&[0x6a, 2, 7, 8]), Some(&[7, 8][..]));
        assert_eq!(null_data(&[0x6a, 76, 1, 7]), Some(&[7][..]));
        // Of the longer pushes the reference drops one byte only.
        assert_eq!(null_data(&[0x6a, 77, 1, 0, 7]), Some(&[1, 0, 7][..]));
        for other in
            [&[][..], &[0x51], &[0x6a, 2, 7], &[0x6a, 2, 7, 8, 9], &[0x6a, 0x4f], &[0x6a, 76], &[0x6a, 0x50]]
        {
            assert_eq!(null_data(other), None, "{other:?}");
        }
    }
}
