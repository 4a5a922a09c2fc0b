//! Records shared by messages, queries and genesis (`wire.md` 2.1).
use super::super::btclightclient::{BTCHeaderInfo, TransactionKey};
use crate::proto::{Description, Timestamp, named};

/// How the signature of a proof of possession was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum BTCSigType {
    /// Schnorr signature.
    Bip340 = 0,
    /// BIP-322 "simple".
    Bip322 = 1,
    /// Bitcoin Signed Message.
    Ecdsa = 2,
}

/// Status of a delegation; `Any` is a filter of queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum BTCDelegationStatus {
    /// Covenant quorum missing.
    Pending = 0,
    /// Quorum reached, staking transaction not proven.
    Verified = 1,
    /// Has power.
    Active = 2,
    /// Left early.
    Unbonded = 3,
    /// Timelock about to end.
    Expired = 4,
    /// Filter that matches all.
    Any = 5,
}

/// Status of a finality provider in events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum FinalityProviderStatus {
    /// Outside the active set.
    Inactive = 0,
    /// In the active set.
    Active = 1,
    /// In jail.
    Jailed = 2,
    /// Slashed for good.
    Slashed = 3,
}

/// Proof that a Bitcoin key agrees to an account.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ProofOfPossessionBTC {
    /// A [`BTCSigType`].
    #[prost(int32, tag = "1")]
    pub btc_sig_type: i32,
    /// 64 bytes, an encoded [`BIP322Sig`], or 65 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub btc_sig: Vec<u8>,
}

/// Content of [`ProofOfPossessionBTC::btc_sig`] for BIP-322.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BIP322Sig {
    /// Bitcoin address whose key signs.
    #[prost(string, tag = "1")]
    pub address: String,
    /// Serialised witness stack.
    #[prost(bytes = "vec", tag = "2")]
    pub sig: Vec<u8>,
}

/// Commission of a new finality provider. Always send all three.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CommissionRates {
    /// Rate, scaled decimal.
    #[prost(string, tag = "1")]
    pub rate: String,
    /// Highest rate ever, scaled decimal.
    #[prost(string, tag = "2")]
    pub max_rate: String,
    /// Largest change a day, scaled decimal.
    #[prost(string, tag = "3")]
    pub max_change_rate: String,
}

/// Limits of a commission and its last change.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CommissionInfo {
    /// Highest rate ever, scaled decimal.
    #[prost(string, tag = "1")]
    pub max_rate: String,
    /// Largest change a day, scaled decimal.
    #[prost(string, tag = "2")]
    pub max_change_rate: String,
    /// Last change.
    #[prost(message, optional, tag = "3")]
    pub update_time: Option<Timestamp>,
}

/// Proof that a transaction is in a Bitcoin block.
#[derive(Clone, PartialEq, prost::Message)]
pub struct InclusionProof {
    /// Block and position.
    #[prost(message, optional, tag = "1")]
    pub key: Option<TransactionKey>,
    /// Siblings, 32 bytes each, internal order, leaf to root.
    #[prost(bytes = "vec", tag = "2")]
    pub proof: Vec<u8>,
}

/// A signature by a committee member.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SignatureInfo {
    /// Covenant key, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub pk: Vec<u8>,
    /// Schnorr signature, 64 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub sig: Vec<u8>,
}

/// Adaptor signatures of one committee member.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CovenantAdaptorSignatures {
    /// Covenant key, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub cov_pk: Vec<u8>,
    /// 65 bytes each, one per finality provider.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub adaptor_sigs: Vec<Vec<u8>>,
}

/// Evidence by a shown key. Field 1 is reserved.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct SelectiveSlashingEvidence {
    /// EOTS key of the finality provider, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub fp_btc_pk: Vec<u8>,
    /// Secret key, 32 bytes big-endian.
    #[prost(bytes = "vec", tag = "3")]
    pub recovered_fp_btc_sk: Vec<u8>,
}

/// How a delegation was left. Its presence alone means unbonded.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DelegatorUnbondingInfo {
    /// The spending transaction; empty if it was the registered unbonding transaction.
    #[prost(bytes = "vec", tag = "1")]
    pub spend_stake_tx: Vec<u8>,
}

