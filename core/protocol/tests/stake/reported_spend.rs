//! Reading spends: which path they took, and whether the staker signed them (`bitcoin.md` 10.3).

use crate::{example::*, interpreter::accepts};
use bitcoin::{
    FeeRate, TapLeafHash, TapSighashType, Transaction, TxOut, Witness,
    hashes::Hash,
    sighash::{Annex, Prevouts, SighashCache},
    taproot::LeafVersion,
};
use btc_staking_protocol::{
    delegation::{CheckedDelegation, SlashedOutput},
    output::SpendPath,
    spend::UnprovenSpend,
    tx::withdrawal::build_withdrawal,
};

fn unbonded(checked: &CheckedDelegation) -> Transaction {
    let signature = staker().sign(checked.sighashes().unbonding, &AUX);
    checked.assemble_unbonding(&signed_by(checked, 0..3), &signature).unwrap()
}

#[test]
fn every_path_is_recognised_by_its_leaf() {
    let checked = checked();
    let signatures = signed_by(&checked, 0..3);
    let withdraw = |input| {
        let destination = checked.outputs().refund.script_pubkey();
        let withdrawal = build_withdrawal(vec![input], destination, FeeRate::BROADCAST_MIN).unwrap();
        withdrawal.sign(&staker(), &AUX).unwrap()
    };
    let staking = [
        (withdraw(checked.withdraw_expired_stake()), SpendPath::Timelock),
        (unbonded(&checked), SpendPath::Unbonding),
        (checked.assemble_slashing(&signatures, &provider(), &AUX).unwrap(), SpendPath::Slashing),
    ];
    for (tx, path) in staking {
        assert_eq!(checked.classify_staking_spend(&tx), Some(path));
        assert_eq!(checked.classify_unbonding_spend(&tx), None);
    }
    let unbonding = [
        (withdraw(checked.withdraw_unbonding_output()), SpendPath::Timelock),
        (checked.assemble_unbonding_slashing(&signatures, &provider(), &AUX).unwrap(), SpendPath::Slashing),
    ];
    for (tx, path) in unbonding {
        assert_eq!(checked.classify_unbonding_spend(&tx), Some(path));
        assert_eq!(checked.classify_staking_spend(&tx), None);
    }
    let unsigned = checked.slashing_tx(SlashedOutput::Staking);
    assert_eq!(checked.classify_staking_spend(unsigned), None);
}

#[test]
fn the_stakers_signature_on_every_spend_is_proven() {
    let checked = checked();
    let funding = [checked.terms().staking_tx.clone()];
    let slashing = checked.assemble_slashing(&signed_by(&checked, 0..3), &provider(), &AUX).unwrap();
    for tx in [unbonded(&checked), slashing] {
        assert_eq!(checked.verify_staker_spend(&tx, &funding), Ok(0));
    }
}

/// A spend through the unbonding leaf, signed with any sighash type and annex; `None` omits the type byte.
fn custom(checked: &CheckedDelegation, kind: Option<TapSighashType>, annex: Option<&[u8]>) -> Transaction {
    let mut tx = checked.terms().unbonding_tx.clone();
    let leaf = checked.outputs().staking.unbonding_leaf();
    let prevouts = [checked.staking_prevout()];
    let hash = |tx: &Transaction| {
        let leaf_hash = TapLeafHash::from_script(leaf.script(), LeafVersion::TapScript);
        SighashCache::new(tx)
            .taproot_signature_hash(
                0,
                &Prevouts::All(&prevouts),
                annex.map(|bytes| Annex::new(bytes).unwrap()),
                Some((leaf_hash, 0xffff_ffff)),
                kind.unwrap_or(TapSighashType::Default),
            )
            .unwrap()
    };
    let sighash = hash(&tx);
    let mut elements = vec![vec![]; 2];
    for number in [4, 3, 0] {
        // Members sign over the same hash, so that Bitcoin accepts the whole.
        elements.push(member_signature(number, sighash, kind));
    }
    let mut signature = staker().sign(sighash, &AUX).serialize().to_vec();
    signature.extend(kind.map(|kind| kind as u8));
    elements.push(signature);
    elements.push(leaf.script().to_bytes());
    elements.push(leaf.control_block().serialize());
    elements.extend(annex.map(<[u8]>::to_vec));
    tx.input[0].witness = Witness::from_slice(&elements);
    tx
}

/// A covenant member's plain signature over any hash, as only Bitcoin's own tools could make it.
fn member_signature(number: u8, sighash: bitcoin::TapSighash, kind: Option<TapSighashType>) -> Vec<u8> {
    use bitcoin::secp256k1::{Keypair, Message, SECP256K1};
    let pair = Keypair::from_seckey_slice(SECP256K1, &secret_bytes(&[number])).unwrap();
    let message = Message::from_digest(sighash.to_byte_array());
    let mut signature = SECP256K1.sign_schnorr_with_aux_rand(&message, &pair, &AUX).serialize().to_vec();
    signature.extend(kind.map(|kind| kind as u8));
    signature
}

#[test]
fn every_sighash_type_and_an_annex_are_understood_as_bitcoin_does() {
    let checked = checked();
    let funding = [checked.terms().staking_tx.clone()];
    for kind in [
        None,
        Some(TapSighashType::All),
        Some(TapSighashType::None),
        Some(TapSighashType::Single),
        Some(TapSighashType::AllPlusAnyoneCanPay),
        Some(TapSighashType::NonePlusAnyoneCanPay),
        Some(TapSighashType::SinglePlusAnyoneCanPay),
    ] {
        for annex in [None, Some(&[0x50, 1, 2][..]), Some(&[0x50][..])] {
            let tx = custom(&checked, kind, annex);
            accepts(&tx, 0, &[checked.staking_prevout()]);
            assert_eq!(checked.verify_staker_spend(&tx, &funding), Ok(0), "{kind:?} {annex:?}");
        }
    }
}

