//! The worked example of `bitcoin.md` 15 and `crypto.md` 5.4 and 6.5 as values, made through public functions only.
//!
//! Secrets are SHA-256 of a label, as the specification says. The golden test compares these values with the
//! specification's bytes; the fuzz targets start from them.

use bitcoin::{
    Amount, ScriptBuf, Transaction,
    consensus::encode::deserialize_hex,
    hashes::{Hash, sha256},
};
use btc_staking_crypto::{
    eots::EotsSecretKey,
    key::SigningKey,
    merkle::Tree,
    nonce::{self, Scheme},
};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    delegation::{
        CheckedDelegation, CovenantSignatureSet, CovenantSignatures, Delegation, DelegationRequest,
        DelegationStatus, DelegationTerms, plan_stake,
    },
    finality::{
        evidence::Evidence,
        randomness::{CommittedRandomness, RandomnessCommitment},
        vote::{PublicRandomness, SignedVote, VoteMessage},
    },
    height::{BtcHeight, PosHeight, Timelock},
    keys::{AccountAddress, CovenantSecret, FinalityProviderPublicKey, StakerSecret},
    params::{ParamsFields, ParamsVersion, StakingParams},
    possession::ProofOfPossession,
    rate::Decimal,
};
use std::sync::LazyLock;

/// Auxiliary randomness of every signature of the example.
pub const AUX: [u8; 32] = [0; 32];
/// Chain id of the finality example.
pub const CHAIN: &[u8] = b"bbn-1";

/// The 32 bytes behind a label.
pub fn secret_bytes(label: &[u8]) -> [u8; 32] {
    sha256::Hash::hash(label).to_byte_array()
}

/// The holder.
///
/// # Panics
/// Never: the hash of this label is a secret key.
pub fn staker() -> StakerSecret {
    StakerSecret::from_bytes(&secret_bytes(b"staker-0")).expect("a hash below the group order")
}

/// The holder's key as one that signs messages.
///
/// # Panics
/// Never: the hash of this label is a secret key.
pub fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&secret_bytes(b"staker-0")).expect("a hash below the group order")
}

/// The finality provider.
///
/// # Panics
/// Never: the hash of this label is a secret key.
pub fn provider() -> EotsSecretKey {
    EotsSecretKey::from_bytes(&secret_bytes(b"finality-provider-2")).expect("a hash below the group order")
}

/// The finality provider's public key.
pub fn provider_key() -> FinalityProviderPublicKey {
    FinalityProviderPublicKey::new(*provider().public_key())
}

/// A committee member.
///
/// # Panics
/// Never for the five members.
pub fn member(number: u8) -> CovenantSecret {
    CovenantSecret::from_bytes(&secret_bytes(&[number])).expect("a hash below the group order")
}

/// An account of the chain.
///
/// # Panics
/// Never: prefix and length are fixed.
pub fn account() -> AccountAddress {
    let bytes: Vec<u8> = (1..=20).collect();
    AccountAddress::from_bytes("bbn", &bytes).expect("a valid prefix and 20 bytes")
}

fn blocks(number: u32) -> Timelock {
    Timelock::from_blocks(number).expect("a timelock in range")
}

/// Params under which the example is a valid stake.
///
/// # Panics
/// Never: the fields are fixed.
pub fn params() -> StakingParams {
    let keys = (0..5).map(|number| member(number).public_key()).collect();
    let slashing_script = ScriptBuf::from_hex("6a07626162796c6f6e").expect("hex");
    StakingParams::new(ParamsFields {
        version: ParamsVersion(0),
        btc_activation_height: BtcHeight::new(100),
        covenant_committee: CovenantCommittee::new(3, keys).expect("five keys, quorum three"),
        min_staking_value: Amount::from_sat(50_000),
        max_staking_value: Amount::from_sat(1_000_000),
        min_staking_time: blocks(500),
        max_staking_time: blocks(64_000),
        slashing_script,
        min_slashing_fee: Amount::from_sat(2000),
        slashing_rate: "0.1".parse().expect("a rate"),
        unbonding_time: blocks(101),
        unbonding_fee: Amount::from_sat(1000),
        min_commission_rate: Decimal::ZERO,
        delegation_creation_base_gas_fee: 0,
        allow_list_expiration_height: 0,
    })
    .expect("the params of the worked example hold")
}