/// A finality provider as stored. Number 10 is not in use.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FinalityProvider {
    /// Account that registered it, bech32.
    #[prost(string, tag = "1")]
    pub addr: String,
    /// Who they say they are.
    #[prost(message, optional, tag = "2")]
    pub description: Option<Description>,
    /// Rate, scaled decimal.
    #[prost(string, optional, tag = "3")]
    pub commission: Option<String>,
    /// EOTS key, 32 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub btc_pk: Vec<u8>,
    /// Proof that the Bitcoin key agrees to the account.
    #[prost(message, optional, tag = "5")]
    pub pop: Option<ProofOfPossessionBTC>,
    /// Height of the staking chain at the slashing; 0 if not slashed.
    #[prost(uint64, tag = "6")]
    pub slashed_babylon_height: u64,
    /// Light client tip at the slashing; 0 if not slashed.
    #[prost(uint32, tag = "7")]
    pub slashed_btc_height: u32,
    /// Whether it is in jail.
    #[prost(bool, tag = "8")]
    pub jailed: bool,
    /// Highest height voted for; 0 for none.
    #[prost(uint32, tag = "9")]
    pub highest_voted_height: u32,
    /// Limits of the commission.
    #[prost(message, optional, tag = "11")]
    pub commission_info: Option<CommissionInfo>,
}

/// A delegation as stored. Queries answer [`BTCDelegationResponse`](super::BTCDelegationResponse) instead.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BTCDelegation {
    /// Account of the holder, bech32.
    #[prost(string, tag = "1")]
    pub staker_addr: String,
    /// Holder's key, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub btc_pk: Vec<u8>,
    /// Proof that the Bitcoin key agrees to the account.
    #[prost(message, optional, tag = "3")]
    pub pop: Option<ProofOfPossessionBTC>,
    /// EOTS keys, 32 bytes each; the network accepts exactly one.
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub fp_btc_pk_list: Vec<Vec<u8>>,
    /// Timelock of the staking output, in blocks.
    #[prost(uint32, tag = "5")]
    pub staking_time: u32,
    /// Height of the block with the staking transaction; 0 before the proof.
    #[prost(uint32, tag = "6")]
    pub start_height: u32,
    /// End of the timelock; 0 before the proof.
    #[prost(uint32, tag = "7")]
    pub end_height: u32,
    /// Value of the staking output.
    #[prost(uint64, tag = "8")]
    pub total_sat: u64,
    /// Staking transaction.
    #[prost(bytes = "vec", tag = "9")]
    pub staking_tx: Vec<u8>,
    /// Index of the staking output.
    #[prost(uint32, tag = "10")]
    pub staking_output_idx: u32,
    /// Slashes the staking output.
    #[prost(bytes = "vec", tag = "11")]
    pub slashing_tx: Vec<u8>,
    /// Holder's signature on it, 64 bytes.
    #[prost(bytes = "vec", tag = "12")]
    pub delegator_sig: Vec<u8>,
    /// Adaptor signatures on the slashing transaction, by member.
    #[prost(message, repeated, tag = "13")]
    pub covenant_sigs: Vec<CovenantAdaptorSignatures>,
    /// Timelock of the unbonding output, in blocks.
    #[prost(uint32, tag = "14")]
    pub unbonding_time: u32,
    /// Unbonding transactions and signatures.
    #[prost(message, optional, tag = "15")]
    pub btc_undelegation: Option<BTCUndelegation>,
    /// Params version the delegation keeps for life.
    #[prost(uint32, tag = "16")]
    pub params_version: u32,
    /// Light client tip at registration.
    #[prost(uint32, tag = "17")]
    pub btc_tip_height: u32,
    /// Present for expansions.
    #[prost(message, optional, tag = "18")]
    pub stk_exp: Option<StakeExpansion>,
}

