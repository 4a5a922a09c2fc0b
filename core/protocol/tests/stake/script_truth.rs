//! Script truth: Bitcoin Core's interpreter accepts every witness we assemble and refuses every single deviation.

use crate::{
    example::*,
    interpreter::{accepts, is_accepted, is_accepted_serialised, refuses},
};
use bitcoin::{
    FeeRate, ScriptBuf, Sequence, Transaction, TxOut, Witness,
    consensus::encode::{deserialize, serialize},
    secp256k1::schnorr,
    transaction::Version,
};
use btc_staking_protocol::{
    delegation::{CheckedDelegation, SlashedOutput},
    keys::FinalityProviderPublicKey,
    output::Leaf,
    params::StakingParams,
    sighash::single_input_sighash,
    tx::withdrawal::{WithdrawalInput, build_withdrawal},
};

/// One signed spend as Bitcoin sees it.
struct Spend {
    name: &'static str,
    tx: Transaction,
    /// What all inputs spend; ours is input 0.
    prevouts: Vec<TxOut>,
    /// Slots of the covenant at the bottom of the witness.
    covenant_slots: usize,
}

fn withdraw(input: WithdrawalInput) -> Transaction {
    let destination = ScriptBuf::from_hex("00140202020202020202020202020202020202020202").unwrap();
    let feerate = FeeRate::from_sat_per_vb(5).unwrap();
    build_withdrawal(vec![input], destination, feerate).unwrap().sign(&staker(), &AUX).unwrap()
}

fn refund_prevout(checked: &CheckedDelegation) -> TxOut {
    checked.slashing_tx(SlashedOutput::Staking).output[1].clone()
}

/// Every spend this crate can assemble, for the worked example.
fn spends() -> Vec<Spend> {
    let checked = checked();
    let signatures = signed_by(&checked, 0..5);
    let staking = vec![checked.staking_prevout()];
    let unbonding = vec![checked.unbonding_prevout()];
    let unbonding_signature = staker().sign(checked.sighashes().unbonding, &AUX);
    let spend = |name, tx, prevouts, covenant_slots| Spend { name, tx, prevouts, covenant_slots };
    vec![
        spend("staking output, timelock", withdraw(checked.withdraw_expired_stake()), staking.clone(), 0),
        spend(
            "staking output, unbonding",
            checked.assemble_unbonding(&signatures, &unbonding_signature).unwrap(),
            staking.clone(),
            5,
        ),
        spend(
            "staking output, slashing",
            checked.assemble_slashing(&signatures, &provider(), &AUX).unwrap(),
            staking,
            5,
        ),
        spend(
            "unbonding output, timelock",
            withdraw(checked.withdraw_unbonding_output()),
            unbonding.clone(),
            0,
        ),
        spend(
            "unbonding output, slashing",
            checked.assemble_unbonding_slashing(&signatures, &provider(), &AUX).unwrap(),
            unbonding,
            5,
        ),
        spend(
            "slashing refund, timelock",
            withdraw(checked.withdraw_slashing_refund(SlashedOutput::Staking)),
            vec![refund_prevout(&checked)],
            0,
        ),
        expansion_spend(&checked),
    ]
}

fn expansion_spend(previous: &CheckedDelegation) -> Spend {
    let funding = funding_tx(60_000);
    let new = stake_over(expansion_tx(previous, 150_000, &funding), &params());
    let expansion = new.check_expansion(previous, &funding.output[0]).unwrap();
    let signatures: Vec<_> = (0..5)
        .map(|number| {
            let set = expansion.sign_covenant(&member(number), &AUX).unwrap();
            (set.covenant, set.expansion.unwrap())
        })
        .collect();
    let staker_signature = staker().sign(expansion.sighash(), &AUX);
    Spend {
        name: "staking output, expansion",
        tx: expansion.assemble_previous_input(&signatures, &staker_signature).unwrap(),
        prevouts: vec![previous.staking_prevout(), funding.output[0].clone()],
        covenant_slots: 5,
    }
}

