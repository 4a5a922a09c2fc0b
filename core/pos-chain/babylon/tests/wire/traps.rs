//! The traps of `wire.md` 1 as bytes written by hand.

use btc_staking_babylon::{
    convert::{
        InvalidField, Problem,
        covenant::decode_signature_list,
        decimal::{decode_coins, decode_decimal, decode_decimal_bytes},
        delegation::decode_delegation,
        finality::decode_evidence,
        headers::decode_light_client_header,
        message::decode_message,
        params::{decode_finality_params, decode_staking_params},
        possession::decode_possession,
        proof::decode_inclusion,
    },
    proto::{
        Any, Coin, TxRaw, btccheckpoint,
        btclightclient::BTCHeaderInfoResponse,
        btcstaking::{self, BTCUndelegation, InclusionProof, MsgEditFinalityProvider, ProofOfPossessionBTC},
        checkpointing::{CheckpointStatus, QueryEpochStatusResponse},
        finality::{
            ActiveFinalityProvidersAtHeightResponse, Evidence, EvidenceResponse, Params,
            QueryListPubRandCommitResponse, SigningInfoResponse,
        },
        incentive,
    },
};
use btc_staking_protocol::params::ParamsVersion;
use prost::Message;

const ACCOUNT: &str = "bbn10d07y265gmmuvt4z0w9aw880jnsr700jduz5f2";
/// A key, the generator of the curve.
const KEY: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

fn bytes(hex: &[&str]) -> Vec<u8> {
    hex::decode(hex.concat()).unwrap()
}
fn decoded<M: Message + Default>(hex: &[&str]) -> M {
    M::decode(bytes(hex).as_slice()).unwrap()
}
/// A length-prefixed field: its tag, then what it holds.
fn field(tag: &str, content: &str) -> String {
    assert!(content.len() < 256, "a length of one byte");
    format!("{tag}{:02x}{content}", content.len() / 2)
}
fn text(tag: &str, content: &str) -> String {
    field(tag, &hex::encode(content))
}
fn refused(type_url: &str, fields: &[String]) -> InvalidField {
    let value = hex::decode(fields.concat()).unwrap();
    decode_message(&Any { type_url: type_url.to_owned(), value }).unwrap_err()
}

/// 1.1: fields of a fixed length, one byte shorter and longer, and their paths.
#[test]
fn bytes_of_a_wrong_length_are_refused_by_the_name_of_their_field() {
    let signer = text("0a", ACCOUNT);
    let key = field("12", KEY);
    let rows: [(&str, Vec<String>, &str, usize, &str); 6] = [
        ("finality.v1.MsgUnjailFinalityProvider", vec![signer.clone()], "12", 32, "fp_btc_pk"),
        ("finality.v1.MsgCommitPubRandList", vec![signer.clone(), key.clone()], "2a", 32, "commitment"),
        (
            "finality.v1.MsgCommitPubRandList",
            vec![signer.clone(), key.clone(), field("2a", &"03".repeat(32))],
            "32",
            64,
            "sig",
        ),
        ("btclightclient.v1.MsgInsertHeaders", vec![signer.clone()], "12", 80, "headers[0]"),
        ("btcstaking.v1.MsgSelectiveSlashingEvidence", vec![signer.clone()], "1a", 32, "recovered_fp_btc_sk"),
        ("btcstaking.v1.MsgAddCovenantSigs", vec![signer.clone()], "12", 32, "pk"),
    ];
    for (name, before, tag, length, path) in rows {
        for wrong in [length - 1, length + 1] {
            let mut fields = before.clone();
            fields.push(field(tag, &"02".repeat(wrong)));
            let error = refused(&format!("/babylon.{name}"), &fields);
            let message = name.rsplit('.').next().unwrap();
            assert_eq!(error.path, format!("{message}.{path}"), "{wrong} bytes");
        }
    }
}

