//! Phase-1 staking transactions: the OP_RETURN that makes them identifiable.
//!
//! Spec: `bitcoin.md` 5.1. The chain neither needs nor reads it; it lets anyone find phase-1 stakes on Bitcoin. The
//! reader reproduces the reference to the quirk: recognition ignores the tag, two recognised payloads are an error even
//! if only one has the right tag, and every push opcode is accepted although the payload always starts at byte 2.

use crate::{
    committee::CovenantCommittee,
    height::Timelock,
    keys::{FinalityProviderPublicKey, StakerPublicKey},
    output::StakingOutput,
    script::{InvalidStakeKeys, StakeKeys},
};
use bitcoin::{Amount, Script, ScriptBuf, Transaction, TxOut, script::Instruction};
use std::fmt;
use thiserror::Error;

/// Bytes of the payload.
pub const PAYLOAD_BYTES: usize = 71;
/// Bytes of the script: OP_RETURN, one push opcode, the payload.
const SCRIPT_BYTES: usize = PAYLOAD_BYTES + 2;
const VERSION: u8 = 0;
const OP_RETURN: u8 = 0x6a;
const OP_DATA_71: u8 = 0x47;

/// The four bytes by which a network marks its stakes; `bbn1` on mainnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag([u8; 4]);

impl Tag {
    /// Wraps the four bytes.
    pub const fn new(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }
    /// Parses eight hex digits, as parameter files carry them, or returns `None`.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 4];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
    /// The four bytes.
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// What the OP_RETURN of a phase-1 stake says, version 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    /// Network.
    pub tag: Tag,
    /// Holder's key.
    pub staker: StakerPublicKey,
    /// The one finality provider.
    pub finality_provider: FinalityProviderPublicKey,
    /// Blocks of the staking timelock. Zero can be written; no output can be built from it.
    pub staking_time: u16,
}

impl Payload {
    /// The 71 bytes: tag, version, staker, finality provider, time big-endian.
    pub fn to_bytes(&self) -> [u8; PAYLOAD_BYTES] {
        let mut bytes = [0; PAYLOAD_BYTES];
        bytes[..4].copy_from_slice(&self.tag.0);
        bytes[4] = VERSION;
        bytes[5..37].copy_from_slice(&self.staker.to_bytes());
        bytes[37..69].copy_from_slice(&self.finality_provider.to_bytes());
        bytes[69..].copy_from_slice(&self.staking_time.to_be_bytes());
        bytes
    }

    /// Parses 71 bytes, or returns `None` when the version is not 0 or a key is not on the curve.
    pub fn from_bytes(bytes: &[u8; PAYLOAD_BYTES]) -> Option<Self> {
        if bytes[4] != VERSION {
            return None;
        }
        Some(Self {
            tag: Tag(bytes[..4].try_into().ok()?),
            staker: StakerPublicKey::from_slice(&bytes[5..37]).ok()?,
            finality_provider: FinalityProviderPublicKey::from_slice(&bytes[37..69]).ok()?,
            staking_time: u16::from_be_bytes([bytes[69], bytes[70]]),
        })
    }

    /// Builds the output that goes right behind the staking output. It carries no value.
    pub fn build_output(&self) -> TxOut {
        let mut script = vec![OP_RETURN, OP_DATA_71];
        script.extend_from_slice(&self.to_bytes());
        TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::from_bytes(script) }
    }
}

/// A phase-1 stake found in a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifiedStake {
    /// What the OP_RETURN says.
    pub payload: Payload,
    /// Index of the OP_RETURN output.
    pub payload_index: u32,
    /// The output rebuilt from it.
    pub output: StakingOutput,
    /// Index of the staking output.
    pub staking_index: u32,
    /// Value of the staking output.
    pub value: Amount,
}

