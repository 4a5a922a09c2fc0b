//! What the chain is told: activations and spends.

use crate::bench::*;
use btc_staking_bitcoin_node::ports::BlockSource;
use btc_staking_pos_chain::{ErrorKind, MessageOutcome, Refusal, RefusalKind};
use btc_staking_protocol::delegation::DelegationStatus;
use btc_staking_protocol::delegation::{InclusionHeights, SlashedOutput};

#[tokio::test]
async fn a_stake_is_activated_when_k_deep_and_not_before() {
    let mut bench = Bench::new().await;
    let stake = bench.stake("holder", &Provider::new("provider"));
    let service = bench.service();
    let mut watcher = bench.watch(&service).await;
    bench.confirm(&[&stake]).await;
    for _ in 0..K {
        bench.round(&mut watcher).await;
        assert_eq!(bench.sent(), Vec::<&str>::new(), "not deep enough yet");
        bench.mine(1).await;
    }
    bench.round(&mut watcher).await;
    assert_eq!(bench.sent(), ["proof"]);
    assert_eq!(bench.status(&stake), DelegationStatus::Active);
    bench.mine(1).await;
    bench.round(&mut watcher).await;
    assert_eq!(bench.sent(), Vec::<&str>::new(), "told once");
}

#[tokio::test]
async fn a_stake_without_quorum_is_not_activated() {
    let mut bench = Bench::new().await;
    let stake = bench.stake_signed_by("holder", &Provider::new("provider"), 1);
    bench.confirm(&[&stake]).await;
    bench.mine(K).await;
    bench.one_look_after_a_restart().await;
    assert_eq!(bench.sent(), Vec::<&str>::new());
}

#[tokio::test]
async fn an_unbonding_is_reported_once_it_is_in_a_block() {
    let mut bench = Bench::new().await;
    let stake = bench.stake("holder", &Provider::new("provider"));
    let service = bench.service();
    let mut watcher = bench.watch(&service).await;
    bench.confirm(&[&stake]).await;
    bench.mine(K).await;
    bench.round(&mut watcher).await;
    assert_eq!(bench.sent(), ["proof"]);
    bench.broadcast(&stake.unbonding_tx()).await;
    bench.round(&mut watcher).await;
    assert_eq!(bench.sent(), Vec::<&str>::new(), "an unconfirmed spend proves nothing");
    bench.mine(1).await;
    bench.round(&mut watcher).await;
    assert_eq!(bench.sent(), ["spend"]);
    assert_eq!(bench.status(&stake), DelegationStatus::Unbonded);
    bench.mine(3).await;
    bench.round(&mut watcher).await;
    assert_eq!(bench.sent(), Vec::<&str>::new());
}

#[tokio::test]
async fn what_was_not_settled_is_sent_again_and_what_was_refused_rests() {
    let mut bench = Bench::new().await;
    let stake = bench.stake("holder", &Provider::new("provider"));
    bench.confirm(&[&stake]).await;
    bench.mine(K).await;
    bench.relay().await.unwrap();
    let service = bench.service();
    let mut watcher = bench.watch(&service).await;
    bench.chain.fail_next_submissions(1, ErrorKind::Transient);
    bench.round(&mut watcher).await;
    assert_eq!(bench.sent(), ["proof"]);
    bench.chain.answer_next(refused(RefusalKind::NotDeepEnough));
    bench.round(&mut watcher).await;
    assert_eq!(bench.sent(), ["proof"], "refused, but not for good");
    bench.round(&mut watcher).await;
    assert_eq!(bench.status(&stake), DelegationStatus::Active);
    bench.sent();

    bench.broadcast(&stake.unbonding_tx()).await;
    bench.mine(1).await;
    bench.relay().await.unwrap();
    bench.chain.answer_next(refused(RefusalKind::Other));
    bench.round(&mut watcher).await;
    bench.round(&mut watcher).await;
    assert_eq!(bench.sent(), ["spend"], "refused, it rests");
    // The spend moves to another block: another proof, another try.
    bench.reorg(1).await;
    bench.round(&mut watcher).await;
    assert_eq!(bench.sent(), ["spend"]);
    assert_eq!(bench.status(&stake), DelegationStatus::Unbonded);
}

#[tokio::test]
async fn no_single_refusal_ends_a_task() {
    // (refusal, looks until it is sent again)
    for (kind, looks) in
        [(RefusalKind::DelegationNotFound, 1), (RefusalKind::Broken, 4), (RefusalKind::Other, 4)]
    {
        let mut bench = Bench::new().await;
        let stake = bench.stake("holder", &Provider::new("provider"));
        bench.confirm(&[&stake]).await;
        bench.mine(K).await;
        bench.relay().await.unwrap();
        let service = bench.service();
        let mut watcher = bench.watch(&service).await;
        bench.chain.answer_next(refused(kind));
        bench.round(&mut watcher).await;
        assert_eq!(bench.sent(), ["proof"], "{kind:?}");
        for _ in 1..looks {
            bench.round(&mut watcher).await;
            assert_eq!(bench.sent(), Vec::<&str>::new(), "{kind:?}");
        }
        bench.round(&mut watcher).await;
        assert_eq!(bench.sent(), ["proof"], "{kind:?}");
        assert_eq!(bench.status(&stake), DelegationStatus::Active, "{kind:?}");
    }
}