/// 1.1: the legacy form of an adaptor signature.
#[test]
fn a_legacy_adaptor_signature_begins_with_2_and_ends_with_its_parity() {
    let s = "00".repeat(31) + "01";
    let adaptors = |sig: String| {
        let list = btcstaking::CovenantAdaptorSignatures {
            cov_pk: hex::decode(KEY).unwrap(),
            adaptor_sigs: vec![hex::decode(sig).unwrap()],
        };
        btc_staking_babylon::convert::covenant::decode_adaptor_lists("covenant_sigs", &[list])
    };
    let even = adaptors(format!("02{KEY}{s}")).unwrap();
    let odd = adaptors(format!("03{KEY}{s}")).unwrap();
    assert_eq!(adaptors(format!("02{KEY}{s}00")), Ok(even));
    assert_eq!(adaptors(format!("02{KEY}{s}01")), Ok(odd));
    for wrong in [format!("03{KEY}{s}00"), format!("02{KEY}{s}02"), format!("04{KEY}{s}"), format!("02{KEY}")]
    {
        let error = adaptors(wrong.clone()).unwrap_err();
        assert_eq!(error.path, "covenant_sigs[0].adaptor_sigs[0]", "{wrong}");
    }
}

/// 1.2: text is reversed, bytes are internal.
#[test]
fn hashes_are_reversed_in_text_and_internal_in_bytes() {
    // The first block of Bitcoin.
    let header =
        "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e\
                  67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
            .to_owned();
    let shown = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
    let internal = "6fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000";
    let told = |hash_hex: &str| BTCHeaderInfoResponse {
        header_hex: header.clone(),
        hash_hex: hash_hex.to_owned(),
        height: 0,
        work: "4295032833".to_owned(),
    };
    assert_eq!(decode_light_client_header(&told(shown)).unwrap().hash.to_string(), shown);
    let error = decode_light_client_header(&told(internal)).unwrap_err();
    assert_eq!((error.path.as_str(), error.problem), ("hash_hex", Problem::Reversed));
    let key = field("12", internal);
    let proof: InclusionProof = decoded(&[&field("0a", &key), "1220", &"01".repeat(32)]);
    assert_eq!(decode_inclusion(&proof).unwrap().block_hash.to_string(), shown);
    // A shorter hash, which the chain would pad in one message: refused.
    let proof = field("1a", &hex::encode(proof.encode_to_vec()));
    let fields = [text("0a", ACCOUNT), text("12", &shown[2..]), proof];
    let error = refused("/babylon.btcstaking.v1.MsgAddBTCDelegationInclusionProof", &fields);
    assert_eq!(error.path, "MsgAddBTCDelegationInclusionProof.staking_tx_hash");
    assert_eq!(error.problem, Problem::Length { found: 31, expected: 32 });
}

/// 1.3: the wire form of decimals, present, absent and empty.
#[test]
fn decimals_are_scaled_integers_and_an_empty_one_is_none() {
    let commission = |value: &str| {
        let wire: MsgEditFinalityProvider = decoded(&[&text("22", value)]);
        decode_decimal("commission", wire.commission.as_deref().unwrap()).map_err(|error| error.problem)
    };
    assert_eq!(commission("30000000000000000"), Ok("0.03".parse().unwrap()));
    assert_eq!(commission("0"), Ok("0".parse().unwrap()));
    assert_eq!(commission(""), Err(Problem::Missing));
    for wrong in ["0.03", "0.030000000000000000", "-1", "03", "3e16"] {
        assert_eq!(commission(wrong), Err(Problem::ScaledDecimal(wrong.to_owned())));
    }
    assert_eq!(decoded::<MsgEditFinalityProvider>(&[]).commission, None, "absent keeps it");
    // In a bytes field the same text; anything else is no text.
    let window: Params = decoded(&[&text("22", "200000000000000000")]);
    assert_eq!(
        decode_decimal_bytes("min_signed_per_window", &window.min_signed_per_window),
        Ok("0.2".parse().unwrap())
    );
    let raw: Params = decoded(&["2202ff00", "3200"]);
    let error = decode_finality_params(&raw).unwrap_err();
    assert_eq!((error.path.as_str(), error.problem), ("min_signed_per_window", Problem::NotText));
}

