//! Rewards to the last satoshi and ubbn, against a table computed by hand (`chain.md` 11).
//!
//! Two finality providers with 5% commission. Nothing is minted but in round 3; in the others 50,000 ubbn are what one
//! transaction paid, because votes and headers are free. Of 50,000 the gauges get 681 and 9,090, validators 681,
//! costaking 21,364 and native staking 18,184; of 600,000,000 they get 8,181,818 and 109,090,909.
//!
//! ```text
//! stake  account  provider  satoshis   until
//! a      staker   one       100,000    the end
//! b      other    two       300,000    the end
//! c      staker   two       200,000    round 4, unbonded
//! d      other    one       100,000    round 5, expired
//!
//! round  of           one: share  earned      comm.      pool        two: share  earned      comm.      pool
//! 1      50,000       2/7         2,597       129        2,468       5/7         6,492       324        6,168
//! 2      50,000       no vote     -           -          -           1           9,090       454        8,636
//! 3      600,000,000  2/7         31,168,831  1,558,441  29,610,390  5/7         77,922,077  3,896,103  74,025,974
//! 4      50,000       2/7         2,597       129        2,468       5/7         6,492       324, 389   6,168, 6,103
//! 5      50,000       2/5         3,636       181        3,455       3/5         5,454       272, 327   5,182, 5,127
//! 6      50,000       1/4         2,272       113        2,159       3/4         6,817       340, 409   6,477, 6,408
//! ```
//!
//! Provider two raises its commission to 6% after round 3. The second numbers are those of the head's rules; by those of
//! v4.3 the edit does not act while it stays among the providers with power.

use super::support::{
    ACCOUNTS, Refused, World, address, any, attribute, genesis, provider::Provider, set_clock::SetClock,
    stake::Stake,
};
use base64::Engine;
use btc_staking_babylon::proto::{
    Coin, Description, QueryBalanceRequest, QuerySupplyOfRequest, QueryTotalSupplyRequest, TxMsgData,
    btcstaking::MsgEditFinalityProvider,
    costaking as scores,
    incentive::*,
    mint::{QueryAnnualProvisionsRequest, QueryGenesisTimeRequest, QueryInflationRateRequest},
};
use btc_staking_devnet_chain::{Clock, RuleSet};
use btc_staking_protocol::{keys::AccountAddress, rate::Decimal};
use prost::Message;
use std::sync::Arc;

const ONE: usize = 0;
const TWO: usize = 1;
const NOW: i64 = 1_800_000_000;
/// In a millisecond less than one ubbn, in a month more than a block may mint.
const PER_YEAR: u128 = 31_000_000_000;
const MONTH: i64 = 30 * 24 * 60 * 60;
const FEE: u64 = 50_000;

/// Gauges of provider one, provider two, "staker" and "other".
type Gauges = [u64; 4];
const HOLDERS: [&str; 4] = ["provider-1", "provider-2", "staker", "other"];

struct Life {
    w: World,
    clock: Arc<SetClock>,
    providers: [Provider; 2],
    voted: [u64; 2],
}

impl Life {
    /// All stakes are active before anybody has power, so the first block with power starts from nothing.
    async fn start(rules: RuleSet) -> (Self, [Stake; 4]) {
        let clock = Arc::new(SetClock::at(NOW));
        let mut genesis = genesis();
        genesis.rules = rules;
        genesis.finality.signed_blocks_window = 100_000;
        genesis.rewards.mint.annual_provisions = Decimal::from_scaled(PER_YEAR * Decimal::ONE.scaled());
        let mut w = World::start_on_clock(genesis, Arc::clone(&clock) as Arc<dyn Clock>).await;
        w.mine(1, &[]).await;
        let providers = [Provider::new("provider-1", 1, 1000), Provider::new("provider-2", 1, 1000)];
        for provider in &providers {
            w.must(&provider.label, &provider.registration()).await;
        }
        let stake = |label, owner, of: usize, amount, time| {
            Stake::of(owner, &w.params, label, providers[of].public(), (amount, time))
        };
        let stakes = [
            stake("a", "staker", ONE, 100_000, 1000),
            stake("b", "other", TWO, 300_000, 1000),
            stake("c", "staker", TWO, 200_000, 1000),
            stake("d", "other", ONE, 100_000, 300),
        ];
        for stake in &stakes {
            w.activate(stake).await;
        }
        for provider in &providers {
            w.must(&provider.label, &provider.commitment()).await;
        }
        w.finalise_epochs().await;
        let activated = w.activated().await;
        (Self { w, clock, providers, voted: [activated - 1; 2] }, stakes)
    }

