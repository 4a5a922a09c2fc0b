//! What is refused: nothing is recorded, nothing is registered, no coins move.

use super::world::{World, blocks, keys, member, order, params_fields, provider, provider_key, sat};
use bitcoin::{Amount, FeeRate, Network};
use btc_staking_bitcoin_node::{BroadcastOutcome, Broadcaster, BurnLimit, OutputSource, UtxoView};
use btc_staking_pos_chain::{ErrorKind, MessageOutcome, Refusal, RefusalKind, SlashedAt};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    delegation::PlanRefusal,
    height::{BtcHeight, PosHeight},
    keys::{CovenantPublicKey, FinalityProviderPublicKey},
    network,
    params::{ParamsVersion, StakingParams},
};
use btc_staking_staker::{
    keys::Phrase,
    machine::Report,
    service::{CannotStake, CannotUnbond, Goal, Progress, Service, ServiceError, StakeOrder},
    stake::{EndReason, Step},
    wallet::CannotFund,
};

async fn refused(world: &World, service: &mut Service, order: StakeOrder) -> CannotStake {
    let plan = service.plan(&order, &world.access(), "ubbn", &keys()).await;
    let refusal = plan.map(|plan| plan.stake().clone()).unwrap_err();
    assert_eq!(service.stakes().count(), 0);
    assert_eq!(service.wallet().balance().reserved, Amount::ZERO);
    assert!(world.chain.submitted().is_empty());
    refusal
}

#[tokio::test]
async fn orders_outside_the_rules_are_refused() {
    let world = World::new().await;
    let mut service = world.service();
    let all = sat(10_000_000);
    type Expected = fn(&CannotStake) -> bool;
    let orders: Vec<(StakeOrder, Expected)> = vec![
        (StakeOrder { amount: sat(49_999), ..order() }, |e| {
            matches!(e, CannotStake::Plan(PlanRefusal::Amount { .. }))
        }),
        (StakeOrder { amount: sat(10_000_001), ..order() }, |e| {
            matches!(e, CannotStake::Plan(PlanRefusal::Amount { .. }))
        }),
        (StakeOrder { staking_time: blocks(9), ..order() }, |e| {
            matches!(e, CannotStake::Plan(PlanRefusal::StakingTime { .. }))
        }),
        (StakeOrder { staking_time: blocks(64_001), ..order() }, |e| {
            matches!(e, CannotStake::Plan(PlanRefusal::StakingTime { .. }))
        }),
        (StakeOrder { max_fee: sat(10), amount: all, ..order() }, |e| {
            matches!(e, CannotStake::Fund(CannotFund::FeeAbove { .. }))
        }),
        (
            StakeOrder {
                finality_provider: FinalityProviderPublicKey::new(*member(9).public_key().x_only()),
                ..order()
            },
            |e| matches!(e, CannotStake::UnknownProvider(_)),
        ),
    ];
    for (order, is_expected) in orders {
        let refusal = refused(&world, &mut service, order.clone()).await;
        assert!(is_expected(&refusal), "{order:?}: {refusal}");
    }
}

#[tokio::test]
async fn a_key_in_two_roles_is_refused() {
    let world = World::new().await;
    let mut service = world.service();
    let staker = FinalityProviderPublicKey::new(*keys().staker_public_key().x_only());
    let covenant = FinalityProviderPublicKey::new(*member(1).public_key().x_only());
    for key in [staker, covenant] {
        world.chain.update(|state| {
            let provider = btc_staking_pos_chain::FinalityProvider { key, ..provider() };
            state.finality_providers.insert(key, provider);
        });
        let refusal = refused(&world, &mut service, StakeOrder { finality_provider: key, ..order() }).await;
        assert!(matches!(refusal, CannotStake::Plan(PlanRefusal::Keys(_))), "{refusal}");
    }
}

#[tokio::test]
async fn a_slashed_provider_or_an_empty_account_is_refused() {
    let world = World::new().await;
    let mut service = world.service();
    world.chain.update(|state| state.balances.clear());
    let refusal = refused(&world, &mut service, order()).await;
    assert!(matches!(refusal, CannotStake::NoFunds { .. }), "{refusal}");
    world.chain.update(|state| {
        let slashed = SlashedAt { pos_height: PosHeight::new(1), btc_height: BtcHeight::new(1) };
        state.finality_providers.get_mut(&provider_key()).unwrap().slashed = Some(slashed);
    });
    let refusal = refused(&world, &mut service, order()).await;
    assert!(matches!(refusal, CannotStake::SlashedProvider(_)), "{refusal}");
}

