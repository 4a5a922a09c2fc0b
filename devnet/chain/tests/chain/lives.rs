//! Lives of stakes and of their expansions, on the embedded chain.

use crate::{
    expansion::{expect, live, send},
    stakes,
    support::{
        Refused, World,
        child::Child,
        covenant, covenant_message, genesis,
        provider::Provider,
        stake::{AMOUNT, Stake},
    },
};
use btc_staking_devnet_chain::{Genesis, RuleSet};

#[tokio::test(flavor = "multi_thread")]
async fn a_stake_registered_after_the_fact_is_active_with_its_quorum_and_expires() {
    let mut world = World::start().await;
    let provider = stakes::provider(&mut world).await;
    stakes::late(&mut world, &provider).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_that_comes_after_the_expiry_still_gives_power() {
    let mut world = World::start().await;
    let provider = stakes::provider(&mut world).await;
    stakes::too_late(&mut world, &provider).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spend_that_nobody_registered_unbonds_with_an_event_of_its_own() {
    let mut world = World::start().await;
    let provider = stakes::provider(&mut world).await;
    stakes::surprising(&mut world, &provider).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn delegations_are_listed_by_status_and_by_provider_page_by_page() {
    let mut world = World::start().await;
    let provider = stakes::provider(&mut world).await;
    stakes::listed(&world, &provider).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expansion_takes_over_its_parents_power() {
    let mut world = World::start().await;
    live(&mut world).await;
    world.stop().await;
}

/// A chain under `rules` after an expansion by another staker key was sent to it, with the expansion and its outcome.
async fn change_owner(rules: RuleSet) -> (World, Stake, Child, Result<(), Refused>) {
    let mut world = World::start_with(Genesis { rules, ..genesis() }).await;
    let one = Provider::new("provider-1", 1, 1000);
    world.mine(3, &[]).await;
    world.register(&one).await;
    let parent = Stake::new(&world.params, "parent", one.public(), 1000);
    world.activate(&parent).await;
    let child = Child::new(&world.params, "another owner", &parent, one.public(), AMOUNT + 50_000);
    let outcome = send(&world, &child.message()).await;
    (world, parent, child, outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn released_rules_let_an_expansion_with_another_staker_key_reach_quorum() {
    let (world, parent, child, outcome) = change_owner(RuleSet::Released).await;
    outcome.unwrap();
    for i in 0..3 {
        world.must("covenant", &covenant_message(&child.covenant_set(&parent, &covenant()[i]))).await;
    }
    assert_eq!(world.status(child.txid()).await, "VERIFIED");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn head_rules_refuse_an_expansion_with_another_staker_key() {
    let (world, _, _, outcome) = change_owner(RuleSet::Head).await;
    expect(outcome, "undefined/1", "staker btc key");
    world.stop().await;
}
