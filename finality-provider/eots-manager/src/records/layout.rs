//! The bytes of the sign records: a header and then records of one size, each naming the one before by its digest.
//!
//! Everything is 256 bytes, so that no record ever straddles a disk sector or a page. Integers are big-endian.
//!
//! | record: offset | size | content |
//! |---|---|---|
//! | 0 | 32 | digest of the record before; of the header for the first |
//! | 32 | 8 | sequence number from 0 |
//! | 40 | 1 | kind: 1 vote, 2 randomness commitment, 3 watermark |
//! | 41 | 1 | length of the chain id |
//! | 42 | 62 | chain id, zero padded |
//! | 104 | 32 | x-only public key |
//! | 136 | 8 | height voted for; first height committed to; watermark |
//! | 144 | 8 | number of heights committed to, else 0 |
//! | 152 | 32 | app hash voted for; root committed to, else 0 |
//! | 184 | 32 | public randomness of a vote, else 0 |
//! | 216 | 8 | zero |
//! | 224 | 32 | SHA-256 over the tag and bytes 0 to 223 |

use super::subject::{ChainId, Subject};
use btc_staking_protocol::{
    finality::{
        randomness::CommittedRandomness,
        vote::{PublicRandomness, VoteMessage},
    },
    height::PosHeight,
    keys::FinalityProviderPublicKey,
};
use sha2::{Digest, Sha256};

/// Size of the header and of every record.
pub const SLOT: usize = 256;
const BODY: usize = 224;
const MAGIC: &[u8; 24] = b"btc-staking sign records";
const VERSION: u32 = 1;
const HEADER_TAG: &[u8] = b"btc-staking/sign-records/header/1";
const RECORD_TAG: &[u8] = b"btc-staking/sign-records/record/1";

/// SHA-256 that closes a header or a record.
pub type Link = [u8; 32];

/// What one record says about its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// This message may be signed with this randomness, and no other at that height.
    Vote(VoteMessage, PublicRandomness),
    /// The randomness of this range was committed to.
    Commitment(CommittedRandomness),
    /// Nothing at or below this height may be signed any more, unless recorded before.
    Watermark(PosHeight),
}

/// A record and its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub sequence: u64,
    pub previous: Link,
    pub subject: Subject,
    pub fact: Fact,
}

/// Builds the header of a file with this random identity.
pub fn encode_header(file_id: [u8; 16]) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    slot[..24].copy_from_slice(MAGIC);
    slot[24..28].copy_from_slice(&VERSION.to_be_bytes());
    slot[28..44].copy_from_slice(&file_id);
    seal(&mut slot, HEADER_TAG);
    slot
}

/// Returns the file identity, or what is wrong with the header.
pub fn decode_header(slot: &[u8; SLOT]) -> Result<[u8; 16], &'static str> {
    if &slot[..24] != MAGIC {
        return Err("the file does not begin like sign records");
    }
    if slot[24..28] != VERSION.to_be_bytes() {
        return Err("the header names a format version this program does not know");
    }
    if digest(slot, HEADER_TAG) != link(slot) {
        return Err("the header does not match its own digest");
    }
    Ok(array(&slot[28..44]))
}

/// The digest at the end of a header or record.
pub fn link(slot: &[u8; SLOT]) -> Link {
    array(&slot[BODY..])
}

/// Whether a slot is what a crash leaves of a record whose bytes never all arrived: a digest of zeros.
pub fn is_torn(slot: &[u8; SLOT]) -> bool {
    slot[BODY..].iter().all(|byte| *byte == 0)
}

/// Encodes a record.
pub fn encode(record: &Record) -> [u8; SLOT] {
    let chain_id = record.subject.chain_id.as_str().as_bytes();
    let mut slot = [0; SLOT];
    slot[..32].copy_from_slice(&record.previous);
    slot[32..40].copy_from_slice(&record.sequence.to_be_bytes());
    slot[41] = u8::try_from(chain_id.len()).expect("ChainId has at most 62 bytes");
    slot[42..42 + chain_id.len()].copy_from_slice(chain_id);
    slot[104..136].copy_from_slice(&record.subject.finality_provider.to_bytes());
    match &record.fact {
        Fact::Vote(message, randomness) => {
            slot[40] = 1;
            slot[136..144].copy_from_slice(&message.height.to_u64().to_be_bytes());
            slot[152..184].copy_from_slice(&message.app_hash);
            slot[184..216].copy_from_slice(&randomness.to_bytes());
        }
        Fact::Commitment(range) => {
            slot[40] = 2;
            slot[136..144].copy_from_slice(&range.start_height.to_u64().to_be_bytes());
            slot[144..152].copy_from_slice(&range.count.to_be_bytes());
            slot[152..184].copy_from_slice(&range.root);
        }
        Fact::Watermark(height) => {
            slot[40] = 3;
            slot[136..144].copy_from_slice(&height.to_u64().to_be_bytes());
        }
    }
    seal(&mut slot, RECORD_TAG);
    slot
}

/// Decodes a record, or says what is wrong with it. Only the one encoding of a record is accepted.
pub fn decode(slot: &[u8; SLOT]) -> Result<Record, &'static str> {
    if digest(slot, RECORD_TAG) != link(slot) {
        return Err("the record does not match its own digest");
    }
    let height = PosHeight::new(u64::from_be_bytes(array(&slot[136..144])));
    let hash = array(&slot[152..184]);
    let fact = match slot[40] {
        1 => Fact::Vote(
            VoteMessage { height, app_hash: hash },
            PublicRandomness::from_bytes(array(&slot[184..216])),
        ),
        2 => {
            let count = u64::from_be_bytes(array(&slot[144..152]));
            Fact::Commitment(CommittedRandomness { start_height: height, count, root: hash })
        }
        3 => Fact::Watermark(height),
        _ => return Err("the record is of a kind this program does not know"),
    };
    let subject = Subject {
        finality_provider: FinalityProviderPublicKey::from_slice(&slot[104..136])
            .map_err(|_| "the record names no valid key")?,
        chain_id: decode_chain_id(slot)?,
    };
    let sequence = u64::from_be_bytes(array(&slot[32..40]));
    let record = Record { sequence, previous: array(&slot[..32]), subject, fact };
    if encode(&record) != *slot {
        return Err("the record has bytes where there must be zeros");
    }
    Ok(record)
}

fn decode_chain_id(slot: &[u8; SLOT]) -> Result<ChainId, &'static str> {
    let bytes = slot[42..104].get(..usize::from(slot[41])).ok_or("the record's chain id is too long")?;
    std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or("the record's chain id is empty or no text")
}

fn seal(slot: &mut [u8; SLOT], tag: &[u8]) {
    let digest = digest(slot, tag);
    slot[BODY..].copy_from_slice(&digest);
}

fn digest(slot: &[u8; SLOT], tag: &[u8]) -> Link {
    Sha256::new().chain_update(tag).chain_update(&slot[..BODY]).finalize().into()
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("every caller slices exactly N bytes")
}
