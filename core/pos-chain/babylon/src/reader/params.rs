//! Parameters and the light client.

use super::{
    BabylonReader,
    query::{broken, malformed},
};
use crate::{
    convert::{
        InvalidField, Problem,
        bytes::required,
        headers::decode_light_client_header,
        params::{decode_checkpoint_params, decode_finality_params, decode_staking_params},
    },
    proto::{
        Query,
        btccheckpoint::QueryParamsRequest as CheckpointParamsRequest,
        btclightclient::{
            BTCHeaderInfoResponse, QueryBaseHeaderRequest, QueryContainsBytesRequest, QueryTipRequest,
        },
        btcstaking::{QueryParamsByVersionRequest, QueryParamsVersionsRequest},
        epoching::QueryParamsRequest as EpochParamsRequest,
        finality::QueryParamsRequest as FinalityParamsRequest,
    },
};
use async_trait::async_trait;
use bitcoin::{BlockHash, hashes::Hash};
use btc_staking_pos_chain::{
    ChainError, CheckpointParams, ErrorKind, FinalityParams, LightClientHeader, LightClientReader,
    ParamsReader, Result,
};
use btc_staking_protocol::{
    committee::InvalidCommittee,
    params::{ParamsVersion, StakingParams},
};
use std::num::NonZeroU64;

#[async_trait]
impl ParamsReader for BabylonReader {
    async fn fetch_staking_params(&self) -> Result<Vec<StakingParams>> {
        let mut stored = Vec::new();
        let followed = self
            .follow(QueryParamsVersionsRequest { pagination: None }, |entries| {
                let count = entries.len();
                stored.extend(entries);
                count
            })
            .await?;
        followed.require_all()?;
        let mut versions = Vec::new();
        for (index, entry) in stored.iter().enumerate() {
            let params = entry.params.clone().unwrap_or_default();
            match decode_staking_params(ParamsVersion(entry.version), &params) {
                Ok(params) => versions.push(params),
                Err(error) if is_unreachable_quorum(&error) => {
                    let version = entry.version;
                    tracing::warn!(version, "params version is skipped, no stake under it can work: {error}");
                }
                Err(error) => {
                    let error = error.within(&format!("params[{index}]"));
                    return Err(malformed::<QueryParamsVersionsRequest>(error));
                }
            }
        }
        versions.sort_by_key(|params| params.version);
        Ok(versions)
    }

    async fn fetch_staking_params_version(&self, version: ParamsVersion) -> Result<StakingParams> {
        let request = QueryParamsByVersionRequest { version: version.0 };
        let response = match self.ask(&request).await? {
            Ok(response) => response,
            Err(refused) if refused.is("btcstaking", 1120) => {
                let detail = format!("params version {} is not known", version.0);
                return Err(ChainError::new(ErrorKind::NotYet, detail));
            }
            Err(refused) => return Err(refused.into_chain_error()),
        };
        let params = response.params.unwrap_or_default();
        decode_staking_params(version, &params).map_err(malformed::<QueryParamsByVersionRequest>)
    }

    async fn fetch_checkpoint_params(&self) -> Result<CheckpointParams> {
        let response = self.query(&CheckpointParamsRequest {}).await?;
        decode_checkpoint_params(&response.params.unwrap_or_default())
            .map_err(malformed::<CheckpointParamsRequest>)
    }

    async fn fetch_finality_params(&self) -> Result<FinalityParams> {
        let response = self.query(&FinalityParamsRequest {}).await?;
        decode_finality_params(&response.params.unwrap_or_default())
            .map_err(malformed::<FinalityParamsRequest>)
    }

    async fn fetch_epoch_interval(&self) -> Result<Option<NonZeroU64>> {
        let params = self.query(&EpochParamsRequest {}).await?.params.unwrap_or_default();
        let interval = NonZeroU64::new(params.epoch_interval);
        let none = || broken(EpochParamsRequest::PATH, "an epoch has no blocks");
        interval.map(Some).ok_or_else(none)
    }
}

/// The chain accepts a quorum above the number of members (`chain.md` 4): under such a version no stake is ever verified,
/// so nothing is missed without it, while the versions beside it hold.
fn is_unreachable_quorum(error: &InvalidField) -> bool {
    matches!(error.problem, Problem::Committee(InvalidCommittee::Quorum { quorum: 1.., .. }))
}

#[async_trait]
impl LightClientReader for BabylonReader {
    async fn fetch_light_client_tip(&self) -> Result<LightClientHeader> {
        let response = self.query(&QueryTipRequest {}).await?;
        decode_header::<QueryTipRequest>(response.header.as_ref())
    }

    async fn fetch_light_client_base(&self) -> Result<LightClientHeader> {
        let response = self.query(&QueryBaseHeaderRequest {}).await?;
        decode_header::<QueryBaseHeaderRequest>(response.header.as_ref())
    }

    async fn light_client_contains(&self, hash: &BlockHash) -> Result<bool> {
        let request = QueryContainsBytesRequest { hash: hash.to_byte_array().to_vec() };
        Ok(self.query(&request).await?.contains)
    }
}

fn decode_header<Q: Query>(header: Option<&BTCHeaderInfoResponse>) -> Result<LightClientHeader> {
    let header = required("header", header).map_err(malformed::<Q>)?;
    decode_light_client_header(header).map_err(|error| broken(Q::PATH, error.within("header")))
}
