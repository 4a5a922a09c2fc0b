//! The three leaf scripts of a stake, byte by byte.
//!
//! Spec: `bitcoin.md` 1. This is the encoder that decides which coins can move and who can move them, so it is written
//! out in full and uses no script builder; the descriptors of [`crate::output`] reach the same bytes through miniscript,
//! and a property test holds the two together.
//!
//! | Leaf | Bytes |
//! |---|---|
//! | timelock | `<S> CHECKSIGVERIFY <t> CSV` |
//! | unbonding | `<S> CHECKSIGVERIFY multi(C, q)` |
//! | slashing | `<S> CHECKSIGVERIFY multi(F, 1, verify) multi(C, q)` |
//!
//! Refuses key sets in which one key plays two roles: [`StakeKeys`] cannot be built from them.

use crate::{
    committee::CovenantCommittee,
    height::Timelock,
    keys::{FinalityProviderPublicKey, StakerPublicKey},
};
use bitcoin::{ScriptBuf, XOnlyPublicKey};
use std::fmt;
use thiserror::Error;

/// Most finality providers one stake may name. The network takes exactly one; the scripts allow several.
pub const MAX_FINALITY_PROVIDERS: usize = 10;

const OP_DATA_32: u8 = 0x20;
const OP_0: u8 = 0x00;
const OP_1: u8 = 0x51;
const OP_CHECKSIG: u8 = 0xac;
const OP_CHECKSIGVERIFY: u8 = 0xad;
const OP_CHECKSIGADD: u8 = 0xba;
const OP_NUMEQUAL: u8 = 0x9c;
const OP_NUMEQUALVERIFY: u8 = 0x9d;
const OP_CHECKSEQUENCEVERIFY: u8 = 0xb2;

/// One of a finality provider's signatures opens the slashing path, however many providers are named.
const FINALITY_PROVIDER_THRESHOLD: u32 = 1;

/// The keys of one stake: pairwise different, finality providers in script order.
///
/// The order in which a message lists finality providers is another one and is kept in
/// [`DelegationTerms`](crate::delegation::DelegationTerms); adaptor signatures follow that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StakeKeys {
    staker: StakerPublicKey,
    finality_providers: Vec<FinalityProviderPublicKey>,
    committee: CovenantCommittee,
}

/// Role a key plays in a stake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyRole {
    /// Owner of the coins.
    Staker,
    /// Finality provider.
    FinalityProvider,
    /// Member of the covenant committee.
    Covenant,
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyRole::Staker => "staker",
            KeyRole::FinalityProvider => "finality provider",
            KeyRole::Covenant => "covenant member",
        })
    }
}

/// Why keys cannot form the scripts of a stake.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidStakeKeys {
    /// The slashing path needs a finality provider.
    #[error("no finality provider is named, a stake needs at least one")]
    NoFinalityProvider,
    /// More than the scripts are built for.
    #[error("{0} finality providers are named, at most {MAX_FINALITY_PROVIDERS} are supported")]
    TooManyFinalityProviders(usize),
    /// One key in two places: whoever holds it could sign twice (`bitcoin.md` 1.5).
    #[error(
        "duplicated key in script: {key} is both {first} and {second}, every key must be a different one"
    )]
    Duplicate {
        /// The repeated key.
        key: XOnlyPublicKey,
        /// Role of its first appearance, in the order staker, finality providers, committee.
        first: KeyRole,
        /// Role of its second appearance.
        second: KeyRole,
    },
}

impl StakeKeys {
    /// Sorts the finality providers and returns the key set.
    ///
    /// # Errors
    /// [`InvalidStakeKeys`] without a finality provider, with too many, or when any key appears twice over all roles.
    pub fn new(
        staker: StakerPublicKey,
        finality_providers: &[FinalityProviderPublicKey],
        committee: &CovenantCommittee,
    ) -> Result<Self, InvalidStakeKeys> {
        if finality_providers.is_empty() {
            return Err(InvalidStakeKeys::NoFinalityProvider);
        }
        if finality_providers.len() > MAX_FINALITY_PROVIDERS {
            return Err(InvalidStakeKeys::TooManyFinalityProviders(finality_providers.len()));
        }
        let mut sorted = finality_providers.to_vec();
        sorted.sort_unstable_by_key(|key| key.to_bytes());
        let keys = Self { staker, finality_providers: sorted, committee: committee.clone() };
        keys.refuse_duplicates()?;
        Ok(keys)
    }

