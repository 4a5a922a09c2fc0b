use super::*;
use crate::{
    nonce::{self, Scheme},
    vectors::{bytes, finality_provider},
};
use proptest::prelude::*;

fn values(count: usize) -> Vec<PublicRandomness> {
    (0..count).map(|i| PublicRandomness::from_bytes(hash(&i.to_be_bytes()))).collect()
}

/// The definition of `crypto.md` 6.3, word for word.
fn recursive_root(values: &[PublicRandomness]) -> [u8; 32] {
    match values {
        [] => hash(b""),
        [value] => leaf_hash(value),
        _ => {
            let mut left = 1;
            while left * 2 < values.len() {
                left *= 2;
            }
            inner_hash(&recursive_root(&values[..left]), &recursive_root(&values[left..]))
        }
    }
}

/// `crypto.md` 6.5.
#[test]
fn tree_of_the_spec_is_reproduced() {
    let key = finality_provider();
    let values = [100, 101, 102].map(|height| nonce::derive(&key, Scheme::V1, b"bbn-1", height).public());
    let [leaf_0, leaf_1, leaf_2] = [
        "3058eba555dd7e737d6686eaa02cf3d9dbd620a1ecd22a36c812c03bf459f6fa",
        "efe80292e1a9c29102eb2b8d6dfcaa8ea9676e8fb32d72dd8ce750f0b6e32c28",
        "e3b6c2aaba7922e240cd5257cb8751c2fd98dde1e1785cf0cd516c6d81b992ee",
    ]
    .map(bytes);
    let inner = bytes("24dc75eb278f00231053022ac36e48e8240dcbe843664731c96c6b490c1b243b");
    let commitment = bytes("797efc33d4b62c63ab9783c57adab283efbaec7f33d2fc639596bfa73d9438e5");

    let tree = Tree::build(&values);
    assert_eq!(values.map(|value| leaf_hash(&value)), [leaf_0, leaf_1, leaf_2]);
    assert_eq!(inner_hash(&leaf_0, &leaf_1), inner);
    assert_eq!((tree.root(), root(&values)), (commitment, commitment));

    let of_101 = MerkleProof { total: 3, index: 1, leaf_hash: leaf_1, aunts: vec![leaf_0, leaf_2] };
    let of_102 = MerkleProof { total: 3, index: 2, leaf_hash: leaf_2, aunts: vec![inner] };
    assert_eq!((tree.proof(1), tree.proof(2)), (Some(of_101.clone()), Some(of_102)));
    assert_eq!(of_101.verify(&commitment, &values[1]), Ok(()));
}

#[test]
fn empty_tree_has_the_hash_of_nothing_and_no_proof() {
    let nothing = bytes("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    let tree = Tree::build(&[]);
    assert_eq!((tree.root(), root(&[])), (nothing, nothing));
    assert!(tree.is_empty());
    assert_eq!(tree.proof(0), None);
}

#[test]
fn every_proof_of_every_size_holds_for_its_own_value_only() {
    for size in 1..=70 {
        let values = values(size);
        let tree = Tree::build(&values);
        assert_eq!(tree.root(), recursive_root(&values), "{size} values");
        assert_eq!(root(&values), tree.root(), "{size} values");
        assert_eq!(tree.len(), size);
        assert_eq!(tree.proof(size), None);
        for (index, value) in values.iter().enumerate() {
            let proof = tree.proof(index).unwrap();
            assert_eq!(proof.verify(&tree.root(), value), Ok(()), "index {index} of {size}");
            let other = &values[(index + 1) % size];
            if size > 1 {
                assert_eq!(proof.verify(&tree.root(), other), Err(ProofError::WrongLeaf));
            }
        }
    }
}

#[test]
fn broken_rules_are_named() {
    let values = values(6);
    let tree = Tree::build(&values);
    let root = tree.root();
    let proof = tree.proof(2).unwrap();
    let verdict = |change: fn(&mut MerkleProof)| {
        let mut changed = proof.clone();
        change(&mut changed);
        changed.verify(&root, &values[2])
    };
    let shape = |aunts| Err(ProofError::WrongShape { aunts, needed: 3, index: 2, total: 6 });

    assert_eq!(verdict(|_| ()), Ok(()));
    assert_eq!(verdict(|proof| proof.total = 1 << 63), Err(ProofError::TotalTooLarge(1 << 63)));
    assert_eq!(verdict(|proof| proof.total = 0), Err(ProofError::IndexOutOfRange { index: 2, total: 0 }));
    assert_eq!(verdict(|proof| proof.index = 6), Err(ProofError::IndexOutOfRange { index: 6, total: 6 }));
    assert_eq!(verdict(|proof| proof.aunts = vec![[0; 32]; 101]), Err(ProofError::TooManyAunts(101)));
    assert_eq!(verdict(|proof| proof.leaf_hash[0] ^= 1), Err(ProofError::WrongLeaf));
    assert_eq!(verdict(|proof| proof.aunts.truncate(2)), shape(2));
    assert_eq!(verdict(|proof| proof.aunts.push([0; 32])), shape(4));
    assert_eq!(verdict(|proof| proof.aunts.resize(100, [0; 32])), shape(100));
    assert_eq!(verdict(|proof| proof.aunts.swap(0, 1)), Err(ProofError::WrongRoot));
}

/// The largest lists a proof can speak of need no more work than small ones.
#[test]
fn proofs_for_absurd_totals_are_refused_quickly() {
    let value = PublicRandomness::from_bytes([1; 32]);
    let total = i64::MAX as u64;
    for index in [0, 1, total / 2, total - 1] {
        let aunts = vec![[0; 32]; sides(index, total).len()];
        let proof = MerkleProof { total, index, leaf_hash: leaf_hash(&value), aunts };
        assert_eq!(proof.verify(&[0; 32], &value), Err(ProofError::WrongRoot));
    }
}

proptest! {
    #[test]
    fn any_changed_bit_or_index_is_refused(
        size in 1usize..300, index: prop::sample::Index, other: prop::sample::Index, node: prop::sample::Index, bit in 0usize..256,
    ) {
        let values = values(size);
        let tree = Tree::build(&values);
        let (index, other) = (index.index(size), other.index(size));
        let flip = |bytes: &mut [u8; 32]| bytes[bit / 8] ^= 1 << (bit % 8);
        let proof = tree.proof(index).unwrap();

        let mut changed = proof.clone();
        match node.index(proof.aunts.len() + 1) {
            0 => flip(&mut changed.leaf_hash),
            aunt => flip(&mut changed.aunts[aunt - 1]),
        }
        prop_assert!(changed.verify(&tree.root(), &values[index]).is_err());

        let mut root = tree.root();
        flip(&mut root);
        prop_assert_eq!(proof.verify(&root, &values[index]), Err(ProofError::WrongRoot));

        let mut value = values[index].to_bytes();
        flip(&mut value);
        prop_assert_eq!(
            proof.verify(&tree.root(), &PublicRandomness::from_bytes(value)),
            Err(ProofError::WrongLeaf)
        );

        if other != index {
            let moved = MerkleProof { index: other as u64, ..proof.clone() };
            prop_assert!(moved.verify(&tree.root(), &values[index]).is_err());
        }

        let mut shorter = proof.clone();
        if shorter.aunts.pop().is_some() {
            prop_assert!(shorter.verify(&tree.root(), &values[index]).is_err());
        }
    }
}
