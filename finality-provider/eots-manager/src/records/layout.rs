//! The bytes of the sign records: a header and then records of one size, each naming the one before by its digest.
//!
//! Everything is 256 bytes, so that no record ever straddles a disk sector or a page. Integers are big-endian.
//!
//! | header: offset | size | content |
//! |---|---|---|
//! | 0 | 24 | `btc-staking sign records` |
//! | 24 | 4 | 1: every record is here; 2: records were dropped, a summary of them comes first |
//! | 28 | 16 | identity of the file, random, the same through every compaction |
//! | 44 | 40 | of 2: number of records dropped, digest of the last of them, which the first record here follows |
//! | 84 | 40 | of 2: the same for the last record of the summary |
//! | 124 | 100 | zero |
//! | 224 | 32 | SHA-256 over the tag and bytes 0 to 223 |
//!
//! | record: offset | size | content |
//! |---|---|---|
//! | 0 | 32 | digest of the record before; of the header for the first |
//! | 32 | 8 | sequence number from 0 |
//! | 40 | 1 | kind: 1 vote, 2 randomness commitment, 3 low watermark, 4 high watermark, 5 new key |
//! | 41 | 1 | length of the chain id |
//! | 42 | 62 | chain id, zero padded |
//! | 104 | 32 | x-only public key |
//! | 136 | 8 | height voted for; first height committed to; watermark (a high one of 2^64 - 1 bars nothing); of 5: 0 |
//! | 144 | 8 | number of heights committed to, else 0 |
//! | 152 | 32 | app hash voted for; root committed to, else 0 |
//! | 184 | 32 | public randomness of a vote, else 0 |
//! | 216 | 2 | records before this one in the same write |
//! | 218 | 2 | records after this one in the same write |
//! | 220 | 4 | zero |
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
const WHOLE: u32 = 1;
const COMPACTED: u32 = 2;
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
    /// Nothing above this height may be signed; the last one recorded holds.
    HighWatermark(PosHeight),
    /// The operator says that the key never signed on this chain.
    New,
}

/// A place in the chain of records: how many there were, and the digest of the last of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub count: u64,
    pub last: Link,
}

/// What a file begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub file_id: [u8; 16],
    /// What the first record in the file follows.
    pub base: Position,
    /// The last record that was written with the header. Equal to `base` while nothing was ever dropped.
    pub summary: Position,
}

/// A record and its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub sequence: u64,
    pub previous: Link,
    pub subject: Subject,
    pub fact: Fact,
    pub place: Place,
}

/// Where a record is in the write it was written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Records before it.
    pub before: u16,
    /// Records after it.
    pub after: u16,
}

impl Place {
    /// The only record of its write.
    pub const ALONE: Self = Self { before: 0, after: 0 };
}

/// Builds the header of a new file with this random identity.
pub fn encode_header(file_id: [u8; 16]) -> [u8; SLOT] {
    begin_header(file_id, WHOLE)
}

/// Builds the header of a file that begins with a summary.
pub fn encode_compacted_header(header: &Header) -> [u8; SLOT] {
    let mut slot = begin_header(header.file_id, COMPACTED);
    for (offset, position) in [(44, header.base), (84, header.summary)] {
        slot[offset..offset + 8].copy_from_slice(&position.count.to_be_bytes());
        slot[offset + 8..offset + 40].copy_from_slice(&position.last);
    }
    seal(&mut slot, HEADER_TAG);
    slot
}

fn begin_header(file_id: [u8; 16], version: u32) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    slot[..24].copy_from_slice(MAGIC);
    slot[24..28].copy_from_slice(&version.to_be_bytes());
    slot[28..44].copy_from_slice(&file_id);
    seal(&mut slot, HEADER_TAG);
    slot
}

/// Returns what the header says, or what is wrong with it.
pub fn decode_header(slot: &[u8; SLOT]) -> Result<Header, &'static str> {
    if &slot[..24] != MAGIC {
        return Err("the file does not begin like sign records");
    }
    let version = u32::from_be_bytes(array(&slot[24..28]));
    if ![WHOLE, COMPACTED].contains(&version) {
        return Err("the header names a format version this program does not know");
    }
    if digest(slot, HEADER_TAG) != link(slot) {
        return Err("the header does not match its own digest");
    }
    let position = |offset: usize| Position {
        count: u64::from_be_bytes(array(&slot[offset..offset + 8])),
        last: array(&slot[offset + 8..offset + 40]),
    };
    let file_id = array(&slot[28..44]);
    if version == COMPACTED {
        return Ok(Header { file_id, base: position(44), summary: position(84) });
    }
    let start = Position { count: 0, last: link(slot) };
    Ok(Header { file_id, base: start, summary: start })
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
    let mut slot = encode_body(record);
    seal(&mut slot, RECORD_TAG);
    slot
}

