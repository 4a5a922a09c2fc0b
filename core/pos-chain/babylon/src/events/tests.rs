//! Typed events as JSON text.

use super::*;
use crate::convert::bytes::encode_text;
use base64::{Engine, engine::general_purpose::STANDARD};

const KEY: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

fn raw(kind: &str, attributes: &[(&str, &str)]) -> RawEvent {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    RawEvent { kind: kind.into(), attributes: attributes.iter().map(own).collect() }
}
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
fn decoded(kind: &str, attributes: &[(&str, &str)]) -> ChainEvent {
    decode_event(&raw(kind, attributes)).unwrap().unwrap()
}
fn base64_of(byte: u8) -> String {
    quoted(&STANDARD.encode([byte; 32]))
}

#[test]
fn other_kinds_are_no_concern() {
    assert!(decode_event(&raw("message", &[("action", "/x"), ("msg_index", "0")])).unwrap().is_none());
    assert!(decode_event(&raw("babylon.epoching.v1.EventBeginEpoch", &[])).unwrap().is_none());
}

#[test]
fn a_created_delegation_is_read_with_its_list_of_keys_and_without_what_follows_its_transaction() {
    let tx = "0200000001080808080808080808080808080808080808080808080808080808080808080801\
              00000000ffffffff01e803000000000000015100000000";
    let keys = format!("[\"{KEY}\"]");
    for behind in ["", "00"] {
        let attributes = [
            ("finality_provider_btc_pks_hex", keys.as_str()),
            ("new_state", "\"PENDING\""),
            ("previous_staking_tx_hash_hex", "\"\""),
            ("staking_tx_hex", &quoted(&format!("{tx}{behind}"))),
            ("msg_index", "0"),
        ];
        let event = decoded("babylon.btcstaking.v1.EventBTCDelegationCreated", &attributes);
        let ChainEvent::DelegationCreated { finality_providers, expands, staking_tx } = event else {
            panic!("{event:?}")
        };
        assert_eq!(finality_providers[0].to_string(), KEY);
        assert_eq!(expands, None);
        assert_eq!(staking_tx.output.len(), 1);
    }
}

#[test]
fn numbers_are_quoted_or_bare_as_the_chain_writes_them() {
    // wire.md 9: start_height is "3" (3 characters), spend_stake_tx_block_index is 3 (1 character), new_state has quotes.
    let hash = quoted(&"ab".repeat(32));
    let proven = decoded(
        "babylon.btcstaking.v1.EventBTCDelegationInclusionProofReceived",
        &[
            ("staking_tx_hash", &hash),
            ("start_height", "\"3\""),
            ("end_height", "\"1003\""),
            ("new_state", "\"ACTIVE\""),
        ],
    );
    let ChainEvent::InclusionProven { start, end, .. } = proven else { panic!("{proven:?}") };
    assert_eq!((start.to_u32(), end.to_u32()), (3, 1003));
    for height in ["3", "\"03\"", "\"+3\"", "\"-3\"", "\"4294967296\"", "\"\"", "null"] {
        let attributes = [("staking_tx_hash", hash.as_str()), ("start_height", height)];
        let wrong = raw("babylon.btcstaking.v1.EventBTCDelegationInclusionProofReceived", &attributes);
        assert!(decode_event(&wrong).unwrap_err().path.ends_with("start_height"), "{height}");
    }
    let spend = [
        ("staking_tx_hash", hash.as_str()),
        ("spend_stake_tx_hash", hash.as_str()),
        ("spend_stake_tx_header_hash", hash.as_str()),
        ("spend_stake_tx_block_index", "3"),
    ];
    let spent = decoded("babylon.btcstaking.v1.EventUnexpectedUnbondingTx", &spend);
    assert!(matches!(spent, ChainEvent::UnexpectedSpend { index: 3, .. }));
    let bare = raw(
        "babylon.btcstaking.v1.EventCovenantQuorumReached",
        &[("staking_tx_hash", &hash), ("new_state", "ACTIVE")],
    );
    let error = decode_event(&bare).unwrap_err();
    assert_eq!(error.path, "babylon.btcstaking.v1.EventCovenantQuorumReached.new_state");
}

#[test]
fn hashes_in_events_are_reversed() {
    let text = format!("{}01", "00".repeat(31));
    let event = decoded(
        "babylon.btcstaking.v1.EventBTCDelegationExpired",
        &[("staking_tx_hash", &quoted(&text)), ("new_state", "\"EXPIRED\""), ("mode", "BeginBlock")],
    );
    let ChainEvent::DelegationExpired { staking_txid } = event else { panic!("{event:?}") };
    assert_eq!(staking_txid.to_string(), text);
    assert_eq!(staking_txid.to_byte_array()[0], 1);
}

