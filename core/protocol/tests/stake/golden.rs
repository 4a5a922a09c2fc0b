//! Golden vectors: every value of `bitcoin.md` 15.1 and 15.2, and the covenant signatures of `crypto.md` 3.7.

use crate::example::*;
use bitcoin::{FeeRate, Network, ScriptBuf, consensus::encode::serialize_hex};
use btc_staking_protocol::{
    delegation::{AdaptorSignature, SlashedOutput},
    identify::{Payload, Tag},
    tx::withdrawal::build_withdrawal,
};

const STAKER: &str = "fad75897c99bef6d9ca40c6e69fcf49ef48c3e401a57a982638a2b092dd3555e";
const PROVIDER: &str = "dc065c7ec55cd8429f288e03ac5ecd74be1344e0aa15a5f62da8177d8adcd98d";
const COMMITTEE: &str = "2043311589af63c2adda04fcd7792c038a05c12a4fe40351b3eb1612ff6b2e5a0eac20a3e107fee8879f5cf901161dbf4ff61c252ba5fec6f6407fe81b9453d244c02cba20c45753e856ad0abb06f68947604f11476c157d13b7efd54499eaa0f6918cf716ba20d27cd27dbff481bc6fc4aa39dd19405eb6010237784ecba13bab130a4a62df5dba20d415b187c6e7ce9da46ac888d20df20737d6f16a41639e68ea055311e1535dd9ba539c";
const INTERNAL: &str = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";
const LEAF_TIMELOCK: &str = "12e9928955be3a18e995b50db1a365e921b6e70eff628576a9ba472e595fa2fd";
const LEAF_UNBONDING: &str = "45c6e465051c15ec4c832e137a906de3357afb12612cd61ff2f5b41b8f110ace";
const LEAF_SLASHING: &str = "60603c7e1d9322c134b12055f23095555e5d44650c3d6a5fd39955c53333a4fd";
const INNER_BRANCH: &str = "2e287dccf8ba9e9ec68ed5141fbbec3c870d59b83d4267675be63d24b7e243a2";

#[test]
fn keys_of_the_worked_example_are_reproduced() {
    assert_eq!(staker().public_key().to_string(), STAKER);
    assert_eq!(provider_key().to_string(), PROVIDER);
    for (number, key) in [
        "43311589af63c2adda04fcd7792c038a05c12a4fe40351b3eb1612ff6b2e5a0e",
        "d415b187c6e7ce9da46ac888d20df20737d6f16a41639e68ea055311e1535dd9",
        "d27cd27dbff481bc6fc4aa39dd19405eb6010237784ecba13bab130a4a62df5d",
        "a3e107fee8879f5cf901161dbf4ff61c252ba5fec6f6407fe81b9453d244c02c",
        "c45753e856ad0abb06f68947604f11476c157d13b7efd54499eaa0f6918cf716",
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(member_key(u8::try_from(number).unwrap()).to_string(), *key);
    }
    let order: Vec<_> = committee(0..5, 3).witness_order().copied().collect();
    assert_eq!(order, [1, 2, 4, 3, 0].map(member_key));
}

#[test]
fn staking_output_of_the_worked_example_is_reproduced() {
    let output = checked().outputs().staking.clone();
    let leaves = [
        (
            "timelock",
            format!("20{STAKER}ad02e803b2"),
            LEAF_TIMELOCK,
            format!("{LEAF_UNBONDING}{LEAF_SLASHING}"),
        ),
        (
            "unbonding",
            format!("20{STAKER}ad{COMMITTEE}"),
            LEAF_UNBONDING,
            format!("{LEAF_TIMELOCK}{LEAF_SLASHING}"),
        ),
        (
            "slashing",
            format!("20{STAKER}ad20{PROVIDER}ad{COMMITTEE}"),
            LEAF_SLASHING,
            INNER_BRANCH.to_owned(),
        ),
    ];
    for (leaf, (path, script, hash, merkle_path)) in output.leaves().iter().zip(leaves) {
        assert_eq!(leaf.path().to_string(), path);
        assert_eq!(leaf.script().to_hex_string(), script);
        assert_eq!(leaf.hash().to_string(), hash);
        assert_eq!(hex::encode(leaf.control_block().serialize()), format!("c1{INTERNAL}{merkle_path}"));
    }
    assert_eq!(
        output.merkle_root().to_string(),
        "4e284f5b16b9e15861784a87fc337604595da591f06636b0b1db3e55bf46b8a6"
    );
    assert_eq!(
        output.script_pubkey().to_hex_string(),
        "5120ee53e90035a862d49e9e89604461482cb794557c8e49e169179357a7d2fb4a60"
    );
    assert_eq!(
        output.address(Network::Bitcoin).to_string(),
        "bc1paef7jqp44p3df85739sygc2g9jmeg4tu3ey7z6ghjdt605hmffsqclncpw"
    );
}

