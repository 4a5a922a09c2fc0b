//! From plan to block.

use super::world::{World, keys, order, params_fields, sat};
use bitcoin::hashes::Hash;
use btc_staking_pos_chain::ChainMessage;
use btc_staking_protocol::{
    delegation::DelegationStatus,
    height::BtcHeight,
    params::{ParamsVersion, StakingParams},
};
use btc_staking_staker::{
    machine::Report,
    position::Position,
    records::{Records, SCHEMA},
    report::StakeReport,
    service::{Goal, Progress, ServiceError},
    stake::Step,
};
use btc_staking_store::{Store, Table};

#[tokio::test]
async fn a_stake_is_registered_verified_broadcast_and_confirmed() {
    let world = World::new().await;
    let (mut service, chain, keys) = (world.service(), world.access(), keys());
    let before = {
        service.sync().await.unwrap();
        service.wallet().balance()
    };

    let plan = service.plan(&order(), &chain, "ubbn", &keys).await.unwrap();
    assert_eq!(plan.warnings(), Vec::<String>::new());
    assert!(world.chain.submitted().is_empty(), "planning tells nobody");
    let txid = service.record_plan(plan).unwrap();
    let balance = service.wallet().balance();
    assert!(balance.reserved >= order().amount);
    assert_eq!(balance.spendable + balance.reserved, before.spendable);

    let progress = service.advance(&txid, Goal::Broadcast, &chain, &keys).await.unwrap();
    assert!(matches!(progress, Progress::Waiting(Some(Report::QuorumMissing(_)))), "{progress:?}");
    assert_eq!(service.stake(&txid).unwrap().stake().step, Step::Registered);
    world.sign(1, &txid).await;
    let progress = service.advance(&txid, Goal::Broadcast, &chain, &keys).await.unwrap();
    assert!(matches!(progress, Progress::Waiting(Some(Report::QuorumMissing(_)))), "{progress:?}");

    world.sign(2, &txid).await;
    let progress = service.advance(&txid, Goal::Verified, &chain, &keys).await.unwrap();
    assert_eq!(progress, Progress::Reached);
    assert!(service.stake(&txid).unwrap().stake().signed_tx().is_none(), "only verified was asked for");
    let progress = service.advance(&txid, Goal::Broadcast, &chain, &keys).await.unwrap();
    assert_eq!(progress, Progress::Reached);
    let progress = service.advance(&txid, Goal::Confirmed, &chain, &keys).await.unwrap();
    assert_eq!(progress, Progress::Waiting(Some(Report::Broadcast)));

    world.mine(3).await;
    let progress = service.advance(&txid, Goal::Confirmed, &chain, &keys).await.unwrap();
    assert_eq!(progress, Progress::Reached);
    let tip = world.tip().await;
    let machine = service.stake(&txid).unwrap();
    assert_eq!(service.position(machine), Position::Staked { at: tip.checked_sub(2).unwrap() });
    let report = serde_json::to_value(StakeReport::new(&service, machine, None)).unwrap();
    assert_eq!((&report["state"], &report["depth"]), (&"confirmed".into(), &2.into()));
    let registrations = world.chain.submitted();
    let registered =
        registrations.iter().filter(|sent| matches!(sent.message, ChainMessage::RegisterDelegation(_)));
    assert_eq!(registered.count(), 1);
}

/// The chain of the double waits for two blocks on top; a watchtower gets two more to be first.
#[tokio::test]
async fn a_stake_is_activated_by_its_holder_when_nobody_else_does() {
    let world = World::new().await;
    let mut service = world.service();
    let txid = world.registered(&mut service).await;
    world.sign(1, &txid).await;
    world.sign(2, &txid).await;
    let (chain, keys) = (world.access(), keys());
    service.advance(&txid, Goal::Broadcast, &chain, &keys).await.unwrap();
    for blocks_on_top in 0..5 {
        world.mine(1).await;
        let progress = service.advance(&txid, Goal::Active, &chain, &keys).await.unwrap();
        let expected = blocks_on_top >= 4;
        assert_eq!(progress == Progress::Reached, expected, "{blocks_on_top} blocks on top");
    }
    assert_eq!(world.delegation(&txid).status, DelegationStatus::Active);
    let status = service.fetch_status(&txid, &*chain.reader).await.unwrap();
    let report =
        serde_json::to_value(StakeReport::new(&service, service.stake(&txid).unwrap(), status)).unwrap();
    assert_eq!((&report["state"], &report["chain_status"]), (&"active".into(), &"active".into()));
}

