//! A stake's whole life, told by the chain.

use super::support::{
    Refused, World, address, any, attribute,
    provider::Provider,
    stake::{AMOUNT, Stake},
};
use btc_staking_babylon::{
    convert::finality::decode_evidence,
    proto::{
        btcstaking::{MsgSelectiveSlashingEvidence, QueryFinalityProviderRequest},
        finality::{QueryEvidenceRequest, QueryListEvidencesRequest},
    },
};

const STAKING: &str = "babylon.btcstaking.v1";

#[tokio::test(flavor = "multi_thread")]
async fn a_stake_is_approved_activated_votes_and_leaves_and_a_double_signer_is_slashed() {
    let mut world = World::start().await;
    world.mine(3, &[]).await;
    let (one, two) = (Provider::new("provider-1", 1, 500), Provider::new("provider-2", 1, 500));
    world.register(&one).await;
    world.register(&two).await;
    world.finalise_epochs().await;

    let (a, b) = (stake(&world, "a", &one), stake(&world, "b", &two));
    let created = world.must("staker", &a.registration(None)).await;
    let events = &created.tx_result.events;
    let new_state = attribute(events, &format!("{STAKING}.EventBTCDelegationCreated"), "new_state");
    assert_eq!(new_state.as_deref(), Some("\"PENDING\""));
    assert_eq!(world.status(a.txid()).await, "PENDING");
    for i in 0..2 {
        world.must("covenant", &a.covenant_sigs(i)).await;
    }
    assert_eq!(world.status(a.txid()).await, "PENDING");
    let quorum = world.must("covenant", &a.covenant_sigs(4)).await;
    let new_state =
        attribute(&quorum.tx_result.events, &format!("{STAKING}.EventCovenantQuorumReached"), "new_state");
    assert_eq!(new_state.as_deref(), Some("\"VERIFIED\""));
    assert_eq!(world.status(a.txid()).await, "VERIFIED");

    let height = world.mine(3, &[a.tx()]).await;
    let proof = world.bitcoin.prove(height, a.tx());
    world.must("watchtower", &a.inclusion(&proof)).await;
    assert_eq!(world.status(a.txid()).await, "ACTIVE");
    world.activate(&b).await;
    let activated = world.activated().await;
    world.next_block().await;
    assert_eq!((world.power(&one).await, world.power(&two).await), (AMOUNT, AMOUNT));

    // Ten blocks become final by both providers' votes, none by one alone. Both have power from `both` on.
    let tip = world.node.height();
    for height in activated..=tip {
        vote(&world, &one, height).await.unwrap();
    }
    for height in activated..=tip {
        match vote(&world, &two, height).await {
            Ok(()) => {}
            // Blocks from before it had power, some of them final by now.
            Err(refused) => {
                assert!(
                    ["finality/1108", "finality/1116"].contains(&refused.short().as_str()),
                    "{refused:?}"
                );
            }
        }
    }
    assert!(world.is_final(tip).await);
    let last = world.next_block().await + 10;
    for height in tip + 1..=last {
        world.wait_for_height(height).await;
        vote(&world, &one, height).await.unwrap();
        assert!(!world.is_final(height).await, "half of the power is not enough");
        vote(&world, &two, height).await.unwrap();
        assert!(world.is_final(height).await);
    }

    // b leaves by its registered unbonding transaction, which needs no depth to be reported.
    let unbonding = b.unbonding_tx();
    let spent_at = world.mine(1, &[&unbonding]).await;
    let report = b.report(&unbonding, &world.bitcoin.prove(spent_at, &unbonding));
    let reported = world.must("watchtower", &report).await;
    let kind = format!("{STAKING}.EventBTCDelgationUnbondedEarly");
    let start = attribute(&reported.tx_result.events, &kind, "start_height");
    assert_eq!(start, Some(format!("\"{spent_at}\"")));
    assert_eq!(world.status(b.txid()).await, "UNBONDED");
    world.next_block().await;
    assert_eq!(world.power(&two).await, 0);

    // Provider 1 signs another block at a height where it has voted.
    let fork = one.vote(last, [0xbb; 32]);
    let slashed = world.must("provider-1", &fork).await;
    let kind = "babylon.finality.v1.EventSlashedFinalityProvider";
    assert!(attribute(&slashed.tx_result.events, kind, "evidence").is_some());
    let evidence = QueryEvidenceRequest { fp_btc_pk_hex: one.public().to_string() };
    let evidence = world.query(evidence).await.unwrap().evidence.unwrap();
    let secret = decode_evidence(&evidence).unwrap().extract_secret().unwrap();
    assert_eq!(secret.public_key(), one.key.public_key());
    let listed = QueryListEvidencesRequest { start_height: 0, pagination: None };
    assert_eq!(world.query(listed).await.unwrap().evidences.len(), 1);
    let record = QueryFinalityProviderRequest { fp_btc_pk_hex: one.public().to_string() };
    let record = world.query(record).await.unwrap().finality_provider.unwrap();
    assert!(record.slashed_babylon_height > 0);
    world.next_block().await;
    world.next_block().await;
    assert_eq!(world.status(a.txid()).await, "ACTIVE", "slashing does not change delegations");
    let refused = vote(&world, &one, last + 1).await.unwrap_err();
    assert_eq!(refused.short(), "btcstaking/1104");

    // Its power is gone in the block after, and the event says so.
    let results = world.block_events(u64::from(slashed.height) + 1).await;
    let kind = format!("{STAKING}.EventFinalityProviderStatusChange");
    let states: Vec<_> = results.iter().filter(|event| event.kind == kind).collect();
    assert!(states.iter().any(|event| {
        attribute(std::slice::from_ref(event), &kind, "new_state").as_deref()
            == Some("\"FINALITY_PROVIDER_STATUS_SLASHED\"")
    }));

    // Somebody shows the key of provider 2.
    let shown = MsgSelectiveSlashingEvidence {
        signer: address("other"),
        recovered_fp_btc_sk: two.key.signing_key().to_secret_bytes().to_vec(),
    };
    world.must("other", &shown).await;
    let again = world.send("other", vec![any(&shown)]).await.unwrap_err();
    assert_eq!(again.short(), "btcstaking/1104");
    world.stop().await;
}

fn stake(world: &World, label: &str, provider: &Provider) -> Stake {
    Stake::new(&world.params, label, provider.public(), 1000)
}

async fn vote(world: &World, provider: &Provider, height: u64) -> Result<(), Refused> {
    world.until("indexed", || async { (world.node.height() >= height).then_some(()) }).await;
    let message = provider.vote(height, world.app_hash(height).await);
    world.send(&provider.label, vec![any(&message)]).await.map(|_| ())
}
