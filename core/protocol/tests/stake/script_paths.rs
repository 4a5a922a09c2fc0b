//! The two roads to a script, own bytes and miniscript, lead to the same place.

use crate::example::*;
use bitcoin::{XOnlyPublicKey, hex::DisplayHex, taproot::LeafVersion};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    height::Timelock,
    keys::{CovenantPublicKey, FinalityProviderPublicKey, StakerPublicKey},
    output::{Leaf, StakeOutputs, internal_key},
    script::StakeKeys,
};
use miniscript::{Descriptor, descriptor::Tr};
use proptest::{collection, prelude::*, sample::Index};

/// Parses a descriptor as a wallet would, checksum included, and compares script and leaves.
fn assert_importable(descriptor: &str, script_pubkey: &bitcoin::Script, leaves: &[Leaf]) {
    assert!(descriptor.contains('#'), "{descriptor} has no checksum");
    let parsed: Descriptor<XOnlyPublicKey> = descriptor.parse().unwrap();
    parsed.sanity_check().unwrap();
    assert_eq!(parsed.script_pubkey().as_script(), script_pubkey);
    let Descriptor::Tr(tree) = &parsed else { panic!("{descriptor} is not taproot") };
    assert_eq!(*tree.internal_key(), internal_key());
    assert_leaves(tree, leaves);
}

fn assert_leaves(tree: &Tr<XOnlyPublicKey>, leaves: &[Leaf]) {
    let scripts: Vec<_> = tree.iter_scripts().map(|(_, script)| script.encode()).collect();
    assert_eq!(scripts.len(), leaves.len());
    let spend_info = tree.spend_info();
    for (leaf, script) in leaves.iter().zip(scripts) {
        assert_eq!(*leaf.script(), script, "{leaf}");
        let control_block = spend_info.control_block(&(script, LeafVersion::TapScript)).unwrap();
        assert_eq!(*leaf.control_block(), control_block);
    }
}

fn assert_paths_agree(outputs: &StakeOutputs) {
    let StakeOutputs { staking, unbonding, refund } = outputs;
    assert_importable(&staking.descriptor(), &staking.script_pubkey(), staking.leaves());
    assert_importable(&unbonding.descriptor(), &unbonding.script_pubkey(), unbonding.leaves());
    assert_importable(&refund.descriptor(), &refund.script_pubkey(), refund.leaves());
}

fn distinct_keys(count: usize, seed: u64) -> Vec<XOnlyPublicKey> {
    let key = |number: usize| {
        let label = format!("{seed}/{number}");
        let secret = bitcoin::secp256k1::SecretKey::from_slice(&secret_bytes(label.as_bytes())).unwrap();
        secret.x_only_public_key(bitcoin::secp256k1::SECP256K1).0
    };
    (0..count).map(key).collect()
}

fn shuffled<T: Clone>(items: &[T], picks: &[Index]) -> Vec<T> {
    let mut rest = items.to_vec();
    let mut out = Vec::with_capacity(rest.len());
    for pick in picks.iter().cycle().take(items.len()) {
        out.push(rest.remove(pick.index(rest.len())));
    }
    out
}