    fn refuse_duplicates(&self) -> Result<(), InvalidStakeKeys> {
        let mut all = vec![(self.staker.to_bytes(), KeyRole::Staker)];
        all.extend(self.finality_providers.iter().map(|key| (key.to_bytes(), KeyRole::FinalityProvider)));
        all.extend(self.committee.keys().iter().map(|key| (key.to_bytes(), KeyRole::Covenant)));
        // A stable sort keeps the roles of equal keys in the order above.
        all.sort_by_key(|(bytes, _)| *bytes);
        let Some(pair) = all.windows(2).find(|pair| pair[0].0 == pair[1].0) else {
            return Ok(());
        };
        let key = XOnlyPublicKey::from_slice(&pair[0].0).expect("serialised from a valid key above");
        Err(InvalidStakeKeys::Duplicate { key, first: pair[0].1, second: pair[1].1 })
    }

    /// The holder's key.
    pub const fn staker(&self) -> &StakerPublicKey {
        &self.staker
    }
    /// Finality providers in ascending order, the order of scripts.
    pub fn finality_providers(&self) -> &[FinalityProviderPublicKey] {
        &self.finality_providers
    }
    /// The covenant committee.
    pub const fn committee(&self) -> &CovenantCommittee {
        &self.committee
    }
}

/// What a fragment leaves behind.
#[derive(Clone, Copy)]
enum Ending {
    /// Fails the script unless satisfied; leaves nothing.
    Verify,
    /// Leaves the result on the stack.
    Result,
}

/// Returns the timelock leaf: `staker` alone, `lock` blocks after the output confirmed.
pub fn timelock_script(staker: &StakerPublicKey, lock: Timelock) -> ScriptBuf {
    let mut bytes = Vec::with_capacity(40);
    push_single(&mut bytes, staker.x_only(), Ending::Verify);
    push_number(&mut bytes, u32::from(lock));
    bytes.push(OP_CHECKSEQUENCEVERIFY);
    ScriptBuf::from_bytes(bytes)
}

/// Returns the unbonding leaf: the staker together with a covenant quorum.
pub fn unbonding_script(keys: &StakeKeys) -> ScriptBuf {
    let mut bytes = Vec::with_capacity(40 + 34 * keys.committee.keys().len());
    push_single(&mut bytes, keys.staker.x_only(), Ending::Verify);
    push_committee(&mut bytes, &keys.committee);
    ScriptBuf::from_bytes(bytes)
}

/// Returns the slashing leaf: staker, one finality provider and a covenant quorum. The staking and the unbonding
/// output carry the same one.
pub fn slashing_script(keys: &StakeKeys) -> ScriptBuf {
    let signers = keys.finality_providers.len() + keys.committee.keys().len();
    let mut bytes = Vec::with_capacity(40 + 34 * signers);
    push_single(&mut bytes, keys.staker.x_only(), Ending::Verify);
    let providers: Vec<&XOnlyPublicKey> = keys.finality_providers.iter().map(|key| key.x_only()).collect();
    push_multi(&mut bytes, &providers, FINALITY_PROVIDER_THRESHOLD, Ending::Verify);
    push_committee(&mut bytes, &keys.committee);
    ScriptBuf::from_bytes(bytes)
}

fn push_committee(bytes: &mut Vec<u8>, committee: &CovenantCommittee) {
    let members: Vec<&XOnlyPublicKey> = committee.keys().iter().map(|key| key.x_only()).collect();
    push_multi(bytes, &members, committee.quorum(), Ending::Result);
}

fn push_key(bytes: &mut Vec<u8>, key: &XOnlyPublicKey) {
    bytes.push(OP_DATA_32);
    bytes.extend_from_slice(&key.serialize());
}

fn push_single(bytes: &mut Vec<u8>, key: &XOnlyPublicKey, ending: Ending) {
    push_key(bytes, key);
    bytes.push(match ending {
        Ending::Verify => OP_CHECKSIGVERIFY,
        Ending::Result => OP_CHECKSIG,
    });
}

/// Appends the m-of-n fragment over `sorted`, which callers took from a type that sorts and is never empty. A single
/// key collapses to the plain signature check, which changes the opcode and drops the threshold.
fn push_multi(bytes: &mut Vec<u8>, sorted: &[&XOnlyPublicKey], threshold: u32, ending: Ending) {
    if let [key] = sorted {
        return push_single(bytes, key, ending);
    }
    for (position, key) in sorted.iter().enumerate() {
        push_key(bytes, key);
        bytes.push(if position == 0 { OP_CHECKSIG } else { OP_CHECKSIGADD });
    }
    push_number(bytes, threshold);
    bytes.push(match ending {
        Ending::Verify => OP_NUMEQUALVERIFY,
        Ending::Result => OP_NUMEQUAL,
    });
}

