//! Slashing: every stake under a provider whose key is out, from whichever output holds the coins.

use crate::bench::*;
use bitcoin::Txid;
use btc_staking_bitcoin_node::{
    dev::DevNode,
    ports::{BlockSource, TxPlace},
};
use btc_staking_pos_chain::ErrorKind;
use btc_staking_protocol::delegation::SlashedOutput;
use btc_staking_slasher::{service::Watcher, stakes::SlashingStep};

/// The step of a stake and what keeps it from going on.
fn slashing(watcher: &Watcher<'_>, stake: &Stake) -> (SlashingStep, Option<String>) {
    let found = watcher.machine().slashings().find(|(_, txid, _, _)| *txid == stake.txid());
    let (_, _, step, reason) = found.expect("the stake is under an open case");
    (step.clone(), reason.map(str::to_owned))
}
fn slashed_by(watcher: &Watcher<'_>, stake: &Stake) -> Option<(SlashedOutput, Txid)> {
    match slashing(watcher, stake).0 {
        SlashingStep::Slashed { output, txid, .. } => Some((output, txid)),
        _ => None,
    }
}

#[tokio::test]
async fn one_key_slashes_every_stake_from_the_output_that_holds_its_coins() {
    let mut bench = Bench::new().await;
    let (guilty, honest) = (Provider::new("guilty"), Provider::new("honest"));
    let a = bench.stake("a", &guilty);
    let b = bench.stake("b", &guilty);
    let c = bench.stake("c", &honest);
    let service = bench.service();
    let mut watcher = bench.watch(&service).await;
    bench.confirm(&[&a, &b, &c]).await;
    bench.mine(K).await;
    bench.round(&mut watcher).await;
    bench.broadcast(&b.unbonding_tx()).await;
    bench.mine(1).await;
    bench.round(&mut watcher).await;

    bench.convict(&guilty);
    bench.round(&mut watcher).await;
    let a_slashing = a.slashing_txid(SlashedOutput::Staking);
    let b_slashing = b.slashing_txid(SlashedOutput::Unbonding);
    assert_eq!(bench.place(&a_slashing).await, TxPlace::Mempool);
    assert_eq!(bench.place(&b_slashing).await, TxPlace::Mempool);
    bench.mine(1).await;
    bench.round(&mut watcher).await;
    assert!(matches!(slashing(&watcher, &a).0, SlashingStep::Confirming { .. }));
    bench.mine(K).await;
    bench.round(&mut watcher).await;
    assert_eq!(slashed_by(&watcher, &a), Some((SlashedOutput::Staking, a_slashing)));
    assert_eq!(slashed_by(&watcher, &b), Some((SlashedOutput::Unbonding, b_slashing)));
    assert_eq!(watcher.machine().slashings().count(), 2, "the honest provider's stake has no case");
    assert_eq!(bench.place(&c.slashing_txid(SlashedOutput::Staking)).await, TxPlace::Unknown);
}

#[tokio::test]
async fn an_unbonding_that_confirms_while_its_slashing_is_in_flight_is_slashed_after_all() {
    let mut bench = Bench::new().await;
    let provider = Provider::new("guilty");
    let stake = bench.stake("holder", &provider);
    let service = bench.service();
    let mut watcher = bench.watch(&service).await;
    bench.confirm(&[&stake]).await;
    bench.mine(K).await;
    bench.convict(&provider);
    bench.round(&mut watcher).await;
    let first = stake.slashing_txid(SlashedOutput::Staking);
    assert_eq!(bench.place(&first).await, TxPlace::Mempool);
    // Another miner never saw the slashing and takes the unbonding instead.
    assert!(bench.bitcoin.evict(&first));
    bench.broadcast(&stake.unbonding_tx()).await;
    bench.mine(1).await;
    bench.round(&mut watcher).await;
    bench.mine(1 + K).await;
    bench.round(&mut watcher).await;
    let second = stake.slashing_txid(SlashedOutput::Unbonding);
    assert_eq!(slashed_by(&watcher, &stake), Some((SlashedOutput::Unbonding, second)));
}

#[tokio::test]
async fn a_rival_in_the_mempool_is_waited_out() {
    let mut bench = Bench::new().await;
    let provider = Provider::new("guilty");
    let stake = bench.stake("holder", &provider);
    let service = bench.service();
    let mut watcher = bench.watch(&service).await;
    bench.confirm(&[&stake]).await;
    bench.mine(K).await;
    bench.round(&mut watcher).await;
    bench.broadcast(&stake.unbonding_tx()).await;
    bench.convict(&provider);
    bench.round(&mut watcher).await;
    bench.mine(1).await;
    bench.round(&mut watcher).await;
    bench.mine(1).await;
    bench.round(&mut watcher).await;
    let staking = bench.is_confirmed(&stake.slashing_txid(SlashedOutput::Staking)).await;
    let unbonding = bench.is_confirmed(&stake.slashing_txid(SlashedOutput::Unbonding)).await;
    assert!(staking ^ unbonding, "slashed exactly once, by replacement or after the unbonding");
}