/// Why a transaction is no phase-1 stake of a network.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotIdentified {
    /// A staking and an OP_RETURN output are needed.
    #[error("transaction has {0} outputs, a phase-1 stake has at least 2")]
    TooFewOutputs(usize),
    /// No output carries a payload.
    #[error("no output carries a version 0 staking payload")]
    NoPayload,
    /// More than one payload, whatever their tags.
    #[error("multiple op return outputs: {first} and {second} both carry a staking payload")]
    SeveralPayloads {
        /// Index of the first.
        first: u32,
        /// Index of the second.
        second: u32,
    },
    /// A zero timelock makes an output nobody can ever spend.
    #[error("staking time is 0")]
    ZeroStakingTime,
    /// The keys cannot form scripts.
    #[error("payload names unusable keys")]
    Keys(#[from] InvalidStakeKeys),
    /// The rebuilt script is nowhere.
    #[error("no output has the staking script that the payload describes")]
    NoStakingOutput,
    /// The rebuilt script is there twice.
    #[error("outputs {first} and {second} both have the staking script that the payload describes")]
    SeveralStakingOutputs {
        /// Index of the first.
        first: u32,
        /// Index of the second.
        second: u32,
    },
    /// A stake of another network.
    #[error("payload has tag {found}, this network uses {expected}")]
    ForeignTag {
        /// Tag of the payload.
        found: Tag,
        /// Tag of the network.
        expected: Tag,
    },
}

/// Finds the stake that a phase-1 transaction announces.
///
/// # Errors
/// The first rule broken, in the order of `bitcoin.md` 5.1. The tag is compared last.
pub fn identify_stake(
    tx: &Transaction,
    expected_tag: Tag,
    committee: &CovenantCommittee,
) -> Result<IdentifiedStake, NotIdentified> {
    if tx.output.len() < 2 {
        return Err(NotIdentified::TooFewOutputs(tx.output.len()));
    }
    let (payload_index, payload) = find_payload(tx)?;
    let keys = StakeKeys::new(payload.staker, &[payload.finality_provider], committee)?;
    let staking_time =
        Timelock::from_blocks(u32::from(payload.staking_time)).map_err(|_| NotIdentified::ZeroStakingTime)?;
    let output = StakingOutput::new(keys, staking_time);
    let (staking_index, value) = find_script(tx, &output.script_pubkey())?;
    if payload.tag != expected_tag {
        return Err(NotIdentified::ForeignTag { found: payload.tag, expected: expected_tag });
    }
    Ok(IdentifiedStake { payload, payload_index, output, staking_index, value })
}

/// Whether a transaction may be a phase-1 stake of the network: cheap, and sometimes wrong in the positive.
///
/// Keys are not validated, and payloads with other tags are not counted, so that a transaction may pass here and fail
/// [`identify_stake`].
#[must_use]
pub fn is_possible_stake(tx: &Transaction, tag: Tag) -> bool {
    let matching = |output: &&TxOut| {
        payload_bytes(&output.script_pubkey).is_some_and(|bytes| bytes[..4] == tag.0 && bytes[4] == VERSION)
    };
    tx.output.len() >= 2 && tx.output.iter().filter(matching).count() == 1
}

fn find_payload(tx: &Transaction) -> Result<(u32, Payload), NotIdentified> {
    let mut found = (0u32..).zip(&tx.output).filter_map(|(index, output)| {
        let payload = Payload::from_bytes(payload_bytes(&output.script_pubkey)?)?;
        Some((index, payload))
    });
    let (first, payload) = found.next().ok_or(NotIdentified::NoPayload)?;
    match found.next() {
        None => Ok((first, payload)),
        Some((second, _)) => Err(NotIdentified::SeveralPayloads { first, second }),
    }
}

fn find_script(tx: &Transaction, script: &Script) -> Result<(u32, Amount), NotIdentified> {
    let mut found = (0u32..).zip(&tx.output).filter(|(_, output)| output.script_pubkey.as_script() == script);
    let (first, output) = found.next().ok_or(NotIdentified::NoStakingOutput)?;
    match found.next() {
        None => Ok((first, output.value)),
        Some((second, _)) => Err(NotIdentified::SeveralStakingOutputs { first, second }),
    }
}

/// Returns bytes 2 to 72 of a standard null-data script of exactly 73 bytes.
fn payload_bytes(script: &Script) -> Option<&[u8; PAYLOAD_BYTES]> {
    if script.len() != SCRIPT_BYTES || !is_null_data(script) {
        return None;
    }
    script.as_bytes()[2..].try_into().ok()
}

/// Whether a script is OP_RETURN and exactly one push, which need not be minimal. Standardness also caps the push at 80
/// bytes; at the one length looked for it is always shorter.
fn is_null_data(script: &Script) -> bool {
    let Some((&OP_RETURN, _)) = script.as_bytes().split_first() else {
        return false;
    };
    let mut rest = script.instructions().skip(1);
    matches!(rest.next(), Some(Ok(Instruction::PushBytes(_)))) && rest.next().is_none()
}
