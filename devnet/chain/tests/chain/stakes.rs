//! Other ways a stake can live: registered late, expiring, spent by surprise, signed too late (`chain.md` 6.3, 6.11, 9.3).

use crate::support::{
    World, any, attribute,
    provider::Provider,
    stake::{AMOUNT, Stake},
};
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute::LockTime,
    transaction::Version,
};
use btc_staking_babylon::proto::{
    PageRequest,
    btcstaking::{BTCDelegationStatus, QueryBTCDelegationsRequest, QueryFinalityProviderDelegationsRequest},
};
use btc_staking_protocol::{
    sighash::leaf_sighash,
    witness::{LeafSpend, assemble_timelock_witness},
};
use tendermint_rpc::Client;

const STAKING: &str = "babylon.btcstaking.v1";

/// A provider that can have power.
pub async fn provider(world: &mut World) -> Provider {
    world.mine(3, &[]).await;
    let provider = Provider::new("provider-1", 1, 2000);
    world.register(&provider).await;
    world.finalise_epochs().await;
    provider
}

async fn events_of_block(world: &World, height: u64) -> Vec<tendermint::abci::Event> {
    world.wait_for_height(height).await;
    world.client.block_results(u32::try_from(height).unwrap()).await.unwrap().finalize_block_events
}

/// A stake registered after the fact is active with its quorum, and expires.
pub async fn late(world: &mut World, provider: &Provider) {
    // 20 blocks of timelock, 5 of unbonding: 15 blocks of power.
    let stake = Stake::new(&world.params, "late", provider.public(), 20);
    let start = world.mine(3, &[stake.tx()]).await;
    let proof = world.bitcoin.prove(start, stake.tx());
    let created = world.must("staker", &stake.registration(Some(proof))).await;
    let kind = format!("{STAKING}.EventBTCDelegationInclusionProofReceived");
    let events = &created.tx_result.events;
    assert_eq!(attribute(events, &kind, "new_state").as_deref(), Some("\"PENDING\""));
    assert_eq!(attribute(events, &kind, "end_height"), Some(format!("\"{}\"", start + 20)));
    assert_eq!(world.status(stake.txid()).await, "PENDING");
    for i in [1, 3, 4] {
        world.must("covenant", &stake.covenant_sigs(i)).await;
    }
    assert_eq!(world.status(stake.txid()).await, "ACTIVE");
    // A signature beyond the quorum is welcome, and free.
    let before = world.balance("covenant").await;
    world.must("covenant", &stake.covenant_sigs(0)).await;
    assert_eq!(world.balance("covenant").await, before);
    world.next_block().await;
    assert_eq!(world.power(provider).await, AMOUNT);

    // The tip that reaches end - unbonding_time takes the power away.
    let until = start + 15 - world.bitcoin.tip_height();
    world.mine(until - 1, &[]).await;
    assert_eq!(world.status(stake.txid()).await, "ACTIVE");
    world.mine(1, &[]).await;
    let height = world.node.height();
    assert_eq!(world.status(stake.txid()).await, "EXPIRED");
    let told = world.until("expiry is told", || async {
        let mut told = None;
        for height in height.saturating_sub(1).max(1)..=world.node.height() {
            let events = events_of_block(world, height).await;
            let kind = format!("{STAKING}.EventBTCDelegationExpired");
            told = told.or(attribute(&events, &kind, "staking_tx_hash"));
        }
        told
    });
    assert_eq!(told.await, format!("\"{}\"", stake.txid()));
    let report = stake.report(&stake.unbonding_tx(), &world.bitcoin.prove(start, stake.tx()));
    let refused = world.send("watchtower", vec![any(&report)]).await.unwrap_err();
    assert_eq!(refused.short(), "btcstaking/1119", "what expired cannot be unbonded: {refused:?}");
}

/// A quorum that comes after the expiry still gives power.
pub async fn too_late(world: &mut World, provider: &Provider) {
    let stake = Stake::new(&world.params, "too late", provider.public(), 20);
    let start = world.mine(3, &[stake.tx()]).await;
    let proof = world.bitcoin.prove(start, stake.tx());
    world.must("staker", &stake.registration(Some(proof))).await;
    world.mine(20, &[]).await;
    assert_eq!(world.status(stake.txid()).await, "PENDING", "without quorum it never expires");
    world.next_block().await;
    for i in 0..3 {
        world.must("covenant", &stake.covenant_sigs(i)).await;
    }
    assert_eq!(world.status(stake.txid()).await, "EXPIRED");
    world.next_block().await;
    assert_eq!(world.power(provider).await, AMOUNT, "chain.md 9.3: the reference does this too");
}

