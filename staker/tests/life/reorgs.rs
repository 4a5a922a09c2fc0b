//! The chain of blocks changes under a stake, and the wallet under its coins.

use super::world::{World, keys};
use bitcoin::ScriptBuf;
use btc_staking_bitcoin_node::{BlockSource, dev::DevNode};
use btc_staking_protocol::height::BtcHeight;
use btc_staking_staker::{
    position::Position,
    service::{Goal, Service},
    wallet::NextAddress,
};

/// Takes the `depth` topmost blocks off and mines one more than that in their place.
async fn reorg(world: &World, depth: u32) {
    let tip = world.tip().await;
    let lowest = BtcHeight::new(tip.to_u32() - depth + 1);
    let hash = world.bitcoin.fetch_block_hash(lowest).await.unwrap().unwrap();
    world.bitcoin.invalidate(&hash).await.unwrap();
    let other = ScriptBuf::from_bytes(vec![0x51]);
    world.bitcoin.mine(depth + 1, &other).await.unwrap();
}

async fn position(service: &mut Service, txid: &bitcoin::Txid) -> Position {
    service.sync().await.unwrap();
    service.position(service.stake(txid).unwrap())
}

#[tokio::test]
async fn a_reorg_moves_the_stake_to_its_new_block() {
    let world = World::new().await;
    let mut service = world.service();
    let txid = world.staked(&mut service).await;
    let before = position(&mut service, &txid).await;
    let lowest = world.tip().await.to_u32() - 4;
    assert_eq!(before, Position::Staked { at: BtcHeight::new(lowest) });
    // The mempool takes the staking transaction back and the first new block holds it again.
    reorg(&world, 7).await;
    assert_eq!(position(&mut service, &txid).await, Position::Staked { at: BtcHeight::new(lowest - 2) });
}

#[tokio::test]
async fn an_unbonding_that_a_reorg_took_back_is_sent_again() {
    let world = World::new().await;
    let mut service = world.service();
    let txid = world.staked(&mut service).await;
    let unbonding = service.unbond(&txid, &keys()).await.unwrap();
    world.mine(1).await;
    assert!(matches!(position(&mut service, &txid).await, Position::Unbonding { .. }));
    let hash = world.bitcoin.fetch_tip().await.unwrap().hash;
    world.bitcoin.invalidate(&hash).await.unwrap();
    assert!(world.bitcoin.evict(&unbonding.unbonding_txid));
    world.mine(2).await;
    assert!(matches!(position(&mut service, &txid).await, Position::Staked { .. }));
    drop(service);
    let mut service = world.service();
    service.send_again().await.unwrap();
    world.mine(1).await;
    let at = world.tip().await;
    assert_eq!(position(&mut service, &txid).await, Position::Unbonding { at });
}

#[tokio::test]
async fn a_staking_transaction_that_left_the_mempool_is_sent_again() {
    let world = World::new().await;
    let mut service = world.service();
    let txid = world.registered(&mut service).await;
    world.sign(1, &txid).await;
    world.sign(2, &txid).await;
    service.advance(&txid, Goal::Broadcast, &world.access(), &keys()).await.unwrap();
    assert!(world.bitcoin.evict(&txid));
    world.mine(1).await;
    assert_eq!(position(&mut service, &txid).await, Position::Absent);
    service.advance(&txid, Goal::Confirmed, &world.access(), &keys()).await.unwrap();
    world.mine(1).await;
    assert!(matches!(position(&mut service, &txid).await, Position::Staked { .. }));
}

/// The wallet passes over blocks that do not concern it; what it holds must be right all the same.
#[tokio::test]
async fn the_wallet_forgets_coins_of_blocks_that_are_gone() {
    let world = World::new().await;
    let mut service = world.service();
    service.sync().await.unwrap();
    let before = service.wallet().balance();
    let script = service.address(NextAddress::New).unwrap().script_pubkey();
    for depth in [1, 3, 20, 40] {
        world.bitcoin.mine(1, &script).await.unwrap();
        world.mine(depth - 1).await;
        service.sync().await.unwrap();
        assert!(service.wallet().balance().immature > before.immature, "depth {depth}");
        reorg(&world, depth).await;
        service.sync().await.unwrap();
        assert_eq!(service.wallet().balance().immature, before.immature, "depth {depth}");
        assert_eq!(service.wallet().balance().spendable, before.spendable, "depth {depth}");
        drop(service);
        service = world.service();
    }
}

/// The phrase alone, in an empty folder: what blocks from the birthday on paid to it is found again.
#[tokio::test]
async fn an_empty_folder_finds_the_coins_from_the_birthday_on() {
    let mut world = World::new().await;
    let mut service = world.service();
    service.sync().await.unwrap();
    let whole = service.wallet().balance().spendable;
    drop(service);
    for (birthday, left) in [(0, 10), (1, 10), (4, 7), (11, 0)] {
        std::fs::remove_dir_all(world.data_dir()).unwrap();
        world.birthday = BtcHeight::new(birthday);
        let mut service = world.service();
        service.sync().await.unwrap();
        assert_eq!(service.wallet().balance().spendable, whole * left / 10, "birthday {birthday}");
    }
}
