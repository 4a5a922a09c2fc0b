//! One provider's way from randomness to evidence, by the worked example of `crypto.md` 6.5 and 5.4.

use super::{evidence::*, randomness::*, vote::*};
use crate::{
    height::{Epoch, PosHeight},
    keys::FinalityProviderPublicKey,
};
use bitcoin::hashes::{Hash, sha256};
use btc_staking_crypto::{
    eots::EotsSecretKey,
    merkle::Tree,
    nonce::{self, Scheme},
};
use proptest::prelude::*;

const CHAIN: &[u8] = b"bbn-1";
const ROOT: &str = "797efc33d4b62c63ab9783c57adab283efbaec7f33d2fc639596bfa73d9438e5";
const CANONICAL: [u8; 32] = [0xab; 32];
const FORK: [u8; 32] = [0xcd; 32];
const OTHER_FORK: [u8; 32] = [0xef; 32];

fn bytes(text: &str) -> [u8; 32] {
    hex::decode(text).unwrap().try_into().unwrap()
}
fn provider(label: &str) -> EotsSecretKey {
    EotsSecretKey::from_bytes(&sha256::Hash::hash(label.as_bytes()).to_byte_array()).unwrap()
}
fn example() -> EotsSecretKey {
    provider("finality-provider-2")
}
fn public(key: &EotsSecretKey) -> FinalityProviderPublicKey {
    FinalityProviderPublicKey::new(*key.public_key())
}
fn height(height: u64) -> PosHeight {
    PosHeight::new(height)
}
/// The randomness of `count` heights from `start`, and what commits to it.
fn committed(key: &EotsSecretKey, start: u64, count: u64) -> (Tree, CommittedRandomness) {
    let values: Vec<PublicRandomness> =
        (start..start + count).map(|at| nonce::derive(key, Scheme::V1, CHAIN, at).public()).collect();
    let tree = Tree::build(&values);
    let root = tree.root();
    (tree, CommittedRandomness { start_height: height(start), count, root })
}
fn vote(key: &EotsSecretKey, tree: &Tree, start: u64, at: u64, app_hash: [u8; 32]) -> SignedVote {
    let nonce = nonce::derive(key, Scheme::V1, CHAIN, at);
    let message = VoteMessage { height: height(at), app_hash };
    SignedVote {
        finality_provider: public(key),
        message,
        public_randomness: nonce.public(),
        proof: tree.proof(usize::try_from(at - start).unwrap()).unwrap(),
        signature: key.sign(nonce, &message.to_bytes()).unwrap(),
    }
}
/// A vote of the worked example at height 101.
fn example_vote(app_hash: [u8; 32]) -> SignedVote {
    let key = example();
    vote(&key, &committed(&key, 100, 3).0, 100, 101, app_hash)
}

// Commitments.

#[test]
fn the_worked_commitment_is_reproduced() {
    let key = example();
    let (_, content) = committed(&key, 100, 3);
    assert_eq!(content.root, bytes(ROOT));
    assert_eq!(content.hash(), bytes("5ad191b5759713b90d1e1f47e529e52064977271f470fd7a499a633d865e3150"));
    let commitment = content.sign(key.signing_key(), &[0; 32]);
    assert_eq!(commitment.finality_provider, public(&key));
    assert_eq!(commitment.content(), content);
    assert_eq!(commitment.verify_signature(), Ok(()));
    assert_eq!(content.signed(public(&key), commitment.signature), commitment);
}

#[test]
fn a_commitment_with_any_part_changed_is_not_signed() {
    let key = example();
    let signed = committed(&key, 100, 3).1.sign(key.signing_key(), &[7; 32]);
    let changes: [fn(&mut RandomnessCommitment); 4] = [
        |c| c.finality_provider = public(&provider("another")),
        |c| c.start_height = height(101),
        |c| c.count = 4,
        |c| c.root[0] ^= 1,
    ];
    for change in changes {
        let mut changed = signed;
        change(&mut changed);
        assert_eq!(changed.verify_signature(), Err(CommitmentRefused::Signature(changed.finality_provider)));
    }
}

