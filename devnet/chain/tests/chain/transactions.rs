//! Fees, refunds, sequences, simulation (`chain.md` 12, `wire.md` 4).

use super::support::{
    CHAIN, GAS, Refused, World, account, address, any, attribute, by_hand::signed_by_hand, genesis,
    provider::Provider, set_clock::SetClock, stake::Stake,
};
use btc_staking_babylon::{
    proto::{
        Coin, Query, QueryAccountRequest, SimulateRequest, Timestamp, TxBody,
        btclightclient::MsgInsertHeaders, btcstaking::QueryBTCDelegationRequest,
        incentive::MsgSetWithdrawAddress,
    },
    tx::{AccountState, GasAndFee, build_simulation, sign_tx},
};
use btc_staking_devnet_chain::Clock;
use cosmrs::proto::cosmos::feegrant::v1beta1::{BasicAllowance, MsgGrantAllowance, MsgRevokeAllowance};
use prost::Message;
use std::sync::Arc;
use tendermint_rpc::{Client, endpoint::tx};

const FEE: u64 = 50_000;

fn headers(world: &mut World, count: usize) -> MsgInsertHeaders {
    let mined = (0..count).map(|_| bitcoin::consensus::serialize(&world.bitcoin.mine(&[]))).collect();
    MsgInsertHeaders { signer: address("reporter"), headers: mined }
}

fn keep_address(label: &str) -> MsgSetWithdrawAddress {
    MsgSetWithdrawAddress { delegator_address: address(label), withdraw_address: address(label) }
}

#[tokio::test(flavor = "multi_thread")]
async fn fees_come_back_only_when_every_message_earned_it() {
    let mut world = World::start().await;
    let start = world.balance("reporter").await;

    let good = headers(&mut world, 1);
    let included = world.send("reporter", vec![any(&good)]).await.unwrap();
    assert_eq!(world.balance("reporter").await, start, "a successful report is free");
    let refund = included.tx_result.events.iter().rev().find(|event| event.kind == "transfer").unwrap();
    assert!(refund.attributes.iter().all(|attribute| attribute.key_str().unwrap() != "msg_index"));

    let refused = world.send("reporter", vec![any(&good)]).await.unwrap_err();
    assert_eq!(refused.short(), "btclightclient/1108");
    assert!(refused.log.starts_with("failed to execute message; message index: 0: "), "{}", refused.log);
    assert_eq!(world.balance("reporter").await, start - FEE, "a refused one is not");

    let mixed = vec![any(&headers(&mut world, 1)), any(&keep_address("reporter"))];
    world.send("reporter", mixed).await.unwrap();
    assert_eq!(world.balance("reporter").await, start - 2 * FEE, "nor is a mixed batch");

    // A batch fails as a whole: its good first message has no effect.
    let (first, known) = (headers(&mut world, 1), good);
    let refused = world.send("reporter", vec![any(&first), any(&known)]).await.unwrap_err();
    assert!(refused.log.contains("message index: 1"), "{}", refused.log);
    assert_eq!(world.balance("reporter").await, start - 3 * FEE);
    world.send("reporter", vec![any(&first)]).await.unwrap();
    world.stop().await;
}