fn with_elements(tx: &Transaction, elements: &[Vec<u8>]) -> Transaction {
    let mut changed = tx.clone();
    changed.input[0].witness = Witness::from_slice(elements);
    changed
}

#[test]
fn bitcoin_accepts_every_witness_we_assemble() {
    for spend in spends() {
        assert!(is_accepted(&spend.tx, 0, &spend.prevouts), "{}", spend.name);
    }
}

#[test]
fn bitcoin_refuses_a_flip_of_any_bit_of_any_witness() {
    for spend in spends() {
        let elements = spend.tx.input[0].witness.to_vec();
        for (position, element) in elements.iter().enumerate() {
            for bit in 0..element.len() * 8 {
                let mut flipped = elements.clone();
                flipped[position][bit / 8] ^= 1 << (bit % 8);
                let tx = with_elements(&spend.tx, &flipped);
                assert!(
                    !is_accepted(&tx, 0, &spend.prevouts),
                    "{}: bit {bit} of element {position}",
                    spend.name
                );
            }
        }
    }
}

#[test]
fn bitcoin_refuses_a_flip_of_any_bit_of_any_transaction() {
    for spend in spends() {
        let witnesses: Vec<_> = spend.tx.input.iter().map(|input| input.witness.clone()).collect();
        let mut stripped = spend.tx.clone();
        stripped.input.iter_mut().for_each(|input| input.witness.clear());
        let stripped = serialize(&stripped);
        for bit in 0..stripped.len() * 8 {
            let mut flipped = stripped.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let Ok(mut tx) = deserialize::<Transaction>(&flipped) else { continue };
            if tx.input.len() != witnesses.len() {
                continue;
            }
            for (input, witness) in tx.input.iter_mut().zip(&witnesses) {
                input.witness = witness.clone();
            }
            let accepted = is_accepted_serialised(&serialize(&tx), 0, &spend.prevouts);
            assert!(!accepted, "{}: bit {bit}", spend.name);
        }
    }
}

#[test]
fn bitcoin_refuses_the_same_witness_for_another_amount_or_output() {
    for spend in spends() {
        for index in 0..spend.prevouts.len() {
            let mut richer = spend.prevouts.clone();
            richer[index].value += sat(1);
            assert!(!is_accepted(&spend.tx, 0, &richer), "{}: value of prevout {index}", spend.name);
            let mut elsewhere = spend.prevouts.clone();
            let mut script = elsewhere[index].script_pubkey.to_bytes();
            script[5] ^= 1;
            elsewhere[index].script_pubkey = ScriptBuf::from_bytes(script);
            assert!(!is_accepted(&spend.tx, 0, &elsewhere), "{}: script of prevout {index}", spend.name);
        }
    }
}

#[test]
fn bitcoin_refuses_missing_added_and_exchanged_elements() {
    for spend in spends() {
        let elements = spend.tx.input[0].witness.to_vec();
        for position in 0..elements.len() {
            let mut fewer = elements.clone();
            fewer.remove(position);
            refuses(&with_elements(&spend.tx, &fewer), 0, &spend.prevouts, "an element missing");
            for extra in [vec![], elements[position].clone()] {
                let mut more = elements.clone();
                more.insert(position, extra);
                refuses(&with_elements(&spend.tx, &more), 0, &spend.prevouts, "an element too many");
            }
            for other in (position + 1)..elements.len() {
                if elements[position] == elements[other] {
                    continue;
                }
                let mut exchanged = elements.clone();
                exchanged.swap(position, other);
                refuses(&with_elements(&spend.tx, &exchanged), 0, &spend.prevouts, "elements exchanged");
            }
        }
        let mut annexed = elements;
        annexed.push(vec![0x50, 1]);
        refuses(&with_elements(&spend.tx, &annexed), 0, &spend.prevouts, "an annex nobody signed");
    }
}

