//! Covenant signatures: made for checked stakes only, verified one by one, counted list by list.

use crate::{example::*, interpreter::accepts};
use btc_staking_protocol::{
    delegation::{
        AdaptorSignature, CannotSign, CheckedDelegation, CovenantList, CovenantSignatureRefusal as Refusal,
        CovenantSignatureSet, CovenantSignatures, SlashedOutput,
    },
    keys::FinalityProviderPublicKey,
    witness::AssemblyError,
};

fn set(checked: &CheckedDelegation, number: u8) -> CovenantSignatureSet {
    checked.sign_covenant(&member(number), &AUX).unwrap()
}

fn two_providers() -> CheckedDelegation {
    let second = FinalityProviderPublicKey::new(*other_provider(1).public_key());
    // Message order is the reverse of script order for this pair or the other way round; both are listed to be sure.
    let forge = Forge { providers: vec![provider_key(), second], ..Forge::default() };
    forge.make().check(&params()).unwrap()
}

#[test]
fn every_member_signs_what_everyone_verifies() {
    for checked in [checked(), two_providers()] {
        for number in 0..5 {
            checked.verify_covenant(&set(&checked, number)).unwrap();
        }
    }
}

#[test]
fn a_stranger_neither_signs_nor_is_accepted() {
    let checked = checked();
    let stranger = member_key(9);
    assert_eq!(checked.sign_covenant(&member(9), &AUX), Err(CannotSign::NotAMember(stranger)));
    let mut signed = set(&checked, 0);
    signed.covenant = stranger;
    assert_eq!(checked.verify_covenant(&signed), Err(Refusal::NotAMember(stranger)));
}

#[test]
fn each_wrong_signature_of_a_member_is_refused_by_name() {
    let checked = two_providers();
    let own = set(&checked, 0);
    let other = set(&checked, 1);
    let member = own.covenant;
    let invalid = |list| Err(Refusal::Invalid { list, member });
    let edited = |edit: &dyn Fn(&mut CovenantSignatureSet)| {
        let mut signed = own.clone();
        edit(&mut signed);
        checked.verify_covenant(&signed)
    };
    assert_eq!(edited(&|s| s.slashing[1] = other.slashing[1]), invalid(CovenantList::Slashing));
    assert_eq!(edited(&|s| s.slashing.reverse()), invalid(CovenantList::Slashing));
    assert_eq!(edited(&|s| s.unbonding = other.unbonding), invalid(CovenantList::Unbonding));
    assert_eq!(
        edited(&|s| s.unbonding_slashing[0] = s.slashing[0]),
        invalid(CovenantList::UnbondingSlashing)
    );
    assert_eq!(
        edited(&|s| s.slashing.truncate(1)),
        Err(Refusal::Count { list: CovenantList::Slashing, found: 1, required: 2 })
    );
    assert_eq!(
        edited(&|s| s.unbonding_slashing.push(s.slashing[0])),
        Err(Refusal::Count { list: CovenantList::UnbondingSlashing, found: 3, required: 2 })
    );
    assert_eq!(edited(&|s| s.expansion = Some(s.unbonding)), Err(Refusal::ExpansionUnexpected));
    assert!(matches!(
        edited(&|s| s.staking_txid = checked.unbonding_outpoint().txid),
        Err(Refusal::OtherStake { .. })
    ));
}

#[test]
fn a_signature_for_another_stake_is_refused() {
    let (one, other) = (checked(), two_providers());
    let mut moved = set(&other, 0);
    moved.staking_txid = one.staking_txid();
    moved.slashing.truncate(1);
    moved.unbonding_slashing.truncate(1);
    assert!(matches!(one.verify_covenant(&moved), Err(Refusal::Invalid { .. })));
}

