//! Inflation of the native coin: records, queries, genesis state (`wire.md` 5.7, 10).
use super::{Timestamp, named, queries};

/// What is minted. Number 3 is not in use.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Minter {
    /// A year; scaled decimal.
    #[prost(string, tag = "1")]
    pub inflation_rate: String,
    /// Coins of a year; scaled decimal.
    #[prost(string, tag = "2")]
    pub annual_provisions: String,
    /// Time of the last block; absent before the first.
    #[prost(message, optional, tag = "4")]
    pub previous_block_time: Option<Timestamp>,
    /// The coin.
    #[prost(string, tag = "5")]
    pub bond_denom: String,
}

/// Start of the inflation schedule.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GenesisTime {
    /// Time of the first block.
    #[prost(message, optional, tag = "1")]
    pub genesis_time: Option<Timestamp>,
}

/// Asks for the inflation.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryInflationRateRequest {}

/// The inflation.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryInflationRateResponse {
    /// A year; scaled decimal as text in a bytes field.
    #[prost(bytes = "vec", tag = "1")]
    pub inflation_rate: Vec<u8>,
}

/// Asks for the coins of a year.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryAnnualProvisionsRequest {}

/// The coins of a year.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryAnnualProvisionsResponse {
    /// Scaled decimal as text in a bytes field.
    #[prost(bytes = "vec", tag = "1")]
    pub annual_provisions: Vec<u8>,
}

/// Asks for the start of the schedule.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryGenesisTimeRequest {}

/// The start of the schedule.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryGenesisTimeResponse {
    /// Time of the first block.
    #[prost(message, optional, tag = "1")]
    pub genesis_time: Option<Timestamp>,
}

/// State of the module. Number 2 is not in use.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GenesisState {
    /// What is minted.
    #[prost(message, optional, tag = "1")]
    pub minter: Option<Minter>,
    /// Start of the schedule.
    #[prost(message, optional, tag = "3")]
    pub genesis_time: Option<GenesisTime>,
}
named! { "babylon.mint.v1";
    Minter, GenesisTime, QueryInflationRateRequest, QueryInflationRateResponse, QueryAnnualProvisionsRequest,
    QueryAnnualProvisionsResponse, QueryGenesisTimeRequest, QueryGenesisTimeResponse, GenesisState
}
queries! { "babylon.mint.v1";
    QueryInflationRateRequest => QueryInflationRateResponse, "InflationRate";
    QueryAnnualProvisionsRequest => QueryAnnualProvisionsResponse, "AnnualProvisions";
    QueryGenesisTimeRequest => QueryGenesisTimeResponse, "GenesisTime";
}
