//! What people write: configurations, params, network profiles, key files, addresses and numbers.

use crate::example;
use btc_staking_daemon::keyfile::KeyFile;
use btc_staking_protocol::{
    height::BtcHeight,
    keys::AccountAddress,
    network::NetworkProfile,
    params::{ParamsHistory, StakingParams, phase1::Phase1History},
    rate::{Decimal, SlashingRate},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Debug, str};

/// Valid examples.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let text = |text: &str| vec![text.as_bytes().to_vec()];
    match target {
        "params_json" => serde_json::to_vec(&[example::params()]).into_iter().collect(),
        "phase1_json" => text(PHASE1),
        "network_json" => vec![
            include_bytes!("../../../core/protocol/networks/mainnet.json").to_vec(),
            include_bytes!("../../../core/protocol/networks/testnet.json").to_vec(),
        ],
        "key_file" => vec![include_bytes!("../../../core/daemon/src/keyfile/golden.json").to_vec()],
        "staker_config" => text(btc_staking_staker::config::SAMPLE),
        "slasher_config" => text(btc_staking_slasher::config::SAMPLE),
        "covenant_config" => text(btc_staking_covenant::config::SAMPLE),
        "finality_provider_config" => text(btc_staking_finality_provider::config::SAMPLE),
        "account_address" => text(example::account().bech32()),
        "decimal" => ["0.1", "1", "0.000000000000000001", "340282366920938463463"].map(|t| t.into()).to_vec(),
        _ => Vec::new(),
    }
}

/// One version with the worked example's keys, in the shape of the phase-1 files.
const PHASE1: &str = r#"{"versions":[{"version":0,"activation_height":857910,"staking_cap":100000000000,
"tag":"62626e31","covenant_pks":["03fad75897c99bef6d9ca40c6e69fcf49ef48c3e401a57a982638a2b092dd3555e",
"02dc065c7ec55cd8429f288e03ac5ecd74be1344e0aa15a5f62da8177d8adcd98d"],"covenant_quorum":2,"unbonding_time":1008,
"unbonding_fee":64000,"max_staking_amount":5000000,"min_staking_amount":500000,"max_staking_time":64000,
"min_staking_time":64000,"confirmation_depth":10}]}"#;

/// Our params as JSON: valid by construction, the same after a round trip, and found by height in order.
pub fn params_json(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let Ok(history) = ParamsHistory::from_json(text) else { return false };
    let versions: Vec<StakingParams> = history.clone().into();
    let again = serde_json::to_string(&versions).ok().and_then(|text| ParamsHistory::from_json(&text).ok());
    assert_eq!(again.as_ref(), Some(&history));
    for params in &versions {
        assert_eq!(history.at(params.btc_activation_height).ok(), Some(params));
    }
    true
}

/// A phase-1 parameter file.
pub fn phase1_json(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let Ok(history) = Phase1History::from_json(text) else { return false };
    assert!(!history.versions().is_empty());
    assert!(history.at(BtcHeight::new(u32::MAX)).is_some());
    true
}

/// A network profile: what was read passes the check of what is made.
pub fn network_json(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let Ok(profile) = NetworkProfile::from_json(text) else { return false };
    assert_eq!(NetworkProfile::new(profile.clone().into_fields()).as_ref(), Ok(&profile));
    true
}

/// A key file is read or refused; opening it costs what its parameters say and is not tried.
pub fn key_file(data: &[u8]) -> bool {
    let Ok(file) = KeyFile::parse(data) else { return false };
    assert_eq!(KeyFile::parse(data).ok().as_ref(), Some(&file));
    let _ = (file.label().len(), file.params());
    true
}

/// A configuration in TOML: the same after a round trip.
fn configuration<T: DeserializeOwned + Serialize + PartialEq + Debug>(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let Ok(config) = toml::from_str::<T>(text) else { return false };
    match toml::to_string(&config) {
        Ok(text) => assert_eq!(toml::from_str::<T>(&text).as_ref(), Ok(&config)),
        Err(error) => panic!("a configuration that cannot be written: {error}"),
    }
    true
}

/// The staker's configuration.
pub fn staker_config(data: &[u8]) -> bool {
    configuration::<btc_staking_staker::config::Config>(data)
}
/// The slasher's configuration.
pub fn slasher_config(data: &[u8]) -> bool {
    configuration::<btc_staking_slasher::config::Config>(data)
}
/// The covenant member's configuration.
pub fn covenant_config(data: &[u8]) -> bool {
    configuration::<btc_staking_covenant::config::Config>(data)
}
/// The finality provider's configuration.
pub fn finality_provider_config(data: &[u8]) -> bool {
    configuration::<btc_staking_finality_provider::config::Config>(data)
}

/// An account address: one text per account, in lower case.
pub fn account_address(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let Ok(address) = text.parse::<AccountAddress>() else { return false };
    assert!(address.bech32().eq_ignore_ascii_case(text));
    assert_eq!(address.bech32().parse().as_ref(), Ok(&address));
    assert_eq!(AccountAddress::from_bytes(address.prefix(), address.bytes()).as_ref(), Ok(&address));
    true
}

/// A decimal number, and as a slashing rate.
pub fn decimal(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let Ok(number) = text.parse::<Decimal>() else { return false };
    assert_eq!(number.to_string().parse().as_ref(), Ok(&number));
    if let Ok(rate) = text.parse::<SlashingRate>() {
        assert_eq!(rate.to_string().parse().as_ref(), Ok(&rate));
        assert_eq!(SlashingRate::from_decimal(rate.to_decimal()).as_ref(), Ok(&rate));
    }
    true
}
