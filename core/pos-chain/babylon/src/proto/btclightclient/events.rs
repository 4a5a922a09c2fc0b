//! Events and genesis state of the light client (`wire.md` 6.3, 10).
use super::records::{BTCHeaderInfo, Params};
use crate::proto::named;

/// The tip went back to a fork parent.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventBTCRollBack {
    /// The fork parent.
    #[prost(message, optional, tag = "1")]
    pub header: Option<BTCHeaderInfo>,
    /// Previous tip.
    #[prost(message, optional, tag = "2")]
    pub rollback_from: Option<BTCHeaderInfo>,
}

/// A header became the tip.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventBTCRollForward {
    /// It.
    #[prost(message, optional, tag = "1")]
    pub header: Option<BTCHeaderInfo>,
}

/// A header was stored.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventBTCHeaderInserted {
    /// It.
    #[prost(message, optional, tag = "1")]
    pub header: Option<BTCHeaderInfo>,
}

/// State of the module.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GenesisState {
    /// Parameters; always on the wire.
    #[prost(message, optional, tag = "1")]
    pub params: Option<Params>,
    /// Main chain, ascending; the first is the base header.
    #[prost(message, repeated, tag = "2")]
    pub btc_headers: Vec<BTCHeaderInfo>,
}
named! { "babylon.btclightclient.v1";
    EventBTCRollBack, EventBTCRollForward, EventBTCHeaderInserted, GenesisState
}
