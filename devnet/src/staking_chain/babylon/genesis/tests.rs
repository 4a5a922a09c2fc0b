use super::*;
use btc_staking_babylon::tx::AccountKey;
use btc_staking_devnet_chain::GenesisAccount;

fn account(byte: u8, ubbn: u64) -> GenesisAccount {
    GenesisAccount { address: AccountKey::from_secret(&[byte; 32]).unwrap().account().clone(), ubbn }
}

fn ours() -> Genesis {
    let mut genesis = Genesis::default_genesis("adjusted", vec![account(1, 5), account(2, u64::MAX)]);
    genesis.insert_headers_allow_list = vec![account(1, 0).address];
    genesis
}

/// What a node's genesis holds where we change it, and something beside each.
fn made_by_the_node() -> Value {
    json!({
        "chain_id": "adjusted",
        "app_state": {
            "auth": { "params": { "max_memo_characters": "256" }, "accounts": [{ "address": "validator" }] },
            "bank": {
                "balances": [{ "address": "validator", "coins": [] }],
                "supply": [{ "denom": "other", "amount": "9" }, { "denom": "ubbn", "amount": "1000" }],
            },
            "btccheckpoint": { "params": {
                "btc_confirmation_depth": 1,
                "checkpoint_finalization_timeout": 2,
                "checkpoint_tag": "",
            } },
            "btclightclient": {
                "btc_headers": [{ "hash": "of the node" }],
                "params": { "insert_headers_allow_list": [] },
            },
            "btcstaking": { "params": [], "finality_providers": [] },
            "epoching": { "params": { "epoch_interval": "7", "min_amount": "1" } },
            "finality": { "params": {}, "indexed_blocks": [] },
        },
    })
}

#[test]
fn our_values_are_put_in() {
    let mut file = made_by_the_node();
    adjust(&mut file, &ours()).unwrap();
    let [one, two] = [account(1, 0), account(2, 0)].map(|account| account.address.bech32().to_owned());
    // Numbers of 64 bits are texts in a genesis file, smaller ones are numbers.
    for (pointer, expected) in [
        ("btccheckpoint/params/btc_confirmation_depth", json!(10)),
        ("btccheckpoint/params/checkpoint_finalization_timeout", json!(100)),
        ("btccheckpoint/params/checkpoint_tag", json!("01020304")),
        ("btclightclient/params/insert_headers_allow_list", json!([one])),
        ("btclightclient/btc_headers/0/height", json!(0)),
        ("btclightclient/btc_headers/0/work", json!("2")),
        ("btclightclient/btc_headers/1", Value::Null),
        ("epoching/params/epoch_interval", json!("10")),
        ("btcstaking/params/0/covenant_quorum", json!(3)),
        ("btcstaking/params/0/min_staking_value_sat", json!("10000")),
        ("btcstaking/params/0/max_staking_time_blocks", json!(65_535)),
        ("btcstaking/params/0/btc_activation_height", json!(0)),
        ("btcstaking/params/1", Value::Null),
        ("auth/accounts/1/address", json!(one)),
        ("auth/accounts/2/sequence", json!("0")),
        ("bank/balances/1/coins/0/amount", json!("5")),
        ("bank/balances/2/address", json!(two)),
        ("bank/balances/2/coins/0", json!({ "denom": "ubbn", "amount": u64::MAX.to_string() })),
        ("bank/supply/1/amount", json!((1_005 + u128::from(u64::MAX)).to_string())),
    ] {
        let found = file.pointer(&format!("/app_state/{pointer}")).unwrap_or(&Value::Null);
        assert_eq!(*found, expected, "{pointer}");
    }
    let script = &file["app_state"]["btcstaking"]["params"][0]["slashing_pk_script"];
    // OP_DUP OP_HASH160, twenty bytes of 01, OP_EQUALVERIFY OP_CHECKSIG.
    assert_eq!(*script, json!("dqkUAQEBAQEBAQEBAQEBAQEBAQEBAQGIrA=="));
    let jail = &file["app_state"]["finality"]["params"]["jail_duration"];
    assert_eq!(*jail, json!(format!("{}s", ours().finality.jail_duration_s)));
}

#[test]
fn the_hash_is_that_of_the_header() {
    let mut file = made_by_the_node();
    adjust(&mut file, &ours()).unwrap();
    let base = &file["app_state"]["btclightclient"]["btc_headers"][0];
    let bytes = hex::decode(base["header"].as_str().unwrap()).unwrap();
    let header: bitcoin::block::Header = bitcoin::consensus::deserialize(&bytes).unwrap();
    assert_eq!(base["hash"], json!(header.block_hash().to_string()));
}

#[test]
fn what_we_do_not_name_stays_as_the_node_made_it() {
    let (before, mut file) = (made_by_the_node(), made_by_the_node());
    adjust(&mut file, &ours()).unwrap();
    for pointer in [
        "/chain_id",
        "/app_state/auth/params",
        "/app_state/auth/accounts/0",
        "/app_state/bank/balances/0",
        "/app_state/bank/supply/0",
        "/app_state/btcstaking/finality_providers",
        "/app_state/epoching/params/min_amount",
        "/app_state/finality/indexed_blocks",
    ] {
        assert_eq!(file.pointer(pointer), before.pointer(pointer), "{pointer}");
    }
}

#[test]
fn a_genesis_without_one_of_the_places_is_refused_by_its_name() {
    for (parent, key) in [
        ("/app_state/btccheckpoint/params", "btc_confirmation_depth"),
        ("/app_state/btccheckpoint/params", "checkpoint_tag"),
        ("/app_state/btclightclient", "btc_headers"),
        ("/app_state/btclightclient/params", "insert_headers_allow_list"),
        ("/app_state/btcstaking", "params"),
        ("/app_state/finality", "params"),
        ("/app_state/epoching/params", "epoch_interval"),
        ("/app_state/auth", "accounts"),
        ("/app_state/bank", "balances"),
        ("/app_state/bank", "supply"),
    ] {
        let mut file = made_by_the_node();
        file.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
        let error = adjust(&mut file, &ours()).unwrap_err();
        let BabylondError::Form { missing, .. } = &error else { panic!("{error}") };
        assert_eq!(*missing, format!("{parent}/{key}"));
    }
    let mut file = made_by_the_node();
    file["app_state"]["bank"]["supply"][1]["amount"] = json!(1000);
    assert!(adjust(&mut file, &ours()).is_err(), "a supply that is no text was read");
}