/// Appends a minimal script number (`bitcoin.md` 1.2).
fn push_number(bytes: &mut Vec<u8>, number: u32) {
    match number {
        0 => bytes.push(OP_0),
        1..=16 => bytes.push(OP_1 - 1 + number.to_le_bytes()[0]),
        _ => {
            let magnitude = number.to_le_bytes();
            let used = magnitude.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            // A set top bit would read as a minus sign.
            let sign_byte = magnitude[used - 1] & 0x80 != 0;
            let length = u8::try_from(used + usize::from(sign_byte)).expect("at most 5");
            bytes.push(length);
            bytes.extend_from_slice(&magnitude[..used]);
            if sign_byte {
                bytes.push(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::CovenantPublicKey;

    fn key(seed: u8) -> XOnlyPublicKey {
        let secret = bitcoin::secp256k1::SecretKey::from_slice(&[seed; 32]).unwrap();
        secret.x_only_public_key(bitcoin::secp256k1::SECP256K1).0
    }
    fn committee(seeds: &[u8], quorum: u32) -> CovenantCommittee {
        let members = seeds.iter().map(|seed| CovenantPublicKey::new(key(*seed))).collect();
        CovenantCommittee::new(quorum, members).unwrap()
    }

    #[test]
    fn numbers_are_encoded_minimally() {
        // bitcoin.md 1.2, every row
        for (number, expected) in [
            (0u32, "00"),
            (1, "51"),
            (16, "60"),
            (17, "0111"),
            (100, "0164"),
            (127, "017f"),
            (128, "028000"),
            (144, "029000"),
            (255, "02ff00"),
            (256, "020001"),
            (1008, "02f003"),
            (32_767, "02ff7f"),
            (32_768, "03008000"),
            (64_000, "0300fa00"),
            (65_535, "03ffff00"),
        ] {
            let mut bytes = vec![];
            push_number(&mut bytes, number);
            assert_eq!(hex::encode(bytes), expected, "{number}");
        }
    }

    #[test]
    fn every_timelock_equals_the_script_builder_of_the_bitcoin_crate() {
        let staker = StakerPublicKey::new(key(1));
        for blocks in 1..=65_535u32 {
            let lock = Timelock::from_blocks(blocks).unwrap();
            let built = bitcoin::script::Builder::new()
                .push_x_only_key(staker.x_only())
                .push_opcode(bitcoin::opcodes::all::OP_CHECKSIGVERIFY)
                .push_int(i64::from(blocks))
                .push_opcode(bitcoin::opcodes::all::OP_CSV)
                .into_script();
            assert_eq!(timelock_script(&staker, lock), built, "{blocks}");
        }
    }

    #[test]
    fn a_single_key_collapses_to_a_plain_signature_check() {
        let [staker, provider, member] = [1, 2, 3].map(key);
        let keys = StakeKeys::new(
            StakerPublicKey::new(staker),
            &[FinalityProviderPublicKey::new(provider)],
            &committee(&[3], 1),
        )
        .unwrap();
        assert_eq!(unbonding_script(&keys).to_hex_string(), format!("20{staker}ad20{member}ac"));
        assert_eq!(slashing_script(&keys).to_hex_string(), format!("20{staker}ad20{provider}ad20{member}ac"));
    }

    #[test]
    fn a_key_in_two_roles_is_refused_with_both_roles() {
        use KeyRole::{Covenant, FinalityProvider, Staker};
        let cases = [
            (1, vec![1], vec![3], Staker, FinalityProvider),
            (1, vec![2], vec![1, 3], Staker, Covenant),
            (1, vec![2, 3], vec![3, 4], FinalityProvider, Covenant),
            (1, vec![2, 2], vec![3], FinalityProvider, FinalityProvider),
        ];
        for (staker, providers, members, first, second) in cases {
            let providers: Vec<_> =
                providers.iter().map(|seed| FinalityProviderPublicKey::new(key(*seed))).collect();
            let refused =
                StakeKeys::new(StakerPublicKey::new(key(staker)), &providers, &committee(&members, 1));
            let Err(InvalidStakeKeys::Duplicate { first: f, second: s, .. }) = refused else {
                panic!("{first} and {second} share a key: {refused:?}");
            };
            assert_eq!((f, s), (first, second));
        }
    }

    #[test]
    fn no_provider_and_too_many_providers_are_refused() {
        let staker = StakerPublicKey::new(key(1));
        let members = committee(&[2], 1);
        assert_eq!(StakeKeys::new(staker, &[], &members), Err(InvalidStakeKeys::NoFinalityProvider));
        let many: Vec<_> = (10..21).map(|seed| FinalityProviderPublicKey::new(key(seed))).collect();
        assert_eq!(
            StakeKeys::new(staker, &many, &members),
            Err(InvalidStakeKeys::TooManyFinalityProviders(11))
        );
    }
}
