//! Genesis documents of the chain's own form (`wire.md` 10): what CometBFT and the SDK's modules read at start and write on
//! export.
//!
//! ```text
//! { genesis_time, chain_id, initial_height, app_state: { auth, bank, btcstaking, ... },
//!   devnet: { bitcoin_network, rules, authority } }
//! ```
//!
//! `devnet` is ours: which Bitcoin rules the light client follows is a node's configuration in the reference and not part
//! of its genesis, and there governance is the authority. Where it is missing, the network follows from chain id and base
//! header. Modules and parts that this
//! chain does not have (native staking, governance, contracts) are read over and listed in
//! [`ImportedState::ignored`]; everything else is held to its form.

mod accounts;

use super::{
    BitcoinGenesis, BitcoinNetwork, FinalityGenesis, Genesis, InvalidGenesis, RewardsGenesis, RuleSet,
    governance_account,
    json::{self, Shape, wrong},
};
use crate::{
    app::{BlockTime, restore},
    error::Broken,
    state::{Meter, State, empty::Empty},
};
use bitcoin::{block::Header, consensus};
use btc_staking_babylon::{
    convert::{decimal::decode_decimal_bytes, params::decode_staking_params},
    proto::{
        btccheckpoint, btclightclient, btcstaking, checkpointing, costaking, epoching, finality, incentive,
        mint, monitor,
    },
};
use btc_staking_protocol::{
    height::{BtcDepth, BtcHeight, PosHeight},
    keys::AccountAddress,
    params::{ParamsHistory, ParamsVersion},
};
use prost::Message;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tendermint::Time;

/// A state that a chain goes on from.
#[derive(Debug, PartialEq)]
pub struct ImportedState {
    pub(crate) modules: ModuleStates,
    /// Height of the first block that will be made on it.
    pub(crate) initial_height: u64,
    pub(crate) time: BlockTime,
    /// SHA-256 of the document's application state.
    pub(crate) hash: [u8; 32],
    ignored: Vec<String>,
}

impl Eq for ImportedState {}

impl ImportedState {
    /// Height of the first block that will be made on the state.
    pub fn initial_height(&self) -> u64 {
        self.initial_height
    }
    /// Modules, and parts of modules, that were read over because this chain does not have them.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }
}

/// The genesis states of all modules.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ModuleStates {
    pub(crate) accounts: AccountStates,
    pub(crate) btclightclient: btclightclient::GenesisState,
    pub(crate) btccheckpoint: btccheckpoint::GenesisState,
    pub(crate) checkpointing: checkpointing::GenesisState,
    pub(crate) epoching: epoching::GenesisState,
    pub(crate) monitor: monitor::GenesisState,
    pub(crate) btcstaking: btcstaking::GenesisState,
    pub(crate) finality: finality::GenesisState,
    pub(crate) incentive: incentive::GenesisState,
    pub(crate) costaking: costaking::GenesisState,
    pub(crate) mint: mint::GenesisState,
}

/// What the SDK's modules `auth` and `bank` hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct AccountStates {
    pub(crate) accounts: Vec<AccountState>,
    /// Address and ubbn.
    pub(crate) balances: Vec<(String, u64)>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountState {
    pub(crate) address: String,
    pub(crate) number: u64,
    pub(crate) sequence: u64,
    /// Compressed secp256k1 key; empty before the first transaction.
    pub(crate) public_key: Vec<u8>,
}

/// Names at the top of a document. Those not read say nothing that this chain does not know better.
const TOP: [&str; 11] = [
    "app_name",
    "app_version",
    "genesis_time",
    "chain_id",
    "initial_height",
    "consensus",
    "consensus_params",
    "validators",
    "app_hash",
    "app_state",
    "devnet",
];
const OURS: [&str; 12] = [
    "auth",
    "bank",
    "btclightclient",
    "btccheckpoint",
    "checkpointing",
    "epoching",
    "monitor",
    "btcstaking",
    "finality",
    "incentive",
    "costaking",
    "mint",
];

