//! Queries of the modules every Cosmos chain has, as far as clients need them (`wire.md` 5.8).

use super::list::list_query;
use crate::proto::Query;
use cosmrs::proto::cosmos::{
    base::node::v1beta1::{ConfigRequest, ConfigResponse},
    gov, staking,
    tx::v1beta1::{GetTxRequest, GetTxResponse},
    upgrade::v1beta1::{QueryCurrentPlanRequest, QueryCurrentPlanResponse},
};
use gov::v1::{Proposal, QueryProposalRequest, QueryProposalResponse, QueryProposalsRequest};
use staking::v1beta1::{QueryPoolRequest, QueryPoolResponse, QueryValidatorsRequest, Validator};

/// The native staking module's params, among them its denomination.
pub type StakingParamsRequest = staking::v1beta1::QueryParamsRequest;

macro_rules! paths {
    ($($request:ty => $response:ty, $path:literal;)*) => {$(
        impl Query for $request {
            type Response = $response;
            const PATH: &'static str = $path;
        }
    )*};
}
paths! {
    ConfigRequest => ConfigResponse, "/cosmos.base.node.v1beta1.Service/Config";
    GetTxRequest => GetTxResponse, "/cosmos.tx.v1beta1.Service/GetTx";
    QueryCurrentPlanRequest => QueryCurrentPlanResponse, "/cosmos.upgrade.v1beta1.Query/CurrentPlan";
    QueryProposalRequest => QueryProposalResponse, "/cosmos.gov.v1.Query/Proposal";
    QueryProposalsRequest => gov::v1::QueryProposalsResponse, "/cosmos.gov.v1.Query/Proposals";
    StakingParamsRequest => staking::v1beta1::QueryParamsResponse, "/cosmos.staking.v1beta1.Query/Params";
    QueryPoolRequest => QueryPoolResponse, "/cosmos.staking.v1beta1.Query/Pool";
    QueryValidatorsRequest => staking::v1beta1::QueryValidatorsResponse, "/cosmos.staking.v1beta1.Query/Validators";
}

list_query! {
    QueryProposalsRequest, proposals: Proposal;
    QueryValidatorsRequest, validators: Validator;
}
