use super::*;
use proptest::prelude::*;

fn txids(count: usize) -> Vec<Txid> {
    (0..count).map(|n| Txid::hash(&n.to_le_bytes())).collect()
}
fn root_of(txids: &[Txid]) -> TxMerkleNode {
    let root = bitcoin::merkle_tree::calculate_root(txids.iter().map(|txid| txid.to_raw_hash())).unwrap();
    TxMerkleNode::from_raw_hash(root)
}
fn bytes(text: &str) -> [u8; 32] {
    hex::decode(text).unwrap().try_into().unwrap()
}
fn height(height: u32) -> BtcHeight {
    BtcHeight::new(height)
}
fn lock(blocks: u32) -> Timelock {
    Timelock::from_blocks(blocks).unwrap()
}

#[test]
fn the_worked_example_is_reproduced() {
    // bitcoin.md 15.3
    let txids: Vec<Txid> = [0x11, 0x22, 0x33].map(|byte| Txid::from_byte_array([byte; 32])).to_vec();
    let root = TxMerkleNode::from_byte_array(bytes(
        "cacd895c5e82f37a37b6f4923c214ca6089e5f7b075b9fca7e11e782a0f3f5e6",
    ));
    let ab = bytes("1140b574afee3cb89a4db3dc8037acfa856f5112e68a954e3ca0a908082c98ba");
    let cc = bytes("ee99b53b490294fac3f1f92699211740853452f355b51a82240c75688ce6204d");
    for (index, siblings) in [(0, vec![[0x22; 32], cc]), (1, vec![[0x11; 32], cc]), (2, vec![[0x33; 32], ab])]
    {
        let proof = InclusionProof::build(no_block(), &txids, index).unwrap();
        assert_eq!(proof.siblings, siblings);
        assert_eq!(proof.verify(&txids[index], &root), Ok(()));
    }
    // Bits of the index above the height of the tree are checked by nobody.
    let mut proof = InclusionProof::build(no_block(), &txids, 2).unwrap();
    proof.index = 6;
    assert_eq!(proof.verify(&txids[2], &root), Ok(()));
}

#[test]
fn every_transaction_of_every_small_block_is_proven_and_no_other() {
    for count in 1..=40 {
        let txids = txids(count);
        let root = root_of(&txids);
        for position in 0..count {
            let proof = InclusionProof::build(no_block(), &txids, position).unwrap();
            assert_eq!(proof.index as usize, position);
            for (other, txid) in txids.iter().enumerate() {
                assert_eq!(proof.verify(txid, &root).is_ok(), other == position, "{position} of {count}");
            }
        }
    }
}

#[test]
fn every_mutation_of_a_proof_is_refused() {
    for count in [2usize, 3, 7, 8, 13, 40] {
        let txids = txids(count);
        let root = root_of(&txids);
        for position in 0..count {
            let proof = InclusionProof::build(no_block(), &txids, position).unwrap();
            let refused = |mutated: InclusionProof| mutated.verify(&txids[position], &root).is_err();
            for at in 0..proof.siblings.len() {
                let mut flipped = proof.clone();
                flipped.siblings[at][position % 32] ^= 1;
                assert!(refused(flipped));
                let mut shorter = proof.clone();
                shorter.siblings.remove(at);
                assert!(refused(shorter));
                let mut longer = proof.clone();
                longer.siblings.insert(at, [7; 32]);
                assert!(refused(longer));
                let mut other_side = proof.clone();
                other_side.index ^= 1 << at;
                // On either side of itself a node hashes the same.
                let own_sibling = is_last_of_odd_level(count, position, at);
                assert_eq!(refused(other_side), !own_sibling, "{position} of {count} at {at}");
            }
        }
    }
}
fn is_last_of_odd_level(count: usize, position: usize, level: usize) -> bool {
    let nodes = count.div_ceil(1 << level);
    nodes % 2 == 1 && position >> level == nodes - 1
}

