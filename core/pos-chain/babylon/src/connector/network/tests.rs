//! A chain that tells things differently is refused with both values.

use super::*;
use crate::{
    convert::{
        headers::encode_light_client_header,
        params::{encode_finality_params, encode_staking_params},
    },
    proto::{QueryBalanceResponse, btclightclient, btcstaking, finality},
    rpc::fake::{FakeRpc, answered, refused as refusal},
};
use bitcoin::constants::genesis_block;
use btc_staking_pos_chain::LightClientHeader;
use btc_staking_protocol::{height::BtcHeight, network::LightClientBase};
use cosmrs::proto::cosmos::staking::v1beta1 as staking;
use std::sync::Arc;

/// What a chain tells about itself.
struct Told {
    checkpoint: btccheckpoint::Params,
    epoch_interval: u64,
    base: LightClientHeader,
    params: Vec<btcstaking::StoredParams>,
    bond_denom: String,
}

/// Mainnet on a base header whose bytes are at hand.
fn profile() -> NetworkProfile {
    let mut fields = Network::Mainnet.profile().into_fields();
    let header = genesis_block(bitcoin::Network::Regtest).header;
    fields.light_client_base =
        LightClientBase { height: BtcHeight::new(0), hash: header.block_hash(), work: header.work() };
    NetworkProfile::new(fields).unwrap()
}

fn honest(profile: &NetworkProfile) -> Told {
    let header = genesis_block(bitcoin::Network::Regtest).header;
    let stored = |params: &_| btcstaking::StoredParams {
        version: profile.params.iter().position(|known| known == params).unwrap().try_into().unwrap(),
        params: Some(encode_staking_params(params).unwrap()),
    };
    Told {
        checkpoint: btccheckpoint::Params {
            btc_confirmation_depth: 30,
            checkpoint_finalization_timeout: 300,
            checkpoint_tag: "62626e31".into(),
        },
        epoch_interval: 360,
        base: LightClientHeader { header, hash: header.block_hash(), height: BtcHeight::new(0) },
        params: profile.params.iter().map(stored).collect(),
        bond_denom: "ubbn".into(),
    }
}

/// A reader of a chain that tells this.
fn reader_of(told: &Told, profile: &NetworkProfile) -> BabylonReader {
    let rpc = Arc::new(FakeRpc::default());
    rpc.answer::<QueryBalanceRequest>(answered(&QueryBalanceResponse { balance: None }));
    let params = staking::Params { bond_denom: told.bond_denom.clone(), ..Default::default() };
    rpc.answer::<StakingParamsRequest>(answered(&staking::QueryParamsResponse { params: Some(params) }));
    let params = Some(told.checkpoint.clone());
    rpc.answer::<btccheckpoint::QueryParamsRequest>(answered(&btccheckpoint::QueryParamsResponse { params }));
    let params = Some(epoching::Params { epoch_interval: told.epoch_interval, ..Default::default() });
    rpc.answer::<epoching::QueryParamsRequest>(answered(&epoching::QueryParamsResponse { params }));
    let header = Some(encode_light_client_header(&told.base, "2"));
    let base = btclightclient::QueryBaseHeaderResponse { header };
    rpc.answer::<btclightclient::QueryBaseHeaderRequest>(answered(&base));
    let versions = btcstaking::QueryParamsVersionsResponse { params: told.params.clone(), pagination: None };
    rpc.answer::<btcstaking::QueryParamsVersionsRequest>(answered(&versions));
    let known = &profile.finality;
    let params = FinalityParams {
        max_active_finality_providers: known.max_active_finality_providers,
        signed_blocks_window: known.signed_blocks_window,
        finality_sig_timeout: known.finality_sig_timeout,
        min_signed_per_window: known.min_signed_per_window,
        min_pub_rand: known.min_pub_rand,
        jail_duration_s: known.jail_duration_s,
        activation_height: known.activation_height,
    };
    let params = Some(encode_finality_params(&params).unwrap());
    rpc.answer::<finality::QueryParamsRequest>(answered(&finality::QueryParamsResponse { params }));
    BabylonReader::new(rpc)
}

fn mainnet(accepted: &[&str]) -> ChainEndpoint {
    let accept_changed = accepted.iter().map(|fact| (*fact).to_owned()).collect();
    ChainEndpoint { accept_changed, ..ChainEndpoint::new("bbn-1", vec!["http://127.0.0.1:1".into()]) }
}

