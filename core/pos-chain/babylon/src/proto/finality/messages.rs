//! Messages of the finality module (`wire.md` 3.9 to 3.11).
use super::records::Params;
use crate::proto::{Proof, named};

/// Commits to public randomness.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgCommitPubRandList {
    /// Account that signs and pays, bech32.
    #[prost(string, tag = "1")]
    pub signer: String,
    /// EOTS key of the finality provider, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub fp_btc_pk: Vec<u8>,
    /// First height.
    #[prost(uint64, tag = "3")]
    pub start_height: u64,
    /// Number of values.
    #[prost(uint64, tag = "4")]
    pub num_pub_rand: u64,
    /// Merkle root, 32 bytes.
    #[prost(bytes = "vec", tag = "5")]
    pub commitment: Vec<u8>,
    /// Schnorr signature over the commitment hash, 64 bytes.
    #[prost(bytes = "vec", tag = "6")]
    pub sig: Vec<u8>,
}

/// A finality vote.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgAddFinalitySig {
    /// Account that signs and pays, bech32.
    #[prost(string, tag = "1")]
    pub signer: String,
    /// EOTS key of the finality provider, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub fp_btc_pk: Vec<u8>,
    /// Height voted on.
    #[prost(uint64, tag = "3")]
    pub block_height: u64,
    /// Public randomness, 32 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub pub_rand: Vec<u8>,
    /// That the randomness was committed to; `leaf_hash` filled.
    #[prost(message, optional, tag = "5")]
    pub proof: Option<Proof>,
    /// App hash in the header of that height, 32 bytes.
    #[prost(bytes = "vec", tag = "6")]
    pub block_app_hash: Vec<u8>,
    /// EOTS signature, 32 bytes.
    #[prost(bytes = "vec", tag = "7")]
    pub finality_sig: Vec<u8>,
}

/// Ends a jailing.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgUnjailFinalityProvider {
    /// Account that signs and pays, bech32.
    #[prost(string, tag = "1")]
    pub signer: String,
    /// EOTS key of the finality provider, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub fp_btc_pk: Vec<u8>,
}

/// Governance restarts finality after a halt.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgResumeFinalityProposal {
    /// Account of the governance module, bech32.
    #[prost(string, tag = "1")]
    pub authority: String,
    /// EOTS keys, 64 hex characters each.
    #[prost(string, repeated, tag = "2")]
    pub fp_pks_hex: Vec<String>,
    /// Height finality stopped at.
    #[prost(uint32, tag = "3")]
    pub halting_height: u32,
}

/// Replaces the parameters.
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
pub struct MsgCommitPubRandListResponse {}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgAddFinalitySigResponse {}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgUnjailFinalityProviderResponse {}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgResumeFinalityProposalResponse {}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgUpdateParamsResponse {}
named! { "babylon.finality.v1";
    MsgCommitPubRandList, MsgAddFinalitySig, MsgUnjailFinalityProvider, MsgResumeFinalityProposal,
    MsgUpdateParams, MsgCommitPubRandListResponse, MsgAddFinalitySigResponse, MsgUnjailFinalityProviderResponse,
    MsgResumeFinalityProposalResponse, MsgUpdateParamsResponse
}
