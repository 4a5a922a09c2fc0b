//! The JSON form of a network, read into [`NetworkFields`].

use super::{FinalityProfile, InvalidNetwork, LightClientBase, NetworkFields, Phase1Profile};
use crate::{
    committee::CovenantCommittee,
    height::{BtcDepth, BtcHeight, PosHeight, Timelock},
    keys::CovenantPublicKey,
    params::{ParamsFields, ParamsHistory, ParamsVersion, StakingParams},
    rate::{Decimal, SlashingRate},
};
use bitcoin::{Amount, ScriptBuf, Work};
use serde::{Deserialize, de::IgnoredAny};
use std::{collections::BTreeMap, str::FromStr};

/// The only version of the form there is.
const SCHEMA: u32 = 1;

/// Parses the form; the caller checks the content.
pub(super) fn parse(json: &str) -> Result<NetworkFields, InvalidNetwork> {
    let file: File = serde_json::from_str(json).map_err(|e| InvalidNetwork::Json(e.to_string()))?;
    if file.schema != SCHEMA {
        return Err(refused("schema", file.schema, "1"));
    }
    let base = &file.btc.light_client_base_header;
    Ok(NetworkFields {
        bitcoin: bitcoin_network(&file.btc.network)?,
        light_client_base: LightClientBase {
            height: base.height,
            hash: text("btc.light_client_base_header.hash", &base.hash, "a block hash in display hex")?,
            work: work(&base.work)?,
        },
        min_gas_price: text("fees.global_min_gas_price", &file.fees.global_min_gas_price, DECIMAL)?,
        confirmation_depth: file.btccheckpoint.btc_confirmation_depth_k,
        finalization_timeout: file.btccheckpoint.checkpoint_finalization_timeout_w,
        checkpoint_tag: tag("btccheckpoint.checkpoint_tag_hex", &file.btccheckpoint.checkpoint_tag_hex)?,
        epoch_interval: file.epoching.epoch_interval,
        finality: file.finality.into_profile()?,
        params: file.btcstaking.into_history()?,
        phase1: file.phase1.map(Phase1::into_profile).transpose()?,
        chain_id: file.chain_id,
        account_prefix: file.bech32.account,
        base_denom: file.coin.base_denom,
    })
}

const DECIMAL: &str = "a decimal number with at most 18 fraction digits";