/// 1.3: lists of coins.
#[test]
fn coins_are_sorted_and_none_is_zero() {
    let coins = |list: &[(&str, &str)]| -> Vec<Coin> {
        list.iter().map(|(denom, amount)| Coin { denom: (*denom).into(), amount: (*amount).into() }).collect()
    };
    let wire: incentive::RewardGaugesResponse = decoded(&[
        "0a0a",
        &text("0a", "ubbn"),
        &text("12", "12"),
        "0a0b",
        &text("0a", "uother"),
        &text("12", "3"),
    ]);
    assert_eq!(decode_coins("coins", &wire.coins, "ubbn"), Ok(12));
    assert_eq!(decode_coins("coins", &coins(&[]), "ubbn"), Ok(0));
    for wrong in [
        coins(&[("uother", "3"), ("ubbn", "12")]),
        coins(&[("ubbn", "3"), ("ubbn", "12")]),
        coins(&[("ubbn", "0")]),
        coins(&[("ubbn", "-1")]),
        coins(&[("ubbn", "1"), ("uother", "x")]),
        coins(&[("", "1")]),
    ] {
        assert!(decode_coins("coins", &wrong, "ubbn").is_err(), "{wrong:?}");
    }
}

/// 1.4: widths and signs.
#[test]
fn integers_have_the_width_and_the_sign_of_their_field() {
    // -1 takes ten bytes; read as unsigned it would be the largest number.
    let info: SigningInfoResponse = decoded(&["10ffffffffffffffffff01"]);
    assert_eq!(info.start_height, -1);
    let params: btcstaking::Params =
        decoded(&[&field("0a", KEY), "1001", "18ffffffffffffffffff01", &text("4a", "1000000000000000")]);
    let error = decode_staking_params(ParamsVersion(0), &params).unwrap_err();
    assert_eq!(error.path, "min_staking_value_sat");
    // A varint of 32 bits whose higher bits are set, and one that is too long.
    assert_eq!(decoded::<btccheckpoint::Params>(&["088080808010"]).btc_confirmation_depth, 0);
    assert!(
        btccheckpoint::Params::decode(
            [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02].as_slice()
        )
        .is_err()
    );
    let error = decode_finality_params(&decoded(&["18ffffffffffffffffff01", "220131", "3200"])).unwrap_err();
    assert_eq!(error.path, "finality_sig_timeout");
}

/// 1.5: values of enums.
#[test]
fn an_unknown_value_of_an_enum_is_never_the_default() {
    let pop: ProofOfPossessionBTC = decoded(&["0803", "1240", &"01".repeat(64)]);
    let error = decode_possession(&pop).unwrap_err();
    assert_eq!((error.path.as_str(), error.problem), ("btc_sig_type", Problem::UnknownValue(3)));
    let negative: ProofOfPossessionBTC = decoded(&["08ffffffffffffffffff01"]);
    assert_eq!(decode_possession(&negative).unwrap_err().problem, Problem::UnknownValue(-1));
    let status: QueryEpochStatusResponse = decoded(&["0805"]);
    assert!(CheckpointStatus::try_from(status.status).is_err());
    assert_eq!(
        CheckpointStatus::try_from(decoded::<QueryEpochStatusResponse>(&[]).status),
        Ok(CheckpointStatus::Accumulating)
    );
}

/// 1.6: what is there and empty, and what is not there.
#[test]
fn present_and_empty_is_not_absent() {
    // Unbonded by the registered transaction.
    assert!(decoded::<BTCUndelegation>(&["3200"]).delegator_unbonding_info.is_some());
    assert!(decoded::<BTCUndelegation>(&[]).delegator_unbonding_info.is_none());
    // A vote against the chain's block that the chain does not have yet, and one of no bytes.
    assert_eq!(decoded::<Evidence>(&[]).canonical_finality_sig, None);
    let empty: EvidenceResponse = decoded(&[&text("0a", KEY), "3200"]);
    assert_eq!(empty.canonical_finality_sig, Some(vec![]));
    let incomplete: EvidenceResponse = decoded(&[&text("0a", KEY)]);
    let error = decode_evidence(&incomplete).unwrap_err();
    assert_eq!((error.path.as_str(), error.problem), ("canonical_finality_sig", Problem::Missing));
    // A proof of no siblings.
    let key = field("12", &"01".repeat(32));
    let none: InclusionProof = decoded(&[&field("0a", &key), "1200"]);
    let error = decode_inclusion(&none).unwrap_err();
    assert_eq!((error.path.as_str(), error.problem), ("proof", Problem::Missing));
    // Messages that the reference holds by value are on the wire although empty; an absent one reads as none.
    let update = finality_update(Some(Params::default()));
    assert_eq!(update, [0x12, 0x00]);
    let absent: btc_staking_babylon::proto::finality::MsgUpdateParams = decoded(&[]);
    assert_eq!(absent.params.unwrap_or_default(), Params::default());
}

