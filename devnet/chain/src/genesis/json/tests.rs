use super::*;
use btc_staking_babylon::proto::{btcstaking, finality};
use prost::Message as _;
use serde_json::json;

#[test]
fn forms_are_those_of_the_wire_table() {
    let state = btcstaking::GenesisState {
        finality_providers: vec![btcstaking::FinalityProvider {
            addr: "bbn1x".into(),
            btc_pk: vec![0xab; 32],
            commission: Some("50000000000000000".into()),
            slashed_babylon_height: 7,
            slashed_btc_height: 8,
            ..Default::default()
        }],
        ..Default::default()
    };
    let json = write(&BTCSTAKING, &state.encode_to_vec()).unwrap();
    let provider = &json["finality_providers"][0];
    assert_eq!(provider["commission"], "0.050000000000000000");
    assert_eq!(provider["btc_pk"], "ab".repeat(32));
    assert_eq!(
        (&provider["slashed_babylon_height"], &provider["slashed_btc_height"]),
        (&json!("7"), &json!(8))
    );
    assert_eq!((&provider["jailed"], &provider["pop"]), (&json!(false), &json!(null)));
    let bytes = read(&BTCSTAKING, &json, "btcstaking").unwrap();
    assert_eq!(btcstaking::GenesisState::decode(bytes.as_slice()).unwrap(), state);
}

#[test]
fn both_spellings_and_both_forms_of_numbers_are_read() {
    for json in [
        json!({"params": {"min_pub_rand": "10", "jail_duration": "600s", "min_signed_per_window": "0.5"}}),
        json!({"params": {"minPubRand": 10, "jailDuration": "600s", "minSignedPerWindow": "0.500000000000000000"}}),
    ] {
        let bytes = read(&FINALITY, &json, "finality").unwrap();
        let params = finality::GenesisState::decode(bytes.as_slice()).unwrap().params.unwrap();
        assert_eq!((params.min_pub_rand, params.jail_duration.unwrap().seconds), (10, 600));
        assert_eq!(params.min_signed_per_window, b"500000000000000000");
    }
}

#[test]
fn what_has_another_form_is_refused_by_its_path() {
    for (json, path) in [
        (json!({"params": {"min_pub_rand": "010"}}), "f.params.min_pub_rand"),
        (json!({"params": {"min_pub_rand": -1}}), "f.params.min_pub_rand"),
        (json!({"params": {"min_pub_rand": 1.5}}), "f.params.min_pub_rand"),
        (json!({"params": {"max_active_finality_providers": 4_294_967_296_u64}}), "f.params.max_active"),
        (json!({"params": {"min_signed_per_window": 0.5}}), "f.params.min_signed_per_window"),
        (json!({"params": {"jail_duration": "10m"}}), "f.params.jail_duration"),
        (json!({"params": []}), "f.params"),
        (json!({"vote_sigs": {}}), "f.vote_sigs"),
        (json!({"vote_sigs": [{"fp_btc_pk": "ab"}]}), "f.vote_sigs[0].fp_btc_pk"),
        (json!({"vote_sigs": [{}, {"finality_sig": "*"}]}), "f.vote_sigs[1].finality_sig"),
        (json!({"votes": []}), "f.votes"),
    ] {
        let refused = read(&FINALITY, &json, "f").unwrap_err().to_string();
        assert!(refused.contains(path), "{json}: {refused}");
    }
}

#[test]
fn parts_this_chain_does_not_have_are_read_over_and_named() {
    let json = json!({"last_finalized_epoch": "3", "genesis_keys": [{"anything": 1}], "validator_sets": []});
    assert_eq!(foreign(&CHECKPOINTING, &json), ["genesis_keys"]);
    assert!(read(&CHECKPOINTING, &json, "checkpointing").is_ok());
}
