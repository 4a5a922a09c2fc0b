//! The chain's messages, records and queries, defined by hand from the tables of `wire.md` 2, 3 and 5.
//!
//! Type and field names are exactly the protobuf ones, so that they can be looked up. Nothing here checks content: an
//! x-only key is `Vec<u8>` and an enum is `i32`. [`crate::convert`] is where bytes become protocol types or errors.
//!
//! | form | convention |
//! |---|---|
//! | enums | `i32` fields; convert with `Enum::try_from`, so that an unknown value is an error and never a default |
//! | decimals | the scaled integer as ASCII digits, in `String` or, where the chain has it so, in bytes |
//! | nullable bytes and decimals | `Option`; `Some` of nothing must never be sent (`wire.md` 1.6) |
//! | sub-messages | `Option`; absent may carry a meaning |
//! | maps | `BTreeMap`, so that encoding is deterministic |

pub mod btccheckpoint;
pub mod btclightclient;
pub mod btcstaking;
pub mod checkpointing;
pub mod costaking;
pub mod epoching;
pub mod finality;
pub mod incentive;
pub mod mint;
pub mod monitor;
pub mod registry;
mod sdk;

pub use cosmrs::proto::{
    Any, Timestamp,
    cosmos::{
        auth::v1beta1::{BaseAccount, QueryAccountRequest, QueryAccountResponse},
        bank::v1beta1::{
            QueryBalanceRequest, QueryBalanceResponse, QuerySupplyOfRequest, QuerySupplyOfResponse,
            QueryTotalSupplyRequest, QueryTotalSupplyResponse,
        },
        base::{
            abci::v1beta1::{GasInfo, Result as SimulationResult, TxMsgData},
            query::v1beta1::{PageRequest, PageResponse},
            v1beta1::Coin,
        },
        crypto::{ed25519::PubKey as Ed25519PubKey, secp256k1::PubKey},
        staking::v1beta1::{
            Description, MsgBeginRedelegate, MsgCancelUnbondingDelegation, MsgCreateValidator, MsgDelegate,
            MsgEditValidator, MsgUndelegate, MsgUpdateParams as StakingMsgUpdateParams,
        },
        tx::v1beta1::{
            AuthInfo, Fee, ModeInfo, SignDoc, SignerInfo, SimulateRequest, SimulateResponse, Tx, TxRaw,
            mode_info,
        },
    },
    tendermint::{
        google::protobuf::Duration,
        v0_38::{abci::ExtendedCommitInfo, crypto::Proof},
    },
};

pub use sdk::TxBody;

/// A query request: where it is asked and how it is answered.
pub trait Query: prost::Message + Default {
    /// The answer.
    type Response: prost::Message + Default;
    /// ABCI query path, which is the gRPC method path.
    const PATH: &'static str;
}

/// Names types and lists them in `TYPES` of their module; `as` is for types inside others.
macro_rules! named {
    (@name $name:ident) => { stringify!($name) };
    (@name $name:ident $full:literal) => { $full };
    ($package:literal; $($name:ident $(as $full:literal)?),* $(,)?) => {
        $(impl prost::Name for $name {
            const NAME: &'static str = $crate::proto::named!(@name $name $($full)?);
            const PACKAGE: &'static str = $package;
        })*
        /// Every type defined here.
        pub(in crate::proto) const TYPES: &[$crate::proto::registry::WireType] =
            &[$($crate::proto::registry::WireType::of::<$name>()),*];
    };
}
/// Gives requests their path and answer and lists them in `QUERIES` of their module.
macro_rules! queries {
    ($package:literal; $($request:ident => $response:ident, $method:literal;)*) => {
        $(impl $crate::proto::Query for $request {
            type Response = $response;
            const PATH: &'static str = concat!("/", $package, ".Query/", $method);
        })*
        /// Every query defined here.
        pub(in crate::proto) const QUERIES: &[$crate::proto::registry::QueryType] =
            &[$($crate::proto::registry::QueryType::of::<$request>()),*];
    };
}
use {named, queries};

#[cfg(test)]
mod golden;

impl Query for QueryAccountRequest {
    type Response = QueryAccountResponse;
    const PATH: &'static str = "/cosmos.auth.v1beta1.Query/Account";
}
impl Query for QueryBalanceRequest {
    type Response = QueryBalanceResponse;
    const PATH: &'static str = "/cosmos.bank.v1beta1.Query/Balance";
}
impl Query for QuerySupplyOfRequest {
    type Response = QuerySupplyOfResponse;
    const PATH: &'static str = "/cosmos.bank.v1beta1.Query/SupplyOf";
}
impl Query for QueryTotalSupplyRequest {
    type Response = QueryTotalSupplyResponse;
    const PATH: &'static str = "/cosmos.bank.v1beta1.Query/TotalSupply";
}
impl Query for SimulateRequest {
    type Response = SimulateResponse;
    const PATH: &'static str = "/cosmos.tx.v1beta1.Service/Simulate";
}