#[test]
fn a_lone_transaction_is_its_own_root_at_index_0_only() {
    let txids = txids(1);
    let root = root_of(&txids);
    let mut proof = InclusionProof::build(no_block(), &txids, 0).unwrap();
    assert_eq!(proof.siblings, Vec::<[u8; 32]>::new());
    assert_eq!(proof.verify(&txids[0], &root), Ok(()));
    proof.index = 1;
    assert_eq!(proof.verify(&txids[0], &root), Err(InvalidInclusion::NoSiblings { index: 1 }));
}

#[test]
fn the_number_of_siblings_is_bounded() {
    let mut proof = InclusionProof { block_hash: no_block(), index: 0, siblings: vec![[1; 32]; 33] };
    let (txid, root) = (txids(1)[0], root_of(&txids(2)));
    assert_eq!(proof.verify(&txid, &root), Err(InvalidInclusion::TooManySiblings(33)));
    proof.siblings.pop();
    assert!(matches!(proof.verify(&txid, &root), Err(InvalidInclusion::WrongRoot { .. })));
}

#[test]
fn nothing_is_proven_outside_a_block() {
    for (count, position) in [(0, 0), (3, 3), (3, usize::MAX)] {
        let refused = InclusionProof::build(no_block(), &txids(count), position);
        assert_eq!(refused, Err(CannotProve::NoSuchTransaction { position, transactions: count }));
    }
}

proptest! {
    #[test]
    fn arbitrary_siblings_never_verify(
        index: u32,
        siblings in proptest::collection::vec(proptest::array::uniform32(any::<u8>()), 0..40),
    ) {
        let txids = txids(9);
        let proof = InclusionProof { block_hash: no_block(), index, siblings };
        prop_assert!(proof.verify(&txids[4], &root_of(&txids)).is_err());
    }
}

// Depth and time.

#[test]
fn a_coinbase_is_no_staking_transaction() {
    assert_eq!(check_not_coinbase(0), Err(NotActivatable::Coinbase));
    assert_eq!(check_not_coinbase(1), Ok(()));
    assert_eq!(check_not_coinbase(u32::MAX), Ok(()));
}

#[test]
fn depth_counts_the_blocks_on_top() {
    let k = BtcDepth::new(10);
    for (inclusion, tip, expected) in [
        (100, 110, Ok(())),
        (100, 111, Ok(())),
        (100, 109, Err(NotActivatable::NotDeepEnough { depth: BtcDepth::new(9), required: k })),
        (100, 100, Err(NotActivatable::NotDeepEnough { depth: BtcDepth::new(0), required: k })),
        (100, 99, Err(NotActivatable::AboveTip { inclusion: height(100), tip: height(99) })),
    ] {
        assert_eq!(check_depth(height(inclusion), height(tip), k), expected);
    }
    assert_eq!(check_depth(height(5), height(5), BtcDepth::new(0)), Ok(()));
}

#[test]
fn more_of_the_timelock_must_be_left_than_unbonding_takes() {
    // 100 + 1000 = 1100 is the end; 101 blocks of unbonding must end below it.
    assert_eq!(check_time_left(height(100), height(998), lock(1000), lock(101)), Ok(()));
    for tip in [999, 1000, 5000] {
        let refused = check_time_left(height(100), height(tip), lock(1000), lock(101));
        let expected =
            NotActivatable::TooLittleTimeLeft { end: 1100, unbonding_time: lock(101), tip: height(tip) };
        assert_eq!(refused, Err(expected));
    }
    // At the end of all heights nothing overflows.
    assert!(check_time_left(height(u32::MAX), height(u32::MAX), lock(1), lock(65_535)).is_err());
    assert!(check_time_left(height(u32::MAX), height(u32::MAX), lock(65_535), lock(1)).is_ok());
}

#[test]
fn inclusion_before_the_registration_is_too_early() {
    assert_eq!(check_not_too_early(height(100), height(100)), Ok(()));
    assert_eq!(
        check_not_too_early(height(99), height(100)),
        Err(NotActivatable::IncludedTooEarly { inclusion: height(99), registered: height(100) })
    );
}

fn no_block() -> BlockHash {
    BlockHash::all_zeros()
}
