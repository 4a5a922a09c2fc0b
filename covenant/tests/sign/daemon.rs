//! The daemon: what it looks at, what it leaves alone, what it sends.

use crate::bench::*;
use btc_staking_covenant::{
    machine::{BATCH, Machine, ParamsTrust},
    records::{SCHEMA, SignLog},
    signer::Signer,
};
use btc_staking_daemon::{health::CheckState, tasks::TaskError};
use btc_staking_pos_chain::{ErrorKind, MessageOutcome, Refusal, RefusalKind, SlashedAt};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    delegation::{Delegation, DelegationStatus, InclusionHeights},
    height::{BtcHeight, PosHeight},
    params::{ParamsVersion, StakingParams},
};
use btc_staking_store::testing::{self, Cut};

fn reason(machine: &Machine, delegation: &Delegation) -> String {
    machine.parked().get(&txid(delegation)).map(|parked| parked.reason.clone()).unwrap_or_default()
}
/// A stake proven on Bitcoin whose timelock ends at `end`.
fn ends_at(end: u32) -> InclusionHeights {
    InclusionHeights { start: BtcHeight::new(end - STAKING_TIME), end: BtcHeight::new(end) }
}

#[tokio::test]
async fn a_pending_delegation_is_signed_and_sent_once() {
    let bench = Bench::new();
    let delegation = pending("holder");
    bench.add(&delegation);
    let (service, mut machine) = (bench.service(), machine());
    bench.round(&service, &mut machine).await;
    let sent = bench.sent();
    assert_eq!(sent.len(), 1);
    delegation.rebuild(&params(0)).unwrap().verify_covenant(&sent[0]).unwrap();
    assert_eq!((machine.signed(), machine.in_flight()), (1, 0));
    for _ in 0..3 {
        bench.round(&service, &mut machine).await;
    }
    assert!(bench.sent().is_empty(), "one signature of two is not a quorum, but ours is there");
}

#[tokio::test]
async fn a_quorum_of_daemons_verifies_a_delegation() {
    let bench = Bench::new();
    let delegation = pending("holder");
    bench.add(&delegation);
    for number in 0..2 {
        let other = Bench::on(&bench.chain);
        let service = other.service_of(other.signer(number));
        other.round(&service, &mut Machine::new(member(number).public_key(), ParamsTrust::default())).await;
    }
    let told = bench.chain.update(|state| state.delegations[&txid(&delegation)].clone());
    assert_eq!(told.status, DelegationStatus::Verified);
    told.rebuild(&params(0)).unwrap().verified_quorum(&told.covenant).unwrap();
}

#[tokio::test]
async fn one_refused_delegation_does_not_keep_the_others() {
    let bench = Bench::new();
    let mut wrong = pending("wrong");
    wrong.staking_output_index = 7;
    bench.add(&wrong);
    bench.chain.update(|state| state.malformed_delegations.push("not a delegation".to_owned()));
    let good: Vec<_> = (0..BATCH + 5).map(|number| pending(&format!("good-{number}"))).collect();
    good.iter().for_each(|delegation| bench.add(delegation));
    let (service, mut machine) = (bench.service(), machine());
    bench.round(&service, &mut machine).await;
    assert_eq!(bench.sent().len(), good.len());
    assert!(reason(&machine, &wrong).contains("output"), "{}", reason(&machine, &wrong));
    bench.round(&service, &mut machine).await;
    assert!(bench.sent().is_empty());
}

#[tokio::test]
async fn a_set_the_chain_refuses_does_not_keep_the_others() {
    let bench = Bench::new();
    let both = [pending("one"), pending("two")];
    both.iter().for_each(|delegation| bench.add(delegation));
    bench.chain.answer_next(MessageOutcome::Refused(Refusal {
        kind: RefusalKind::InvalidCovenantSignature,
        codespace: "btcstaking".to_owned(),
        code: 1110,
        text: "invalid".to_owned(),
    }));
    let (service, mut machine) = (bench.service(), machine());
    bench.round(&service, &mut machine).await;
    assert_eq!((machine.signed(), machine.parked().len(), machine.in_flight()), (1, 1, 0));
    assert_ne!(bench.health().checks["signing"], CheckState::Ok, "a person must look");
}