#[test]
fn early_unbonding_is_told_from_expansion() {
    let hash = quoted(&"ab".repeat(32));
    for (expansion, expected) in [("\"\"", false), (hash.as_str(), true)] {
        let event = decoded(
            "babylon.btcstaking.v1.EventBTCDelgationUnbondedEarly",
            &[
                ("staking_tx_hash", &hash),
                ("start_height", "\"200\""),
                ("new_state", "\"UNBONDED\""),
                ("stake_expansion_tx_hash", expansion),
            ],
        );
        let ChainEvent::UnbondedEarly { expanded_by, .. } = event else { panic!("{event:?}") };
        assert_eq!(expanded_by.is_some(), expected);
    }
}

#[test]
fn evidence_is_an_object_with_a_hex_key_and_base64_bytes() {
    let evidence = format!(
        "{{\"fp_btc_pk\":\"{KEY}\",\"block_height\":\"12\",\"pub_rand\":{},\"canonical_app_hash\":{},\
         \"fork_app_hash\":{},\"canonical_finality_sig\":{},\"fork_finality_sig\":{}}}",
        base64_of(1),
        base64_of(2),
        base64_of(3),
        base64_of(4),
        base64_of(5)
    );
    let kind = "babylon.finality.v1.EventSlashedFinalityProvider";
    let event = decoded(kind, &[("evidence", &evidence), ("msg_index", "0")]);
    let ChainEvent::ProviderSlashed(read) = event else { panic!("{event:?}") };
    assert_eq!((read.height.to_u64(), read.fork_app_hash), (12, [3; 32]));
    let incomplete = evidence.replace(&base64_of(4), "null");
    let error = decode_event(&raw(kind, &[("evidence", &incomplete)])).unwrap_err();
    assert!(error.path.ends_with("evidence.canonical_finality_sig"), "{error}");
}

#[test]
fn selective_slashing_carries_the_secret_and_does_not_print_it() {
    let evidence = format!("{{\"fp_btc_pk\":\"{KEY}\",\"recovered_fp_btc_sk\":{}}}", base64_of(9));
    let event = decoded("babylon.btcstaking.v1.EventSelectiveSlashing", &[("evidence", &evidence)]);
    assert!(matches!(event, ChainEvent::SelectiveSlashing { .. }));
    assert!(!format!("{event:?}").contains("0909"));
}

#[test]
fn statuses_of_providers_are_known_by_their_whole_name() {
    let kind = "babylon.btcstaking.v1.EventFinalityProviderStatusChange";
    for (name, status) in STATUS_NAMES {
        let event = decoded(kind, &[("btc_pk", &quoted(KEY)), ("new_state", &quoted(name))]);
        let ChainEvent::ProviderStatusChanged { status: read, .. } = event else { panic!("{event:?}") };
        assert_eq!(read, status);
    }
    let unknown = raw(kind, &[("btc_pk", &quoted(KEY)), ("new_state", "\"ACTIVE\"")]);
    assert!(matches!(decode_event(&unknown).unwrap_err().problem, Problem::UnknownName(_)));
    let jailed = decoded("babylon.finality.v1.EventJailedFinalityProvider", &[("public_key", &quoted(KEY))]);
    assert!(matches!(jailed, ChainEvent::ProviderJailed { .. }));
}

#[test]
fn light_client_headers_are_read_by_hash_and_height() {
    let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Regtest).header;
    let header = format!(
        "{{\"header\":\"{}\",\"hash\":\"{}\",\"height\":7,\"work\":\"14\"}}",
        encode_text(&genesis),
        genesis.block_hash()
    );
    let forward = decoded("babylon.btclightclient.v1.EventBTCRollForward", &[("header", &header)]);
    let ChainEvent::LightClientAdvanced { height, .. } = forward else { panic!("{forward:?}") };
    assert_eq!(height.to_u32(), 7);
    let other = header.replace("\"hash\":\"0f", "\"hash\":\"1f");
    let error = decode_event(&raw("babylon.btclightclient.v1.EventBTCRollForward", &[("header", &other)]));
    assert!(error.unwrap_err().path.ends_with("header.hash"));
    let back = decoded(
        "babylon.btclightclient.v1.EventBTCRollBack",
        &[("header", &header), ("rollback_from", &header)],
    );
    assert!(matches!(back, ChainEvent::LightClientRolledBack { .. }));
}

#[test]
fn a_missing_attribute_is_named() {
    let error = decode_event(&raw("babylon.btcstaking.v1.EventBTCDelegationExpired", &[])).unwrap_err();
    assert_eq!(error.path, "babylon.btcstaking.v1.EventBTCDelegationExpired.staking_tx_hash");
    assert_eq!(error.problem, Problem::Missing);
}