#[test]
fn bitcoin_refuses_one_covenant_signature_too_few() {
    for spend in spends().iter().filter(|spend| spend.covenant_slots > 0) {
        let elements = spend.tx.input[0].witness.to_vec();
        for slot in (0..spend.covenant_slots).filter(|slot| !elements[*slot].is_empty()) {
            let mut fewer = elements.clone();
            fewer[slot].clear();
            refuses(&with_elements(&spend.tx, &fewer), 0, &spend.prevouts, "a quorum less one");
        }
    }
}

/// All five valid signatures on each covenant spend, in witness order (members 1, 2, 4, 3, 0).
fn all_signatures() -> Vec<(usize, Vec<schnorr::Signature>)> {
    let checked = checked();
    let key = provider().decryption_key();
    let order = [1, 2, 4, 3, 0];
    let sets = order.map(|number| checked.sign_covenant(&member(number), &AUX).unwrap());
    vec![
        (1, sets.iter().map(|set| set.unbonding).collect()),
        (2, sets.iter().map(|set| set.slashing[0].decrypt(&key).unwrap()).collect()),
        (4, sets.iter().map(|set| set.unbonding_slashing[0].decrypt(&key).unwrap()).collect()),
    ]
}

#[test]
fn bitcoin_accepts_any_quorum_and_refuses_one_signature_too_many() {
    let spends = spends();
    for (number, signatures) in all_signatures() {
        let spend = &spends[number];
        for subset in 0u32..32 {
            let mut elements = spend.tx.input[0].witness.to_vec();
            for (slot, signature) in signatures.iter().enumerate() {
                let filled = subset & (1 << slot) != 0;
                elements[slot] = if filled { signature.serialize().to_vec() } else { vec![] };
            }
            let accepted = is_accepted(&with_elements(&spend.tx, &elements), 0, &spend.prevouts);
            assert_eq!(accepted, subset.count_ones() == 3, "{}: signers {subset:05b}", spend.name);
        }
    }
}

/// A spend through `leaf` with these parameters, correctly signed by the staker for exactly what it is.
fn timelock_spend(
    prevout: &TxOut,
    leaf: &Leaf,
    input: &WithdrawalInput,
    version: Version,
    sequence: Sequence,
) -> Transaction {
    let mut tx = tx_paying(vec![TxOut { value: sat(1000), script_pubkey: prevout.script_pubkey.clone() }]);
    tx.version = version;
    tx.input[0].previous_output = input.outpoint();
    tx.input[0].sequence = sequence;
    let signature = staker().sign(single_input_sighash(&tx, prevout, leaf).unwrap(), &AUX);
    let elements =
        [signature.serialize().to_vec(), leaf.script().to_bytes(), leaf.control_block().serialize()];
    with_elements(&tx, &elements)
}

#[test]
fn bitcoin_refuses_a_withdrawal_one_block_early_or_with_a_wrong_sequence() {
    let checked = checked();
    let outputs = checked.outputs();
    let cases = [
        (checked.staking_prevout(), outputs.staking.timelock_leaf(), checked.withdraw_expired_stake()),
        (checked.unbonding_prevout(), outputs.unbonding.timelock_leaf(), checked.withdraw_unbonding_output()),
        (
            refund_prevout(&checked),
            outputs.refund.timelock_leaf(),
            checked.withdraw_slashing_refund(SlashedOutput::Staking),
        ),
    ];
    for (prevout, leaf, input) in &cases {
        let lock = u32::from(input.timelock());
        let spend = |version, sequence| timelock_spend(prevout, leaf, input, version, Sequence(sequence));
        let prevouts = [prevout.clone()];
        accepts(&spend(Version::TWO, lock), 0, &prevouts);
        accepts(&spend(Version::TWO, lock + 1), 0, &prevouts);
        refuses(&spend(Version::TWO, lock - 1), 0, &prevouts, "a sequence one block early");
        refuses(&spend(Version::TWO, 0), 0, &prevouts, "sequence 0");
        refuses(&spend(Version::TWO, u32::MAX), 0, &prevouts, "a final sequence");
        refuses(&spend(Version::TWO, lock | 1 << 31), 0, &prevouts, "relative locks disabled");
        refuses(&spend(Version::TWO, lock | 1 << 22), 0, &prevouts, "a lock in time");
        refuses(&spend(Version::ONE, lock), 0, &prevouts, "version 1, where relative locks are inert");
    }
}