    /// Votes of one provider for every block it has not voted for, up to a height.
    async fn vote(&mut self, who: usize, until: u64) {
        let provider = &self.providers[who];
        let mut votes = vec![];
        for height in self.voted[who] + 1..=until {
            votes.push(any(&provider.vote(height, self.w.app_hash(height).await)));
        }
        for batch in votes.chunks(12) {
            self.w.send(&provider.label, batch.to_vec()).await.unwrap();
        }
        self.voted[who] = until;
    }

    async fn gauge(&self, height: u64) -> Result<u64, Refused> {
        let answer = self.w.query(QueryBTCStakingGaugeRequest { height }).await?;
        Ok(amount(&answer.gauge.unwrap().coins))
    }

    /// Votes until a block is rewarded. Provider two's votes come last, so they are what makes a block final.
    async fn reward(&mut self, voters: &[usize], height: u64) {
        while self.gauge(height).await.is_ok() {
            let tip = self.w.next_block().await;
            for who in voters {
                self.vote(*who, tip).await;
            }
        }
        let tip = self.w.node.height();
        assert!(tip >= height + 3, "rewarded at {tip}, before all votes for {height} could be in");
        // Who sat out does not vote for it later.
        self.voted = [self.voted[ONE].max(self.voted[TWO]); 2];
    }

    async fn gauges(&self) -> Gauges {
        let mut found = [0; 4];
        for (found, label) in found.iter_mut().zip(HOLDERS) {
            let request = QueryRewardGaugesRequest { address: address(label) };
            let Ok(answer) = self.w.query(request).await else { continue };
            *found = answer.reward_gauges.values().map(|gauge| amount(&gauge.coins)).sum();
        }
        found
    }

    /// The block behind the one that took a fee.
    async fn round_of_fee<M: Message + prost::Name>(&mut self, payer: &str, message: &M) -> u64 {
        let height = u64::from(self.w.must(payer, message).await.height) + 1;
        self.w.wait_for_height(height).await;
        assert_eq!(self.gauge(height).await, Ok(9_090));
        height
    }

    /// The block in which the clock jumped.
    async fn round_of_mint(&mut self) -> u64 {
        let mut height = self.w.node.height();
        self.clock.advance(MONTH);
        loop {
            height += 1;
            let events = self.w.block_events(height).await;
            match attribute(&events, "mint", "amount").unwrap().as_str() {
                "0" => {}
                minted => {
                    assert_eq!(minted, "600000000", "the most a block may mint");
                    return height;
                }
            }
        }
    }
}