/// The profile's part and the names' part, as for a public network.
async fn check(told: &Told, endpoint: &ChainEndpoint) -> Result<()> {
    let profile = profile();
    let reader = reader_of(told, &profile);
    check_accepted(endpoint)?;
    check_names(&reader, endpoint).await?;
    check_profile(&reader, &profile, &endpoint.accept_changed).await
}

#[tokio::test]
async fn a_chain_that_is_as_known_is_accepted() {
    assert_eq!(check(&honest(&profile()), &mainnet(&[])).await, Ok(()));
    // A version from after this program is for the roles to judge.
    let mut newer = honest(&profile());
    let mut params = newer.params[5].clone();
    params.version = 6;
    if let Some(params) = &mut params.params {
        params.btc_activation_height += 1_000;
    }
    newer.params.push(params);
    assert_eq!(check(&newer, &mainnet(&[])).await, Ok(()));
}

#[tokio::test]
async fn each_difference_is_refused_with_both_values() {
    type Change = fn(&mut Told);
    let table: [(Change, &[&str]); 8] = [
        (|told| told.checkpoint.btc_confirmation_depth = 10, &["confirmation_depth_k is 10", "and 30 here"]),
        (|told| told.checkpoint.checkpoint_finalization_timeout = 100, &["timeout_w is 100", "and 300 here"]),
        (|told| told.checkpoint.checkpoint_tag = "62626e34".into(), &["62626e34", "62626e31"]),
        (|told| told.epoch_interval = 10, &["epoch_interval is 10", "and 360 here"]),
        (|told| told.base.height = BtcHeight::new(2016), &["at height 2016", "at height 0"]),
        (|told| told.bond_denom = "uatom".into(), &["uatom", "ubbn"]),
        (
            |told| {
                if let Some(params) = &mut told.params[3].params {
                    params.unbonding_fee_sat += 1;
                }
            },
            &["btcstaking.params of version 3", "32001", "32000"],
        ),
        (|told| drop(told.params.pop()), &["btcstaking.params of version 5", "missing"]),
    ];
    for (change, expected) in table {
        let mut told = honest(&profile());
        change(&mut told);
        let error = check(&told, &mainnet(&[])).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Broken);
        for text in expected {
            assert!(error.detail.contains(text), "{text}: {}", error.detail);
        }
    }
}

#[tokio::test]
async fn what_governance_changed_is_accepted_by_name_and_nothing_else_is() {
    let mut told = honest(&profile());
    told.checkpoint.btc_confirmation_depth = 20;
    told.epoch_interval = 100;
    let k = "btccheckpoint.btc_confirmation_depth_k";
    let error = check(&told, &mainnet(&[k])).await.unwrap_err();
    assert!(!error.detail.contains(k) && error.detail.contains("epoching.epoch_interval"), "{error}");
    assert_eq!(check(&told, &mainnet(&[k, "epoching.epoch_interval"])).await, Ok(()));
    let slip = check(&honest(&profile()), &mainnet(&["btcstaking.params"])).await.unwrap_err();
    assert!(slip.detail.contains("btcstaking.params"), "{slip}");
}

#[tokio::test]
async fn a_chain_with_other_addresses_is_refused_in_its_own_words() {
    let rpc = Arc::new(FakeRpc::default());
    let words = "invalid Bech32 prefix; expected cosmos, got bbn: invalid request";
    rpc.answer::<QueryBalanceRequest>(refusal("sdk", 18, words));
    let error = check_chain(&BabylonReader::new(rpc), &mainnet(&[])).await.unwrap_err();
    assert!(error.detail.contains("cosmos") && error.detail.contains("bbn"), "{error}");
}

#[tokio::test]
async fn a_chain_of_ones_own_needs_no_profile_no_native_staking_and_no_block_yet() {
    let own = ChainEndpoint::new("chain-mine", vec!["http://127.0.0.1:1".into()]);
    let rpc = Arc::new(FakeRpc::default());
    rpc.answer::<QueryBalanceRequest>(answered(&QueryBalanceResponse { balance: None }));
    assert_eq!(check_chain(&BabylonReader::new(rpc), &own).await, Ok(()));
    let rpc = Arc::new(FakeRpc::default());
    rpc.answer::<QueryBalanceRequest>(refusal("sdk", 26, "cannot query with height in the future"));
    let empty = BabylonReader::new(rpc);
    assert_eq!(check_chain(&empty, &own).await, Ok(()));
    // A public network has blocks.
    let rpc = Arc::new(FakeRpc::default());
    rpc.answer::<QueryBalanceRequest>(refusal("sdk", 26, "cannot query with height in the future"));
    let error = check_chain(&BabylonReader::new(rpc), &mainnet(&[])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotYet);
}
