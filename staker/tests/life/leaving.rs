//! Back from Bitcoin: unbonding, and the three kinds of withdrawal.

use super::world::{STAKING_TIME, UNBONDING_TIME, World, keys, sat};
use bitcoin::{Address, FeeRate, Network, ScriptBuf, Txid};
use btc_staking_protocol::{delegation::SlashedOutput, tx::withdrawal::WithdrawalKind};
use btc_staking_staker::{
    position::Position,
    service::{CannotTakeBack, Service, WithdrawalOrder},
};

fn everything() -> WithdrawalOrder {
    WithdrawalOrder { stakes: None, destination: None, feerate: None, max_fee: sat(100_000) }
}

/// Withdraws one stake: refused one block early, accepted on time, told as withdrawn afterwards.
async fn withdraw_on_time(world: &World, service: &mut Service, txid: Txid, lock: u32, kind: WithdrawalKind) {
    let order = WithdrawalOrder { stakes: Some(vec![txid]), ..everything() };
    service.sync().await.unwrap();
    let machine = service.stake(&txid).unwrap();
    let found = service.position(machine).withdrawable(machine.checked()).unwrap();
    let tip = world.tip().await;
    let left = found.blocks_left(tip);
    assert_eq!(left, found.created_at.to_u32() + lock - 1 - tip.to_u32());
    world.mine(left - 1).await;
    let early = service.withdraw(order.clone(), &keys()).await.unwrap_err();
    assert!(matches!(early, CannotTakeBack::NotYet { blocks_left: 1, .. }), "{early}");
    world.mine(1).await;
    let withdrawn = service.withdraw(order.clone(), &keys()).await.unwrap();
    assert_eq!(withdrawn.inputs.len(), 1);
    assert_eq!(withdrawn.inputs[0].kind, kind);
    // Asked again, the same transaction is sent again.
    assert_eq!(service.withdraw(order.clone(), &keys()).await.unwrap(), withdrawn);
    let before = service.wallet().balance();
    world.mine(1).await;
    service.sync().await.unwrap();
    let machine = service.stake(&txid).unwrap();
    let at = world.tip().await;
    assert_eq!(service.position(machine), Position::Withdrawn { kind, txid: withdrawn.txid, at });
    let gained = service.wallet().balance().spendable - before.spendable;
    assert!(gained >= withdrawn.amount, "{gained} of {}", withdrawn.amount);
    let again = service.withdraw(order, &keys()).await.unwrap_err();
    assert!(matches!(again, CannotTakeBack::Already { .. }), "{again}");
}

#[tokio::test]
async fn an_expired_stake_is_withdrawn_after_its_timelock() {
    let world = World::new().await;
    let mut service = world.service();
    let txid = world.staked(&mut service).await;
    withdraw_on_time(&world, &mut service, txid, STAKING_TIME, WithdrawalKind::ExpiredStake).await;
}

#[tokio::test]
async fn an_unbonded_stake_is_withdrawn_after_the_unbonding_time() {
    let world = World::new().await;
    let mut service = world.service();
    let txid = world.staked(&mut service).await;
    let unbonding = service.unbond(&txid, &keys()).await.unwrap();
    assert_eq!(service.unbond(&txid, &keys()).await.unwrap(), unbonding, "asked twice, sent twice");
    world.mine(1).await;
    service.sync().await.unwrap();
    let at = world.tip().await;
    assert_eq!(service.position(service.stake(&txid).unwrap()), Position::Unbonding { at });
    assert_eq!(service.unbond(&txid, &keys()).await.unwrap(), unbonding, "it is on its way");
    withdraw_on_time(&world, &mut service, txid, UNBONDING_TIME, WithdrawalKind::UnbondingOutput).await;
}

#[tokio::test]
async fn what_a_slashing_of_the_staking_output_left_is_withdrawn() {
    let world = World::new().await;
    let mut service = world.service();
    let txid = world.staked(&mut service).await;
    world.slash(&txid, SlashedOutput::Staking).await;
    world.mine(1).await;
    withdraw_on_time(&world, &mut service, txid, UNBONDING_TIME, WithdrawalKind::SlashingRefund).await;
}

#[tokio::test]
async fn what_a_slashing_of_the_unbonding_output_left_is_withdrawn() {
    let world = World::new().await;
    let mut service = world.service();
    let txid = world.staked(&mut service).await;
    service.unbond(&txid, &keys()).await.unwrap();
    world.mine(1).await;
    world.slash(&txid, SlashedOutput::Unbonding).await;
    world.mine(1).await;
    withdraw_on_time(&world, &mut service, txid, UNBONDING_TIME, WithdrawalKind::SlashingRefund).await;
}

/// A stake whose coins can be withdrawn now.
async fn withdrawable(world: &World, service: &mut Service) -> Txid {
    let txid = world.staked(service).await;
    service.unbond(&txid, &keys()).await.unwrap();
    world.mine(UNBONDING_TIME).await;
    txid
}

fn address(number: u8) -> Address {
    Address::p2wsh(&ScriptBuf::from_bytes(vec![number]), Network::Regtest)
}

#[tokio::test]
async fn a_withdrawal_to_another_address_takes_the_place_of_the_earlier_one() {
    let world = World::new().await;
    let mut service = world.service();
    let txid = withdrawable(&world, &mut service).await;
    let to = |number| WithdrawalOrder { destination: Some(address(number)), ..everything() };
    let first = service.withdraw(to(0x51), &keys()).await.unwrap();
    assert_eq!(first.destination, Some(address(0x51)));
    assert_eq!(
        service.withdraw(to(0x51), &keys()).await.unwrap(),
        first,
        "the same order, the same transaction"
    );

    let second = service.withdraw(to(0x52), &keys()).await.unwrap();
    assert_eq!(second.destination, Some(address(0x52)));
    assert!(second.fee > first.fee, "{} {}", second.fee, first.fee);
    // Another kind of script, of another size.
    let key_hash = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080".parse::<Address<_>>().unwrap();
    let third = WithdrawalOrder { destination: Some(key_hash.assume_checked()), ..everything() };
    let third = service.withdraw(third, &keys()).await.unwrap();
    assert!(third.fee > second.fee, "{} {}", third.fee, second.fee);
    // Nobody goes back to an earlier order, neither after a restart nor when nothing is said.
    drop(service);
    let mut service = world.service();
    service.send_again().await.unwrap();
    assert_eq!(service.withdraw(everything(), &keys()).await.unwrap(), third);
    world.mine(1).await;
    service.sync().await.unwrap();
    let position = service.position(service.stake(&txid).unwrap());
    assert_eq!(position.withdrawal_txid(), Some(third.txid));
}

#[tokio::test]
async fn a_withdrawal_too_cheap_to_replace_the_earlier_one_says_what_is_enough() {
    let world = World::new().await;
    let mut service = world.service();
    withdrawable(&world, &mut service).await;
    let first = service.withdraw(everything(), &keys()).await.unwrap();
    let to = |feerate| WithdrawalOrder { destination: Some(address(0x51)), feerate, ..everything() };
    let low = FeeRate::from_sat_per_kwu(251);
    let refusal = service.withdraw(to(Some(low)), &keys()).await.unwrap_err();
    let CannotTakeBack::TooCheapToReplace { earlier, least } = refusal else { panic!("{refusal}") };
    assert_eq!(earlier, first.txid);
    assert_eq!(service.withdraw(everything(), &keys()).await.unwrap(), first, "nothing was recorded");
    let second = service.withdraw(to(Some(least)), &keys()).await.unwrap();
    assert_eq!(second.destination, Some(address(0x51)));
}
