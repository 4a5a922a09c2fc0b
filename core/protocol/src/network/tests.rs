use super::*;
use crate::params::ParamsFields;
use serde_json::Value;

const MAINNET: &str = include_str!("../../networks/mainnet.json");

fn selected(profile: &NetworkProfile, height: u32) -> Option<u32> {
    profile.params.at(BtcHeight::new(height)).ok().map(|params| params.version.0)
}

#[test]
fn mainnet_is_as_described() {
    let profile = Network::Mainnet.profile();
    assert_eq!(profile.chain_id, "bbn-1");
    assert_eq!((profile.account_prefix.as_str(), profile.base_denom.as_str()), ("bbn", "ubbn"));
    assert_eq!(profile.min_gas_price, "0.002".parse().unwrap());
    assert_eq!(profile.bitcoin, bitcoin::Network::Bitcoin);
    assert_eq!(profile.light_client_base.height, BtcHeight::new(854_784));
    assert_eq!(
        profile.light_client_base.hash.to_string(),
        "0000000000000000000289d41c5b01a89982a510f9c49d730eaa328d0abbfbcb"
    );
    assert_eq!(profile.light_client_base.work.to_string(), "389415605071732861450470");
    assert_eq!(
        (profile.confirmation_depth, profile.finalization_timeout),
        (BtcDepth::new(30), BtcDepth::new(300))
    );
    assert_eq!(profile.checkpoint_tag, *b"bbn1");
    assert_eq!(profile.epoch_interval, 360);
    assert_eq!(
        profile.finality,
        FinalityProfile {
            max_active_finality_providers: 60,
            signed_blocks_window: 10_000,
            finality_sig_timeout: 3,
            min_signed_per_window: "0.2".parse().unwrap(),
            min_pub_rand: 8192,
            jail_duration_s: 600,
            activation_height: PosHeight::new(27_600),
        }
    );
    assert_eq!(profile.phase1, Some(Phase1Profile { tag: *b"bbn1", confirmation_depth: 10 }));
}

#[test]
fn mainnet_params_are_selected_at_their_heights() {
    let profile = Network::Mainnet.profile();
    for (height, version) in [
        (0, None),
        (857_909, None),
        (857_910, Some(0)),
        (864_789, Some(0)),
        (864_790, Some(1)),
        (874_087, Some(1)),
        (874_088, Some(2)),
        (891_424, Some(2)),
        (891_425, Some(3)),
        (893_361, Some(3)),
        (893_362, Some(4)),
        (905_633, Some(4)),
        (905_634, Some(5)),
        (u32::MAX, Some(5)),
    ] {
        assert_eq!(selected(&profile, height), version, "{height}");
    }
}

#[test]
fn initial_mainnet_versions_have_the_values_of_the_specification() {
    // bitcoin.md 11.4
    let profile = Network::Mainnet.profile();
    for (version, max, fee) in [
        (0, 5_000_000, 64_000),
        (1, 50_000_000_000, 32_000),
        (2, 500_000_000_000, 32_000),
        (3, 500_000_000_000, 32_000),
    ] {
        let params = profile.params.version(ParamsVersion(version)).unwrap();
        assert_eq!(params.covenant_committee.quorum(), 6);
        assert_eq!(params.covenant_committee.keys().len(), 9);
        assert_eq!(params.min_staking_value.to_sat(), 500_000);
        assert_eq!(params.max_staking_value.to_sat(), max);
        assert_eq!(params.unbonding_fee.to_sat(), fee);
        assert_eq!(params.slashing_rate, "0.001".parse().unwrap());
        assert_eq!(params.slashing_script.to_hex_string(), "6a07626162796c6f6e");
        assert_eq!(params.min_slashing_fee.to_sat(), 100_000);
        assert_eq!(params.unbonding_time.blocks(), 1008);
        assert_eq!((params.min_staking_time.blocks(), params.max_staking_time.blocks()), (64_000, 64_000));
    }
    // Version 3 lists the same keys in another order.
    let committee = |version| &profile.params.version(ParamsVersion(version)).unwrap().covenant_committee;
    assert_eq!(committee(2), committee(3));
}