#[test]
fn a_quorum_is_counted_on_every_list_separately() {
    let checked = checked();
    checked.verified_quorum(&signed_by(&checked, 0..3)).unwrap();
    type Row = (CovenantList, fn(&mut CovenantSignatures));
    let rows: [Row; 3] = [
        (CovenantList::Slashing, |s| s.slashing.truncate(2)),
        (CovenantList::Unbonding, |s| s.unbonding.truncate(2)),
        (CovenantList::UnbondingSlashing, |s| s.unbonding_slashing.truncate(2)),
    ];
    for (list, cut) in rows {
        let mut signatures = signed_by(&checked, 0..3);
        cut(&mut signatures);
        let missing = checked.verified_quorum(&signatures).unwrap_err();
        assert_eq!((missing.list, missing.valid.len(), missing.quorum), (list, 2, 3));
    }
    // Different members on each list make a quorum all the same.
    let mut spread = signed_by(&checked, 0..5);
    spread.slashing.drain(..2);
    spread.unbonding.drain(3..);
    spread.unbonding_slashing.drain(1..3);
    assert_eq!(checked.verified_quorum(&spread).unwrap().staking_txid(), checked.staking_txid());
}

#[test]
fn repeated_foreign_and_invalid_signatures_do_not_count() {
    let checked = checked();
    let mut signatures = signed_by(&checked, 0..2);
    signatures.unbonding.push(signatures.unbonding[0]);
    signatures.unbonding.push((member_key(9), signatures.unbonding[0].1));
    signatures.slashing.push(signatures.slashing[0].clone());
    signatures.unbonding_slashing.push(signatures.unbonding_slashing[0].clone());
    let missing = checked.verified_quorum(&signatures).unwrap_err();
    assert_eq!((missing.list, missing.valid.len()), (CovenantList::Slashing, 2));
    let mut wrong = signed_by(&checked, 0..3);
    wrong.unbonding[2].1 = wrong.unbonding[0].1;
    let missing = checked.verified_quorum(&wrong).unwrap_err();
    assert_eq!((missing.list, missing.invalid), (CovenantList::Unbonding, vec![member_key(2)]));
    assert_eq!(missing.valid.len(), 2);
}

#[test]
fn a_strangers_own_valid_signature_does_not_count() {
    use bitcoin::{
        hashes::Hash,
        secp256k1::{Keypair, Message, SECP256K1},
    };
    let checked = checked();
    let mut signatures = signed_by(&checked, 0..3);
    let stranger = Keypair::from_seckey_slice(SECP256K1, &secret_bytes(&[9])).unwrap();
    let message = Message::from_digest(checked.sighashes().unbonding.to_byte_array());
    let valid = SECP256K1.sign_schnorr_with_aux_rand(&message, &stranger, &AUX);
    signatures.unbonding[2] = (member_key(9), valid);
    let missing = checked.verified_quorum(&signatures).unwrap_err();
    assert_eq!((missing.list, missing.valid.len()), (CovenantList::Unbonding, 2));
    let staker_signature = staker().sign(checked.sighashes().unbonding, &AUX);
    let refused = checked.assemble_unbonding(&signatures, &staker_signature).unwrap_err();
    assert!(matches!(refused, AssemblyError::QuorumMissing { .. }), "{refused:?}");
}

#[test]
fn an_empty_or_incomplete_adaptor_list_does_not_count() {
    let checked = two_providers();
    for length in [0, 1] {
        let mut signatures = signed_by(&checked, 0..3);
        signatures.slashing[1].1.truncate(length);
        let missing = checked.verified_quorum(&signatures).unwrap_err();
        assert_eq!((missing.list, missing.invalid), (CovenantList::Slashing, vec![member_key(1)]));
        let mut signatures = signed_by(&checked, 0..3);
        signatures.unbonding_slashing[1].1.truncate(length);
        let missing = checked.verified_quorum(&signatures).unwrap_err();
        assert_eq!((missing.list, missing.valid.len()), (CovenantList::UnbondingSlashing, 2));
    }
}

#[test]
fn assembly_skips_wrong_signatures_and_says_when_too_few_are_left() {
    let checked = checked();
    let staker_signature = staker().sign(checked.sighashes().unbonding, &AUX);
    let mut signatures = signed_by(&checked, 0..4);
    signatures.unbonding[1].1 = signatures.unbonding[0].1;
    let tx = checked.assemble_unbonding(&signatures, &staker_signature).unwrap();
    accepts(&tx, 0, &[checked.staking_prevout()]);
    signatures.unbonding.pop();
    let refused = checked.assemble_unbonding(&signatures, &staker_signature).unwrap_err();
    let AssemblyError::QuorumMissing { quorum: 3, valid, invalid } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((valid.len(), invalid), (2, vec![member_key(1)]));
}