#[tokio::test]
async fn a_refusal_of_the_chain_rests_a_delegation_longer_each_time_and_never_for_good() {
    for kind in [RefusalKind::Broken, RefusalKind::Other, RefusalKind::InvalidCovenantSignature] {
        let bench = Bench::new();
        bench.add(&pending("holder"));
        let (service, mut machine) = (bench.service(), machine());
        let refusal = || Refusal { kind, codespace: "sdk".to_owned(), code: 1, text: "no".to_owned() };
        // (rounds without a submission, then one)
        for rest in [0, 3, 7, 15] {
            bench.chain.answer_next(MessageOutcome::Refused(refusal()));
            for _ in 0..rest {
                bench.round(&service, &mut machine).await;
                assert!(bench.sent().is_empty(), "{kind:?}");
            }
            bench.round(&service, &mut machine).await;
            assert_eq!((bench.sent().len(), machine.parked().len()), (1, 1), "{kind:?} after {rest}");
        }
        for _ in 0..32 {
            bench.round(&service, &mut machine).await;
        }
        assert_eq!((machine.signed(), machine.parked().len()), (1, 0), "{kind:?}");
    }
}

#[tokio::test]
async fn a_delegation_to_a_slashed_provider_is_refused() {
    let bench = Bench::new();
    let delegation = pending("holder");
    bench.add(&delegation);
    bench.chain.update(|state| {
        let slashed = SlashedAt { pos_height: PosHeight::new(5), btc_height: BtcHeight::new(900) };
        state.finality_providers.get_mut(&provider()).unwrap().slashed = Some(slashed);
    });
    let (service, mut machine) = (bench.service(), machine());
    bench.round(&service, &mut machine).await;
    assert!(bench.sent().is_empty());
    assert!(reason(&machine, &delegation).contains("slashed"));
}

#[tokio::test]
async fn a_delegation_to_an_unknown_provider_waits_for_its_registration() {
    let bench = Bench::new();
    bench.add(&pending("holder"));
    let known = bench.chain.update(|state| state.finality_providers.remove(&provider()).unwrap());
    let (service, mut machine) = (bench.service(), machine());
    bench.round(&service, &mut machine).await;
    assert!(bench.sent().is_empty() && machine.parked().is_empty());
    bench.chain.update(|state| state.finality_providers.insert(known.key, known));
    bench.round(&service, &mut machine).await;
    assert_eq!(bench.sent().len(), 1);
}

#[tokio::test]
async fn a_delegation_whose_time_is_up_is_refused_and_one_block_earlier_is_not() {
    for (end, signed) in [(TIP + UNBONDING_TIME, false), (TIP + UNBONDING_TIME + 1, true), (TIP - 1, false)] {
        let bench = Bench::new();
        let mut delegation = pending("holder");
        delegation.inclusion = Some(ends_at(end));
        bench.add(&delegation);
        let (service, mut machine) = (bench.service(), machine());
        bench.round(&service, &mut machine).await;
        assert_eq!(!bench.sent().is_empty(), signed, "end at {end}");
        assert_eq!(reason(&machine, &delegation).contains("timelock"), !signed, "end at {end}");
    }
}

#[tokio::test]
async fn a_member_outside_a_versions_committee_leaves_its_delegations_alone() {
    let bench = Bench::new();
    let mut fields = fields(1);
    let keys = (1..4).map(|number| member(number).public_key()).collect();
    fields.covenant_committee = CovenantCommittee::new(2, keys).unwrap();
    let next = StakingParams::new(fields).unwrap();
    let (old, new) = (pending("old"), pending_under(&next, "new", |_| ()));
    bench.chain.update(|state| state.staking_params.push(next));
    bench.add(&old);
    bench.add(&new);
    let (service, mut machine) = (bench.service(), machine());
    bench.round(&service, &mut machine).await;
    let sent = bench.sent();
    assert_eq!(sent.iter().map(|set| set.staking_txid).collect::<Vec<_>>(), [txid(&old)]);
    assert!(reason(&machine, &new).contains("committee"));
}