/// The staking transaction of `bitcoin.md` 15.2.
///
/// # Panics
/// Never: the bytes are fixed.
pub fn staking_tx() -> Transaction {
    const HEX: &str = "0200000001aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0100000000ffffffff01\
                       a086010000000000225120ee53e90035a862d49e9e89604461482cb794557c8e49e169179357a7d2fb4a60000000\
                       00";
    deserialize_hex(HEX).expect("a transaction")
}

/// The terms, signed by the holder.
///
/// # Panics
/// Never: they follow from the fixed values above.
pub fn terms() -> DelegationTerms {
    let amount = Amount::from_sat(100_000);
    let plan = plan_stake(&params(), staker().public_key(), &[provider_key()], amount, blocks(1000));
    let funded = plan.expect("within the params").with_funded(staking_tx());
    funded.expect("it pays the staking output").sign(&staker(), &AUX).expect("the holder's own key")
}

/// The stake with every check behind it.
///
/// # Panics
/// Never: the example holds under its params.
pub fn checked() -> CheckedDelegation {
    static CHECKED: LazyLock<CheckedDelegation> =
        LazyLock::new(|| terms().check(&params()).expect("the example holds"));
    CHECKED.clone()
}

/// What every committee member signs.
fn signature_sets() -> &'static [CovenantSignatureSet] {
    static SETS: LazyLock<Vec<CovenantSignatureSet>> = LazyLock::new(|| {
        let sign = |number| checked().sign_covenant(&member(number), &AUX).expect("a member");
        (0..5).map(sign).collect()
    });
    &SETS
}

/// Signatures of some committee members, 0 to 4.
pub fn signed_by(members: &[usize]) -> CovenantSignatures {
    let mut signatures = CovenantSignatures::default();
    for set in members.iter().filter_map(|number| signature_sets().get(*number)) {
        signatures.insert(set);
    }
    signatures
}

/// A request to register the stake.
pub fn request() -> DelegationRequest {
    DelegationRequest {
        staker_account: account(),
        possession: ProofOfPossession::sign_bip340(&signing_key(), &account(), &AUX),
        terms: terms(),
        inclusion: None,
        expansion: None,
    }
}

/// The stake as the chain tells it, with a quorum.
pub fn delegation() -> Delegation {
    Delegation {
        staker_account: account(),
        terms: terms(),
        staking_output_index: 0,
        params_version: ParamsVersion(0),
        inclusion: None,
        covenant: signed_by(&[0, 1, 4]),
        unbonded: None,
        expansion: None,
        status: DelegationStatus::Verified,
    }
}

/// Randomness of three heights from 100, and the tree over it.
fn randomness() -> Tree {
    let key = provider();
    let values: Vec<PublicRandomness> =
        (100..103).map(|height| nonce::derive(&key, Scheme::V1, CHAIN, height).public()).collect();
    Tree::build(&values)
}

/// The commitment to it, signed.
pub fn commitment() -> RandomnessCommitment {
    let content =
        CommittedRandomness { start_height: PosHeight::new(100), count: 3, root: randomness().root() };
    content.sign(provider().signing_key(), &AUX)
}

/// A vote at height 101.
///
/// # Panics
/// Never: the height is committed to.
pub fn vote(app_hash: [u8; 32]) -> SignedVote {
    let key = provider();
    let nonce = nonce::derive(&key, Scheme::V1, CHAIN, 101);
    let message = VoteMessage { height: PosHeight::new(101), app_hash };
    SignedVote {
        finality_provider: provider_key(),
        message,
        public_randomness: nonce.public(),
        proof: randomness().proof(1).expect("the second of three"),
        signature: key.sign(nonce, &message.to_bytes()).expect("a nonce that fits"),
    }
}

/// Two votes at height 101.
///
/// # Panics
/// Never: the votes conflict.
pub fn evidence() -> Evidence {
    Evidence::of_conflict(&vote([0xab; 32]), &vote([0xcd; 32])).expect("two blocks at one height")
}