/// Reads a document and checks that a chain can go on from it.
///
/// # Errors
/// [`InvalidGenesis`] with the path of the first thing that is wrong.
pub(super) fn read(document: &Value) -> Result<Genesis, InvalidGenesis> {
    let Value::Object(top) = document else { return Err(wrong("", document, "an object")) };
    if let Some(name) = top.keys().find(|name| !TOP.contains(&name.as_str())) {
        return Err(wrong(name, &Value::Null, "left out: no such field is known"));
    }
    let text = |name: &'static str| {
        let value = top.get(name).unwrap_or(&Value::Null);
        value.as_str().ok_or_else(|| wrong(name, value, "text"))
    };
    let time = text("genesis_time")?;
    let time = Time::parse_from_rfc3339(time)
        .map_err(|_| wrong("genesis_time", &time.into(), "a time as in RFC 3339"))?;
    let nanos = u32::try_from(time.unix_timestamp_nanos().rem_euclid(1_000_000_000)).unwrap_or(0);
    let time = BlockTime { seconds: time.unix_timestamp(), nanos };
    let state = top.get("app_state").unwrap_or(&Value::Null);
    let Value::Object(state) = state else { return Err(wrong("app_state", state, "an object")) };
    let (modules, ignored) = read_modules(state)?;
    let hash = Sha256::digest(Value::Object(state.clone()).to_string()).into();
    let initial_height = initial_height(top.get("initial_height"))?;
    let imported = ImportedState { modules, initial_height, time, hash, ignored };
    let genesis = build(text("chain_id")?, imported, top.get("devnet"))?;
    try_out(&genesis)?;
    Ok(genesis)
}

fn initial_height(value: Option<&Value>) -> Result<u64, InvalidGenesis> {
    let Some(value) = value else { return Ok(1) };
    let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    number.filter(|height| *height > 0).ok_or_else(|| wrong("initial_height", value, "a height from 1 on"))
}

fn read_modules(state: &Map<String, Value>) -> Result<(ModuleStates, Vec<String>), InvalidGenesis> {
    let mut ignored: Vec<String> =
        state.keys().filter(|name| !OURS.contains(&name.as_str())).cloned().collect();
    let (auth, bank) = (module(state, "auth")?, module(state, "bank")?);
    let modules = ModuleStates {
        accounts: accounts::read(auth, bank)?,
        btclightclient: decode(state, "btclightclient", &json::BTCLIGHTCLIENT, &mut ignored)?,
        btccheckpoint: decode(state, "btccheckpoint", &json::BTCCHECKPOINT, &mut ignored)?,
        checkpointing: decode(state, "checkpointing", &json::CHECKPOINTING, &mut ignored)?,
        epoching: decode(state, "epoching", &json::EPOCHING, &mut ignored)?,
        monitor: decode(state, "monitor", &json::MONITOR, &mut ignored)?,
        btcstaking: decode(state, "btcstaking", &json::BTCSTAKING, &mut ignored)?,
        finality: decode(state, "finality", &json::FINALITY, &mut ignored)?,
        incentive: decode(state, "incentive", &json::INCENTIVE, &mut ignored)?,
        costaking: decode(state, "costaking", &json::COSTAKING, &mut ignored)?,
        mint: decode(state, "mint", &json::MINT, &mut ignored)?,
    };
    Ok((modules, ignored))
}

fn module<'a>(state: &'a Map<String, Value>, name: &str) -> Result<&'a Value, InvalidGenesis> {
    state.get(name).ok_or_else(|| wrong(&format!("app_state.{name}"), &Value::Null, "present"))
}

fn decode<M: Message + Default>(
    state: &Map<String, Value>,
    name: &str,
    shape: &Shape,
    ignored: &mut Vec<String>,
) -> Result<M, InvalidGenesis> {
    let value = module(state, name)?;
    let bytes = json::read(shape, value, name)?;
    ignored.extend(json::foreign(shape, value).into_iter().map(|field| format!("{name}.{field}")));
    M::decode(bytes.as_slice()).map_err(|_| wrong(name, &Value::Null, "a genesis state"))
}

