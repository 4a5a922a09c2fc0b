//! What only the chain's authority may do, which on a devnet is the developer.

use super::client::Client;
use btc_staking_babylon::proto::{
    PageRequest,
    finality::{QueryActiveFinalityProvidersAtHeightRequest, QueryVotesAtHeightRequest},
};
use btc_staking_bitcoin_node::BlockSource as _;
use btc_staking_daemon::cli::{Exit, FailWith, Failure};
use btc_staking_devnet_chain::AuthorityCommand;
use btc_staking_pos_chain::{FinalityReader as _, ParamsReader as _};
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey, params::StakingParams};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Appends the newest version with changes.
pub(super) async fn jump_params(
    client: &Client,
    changes: &[String],
    at: Option<u32>,
) -> Result<Value, Failure> {
    let versions = client.chain.fetch_staking_params().await.fail_with(Exit::Unreachable)?;
    let newest = versions.last().ok_or_else(|| Failure::new(Exit::Failure, "the chain has no parameters"))?;
    let at = match at {
        Some(height) => height,
        None => client.bitcoin.fetch_tip().await?.height.to_u32().saturating_add(1),
    };
    let params = changed(newest, changes, at).map_err(|why| Failure::new(Exit::Usage, why))?;
    let authority = client.developer.account();
    let height = client.send(AuthorityCommand::StakingParams(Box::new(params)).build(authority)?).await?;
    let versions = client.chain.fetch_staking_params().await.fail_with(Exit::Unreachable)?;
    let version = versions.last().map_or(0, |params| params.version.0);
    Ok(json!({ "version": version, "applies_from_bitcoin_height": at, "decided_at_height": height }))
}

/// Parameters with fields replaced, or what is wrong with a change.
fn changed(newest: &StakingParams, changes: &[String], at: u32) -> Result<StakingParams, String> {
    let mut fields = serde_json::to_value(newest).map_err(|error| error.to_string())?;
    fields["btc_activation_height"] = at.into();
    fields["version"] = newest.version.0.saturating_add(1).into();
    for change in changes {
        let (name, value) =
            change.split_once('=').ok_or(format!("{change:?} is not of the form FIELD=VALUE"))?;
        let known: Vec<_> =
            fields.as_object().into_iter().flat_map(|fields| fields.keys()).cloned().collect();
        let slot = fields.get_mut(name).filter(|_| name != "version" && name != "btc_activation_height");
        let slot =
            slot.ok_or_else(|| format!("{name:?} is no field to set, there are {}", known.join(", ")))?;
        *slot = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    }
    serde_json::from_value(fields).map_err(|error| error.to_string())
}

/// Whoever is not named is looked up: those with power at the height that did not vote.
pub(super) async fn resume_finality(
    client: &Client,
    absent: Vec<FinalityProviderPublicKey>,
    halted_at: Option<u64>,
) -> Result<Value, Failure> {
    let halted_at = match halted_at {
        Some(height) => height,
        None => {
            let last = client.chain.fetch_last_finalised().await.fail_with(Exit::Unreachable)?;
            let last = last.ok_or_else(|| {
                Failure::new(Exit::Usage, "no block is final yet, say where finality halted with --halted-at")
            })?;
            last.height.to_u64().saturating_add(1)
        }
    };
    let absent = if absent.is_empty() { absent_at(client, halted_at).await? } else { absent };
    if absent.is_empty() {
        let why = format!("everybody with power voted for height {halted_at}: nobody is to be jailed");
        return Err(Failure::new(Exit::Refused, why));
    }
    let jailed: Vec<_> = absent.iter().map(ToString::to_string).collect();
    let command = AuthorityCommand::ResumeFinality { absent, halted_at: PosHeight::new(halted_at) };
    let height = client.send(command.build(client.developer.account())?).await?;
    Ok(json!({ "halted_at": halted_at, "jailed": jailed, "decided_at_height": height }))
}

async fn absent_at(client: &Client, height: u64) -> Result<Vec<FinalityProviderPublicKey>, Failure> {
    let voters = client.ask(&QueryVotesAtHeightRequest { height }).await?.btc_pks;
    let voters: BTreeSet<Vec<u8>> = voters.into_iter().collect();
    let pagination = Some(PageRequest { limit: 1_000, ..PageRequest::default() });
    let table = client.ask(&QueryActiveFinalityProvidersAtHeightRequest { height, pagination }).await?;
    let keys = table.finality_providers.into_iter().map(|provider| provider.btc_pk_hex);
    let absent = keys.filter(|key| !voters.contains(key));
    absent.map(|key| FinalityProviderPublicKey::from_slice(&key).fail_with(Exit::Failure)).collect()
}
