//! Messages of the staking module (`wire.md` 3.2 to 3.8).
use super::records::{CommissionRates, InclusionProof, Params, ProofOfPossessionBTC};
use crate::proto::{Description, named};

/// Registers a finality provider. Numbers 3 and 6 are not in use.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgCreateFinalityProvider {
    /// Account that registers and earns, bech32.
    #[prost(string, tag = "1")]
    pub addr: String,
    /// Who they say they are.
    #[prost(message, optional, tag = "2")]
    pub description: Option<Description>,
    /// EOTS key, 32 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub btc_pk: Vec<u8>,
    /// Proof that the Bitcoin key agrees to the account.
    #[prost(message, optional, tag = "5")]
    pub pop: Option<ProofOfPossessionBTC>,
    /// All three rates.
    #[prost(message, optional, tag = "7")]
    pub commission: Option<CommissionRates>,
}

/// Edits a finality provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgEditFinalityProvider {
    /// Account that registered it, bech32.
    #[prost(string, tag = "1")]
    pub addr: String,
    /// EOTS key, 32 bytes; the wire does not check the length.
    #[prost(bytes = "vec", tag = "2")]
    pub btc_pk: Vec<u8>,
    /// Who they say they are.
    #[prost(message, optional, tag = "3")]
    pub description: Option<Description>,
    /// Rate, scaled decimal; absent keeps it.
    #[prost(string, optional, tag = "4")]
    pub commission: Option<String>,
}

/// Registers a stake.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgCreateBTCDelegation {
    /// Account of the holder, bech32.
    #[prost(string, tag = "1")]
    pub staker_addr: String,
    /// Proof that the Bitcoin key agrees to the account.
    #[prost(message, optional, tag = "2")]
    pub pop: Option<ProofOfPossessionBTC>,
    /// Holder's key, 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub btc_pk: Vec<u8>,
    /// EOTS keys, 32 bytes each; the network accepts exactly one.
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub fp_btc_pk_list: Vec<Vec<u8>>,
    /// Timelock of the staking output, in blocks.
    #[prost(uint32, tag = "5")]
    pub staking_time: u32,
    /// Value of the staking output.
    #[prost(int64, tag = "6")]
    pub staking_value: i64,
    /// Staking transaction; witness not needed.
    #[prost(bytes = "vec", tag = "7")]
    pub staking_tx: Vec<u8>,
    /// Absent asks for approval first.
    #[prost(message, optional, tag = "8")]
    pub staking_tx_inclusion_proof: Option<InclusionProof>,
    /// Slashes the staking output; unsigned.
    #[prost(bytes = "vec", tag = "9")]
    pub slashing_tx: Vec<u8>,
    /// Holder's signature on it, 64 bytes.
    #[prost(bytes = "vec", tag = "10")]
    pub delegator_slashing_sig: Vec<u8>,
    /// Timelock of the unbonding output, in blocks.
    #[prost(uint32, tag = "11")]
    pub unbonding_time: u32,
    /// Unbonding transaction; unsigned.
    #[prost(bytes = "vec", tag = "12")]
    pub unbonding_tx: Vec<u8>,
    /// Value of the unbonding output.
    #[prost(int64, tag = "13")]
    pub unbonding_value: i64,
    /// Slashes the unbonding output; unsigned.
    #[prost(bytes = "vec", tag = "14")]
    pub unbonding_slashing_tx: Vec<u8>,
    /// Holder's signature on it, 64 bytes.
    #[prost(bytes = "vec", tag = "15")]
    pub delegator_unbonding_slashing_sig: Vec<u8>,
}

/// Registers an expansion of a stake. Numbers shift by one against creation from `slashing_tx` on.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgBtcStakeExpand {
    /// Account of the holder, bech32.
    #[prost(string, tag = "1")]
    pub staker_addr: String,
    /// Proof that the Bitcoin key agrees to the account.
    #[prost(message, optional, tag = "2")]
    pub pop: Option<ProofOfPossessionBTC>,
    /// Holder's key, 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub btc_pk: Vec<u8>,
    /// EOTS keys, 32 bytes each; the network accepts exactly one.
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub fp_btc_pk_list: Vec<Vec<u8>>,
    /// Timelock of the staking output, in blocks.
    #[prost(uint32, tag = "5")]
    pub staking_time: u32,
    /// Value of the staking output.
    #[prost(int64, tag = "6")]
    pub staking_value: i64,
    /// Staking transaction; witness not needed.
    #[prost(bytes = "vec", tag = "7")]
    pub staking_tx: Vec<u8>,
    /// Slashes the staking output; unsigned.
    #[prost(bytes = "vec", tag = "8")]
    pub slashing_tx: Vec<u8>,
    /// Holder's signature on it, 64 bytes.
    #[prost(bytes = "vec", tag = "9")]
    pub delegator_slashing_sig: Vec<u8>,
    /// Timelock of the unbonding output, in blocks.
    #[prost(uint32, tag = "10")]
    pub unbonding_time: u32,
    /// Unbonding transaction; unsigned.
    #[prost(bytes = "vec", tag = "11")]
    pub unbonding_tx: Vec<u8>,
    /// Value of the unbonding output.
    #[prost(int64, tag = "12")]
    pub unbonding_value: i64,
    /// Slashes the unbonding output; unsigned.
    #[prost(bytes = "vec", tag = "13")]
    pub unbonding_slashing_tx: Vec<u8>,
    /// Holder's signature on it, 64 bytes.
    #[prost(bytes = "vec", tag = "14")]
    pub delegator_unbonding_slashing_sig: Vec<u8>,
    /// The stake being expanded, reversed hex.
    #[prost(string, tag = "15")]
    pub previous_staking_tx_hash: String,
    /// Transaction that holds the output of input 1.
    #[prost(bytes = "vec", tag = "16")]
    pub funding_tx: Vec<u8>,
}