#[test]
fn each_commitment_rule_refuses_alone() {
    let content =
        |start: u64, count: u64| CommittedRandomness { start_height: height(start), count, root: [1; 32] };
    let range = |start: u64, count: u64| Err(CommitmentRefused::Range { start: height(start), count });
    for (start, count, expected) in [
        (0, 0, range(0, 0)),
        (5, 0, range(5, 0)),
        (u64::MAX, 1, range(u64::MAX, 1)),
        (u64::MAX - 1, 2, range(u64::MAX - 1, 2)),
        (1, u64::MAX, range(1, u64::MAX)),
        (u64::MAX - 1, 1, Ok(())),
        (0, u64::MAX, Ok(())),
        (5, 1, Ok(())),
    ] {
        assert_eq!(content(start, count).check_range(), expected, "{start} {count}");
        // The reference: start < start + count in wrapping arithmetic.
        assert_eq!(start < start.wrapping_add(count), expected.is_ok(), "{start} {count}");
    }
    let far = content(160_010, 1);
    assert_eq!(far.check_not_too_far_ahead(height(11)), Ok(()));
    let limit = height(160_010);
    let refused = CommitmentRefused::TooFarAhead { start: height(160_010), limit };
    assert_eq!(far.check_not_too_far_ahead(height(10)), Err(refused));
    assert_eq!(content(5, 1).check_not_too_far_ahead(height(u64::MAX)), Ok(()));

    assert_eq!(content(200, 1).check_activated(height(200)), Ok(()));
    let refused = CommitmentRefused::BeforeActivation { start: height(199), activation: height(200) };
    assert_eq!(content(199, 1).check_activated(height(200)), Err(refused));

    assert_eq!(content(1, 100).check_count(100), Ok(()));
    assert_eq!(content(1, 99).check_count(100), Err(CommitmentRefused::TooFew { count: 99, min: 100 }));

    assert_eq!(content(100, 1).check_follows(None), Ok(()));
    assert_eq!(content(100, 1).check_follows(Some(height(99))), Ok(()));
    assert_eq!(content(100, 1).check_follows(Some(height(5))), Ok(()), "gaps are allowed");
    for last in [100, 101] {
        let refused = CommitmentRefused::Overlap { start: height(100), last_end: height(last) };
        assert_eq!(content(100, 1).check_follows(Some(height(last))), Err(refused));
    }
}

#[test]
fn a_commitment_covers_its_heights_and_ends_before_start_plus_count() {
    let content = CommittedRandomness { start_height: height(100), count: 3, root: [0; 32] };
    assert_eq!(content.end_height(), Some(height(102)));
    for (at, covered) in [(99, false), (100, true), (102, true), (103, false)] {
        assert_eq!(content.covers(height(at)), covered, "{at}");
    }
    assert!(!CommittedRandomness { count: 0, ..content }.covers(height(100)));
}

#[test]
fn a_commitment_is_usable_once_its_epoch_is_final() {
    for (committed_in, last, usable) in
        [(0, 0, false), (0, 1, true), (3, 2, false), (3, 3, true), (3, 4, true)]
    {
        assert_eq!(is_usable(Epoch::new(committed_in), Epoch::new(last)), usable, "{committed_in} {last}");
    }
}

// Votes.

#[test]
fn the_worked_vote_is_reproduced() {
    let vote = example_vote(CANONICAL);
    assert_eq!(hex::encode(vote.message.to_bytes()), format!("0000000000000065{}", "ab".repeat(32)));
    assert_eq!(
        vote.signature.to_bytes(),
        bytes("5b14c08e638e6ff6a39a4b3acf6f099d5cd641fd53b0a4b6d0da705ec56cff06")
    );
    assert_eq!(
        vote.public_randomness.to_bytes(),
        bytes("cd82fd1cd0f9ea6d84d42786e74a718ce032cdb555406fc17e4a174f17736928")
    );
    assert_eq!(vote.check(&committed(&example(), 100, 3).1), Ok(()));
}