type Row = (fn(&mut Transaction), fn(&UnprovenSpend) -> bool);

#[test]
fn a_spend_that_proves_nothing_is_refused_with_the_reason() {
    let rows: [Row; 10] = [
        (|tx| tx.input[0].previous_output.vout = 1, |r| matches!(r, UnprovenSpend::NotSpent(_))),
        (
            |tx| {
                let mut second = tx.input[0].clone();
                second.previous_output.txid = bitcoin::Txid::from_byte_array([5; 32]);
                tx.input.push(second);
            },
            |r| matches!(r, UnprovenSpend::FundingMissing(_)),
        ),
        (
            |tx| {
                let mut second = tx.input[0].clone();
                second.previous_output.vout = 1;
                tx.input.push(second);
            },
            |r| matches!(r, UnprovenSpend::FundingIndex(_)),
        ),
        (
            |tx| tx.input[0].witness = Witness::from_slice(&[vec![0; 64], vec![0x50]]),
            |r| matches!(r, UnprovenSpend::WitnessTooShort(1)),
        ),
        (|tx| edit_last(tx, 1, |bytes| bytes.truncate(32)), |r| matches!(r, UnprovenSpend::ControlBlock)),
        (|tx| edit_last(tx, 1, |bytes| bytes[0] ^= 1), |r| matches!(r, UnprovenSpend::NotCommitted)),
        (|tx| edit_last(tx, 2, |bytes| bytes[5] ^= 1), |r| matches!(r, UnprovenSpend::NotCommitted)),
        (
            |tx| edit_last(tx, 3, |bytes| bytes.truncate(63)),
            |r| matches!(r, UnprovenSpend::SignatureForm(63)),
        ),
        (|tx| edit_last(tx, 3, |bytes| bytes[40] ^= 1), |r| matches!(r, UnprovenSpend::SignatureInvalid)),
        (|tx| tx.output[0].value += sat(1), |r| matches!(r, UnprovenSpend::SignatureInvalid)),
    ];
    let checked = checked();
    let funding = [checked.terms().staking_tx.clone()];
    for (index, (edit, expected)) in rows.into_iter().enumerate() {
        let mut tx = unbonded(&checked);
        edit(&mut tx);
        let refused = checked.verify_staker_spend(&tx, &funding).unwrap_err();
        assert!(expected(&refused), "row {index}: {refused:?}");
    }
    let refused = checked.verify_staker_spend(&unbonded(&checked), &[]).unwrap_err();
    assert!(matches!(refused, UnprovenSpend::FundingMissing(_)));
}

#[test]
fn malleable_and_unknown_sighash_bytes_are_refused() {
    let checked = checked();
    let funding = [checked.terms().staking_tx.clone()];
    for (byte, length) in [(0u8, 65), (4, 65), (0x80, 65)] {
        let mut tx = unbonded(&checked);
        edit_last(&mut tx, 3, |bytes| bytes.push(byte));
        let refused = checked.verify_staker_spend(&tx, &funding);
        assert_eq!(refused, Err(UnprovenSpend::SignatureForm(length)));
    }
    let mut long = unbonded(&checked);
    edit_last(&mut long, 3, |bytes| bytes.extend([1, 1]));
    assert_eq!(checked.verify_staker_spend(&long, &funding), Err(UnprovenSpend::SignatureForm(66)));
}

#[test]
fn a_single_signature_without_its_output_is_refused() {
    let checked = checked();
    let mut tx = custom(&checked, Some(TapSighashType::Single), None);
    let ours = tx.input.remove(0);
    let mut other = ours.clone();
    other.previous_output = bitcoin::OutPoint::new(funding_tx(1000).compute_txid(), 0);
    tx.input = vec![other, ours];
    let funding = [checked.terms().staking_tx.clone(), funding_tx(1000)];
    assert_eq!(checked.verify_staker_spend(&tx, &funding), Err(UnprovenSpend::SighashSingle));
}

#[test]
fn prevouts_of_all_inputs_enter_the_proof() {
    let previous = checked();
    let funding_tx = funding_tx(60_000);
    let new = stake_over(expansion_tx(&previous, 150_000, &funding_tx), &params());
    let expansion = new.check_expansion(&previous, &funding_tx.output[0]).unwrap();
    let signatures: Vec<_> = (0..3)
        .map(|number| {
            let set = expansion.sign_covenant(&member(number), &AUX).unwrap();
            (set.covenant, set.expansion.unwrap())
        })
        .collect();
    let staker_signature = staker().sign(expansion.sighash(), &AUX);
    let tx = expansion.assemble_previous_input(&signatures, &staker_signature).unwrap();
    let staking_tx = previous.terms().staking_tx.clone();
    assert_eq!(previous.verify_staker_spend(&tx, &[staking_tx.clone(), funding_tx.clone()]), Ok(0));
    assert_eq!(previous.classify_staking_spend(&tx), Some(SpendPath::Unbonding));
    let richer = TxOut { value: sat(60_001), ..funding_tx.output[0].clone() };
    let lie = Transaction { output: vec![richer], ..funding_tx };
    assert!(previous.verify_staker_spend(&tx, &[staking_tx, lie]).is_err());
}

fn edit_last(tx: &mut Transaction, from_end: usize, edit: impl Fn(&mut Vec<u8>)) {
    let mut elements = tx.input[0].witness.to_vec();
    let position = elements.len() - from_end;
    edit(&mut elements[position]);
    tx.input[0].witness = Witness::from_slice(&elements);
}
