//! Stake expansion: two stakes, two inputs, two committees.

use crate::{example::*, interpreter::accepts};
use bitcoin::{Amount, ScriptBuf, Transaction, TxOut};
use btc_staking_protocol::{
    delegation::{
        CannotSign, CheckedDelegation, CovenantList, CovenantSignatureRefusal, Delegation, DelegationStatus,
        ExpansionRecord, ExpansionRefusal, ExpansionRequest, StakeKind,
    },
    keys::{AccountAddress, FinalityProviderPublicKey, StakerSecret},
    params::StakingParams,
    tx::expansion::{ExpansionTxRefusal, check_expansion_tx},
};

fn params_with(members: impl IntoIterator<Item = u8>, quorum: u32) -> StakingParams {
    let mut fields = fields();
    fields.covenant_committee = committee(members, quorum);
    StakingParams::new(fields).unwrap()
}

/// A stake of `value` over an expansion transaction of the worked example, under params of any committee.
fn expanded(params: &StakingParams, value: u64, funding: u64) -> (CheckedDelegation, TxOut) {
    let previous = checked();
    let funding_tx = funding_tx(funding);
    let mut tx = expansion_tx(&previous, value, &funding_tx);
    let keys = Forge { params: (**params).clone(), ..Forge::default() }.outputs();
    tx.output[0].script_pubkey = keys.staking.script_pubkey();
    (stake_over(tx, params), funding_tx.output[0].clone())
}

#[test]
fn a_member_of_both_committees_signs_an_expansion_whole() {
    let previous = checked();
    // The new committee shares members 2, 3 and 4 with the old one.
    let (new, funding) = expanded(&params_with(2..7, 3), 150_000, 60_000);
    let expansion = new.check_expansion(&previous, &funding).unwrap();
    let sets: Vec<_> = (2..5).map(|number| expansion.sign_covenant(&member(number), &AUX).unwrap()).collect();
    for set in &sets {
        expansion.verify_covenant(set).unwrap();
    }
    let signatures: Vec<_> = sets.iter().map(|set| (set.covenant, set.expansion.unwrap())).collect();
    expansion.verify_previous_quorum(&signatures).unwrap();
    let staker_signature = staker().sign(expansion.sighash(), &AUX);
    let tx = expansion.assemble_previous_input(&signatures, &staker_signature).unwrap();
    accepts(&tx, 0, &[previous.staking_prevout(), funding]);
}

#[test]
fn a_member_of_only_one_committee_cannot_sign_an_expansion() {
    let previous = checked();
    let (new, funding) = expanded(&params_with(2..7, 3), 150_000, 60_000);
    let expansion = new.check_expansion(&previous, &funding).unwrap();
    for number in [0, 1, 5, 6] {
        let refused = expansion.sign_covenant(&member(number), &AUX);
        assert_eq!(refused, Err(CannotSign::NotAMember(member_key(number))), "member {number}");
    }
}

#[test]
fn an_expansion_without_or_with_a_wrong_expansion_signature_is_refused() {
    let previous = checked();
    let (new, funding) = expanded(&params(), 150_000, 60_000);
    let expansion = new.check_expansion(&previous, &funding).unwrap();
    let mut set = expansion.sign_covenant(&member(0), &AUX).unwrap();
    let signature = set.expansion.take();
    assert_eq!(expansion.verify_covenant(&set), Err(CovenantSignatureRefusal::ExpansionMissing));
    set.expansion = Some(set.unbonding);
    let refused = CovenantSignatureRefusal::Invalid { list: CovenantList::Expansion, member: member_key(0) };
    assert_eq!(expansion.verify_covenant(&set), Err(refused));
    // Two valid signatures of one member are not two members.
    let one = (member_key(0), signature.unwrap());
    let missing = expansion.verify_previous_quorum(&[one, one, one]).unwrap_err();
    assert_eq!((missing.list, missing.valid.len(), missing.quorum), (CovenantList::Expansion, 1, 3));
}