#[test]
fn testnet_is_as_described() {
    let profile = Network::Testnet.profile();
    assert_eq!(profile.chain_id, "bbn-test-6");
    assert_eq!(profile.bitcoin, bitcoin::Network::Signet);
    assert_eq!(
        (profile.confirmation_depth, profile.finalization_timeout),
        (BtcDepth::new(30), BtcDepth::new(100))
    );
    assert_eq!(profile.checkpoint_tag, *b"bbt6");
    assert_eq!(profile.phase1, None);
    for (height, version) in [
        (197_534, None),
        (197_535, Some(0)),
        (271_922, Some(4)),
        (271_923, Some(5)),
        (273_724, Some(5)),
        (273_725, Some(6)),
    ] {
        assert_eq!(selected(&profile, height), version, "{height}");
    }
    let interlude = profile.params.version(ParamsVersion(5)).unwrap();
    assert_eq!((interlude.covenant_committee.quorum(), interlude.covenant_committee.keys().len()), (2, 3));
}

#[test]
fn a_file_with_one_wrong_field_is_refused_by_the_name_of_the_field() {
    assert!(NetworkProfile::from_json(MAINNET).is_ok());
    let params = "/btcstaking/params/3";
    for (pointer, value, named) in [
        ("/schema", Value::from(2), "schema"),
        ("/chain_id", "".into(), "chain_id"),
        ("/chain_id", "x".repeat(51).into(), "chain_id"),
        ("/bech32/account", "BBN".into(), "bech32.account"),
        ("/bech32/account", "".into(), "bech32.account"),
        ("/coin/base_denom", "1x".into(), "coin.base_denom"),
        ("/fees/global_min_gas_price", "-1".into(), "fees.global_min_gas_price"),
        ("/btc/network", "main".into(), "btc.network"),
        ("/btc/light_client_base_header/height", 854_785.into(), "btc.light_client_base_header.height"),
        ("/btc/light_client_base_header/hash", "00".into(), "btc.light_client_base_header.hash"),
        ("/btc/light_client_base_header/work", "0x5".into(), "btc.light_client_base_header.work"),
        ("/btccheckpoint/btc_confirmation_depth_k", 0.into(), "btc_confirmation_depth_k"),
        ("/btccheckpoint/checkpoint_finalization_timeout_w", 30.into(), "checkpoint_finalization_timeout_w"),
        ("/btccheckpoint/checkpoint_tag_hex", "bbn1".into(), "btccheckpoint.checkpoint_tag_hex"),
        ("/epoching/epoch_interval", 1.into(), "epoching.epoch_interval"),
        ("/finality/max_active_finality_providers", 0.into(), "finality.max_active_finality_providers"),
        ("/finality/signed_blocks_window", 0.into(), "finality.signed_blocks_window"),
        ("/finality/finality_sig_timeout", 0.into(), "finality.finality_sig_timeout"),
        ("/finality/min_pub_rand", 0.into(), "finality.min_pub_rand"),
        ("/finality/min_signed_per_window", "1.1".into(), "finality.min_signed_per_window"),
        ("/finality/min_signed_per_window", "x".into(), "finality.min_signed_per_window"),
        ("/phase1/op_return_tag_hex", "62".into(), "phase1.op_return_tag_hex"),
        (&format!("{params}/covenant_committee"), "m9".into(), "btcstaking.params[3].covenant_committee"),
        (&format!("{params}/covenant_quorum"), 10.into(), "btcstaking.covenant_committees.m1"),
        (&format!("{params}/slashing_rate"), "0".into(), "btcstaking.params[3].slashing_rate"),
        (
            &format!("{params}/slashing_pk_script_hex"),
            "6".into(),
            "btcstaking.params[3].slashing_pk_script_hex",
        ),
        (&format!("{params}/unbonding_time_blocks"), 0.into(), "btcstaking.params[3].unbonding_time_blocks"),
        (
            &format!("{params}/max_staking_time_blocks"),
            65_536.into(),
            "btcstaking.params[3].max_staking_time_blocks",
        ),
        (&format!("{params}/min_commission_rate"), "".into(), "btcstaking.params[3].min_commission_rate"),
        (&format!("{params}/unbonding_time_blocks"), 300.into(), "unbonding_time_blocks of params version 3"),
        (&format!("{params}/covenant_quorum"), 4.into(), "btcstaking.params of version 3"),
        (&format!("{params}/version"), 4.into(), "btcstaking.params"),
        (&format!("{params}/btc_activation_height"), 1.into(), "btcstaking.params"),
        ("/btcstaking/covenant_committees/m1/0", "00".into(), "btcstaking.covenant_committees.m1"),
        ("/btcstaking/params", Value::Array(vec![]), "btcstaking.params"),
    ] {
        let mut file: Value = serde_json::from_str(MAINNET).unwrap();
        *file.pointer_mut(pointer).expect(pointer) = value.clone();
        let error = NetworkProfile::from_json(&file.to_string()).expect_err(pointer).to_string();
        assert!(error.contains(named), "{pointer} = {value}: {error}");
    }
}