#[tokio::test]
async fn a_slashing_undone_by_a_reorg_is_broadcast_again() {
    let mut bench = Bench::new().await;
    let provider = Provider::new("guilty");
    let stake = bench.stake("holder", &provider);
    let service = bench.service();
    let mut watcher = bench.watch(&service).await;
    bench.confirm(&[&stake]).await;
    bench.mine(K).await;
    bench.convict(&provider);
    bench.round(&mut watcher).await;
    bench.mine(1).await;
    bench.round(&mut watcher).await;
    let txid = stake.slashing_txid(SlashedOutput::Staking);
    assert!(bench.is_confirmed(&txid).await);
    // The new branch does not have it, and the node forgot it.
    let tip = bench.bitcoin.fetch_tip().await.unwrap();
    bench.bitcoin.invalidate(&tip.hash).await.unwrap();
    assert!(bench.bitcoin.evict(&txid));
    bench.mine(2).await;
    assert_eq!(bench.place(&txid).await, TxPlace::Unknown);
    bench.round(&mut watcher).await;
    assert_eq!(bench.place(&txid).await, TxPlace::Mempool);
    bench.mine(1 + K).await;
    bench.round(&mut watcher).await;
    assert_eq!(slashed_by(&watcher, &stake), Some((SlashedOutput::Staking, txid)));
}

#[tokio::test]
async fn a_slashing_the_node_forgot_is_broadcast_again_with_the_next_block() {
    let mut bench = Bench::new().await;
    let provider = Provider::new("guilty");
    let stake = bench.stake("holder", &provider);
    let service = bench.service();
    let mut watcher = bench.watch(&service).await;
    bench.confirm(&[&stake]).await;
    bench.mine(K).await;
    bench.convict(&provider);
    bench.round(&mut watcher).await;
    let txid = stake.slashing_txid(SlashedOutput::Staking);
    assert!(bench.bitcoin.evict(&txid));
    bench.mine(1).await;
    bench.round(&mut watcher).await;
    assert_eq!(bench.place(&txid).await, TxPlace::Mempool);
}

#[tokio::test]
async fn selective_slashing_gives_the_key_away_for_every_other_stake() {
    let mut bench = Bench::new().await;
    let provider = Provider::new("guilty");
    let victim = bench.stake("victim", &provider);
    let sibling = bench.stake("sibling", &provider);
    let service = bench.service();
    let mut watcher = bench.watch(&service).await;
    bench.confirm(&[&victim, &sibling]).await;
    bench.mine(K).await;
    bench.round(&mut watcher).await;
    bench.sent();
    // No double sign: the provider's key is used on one stake alone.
    bench.broadcast(&victim.signed_slashing(SlashedOutput::Staking, &provider.secret())).await;
    bench.mine(1).await;
    bench.relay().await.unwrap();
    bench.chain.fail_next_submissions(10, ErrorKind::Transient);
    bench.round(&mut watcher).await;
    assert!(bench.sent().contains(&"secret"));
    bench.chain.clear_faults();
    bench.round(&mut watcher).await;
    assert!(bench.sent().contains(&"secret"), "the first never arrived");
    bench.mine(1).await;
    bench.round(&mut watcher).await;
    assert!(!bench.sent().contains(&"secret"), "shown until the chain took it, and not again");
    assert!(bench.is_confirmed(&sibling.slashing_txid(SlashedOutput::Staking)).await);
}

#[tokio::test]
async fn a_key_revealed_before_a_restart_slashes_without_waiting_for_a_block() {
    let mut bench = Bench::new().await;
    let provider = Provider::new("guilty");
    let victim = bench.stake("victim", &provider);
    let sibling = bench.stake("sibling", &provider);
    bench.confirm(&[&victim, &sibling]).await;
    bench.mine(K).await;
    bench.one_look_after_a_restart().await;
    bench.broadcast(&victim.signed_slashing(SlashedOutput::Staking, &provider.secret())).await;
    bench.mine(1).await;
    bench.one_look_after_a_restart().await;
    let txid = sibling.slashing_txid(SlashedOutput::Staking);
    assert!(bench.bitcoin.evict(&txid));
    bench.one_look_after_a_restart().await;
    assert_eq!(bench.place(&txid).await, TxPlace::Mempool);
}

