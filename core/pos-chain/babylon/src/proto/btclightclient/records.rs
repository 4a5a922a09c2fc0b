//! Records and messages of the light client (`wire.md` 2.3, 3.12).
use crate::proto::named;

/// A header as stored.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BTCHeaderInfo {
    /// 80 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub header: Vec<u8>,
    /// 32 bytes, internal order.
    #[prost(bytes = "vec", tag = "2")]
    pub hash: Vec<u8>,
    /// Bitcoin height.
    #[prost(uint32, tag = "3")]
    pub height: u32,
    /// Cumulative work, decimal text in a bytes field.
    #[prost(bytes = "vec", tag = "4")]
    pub work: Vec<u8>,
}

/// A header in answers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BTCHeaderInfoResponse {
    /// 80 bytes as hex.
    #[prost(string, tag = "1")]
    pub header_hex: String,
    /// Reversed hex.
    #[prost(string, tag = "2")]
    pub hash_hex: String,
    /// Bitcoin height.
    #[prost(uint32, tag = "3")]
    pub height: u32,
    /// Cumulative work, decimal text.
    #[prost(string, tag = "4")]
    pub work: String,
}

/// Parameters.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Params {
    /// Accounts that may report headers; empty for anyone.
    #[prost(string, repeated, tag = "1")]
    pub insert_headers_allow_list: Vec<String>,
}

/// Reports Bitcoin headers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgInsertHeaders {
    /// Account that signs and pays, bech32.
    #[prost(string, tag = "1")]
    pub signer: String,
    /// 80 bytes each, ascending, each the child of the one before.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub headers: Vec<Vec<u8>>,
}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgInsertHeadersResponse {}

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
named! { "babylon.btclightclient.v1";
    BTCHeaderInfo, BTCHeaderInfoResponse, Params, MsgInsertHeaders, MsgInsertHeadersResponse, MsgUpdateParams,
    MsgUpdateParamsResponse
}