#[test]
fn a_vote_with_any_part_changed_does_not_count() {
    let commitment = committed(&example(), 100, 3).1;
    type Change = fn(&mut SignedVote, &mut CommittedRandomness);
    type Expected = fn(&InvalidVote) -> bool;
    let changes: [(&str, Change, Expected); 11] = [
        (
            "height above",
            |v, _| v.message.height = height(102),
            |e| matches!(e, InvalidVote::WrongIndex { .. }),
        ),
        (
            "height below",
            |v, _| v.message.height = height(100),
            |e| matches!(e, InvalidVote::WrongIndex { .. }),
        ),
        ("index", |v, _| v.proof.index = 2, |e| matches!(e, InvalidVote::WrongIndex { .. })),
        (
            "index that overflows",
            |v, _| v.proof.index = u64::MAX,
            |e| matches!(e, InvalidVote::WrongIndex { .. }),
        ),
        ("start", |_, c| c.start_height = height(99), |e| matches!(e, InvalidVote::WrongIndex { .. })),
        ("total", |v, _| v.proof.total = 4, |e| matches!(e, InvalidVote::WrongTotal { total: 4, count: 3 })),
        ("count", |_, c| c.count = 2, |e| matches!(e, InvalidVote::WrongTotal { total: 3, count: 2 })),
        ("root", |_, c| c.root[5] ^= 1, |e| matches!(e, InvalidVote::Proof(ProofError::WrongRoot))),
        (
            "randomness",
            |v, _| v.public_randomness = nonce::derive(&example(), Scheme::V1, CHAIN, 100).public(),
            |e| matches!(e, InvalidVote::Proof(ProofError::WrongLeaf)),
        ),
        ("app hash", |v, _| v.message.app_hash[0] ^= 1, |e| matches!(e, InvalidVote::Signature(..))),
        (
            "provider",
            |v, _| v.finality_provider = public(&provider("another")),
            |e| matches!(e, InvalidVote::Signature(..)),
        ),
    ];
    for (name, change, expected) in changes {
        let (mut vote, mut commitment) = (example_vote(CANONICAL), commitment);
        change(&mut vote, &mut commitment);
        let error = vote.check(&commitment).expect_err(name);
        assert!(expected(&error), "{name}: {error}");
    }
}

// Evidence.

#[test]
fn the_worked_key_is_extracted() {
    let evidence = Evidence::of_conflict(&example_vote(CANONICAL), &example_vote(FORK)).unwrap();
    assert_eq!(
        evidence.fork_signature.to_bytes(),
        bytes("dad68929e04c2ea603a956f067bf0b9fc7cec531593b3cec181eca6532f5f08a")
    );
    assert_eq!(evidence.verify(), Ok(()));
    let secret = evidence.extract_secret().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        *secret.to_evidence_bytes(),
        bytes("221153b3ba16b72c16406a5f0bd92c7f20306eea5508e728c5473c463a6a3125")
    );
}

#[test]
fn votes_that_do_not_conflict_are_told_apart() {
    let vote_of = |label: &str, at: u64, app_hash: [u8; 32]| {
        let key = provider(label);
        vote(&key, &committed(&key, 100, 3).0, 100, at, app_hash)
    };
    let first = vote_of("finality-provider-2", 101, CANONICAL);
    let mut other_randomness = example_vote(FORK);
    other_randomness.public_randomness = PublicRandomness::from_bytes([1; 32]);
    for (second, expected) in [
        (vote_of("another", 101, FORK), NoConflict::Providers),
        (vote_of("finality-provider-2", 102, FORK), NoConflict::Heights(height(101), height(102))),
        (first.clone(), NoConflict::SameBlock),
        (other_randomness, NoConflict::Randomness),
    ] {
        assert_eq!(Evidence::of_conflict(&first, &second), Err(expected));
    }
}