#[test]
fn unbonding_and_refund_output_of_the_worked_example_are_reproduced() {
    let checked = checked();
    let unbonding = &checked.outputs().unbonding;
    assert_eq!(unbonding.timelock_leaf().script().to_hex_string(), format!("20{STAKER}ad0165b2"));
    assert_eq!(unbonding.slashing_leaf().hash().to_string(), LEAF_SLASHING);
    assert_eq!(
        unbonding.merkle_root().to_string(),
        "fcdecb6d0401847cb82d5d1229b81c98c2c5108422e7edf15d19b3aa5390085d"
    );
    assert_eq!(
        unbonding.script_pubkey().to_hex_string(),
        "5120461beb272a5952e5e4ebd25650662c39cb964cacd68cc31e9988f7e0f57a4235"
    );
    assert_eq!(unbonding.output_key_parity().to_u8(), 1);
    let refund = &checked.outputs().refund;
    let leaf_hash = "781020b91adb74f1ba3d6b24dfffd22d62bbb747877df9503d292f8cc0cae7be";
    assert_eq!(refund.timelock_leaf().hash().to_string(), leaf_hash);
    assert_eq!(refund.merkle_root().to_string(), leaf_hash);
    assert_eq!(refund.timelock_leaf().control_block().serialize().len(), 33);
    assert_eq!(
        refund.script_pubkey().to_hex_string(),
        "51204c27ffb82b5b32d06e1ffe013ebd45e13c3184c419d50ca47fc6429b8467272c"
    );
}

#[test]
fn phase_1_output_of_the_worked_example_is_reproduced() {
    let payload = Payload {
        tag: Tag::new(*b"bbn1"),
        staker: staker().public_key(),
        finality_provider: provider_key(),
        staking_time: 1000,
    };
    assert_eq!(
        payload.build_output().script_pubkey.to_hex_string(),
        "6a4762626e3100fad75897c99bef6d9ca40c6e69fcf49ef48c3e401a57a982638a2b092dd3555edc065c7ec55cd8429f288e03ac5ecd74be1344e0aa15a5f62da8177d8adcd98d03e8"
    );
}

#[test]
fn transactions_of_the_worked_example_are_reproduced() {
    let terms = terms();
    for (tx, bytes, txid) in [
        (
            &terms.staking_tx,
            "0200000001aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0100000000ffffffff01a086010000000000225120ee53e90035a862d49e9e89604461482cb794557c8e49e169179357a7d2fb4a6000000000",
            "3bc2f0760e49285a120f4207c74c547838dede9e078dcae4b5581ab5870cb22a",
        ),
        (
            &terms.unbonding_tx,
            "02000000012ab20c87b51a58b5e4ca8d079edede3878544cc707420f125a28490e76f0c23b0000000000ffffffff01b882010000000000225120461beb272a5952e5e4ebd25650662c39cb964cacd68cc31e9988f7e0f57a423500000000",
            "ad49652c664b630bfe051379cdfb40379d878123e220d091c357563796d78a5d",
        ),
        (
            &terms.slashing_tx,
            "01000000012ab20c87b51a58b5e4ca8d079edede3878544cc707420f125a28490e76f0c23b0000000000ffffffff021027000000000000096a07626162796c6f6ec0570100000000002251204c27ffb82b5b32d06e1ffe013ebd45e13c3184c419d50ca47fc6429b8467272c00000000",
            "40aa1e132c8887acff38b962f7ef91e4616ca6403ace475b5e5a463f921a3f83",
        ),
        (
            &terms.unbonding_slashing_tx,
            "01000000015d8ad796375657c391d020e22381879d3740fbcd791305fe0b634b662c6549ad0000000000ffffffff02ac26000000000000096a07626162796c6f6e3c540100000000002251204c27ffb82b5b32d06e1ffe013ebd45e13c3184c419d50ca47fc6429b8467272c00000000",
            "4c87d16969849eb10bcbb149073d0c985908f6d91297d2febe21279ecdc244de",
        ),
    ] {
        assert_eq!(serialize_hex(tx), bytes);
        assert_eq!(tx.compute_txid().to_string(), txid);
    }
}

