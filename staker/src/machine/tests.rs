use super::*;
use crate::stake::example::{
    account, coin, delegation, member, params, params_of, provider, signed_tx, stake,
};
use btc_staking_bitcoin_node::RefusalKind;
use btc_staking_pos_chain::{Refusal, SlashedAt, message};
use btc_staking_protocol::{
    delegation::CovenantList,
    height::{BtcHeight, PosHeight},
    keys::AccountAddress,
};
use proptest::prelude::*;

fn covenant() -> Vec<(CovenantPublicKey, schnorr::Signature)> {
    delegation(&[0, 2]).covenant.unbonding
}
fn registered() -> Step {
    Step::Registered
}
fn verified() -> Step {
    Step::Verified { covenant: covenant() }
}
fn signed() -> Step {
    Step::Signed { covenant: covenant(), staking_tx: signed_tx() }
}
fn machine(step: Step) -> Machine {
    Machine::new(Stake { step, ..stake() }).unwrap()
}
fn reading(delegation: Option<Delegation>) -> Event {
    let delegation = delegation.map(|delegation| (delegation, params()));
    Event::ChainRead(Box::new(ChainReading { delegation, provider: Some(provider(None)) }))
}
fn slashed_reading() -> Event {
    let slashed = Some(SlashedAt { pos_height: PosHeight::new(1), btc_height: BtcHeight::new(1) });
    Event::ChainRead(Box::new(ChainReading {
        delegation: Some((delegation(&[0, 1, 2]), params())),
        provider: Some(provider(slashed)),
    }))
}
fn unknown_provider() -> Event {
    Event::ChainRead(Box::new(ChainReading {
        delegation: Some((delegation(&[0, 1, 2]), params())),
        provider: None,
    }))
}
fn accepted() -> MessageOutcome {
    MessageOutcome::Accepted { tx_hash: "AA".to_owned(), height: PosHeight::new(5) }
}
fn refused() -> MessageOutcome {
    refused_for(message::RefusalKind::Other)
}
fn refused_for(kind: message::RefusalKind) -> MessageOutcome {
    MessageOutcome::Refused(Refusal {
        kind,
        codespace: "btcstaking".to_owned(),
        code: 1108,
        text: "no".to_owned(),
    })
}
fn ended(reason: EndReason) -> Vec<Action> {
    vec![Action::Record(Step::Ended(reason.clone())), Action::Report(Report::Over(reason))]
}
fn request() -> Action {
    Action::Register(Box::new(machine(Step::Planned).request()))
}
fn check_coins() -> Action {
    Action::CheckCoins(vec![coin()])
}
fn missing(valid: &[u8], invalid: &[u8]) -> Action {
    let keys = |members: &[u8]| members.iter().map(|number| member(*number).public_key()).collect();
    Action::Report(Report::QuorumMissing(QuorumMissing {
        list: CovenantList::Slashing,
        quorum: 2,
        valid: keys(valid),
        invalid: keys(invalid),
    }))
}

#[test]
fn every_step_asks_for_its_next_action() {
    for (step, actions) in [
        (Step::Planned, vec![Action::ReadChain]),
        (registered(), vec![Action::ReadChain]),
        (verified(), vec![Action::ReadChain]),
        (signed(), vec![Action::ReadChain]),
        (Step::Ended(EndReason::Abandoned), vec![]),
    ] {
        assert_eq!(machine(step.clone()).on_event(Event::Tick), actions, "{step:?}");
    }
}

