//! Queries of the light client (`wire.md` 5.5).
use super::records::{BTCHeaderInfoResponse, Params};
use crate::proto::{PageRequest, PageResponse, named, queries};

/// Asks for the parameters.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryParamsRequest {}

/// The parameters.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryParamsResponse {
    /// Parameters.
    #[prost(message, optional, tag = "1")]
    pub params: Option<Params>,
}

/// Asks for the tip.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryTipRequest {}

/// The tip.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryTipResponse {
    /// The header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<BTCHeaderInfoResponse>,
}

/// Asks for the first header.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryBaseHeaderRequest {}

/// The first header.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryBaseHeaderResponse {
    /// The header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<BTCHeaderInfoResponse>,
}

/// Asks for headers, newest first. The key is a hash in internal order.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryMainChainRequest {
    /// Page.
    #[prost(message, optional, tag = "1")]
    pub pagination: Option<PageRequest>,
}

/// Headers. `next_key` is not empty even at the base header: stop at its height.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryMainChainResponse {
    /// Headers.
    #[prost(message, repeated, tag = "1")]
    pub headers: Vec<BTCHeaderInfoResponse>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}

/// Asks for the depth of a header.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryHeaderDepthRequest {
    /// Reversed hex, 64 characters.
    #[prost(string, tag = "1")]
    pub hash: String,
}

/// The depth.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryHeaderDepthResponse {
    /// Headers on top of it.
    #[prost(uint32, tag = "1")]
    pub depth: u32,
}

/// Asks whether a header is on the main chain.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryContainsRequest {
    /// 32 bytes, internal order.
    #[prost(bytes = "vec", tag = "1")]
    pub hash: Vec<u8>,
}

/// Whether it is.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryContainsResponse {
    /// Whether it is.
    #[prost(bool, tag = "1")]
    pub contains: bool,
}

/// Asks whether a header is on the main chain.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryContainsBytesRequest {
    /// 32 bytes, internal order.
    #[prost(bytes = "vec", tag = "1")]
    pub hash: Vec<u8>,
}

/// Whether it is.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryContainsBytesResponse {
    /// Whether it is.
    #[prost(bool, tag = "1")]
    pub contains: bool,
}

/// Asks for all hashes. The page must be present.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryHashesRequest {
    /// Page.
    #[prost(message, optional, tag = "1")]
    pub pagination: Option<PageRequest>,
}

/// Hashes.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryHashesResponse {
    /// 32 bytes each, internal order.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub hashes: Vec<Vec<u8>>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}
named! { "babylon.btclightclient.v1";
    QueryParamsRequest, QueryParamsResponse, QueryTipRequest, QueryTipResponse, QueryBaseHeaderRequest,
    QueryBaseHeaderResponse, QueryMainChainRequest, QueryMainChainResponse, QueryHeaderDepthRequest,
    QueryHeaderDepthResponse, QueryContainsRequest, QueryContainsResponse, QueryContainsBytesRequest,
    QueryContainsBytesResponse, QueryHashesRequest, QueryHashesResponse
}
queries! { "babylon.btclightclient.v1";
    QueryParamsRequest => QueryParamsResponse, "Params";
    QueryTipRequest => QueryTipResponse, "Tip";
    QueryBaseHeaderRequest => QueryBaseHeaderResponse, "BaseHeader";
    QueryMainChainRequest => QueryMainChainResponse, "MainChain";
    QueryHeaderDepthRequest => QueryHeaderDepthResponse, "HeaderDepth";
    QueryContainsRequest => QueryContainsResponse, "Contains";
    QueryContainsBytesRequest => QueryContainsBytesResponse, "ContainsBytes";
    QueryHashesRequest => QueryHashesResponse, "Hashes";
}
