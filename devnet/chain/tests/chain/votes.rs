//! Votes for blocks that are not the chain's, in every order (`chain.md` 10.3).

use super::support::{
    World, any, attribute,
    provider::Provider,
    stake::{AMOUNT, Stake},
};
use btc_staking_babylon::proto::{
    btcstaking::QueryFinalityProviderRequest,
    finality::{
        QueriedBlockStatus, QueryActiveFinalityProvidersAtHeightRequest, QueryEvidenceRequest,
        QueryFinalityProviderPowerAtHeightRequest, QueryListBlocksRequest, QueryListPubRandCommitRequest,
        QueryListPublicRandomnessRequest, QueryVotesAtHeightRequest, QueryVotingPowerDistributionRequest,
    },
};

const SLASHED: &str = "babylon.finality.v1.EventSlashedFinalityProvider";

async fn powerful() -> (World, Provider, u64) {
    let mut world = World::start().await;
    world.mine(3, &[]).await;
    let provider = Provider::new("provider-1", 1, 2000);
    world.register(&provider).await;
    world.finalise_epochs().await;
    let stake = Stake::new(&world.params, "voting", provider.public(), 1000);
    world.activate(&stake).await;
    let activated = world.activated().await;
    (world, provider, activated)
}

async fn is_slashed(world: &World, provider: &Provider) -> bool {
    let request = QueryFinalityProviderRequest { fp_btc_pk_hex: provider.public().to_string() };
    world.query(request).await.unwrap().finality_provider.unwrap().slashed_babylon_height > 0
}

#[tokio::test(flavor = "multi_thread")]
async fn fork_votes_alone_do_not_slash_and_the_canonical_vote_completes_the_last_one() {
    let (world, provider, height) = powerful().await;
    let evidence = QueryEvidenceRequest { fp_btc_pk_hex: provider.public().to_string() };
    let start = world.balance("provider-1").await;
    for fork in [[0xaa; 32], [0xbb; 32], [0xbb; 32]] {
        let included = world.must("provider-1", &provider.vote(height, fork)).await;
        assert_eq!(attribute(&included.tx_result.events, SLASHED, "evidence"), None);
    }
    assert_eq!(world.balance("provider-1").await, start - 150_000, "fork votes are not refunded");
    assert!(!is_slashed(&world, &provider).await);
    assert_eq!(
        world.query(evidence.clone()).await.unwrap_err().log,
        "there is no slashable evidence: unknown request"
    );
    let listed =
        QueryListPublicRandomnessRequest { fp_btc_pk_hex: provider.public().to_string(), pagination: None };
    assert!(world.query(listed).await.unwrap().pub_rand_map.contains_key(&height));

    let canonical = provider.vote(height, world.app_hash(height).await);
    let included = world.must("provider-1", &canonical).await;
    let shown = attribute(&included.tx_result.events, SLASHED, "evidence").unwrap();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["block_height"], height.to_string());
    assert_eq!(shown["fp_btc_pk"], provider.public().to_string());
    assert!(is_slashed(&world, &provider).await);
    let told = world.query(evidence).await.unwrap().evidence.unwrap();
    assert_eq!(told.fork_app_hash, [0xbb; 32], "the second fork vote overwrote the first");
    world.next_block().await;
    let tip = world.next_block().await;
    let power = QueryFinalityProviderPowerAtHeightRequest {
        fp_btc_pk_hex: provider.public().to_string(),
        height: tip,
    };
    let refused = world.query(power).await.unwrap_err();
    assert!(refused.log.contains("voting power table has not been updated"), "{refused:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_votes_and_power_can_be_asked() {
    let (world, provider, height) = powerful().await;
    let hex = || provider.public().to_string();
    let settled = || QueryVotingPowerDistributionRequest { height };
    let ranked = world.query(settled()).await.unwrap();
    assert_eq!((ranked.total_voting_power, ranked.num_active_fps), (AMOUNT, 1));
    assert_eq!(ranked.finality_providers[0].btc_pk_hex, hex());
    assert_eq!(ranked.finality_providers[0].commission, "50000000000000000");
    let table = QueryActiveFinalityProvidersAtHeightRequest { height, pagination: None };
    let table = world.query(table).await.unwrap().finality_providers;
    assert_eq!(table[0].btc_pk_hex, provider.public().to_bytes(), "raw bytes, wire.md 1.7");
    let below = QueryActiveFinalityProvidersAtHeightRequest { height: height - 1, pagination: None };
    assert!(world.query(below).await.unwrap().finality_providers.is_empty());

    let tip = world.node.height();
    for height in height..=tip {
        let vote = provider.vote(height, world.app_hash(height).await);
        let before = world.balance("provider-1").await;
        world.must("provider-1", &vote).await;
        assert_eq!(world.balance("provider-1").await, before, "votes are free");
    }
    let votes = QueryVotesAtHeightRequest { height };
    assert_eq!(world.query(votes).await.unwrap().btc_pks, [provider.public().to_bytes().to_vec()]);
    let blocks =
        |status: QueriedBlockStatus| QueryListBlocksRequest { status: status.into(), pagination: None };
    let finals = world.query(blocks(QueriedBlockStatus::Finalized)).await.unwrap().blocks;
    assert_eq!(finals.len(), usize::try_from(tip - height + 1).unwrap());
    let all = world.query(blocks(QueriedBlockStatus::Any)).await.unwrap().blocks;
    let open = world.query(blocks(QueriedBlockStatus::NonFinalized)).await.unwrap().blocks;
    assert!(all.len() >= finals.len() && open.iter().all(|block| block.height > tip));
    // Once its votes are all in, the distribution of a final block is let go.
    world.until("settlement", || async { world.query(settled()).await.is_err().then_some(()) }).await;
    let commits = QueryListPubRandCommitRequest { fp_btc_pk_hex: hex(), pagination: None };
    let commits = world.query(commits).await.unwrap().pub_rand_commit_map;
    assert_eq!(commits[&1].num_pub_rand, 2000);

    let app_hash = world.app_hash(height).await;
    use tendermint_rpc::Client;
    let header = world.client.header(u32::try_from(height).unwrap()).await.unwrap().header;
    assert_eq!(header.app_hash.as_bytes(), app_hash, "votes are for the hash in the header");
    let again = world.send("provider-1", vec![any(&provider.vote(height, app_hash))]).await.unwrap_err();
    assert_eq!(again.short(), "finality/1109");
    world.stop().await;
}