#[test]
fn an_expansion_signature_commits_to_the_funding_output() {
    let previous = checked();
    let (new, funding) = expanded(&params(), 150_000, 60_000);
    let told_less = TxOut { value: funding.value - sat(1), ..funding.clone() };
    let honest = new.check_expansion(&previous, &funding).unwrap();
    let lied_to = new.check_expansion(&previous, &told_less).unwrap();
    assert_ne!(honest.sighash(), lied_to.sighash());
}

#[test]
fn a_stake_known_to_be_an_expansion_is_not_signed_as_an_ordinary_one() {
    let (new, funding) = expanded(&params(), 150_000, 60_000);
    let told = Delegation {
        staker_account: AccountAddress::from_bytes("bbn", &[7; 20]).unwrap(),
        terms: new.terms().clone(),
        staking_output_index: 0,
        params_version: new.params_version(),
        inclusion: None,
        covenant: signed_by(&new, 0..1),
        unbonded: None,
        expansion: Some(ExpansionRecord {
            previous_staking_txid: checked().staking_txid(),
            other_funding_output: funding,
            previous_covenant: vec![],
        }),
        status: DelegationStatus::Pending,
    };
    let rebuilt = told.rebuild(&params()).unwrap();
    assert_eq!(rebuilt.kind(), StakeKind::Expansion);
    assert_eq!(rebuilt.sign_covenant(&member(0), &AUX), Err(CannotSign::PreviousStakeNeeded));
    let ordinary = new.sign_covenant(&member(0), &AUX).unwrap();
    assert_eq!(rebuilt.verify_covenant(&ordinary), Err(CovenantSignatureRefusal::ExpansionMissing));
}

#[test]
fn an_expansion_to_another_provider_or_owner_is_refused() {
    let previous = checked();
    let funding_tx = funding_tx(60_000);
    let other = FinalityProviderPublicKey::new(*other_provider(1).public_key());
    let owner = || StakerSecret::from_bytes(&secret_bytes(b"another staker")).unwrap();
    for (forge, by_any_staker) in [
        (Forge { providers: vec![other], value: sat(150_000), ..Forge::default() }, false),
        (Forge { staker: owner(), value: sat(150_000), ..Forge::default() }, true),
    ] {
        let input = expansion_tx(&previous, 150_000, &funding_tx).input;
        let forge = Forge { staking: Box::new(move |tx| tx.input = input.clone()), ..forge };
        let new = forge.make().check(&params()).unwrap();
        let refused = new.check_expansion(&previous, &funding_tx.output[0]).unwrap_err();
        assert!(
            matches!(
                refused,
                ExpansionRefusal::OtherFinalityProviders { .. } | ExpansionRefusal::OtherStaker { .. }
            ),
            "{refused:?}"
        );
        let unowned = new.check_expansion_by_any_staker(&previous, &funding_tx.output[0]);
        assert_eq!(unowned.is_ok(), by_any_staker, "only the owner may differ: {:?}", unowned.err());
    }
}

#[test]
fn a_stake_over_another_transaction_expands_nothing() {
    let previous = checked();
    let funding = funding_tx(60_000).output[0].clone();
    let unrelated = Forge { value: sat(150_000), ..Forge::default() }.make().check(&params()).unwrap();
    assert_eq!(
        unrelated.check_expansion(&previous, &funding).unwrap_err(),
        ExpansionRefusal::Tx(ExpansionTxRefusal::InputCount(1))
    );
    let (smaller, funding) = expanded(&params(), 99_000, 60_000);
    assert!(matches!(
        smaller.check_expansion(&previous, &funding).unwrap_err(),
        ExpansionRefusal::Tx(ExpansionTxRefusal::Smaller { .. })
    ));
    let (new, funding) = expanded(&params(), 150_000, 60_000);
    let other_previous = Forge { value: sat(90_000), ..Forge::default() }.make().check(&params()).unwrap();
    assert!(matches!(
        new.check_expansion(&other_previous, &funding).unwrap_err(),
        ExpansionRefusal::Tx(ExpansionTxRefusal::NotThePreviousStake { .. })
    ));
}