#[tokio::test]
async fn params_that_change_on_chain_raise_an_alarm_and_are_not_taken() {
    let bench = Bench::new();
    let (service, mut machine) = (bench.service(), machine());
    bench.round(&service, &mut machine).await;
    assert_eq!(bench.health().checks["signing"], CheckState::Ok);
    let mut fields = fields(0);
    fields.unbonding_fee = bitcoin::Amount::from_sat(9_000);
    let changed = StakingParams::new(fields).unwrap();
    bench.chain.update(|state| state.staking_params[0] = changed.clone());
    bench.add(&pending_under(&changed, "holder", |_| ()));
    bench.round(&service, &mut machine).await;
    assert_ne!(bench.health().checks["signing"], CheckState::Ok);
    assert!(bench.sent().is_empty(), "the first answer still counts");
}

#[tokio::test]
async fn a_version_not_read_yet_is_waited_for() {
    let bench = Bench::new();
    bench.add(&pending_under(&params(1), "holder", |_| ()));
    let (service, mut machine) = (bench.service(), machine());
    bench.round(&service, &mut machine).await;
    assert!(bench.sent().is_empty() && machine.parked().is_empty());
    bench.chain.update(|state| state.staking_params.push(params(1)));
    bench.round(&service, &mut machine).await;
    assert_eq!(bench.sent().len(), 1);
}

#[tokio::test]
async fn what_was_not_settled_is_sent_again_unchanged() {
    let bench = Bench::new();
    bench.add(&pending("holder"));
    let (service, mut machine) = (bench.service(), machine());
    bench.chain.fail_next_submissions(1, ErrorKind::Transient);
    bench.round(&service, &mut machine).await;
    let first = bench.sent();
    assert_eq!((first.len(), machine.signed()), (1, 0));
    bench.round(&service, &mut machine).await;
    assert_eq!(bench.sent(), first);
    assert_eq!(machine.signed(), 1);
}

#[tokio::test]
async fn an_unreachable_chain_costs_nothing_but_time() {
    let bench = Bench::new();
    bench.add(&pending("holder"));
    let (service, mut machine) = (bench.service(), machine());
    for failures in 1..5 {
        bench.chain.fail_next_reads(failures, ErrorKind::Transient);
        bench.round(&service, &mut machine).await;
    }
    bench.chain.clear_faults();
    bench.round(&service, &mut machine).await;
    assert_eq!(bench.health().checks["chain"], CheckState::Ok);
    assert_eq!(machine.signed(), 1);
}

#[tokio::test]
async fn a_daemon_that_can_no_longer_record_stops() {
    let bench = Bench::new();
    bench.add(&pending("holder"));
    let store = testing::open_crashing(bench.folder.path(), SCHEMA, 1, Cut::BeforeApply).unwrap();
    let service = bench.service_of(Signer::new(member(0), SignLog::over(store).unwrap()));
    let stopped = bench.try_round(&service, &mut machine()).await;
    assert!(matches!(stopped, Err(TaskError::Fatal(_))), "{stopped:?}");
    assert!(bench.sent().is_empty());
}

/// A node that claims to be mainnet and tells a committee of three of its own, as version 0 or as one never heard of.
#[tokio::test]
async fn nothing_is_signed_under_params_of_a_public_network_that_are_not_its_own() {
    let unheard_of = ParamsVersion(1_000);
    for (version, accepted, signed, alarm) in [
        (ParamsVersion(0), vec![], 0, true),
        (ParamsVersion(0), vec![ParamsVersion(0)], 0, true),
        (unheard_of, vec![], 0, false),
        (unheard_of, vec![ParamsVersion(999)], 0, false),
        (unheard_of, vec![unheard_of], 1, false),
    ] {
        let bench = Bench::new();
        let mut fields = (*params(0)).clone();
        fields.version = version;
        bench.chain.update(|state| state.staking_params = vec![StakingParams::new(fields).unwrap()]);
        bench.add(&Delegation { params_version: version, ..pending("holder") });
        let key = member(0).public_key();
        let service = bench.service();
        let mut machine = Machine::new(key, ParamsTrust::new("bbn-1", accepted.clone()));
        for _ in 0..2 {
            bench.round(&service, &mut machine).await;
        }
        let row = format!("{version:?} {accepted:?}");
        assert_eq!(bench.sent().len(), signed, "{row}");
        assert_eq!(machine.untrusted_params().contains_key(&version), signed == 0, "{row}");
        assert_eq!(bench.health().checks["signing"] != CheckState::Ok, alarm, "{row}");
    }
}