#[tokio::test]
async fn params_are_those_of_the_chains_bitcoin_tip() {
    let world = World::new().await;
    let tip = world.tip().await;
    let mut later = params_fields();
    later.version = ParamsVersion(1);
    later.btc_activation_height = BtcHeight::new(tip.to_u32() + 1);
    later.unbonding_fee = sat(2_000);
    world.chain.update(|state| state.staking_params.push(StakingParams::new(later).unwrap()));
    let mut service = world.service();
    let (chain, keys) = (world.access(), keys());
    let plan = service.plan(&order(), &chain, "ubbn", &keys).await.unwrap();
    assert_eq!(plan.stake().params.version, ParamsVersion(0));
    world.mine(1).await;
    let plan = service.plan(&order(), &chain, "ubbn", &keys).await.unwrap();
    assert_eq!(plan.stake().params.version, ParamsVersion(1));
    assert_eq!(plan.checked().terms().unbonding_value, order().amount - sat(2_000));
}

/// The params rotate between plan and registration: the chain checks the stake against a committee that is not its own.
#[tokio::test]
async fn a_committee_that_rotated_before_the_registration_ends_the_stake() {
    let world = World::new().await;
    let mut service = world.service();
    let (chain, keys) = (world.access(), keys());
    let plan = service.plan(&order(), &chain, "ubbn", &keys).await.unwrap();
    let txid = service.record_plan(plan).unwrap();
    let mut later = params_fields();
    later.version = ParamsVersion(1);
    later.btc_activation_height = BtcHeight::new(world.tip().await.to_u32());
    let others = (4..=6).map(|number| super::world::member(number).public_key()).collect();
    later.covenant_committee = btc_staking_protocol::committee::CovenantCommittee::new(2, others).unwrap();
    world.chain.update(|state| state.staking_params.push(StakingParams::new(later).unwrap()));
    let progress = service.advance(&txid, Goal::Verified, &chain, &keys).await.unwrap();
    assert!(matches!(progress, Progress::Waiting(Some(Report::Over(_)))), "{progress:?}");
    assert_eq!(service.wallet().balance().reserved, bitcoin::Amount::ZERO);
}

/// The records are put back from a copy made before the staking transaction was signed.
#[tokio::test]
async fn records_put_back_find_the_staking_transaction_they_do_not_know_of() {
    for mined in [0, 3] {
        let world = World::new().await;
        let mut service = world.service();
        let txid = world.registered(&mut service).await;
        world.sign(1, &txid).await;
        world.sign(2, &txid).await;
        let (chain, keys) = (world.access(), keys());
        service.advance(&txid, Goal::Verified, &chain, &keys).await.unwrap();
        let before = service.stake(&txid).unwrap().stake().clone();
        assert_eq!(service.advance(&txid, Goal::Broadcast, &chain, &keys).await.unwrap(), Progress::Reached);
        world.mine(mined).await;
        drop(service);
        Records::open(&world.data_dir()).unwrap().record_stake(&before, None).unwrap();

        let mut service = world.service();
        let progress = service.advance(&txid, Goal::Broadcast, &chain, &keys).await.unwrap();
        assert_eq!(progress, Progress::Reached, "{mined} blocks");
        assert!(service.stake(&txid).unwrap().stake().signed_tx().is_some(), "{mined} blocks");
    }
}

#[tokio::test]
async fn a_damaged_stake_does_not_keep_the_others() {
    let world = World::new().await;
    let mut service = world.service();
    let whole = world.registered(&mut service).await;
    let txid = world.registered(&mut service).await;
    let mut stake = service.stake(&txid).unwrap().stake().clone();
    stake.slashing_signature = stake.unbonding_slashing_signature;
    drop(service);
    Records::open(&world.data_dir()).unwrap().record_stake(&stake, None).unwrap();

    let mut service = world.service();
    assert_eq!(service.damaged().keys().collect::<Vec<_>>(), [&txid]);
    assert!(matches!(service.stake(&txid), Err(ServiceError::Damaged { .. })));
    assert_eq!(service.stakes().count(), 1);
    world.sign(1, &whole).await;
    world.sign(2, &whole).await;
    let progress = service.advance(&whole, Goal::Broadcast, &world.access(), &keys()).await.unwrap();
    assert_eq!(progress, Progress::Reached);
    assert!(stake.coins().all(|coin| service.wallet().is_reserved(coin)), "its coins stay reserved");
}

#[tokio::test]
async fn an_unreadable_stake_does_not_keep_the_others() {
    let world = World::new().await;
    let mut service = world.service();
    let whole = world.registered(&mut service).await;
    let txid = world.registered(&mut service).await;
    drop(service);
    let store = Store::open(&world.data_dir(), SCHEMA).unwrap();
    let stakes: Table<[u8; 32], String> = store.table("stakes").unwrap();
    store.commit(|batch| batch.put(&stakes, &txid.to_byte_array(), &"no stake".to_owned())).unwrap();
    drop((stakes, store));

    let service = world.service();
    assert_eq!(service.damaged().keys().collect::<Vec<_>>(), [&txid]);
    assert!(service.stake(&whole).is_ok());
    assert!(matches!(service.stake(&txid), Err(ServiceError::Damaged { .. })));
}