/// Proves that a verified stake is on Bitcoin.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgAddBTCDelegationInclusionProof {
    /// Account that signs and pays, bech32.
    #[prost(string, tag = "1")]
    pub signer: String,
    /// Staking transaction id, reversed hex.
    #[prost(string, tag = "2")]
    pub staking_tx_hash: String,
    /// Of the staking transaction.
    #[prost(message, optional, tag = "3")]
    pub staking_tx_inclusion_proof: Option<InclusionProof>,
}

/// Signatures of one committee member.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgAddCovenantSigs {
    /// Account that signs and pays, bech32.
    #[prost(string, tag = "1")]
    pub signer: String,
    /// Covenant key, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub pk: Vec<u8>,
    /// Staking transaction id, reversed hex.
    #[prost(string, tag = "3")]
    pub staking_tx_hash: String,
    /// Adaptor signatures, 65 bytes each, in the order of the finality providers.
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub slashing_tx_sigs: Vec<Vec<u8>>,
    /// Schnorr signature, 64 bytes.
    #[prost(bytes = "vec", tag = "5")]
    pub unbonding_tx_sig: Vec<u8>,
    /// Adaptor signatures, 65 bytes each.
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub slashing_unbonding_tx_sigs: Vec<Vec<u8>>,
    /// Schnorr signature, 64 bytes; for expansions only, then mandatory. Never present and empty.
    #[prost(bytes = "vec", optional, tag = "7")]
    pub stake_expansion_tx_sig: Option<Vec<u8>>,
}

/// Reports the spend of a staking output.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgBTCUndelegate {
    /// Account that signs and pays, bech32.
    #[prost(string, tag = "1")]
    pub signer: String,
    /// Staking transaction id, reversed hex.
    #[prost(string, tag = "2")]
    pub staking_tx_hash: String,
    /// With its witness.
    #[prost(bytes = "vec", tag = "3")]
    pub stake_spending_tx: Vec<u8>,
    /// Of the spending transaction.
    #[prost(message, optional, tag = "4")]
    pub stake_spending_tx_inclusion_proof: Option<InclusionProof>,
    /// Previous transaction of every input.
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub funding_transactions: Vec<Vec<u8>>,
}

/// Shows a finality provider's secret key. Number 2 is reserved.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct MsgSelectiveSlashingEvidence {
    /// Account that signs and pays, bech32.
    #[prost(string, tag = "1")]
    pub signer: String,
    /// Secret key, 32 bytes big-endian.
    #[prost(bytes = "vec", tag = "3")]
    pub recovered_fp_btc_sk: Vec<u8>,
}

/// Appends a params version.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgUpdateParams {
    /// Account of the governance module, bech32.
    #[prost(string, tag = "1")]
    pub authority: String,
    /// Parameters.
    #[prost(message, optional, tag = "2")]
    pub params: Option<Params>,
}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgCreateFinalityProviderResponse {}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgEditFinalityProviderResponse {}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgCreateBTCDelegationResponse {}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgBtcStakeExpandResponse {}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgAddBTCDelegationInclusionProofResponse {}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgAddCovenantSigsResponse {}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgBTCUndelegateResponse {}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgSelectiveSlashingEvidenceResponse {}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgUpdateParamsResponse {}
named! { "babylon.btcstaking.v1";
    MsgCreateFinalityProvider, MsgEditFinalityProvider, MsgCreateBTCDelegation, MsgBtcStakeExpand,
    MsgAddBTCDelegationInclusionProof, MsgAddCovenantSigs, MsgBTCUndelegate, MsgSelectiveSlashingEvidence,
    MsgUpdateParams, MsgCreateFinalityProviderResponse, MsgEditFinalityProviderResponse,
    MsgCreateBTCDelegationResponse, MsgBtcStakeExpandResponse, MsgAddBTCDelegationInclusionProofResponse,
    MsgAddCovenantSigsResponse, MsgBTCUndelegateResponse, MsgSelectiveSlashingEvidenceResponse,
    MsgUpdateParamsResponse
}