#[tokio::test]
async fn a_revealed_secret_that_was_refused_is_shown_again() {
    let mut bench = Bench::new().await;
    let provider = Provider::new("provider");
    let stake = bench.stake("holder", &provider);
    bench.confirm(&[&stake]).await;
    bench.mine(K).await;
    let service = bench.service();
    let mut watcher = bench.watch(&service).await;
    bench.round(&mut watcher).await;
    bench.broadcast(&stake.signed_slashing(SlashedOutput::Staking, &provider.secret())).await;
    bench.mine(1).await;
    bench.relay().await.unwrap();
    bench.sent();
    bench.chain.answer_next(refused(RefusalKind::Other));
    let mut shown = 0;
    for _ in 0..6 {
        bench.round(&mut watcher).await;
        shown += bench.sent().iter().filter(|name| **name == "secret").count();
    }
    assert_eq!(shown, 2, "refused once, then taken");
}

fn refused(kind: RefusalKind) -> MessageOutcome {
    let (codespace, text) = ("btcstaking".to_owned(), "no".to_owned());
    MessageOutcome::Refused(Refusal { kind, codespace, code: 1, text })
}

#[tokio::test]
async fn stakes_from_before_the_first_start_are_found() {
    let mut bench = Bench::new().await;
    let provider = Provider::new("provider");
    let stake = bench.stake("holder", &provider);
    bench.confirm(&[&stake]).await;
    bench.mine(K).await;
    bench.one_look_after_a_restart().await;
    assert_eq!(bench.status(&stake), DelegationStatus::Active);
    // Another watchtower, long after: the stake lies below everything it would look at by itself.
    bench.mine(300).await;
    bench.convict(&provider);
    let other = tempfile::tempdir().unwrap();
    let service = bench.service_over(btc_staking_slasher::records::Records::open(other.path()).unwrap());
    let mut watcher = bench.watch(&service).await;
    bench.round(&mut watcher).await;
    bench.mine(1).await;
    assert!(
        bench
            .is_confirmed(&stake.slashing_txid(btc_staking_protocol::delegation::SlashedOutput::Staking))
            .await
    );
}

#[tokio::test]
async fn a_spend_in_a_block_read_while_the_chain_did_not_list_the_stake_is_found_later() {
    let mut bench = Bench::new().await;
    let stake = bench.stake("holder", &Provider::new("provider"));
    bench.confirm(&[&stake]).await;
    bench.mine(K).await;
    bench.one_look_after_a_restart().await;
    assert_eq!(bench.status(&stake), DelegationStatus::Active);
    // A node that lags behind does not list the stake just when its spend is read.
    let delegation = bench.chain.update(|state| state.delegations.remove(&stake.txid()).unwrap());
    let service = bench.service();
    let mut watcher = bench.watch(&service).await;
    bench.broadcast(&stake.unbonding_tx()).await;
    bench.mine(1).await;
    bench.round(&mut watcher).await;
    bench.chain.update(|state| state.delegations.insert(stake.txid(), delegation));
    bench.round(&mut watcher).await;
    assert_eq!(bench.status(&stake), DelegationStatus::Unbonded);
}

#[tokio::test]
async fn a_stake_met_long_after_it_was_mined_is_found_once_the_chain_has_its_proof() {
    let mut bench = Bench::new().await;
    let provider = Provider::new("provider");
    let stake = bench.stake("holder", &provider);
    let delegation = bench.chain.update(|state| state.delegations.remove(&stake.txid()).unwrap());
    let service = bench.service();
    let mut watcher = bench.watch(&service).await;
    bench.confirm(&[&stake]).await;
    let mined_at = bench.bitcoin.fetch_tip().await.unwrap().height;
    bench.mine(60).await;
    bench.round(&mut watcher).await;
    // Only now the chain tells of it, without saying where it is on Bitcoin, further back than anybody would look.
    bench.chain.update(|state| state.delegations.insert(stake.txid(), delegation));
    bench.round(&mut watcher).await;
    assert!(watcher.machine().watch().confirmation(&stake.txid()).is_none());
    // Somebody else proves it.
    bench.chain.update(|state| {
        let delegation = state.delegations.get_mut(&stake.txid()).unwrap();
        delegation.status = DelegationStatus::Active;
        let end = mined_at.checked_add(u32::from(delegation.terms.staking_time.blocks())).unwrap();
        delegation.inclusion = Some(InclusionHeights { start: mined_at, end });
    });
    bench.convict(&provider);
    bench.round(&mut watcher).await;
    bench.mine(1).await;
    assert!(bench.is_confirmed(&stake.slashing_txid(SlashedOutput::Staking)).await);
}

#[tokio::test]
async fn a_first_start_while_the_chain_lists_nothing_finds_old_stakes_later() {
    let mut bench = Bench::new().await;
    let provider = Provider::new("provider");
    let stake = bench.stake("holder", &provider);
    bench.confirm(&[&stake]).await;
    bench.mine(K).await;
    bench.one_look_after_a_restart().await;
    bench.mine(300).await;
    let other = tempfile::tempdir().unwrap();
    let service = bench.service_over(btc_staking_slasher::records::Records::open(other.path()).unwrap());
    // It begins near the tip, and the listing comes back before the first block is followed.
    bench.chain.update(|state| state.listing_fault = Some(btc_staking_pos_chain::ErrorKind::Transient));
    let mut watcher = bench.watch(&service).await;
    bench.chain.update(|state| state.listing_fault = None);
    bench.convict(&provider);
    bench.round(&mut watcher).await;
    bench.round(&mut watcher).await;
    bench.mine(1).await;
    assert!(bench.is_confirmed(&stake.slashing_txid(SlashedOutput::Staking)).await);
}
