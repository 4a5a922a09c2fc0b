//! The part of a transaction whose published definition lacks fields of SDK 0.53 (`wire.md` 2.5).

use super::{Any, Timestamp};

/// The part of a transaction that holds its messages.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TxBody {
    /// Messages, carried out in order, all or none.
    #[prost(message, repeated, tag = "1")]
    pub messages: Vec<Any>,
    /// Free text.
    #[prost(string, tag = "2")]
    pub memo: String,
    /// Last height at which it may be included; 0 for none.
    #[prost(uint64, tag = "3")]
    pub timeout_height: u64,
    /// Whether it goes without a sequence; not to be relied on.
    #[prost(bool, tag = "4")]
    pub unordered: bool,
    /// Last time at which it may be included; absent for none.
    #[prost(message, optional, tag = "5")]
    pub timeout_timestamp: Option<Timestamp>,
    /// A chain that does not know them all refuses the transaction.
    #[prost(message, repeated, tag = "1023")]
    pub extension_options: Vec<Any>,
    /// A chain that does not know them leaves them aside.
    #[prost(message, repeated, tag = "2047")]
    pub non_critical_extension_options: Vec<Any>,
}

impl prost::Name for TxBody {
    const NAME: &'static str = "TxBody";
    const PACKAGE: &'static str = "cosmos.tx.v1beta1";
}
