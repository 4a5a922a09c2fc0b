//! Stake expansion: registered, signed by both committees, activated through the parent's report (`chain.md` 6.8, 6.11).

use super::support::{
    Refused, World, any,
    child::Child,
    covenant, covenant_message,
    provider::Provider,
    stake::{AMOUNT, Stake},
};
use bitcoin::consensus::serialize;
use btc_staking_babylon::proto::btcstaking::{MsgBtcStakeExpand, QueryBTCDelegationRequest};
use btc_staking_protocol::delegation::CovenantSignatureSet;

/// An expansion of `parent` to `amount`.
fn expand(world: &World, parent: &Stake, provider: &Provider, amount: u64) -> Child {
    Child::new(&world.params, "parent", parent, provider.public(), amount)
}

pub async fn send(world: &World, message: &MsgBtcStakeExpand) -> Result<(), Refused> {
    world.send("staker", vec![any(message)]).await.map(|_| ())
}

/// A refusal with this code and one of these words, with bars between them: two chains may say a thing differently.
pub fn expect(outcome: Result<(), Refused>, code: &str, words: &str) {
    let refused = outcome.expect_err(words);
    assert_eq!(refused.short(), code, "{refused:?}");
    let log = refused.log.to_lowercase();
    assert!(words.split('|').any(|word| log.contains(word)), "{words}: {refused:?}");
}

/// Registers, signs and activates an expansion, which takes over its parent's power, and breaks the rules on the way.
pub async fn live(world: &mut World) {
    let one = Provider::new("provider-1", 1, 1000);
    world.mine(3, &[]).await;
    world.register(&one).await;
    world.finalise_epochs().await;
    let parent = Stake::new(&world.params, "parent", one.public(), 1000);
    let child = expand(world, &parent, &one, AMOUNT + 50_000);

    expect(send(world, &child.message()).await, "btcstaking/1102", "not found");
    world.verified(&parent).await;
    expect(send(world, &child.message()).await, "undefined/1", "not active");
    let height = world.mine(3, &[parent.tx()]).await;
    world.must("watchtower", &parent.inclusion(&world.bitcoin.prove(height, parent.tx()))).await;
    world.activated().await;
    world.next_block().await;

    send(world, &child.message()).await.unwrap();
    let txid = child.terms.staking_tx.compute_txid();
    assert_eq!(world.status(txid).await, "PENDING");

    // Without the signature over the parent's spend there is no signing.
    let set = child.covenant_set(&parent, &covenant()[0]);
    let bare = CovenantSignatureSet { expansion: None, ..set.clone() };
    let bare = world.send("covenant", vec![any(&covenant_message(&bare))]).await.map(|_| ());
    expect(bare, "btcstaking/1110", "missing|empty stake expansion");
    for i in 0..3 {
        world.must("covenant", &covenant_message(&child.covenant_set(&parent, &covenant()[i]))).await;
    }
    assert_eq!(world.status(txid).await, "VERIFIED");
    let told = QueryBTCDelegationRequest { staking_tx_hash_hex: txid.to_string() };
    let told = world.query(told).await.unwrap().btc_delegation.unwrap().stk_exp.unwrap();
    assert_eq!(told.previous_staking_tx_hash_hex, parent.txid().to_string());
    assert_eq!(told.other_funding_tx_out_hex, hex::encode(serialize(&child.funding.output[0])));
    assert_eq!(told.previous_stk_covenant_sigs.len(), 3);

    // The spend counts for the child once it is k deep; until then the parent keeps its power.
    let spend = child.spend(&parent, &covenant()[..3]);
    let height = world.mine(1, &[&spend]).await;
    let proof = world.bitcoin.prove(height, &spend);
    let mut report = parent.report(&spend, &proof);
    report.funding_transactions.push(serialize(&child.funding));
    let shallow = world.send("watchtower", vec![any(&report)]).await.map(|_| ());
    expect(shallow, "btcstaking/1119", "not k-deep");
    assert_eq!(world.power(&one).await, AMOUNT);
    let inclusion = btc_staking_babylon::proto::btcstaking::MsgAddBTCDelegationInclusionProof {
        staking_tx_hash: txid.to_string(),
        ..parent.inclusion(&proof)
    };
    let ordinary = world.send("watchtower", vec![any(&inclusion)]).await.map(|_| ());
    expect(ordinary, "undefined/1", "expansion");
    world.mine(2, &[]).await;
    world.must("watchtower", &report).await;
    assert_eq!(
        (world.status(parent.txid()).await.as_str(), world.status(txid).await.as_str()),
        ("UNBONDED", "ACTIVE")
    );
    world.next_block().await;
    assert_eq!(world.power(&one).await, AMOUNT + 50_000);
}