fn amount(coins: &[Coin]) -> u64 {
    match coins {
        [] => 0,
        [coin] if coin.denom == "ubbn" => coin.amount.parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

fn keep(label: &str) -> MsgSetWithdrawAddress {
    MsgSetWithdrawAddress { delegator_address: address(label), withdraw_address: address(label) }
}

fn module(name: &str) -> String {
    use bitcoin::hashes::{Hash, sha256};
    let bytes = sha256::Hash::hash(name.as_bytes()).to_byte_array();
    AccountAddress::from_bytes("bbn", &bytes[..20]).unwrap().bech32().to_owned()
}

async fn balance(w: &World, address: String) -> u64 {
    let request = QueryBalanceRequest { address, denom: "ubbn".into() };
    w.query(request).await.unwrap().balance.unwrap().amount.parse().unwrap()
}

/// Everything there is: accounts, the vault and the modules; the chain counts the same.
async fn supply(w: &World) -> u64 {
    let accounts = ACCOUNTS.iter().chain(["vault"].iter()).map(|label| address(label));
    let modules = ["fee_collector", "mint", "incentive", "costaking", "distribution"].map(module);
    let mut sum = 0;
    // Nothing moves while nobody sends.
    for address in accounts.chain(modules) {
        sum += balance(w, address).await;
    }
    let told = w.query(QuerySupplyOfRequest { denom: "ubbn".into() }).await.unwrap().amount.unwrap();
    assert_eq!(amount(&[told]), sum);
    let told = w.query(QueryTotalSupplyRequest { pagination: None }).await.unwrap().supply;
    assert_eq!(amount(&told), sum);
    sum
}

async fn check_events_of_split(w: &World, height: u64) {
    let events = w.block_events(height).await;
    let value = |kind, key| attribute(&events, kind, key);
    assert_eq!(value("btc_staking_reward", "amount").as_deref(), Some("9090ubbn"));
    assert_eq!(value("fp_direct_rewards", "amount").as_deref(), Some("681ubbn"));
    assert_eq!(value("validator_direct_rewards", "amount").as_deref(), Some("681ubbn"));
    assert_eq!(value("validator_direct_rewards", "validator_count").as_deref(), Some("1"));
    assert_eq!(value("btc_staking_reward", "mode").as_deref(), Some("BeginBlock"));
    let typed = "babylon.costaking.v1.EventCostakersAddRewards";
    assert_eq!(value(typed, "add_rewards").as_deref(), Some(r#"[{"denom":"ubbn","amount":"21364"}]"#));
    assert_eq!(value(typed, "current_period").as_deref(), Some("\"1\""));
    assert_eq!(value(typed, "current_total_score").as_deref(), Some("\"0\""));
    assert!(value(typed, "current_rewards").unwrap().contains("00000000000000000000\""), "scaled");
    assert_eq!(value("mint", "inflation_rate").as_deref(), Some("0.055000000000000000"));
    assert_eq!(value("mint", "annual_provisions").as_deref(), Some("31000000000.000000000000000000"));
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let transfer = ["coin_spent", "coin_received", "transfer", "message"];
    let expected = [
        &["mint", "btc_staking_reward", "fp_direct_rewards"][..],
        &transfer,
        &transfer,
        &["validator_direct_rewards"],
        &transfer,
        &[typed],
        &transfer,
    ];
    assert_eq!(kinds[..expected.concat().len()], expected.concat());
}

async fn tell(rules: RuleSet, expected: [Gauges; 6]) -> Life {
    let (mut life, [a, b, c, d]) = Life::start(rules).await;
    let both = [ONE, TWO];
    let vault =
        MsgSetWithdrawAddress { delegator_address: address("other"), withdraw_address: address("vault") };
    assert_eq!(life.gauges().await, [0; 4]);
    let begun = supply(&life.w).await;

    let height = life.round_of_fee("other", &vault).await;
    check_events_of_split(&life.w, height).await;
    life.reward(&both, height).await;
    assert_eq!(life.gauges().await, expected[0], "round 1");

    let height = life.round_of_fee("covenant", &keep("covenant")).await;
    life.reward(&[TWO], height).await;
    assert_eq!(life.gauges().await, expected[1], "round 2: who did not vote gets nothing");

    let height = life.round_of_mint().await;
    assert_eq!(life.gauge(height).await, Ok(109_090_909));
    life.reward(&both, height).await;
    assert_eq!(life.gauges().await, expected[2], "round 3");

    let edit = MsgEditFinalityProvider {
        addr: address("provider-2"),
        btc_pk: life.providers[TWO].public().to_bytes().to_vec(),
        description: Some(Description { moniker: "two".into(), ..Default::default() }),
        commission: Some("60000000000000000".into()),
    };
    let height = life.round_of_fee("provider-2", &edit).await;
    life.reward(&both, height).await;
    assert_eq!(life.gauges().await, expected[3], "round 4: an edited commission");

    let unbonding = c.unbonding_tx();
    let spent_at = life.w.mine(1, &[&unbonding]).await;
    let report = c.report(&unbonding, &life.w.bitcoin.prove(spent_at, &unbonding));
    life.w.must("watchtower", &report).await;
    life.w.next_block().await;
    let height = life.round_of_fee("covenant", &keep("covenant")).await;
    life.reward(&both, height).await;
    assert_eq!(life.gauges().await, expected[4], "round 5: c has left");

    life.w.mine(290, &[]).await;
    assert_eq!(life.w.status(d.txid()).await, "EXPIRED");
    life.w.next_block().await;
    let height = life.round_of_fee("covenant", &keep("covenant")).await;
    life.reward(&both, height).await;
    assert_eq!(life.gauges().await, expected[5], "round 6: d has expired");
    for stake in [&a, &b] {
        assert_eq!(life.w.status(stake.txid()).await, "ACTIVE");
    }
    assert_eq!(supply(&life.w).await, begun + 600_000_000, "coins come from minting alone");
    life
}

#[tokio::test(flavor = "multi_thread")]
async fn rewards_are_those_of_the_table_and_are_paid_out() {
    let life = tell(
        RuleSet::Released,
        [
            [323, 810, 3_701, 4_934],
            [323, 1_945, 7_155, 10_116],
            [3_896_426, 9_742_203, 44_422_740, 59_230_895],
            [3_896_749, 9_743_013, 44_426_441, 59_235_830],
            [3_897_202, 9_743_693, 44_428_168, 59_242_739],
            [3_897_485, 9_744_543, 44_430_327, 59_249_216],
        ],
    )
    .await;
    check_queries(&life).await;
    check_withdrawals(&life.w).await;
    life.w.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_the_rules_of_the_head_an_edited_commission_acts_at_once() {
    let life = tell(
        RuleSet::Head,
        [
            [323, 810, 3_701, 4_934],
            [323, 1_945, 7_155, 10_116],
            [3_896_426, 9_742_203, 44_422_740, 59_230_895],
            [3_896_749, 9_743_078, 44_426_415, 59_235_791],
            [3_897_202, 9_743_813, 44_428_142, 59_242_645],
            [3_897_485, 9_744_732, 44_430_301, 59_249_053],
        ],
    )
    .await;
    life.w.stop().await;
}

async fn check_queries(life: &Life) {
    let w = &life.w;
    let pool = QueryFpCurrentRewardsRequest { finality_provider_address: address("provider-1") };
    let pool = w.query(pool).await.unwrap();
    assert_eq!((amount(&pool.current_rewards), pool.total_active_sat), (2_159, b"100000".to_vec()));
    let position = |provider, staker| QueryDelegationRewardsRequest {
        finality_provider_address: address(provider),
        delegator_address: address(staker),
    };
    let rewards = w.query(position("provider-2", "other")).await.unwrap();
    // 29,618,781 were shared by halves at provider one until d expired.
    assert_eq!(amount(&rewards.rewards), 59_249_216 - 14_809_390, "what b has earned");

    let tracker = |label| scores::QueryCostakerRewardsTrackerRequest { costaker_address: address(label) };
    for (label, sats) in [("staker", "100000"), ("other", "300000")] {
        let tracker = w.query(tracker(label)).await.unwrap();
        let numbers = [tracker.active_satoshis, tracker.active_baby, tracker.total_score];
        assert_eq!(numbers, [sats, "0", "0"].map(|text| text.as_bytes().to_vec()), "{label}");
        assert_eq!(tracker.start_period_cumulative_reward, 1);
    }
    let current = w.query(scores::QueryCurrentRewardsRequest {}).await.unwrap();
    assert!(current.rewards[0].amount.ends_with(&"0".repeat(20)), "{current:?}");
    assert_eq!((current.period, current.total_score), (1, b"0".to_vec()));
    let history = w.query(scores::QueryHistoricalRewardsRequest { period: 0 }).await.unwrap();
    assert_eq!(history.cumulative_rewards_per_score, []);
    let params = w.query(scores::QueryParamsRequest {}).await.unwrap().params.unwrap();
    assert_eq!(params.score_ratio_btc_by_baby, b"200");
    let params = w.query(QueryParamsRequest {}).await.unwrap().params.unwrap();
    assert_eq!(params.btc_staking_portion, "181818182000000000");
    let rate = w.query(QueryInflationRateRequest {}).await.unwrap().inflation_rate;
    assert_eq!(rate, b"55000000000000000");
    let annual = w.query(QueryAnnualProvisionsRequest {}).await.unwrap().annual_provisions;
    assert_eq!(annual, format!("{PER_YEAR}{:018}", 0).into_bytes());
    assert!(w.query(QueryGenesisTimeRequest {}).await.unwrap().genesis_time.is_some());

    let nobody = address("reporter");
    let fp = QueryFpCurrentRewardsRequest { finality_provider_address: nobody.clone() };
    let broken = QueryRewardGaugesRequest { address: "bbn1".into() };
    let refusals = [
        (
            w.query(QueryRewardGaugesRequest { address: nobody }).await.map(drop),
            "sdk/6",
            "reward gauge not found",
        ),
        (w.query(fp).await.map(drop), "sdk/6", "finality provider current rewards not found"),
        (
            w.query(position("provider-1", "reporter")).await.map(drop),
            "sdk/6",
            "BTC delegation rewards tracker not found",
        ),
        (
            w.query(QueryBTCStakingGaugeRequest { height: 1 << 40 }).await.map(drop),
            "sdk/6",
            "BTC staking gauge not found",
        ),
        (w.query(broken).await.map(drop), "sdk/18", "code = InvalidArgument"),
        (w.query(tracker("reporter")).await.map(drop), "sdk/22", "costaker rewards tracker not found"),
        (
            w.query(scores::QueryHistoricalRewardsRequest { period: 1 << 40 }).await.map(drop),
            "sdk/22",
            "historical rewards not found",
        ),
    ];
    for (refusal, code, text) in refusals {
        let refused = refusal.unwrap_err();
        assert_eq!(refused.short(), code, "{refused:?}");
        assert!(refused.log.contains(text), "{refused:?}");
    }
}

async fn check_withdrawals(w: &World) {
    let withdraw = async |kind: &str, label: &str| {
        let message = MsgWithdrawReward { r#type: kind.into(), address: address(label) };
        w.send(label, vec![any(&message)]).await
    };
    let paid = withdraw("btc_staker", "other").await.unwrap();
    // The client leaves the data of a result in base64.
    let data = base64::prelude::BASE64_STANDARD.decode(&paid.tx_result.data).unwrap();
    let data = TxMsgData::decode(data.as_slice()).unwrap();
    let answer = MsgWithdrawRewardResponse::decode(data.msg_responses[0].value.as_slice()).unwrap();
    assert_eq!(amount(&answer.coins), 59_249_216);
    assert_eq!(balance(w, address("vault")).await, 59_249_216, "paid to the address that was set");
    let events: Vec<_> = paid.tx_result.events.iter().filter(|event| event.kind == "transfer").collect();
    let payout = attribute(&[events[1].clone()], "transfer", "recipient");
    assert_eq!(payout, Some(address("vault")), "behind the fee");
    assert_eq!(withdraw("BTC_STAKER", "other").await.unwrap_err().short(), "incentive/1102");
    let gauges = w.query(QueryRewardGaugesRequest { address: address("other") }).await.unwrap().reward_gauges;
    assert_eq!(gauges.keys().collect::<Vec<_>>(), ["BTC_STAKER"]);
    assert_eq!(gauges["BTC_STAKER"].withdrawn_coins, gauges["BTC_STAKER"].coins);

    let before = w.balance("provider-2").await;
    withdraw("Finality_Provider", "provider-2").await.unwrap();
    assert_eq!(w.balance("provider-2").await, before - FEE + 9_744_543, "to itself by default");
    assert_eq!(
        withdraw("costaker", "staker").await.unwrap_err().short(),
        "incentive/1102",
        "a tracker, no score"
    );
    let current = w.query(scores::QueryCurrentRewardsRequest {}).await.unwrap();
    assert_eq!(current.period, 2, "the one withdrawal that was not refused ended a period");
    let refused = withdraw("costaker", "reporter").await.unwrap_err();
    assert_eq!(refused.short(), "undefined/1");
    assert!(refused.log.contains("rpc error: code = Internal desc = collections: not found"), "{refused:?}");
}