/// The ten coins of the wallet are 50 BTC each; a stake of all but nothing leaves no room for the fee.
#[tokio::test]
async fn a_stake_the_wallet_cannot_pay_is_refused_with_what_there_is() {
    let world = World::new().await;
    let mut service = world.service();
    let mut fields = params_fields();
    fields.max_staking_value = Amount::from_int_btc(1_000);
    world.chain.update(|state| state.staking_params = vec![StakingParams::new(fields).unwrap()]);
    let amount = Amount::from_int_btc(500);
    let refusal = refused(&world, &mut service, StakeOrder { amount, ..order() }).await;
    let CannotStake::Fund(CannotFund::TooFewCoins { needed, available }) = refusal else {
        panic!("{refusal}");
    };
    assert!(needed > amount && available == amount, "{needed} {available}");
}

#[tokio::test]
async fn another_phrase_signs_nothing_here() {
    let world = World::new().await;
    let mut service = world.service();
    let txid = world.staked(&mut service).await;
    let words = "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong";
    let other = Phrase::parse(words).unwrap().keys(Network::Regtest);
    let refusal = service.unbond(&txid, &other).await.unwrap_err();
    assert!(matches!(refusal, CannotUnbond::Service(ServiceError::OtherKeys)), "{refusal}");
}

/// A node that claims to be mainnet but tells a committee of its own.
#[tokio::test]
async fn a_public_network_with_other_params_is_refused() {
    let world = World::new().await;
    let mut versions: Vec<StakingParams> =
        network::Network::Mainnet.profile().params.iter().cloned().collect();
    let mut fields = (**versions.last().unwrap()).clone();
    let keys: Vec<CovenantPublicKey> = (1..=3).map(|number| member(number).public_key()).collect();
    fields.covenant_committee = CovenantCommittee::new(2, keys).unwrap();
    *versions.last_mut().unwrap() = StakingParams::new(fields).unwrap();
    world.chain.update(|state| state.staking_params = versions);
    let mut identity = world.identity();
    identity.chain_id = "bbn-1".to_owned();
    let mut service = world.service_as(identity);
    let refusal = refused(&world, &mut service, order()).await;
    assert!(matches!(refusal, CannotStake::ForeignParams(_)), "{refusal}");
}

/// A node that claims to be mainnet adds a version with a committee of its own.
#[tokio::test]
async fn a_params_version_nobody_knows_is_trusted_only_by_name() {
    let world = World::new().await;
    let mut versions: Vec<StakingParams> =
        network::Network::Mainnet.profile().params.iter().cloned().collect();
    let mut fields = (**versions.last().unwrap()).clone();
    fields.version.0 += 1;
    fields.btc_activation_height = fields.btc_activation_height.checked_add(1).unwrap();
    let (version, height) = (fields.version, fields.btc_activation_height);
    let keys_of = (1..=3).map(|number| member(number).public_key()).collect();
    fields.covenant_committee = CovenantCommittee::new(2, keys_of).unwrap();
    versions.push(StakingParams::new(fields).unwrap());
    world.chain.update(|state| {
        state.staking_params = versions.clone();
        state.light_client.last_mut().unwrap().height = height;
    });
    let mut identity = world.identity();
    identity.chain_id = "bbn-1".to_owned();
    let mut service = world.service_as(identity);
    let order = StakeOrder { amount: Amount::from_int_btc(1), staking_time: blocks(64_000), ..order() };
    for accepted_params in [None, Some(ParamsVersion(version.0 - 1)), Some(ParamsVersion(version.0 + 1))] {
        let order = StakeOrder { accepted_params, ..order.clone() };
        let refusal = refused(&world, &mut service, order).await;
        assert!(matches!(refusal, CannotStake::UnknownParams { .. }), "{refusal}");
    }
    let order = StakeOrder { accepted_params: Some(version), ..order };
    let plan = service.plan(&order, &world.access(), "ubbn", &keys()).await.unwrap();
    assert!(plan.trusts_params());
    assert_eq!(plan.stake().params, versions[versions.len() - 1]);

    // A version that is hidden could make an older one apply.
    world.chain.update(|state| state.staking_params.truncate(3));
    let refusal = refused(&world, &mut service, order).await;
    assert!(matches!(refusal, CannotStake::HiddenParams { .. }), "{refusal}");
}