#[test]
fn evidence_with_any_part_changed_proves_nothing_and_gives_no_key() {
    let evidence = Evidence::of_conflict(&example_vote(CANONICAL), &example_vote(FORK)).unwrap();
    type Expected = fn(&InvalidEvidence) -> bool;
    let canonical: Expected = |e| matches!(e, InvalidEvidence::Canonical(_));
    let fork: Expected = |e| matches!(e, InvalidEvidence::Fork(_));
    type Change = fn(&mut Evidence);
    let changes: [(Change, Expected); 7] = [
        (|e| e.fork_app_hash = e.canonical_app_hash, |e| matches!(e, InvalidEvidence::SameBlock)),
        (|e| e.finality_provider = public(&provider("another")), canonical),
        (|e| e.height = height(102), canonical),
        (|e| e.public_randomness = PublicRandomness::from_bytes([1; 32]), canonical),
        (|e| e.canonical_app_hash = OTHER_FORK, canonical),
        (|e| e.canonical_signature = e.fork_signature, canonical),
        (|e| e.fork_app_hash = OTHER_FORK, fork),
    ];
    for (at, (change, expected)) in changes.into_iter().enumerate() {
        let mut changed = evidence.clone();
        change(&mut changed);
        assert!(changed.verify().is_err_and(|error| expected(&error)), "{at}");
        assert!(changed.extract_secret().is_err(), "{at}");
    }
}

#[test]
fn votes_have_the_effects_of_the_table() {
    let (own, fork, second_fork) = (example_vote(CANONICAL), example_vote(FORK), example_vote(OTHER_FORK));
    // A fork vote first: incomplete, nobody is slashed.
    let VoteEffect::Incomplete(incomplete) = judge_vote(&fork, CANONICAL, None, None) else { panic!() };
    assert_eq!((incomplete.canonical_app_hash, incomplete.fork_app_hash), (CANONICAL, FORK));
    // A second fork vote replaces it.
    let replaced = judge_vote(&second_fork, CANONICAL, None, Some(incomplete.clone()));
    let VoteEffect::Incomplete(replacement) = replaced else { panic!() };
    assert_eq!(replacement.fork_app_hash, OTHER_FORK);
    assert_eq!(replacement.fork_signature, second_fork.signature);
    // The chain's own vote completes what is stored then.
    let VoteEffect::VoteAndEquivocation(completed) = judge_vote(&own, CANONICAL, None, Some(replacement))
    else {
        panic!()
    };
    assert_eq!(completed, Evidence::of_conflict(&own, &second_fork).unwrap());
    assert_eq!(completed.verify(), Ok(()));
    // In the usual order.
    assert_eq!(judge_vote(&own, CANONICAL, None, None), VoteEffect::Vote);
    let equivocation = judge_vote(&fork, CANONICAL, Some(own.signature), None);
    assert_eq!(equivocation, VoteEffect::Equivocation(Evidence::of_conflict(&own, &fork).unwrap()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn extraction_inverts_double_signing(label in "[a-z]{1,8}", at in 100u64..108, a: [u8; 32], b: [u8; 32]) {
        prop_assume!(a != b);
        let key = provider(&label);
        let (tree, commitment) = committed(&key, 100, 8);
        let votes = [a, b].map(|app_hash| vote(&key, &tree, 100, at, app_hash));
        for vote in &votes {
            prop_assert_eq!(vote.check(&commitment), Ok(()));
        }
        let evidence = Evidence::of_conflict(&votes[0], &votes[1]).unwrap();
        prop_assert_eq!(evidence.verify(), Ok(()));
        let secret = evidence.extract_secret().ok().unwrap();
        prop_assert_eq!(secret.public_key(), key.public_key());
    }
}