#[test]
fn assembly_refuses_a_staker_signature_over_something_else() {
    let checked = checked();
    let wrong = staker().sign(checked.sighashes().slashing, &AUX);
    let key = staker().public_key();
    let refused = checked.assemble_unbonding(&signed_by(&checked, 0..3), &wrong);
    assert_eq!(refused, Err(AssemblyError::StakerSignature(key)));
}

#[test]
fn slashing_needs_the_secret_of_one_of_the_stakes_providers() {
    let checked = checked();
    let stranger = other_provider(1);
    let key = FinalityProviderPublicKey::new(*stranger.public_key());
    for assembled in [
        checked.assemble_slashing(&signed_by(&checked, 0..3), &stranger, &AUX),
        checked.assemble_unbonding_slashing(&signed_by(&checked, 0..3), &stranger, &AUX),
    ] {
        assert_eq!(assembled, Err(AssemblyError::ForeignFinalityProvider(key)));
    }
}

#[test]
fn adaptor_signatures_follow_message_order_whatever_the_script_order() {
    let second = FinalityProviderPublicKey::new(*other_provider(1).public_key());
    for providers in [vec![provider_key(), second], vec![second, provider_key()]] {
        let forge = Forge { providers, ..Forge::default() };
        let checked = forge.make().check(&params()).unwrap();
        let signatures = signed_by(&checked, 0..5);
        for secret in [provider(), other_provider(1)] {
            let tx = checked.assemble_slashing(&signatures, &secret, &AUX).unwrap();
            accepts(&tx, 0, &[checked.staking_prevout()]);
            let found = checked.recover_finality_provider_secret(&tx, &signatures).unwrap();
            assert_eq!(found.public_key(), secret.public_key());
        }
    }
}

#[test]
fn a_published_slashing_gives_the_providers_secret_away() {
    let checked = checked();
    let signatures = signed_by(&checked, 0..5);
    for tx in [
        checked.assemble_slashing(&signatures, &provider(), &AUX).unwrap(),
        checked.assemble_unbonding_slashing(&signatures, &provider(), &AUX).unwrap(),
    ] {
        let found = checked.recover_finality_provider_secret(&tx, &signatures).unwrap();
        assert_eq!(found.public_key(), provider().public_key());
        // What was recovered slashes again.
        let again = checked.assemble_slashing(&signatures, &found, &AUX).unwrap();
        accepts(&again, 0, &[checked.staking_prevout()]);
    }
}

#[test]
fn one_matching_pair_is_enough_to_recover_the_secret() {
    let checked = checked();
    let signatures = signed_by(&checked, 0..5);
    let tx = checked.assemble_slashing(&signatures, &provider(), &AUX).unwrap();
    // Slots are filled for members 1, 2 and 4; the adaptors of the first two are other signatures.
    let mut stored = signed_by(&checked, [0, 3]);
    let fresh = |number| checked.sign_covenant(&member(number), &[9; 32]).unwrap();
    stored.insert(&fresh(1));
    stored.insert(&fresh(2));
    assert!(checked.recover_finality_provider_secret(&tx, &stored).is_none());
    stored.insert(&set(&checked, 4));
    let found = checked.recover_finality_provider_secret(&tx, &stored).unwrap();
    assert_eq!(found.public_key(), provider().public_key());
}

#[test]
fn an_unrelated_transaction_gives_no_secret_away() {
    let checked = checked();
    let signatures = signed_by(&checked, 0..5);
    let staker_signature = staker().sign(checked.sighashes().unbonding, &AUX);
    let unbonding = checked.assemble_unbonding(&signatures, &staker_signature).unwrap();
    assert!(checked.recover_finality_provider_secret(&unbonding, &signatures).is_none());
    let unsigned = checked.slashing_tx(SlashedOutput::Staking);
    assert!(checked.recover_finality_provider_secret(unsigned, &signatures).is_none());
}

#[test]
fn legacy_adaptor_signatures_are_accepted() {
    let checked = checked();
    let mut signed = set(&checked, 0);
    let current = signed.slashing[0].to_bytes();
    let mut legacy = vec![2];
    legacy.extend_from_slice(&current[1..]);
    legacy.push(current[0] - 2);
    signed.slashing[0] = AdaptorSignature::from_slice(&legacy).unwrap();
    checked.verify_covenant(&signed).unwrap();
}