#[test]
fn misspelt_and_missing_fields_are_named_wherever_they_stand() {
    for section in [
        "",
        "/bech32",
        "/btc",
        "/btccheckpoint",
        "/finality",
        "/phase1",
        "/btcstaking",
        "/btcstaking/params/0",
    ] {
        let mut file: Value = serde_json::from_str(MAINNET).unwrap();
        file.pointer_mut(section).unwrap()["epoch_intervall"] = 1.into();
        let error = NetworkProfile::from_json(&file.to_string()).unwrap_err().to_string();
        assert!(error.contains("unknown field `epoch_intervall`"), "{section}: {error}");
    }
    let mut file: Value = serde_json::from_str(MAINNET).unwrap();
    file["epoching"].as_object_mut().unwrap().remove("epoch_interval");
    let error = NetworkProfile::from_json(&file.to_string()).unwrap_err().to_string();
    assert!(error.contains("missing field `epoch_interval`"), "{error}");
    for text in ["", "null", "[]", "{", "{}"] {
        assert!(matches!(NetworkProfile::from_json(text), Err(InvalidNetwork::Json(_))), "{text}");
    }
}

#[test]
fn a_network_of_ones_own_is_made_of_values() {
    let mainnet = Network::Mainnet.profile();
    let devnet = NetworkFields {
        chain_id: "devnet-1".to_owned(),
        bitcoin: bitcoin::Network::Regtest,
        light_client_base: LightClientBase { height: BtcHeight::new(0), ..mainnet.light_client_base },
        confirmation_depth: BtcDepth::new(2),
        finalization_timeout: BtcDepth::new(5),
        epoch_interval: 10,
        phase1: None,
        ..mainnet.clone().into_fields()
    };
    assert_eq!(NetworkProfile::new(devnet.clone()).unwrap().chain_id, "devnet-1");
    let refused = NetworkProfile::new(NetworkFields { finalization_timeout: BtcDepth::new(301), ..devnet });
    assert_eq!(
        refused,
        Err(InvalidNetwork::UnbondingTime {
            version: ParamsVersion(5),
            unbonding_time: 301,
            finalization_timeout: BtcDepth::new(301)
        })
    );
}

#[test]
fn public_networks_are_known_by_name() {
    for network in [Network::Mainnet, Network::Testnet] {
        assert_eq!(network.to_string().parse(), Ok(network));
    }
    assert_eq!("Mainnet".parse::<Network>(), Err(UnknownNetwork("Mainnet".to_owned())));
}

#[test]
fn params_a_node_tells_are_those_known_here_or_not_trusted() {
    for network in Network::ALL {
        let profile = network.profile();
        assert_eq!(Network::with_chain_id(&profile.chain_id), Some(network));
        for known in profile.params.iter() {
            assert_eq!(profile.check_told_params(known), Ok(()));
            let (chain_id, version) = (profile.chain_id.clone(), known.version);
            let mut fields = (**known).clone();
            fields.slashing_script = bitcoin::ScriptBuf::from_bytes(vec![0x6a]);
            let changed = StakingParams::new(fields.clone()).unwrap();
            assert_eq!(
                profile.check_told_params(&changed),
                Err(UntrustedParams::Changed { chain_id: chain_id.clone(), version })
            );
            let version = ParamsVersion(1_000);
            let unknown = StakingParams::new(ParamsFields { version, ..fields }).unwrap();
            assert_eq!(
                profile.check_told_params(&unknown),
                Err(UntrustedParams::Unknown { chain_id, version })
            );
        }
    }
    assert_eq!(Network::with_chain_id("devnet"), None);
}