#[tokio::test]
async fn a_key_revealed_in_a_block_that_a_reorg_takes_away_is_not_forgotten() {
    let mut bench = Bench::new().await;
    let provider = Provider::new("guilty");
    let victim = bench.stake("victim", &provider);
    let sibling = bench.stake("sibling", &provider);
    bench.confirm(&[&victim, &sibling]).await;
    bench.mine(K).await;
    bench.one_look_after_a_restart().await;
    bench.broadcast(&victim.signed_slashing(SlashedOutput::Staking, &provider.secret())).await;
    bench.mine(1).await;
    bench.one_look_after_a_restart().await;
    let tip = bench.bitcoin.fetch_tip().await.unwrap();
    bench.bitcoin.invalidate(&tip.hash).await.unwrap();
    let txid = sibling.slashing_txid(SlashedOutput::Staking);
    for gone in [txid, victim.slashing_txid(SlashedOutput::Staking)] {
        bench.bitcoin.evict(&gone);
    }
    bench.bitcoin.mine(2, &bitcoin::ScriptBuf::from_hex("51").unwrap()).await.unwrap();
    bench.one_look_after_a_restart().await;
    assert_eq!(bench.place(&txid).await, TxPlace::Mempool);
}

#[tokio::test]
async fn a_chain_that_cannot_list_every_stake_does_not_save_a_guilty_provider() {
    let mut bench = Bench::new().await;
    let provider = Provider::new("guilty");
    let stake = bench.stake("holder", &provider);
    bench.chain.update(|state| state.listing_fault = Some(ErrorKind::Broken));
    let service = bench.service();
    let mut watcher = bench.watch(&service).await;
    bench.confirm(&[&stake]).await;
    bench.convict(&provider);
    assert!(bench.try_round(&mut watcher).await.is_err(), "the fault is still reported");
    bench.mine(1).await;
    assert!(bench.is_confirmed(&stake.slashing_txid(SlashedOutput::Staking)).await);
}

#[tokio::test]
async fn a_stake_without_quorum_stays_open_with_a_reason_while_the_others_go_on() {
    let mut bench = Bench::new().await;
    let provider = Provider::new("guilty");
    let poor = bench.stake_signed_by("poor", &provider, 1);
    let rich = bench.stake("rich", &provider);
    let service = bench.service();
    let mut watcher = bench.watch(&service).await;
    bench.confirm(&[&poor, &rich]).await;
    bench.convict(&provider);
    bench.round(&mut watcher).await;
    bench.mine(1 + K).await;
    bench.round(&mut watcher).await;
    assert!(slashed_by(&watcher, &rich).is_some());
    let (step, reason) = slashing(&watcher, &poor);
    assert_eq!(step, SlashingStep::Fire(SlashedOutput::Staking));
    assert!(reason.is_some_and(|reason| reason.contains("quorum") || reason.contains("signatures")));

    // A member signs late: the stake goes the way of the others, without waiting for a block.
    bench.chain.update(|state| {
        let delegation = state.delegations.get_mut(&poor.txid()).unwrap();
        delegation.covenant.insert(&poor.checked.sign_covenant(&member(1), &AUX).unwrap());
    });
    bench.round(&mut watcher).await;
    bench.mine(1 + K).await;
    bench.round(&mut watcher).await;
    assert!(slashed_by(&watcher, &poor).is_some());
}

#[tokio::test]
async fn worthless_evidence_and_unreadable_delegations_do_not_keep_the_rest() {
    let mut bench = Bench::new().await;
    let (guilty, framed) = (Provider::new("guilty"), Provider::new("framed"));
    let stake = bench.stake("holder", &guilty);
    let innocent = bench.stake("innocent", &framed);
    let broken = bench.stake("broken", &guilty);
    bench.chain.update(|state| {
        state.delegations.get_mut(&broken.txid()).unwrap().staking_output_index = 9;
        state.malformed_delegations.push("not a delegation".to_owned());
        // Somebody else's votes under the framed provider's name, and votes for one and the same block.
        let mut forged = guilty.evidence();
        forged.finality_provider = framed.public();
        state.evidences.push(forged);
        let mut same = guilty.evidence();
        same.fork_app_hash = same.canonical_app_hash;
        same.fork_signature = same.canonical_signature;
        state.evidences.push(same);
    });
    bench.convict(&guilty);
    let service = bench.service();
    let mut watcher = bench.watch(&service).await;
    bench.confirm(&[&stake, &innocent]).await;
    bench.round(&mut watcher).await;
    bench.mine(1).await;
    assert!(bench.is_confirmed(&stake.slashing_txid(SlashedOutput::Staking)).await);
    assert_eq!(watcher.machine().cases(), 1);
    assert_eq!(bench.place(&innocent.slashing_txid(SlashedOutput::Staking)).await, TxPlace::Unknown);
}

#[tokio::test]
async fn a_case_opened_before_the_stake_is_on_bitcoin_waits_for_it() {
    let mut bench = Bench::new().await;
    let provider = Provider::new("guilty");
    let stake = bench.stake("holder", &provider);
    bench.convict(&provider);
    let service = bench.service();
    let mut watcher = bench.watch(&service).await;
    bench.round(&mut watcher).await;
    assert_eq!(slashing(&watcher, &stake).0, SlashingStep::NotOnBitcoin);
    bench.confirm(&[&stake]).await;
    bench.round(&mut watcher).await;
    bench.mine(1).await;
    assert!(bench.is_confirmed(&stake.slashing_txid(SlashedOutput::Staking)).await);
}