#[tokio::test]
async fn a_quorum_with_one_forged_signature_moves_no_coins() {
    let world = World::new().await;
    let mut service = world.service();
    let txid = world.registered(&mut service).await;
    world.sign(1, &txid).await;
    let mut forged = world.signatures_of(2, &txid);
    forged.unbonding_slashing = forged.slashing.clone();
    world.submit_signatures(forged).await;
    let told = world.delegation(&txid).status;
    assert_eq!(told, btc_staking_protocol::delegation::DelegationStatus::Verified, "the chain is fooled");

    let coins: Vec<_> = service.stake(&txid).unwrap().stake().coins().collect();
    let progress = service.advance(&txid, Goal::Active, &world.access(), &keys()).await.unwrap();
    assert!(matches!(progress, Progress::Waiting(Some(Report::QuorumMissing(_)))), "{progress:?}");
    assert_eq!(service.stake(&txid).unwrap().stake().step, Step::Registered);
    for coin in coins {
        assert!(world.bitcoin.fetch_unspent(&coin, UtxoView::ChainAndMempool).await.unwrap().is_some());
    }
    // An honest third member makes the quorum.
    world.sign(3, &txid).await;
    let progress = service.advance(&txid, Goal::Broadcast, &world.access(), &keys()).await.unwrap();
    assert_eq!(progress, Progress::Reached);
}

#[tokio::test]
async fn a_refused_registration_frees_the_coins() {
    let world = World::new().await;
    let mut service = world.service();
    let plan = service.plan(&order(), &world.access(), "ubbn", &keys()).await.unwrap();
    let txid = service.record_plan(plan).unwrap();
    world.chain.answer_next(MessageOutcome::Refused(Refusal {
        kind: RefusalKind::Other,
        codespace: "btcstaking".to_owned(),
        code: 1117,
        text: "no".to_owned(),
    }));
    let progress = service.advance(&txid, Goal::Broadcast, &world.access(), &keys()).await.unwrap();
    assert!(matches!(progress, Progress::Waiting(Some(Report::Over(EndReason::Refused(_))))), "{progress:?}");
    assert_eq!(service.wallet().balance().reserved, Amount::ZERO);
    // The same coins fund the next one.
    world.registered(&mut service).await;
}

#[tokio::test]
async fn a_lost_answer_to_the_registration_is_found_out() {
    let world = World::new().await;
    let mut service = world.service();
    let plan = service.plan(&order(), &world.access(), "ubbn", &keys()).await.unwrap();
    let txid = service.record_plan(plan).unwrap();
    world.chain.fail_next_submissions(1, ErrorKind::Transient);
    let progress = service.advance(&txid, Goal::Registered, &world.access(), &keys()).await.unwrap();
    assert!(matches!(progress, Progress::Waiting(Some(Report::RegistrationUnknown(_)))), "{progress:?}");
    let progress = service.advance(&txid, Goal::Registered, &world.access(), &keys()).await.unwrap();
    assert_eq!(progress, Progress::Reached);
}

#[tokio::test]
async fn a_coin_spent_elsewhere_ends_the_stake_before_it_is_signed() {
    let world = World::new().await;
    let mut service = world.service();
    let txid = world.registered(&mut service).await;
    world.sign(1, &txid).await;
    world.sign(2, &txid).await;
    // Another program with the same phrase knows nothing of our reservation: it spends the same coin.
    let mut rival = service.stake(&txid).unwrap().stake().funding.clone();
    let outputs = &mut rival.unsigned_tx.output;
    outputs[0].value = outputs[0].value.checked_sub(sat(5_000)).unwrap();
    let rival = keys().sign_wallet_tx(&rival).unwrap();
    let outcome = world.bitcoin.broadcast(&rival, BurnLimit::NONE).await.unwrap();
    assert_eq!(outcome, BroadcastOutcome::Accepted);
    let progress = service.advance(&txid, Goal::Broadcast, &world.access(), &keys()).await.unwrap();
    assert!(
        matches!(progress, Progress::Waiting(Some(Report::Over(EndReason::CoinSpent(_))))),
        "{progress:?}"
    );
}

