//! Records and messages of checkpoints on Bitcoin (`wire.md` 2.3, 3.12).
use crate::proto::named;

/// Status of an epoch on Bitcoin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum BtcStatus {
    /// On Bitcoin.
    Submitted = 0,
    /// `k` deep.
    Confirmed = 1,
    /// `w` deep.
    Finalized = 2,
}

/// A transaction by block and position.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TransactionKey {
    /// Position in the block.
    #[prost(uint32, tag = "1")]
    pub index: u32,
    /// Hash of the block header, 32 bytes, internal order.
    #[prost(bytes = "vec", tag = "2")]
    pub hash: Vec<u8>,
}

/// Proof that a checkpoint transaction is on Bitcoin.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BTCSpvProof {
    /// The transaction.
    #[prost(bytes = "vec", tag = "1")]
    pub btc_transaction: Vec<u8>,
    /// Position in the block.
    #[prost(uint32, tag = "2")]
    pub btc_transaction_index: u32,
    /// Siblings, 32 bytes each, internal order.
    #[prost(bytes = "vec", tag = "3")]
    pub merkle_nodes: Vec<u8>,
    /// Header of the block, 80 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub confirming_btc_header: Vec<u8>,
}

/// Parameters.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Params {
    /// `k`.
    #[prost(uint32, tag = "1")]
    pub btc_confirmation_depth: u32,
    /// `w`.
    #[prost(uint32, tag = "2")]
    pub checkpoint_finalization_timeout: u32,
    /// 4 bytes as hex.
    #[prost(string, tag = "3")]
    pub checkpoint_tag: String,
}

/// Reports a checkpoint on Bitcoin.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgInsertBTCSpvProof {
    /// Account that signs and pays, bech32.
    #[prost(string, tag = "1")]
    pub submitter: String,
    /// Exactly two.
    #[prost(message, repeated, tag = "2")]
    pub proofs: Vec<BTCSpvProof>,
}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgInsertBTCSpvProofResponse {}

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
pub struct MsgUpdateParamsResponse {}
named! { "babylon.btccheckpoint.v1";
    TransactionKey, BTCSpvProof, Params, MsgInsertBTCSpvProof, MsgInsertBTCSpvProofResponse, MsgUpdateParams,
    MsgUpdateParamsResponse
}