/// A harmless transaction of "other" whose fee somebody else is to pay.
async fn granted_by(world: &World, granter: &str) -> Result<tx::Response, Refused> {
    let state = world.state("other").await;
    let body = TxBody { messages: vec![any(&keep_address("other"))], ..Default::default() };
    let bytes = signed_by_hand("other", state, &body.encode_to_vec(), |auth| {
        auth.fee.as_mut().unwrap().granter = address(granter);
    });
    let included = world.broadcast(bytes).await?;
    world.set_state("other", AccountState { sequence: state.sequence + 1, ..state });
    Ok(included)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_fee_is_paid_by_the_granter_until_the_grant_is_used_up() {
    let clock = Arc::new(SetClock::at(1_800_000_000));
    let world = World::start_on_clock(genesis(), Arc::clone(&clock) as Arc<dyn Clock>).await;
    let grant = |limit, expiration| {
        let allowance = BasicAllowance { spend_limit: limit, expiration };
        let (granter, grantee) = (address("staker"), address("other"));
        MsgGrantAllowance { granter, grantee, allowance: Some(any(&allowance)) }
    };
    let twice = vec![Coin { denom: "ubbn".into(), amount: (2 * FEE).to_string() }];
    let included = world.must("staker", &grant(twice, None)).await;
    let granter = attribute(&included.tx_result.events, "set_feegrant", "granter");
    assert_eq!(granter, Some(address("staker")));
    let (before, own) = (world.balance("staker").await, world.balance("other").await);
    for (used, event) in [(FEE, "update_feegrant"), (2 * FEE, "revoke_feegrant")] {
        let included = granted_by(&world, "staker").await.unwrap();
        let events = &included.tx_result.events;
        assert_eq!(attribute(events, "use_feegrant", "grantee"), Some(address("other")));
        assert_eq!(attribute(events, event, "granter"), Some(address("staker")));
        assert_eq!(attribute(events, "tx", "fee_payer"), Some(address("staker")));
        assert_eq!((world.balance("staker").await, world.balance("other").await), (before - used, own));
    }
    let refused = granted_by(&world, "staker").await.unwrap_err();
    assert_eq!(refused.short(), "sdk/38", "used up: {refused:?}");

    // One without a limit, until its time.
    let expiration = |seconds| Some(Timestamp { seconds, nanos: 0 });
    let late = world.send("staker", vec![any(&grant(vec![], expiration(1_799_999_999)))]).await.unwrap_err();
    assert_eq!(late.short(), "sdk/18", "{late:?}");
    world.must("staker", &grant(vec![], expiration(1_800_000_100))).await;
    granted_by(&world, "staker").await.unwrap();
    clock.advance(101);
    world.next_block().await;
    world.next_block().await;
    let refused = granted_by(&world, "staker").await.unwrap_err();
    assert_eq!(refused.short(), "sdk/38", "expired and forgotten: {refused:?}");
    world.must("staker", &grant(vec![], None)).await;
    let revoke = MsgRevokeAllowance { granter: address("staker"), grantee: address("other") };
    world.must("staker", &revoke).await;
    let refused = granted_by(&world, "staker").await.unwrap_err();
    assert_eq!(refused.short(), "sdk/38", "revoked: {refused:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_a_transaction_stand_in_order() {
    let mut world = World::start().await;
    let message = headers(&mut world, 1);
    let included = world.send("reporter", vec![any(&message)]).await.unwrap();
    let kinds: Vec<&str> = included.tx_result.events.iter().map(|event| event.kind.as_str()).collect();
    let fee = ["coin_spent", "coin_received", "transfer", "message", "tx", "tx", "tx"];
    let module = [
        "message",
        "babylon.btclightclient.v1.EventBTCHeaderInserted",
        "babylon.btclightclient.v1.EventBTCRollForward",
    ];
    let refund = ["coin_spent", "coin_received", "transfer", "message"];
    assert_eq!(kinds, [&fee[..], &module, &refund].concat());
    let events = &included.tx_result.events;
    assert_eq!(attribute(events, "tx", "fee").as_deref(), Some("50000ubbn"));
    let action = "/babylon.btclightclient.v1.MsgInsertHeaders";
    assert_eq!(attribute(&events[7..], "message", "action").as_deref(), Some(action));
    let header = attribute(events, module[1], "header").unwrap();
    let header: serde_json::Value = serde_json::from_str(&header).unwrap();
    assert_eq!(header["height"], 1);
    assert_eq!(header["work"], "4", "numbers of 64 bits and more are strings");
    assert_eq!(header["hash"], world.bitcoin.tip().block_hash().to_string());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn simulation_gives_gas_that_suffices_and_errors_as_text() {
    let world = World::start().await;
    let provider = Provider::new("provider-1", 1, 100);
    let message = any(&provider.registration());
    let gas = world.simulate("provider-1", vec![message.clone()]).await.unwrap();
    let state = world.state("provider-1").await;
    let fee = GasAndFee { limit: gas + gas / 5, fee: 50_000 };
    let signed = sign_tx(&account("provider-1"), CHAIN, state, vec![message], fee).unwrap();
    let included = world.broadcast(signed.bytes).await.unwrap();
    assert!(included.tx_result.code.is_ok(), "{}", included.tx_result.log);

    // wire.md 9: a simulated vote for a block that is not indexed.
    let vote = any(&Provider::new("provider-1", 1, 100).vote(50, [1; 32]));
    world.set_state("provider-1", AccountState { sequence: state.sequence + 1, ..state });
    let refused = world.simulate("provider-1", vec![vote]).await.unwrap_err();
    assert_eq!(refused.short(), "sdk/6");
    let (head, tail) = refused.log.split_once(" with gas used: '").unwrap();
    let expected =
        "rpc error: code = Unknown desc = failed to execute message; message index: 0: Block is not found";
    // The place is what babylond v4.3.1 adds; docs/babylon-compatibility.md.
    assert_eq!(head, format!("{expected} [cosmos/cosmos-sdk@v0.53.4/baseapp/baseapp.go:1051]"));
    assert!(tail.ends_with("': unknown request"), "{tail}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_transactions_of_one_account_wait_together_and_a_repeat_is_known() {
    let world = World::start().await;
    let state = world.state("other").await;
    let gas = GasAndFee { limit: GAS, fee: FEE.into() };
    let mut hashes = vec![];
    for ahead in 0..5 {
        let state = AccountState { sequence: state.sequence + ahead, ..state };
        let message = vec![any(&keep_address("other"))];
        let signed = sign_tx(&account("other"), CHAIN, state, message, gas).unwrap();
        let answer = world.client.broadcast_tx_sync(signed.bytes.clone()).await.unwrap();
        assert!(answer.code.is_ok(), "{}", answer.log);
        let repeat = world.client.broadcast_tx_sync(signed.bytes).await.unwrap_err().to_string();
        assert!(repeat.contains("tx already exists in cache"), "{repeat}");
        hashes.push(answer.hash);
    }
    for hash in hashes {
        let included = world.until("inclusion", || async { world.client.tx(hash, false).await.ok() }).await;
        assert!(included.tx_result.code.is_ok());
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn query_errors_have_the_forms_of_abci() {
    let world = World::start().await;
    let unknown = world.query(QueryBTCDelegationRequest { staking_tx_hash_hex: "00".repeat(32) }).await;
    let unknown = unknown.unwrap_err();
    assert_eq!(unknown.short(), "sdk/6");
    assert_eq!(unknown.log, "the BTC delegation is not found: unknown request"); // wire.md 9
    let nobody = world.query(QueryAccountRequest { address: address("nobody") }).await.unwrap_err();
    assert_eq!(nobody.short(), "sdk/22");
    assert!(nobody.log.starts_with("rpc error: code = NotFound desc = "), "{}", nobody.log);
    let ask = |path: &str, data: Vec<u8>, height: Option<u32>| {
        world.client.abci_query(Some(path.to_owned()), data, height.map(Into::into), false)
    };
    let missing = ask("/no.such.Query/Method", vec![], None).await.unwrap();
    assert_eq!((missing.codespace.as_str(), missing.code.value()), ("sdk", 6));
    assert_eq!(missing.log, "unknown query path: unknown request");
    let garbage = ask(QueryAccountRequest::PATH, vec![0xff], None).await.unwrap();
    assert_eq!((garbage.codespace.as_str(), garbage.code.value()), ("sdk", 18));
    let future = ask(QueryAccountRequest::PATH, vec![], Some(1_000_000)).await.unwrap();
    assert_eq!((future.codespace.as_str(), future.code.value()), ("sdk", 26));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_are_refused_wherever_they_arrive() {
    let world = World::start().await;
    let provider = Provider::new("provider-1", 1, 100);
    let stake = Stake::new(&world.params, "a", provider.public(), 1000);
    let state = world.state("staker").await;
    let gas = GasAndFee { limit: GAS, fee: FEE.into() };
    let messages = vec![any(&stake.registration(None)), any(&stake.covenant_sigs(0))];
    let good = sign_tx(&account("staker"), CHAIN, state, messages.clone(), gas).unwrap().bytes;
    let simulation: SimulateRequest = build_simulation(&account("staker"), state, messages);
    let mut random = 0x2545_f491_4f6c_dd1du64;
    for _ in 0..300 {
        // xorshift: any bytes do, the same in every run.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut bytes = good.clone();
        let at = usize::try_from(random % u64::try_from(bytes.len()).unwrap()).unwrap();
        bytes[at] ^= u8::try_from(random >> 56).unwrap() | 1;
        // A transaction of two signers with one signature is refused even when nothing is broken.
        let answer = world.client.broadcast_tx_sync(bytes.clone()).await.unwrap();
        assert!(answer.code.is_err());
        let request = SimulateRequest { tx_bytes: bytes, ..simulation.clone() };
        let _ = world.query(request).await;
        let data = simulation.encode_to_vec()[..at.min(200)].to_vec();
        let path = SimulateRequest::PATH.to_owned();
        world.client.abci_query(Some(path), data, None, false).await.unwrap();
    }
    world.next_block().await;
    world.stop().await;
}