#[test]
fn both_paths_agree_for_every_committee_and_provider_count() {
    for members in 1..=20usize {
        for providers in 1..=10usize {
            let keys = distinct_keys(1 + members + providers, 7);
            let covenant = keys[1..=members].iter().map(|key| CovenantPublicKey::new(*key)).collect();
            let quorum = u32::try_from(1 + (members * providers) % members).unwrap();
            let committee = CovenantCommittee::new(quorum, covenant).unwrap();
            let list: Vec<_> =
                keys[1 + members..].iter().map(|key| FinalityProviderPublicKey::new(*key)).collect();
            let keys = StakeKeys::new(StakerPublicKey::new(keys[0]), &list, &committee).unwrap();
            assert_paths_agree(&StakeOutputs::new(keys, blocks(64_000), blocks(1008)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_paths_agree_in_any_listed_order(
        seed in any::<u64>(),
        members in 1..=20usize,
        providers in 1..=10usize,
        quorum in any::<Index>(),
        picks in collection::vec(any::<Index>(), 31),
        times in (1..=65_535u32, 1..=65_535u32),
    ) {
        let keys = distinct_keys(1 + members + providers, seed);
        let covenant: Vec<_> = keys[1..=members].iter().map(|key| CovenantPublicKey::new(*key)).collect();
        let listed: Vec<_> =
            keys[1 + members..].iter().map(|key| FinalityProviderPublicKey::new(*key)).collect();
        let quorum = u32::try_from(1 + quorum.index(members)).unwrap();
        let times = (Timelock::from_blocks(times.0).unwrap(), Timelock::from_blocks(times.1).unwrap());
        let outputs = |covenant: Vec<_>, listed: &[_]| {
            let committee = CovenantCommittee::new(quorum, covenant).unwrap();
            let keys = StakeKeys::new(StakerPublicKey::new(keys[0]), listed, &committee).unwrap();
            StakeOutputs::new(keys, times.0, times.1)
        };
        let straight = outputs(covenant.clone(), &listed);
        assert_paths_agree(&straight);
        let reordered = outputs(shuffled(&covenant, &picks), &shuffled(&listed, &picks));
        prop_assert_eq!(straight, reordered);
    }
}

#[test]
fn descriptors_of_the_worked_example_keep_their_text() {
    // Computed by this crate; the scripts in them are those of bitcoin.md 15.1.
    let outputs = checked().outputs().clone();
    let internal = internal_key().serialize().to_lower_hex_string();
    let staker = staker().public_key();
    assert!(
        outputs.refund.descriptor().starts_with(&format!("tr({internal},and_v(v:pk({staker}),older(101)))#"))
    );
    assert!(
        outputs.staking.descriptor().starts_with(&format!(
            "tr({internal},{{{{and_v(v:pk({staker}),older(1000)),and_v(v:pk({staker}),multi_a(3,"
        )),
        "{}",
        outputs.staking.descriptor()
    );
}

/// BIP-341 wallet test vectors, scriptPubKey section: trees of the shapes our outputs have, with their roots and control
/// blocks. Our builder is fixed to its three shapes, so the vectors are run through the same primitives it uses.
#[test]
fn bip_341_vectors_with_our_tree_shapes_hold() {
    use bitcoin::{ScriptBuf, TapLeafHash, TapNodeHash, secp256k1::SECP256K1, taproot::TaprootBuilder};
    struct Vector {
        internal: &'static str,
        leaves: &'static [(u8, &'static str, &'static str)],
        root: &'static str,
        script_pubkey: &'static str,
        control_blocks: &'static [&'static str],
    }
    let vectors = [
        // One leaf, depth 0: the refund output.
        Vector {
            internal: "187791b6f712a8ea41c8ecdd0ee77fab3e85263b37e1ec18a3651926b3a6cf27",
            leaves: &[(
                0,
                "20d85a959b0290bf19bb89ed43c916be835475d013da4b362117393e25a48229b8ac",
                "5b75adecf53548f3ec6ad7d78383bf84cc57b55a3127c72b9a2481752dd88b21",
            )],
            root: "5b75adecf53548f3ec6ad7d78383bf84cc57b55a3127c72b9a2481752dd88b21",
            script_pubkey: "5120147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3",
            control_blocks: &["c1187791b6f712a8ea41c8ecdd0ee77fab3e85263b37e1ec18a3651926b3a6cf27"],
        },
        // Three leaves, one at depth 1 and two at depth 2: the staking output.
        Vector {
            internal: "e0dfe2300b0dd746a3f8674dfd4525623639042569d829c7f0eed9602d263e6f",
            leaves: &[
                (
                    1,
                    "2072ea6adcf1d371dea8fba1035a09f3d24ed5a059799bae114084130ee5898e69ac",
                    "2645a02e0aac1fe69d69755733a9b7621b694bb5b5cde2bbfc94066ed62b9817",
                ),
                (
                    2,
                    "202352d137f2f3ab38d1eaa976758873377fa5ebb817372c71e2c542313d4abda8ac",
                    "ba982a91d4fc552163cb1c0da03676102d5b7a014304c01f0c77b2b8e888de1c",
                ),
                (
                    2,
                    "207337c0dd4253cb86f2c43a2351aadd82cccb12a172cd120452b9bb8324f2186aac",
                    "9e31407bffa15fefbf5090b149d53959ecdf3f62b1246780238c24501d5ceaf6",
                ),
            ],
            root: "ccbd66c6f7e8fdab47b3a486f59d28262be857f30d4773f2d5ea47f7761ce0e2",
            script_pubkey: "512091b64d5324723a985170e4dc5a0f84c041804f2cd12660fa5dec09fc21783605",
            control_blocks: &[
                "c0e0dfe2300b0dd746a3f8674dfd4525623639042569d829c7f0eed9602d263e6fffe578e9ea769027e4f5a3de40732f75a88a6353a09d767ddeb66accef85e553",
                "c0e0dfe2300b0dd746a3f8674dfd4525623639042569d829c7f0eed9602d263e6f9e31407bffa15fefbf5090b149d53959ecdf3f62b1246780238c24501d5ceaf62645a02e0aac1fe69d69755733a9b7621b694bb5b5cde2bbfc94066ed62b9817",
                "c0e0dfe2300b0dd746a3f8674dfd4525623639042569d829c7f0eed9602d263e6fba982a91d4fc552163cb1c0da03676102d5b7a014304c01f0c77b2b8e888de1c2645a02e0aac1fe69d69755733a9b7621b694bb5b5cde2bbfc94066ed62b9817",
            ],
        },
    ];
    for vector in vectors {
        let mut builder = TaprootBuilder::new();
        for (depth, script, hash) in vector.leaves {
            let script = ScriptBuf::from_hex(script).unwrap();
            let leaf_hash = TapLeafHash::from_script(&script, LeafVersion::TapScript);
            assert_eq!(leaf_hash.to_string(), *hash);
            builder = builder.add_leaf(*depth, script).unwrap();
        }
        let spend_info = builder.finalize(SECP256K1, vector.internal.parse().unwrap()).unwrap();
        assert_eq!(spend_info.merkle_root(), Some(vector.root.parse::<TapNodeHash>().unwrap()));
        let script_pubkey = ScriptBuf::new_p2tr_tweaked(spend_info.output_key());
        assert_eq!(script_pubkey.to_hex_string(), vector.script_pubkey);
        for ((_, script, _), expected) in vector.leaves.iter().zip(vector.control_blocks) {
            let versioned = (ScriptBuf::from_hex(script).unwrap(), LeafVersion::TapScript);
            let control_block = spend_info.control_block(&versioned).unwrap();
            assert_eq!(hex::encode(control_block.serialize()), *expected);
        }
    }
}