#[tokio::test]
async fn a_stake_can_be_abandoned_until_it_is_signed() {
    let world = World::new().await;
    let mut service = world.service();
    let txid = world.registered(&mut service).await;
    assert_eq!(service.abandon(&txid).unwrap(), Some(Report::Over(EndReason::Abandoned)));
    assert_eq!(service.wallet().balance().reserved, Amount::ZERO);
    let refusal = service.unbond(&txid, &keys()).await.unwrap_err();
    assert!(matches!(refusal, CannotUnbond::NotStaked), "{refusal}");
    drop(service);

    let mut service = world.service();
    let txid = world.staked(&mut service).await;
    assert_eq!(service.abandon(&txid).unwrap(), Some(Report::TooLateToAbandon));
}

#[tokio::test]
async fn stakes_never_share_a_coin() {
    let world = World::new().await;
    let mut service = world.service();
    let mut coins = Vec::new();
    for _ in 0..5 {
        let txid = world.registered(&mut service).await;
        coins.extend(service.stake(&txid).unwrap().stake().coins());
    }
    let count = coins.len();
    coins.sort_unstable();
    coins.dedup();
    assert_eq!(coins.len(), count);
}

#[tokio::test]
async fn an_unbonding_fee_below_the_feerate_of_now_is_warned_of() {
    let world = World::new().await;
    let mut fields = params_fields();
    fields.unbonding_fee = sat(100);
    world.chain.update(|state| state.staking_params = vec![StakingParams::new(fields).unwrap()]);
    let mut service = world.service();
    let order = StakeOrder { feerate: Some(FeeRate::from_sat_per_vb(3).unwrap()), ..order() };
    let plan = service.plan(&order, &world.access(), "ubbn", &keys()).await.unwrap();
    assert!(plan.warnings().iter().any(|warning| warning.contains("unbonding")), "{:?}", plan.warnings());
    // The fee is what was asked for, to the vbyte.
    let signed = keys().sign_wallet_tx(&plan.stake().funding).unwrap();
    let vsize = u64::try_from(signed.vsize()).unwrap();
    assert!((vsize * 3..=(vsize + 1) * 3).contains(&plan.stake().fee.to_sat()), "{}", plan.stake().fee);
}

/// The staking transaction fell out of every mempool; meanwhile the provider signed twice.
#[tokio::test]
async fn a_signed_stake_is_not_sent_once_its_provider_is_slashed_or_the_chain_is_silent() {
    let world = World::new().await;
    let mut service = world.service();
    let txid = world.registered(&mut service).await;
    world.sign(1, &txid).await;
    world.sign(2, &txid).await;
    let (chain, keys) = (world.access(), keys());
    assert_eq!(service.advance(&txid, Goal::Broadcast, &chain, &keys).await.unwrap(), Progress::Reached);
    let reserved = service.stake(&txid).unwrap().stake().coins().next().unwrap();
    assert!(world.bitcoin.evict(&txid));
    world.chain.fail_next_reads(1, ErrorKind::Transient);
    service.advance(&txid, Goal::Broadcast, &chain, &keys).await.unwrap_err();
    assert!(world.bitcoin.fetch_unspent(&reserved, UtxoView::ChainAndMempool).await.unwrap().is_some());

    world.chain.update(|state| {
        let slashed = SlashedAt { pos_height: PosHeight::new(1), btc_height: BtcHeight::new(1) };
        state.finality_providers.get_mut(&provider_key()).unwrap().slashed = Some(slashed);
    });
    let minute = std::time::Duration::from_secs(60);
    let progress = service.advance_until(&txid, Goal::Broadcast, minute, &chain, &keys).await.unwrap();
    assert_eq!(progress, Progress::Waiting(Some(Report::ProviderSlashed)));
    assert!(world.bitcoin.fetch_unspent(&reserved, UtxoView::ChainAndMempool).await.unwrap().is_some());
    assert!(matches!(service.stake(&txid).unwrap().stake().step, Step::Signed { .. }));
    assert!(service.wallet().is_reserved(reserved), "an earlier broadcast may be out there");
}
