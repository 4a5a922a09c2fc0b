//! From plan to block.

use super::world::{World, keys, order};
use btc_staking_pos_chain::ChainMessage;
use btc_staking_staker::{
    machine::Report,
    position::Position,
    report::StakeReport,
    service::{Goal, Progress},
    stake::Step,
};

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