fn finality_update(params: Option<Params>) -> Vec<u8> {
    btc_staking_babylon::proto::finality::MsgUpdateParams { authority: String::new(), params }.encode_to_vec()
}

/// 1.6: a required message that is not there.
#[test]
fn a_required_part_that_is_absent_is_named() {
    let signer = text("0a", ACCOUNT);
    let rows = [
        ("btcstaking.v1.MsgCreateFinalityProvider", "MsgCreateFinalityProvider.pop"),
        ("btcstaking.v1.MsgCreateBTCDelegation", "MsgCreateBTCDelegation.pop"),
        ("btcstaking.v1.MsgBtcStakeExpand", "MsgBtcStakeExpand.previous_staking_tx_hash"),
        (
            "btcstaking.v1.MsgAddBTCDelegationInclusionProof",
            "MsgAddBTCDelegationInclusionProof.staking_tx_inclusion_proof",
        ),
        ("btcstaking.v1.MsgBTCUndelegate", "MsgBTCUndelegate.stake_spending_tx_inclusion_proof"),
        ("finality.v1.MsgAddFinalitySig", "MsgAddFinalitySig.proof"),
    ];
    for (name, path) in rows {
        assert_eq!(refused(&format!("/babylon.{name}"), std::slice::from_ref(&signer)).path, path);
    }
    let error = decode_delegation(&decoded(&[])).unwrap_err();
    assert_eq!((error.path.as_str(), error.problem), ("undelegation_response", Problem::Missing));
    assert!(decode_signature_list("sigs", &[decoded(&[])]).is_err());
}

/// 1.6: numbers of other versions are skipped in answers, and lists keep what is around them.
#[test]
fn unknown_numbers_in_answers_are_skipped_and_wrong_wire_types_are_not() {
    let entry: ActiveFinalityProvidersAtHeightResponse =
        decoded(&["1005", "f20103616263", "1807", "9d0600000000"]);
    assert_eq!((entry.height, entry.voting_power), (5, 7));
    for wrong in ["1201ff", "15ffffffff", "10", "1a7f", "0b"] {
        let bytes = hex::decode(wrong).unwrap();
        assert!(ActiveFinalityProvidersAtHeightResponse::decode(bytes.as_slice()).is_err(), "{wrong}");
    }
}

/// 1.6: the envelope is written in the order of its numbers.
#[test]
fn the_fields_of_a_transaction_are_in_ascending_order() {
    let raw = TxRaw { body_bytes: vec![1], auth_info_bytes: vec![2], signatures: vec![vec![3], vec![4]] };
    assert_eq!(hex::encode(raw.encode_to_vec()), "0a01011201021a01031a0104");
}

/// 1.7: a field that is declared as text and holds raw bytes.
#[test]
fn a_raw_key_in_a_field_declared_as_text_is_read_where_a_strict_reader_fails() {
    #[derive(Clone, PartialEq, Message)]
    struct AsDeclared {
        #[prost(string, tag = "1")]
        btc_pk_hex: String,
    }
    let wire = bytes(&[&field("0a", KEY), "1005", "1807"]);
    assert!(AsDeclared::decode(wire.as_slice()).is_err(), "not UTF-8");
    let entry = ActiveFinalityProvidersAtHeightResponse::decode(wire.as_slice()).unwrap();
    assert_eq!((hex::encode(entry.btc_pk_hex), entry.height, entry.voting_power), (KEY.to_owned(), 5, 7));
}

/// Maps: entries in any order, the last of a key counts, an entry without a key has key zero.
#[test]
fn entries_of_a_map_are_messages_of_key_and_value() {
    let answer: QueryListPubRandCommitResponse = decoded(&[
        "0a06", "0809", "12020803", // 9 => 3
        "0a06", "0805", "12020801", // 5 => 1
        "0a06", "0809", "12020804", // 9 => 4
        "0a04", "12020802", // 0 => 2
    ]);
    let counts: Vec<_> =
        answer.pub_rand_commit_map.iter().map(|(key, entry)| (*key, entry.num_pub_rand)).collect();
    assert_eq!(counts, [(0, 2), (5, 1), (9, 4)]);
}