/// Unbonding transactions of a delegation and their signatures.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BTCUndelegation {
    /// Unbonding transaction.
    #[prost(bytes = "vec", tag = "1")]
    pub unbonding_tx: Vec<u8>,
    /// Slashes the unbonding output.
    #[prost(bytes = "vec", tag = "2")]
    pub slashing_tx: Vec<u8>,
    /// Holder's signature on it, 64 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub delegator_slashing_sig: Vec<u8>,
    /// Adaptor signatures on it, by member.
    #[prost(message, repeated, tag = "4")]
    pub covenant_slashing_sigs: Vec<CovenantAdaptorSignatures>,
    /// Signatures on the unbonding transaction.
    #[prost(message, repeated, tag = "5")]
    pub covenant_unbonding_sig_list: Vec<SignatureInfo>,
    /// Present once unbonded.
    #[prost(message, optional, tag = "6")]
    pub delegator_unbonding_info: Option<DelegatorUnbondingInfo>,
}

/// What is stored about an expansion.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StakeExpansion {
    /// The stake being expanded, internal byte order.
    #[prost(bytes = "vec", tag = "1")]
    pub previous_staking_tx_hash: Vec<u8>,
    /// Serialised output spent by input 1.
    #[prost(bytes = "vec", tag = "2")]
    pub other_funding_tx_out: Vec<u8>,
    /// Signatures on input 0.
    #[prost(message, repeated, tag = "3")]
    pub previous_stk_covenant_sigs: Vec<SignatureInfo>,
}

/// The deepest reorganisation of Bitcoin the chain has seen.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LargestBtcReOrg {
    /// Depth.
    #[prost(uint32, tag = "1")]
    pub block_diff: u32,
    /// Previous tip.
    #[prost(message, optional, tag = "2")]
    pub rollback_from: Option<BTCHeaderInfo>,
    /// Fork parent.
    #[prost(message, optional, tag = "3")]
    pub rollback_to: Option<BTCHeaderInfo>,
}

/// Parameters of one version.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Params {
    /// Covenant keys, 32 bytes each.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub covenant_pks: Vec<Vec<u8>>,
    /// Signatures needed.
    #[prost(uint32, tag = "2")]
    pub covenant_quorum: u32,
    /// Smallest stake.
    #[prost(int64, tag = "3")]
    pub min_staking_value_sat: i64,
    /// Largest stake.
    #[prost(int64, tag = "4")]
    pub max_staking_value_sat: i64,
    /// Shortest timelock.
    #[prost(uint32, tag = "5")]
    pub min_staking_time_blocks: u32,
    /// Longest timelock.
    #[prost(uint32, tag = "6")]
    pub max_staking_time_blocks: u32,
    /// Script that receives slashed coins.
    #[prost(bytes = "vec", tag = "7")]
    pub slashing_pk_script: Vec<u8>,
    /// Least fee of a slashing transaction.
    #[prost(int64, tag = "8")]
    pub min_slashing_tx_fee_sat: i64,
    /// Scaled decimal.
    #[prost(string, tag = "9")]
    pub slashing_rate: String,
    /// Timelock of the unbonding output.
    #[prost(uint32, tag = "10")]
    pub unbonding_time_blocks: u32,
    /// Exact fee of the unbonding transaction.
    #[prost(int64, tag = "11")]
    pub unbonding_fee_sat: i64,
    /// Scaled decimal.
    #[prost(string, tag = "12")]
    pub min_commission_rate: String,
    /// Extra gas of a registration without proof.
    #[prost(uint64, tag = "13")]
    pub delegation_creation_base_gas_fee: u64,
    /// Height of the staking chain; 0 for no allow list.
    #[prost(uint64, tag = "14")]
    pub allow_list_expiration_height: u64,
    /// First Bitcoin height.
    #[prost(uint32, tag = "15")]
    pub btc_activation_height: u32,
}

/// Parameters with their version.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StoredParams {
    /// Version, from 0.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// Parameters.
    #[prost(message, optional, tag = "2")]
    pub params: Option<Params>,
}
named! { "babylon.btcstaking.v1";
    ProofOfPossessionBTC, BIP322Sig, CommissionRates, CommissionInfo, InclusionProof, SignatureInfo,
    CovenantAdaptorSignatures, SelectiveSlashingEvidence, DelegatorUnbondingInfo, FinalityProvider,
    BTCDelegation, BTCUndelegation, StakeExpansion, LargestBtcReOrg, Params, StoredParams
}
