//! What the authority decides, and what follows from it.

use crate::{
    rules::fixture::{alter_params, altered},
    support::{Refused, World, account, any, attribute, genesis, provider::Provider, stake::Stake},
};
use btc_staking_babylon::proto::{
    btccheckpoint, btclightclient, btcstaking,
    finality::{QueryFinalityProviderPowerAtHeightRequest, QueryVotingPowerDistributionRequest},
};
use btc_staking_devnet_chain::{AuthorityCommand, Genesis, RuleSet};
use btc_staking_protocol::{
    height::{BtcHeight, PosHeight},
    keys::FinalityProviderPublicKey,
};
use tendermint_rpc::{Client, endpoint::tx};

fn governed() -> Genesis {
    Genesis { authority: account("authority").account().clone(), ..genesis() }
}

async fn decide(w: &World, command: AuthorityCommand) -> Result<tx::Response, Refused> {
    let message = command.build(account("authority").account()).unwrap();
    w.send("authority", vec![message]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_params_version_applies_from_its_bitcoin_height_on() {
    let mut w = World::start_with(governed()).await;
    w.mine(1, &[]).await;
    let next = altered(&w.params, |params| {
        params.btc_activation_height = BtcHeight::new(5);
        params.unbonding_fee = bitcoin::Amount::from_sat(2_000);
    });
    decide(&w, AuthorityCommand::StakingParams(Box::new(next.clone()))).await.unwrap();
    let version_at = async |btc_height| {
        let request = btcstaking::QueryParamsByBTCHeightRequest { btc_height };
        w.query(request).await.unwrap().version
    };
    assert_eq!((version_at(4).await, version_at(5).await), (0, 1));
    let latest = w.query(btcstaking::QueryParamsRequest {}).await.unwrap().params.unwrap();
    assert_eq!(latest.unbonding_fee_sat, 2_000, "the latest, though it does not apply yet");

    let one = Provider::new("provider-1", 1, 1000);
    w.register(&one).await;
    let old = Stake::new(&w.params, "old terms", one.public(), 1000);
    let new = Stake::new(&next, "new terms", one.public(), 1000);
    let refused = w.send("staker", vec![any(&new.registration(None))]).await.unwrap_err();
    assert_eq!(refused.short(), "btcstaking/1114");
    w.must("staker", &old.registration(None)).await;
    w.mine(4, &[]).await;
    w.must("staker", &new.registration(None)).await;
    let late = Stake::new(&w.params, "old terms too late", one.public(), 1000);
    let refused = w.send("staker", vec![any(&late.registration(None))]).await.unwrap_err();
    assert_eq!(refused.short(), "btcstaking/1114");
    w.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reporters_that_are_not_listed_are_refused_once_there_is_a_list() {
    let mut w = World::start_with(governed()).await;
    let listed = vec![account("watchtower").account().clone()];
    decide(&w, AuthorityCommand::HeaderReporters(listed)).await.unwrap();
    let header = w.bitcoin.mine(&[]);
    let refused = w.report(&[header]).await.unwrap_err();
    assert_eq!(refused.short(), "btclightclient/1106");
    let answer = w.query(btclightclient::QueryParamsRequest {}).await.unwrap();
    assert_eq!(answer.params.unwrap().insert_headers_allow_list, [crate::support::address("watchtower")]);
    decide(&w, AuthorityCommand::HeaderReporters(vec![])).await.unwrap();
    w.report(&[header]).await.unwrap();
    w.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn finality_goes_on_when_those_who_stopped_voting_are_taken_out() {
    let mut w = World::start_with(governed()).await;
    w.mine(1, &[]).await;
    let (one, two) = (Provider::new("provider-1", 1, 3000), Provider::new("provider-2", 1, 3000));
    w.register(&one).await;
    w.register(&two).await;
    w.finalise_epochs().await;
    let (first, second) = (
        Stake::new(&w.params, "first", one.public(), 1000),
        Stake::new(&w.params, "second", two.public(), 1000),
    );
    w.activate(&first).await;
    w.activate(&second).await;
    let both_at = async |w: &World, key: &FinalityProviderPublicKey, height| {
        let request = QueryFinalityProviderPowerAtHeightRequest { fp_btc_pk_hex: key.to_string(), height };
        w.query(request).await.map_or(0, |answer| answer.voting_power)
    };
    // One of two equals votes: half of the power, so that nothing becomes final once both have power.
    let halted = w
        .until("both have power", || async {
            let height = w.node.height();
            (both_at(&w, &two.public(), height).await > 0).then_some(height)
        })
        .await;
    let activated = w.activated().await;
    for height in activated..=halted {
        if both_at(&w, &one.public(), height).await > 0 {
            w.must("provider-1", &one.vote(height, w.app_hash(height).await)).await;
        }
    }
    w.next_block().await;
    assert!(!w.is_final(halted).await);

    let absent = vec![two.public()];
    let command = AuthorityCommand::ResumeFinality { absent, halted_at: PosHeight::new(halted) };
    let included = decide(&w, command).await.unwrap();
    let jailed = attribute(
        &included.tx_result.events,
        "babylon.finality.v1.EventJailedFinalityProvider",
        "public_key",
    );
    assert_eq!(jailed, Some(format!("\"{}\"", two.public())));
    let resumed = u64::from(included.height);
    assert!(w.is_final(halted).await, "the votes of the other suffice in the very block");
    assert_eq!(both_at(&w, &two.public(), halted).await, 0);
    let ranked = w.query(QueryVotingPowerDistributionRequest { height: resumed }).await.unwrap();
    let last = ranked.finality_providers.last().unwrap();
    assert_eq!((&last.btc_pk_hex, last.is_jailed), (&two.public().to_string(), true));
    assert_eq!(ranked.num_active_fps, 1);

    w.wait_for_height(resumed + 1).await;
    let next = w.client.block_results(u32::try_from(resumed + 1).unwrap()).await.unwrap();
    let kind = "babylon.btcstaking.v1.EventFinalityProviderStatusChange";
    let state = attribute(&next.finalize_block_events, kind, "new_state");
    assert_eq!(state.as_deref(), Some("\"FINALITY_PROVIDER_STATUS_JAILED\""));
    w.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lowering_k_to_a_reorg_that_was_seen_halts_the_chain() {
    let mut w = World::start_with(governed()).await;
    w.mine(3, &[]).await;
    w.bitcoin.fork(1);
    let headers = [w.bitcoin.mine(&[]), w.bitcoin.mine(&[])];
    w.report(&headers).await.unwrap();
    let params = btccheckpoint::Params {
        btc_confirmation_depth: 1,
        checkpoint_finalization_timeout: 3,
        checkpoint_tag: "01020304".into(),
    };
    let mut halted = w.node.halted();
    tokio::select! {
        outcome = decide(&w, AuthorityCommand::CheckpointParams(params)) => panic!("in a block: {outcome:?}"),
        reason = halted.wait_for(Option::is_some) => {
            let reason = reason.unwrap().clone().unwrap().to_string();
            assert!(reason.contains("reorg of 1 blocks"), "{reason}");
        }
    }
    w.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_providers_get_no_stakes_and_commit_nothing_under_the_rules_of_the_head_only() {
    for rules in [RuleSet::Released, RuleSet::Head] {
        let one = Provider::new("provider-1", 1, 1000);
        let deleted = Genesis { soft_deleted_finality_providers: vec![one.public()], rules, ..genesis() };
        let mut w = World::start_with(deleted).await;
        w.mine(1, &[]).await;
        w.must("provider-1", &one.registration()).await;
        let request = btcstaking::QueryFinalityProviderRequest { fp_btc_pk_hex: one.public().to_string() };
        assert!(w.query(request).await.unwrap().finality_provider.unwrap().soft_deleted);
        let stake = Stake::new(&w.params, "for nobody", one.public(), 1000);
        let outcomes = [
            w.send("provider-1", vec![any(&one.commitment())]).await,
            w.send("staker", vec![any(&stake.registration(None))]).await,
        ];
        let seen =
            outcomes.map(|outcome| outcome.map_or_else(|refused| refused.short(), |_| "accepted".into()));
        match rules {
            RuleSet::Released => assert_eq!(seen, ["accepted", "accepted"]),
            RuleSet::Head => assert_eq!(seen, ["finality/1122", "btcstaking/1130"]),
        }
        w.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_listed_stakes_are_registered_while_the_allow_list_is_in_force() {
    let mut limited = genesis();
    let params = alter_params(&mut limited, |params| params.allow_list_expiration_height = 1_000_000);
    let one = Provider::new("provider-1", 1, 1000);
    let (listed, other) =
        (Stake::new(&params, "listed", one.public(), 1000), Stake::new(&params, "other", one.public(), 1000));
    limited.allowed_staking_txids = vec![listed.tx().compute_txid()];
    let mut w = World::start_with(limited).await;
    w.mine(1, &[]).await;
    w.register(&one).await;
    let refused = w.send("staker", vec![any(&other.registration(None))]).await.unwrap_err();
    assert_eq!(refused.short(), "btcstaking/1108");
    assert!(refused.log.contains("is not in the allow list"), "{}", refused.log);
    w.must("staker", &listed.registration(None)).await;
    w.stop().await;
}