#[test]
fn sighashes_of_the_worked_example_are_reproduced() {
    let sighashes = *checked().sighashes();
    assert_eq!(
        sighashes.unbonding.to_string(),
        "ee591c6691128a6c197b8c7af5f68dd040d946c71b473b799b61c7fad09738ba"
    );
    assert_eq!(
        sighashes.slashing.to_string(),
        "5eb1a484f2d950809167e9b31f263fdfaafde68eb82b1a630a86a788fbc21672"
    );
    assert_eq!(
        sighashes.unbonding_slashing.to_string(),
        "7d45d7f5e0b2c6f66e9f9ca51ec5a18286348baef24541183aa8c5e3ccd38160"
    );
}

#[test]
fn withdrawal_of_the_worked_example_is_reproduced() {
    let destination = ScriptBuf::from_hex("00140202020202020202020202020202020202020202").unwrap();
    // The example pays a fee of 500 sat: 134 vB at 3.728 sat/vB.
    let feerate = FeeRate::from_sat_per_kwu(932);
    let withdrawal =
        build_withdrawal(vec![checked().withdraw_expired_stake()], destination, feerate).unwrap();
    assert_eq!(
        serialize_hex(withdrawal.unsigned_tx()),
        "02000000012ab20c87b51a58b5e4ca8d079edede3878544cc707420f125a28490e76f0c23b0000000000e803000001ac84010000000000160014020202020202020202020202020202020202020200000000"
    );
    assert_eq!(
        withdrawal.sighashes()[0].to_string(),
        "8d196b760512f0a9c29c4bf0f051a540a7c75604c3fbdd49cdaf0e5f3289a5f0"
    );
}

#[test]
fn covenant_signatures_and_the_slashing_witness_of_the_worked_example_are_reproduced() {
    // crypto.md 3.7: adaptor signatures of members 0 and 1 with zero entropy, and what they decrypt to
    let checked = checked();
    let signatures = signed_by(&checked, [0, 1, 4]);
    for (index, adaptor) in [
        "025d52089b2fef51b84bea50e4572b462de02cb652fcb7e6e8ec5cc92ce1c2278f58cf5345d03ce7a1dd36f3f77b89c0ef1c33e6213ca144a50e8781986e2d1329",
        "033bd2b387a673e80195bca4c33cdc14ab656e8903dc6a416fabf1e58934642ef72953c70d6c1ba53c91d19921f2e2043c2dfc175ca81d7b18aaa5466f0e55d894",
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(hex::encode(signatures.slashing[index].1[0].to_bytes()), *adaptor);
    }
    let tx = checked.assemble_slashing(&signatures, &provider(), &AUX).unwrap();
    let witness: Vec<String> = tx.input[0].witness.iter().map(hex::encode).collect();
    assert_eq!(witness.len(), 9);
    assert_eq!(
        witness[0],
        "3bd2b387a673e80195bca4c33cdc14ab656e8903dc6a416fabf1e58934642ef707427359b204ee107b912ec2e708d7bd0dcba872531493efe55e0a28d3eba76f"
    );
    assert_eq!((witness[1].as_str(), witness[3].as_str()), ("", ""));
    assert_eq!(
        witness[4],
        "5d52089b2fef51b84bea50e4572b462de02cb652fcb7e6e8ec5cc92ce1c2278f7ae0a6f98a539ecdf3775e568762ed6e3c64550b91aa2bcdd3cebddea897444e"
    );
    assert_eq!(witness[7], format!("20{STAKER}ad20{PROVIDER}ad{COMMITTEE}"));
    assert_eq!(witness[8], format!("c1{INTERNAL}{INNER_BRANCH}"));
    assert_eq!(tx.compute_txid(), checked.slashing_tx(SlashedOutput::Staking).compute_txid());
}

#[test]
fn adaptor_signature_of_the_reference_implementation_completes_a_slashing_too() {
    // crypto.md 3.7, member 0 with the nonce hash of the Go code
    let bytes = hex::decode("02ad0298fd1d24973b2c177585f0d31d7a55182654e1810bc538ff12c2559a89b5e0763511b90daf4e42abfbb0f9748a750098010a06a594294a689abb38bc8d73").unwrap();
    let checked = checked();
    let mut signatures = signed_by(&checked, [1, 4]);
    signatures.slashing.push((member_key(0), vec![AdaptorSignature::from_slice(&bytes).unwrap()]));
    let tx = checked.assemble_slashing(&signatures, &provider(), &AUX).unwrap();
    crate::interpreter::accepts(&tx, 0, &[checked.staking_prevout()]);
}