fn encode_body(record: &Record) -> [u8; SLOT] {
    let chain_id = record.subject.chain_id.as_str().as_bytes();
    let mut slot = [0; SLOT];
    slot[..32].copy_from_slice(&record.previous);
    slot[32..40].copy_from_slice(&record.sequence.to_be_bytes());
    slot[41] = u8::try_from(chain_id.len()).expect("ChainId has at most 62 bytes");
    slot[42..42 + chain_id.len()].copy_from_slice(chain_id);
    slot[104..136].copy_from_slice(&record.subject.finality_provider.to_bytes());
    slot[216..218].copy_from_slice(&record.place.before.to_be_bytes());
    slot[218..220].copy_from_slice(&record.place.after.to_be_bytes());
    let height = match &record.fact {
        Fact::Vote(message, randomness) => {
            slot[40] = 1;
            slot[152..184].copy_from_slice(&message.app_hash);
            slot[184..216].copy_from_slice(&randomness.to_bytes());
            message.height
        }
        Fact::Commitment(range) => {
            slot[40] = 2;
            slot[144..152].copy_from_slice(&range.count.to_be_bytes());
            slot[152..184].copy_from_slice(&range.root);
            range.start_height
        }
        Fact::Watermark(height) => {
            slot[40] = 3;
            *height
        }
        Fact::HighWatermark(height) => {
            slot[40] = 4;
            *height
        }
        Fact::New => {
            slot[40] = 5;
            PosHeight::new(0)
        }
    };
    slot[136..144].copy_from_slice(&height.to_u64().to_be_bytes());
    slot
}

/// Decodes records one after the other. Consecutive records are mostly of one subject, and to check its key again for
/// each of them would take most of the time of opening a long file.
#[derive(Default)]
pub struct Decoder {
    subject: Option<([u8; 95], Subject)>,
}

impl Decoder {
    /// Decodes a record, or says what is wrong with it. Only the one encoding of a record is accepted.
    pub fn decode(&mut self, slot: &[u8; SLOT]) -> Result<Record, &'static str> {
        if digest(slot, RECORD_TAG) != link(slot) {
            return Err("the record does not match its own digest");
        }
        let record = Record {
            sequence: u64::from_be_bytes(array(&slot[32..40])),
            previous: array(&slot[..32]),
            subject: self.subject(slot)?,
            fact: decode_fact(slot)?,
            place: Place {
                before: u16::from_be_bytes(array(&slot[216..218])),
                after: u16::from_be_bytes(array(&slot[218..220])),
            },
        };
        if encode_body(&record)[..BODY] != slot[..BODY] {
            return Err("the record has bytes where there must be zeros");
        }
        Ok(record)
    }

    fn subject(&mut self, slot: &[u8; SLOT]) -> Result<Subject, &'static str> {
        match &self.subject {
            Some((bytes, subject)) if bytes[..] == slot[41..136] => Ok(subject.clone()),
            Some(_) | None => {
                let subject = Subject {
                    finality_provider: FinalityProviderPublicKey::from_slice(&slot[104..136])
                        .map_err(|_| "the record names no valid key")?,
                    chain_id: decode_chain_id(slot)?,
                };
                self.subject = Some((array(&slot[41..136]), subject.clone()));
                Ok(subject)
            }
        }
    }
}

fn decode_fact(slot: &[u8; SLOT]) -> Result<Fact, &'static str> {
    let height = PosHeight::new(u64::from_be_bytes(array(&slot[136..144])));
    let hash = array(&slot[152..184]);
    match slot[40] {
        1 => Ok(Fact::Vote(
            VoteMessage { height, app_hash: hash },
            PublicRandomness::from_bytes(array(&slot[184..216])),
        )),
        2 => {
            let count = u64::from_be_bytes(array(&slot[144..152]));
            Ok(Fact::Commitment(CommittedRandomness { start_height: height, count, root: hash }))
        }
        3 => Ok(Fact::Watermark(height)),
        4 => Ok(Fact::HighWatermark(height)),
        5 => Ok(Fact::New),
        _ => Err("the record is of a kind this program does not know"),
    }
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
