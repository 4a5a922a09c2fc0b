//! Our genesis in the form of a Babylon node's genesis file (`wire.md` 10).
//!
//! The node's own file is changed in place, so that everything we do not name (its validator, fees, inflation) stays as
//! the node made it.

use super::BabylondError;
use bitcoin::hex::DisplayHex as _;
use btc_staking_devnet_chain::{FinalityGenesis, Genesis};
use btc_staking_protocol::params::StakingParams;
use serde_json::{Value, json};

/// Work of a block with the least difficulty, which regtest and simnet start with.
const LEAST_WORK: &str = "2";

/// Puts parameters, committee, base header and accounts into a node's genesis.
///
/// # Errors
/// [`BabylondError::Form`] when the node's genesis is not of the form of v4.
pub fn adjust(file: &mut Value, genesis: &Genesis) -> Result<(), BabylondError> {
    let checkpoints = [
        ("btc_confirmation_depth", json!(genesis.confirmation_depth.to_u32())),
        ("checkpoint_finalization_timeout", json!(genesis.finalization_timeout.to_u32())),
        ("checkpoint_tag", json!(genesis.checkpoint_tag)),
    ];
    for (key, value) in checkpoints {
        set(file, &format!("/app_state/btccheckpoint/params/{key}"), value)?;
    }
    set(file, "/app_state/btclightclient/btc_headers", base_header(genesis)?)?;
    set(
        file,
        "/app_state/btclightclient/params/insert_headers_allow_list",
        json!(genesis.insert_headers_allow_list.iter().map(|account| account.bech32()).collect::<Vec<_>>()),
    )?;
    let versions: Vec<Value> = genesis.staking_params.iter().map(staking_params).collect();
    set(file, "/app_state/btcstaking/params", json!(versions))?;
    set(file, "/app_state/finality/params", finality_params(&genesis.finality))?;
    set(file, "/app_state/epoching/params/epoch_interval", json!(genesis.epoch_interval.to_string()))?;
    fund(file, genesis)
}

fn base_header(genesis: &Genesis) -> Result<Value, BabylondError> {
    let header = genesis.bitcoin.header().map_err(|error| form(&error.to_string()))?;
    Ok(json!([{
        "header": genesis.bitcoin.base_header,
        "hash": header.block_hash().to_string(),
        "height": genesis.bitcoin.base_height.to_u32(),
        "work": LEAST_WORK,
    }]))
}

fn staking_params(params: &StakingParams) -> Value {
    let committee = &params.covenant_committee;
    let keys: Vec<String> = committee.keys().iter().map(|key| key.to_bytes().to_lower_hex_string()).collect();
    json!({
        "covenant_pks": keys,
        "covenant_quorum": committee.quorum(),
        "min_staking_value_sat": params.min_staking_value.to_sat().to_string(),
        "max_staking_value_sat": params.max_staking_value.to_sat().to_string(),
        "min_staking_time_blocks": params.min_staking_time.blocks(),
        "max_staking_time_blocks": params.max_staking_time.blocks(),
        "slashing_pk_script": base64(params.slashing_script.as_bytes()),
        "min_slashing_tx_fee_sat": params.min_slashing_fee.to_sat().to_string(),
        "slashing_rate": params.slashing_rate.to_decimal().to_string(),
        "unbonding_time_blocks": params.unbonding_time.blocks(),
        "unbonding_fee_sat": params.unbonding_fee.to_sat().to_string(),
        "min_commission_rate": params.min_commission_rate.to_string(),
        "delegation_creation_base_gas_fee": params.delegation_creation_base_gas_fee.to_string(),
        "allow_list_expiration_height": params.allow_list_expiration_height.to_string(),
        "btc_activation_height": params.btc_activation_height.to_u32(),
    })
}

fn finality_params(finality: &FinalityGenesis) -> Value {
    json!({
        "max_active_finality_providers": finality.max_active_finality_providers,
        "signed_blocks_window": finality.signed_blocks_window.to_string(),
        "finality_sig_timeout": finality.finality_sig_timeout.to_string(),
        "min_signed_per_window": finality.min_signed_per_window.to_string(),
        "min_pub_rand": finality.min_pub_rand.to_string(),
        "jail_duration": format!("{}s", finality.jail_duration_s),
        "finality_activation_height": finality.activation_height.to_u64().to_string(),
    })
}

/// Gives every account its coins and raises the supply by them.
fn fund(file: &mut Value, genesis: &Genesis) -> Result<(), BabylondError> {
    let mut total = 0u128;
    for account in &genesis.accounts {
        let (address, amount) = (account.address.bech32(), account.ubbn.to_string());
        total += u128::from(account.ubbn);
        push(
            file,
            "/app_state/auth/accounts",
            json!({
                "@type": "/cosmos.auth.v1beta1.BaseAccount",
                "address": address,
                "pub_key": null,
                "account_number": "0",
                "sequence": "0",
            }),
        )?;
        let coins = json!([{ "denom": "ubbn", "amount": amount }]);
        push(file, "/app_state/bank/balances", json!({ "address": address, "coins": coins }))?;
    }
    const SUPPLY: &str = "/app_state/bank/supply";
    let supply = file.pointer_mut(SUPPLY).and_then(Value::as_array_mut).ok_or_else(|| form(SUPPLY))?;
    let ubbn =
        supply.iter_mut().find(|coin| coin["denom"] == "ubbn").ok_or_else(|| form("supply of ubbn"))?;
    let before: u128 =
        ubbn["amount"].as_str().and_then(|text| text.parse().ok()).ok_or_else(|| form(SUPPLY))?;
    ubbn["amount"] = json!((before + total).to_string());
    Ok(())
}

fn set(file: &mut Value, pointer: &str, value: Value) -> Result<(), BabylondError> {
    *file.pointer_mut(pointer).ok_or_else(|| form(pointer))? = value;
    Ok(())
}

fn push(file: &mut Value, pointer: &str, value: Value) -> Result<(), BabylondError> {
    let list = file.pointer_mut(pointer).and_then(Value::as_array_mut).ok_or_else(|| form(pointer))?;
    list.push(value);
    Ok(())
}

fn form(missing: &str) -> BabylondError {
    BabylondError::Form { file: "genesis.json", missing: missing.to_owned() }
}

fn base64(bytes: &[u8]) -> String {
    bitcoin::base64::Engine::encode(&bitcoin::base64::engine::general_purpose::STANDARD, bytes)
}

#[cfg(test)]
mod tests;