/// The parameters of the state, in the form every other part of the program knows.
fn build(chain_id: &str, imported: ImportedState, devnet: Option<&Value>) -> Result<Genesis, InvalidGenesis> {
    let modules = &imported.modules;
    let depths = modules.btccheckpoint.params.clone().unwrap_or_default();
    let light_client = modules.btclightclient.params.clone().unwrap_or_default();
    let reporters = light_client.insert_headers_allow_list.iter();
    let reporters = reporters.map(|text| {
        let path = "btclightclient.params.insert_headers_allow_list";
        text.parse().map_err(|_| wrong(path, &text.as_str().into(), "addresses"))
    });
    let base = modules.btclightclient.btc_headers.first();
    let base =
        base.ok_or_else(|| wrong("btclightclient.btc_headers", &json!([]), "a base header at least"))?;
    let Devnet { bitcoin_network: network, rules, authority } = devnet_part(devnet, chain_id, &base.header)?;
    let genesis = Genesis {
        chain_id: chain_id.to_owned(),
        genesis_time: imported.time.seconds,
        accounts: vec![],
        bitcoin: BitcoinGenesis {
            network,
            base_height: BtcHeight::new(base.height),
            base_header: hex::encode(&base.header),
        },
        insert_headers_allow_list: reporters.collect::<Result<_, _>>()?,
        confirmation_depth: BtcDepth::new(depths.btc_confirmation_depth),
        finalization_timeout: BtcDepth::new(depths.checkpoint_finalization_timeout),
        checkpoint_tag: depths.checkpoint_tag,
        epoch_interval: modules.epoching.params.as_ref().map_or(0, |params| params.epoch_interval),
        finality: finality_genesis(modules.finality.params.as_ref())?,
        staking_params: staking_params(&modules.btcstaking.params)?,
        rewards: RewardsGenesis::default(),
        rules,
        authority,
        // Lists are part of the state.
        soft_deleted_finality_providers: vec![],
        allowed_staking_txids: vec![],
        imported: Some(Arc::new(imported)),
    };
    genesis.check()?;
    Ok(genesis)
}

fn finality_genesis(params: Option<&finality::Params>) -> Result<FinalityGenesis, InvalidGenesis> {
    let params = params.ok_or_else(|| wrong("finality.params", &Value::Null, "present"))?;
    let short = |name: &str, number: i64| {
        let path = format!("finality.params.{name}");
        u32::try_from(number).map_err(|_| wrong(&path, &number.into(), "a number of 32 bits"))
    };
    let fraction = decode_decimal_bytes("", &params.min_signed_per_window)
        .map_err(|_| wrong("finality.params.min_signed_per_window", &Value::Null, "a decimal"))?;
    Ok(FinalityGenesis {
        max_active_finality_providers: params.max_active_finality_providers,
        signed_blocks_window: short("signed_blocks_window", params.signed_blocks_window)?,
        finality_sig_timeout: short("finality_sig_timeout", params.finality_sig_timeout)?,
        min_signed_per_window: fraction,
        min_pub_rand: params.min_pub_rand,
        jail_duration_s: short(
            "jail_duration",
            params.jail_duration.as_ref().map_or(0, |duration| duration.seconds),
        )?,
        activation_height: PosHeight::new(params.finality_activation_height),
    })
}

fn staking_params(records: &[btcstaking::Params]) -> Result<ParamsHistory, InvalidGenesis> {
    let invalid = |path: &str, why: String| InvalidGenesis::Value {
        path: path.to_owned(),
        found: why,
        expected: "valid",
    };
    let decode = |(number, record): (u32, &btcstaking::Params)| {
        decode_staking_params(ParamsVersion(number), record)
            .map_err(|refused| invalid(&format!("btcstaking.params[{number}]"), refused.to_string()))
    };
    let versions = (0u32..).zip(records).map(decode).collect::<Result<Vec<_>, _>>()?;
    ParamsHistory::new(versions).map_err(|refused| invalid("btcstaking.params", refused.to_string()))
}

/// What no module of the reference holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Devnet {
    bitcoin_network: BitcoinNetwork,
    #[serde(default)]
    rules: RuleSet,
    #[serde(default = "governance_account")]
    authority: AccountAddress,
}

