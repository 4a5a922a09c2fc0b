use super::*;
use crate::{
    app::{App, BlockInput, BlockTime, light_client, staking},
    genesis::{Genesis, presets::default_committee},
    node,
    state::{Meter, Order, State, Writes, disk::DiskBackend},
};
use bitcoin::hashes::Hash;
use btc_staking_babylon::{
    convert::covenant::{decode_adaptor_lists, decode_signature_list},
    proto::btcstaking::BTCDelegationStatus,
};
use btc_staking_protocol::{
    delegation::{CheckedDelegation, CovenantSignatures},
    height::{BtcHeight, PosHeight},
};
use btc_staking_store::Store;
use std::path::Path;

fn genesis() -> Genesis {
    Genesis::fast("chain-load", default_committee(), vec![]).unwrap()
}

fn backend(out: &Path) -> DiskBackend {
    DiskBackend::new(Store::open_with(&out.join("chain"), node::SCHEMA, node::LIMITS).unwrap()).unwrap()
}

fn plan() -> LoadPlan {
    LoadPlan {
        stakers: 7,
        mix: Mix { pending: 1, verified: 1, active: 3, unbonded: 1, expired: 1 },
        ..LoadPlan::new(3, 60, 5)
    }
}

#[test]
fn the_same_seed_gives_the_same_state_and_another_another() {
    let dir = tempfile::tempdir().unwrap();
    let run =
        |name: &str, plan: &LoadPlan| generate(plan, genesis(), &dir.path().join(name), &mut |_| {}).unwrap();
    let copied = LoadPlan { signatures: Signatures::Copied, ..plan() };
    let first = run("a", &copied);
    assert_eq!(run("b", &copied), first);
    assert_ne!(run("c", &LoadPlan { seed: 6, ..copied.clone() }).app_hash, first.app_hash);
    let valid = run("d", &plan());
    assert_eq!(valid.statuses, first.statuses, "signatures change nothing else");
    assert_ne!(valid.app_hash, first.app_hash);
    assert!(first.statuses.iter().all(|count| *count > 0) && first.statuses.iter().sum::<u64>() == 60);
}

#[test]
fn every_generated_stake_is_what_the_chain_would_have_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let generated = generate(&plan(), genesis(), dir.path(), &mut |_| {}).unwrap();
    let (backend, meter) = (backend(dir.path()), Meter::unlimited());
    let state = State::new(&backend, &meter);
    let params = genesis().staking_params.latest().clone();
    let mut statuses = [0u64; 5];
    for entry in staking::records::DELEGATIONS.scan(&state, Order::Ascending) {
        let (txid, record) = entry.unwrap();
        let stake = staking::records::Stake::new(txid, record);
        let checked = stake.checked(&params).unwrap();
        assert_eq!(checked.staking_txid(), txid);
        let status =
            staking::status::status(&state, &stake.record, BtcHeight::new(generated.btc_tip)).unwrap();
        statuses[usize::try_from(i32::from(status)).unwrap()] += 1;
        if status != BTCDelegationStatus::Pending {
            verify_quorum(&stake, &checked);
        }
        if stake.record.start_height > 0 {
            let header =
                light_client::at(&state, BtcHeight::new(stake.record.start_height)).unwrap().unwrap();
            assert_ne!(header.header.merkle_root.to_byte_array(), [0; 32]);
        }
    }
    assert_eq!(statuses, generated.statuses);
}

fn verify_quorum(stake: &staking::records::Stake, checked: &CheckedDelegation) {
    let part = stake.undelegation().unwrap();
    let signatures = CovenantSignatures {
        slashing: decode_adaptor_lists("a", &stake.record.covenant_sigs).unwrap().into_iter().collect(),
        unbonding: decode_signature_list("b", &part.covenant_unbonding_sig_list)
            .unwrap()
            .into_iter()
            .collect(),
        unbonding_slashing: decode_adaptor_lists("c", &part.covenant_slashing_sigs)
            .unwrap()
            .into_iter()
            .collect(),
    };
    assert_eq!(checked.verified_quorum(&signatures).unwrap().staking_txid(), stake.txid);
}

#[test]
fn a_node_goes_on_from_a_generated_state_with_the_power_of_its_active_stakes() {
    let dir = tempfile::tempdir().unwrap();
    let plan = LoadPlan { signatures: Signatures::Copied, ..plan() };
    let generated = generate(&plan, genesis(), dir.path(), &mut |_| {}).unwrap();
    let json = std::fs::read_to_string(dir.path().join("genesis.json")).unwrap();
    let mut app = App::open(Box::new(backend(dir.path())), &Genesis::from_json(&json).unwrap()).unwrap();
    assert_eq!((app.height().to_u64(), app.app_hash()), (generated.height, generated.app_hash));
    let time = BlockTime { seconds: 1_900_000_000, nanos: 0 };
    let input = BlockInput { height: app.height().next(), time, txs: vec![], validators: 1 };
    let executed = app.finalize_block(&input).unwrap();
    app.commit(executed, &Writes::new()).unwrap();
    let meter = Meter::unlimited();
    let state = State::new(app.backend(), &meter);
    let mut expected = std::collections::BTreeMap::<_, u64>::new();
    for entry in staking::records::DELEGATIONS.scan(&state, Order::Ascending) {
        let (txid, record) = entry.unwrap();
        let stake = staking::records::Stake::new(txid, record);
        let status = staking::status::status(&state, &stake.record, BtcHeight::new(generated.btc_tip));
        if status.unwrap() == BTCDelegationStatus::Active {
            *expected.entry(stake.provider().unwrap()).or_default() += stake.record.total_sat;
        }
    }
    let height = PosHeight::new(generated.height + 1);
    let table = crate::app::finality::records::POWER.scan_under(&state, &height, Order::Ascending);
    let table = table.map(|entry| entry.map(|((_, key), sats)| (key, sats)).unwrap());
    assert_eq!(table.collect::<std::collections::BTreeMap<_, _>>(), expected);
}

#[test]
fn mixes_are_read_as_they_are_written() {
    assert_eq!("active=1".parse(), Ok(Mix { pending: 0, verified: 0, active: 1, unbonded: 0, expired: 0 }));
    assert_eq!("pending=1, verified=1, active=6, unbonded=1, expired=1".parse(), Ok(Mix::default()));
    for text in ["", "active", "active=0", "alive=1", "active=-1", "active=70000"] {
        assert!(text.parse::<Mix>().is_err(), "{text}");
    }
}
