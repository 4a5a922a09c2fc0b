//! `abci_query`: from a path to the module that answers, and errors in the form of `wire.md` 4.5.

use super::{auth, bank, context::BlockInfo, execute, light_client};
use crate::{
    error::{Broken, Failure, Refusal, plain, sdk},
    state::State,
};
use btc_staking_babylon::proto::{
    GasInfo, Query, QueryAccountRequest, QueryBalanceRequest, SimulateRequest, SimulateResponse,
    SimulationResult, btclightclient as lc, btcstaking as st,
};
use prost::Message;

/// Answer to a query.
pub(crate) type Answer = Result<Vec<u8>, Refusal>;

/// What a query reads.
pub(crate) struct Asked<'a, 'p> {
    /// State at the height asked for.
    pub(crate) state: &'a State<'p>,
    /// State that counts what waits in the mempool; simulation runs on it.
    pub(crate) pending: &'a State<'p>,
    /// The block that a simulated transaction would be in.
    pub(crate) next_block: &'a BlockInfo,
    /// Height of `state`.
    pub(crate) height: u64,
    pub(crate) path: &'a str,
    pub(crate) data: &'a [u8],
}

/// Answers a query.
///
/// # Errors
/// [`Broken`] when the state cannot be read; refusals are answers.
pub(crate) fn answer(asked: &Asked<'_, '_>) -> Result<Answer, Broken> {
    match dispatch(asked) {
        Ok(value) => Ok(Ok(value)),
        Err(Failure::Refused(refusal)) => Ok(Err(refusal.in_query())),
        Err(Failure::Broken(broken)) => Err(broken),
    }
}

fn dispatch(asked: &Asked<'_, '_>) -> Result<Vec<u8>, Failure> {
    macro_rules! answered_by {
        ($($request:ty => $handler:expr,)*) => {
            match asked.path {
                $(<$request as Query>::PATH => {
                    let request = <$request>::decode(asked.data).map_err(plain)?;
                    let response: <$request as Query>::Response = $handler(asked.state, request)?;
                    Ok(response.encode_to_vec())
                })*
                <SimulateRequest as Query>::PATH => simulate(asked),
                _ => Err(unknown_path()),
            }
        };
    }
    answered_by! {
        QueryAccountRequest => auth::query_account,
        QueryBalanceRequest => bank::query_balance,
        lc::QueryParamsRequest => light_client::queries::params,
        lc::QueryTipRequest => light_client::queries::query_tip,
        lc::QueryBaseHeaderRequest => light_client::queries::base_header,
        lc::QueryMainChainRequest => light_client::queries::main_chain,
        lc::QueryHeaderDepthRequest => light_client::queries::header_depth,
        lc::QueryContainsRequest => light_client::queries::contains,
        lc::QueryContainsBytesRequest => light_client::queries::contains_bytes,
        lc::QueryHashesRequest => light_client::queries::hashes,
        st::QueryLargestBtcReOrgRequest =>
            |state: &State<'_>, _: st::QueryLargestBtcReOrgRequest| light_client::queries::largest_reorg(state),
    }
}

fn unknown_path() -> Failure {
    sdk::UNKNOWN_REQUEST.refusal("unknown query path".to_owned()).into()
}

fn simulate(asked: &Asked<'_, '_>) -> Result<Vec<u8>, Failure> {
    let request = SimulateRequest::decode(asked.data).map_err(plain)?;
    let result = execute::simulate(asked.pending, asked.next_block, &request.tx_bytes)?;
    let response = SimulateResponse {
        gas_info: Some(GasInfo { gas_wanted: result.gas_wanted, gas_used: result.gas_used }),
        result: Some(SimulationResult { log: result.log, ..Default::default() }),
    };
    Ok(response.encode_to_vec())
}