/// Which Bitcoin and which rules: as the document says, else as chain id and base header tell.
fn devnet_part(value: Option<&Value>, chain_id: &str, base: &[u8]) -> Result<Devnet, InvalidGenesis> {
    if let Some(value) = value {
        let devnet = serde_json::from_value::<Devnet>(value.clone());
        return devnet.map_err(|_| wrong("devnet", value, "bitcoin_network, rules and authority"));
    }
    let header = consensus::deserialize::<Header>(base).ok();
    let easy = header.is_some_and(|header| header.bits.to_consensus() == 0x207f_ffff);
    let genesis_of = |network| header.is_some_and(|h| h == bitcoin::constants::genesis_block(network).header);
    let bitcoin_network = match chain_id {
        "bbn-1" => BitcoinNetwork::Mainnet,
        "bbn-test-6" => BitcoinNetwork::Signet,
        _ if genesis_of(bitcoin::Network::Regtest) => BitcoinNetwork::Regtest,
        _ if easy => BitcoinNetwork::Simnet,
        _ => return Err(wrong("devnet.bitcoin_network", &Value::Null, "given: it cannot be told")),
    };
    Ok(Devnet { bitcoin_network, rules: RuleSet::default(), authority: governance_account() })
}

/// Imports the state into nothing, to find out whether it can be imported.
fn try_out(genesis: &Genesis) -> Result<(), InvalidGenesis> {
    let Some(imported) = &genesis.imported else { return Ok(()) };
    let meter = Meter::unlimited();
    let mut state = State::new(&Empty, &meter);
    match restore::import(&mut state, &imported.modules) {
        Ok(()) => Ok(()),
        Err(restore::NotImported::Invalid(invalid)) => Err(invalid),
        Err(restore::NotImported::Failed(failure)) => Err(InvalidGenesis::Value {
            path: String::new(),
            found: format!("{failure:?}"),
            expected: "whole",
        }),
    }
}

/// What a document says besides the modules' states.
pub(crate) struct Head<'a> {
    pub(crate) chain_id: &'a str,
    pub(crate) time: BlockTime,
    /// Height of the last block; the document's chain goes on above it.
    pub(crate) height: u64,
    pub(crate) network: BitcoinNetwork,
    pub(crate) rules: RuleSet,
    pub(crate) authority: &'a str,
}

/// Writes a document.
///
/// # Errors
/// [`Broken::Corrupt`] when a record is not what its module's state may hold.
pub(crate) fn write(head: &Head<'_>, modules: &ModuleStates) -> Result<Value, Broken> {
    let corrupt = |reason: String| Broken::Corrupt { table: "genesis", reason };
    let time = Time::from_unix_timestamp(head.time.seconds, head.time.nanos)
        .map_err(|err| corrupt(err.to_string()))?;
    let encode = |name: &'static str, shape: &Shape, bytes: Vec<u8>| {
        json::write(shape, &bytes).ok_or_else(|| corrupt(format!("state of {name} has no JSON form")))
    };
    let (auth, bank) = accounts::write(&modules.accounts);
    Ok(json!({
        "genesis_time": time.to_rfc3339(),
        "chain_id": head.chain_id,
        "initial_height": head.height.saturating_add(1).to_string(),
        "app_hash": "",
        "app_state": {
            "auth": auth,
            "bank": bank,
            "btclightclient": encode(
                "btclightclient", &json::BTCLIGHTCLIENT, modules.btclightclient.encode_to_vec())?,
            "btccheckpoint": encode(
                "btccheckpoint", &json::BTCCHECKPOINT, modules.btccheckpoint.encode_to_vec())?,
            "checkpointing": encode(
                "checkpointing", &json::CHECKPOINTING, modules.checkpointing.encode_to_vec())?,
            "epoching": encode("epoching", &json::EPOCHING, modules.epoching.encode_to_vec())?,
            "monitor": encode("monitor", &json::MONITOR, modules.monitor.encode_to_vec())?,
            "btcstaking": encode("btcstaking", &json::BTCSTAKING, modules.btcstaking.encode_to_vec())?,
            "finality": encode("finality", &json::FINALITY, modules.finality.encode_to_vec())?,
            "incentive": encode("incentive", &json::INCENTIVE, modules.incentive.encode_to_vec())?,
            "costaking": encode("costaking", &json::COSTAKING, modules.costaking.encode_to_vec())?,
            "mint": encode("mint", &json::MINT, modules.mint.encode_to_vec())?,
        },
        "devnet": { "bitcoin_network": head.network, "rules": head.rules, "authority": head.authority },
    }))
}
