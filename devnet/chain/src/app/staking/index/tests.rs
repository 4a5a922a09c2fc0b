use super::*;
use crate::{
    app::staking::params::VERSIONS,
    state::{Backend, Meter, Writes, memory::MemoryBackend},
};
use bitcoin::hashes::Hash;
use btc_staking_babylon::proto::btcstaking::{
    BTCUndelegation, CovenantAdaptorSignatures, DelegatorUnbondingInfo, Params, SignatureInfo,
};
use btc_staking_protocol::params::ParamsVersion;
use proptest::prelude::*;
use std::collections::BTreeMap;

const QUORUM: usize = 2;
const UNBONDING: u32 = 3;

/// What a block may do to a delegation or to Bitcoin.
#[derive(Debug, Clone)]
enum Step {
    Register(u8),
    Sign(u8),
    Prove { stake: u8, start: u32, time: u32 },
    Spend(u8),
    Forget(u8),
    Tip(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let stake = || 0u8..6;
    prop_oneof![
        stake().prop_map(Step::Register),
        stake().prop_map(Step::Sign),
        (stake(), 1u32..20, 1u32..12).prop_map(|(stake, start, time)| Step::Prove { stake, start, time }),
        stake().prop_map(Step::Spend),
        stake().prop_map(Step::Forget),
        (0u32..30).prop_map(Step::Tip),
    ]
}

fn txid(stake: u8) -> Txid {
    Txid::from_byte_array([stake; 32])
}

fn edit(state: &mut State<'_>, stake: u8, change: impl FnOnce(&mut BTCDelegation)) {
    if let Some(mut record) = DELEGATIONS.get(state, &txid(stake)).unwrap() {
        change(&mut record);
        DELEGATIONS.put(state, &txid(stake), &record).unwrap();
    }
}

fn apply(state: &mut State<'_>, step: &Step) {
    match *step {
        Step::Register(stake) => {
            let record = BTCDelegation {
                unbonding_time: UNBONDING,
                btc_undelegation: Some(BTCUndelegation::default()),
                ..Default::default()
            };
            DELEGATIONS.put(state, &txid(stake), &record).unwrap();
        }
        Step::Sign(stake) => edit(state, stake, |record| {
            record.covenant_sigs.push(CovenantAdaptorSignatures::default());
            let part = record.btc_undelegation.get_or_insert_default();
            part.covenant_unbonding_sig_list.push(SignatureInfo::default());
            part.covenant_slashing_sigs.push(CovenantAdaptorSignatures::default());
        }),
        Step::Prove { stake, start, time } => edit(state, stake, |record| {
            (record.start_height, record.end_height) = (start, start + time);
        }),
        Step::Spend(stake) => edit(state, stake, |record| {
            record.btc_undelegation.get_or_insert_default().delegator_unbonding_info =
                Some(DelegatorUnbondingInfo::default());
        }),
        Step::Forget(stake) => {
            if DELEGATIONS.has(state, &txid(stake)).unwrap() {
                DELEGATIONS.delete(state, &txid(stake)).unwrap();
            }
        }
        Step::Tip(height) => light_client::pretend_tip(state, BtcHeight::new(height)).unwrap(),
    }
}

/// Runs a block and commits it.
fn block(backend: &mut MemoryBackend, run: impl FnOnce(&mut State<'_>)) {
    let meter = Meter::unlimited();
    let mut state = State::new(backend, &meter);
    run(&mut state);
    update(&mut state).unwrap();
    let writes = state.into_writes();
    backend.commit(&writes, &Writes::new()).unwrap();
}

fn genesis(state: &mut State<'_>) {
    let quorum = u32::try_from(QUORUM).unwrap();
    VERSIONS
        .put(state, &ParamsVersion(0), &Params { covenant_quorum: quorum, ..Default::default() })
        .unwrap();
    light_client::pretend_tip(state, BtcHeight::new(10)).unwrap();
}

/// The status by the rows of 6.2, written once more.
fn naive(record: &BTCDelegation, tip: u32) -> BTCDelegationStatus {
    let part = record.btc_undelegation.as_ref().unwrap();
    if part.delegator_unbonding_info.is_some() {
        return BTCDelegationStatus::Unbonded;
    }
    if record.covenant_sigs.len() < QUORUM {
        return BTCDelegationStatus::Pending;
    }
    if record.start_height == 0 {
        return BTCDelegationStatus::Verified;
    }
    if tip < record.start_height {
        return BTCDelegationStatus::Unbonded;
    }
    if tip + record.unbonding_time >= record.end_height {
        return BTCDelegationStatus::Expired;
    }
    BTCDelegationStatus::Active
}

type Contents = (BTreeSet<(u8, Txid)>, BTreeMap<u8, u64>);

/// The index and its counts as they are, and as they follow from every delegation.
fn both(backend: &MemoryBackend) -> [Contents; 2] {
    let meter = Meter::unlimited();
    let state = State::new(backend, &meter);
    let tip = light_client::tip_height(&state).unwrap().to_u32();
    let found: BTreeSet<_> = BY_STATUS.scan(&state, Order::Ascending).map(|entry| entry.unwrap().0).collect();
    let counts = COUNTS.scan(&state, Order::Ascending).map(Result::unwrap).filter(|(_, count)| *count > 0);
    let expected: BTreeSet<_> = DELEGATIONS
        .scan(&state, Order::Ascending)
        .map(|entry| entry.map(|(txid, record)| (code(naive(&record, tip)), txid)).unwrap())
        .collect();
    let mut totals = BTreeMap::new();
    for (code, _) in &expected {
        *totals.entry(*code).or_insert(0) += 1;
    }
    [(found, counts.collect()), (expected, totals)]
}

proptest! {
    #[test]
    fn the_index_is_what_every_delegation_looked_at_would_give(
        blocks in proptest::collection::vec(proptest::collection::vec(step(), 0..5), 1..30)
    ) {
        let mut backend = MemoryBackend::default();
        block(&mut backend, genesis);
        for steps in blocks {
            block(&mut backend, |state| steps.iter().for_each(|step| apply(state, step)));
            let [found, expected] = both(&backend);
            prop_assert_eq!(found, expected);
        }
    }
}

#[test]
fn a_tip_that_moves_looks_only_at_those_it_crosses() {
    let mut backend = MemoryBackend::default();
    block(&mut backend, genesis);
    let sign = |state: &mut State<'_>, stake| (0..QUORUM).for_each(|_| apply(state, &Step::Sign(stake)));
    block(&mut backend, |state| {
        for stake in 0..4 {
            apply(state, &Step::Register(stake));
            sign(state, stake);
            apply(state, &Step::Prove { stake, start: 5, time: 10 + u32::from(stake) });
        }
    });
    let meter = Meter::unlimited();
    let mut state = State::new(&backend, &meter);
    light_client::pretend_tip(&mut state, BtcHeight::new(12)).unwrap();
    update(&mut state).unwrap();
    let moved: Vec<_> = BY_STATUS.changed(&state).unwrap().into_iter().map(|(key, ..)| key).collect();
    assert_eq!(moved, [(2, txid(0)), (4, txid(0))], "the stake that expires at 12, and no other");
    assert_eq!(count(&state, BTCDelegationStatus::Any).unwrap(), 4);
}