/// A spend that nobody registered unbonds with an event of its own.
pub async fn surprising(world: &mut World, provider: &Provider) {
    let stake = Stake::new(&world.params, "surprise", provider.public(), 1000);
    world.activate(&stake).await;
    // The chain looks at the staker's signature only; that the timelock had not passed is Bitcoin's business.
    let spend = timelock_spend(&stake);
    let height = world.mine(1, &[&spend]).await;
    let proof = world.bitcoin.prove(height, &spend);
    let included = world.must("watchtower", &stake.report(&spend, &proof)).await;
    let events = &included.tx_result.events;
    let kind = format!("{STAKING}.EventUnexpectedUnbondingTx");
    assert_eq!(
        attribute(events, &kind, "spend_stake_tx_hash"),
        Some(format!("\"{}\"", spend.compute_txid()))
    );
    assert_eq!(attribute(events, &kind, "spend_stake_tx_block_index").as_deref(), Some("1"));
    let header = world.bitcoin.header(height).block_hash();
    assert_eq!(attribute(events, &kind, "spend_stake_tx_header_hash"), Some(format!("\"{header}\"")));
    assert_eq!(attribute(events, &format!("{STAKING}.EventBTCDelgationUnbondedEarly"), "new_state"), None);
    assert_eq!(world.status(stake.txid()).await, "UNBONDED");
}

fn timelock_spend(stake: &Stake) -> Transaction {
    let outputs = stake.checked.outputs();
    let mut tx = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(stake.txid(), 0),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::from_height(1000),
            witness: Witness::new(),
        }],
        output: vec![TxOut {
            value: Amount::from_sat(AMOUNT - 500),
            script_pubkey: ScriptBuf::from_bytes(vec![0x51]),
        }],
    };
    let prevouts = [stake.checked.staking_prevout()];
    let leaf = outputs.staking.timelock_leaf();
    let sighash = leaf_sighash(&tx, 0, &prevouts, leaf).unwrap();
    let signature = stake.staker().sign(sighash, &[0; 32]);
    let spend = LeafSpend::new(&tx, 0, &prevouts, leaf).unwrap();
    let witness =
        assemble_timelock_witness(&spend, stake.checked.outputs().keys().staker(), &signature).unwrap();
    tx.input[0].witness = witness;
    tx
}

/// Delegations are listed by status and by provider, page by page. Nobody has staked before.
pub async fn listed(world: &World, provider: &Provider) {
    let stakes: Vec<Stake> =
        (0..5).map(|i| Stake::new(&world.params, &format!("listed {i}"), provider.public(), 1000)).collect();
    for stake in &stakes {
        world.must("staker", &stake.registration(None)).await;
    }
    world.must("covenant", &stakes[0].covenant_sigs(0)).await;
    for i in 1..4 {
        world.must("covenant", &stakes[1].covenant_sigs(i)).await;
    }
    let mut found = vec![];
    let mut key = vec![];
    loop {
        let pagination = Some(PageRequest { key, limit: 2, ..Default::default() });
        let request = QueryBTCDelegationsRequest { status: BTCDelegationStatus::Pending.into(), pagination };
        let answer = world.query(request).await.unwrap();
        assert!(answer.btc_delegations.len() <= 2);
        found.extend(answer.btc_delegations.into_iter().map(|told| told.staking_tx_hex));
        key = answer.pagination.unwrap().next_key;
        if key.is_empty() {
            break;
        }
    }
    assert_eq!(found.len(), 4, "one of five is verified");
    for (status, count) in [
        (BTCDelegationStatus::Verified, 1),
        (BTCDelegationStatus::Active, 0),
        (BTCDelegationStatus::Unbonded, 0),
        (BTCDelegationStatus::Any, 5),
    ] {
        let request = QueryBTCDelegationsRequest { status: status.into(), pagination: None };
        assert_eq!(world.query(request).await.unwrap().btc_delegations.len(), count, "{status:?}");
    }
    let request = |key: Vec<u8>| QueryFinalityProviderDelegationsRequest {
        fp_btc_pk_hex: provider.public().to_string(),
        pagination: Some(PageRequest { key, limit: 3, ..Default::default() }),
    };
    let first = world.query(request(vec![])).await.unwrap();
    assert_eq!(first.btc_delegator_delegations.len(), 3);
    let rest = world.query(request(first.pagination.unwrap().next_key)).await.unwrap();
    assert_eq!(rest.btc_delegator_delegations.len(), 2);
    assert!(rest.pagination.unwrap().next_key.is_empty());
}
