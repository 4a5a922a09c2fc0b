//! A whole life, killed at every point of every record it writes, and taken up again.

use super::world::{UNBONDING_TIME, World, keys, order, sat};
use bitcoin::Txid;
use btc_staking_staker::{
    position::Position,
    records::SCHEMA,
    service::{Goal, Progress, Service, WithdrawalOrder},
};
use btc_staking_store::{
    Store,
    testing::{Cut, open_crashing},
};
use std::error::Error;

/// A record is absent or whole after a crash; the store's own tests see to that. Here it is each of the two in turn.
const CUTS: [Cut; 2] = [Cut::BeforeApply, Cut::AfterSync];

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Lives a life to its end from wherever the records stand: what a holder does who types the same commands again.
async fn live(world: &World, store: Store) -> Outcome<Txid> {
    let mut service = world.service_over(store)?;
    let (chain, keys) = (world.access(), keys());
    let recorded = service.stakes().next().map(|machine| machine.stake().txid());
    let txid = match recorded {
        Some(txid) => txid,
        None => {
            let plan = service.plan(&order(), &chain, "ubbn", &keys).await?;
            service.record_plan(plan)?
        }
    };
    service.advance(&txid, Goal::Registered, &chain, &keys).await?;
    for number in [1, 2] {
        world.sign(number, &txid).await;
    }
    assert_eq!(service.advance(&txid, Goal::Broadcast, &chain, &keys).await?, Progress::Reached);
    world.mine(1).await;
    if let Position::Staked { .. } = position(&mut service, &txid).await? {
        service.unbond(&txid, &keys).await?;
        world.mine(UNBONDING_TIME).await;
    }
    if let Position::Unbonding { .. } = position(&mut service, &txid).await? {
        world.mine(UNBONDING_TIME).await;
        let order = WithdrawalOrder {
            stakes: Some(vec![txid]),
            destination: None,
            feerate: None,
            max_fee: sat(10_000),
        };
        service.withdraw(order, &keys).await?;
        world.mine(1).await;
    }
    let end = position(&mut service, &txid).await?;
    assert!(matches!(end, Position::Withdrawn { .. }), "{end:?}");
    Ok(txid)
}

async fn position(service: &mut Service, txid: &Txid) -> Outcome<Position> {
    service.sync().await?;
    Ok(service.position(service.stake(txid)?))
}

#[tokio::test]
async fn a_life_killed_at_any_record_goes_on_to_the_same_end() {
    let commits = {
        let world = World::new().await;
        let store = Store::open(&world.data_dir(), SCHEMA).unwrap();
        live(&world, store.clone()).await.unwrap();
        store.commit_count()
    };
    assert!(commits >= 10, "{commits} commits are no whole life");
    for commit in 1..=commits {
        for cut in CUTS {
            let world = World::new().await;
            let store = open_crashing(&world.data_dir(), SCHEMA, commit, cut).unwrap();
            let killed = live(&world, store).await;
            assert!(killed.is_err(), "commit {commit} {cut:?} did not crash");
            let store = Store::open(&world.data_dir(), SCHEMA).unwrap();
            let txid = live(&world, store).await.unwrap_or_else(|error| panic!("{commit} {cut:?}: {error}"));

            let delegations =
                world.chain.update(|state| state.delegations.keys().copied().collect::<Vec<_>>());
            assert_eq!(delegations, [txid], "commit {commit} {cut:?}: registered once, under one name");
            let service = world.service();
            assert_eq!(service.stakes().count(), 1);
            assert_eq!(service.wallet().balance().reserved, bitcoin::Amount::ZERO);
        }
    }
}