#[test]
fn committees_with_too_few_common_members_are_refused() {
    let previous = checked();
    let (new, funding) = expanded(&params_with(3..8, 3), 150_000, 60_000);
    let refused = new.check_expansion(&previous, &funding).unwrap_err();
    assert_eq!(refused, ExpansionRefusal::CommitteesDisjoint { common: 2, quorum: 3 });
}

#[test]
fn every_rule_of_an_expansion_transaction_refuses_alone() {
    let previous = checked();
    let stake = previous.as_previous_stake();
    type Row = (fn(&mut Transaction, &mut Transaction, &mut Amount), fn(&ExpansionTxRefusal) -> bool);
    let rows: [Row; 9] = [
        (|tx, _, _| tx.output.clear(), |r| matches!(r, ExpansionTxRefusal::Insane(_))),
        (|tx, _, _| tx.input.truncate(1), |r| matches!(r, ExpansionTxRefusal::InputCount(1))),
        (
            |tx, _, _| {
                let mut third = tx.input[1].clone();
                third.previous_output.vout = 9;
                tx.input.push(third);
            },
            |r| matches!(r, ExpansionTxRefusal::InputCount(3)),
        ),
        (
            |tx, _, _| tx.input[0].previous_output.vout = 1,
            |r| matches!(r, ExpansionTxRefusal::NotThePreviousStake { .. }),
        ),
        (
            |_, funding, _| funding.output[0].value += sat(1),
            |r| matches!(r, ExpansionTxRefusal::NotTheFundingTx { .. }),
        ),
        (
            |tx, _, _| tx.input[1].previous_output.vout = 1,
            |r| matches!(r, ExpansionTxRefusal::FundingIndex { index: 1, outputs: 1 }),
        ),
        (
            |tx, funding, _| {
                funding.output[0].value = Amount::ZERO;
                tx.input[1].previous_output.txid = funding.compute_txid();
            },
            |r| matches!(r, ExpansionTxRefusal::NoFundingValue),
        ),
        (|_, _, value| *value = sat(99_999), |r| matches!(r, ExpansionTxRefusal::Smaller { .. })),
        (
            |tx, _, _| tx.output.push(TxOut { value: sat(10_000), script_pubkey: ScriptBuf::new() }),
            |r| matches!(r, ExpansionTxRefusal::NoFee { .. }),
        ),
    ];
    for (index, (edit, expected)) in rows.into_iter().enumerate() {
        let mut funding = funding_tx(60_000);
        let mut tx = expansion_tx(&previous, 150_000, &funding);
        let mut value = sat(150_000);
        check_expansion_tx(&tx, stake, &funding, value).unwrap();
        edit(&mut tx, &mut funding, &mut value);
        let refused = check_expansion_tx(&tx, stake, &funding, value).unwrap_err();
        assert!(expected(&refused), "row {index}: {refused:?}");
    }
}

#[test]
fn a_request_finds_its_funding_output_by_txid_and_index() {
    let previous = checked();
    let funding_tx = funding_tx(60_000);
    let tx = expansion_tx(&previous, 150_000, &funding_tx);
    let request = ExpansionRequest { previous_staking_txid: previous.staking_txid(), funding_tx };
    assert_eq!(request.find_funding_output(&tx).unwrap(), request.funding_tx.output[0]);
    let mut elsewhere = tx.clone();
    elsewhere.input[0].previous_output.txid = tx.compute_txid();
    assert!(matches!(
        request.find_funding_output(&elsewhere),
        Err(ExpansionTxRefusal::NotThePreviousTx { .. })
    ));
    let mut unfunded = tx.clone();
    unfunded.input[1].previous_output.txid = tx.compute_txid();
    assert!(matches!(
        request.find_funding_output(&unfunded),
        Err(ExpansionTxRefusal::NotTheFundingTx { .. })
    ));
    let mut out_of_range = tx;
    out_of_range.input[1].previous_output.vout = 1;
    assert!(matches!(
        request.find_funding_output(&out_of_range),
        Err(ExpansionTxRefusal::FundingIndex { .. })
    ));
}