/// A section or field for people: accepted whatever it holds, and skipped.
#[derive(Default)]
struct Skipped;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // the skipped fields
struct File {
    schema: u32,
    chain_id: String,
    bech32: Bech32,
    coin: Coin,
    fees: Fees,
    btc: Btc,
    btccheckpoint: Checkpoint,
    epoching: Epoching,
    finality: Finality,
    btcstaking: Staking,
    phase1: Option<Phase1>,
    #[serde(default)]
    network: Skipped,
    #[serde(default)]
    genesis_time: Skipped,
    #[serde(default)]
    account_key_algo: Skipped,
    #[serde(default)]
    consensus: Skipped,
    #[serde(default)]
    incentive: Skipped,
    #[serde(default)]
    costaking: Skipped,
    #[serde(default)]
    staking: Skipped,
    #[serde(default)]
    gov: Skipped,
    #[serde(default)]
    distribution: Skipped,
    #[serde(default)]
    upgrades: Skipped,
    #[serde(default)]
    public_endpoints: Skipped,
    #[serde(default)]
    legacy_networks: Skipped,
    #[serde(default)]
    sources: Skipped,
    #[serde(default)]
    caveats: Skipped,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // the skipped fields
struct Bech32 {
    account: String,
    #[serde(default)]
    validator_operator: Skipped,
    #[serde(default)]
    validator_consensus: Skipped,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // the skipped fields
struct Coin {
    base_denom: String,
    #[serde(default)]
    exponent: Skipped,
    #[serde(default)]
    registered_unit: Skipped,
    #[serde(default)]
    ticker: Skipped,
    #[serde(default)]
    slip44_coin_type: Skipped,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // the skipped fields
struct Fees {
    global_min_gas_price: String,
    #[serde(default)]
    denom: Skipped,
    #[serde(default)]
    mempool_max_gas_wanted_per_tx_default: Skipped,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // the skipped field
struct Btc {
    network: String,
    light_client_base_header: BaseHeader,
    #[serde(default)]
    insert_headers_allow_list: Skipped,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BaseHeader {
    height: BtcHeight,
    hash: String,
    work: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // the skipped field
struct Checkpoint {
    btc_confirmation_depth_k: BtcDepth,
    checkpoint_finalization_timeout_w: BtcDepth,
    checkpoint_tag_hex: String,
    #[serde(default)]
    note: Skipped,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // the skipped fields
struct Epoching {
    epoch_interval: u64,
    #[serde(default)]
    min_amount: Skipped,
    #[serde(default)]
    execute_gas: Skipped,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // the skipped field
struct Finality {
    max_active_finality_providers: u32,
    signed_blocks_window: u64,
    finality_sig_timeout: u64,
    min_signed_per_window: String,
    min_pub_rand: u64,
    jail_duration_s: u64,
    finality_activation_height: PosHeight,
    #[serde(default)]
    note: Skipped,
}

impl Finality {
    fn into_profile(self) -> Result<FinalityProfile, InvalidNetwork> {
        Ok(FinalityProfile {
            max_active_finality_providers: self.max_active_finality_providers,
            signed_blocks_window: self.signed_blocks_window,
            finality_sig_timeout: self.finality_sig_timeout,
            min_signed_per_window: text(
                "finality.min_signed_per_window",
                &self.min_signed_per_window,
                DECIMAL,
            )?,
            min_pub_rand: self.min_pub_rand,
            jail_duration_s: self.jail_duration_s,
            activation_height: self.finality_activation_height,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // the skipped field
struct Phase1 {
    op_return_tag_hex: String,
    confirmation_depth: u16,
    #[serde(default)]
    caps: Skipped,
}

impl Phase1 {
    fn into_profile(self) -> Result<Phase1Profile, InvalidNetwork> {
        Ok(Phase1Profile {
            tag: tag("phase1.op_return_tag_hex", &self.op_return_tag_hex)?,
            confirmation_depth: self.confirmation_depth,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // the skipped fields
struct Staking {
    covenant_committees: BTreeMap<String, Vec<String>>,
    params: Vec<Params>,
    #[serde(default)]
    version_rule: Skipped,
    #[serde(default)]
    covenant_committee_note: Skipped,
    #[serde(default)]
    covenant_operators: Skipped,
}

impl Staking {
    fn into_history(self) -> Result<ParamsHistory, InvalidNetwork> {
        let versions = self.params.iter().map(|params| params.check(&self.covenant_committees));
        Ok(ParamsHistory::new(versions.collect::<Result<_, _>>()?)?)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    version: ParamsVersion,
    btc_activation_height: BtcHeight,
    covenant_committee: String,
    covenant_quorum: u32,
    min_staking_value_sat: u64,
    max_staking_value_sat: u64,
    min_staking_time_blocks: u32,
    max_staking_time_blocks: u32,
    slashing_pk_script_hex: String,
    min_slashing_tx_fee_sat: u64,
    slashing_rate: String,
    unbonding_time_blocks: u32,
    unbonding_fee_sat: u64,
    min_commission_rate: String,
    delegation_creation_base_gas_fee: u64,
    allow_list_expiration_height: u64,
}

impl Params {
    fn check(&self, committees: &BTreeMap<String, Vec<String>>) -> Result<StakingParams, InvalidNetwork> {
        StakingParams::new(self.fields(committees)?)
            .map_err(|reason| InvalidNetwork::Params { version: self.version, reason })
    }

    fn fields(&self, committees: &BTreeMap<String, Vec<String>>) -> Result<ParamsFields, InvalidNetwork> {
        Ok(ParamsFields {
            version: self.version,
            btc_activation_height: self.btc_activation_height,
            covenant_committee: self.committee(committees)?,
            min_staking_value: Amount::from_sat(self.min_staking_value_sat),
            max_staking_value: Amount::from_sat(self.max_staking_value_sat),
            min_staking_time: self.timelock("min_staking_time_blocks", self.min_staking_time_blocks)?,
            max_staking_time: self.timelock("max_staking_time_blocks", self.max_staking_time_blocks)?,
            slashing_script: ScriptBuf::from_hex(&self.slashing_pk_script_hex).map_err(|_| {
                refused(&self.path("slashing_pk_script_hex"), &self.slashing_pk_script_hex, "a script in hex")
            })?,
            min_slashing_fee: Amount::from_sat(self.min_slashing_tx_fee_sat),
            slashing_rate: text::<SlashingRate>(
                &self.path("slashing_rate"),
                &self.slashing_rate,
                "strictly between 0 and 1 with at most 4 decimals",
            )?,
            unbonding_time: self.timelock("unbonding_time_blocks", self.unbonding_time_blocks)?,
            unbonding_fee: Amount::from_sat(self.unbonding_fee_sat),
            min_commission_rate: text::<Decimal>(
                &self.path("min_commission_rate"),
                &self.min_commission_rate,
                DECIMAL,
            )?,
            delegation_creation_base_gas_fee: self.delegation_creation_base_gas_fee,
            allow_list_expiration_height: self.allow_list_expiration_height,
        })
    }

    fn committee(
        &self,
        committees: &BTreeMap<String, Vec<String>>,
    ) -> Result<CovenantCommittee, InvalidNetwork> {
        let name = &self.covenant_committee;
        let listed = committees.get(name).ok_or_else(|| {
            refused(&self.path("covenant_committee"), name, "a name in covenant_committees")
        })?;
        let field = format!("btcstaking.covenant_committees.{name}");
        let keys = listed
            .iter()
            .map(|key| text::<CovenantPublicKey>(&field, key, "an x-only public key in hex"))
            .collect::<Result<Vec<_>, _>>()?;
        let members = keys.len();
        CovenantCommittee::new(self.covenant_quorum, keys).map_err(|_| {
            let found = format!("{} of {members} keys", self.covenant_quorum);
            refused(&field, found, "distinct keys with a quorum of 1 to all of them")
        })
    }

    fn timelock(&self, field: &str, blocks: u32) -> Result<Timelock, InvalidNetwork> {
        Timelock::from_blocks(blocks).map_err(|_| refused(&self.path(field), blocks, "1 to 65535 blocks"))
    }

    fn path(&self, field: &str) -> String {
        format!("btcstaking.params[{}].{field}", self.version)
    }
}

fn refused(field: &str, found: impl ToString, expected: &'static str) -> InvalidNetwork {
    InvalidNetwork::Field { field: field.to_owned(), found: found.to_string(), expected }
}

fn text<T: FromStr>(field: &str, found: &str, expected: &'static str) -> Result<T, InvalidNetwork> {
    found.parse().map_err(|_| refused(field, found, expected))
}

fn tag(field: &str, found: &str) -> Result<[u8; 4], InvalidNetwork> {
    hex::FromHex::from_hex(found).map_err(|_| refused(field, found, "4 bytes in hex"))
}

/// Bitcoin networks by the names of the staking chain's configuration (`chain.md` 2.1).
fn bitcoin_network(name: &str) -> Result<bitcoin::Network, InvalidNetwork> {
    match name {
        "mainnet" => Ok(bitcoin::Network::Bitcoin),
        "testnet" => Ok(bitcoin::Network::Testnet),
        "signet" => Ok(bitcoin::Network::Signet),
        "regtest" => Ok(bitcoin::Network::Regtest),
        other => Err(refused("btc.network", other, "mainnet, testnet, signet or regtest")),
    }
}

/// Work as decimal text. The sums of all work ever done fit 128 bits many times over.
fn work(found: &str) -> Result<Work, InvalidNetwork> {
    let number: u128 = text("btc.light_client_base_header.work", found, "a decimal number below 2^128")?;
    let mut bytes = [0; 32];
    bytes[16..].copy_from_slice(&number.to_be_bytes());
    Ok(Work::from_be_bytes(bytes))
}