#[test]
fn bitcoin_refuses_signatures_moved_to_another_leaf() {
    let checked = checked();
    let spends = spends();
    let staking = checked.outputs().staking.leaves();
    let unbonding = checked.outputs().unbonding.leaves();
    for (number, own, leaves) in
        [(0, 0, staking), (1, 1, staking), (2, 2, staking), (3, 0, unbonding), (4, 1, unbonding)]
    {
        let spend = &spends[number];
        let elements = spend.tx.input[0].witness.to_vec();
        for (index, leaf) in leaves.iter().enumerate() {
            let mut moved = elements[..elements.len() - 2].to_vec();
            moved.push(leaf.script().to_bytes());
            moved.push(leaf.control_block().serialize());
            let accepted = is_accepted(&with_elements(&spend.tx, &moved), 0, &spend.prevouts);
            assert_eq!(accepted, index == own, "{} through the {} leaf", spend.name, leaf.path());
        }
    }
}

#[test]
fn bitcoin_refuses_a_slashing_with_two_or_no_provider_signatures() {
    let second = other_provider(1);
    let providers = vec![provider_key(), FinalityProviderPublicKey::new(*second.public_key())];
    let forge = Forge { providers, ..Forge::default() };
    let checked = forge.make().check(&params()).unwrap();
    let signatures = signed_by(&checked, 0..3);
    let prevouts = [checked.staking_prevout()];
    let [one, other] =
        [&provider(), &second].map(|secret| checked.assemble_slashing(&signatures, secret, &AUX).unwrap());
    accepts(&one, 0, &prevouts);
    accepts(&other, 0, &prevouts);
    let [one, other] = [one, other].map(|tx| tx.input[0].witness.to_vec());
    let slot = (5..7).find(|slot| !other[*slot].is_empty()).unwrap();
    let mut both = one.clone();
    both[slot] = other[slot].clone();
    let tx = checked.slashing_tx(SlashedOutput::Staking);
    refuses(&with_elements(tx, &both), 0, &prevouts, "two provider signatures");
    let mut neither = one;
    (5..7).for_each(|slot| neither[slot].clear());
    refuses(&with_elements(tx, &neither), 0, &prevouts, "no provider signature");
}

#[test]
fn bitcoin_accepts_committees_and_provider_lists_of_every_size() {
    for members in [1u8, 2, 3, 9, 20] {
        for providers in [1u8, 2, 10] {
            let quorum = u32::from(members) / 2 + 1;
            let mut params = fields();
            params.covenant_committee = committee(0..members, quorum);
            let secrets: Vec<_> = (0..providers).map(other_provider).collect();
            let keys =
                secrets.iter().map(|secret| FinalityProviderPublicKey::new(*secret.public_key())).collect();
            let forge = Forge { params: params.clone(), providers: keys, ..Forge::default() };
            let params = StakingParams::new(params).unwrap();
            let checked = forge.make().check(&params).unwrap();
            let signatures = signed_by(&checked, 0..members);
            let staker_signature = staker().sign(checked.sighashes().unbonding, &AUX);
            let unbonding = checked.assemble_unbonding(&signatures, &staker_signature).unwrap();
            accepts(&unbonding, 0, &[checked.staking_prevout()]);
            for secret in &secrets {
                let slashing = checked.assemble_slashing(&signatures, secret, &AUX).unwrap();
                accepts(&slashing, 0, &[checked.staking_prevout()]);
                let slashing = checked.assemble_unbonding_slashing(&signatures, secret, &AUX).unwrap();
                accepts(&slashing, 0, &[checked.unbonding_prevout()]);
            }
        }
    }
}
