//! How nodes are, when blocks were made, and the count of a provider's presence.

use super::{
    BabylonReader,
    query::{broken, malformed},
};
use crate::{
    convert::{InvalidField, Problem, bytes::required},
    proto::{Query, finality::QuerySigningInfoRequest, finality::SigningInfoResponse},
};
use async_trait::async_trait;
use btc_staking_pos_chain::{
    Result,
    watch::{LivenessReader, NodeReader, NodeReport, SigningInfo},
};
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};

#[async_trait]
impl LivenessReader for BabylonReader {
    async fn fetch_signing_info(&self, key: &FinalityProviderPublicKey) -> Result<Option<SigningInfo>> {
        let asked = key.to_string();
        let response = match self.ask(&QuerySigningInfoRequest { fp_btc_pk_hex: asked.clone() }).await? {
            Ok(response) => response,
            // Never active (`wire.md` 5.4).
            Err(refused) if refused.is_key_not_found() => return Ok(None),
            Err(refused) => return Err(refused.into_chain_error()),
        };
        let info = required("signing_info", response.signing_info.as_ref())
            .map_err(malformed::<QuerySigningInfoRequest>)?;
        if !info.fp_btc_pk_hex.eq_ignore_ascii_case(&asked) {
            let why = format!("asked for {asked}, got {}", info.fp_btc_pk_hex);
            return Err(broken(QuerySigningInfoRequest::PATH, why));
        }
        decode_signing_info(info).map(Some).map_err(malformed::<QuerySigningInfoRequest>)
    }
}

#[async_trait]
impl NodeReader for BabylonReader {
    async fn fetch_nodes(&self) -> Vec<NodeReport> {
        self.rpc.node_reports().await
    }

    async fn fetch_block_time(&self, height: PosHeight) -> Result<u64> {
        let header = self.rpc.header(height.to_u64()).await;
        header.map(|header| header.time_s).map_err(|error| error.into_chain_error("header"))
    }
}

fn decode_signing_info(info: &SigningInfoResponse) -> std::result::Result<SigningInfo, InvalidField> {
    let number = |field: &'static str, value: i64| {
        u64::try_from(value).map_err(|_| InvalidField::new(field, Problem::Integer(value.to_string())))
    };
    // A provider that was never jailed has the time zero, or the first moment of year 1.
    let jailed_until = info.jailed_until.as_ref().and_then(|time| u64::try_from(time.seconds).ok());
    Ok(SigningInfo {
        start_height: PosHeight::new(number("start_height", info.start_height)?),
        missed_blocks: number("missed_blocks_counter", info.missed_blocks_counter)?,
        jailed_until: jailed_until.filter(|seconds| *seconds > 0),
    })
}