#[test]
fn what_the_chain_tells_decides_the_next_step() {
    let refusal = BroadcastRefusal { kind: RefusalKind::FeeTooLow, text: "low".to_owned() };
    let coin_spent = EndReason::CoinSpent(coin());
    let unknown = || Action::Report(Report::RegistrationUnknown("late".to_owned()));
    let rows: Vec<(Step, Event, Vec<Action>)> = vec![
        (Step::Planned, reading(None), vec![request()]),
        (
            Step::Planned,
            reading(Some(delegation(&[]))),
            vec![Action::Record(registered()), missing(&[], &[])],
        ),
        (Step::Planned, reading(Some(delegation(&[0, 2]))), vec![Action::Record(verified()), check_coins()]),
        (Step::Planned, Event::Registered(accepted()), vec![Action::Record(registered()), Action::ReadChain]),
        (
            Step::Planned,
            Event::Registered(MessageOutcome::AlreadyDone("known".to_owned())),
            vec![Action::Record(registered()), Action::ReadChain],
        ),
        (
            Step::Planned,
            Event::Registered(refused()),
            ended(EndReason::Refused("no (btcstaking/1108)".to_owned())),
        ),
        (Step::Planned, Event::RegistrationUnknown("late".to_owned()), vec![unknown()]),
        (registered(), reading(None), vec![Action::Report(Report::NotVisible)]),
        (registered(), reading(Some(delegation(&[1]))), vec![missing(&[1], &[])]),
        (registered(), reading(Some(delegation(&[0, 2]))), vec![Action::Record(verified()), check_coins()]),
        (verified(), reading(Some(delegation(&[0, 2]))), vec![check_coins()]),
        (verified(), Event::CoinsChecked(None), vec![Action::Sign]),
        (verified(), Event::CoinsChecked(Some(coin())), ended(coin_spent)),
        (verified(), Event::Signed(signed_tx()), vec![Action::Record(signed()), Action::ReadChain]),
        (signed(), Event::Broadcast(BroadcastOutcome::Accepted), vec![Action::Report(Report::Broadcast)]),
        (signed(), Event::Broadcast(BroadcastOutcome::AlreadyKnown), vec![Action::Report(Report::Broadcast)]),
        (
            signed(),
            Event::Broadcast(BroadcastOutcome::Refused(refusal.clone())),
            vec![Action::Report(Report::BroadcastRefused(refusal))],
        ),
        (signed(), reading(Some(delegation(&[]))), vec![Action::Broadcast(signed_tx())]),
        (signed(), slashed_reading(), vec![Action::Report(Report::ProviderSlashed)]),
        (signed(), unknown_provider(), vec![Action::Report(Report::ProviderNotVisible)]),
        (verified(), unknown_provider(), vec![Action::Report(Report::ProviderNotVisible)]),
        (signed(), Event::CoinsChecked(Some(coin())), vec![]),
    ];
    for (step, event, actions) in rows {
        let row = format!("{step:?} on {event:?}");
        assert_eq!(machine(step).on_event(event), actions, "{row}");
    }
}

#[test]
fn a_registration_refused_for_now_is_sent_again() {
    use message::RefusalKind as Kind;
    for kind in [Kind::NotNow, Kind::InsufficientFunds, Kind::HeaderUnknown, Kind::NotDeepEnough] {
        let mut machine = machine(Step::Planned);
        let told = Action::Report(Report::RegistrationRefused("no (btcstaking/1108)".to_owned()));
        assert_eq!(machine.on_event(Event::Registered(refused_for(kind))), [told], "{kind:?}");
        assert_eq!(machine.stake().step, Step::Planned);
        assert_eq!(machine.on_event(reading(None)), [request()], "{kind:?}");
    }
}

#[test]
fn a_stake_with_a_slashed_provider_ends_before_it_is_signed() {
    for step in [Step::Planned, registered(), verified()] {
        assert_eq!(machine(step).on_event(slashed_reading()), ended(EndReason::ProviderSlashed));
    }
}

#[test]
fn a_stake_can_be_given_up_until_it_is_signed() {
    for step in [Step::Planned, registered(), verified()] {
        assert_eq!(machine(step).on_event(Event::Abandon), ended(EndReason::Abandoned));
    }
    let too_late = vec![Action::Report(Report::TooLateToAbandon)];
    assert_eq!(machine(signed()).on_event(Event::Abandon), too_late);
}

/// A quorum as the chain counts it, with one member's signature forged in one of the three lists.
#[test]
fn a_quorum_with_a_forged_signature_is_no_quorum() {
    let honest = delegation(&[0, 1]);
    let other = delegation(&[2]);
    let mut slashing = honest.clone();
    slashing.covenant.slashing[1].1 = other.covenant.slashing[0].1.clone();
    let mut unbonding = honest.clone();
    unbonding.covenant.unbonding[1].1 = other.covenant.unbonding[0].1;
    let mut unbonding_slashing = honest.clone();
    unbonding_slashing.covenant.unbonding_slashing[1].1 = honest.covenant.slashing[1].1.clone();
    for (list, forged) in [
        (CovenantList::Slashing, slashing),
        (CovenantList::Unbonding, unbonding),
        (CovenantList::UnbondingSlashing, unbonding_slashing),
    ] {
        let actions = machine(registered()).on_event(reading(Some(forged)));
        let [Action::Report(Report::QuorumMissing(missing))] = actions.as_slice() else {
            panic!("{list}: {actions:?}");
        };
        assert_eq!((missing.list, missing.valid.len(), missing.invalid.len()), (list, 1, 1));
    }
}

#[test]
fn another_delegation_under_our_txid_ends_the_stake() {
    let mut account_differs = delegation(&[0, 1]);
    account_differs.staker_account = AccountAddress::from_bytes("bbn", &[8; 20]).unwrap();
    let mut terms_differ = delegation(&[0, 1]);
    terms_differ.terms.unbonding_tx.output[0].value -= bitcoin::Amount::from_sat(1);
    let mut index_differs = delegation(&[0, 1]);
    index_differs.staking_output_index = 1;
    for told in [account_differs, terms_differ, index_differs] {
        let actions = machine(registered()).on_event(reading(Some(told)));
        assert!(matches!(actions[0], Action::Record(Step::Ended(EndReason::Contradicted(_)))), "{actions:?}");
    }
    let foreign = Event::ChainRead(Box::new(ChainReading {
        delegation: Some((delegation(&[0, 1]), params_of([3, 4, 5]))),
        provider: None,
    }));
    let actions = machine(registered()).on_event(foreign);
    assert!(matches!(actions[0], Action::Record(Step::Ended(EndReason::Contradicted(_)))), "{actions:?}");
    assert_eq!(account(), stake().account);
}

#[test]
fn a_signed_transaction_of_another_stake_is_refused() {
    let mut other = signed_tx();
    other.output[0].value -= bitcoin::Amount::from_sat(1);
    let actions = machine(verified()).on_event(Event::Signed(other));
    assert_eq!(actions, [Action::Report(Report::WrongTransaction)]);
}

#[test]
fn strangers_and_invalid_signatures_are_not_kept_for_leaving() {
    let mut told = delegation(&[0, 2]);
    let stranger = (member(9).public_key(), told.covenant.unbonding[0].1);
    let invalid = (member(1).public_key(), told.covenant.unbonding[0].1);
    told.covenant.unbonding.insert(0, stranger);
    told.covenant.unbonding.insert(0, invalid);
    told.covenant.unbonding.push(told.covenant.unbonding[2]);
    let mut machine = machine(registered());
    machine.on_event(reading(Some(told)));
    assert_eq!(machine.stake().covenant().unwrap(), covenant());
}

fn any_event() -> impl Strategy<Value = u8> {
    0..12_u8
}
fn event(number: u8) -> Event {
    match number {
        0 => Event::Tick,
        1 => reading(None),
        2 => reading(Some(delegation(&[]))),
        3 => reading(Some(delegation(&[0, 1, 2]))),
        4 => slashed_reading(),
        5 => Event::Registered(accepted()),
        6 => Event::Registered(refused()),
        7 => Event::CoinsChecked(None),
        8 => Event::CoinsChecked(Some(coin())),
        9 => Event::Signed(signed_tx()),
        10 => Event::Broadcast(BroadcastOutcome::Accepted),
        _ => Event::Abandon,
    }
}
fn rank(step: &Step) -> u8 {
    match step {
        Step::Planned => 0,
        Step::Registered => 1,
        Step::Verified { .. } => 2,
        Step::Signed { .. } => 3,
        Step::Ended(_) => 4,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens in whatever order: steps only go forward, nothing is signed or broadcast before the step that
    /// allows it was recorded, and a signed stake never frees its coins.
    #[test]
    fn no_order_of_events_moves_coins_too_early(events in proptest::collection::vec(any_event(), 1..16)) {
        let mut machine = machine(Step::Planned);
        let mut recorded = Step::Planned;
        let mut quorum_told = false;
        for number in events {
            quorum_told |= number == 3;
            for action in machine.on_event(event(number)) {
                match action {
                    Action::Record(step) => {
                        prop_assert!(rank(&step) > rank(&recorded));
                        prop_assert!(rank(&recorded) < 3, "nothing follows a signature or an end");
                        prop_assert!(rank(&step) != 2 && rank(&step) != 3 || quorum_told);
                        recorded = step;
                    }
                    Action::Sign => prop_assert_eq!(rank(&recorded), 2),
                    Action::Broadcast(_) => {
                        prop_assert_eq!(rank(&recorded), 3);
                        prop_assert!(number == 1 || number == 2 || number == 3, "the provider was just seen unslashed");
                    }
                    Action::Register(_) => prop_assert_eq!(rank(&recorded), 0),
                    Action::ReadChain => prop_assert!(rank(&recorded) < 4),
                    Action::CheckCoins(_) => prop_assert!(rank(&recorded) < 3),
                    Action::Report(_) => {}
                }
            }
            prop_assert_eq!(&machine.stake().step, &recorded, "what is known is what is recorded");
        }
    }
}
