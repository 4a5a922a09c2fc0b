//! A finality provider's life on the embedded chain, through the daemon and its control socket: jailed and free again,
//! rewards withdrawn while it votes, and several chains in one process.

#![allow(clippy::unwrap_used)] // Helpers beside the tests unwrap as the tests do.

mod world;

use btc_staking_daemon::cli::Exit;
use btc_staking_finality_provider::{
    config::{Unjail, UnjailPolicy},
    control::{Action, Answer, Edit, Errand, Reward},
};
use btc_staking_protocol::{height::PosHeight, keys::AccountAddress};
use std::time::Duration;
use world::{Chain, Daemon, client, plan, until};

fn h(height: u64) -> PosHeight {
    PosHeight::new(height)
}

fn errand(chain: &Chain, action: Action) -> Errand {
    Errand { chain: Some(chain.id.to_owned()), key: None, action }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jailed_provider_is_unjailed_by_policy_and_votes_within_two_blocks_of_its_power() {
    // Slow blocks, because the assertion counts them and the machine may have other work.
    let pace = Duration::from_millis(1_200);
    let chain = Chain::start("chain-jail", 11, pace, |genesis| {
        genesis.finality.signed_blocks_window = 6;
        genesis.finality.jail_duration_s = 5;
    })
    .await;
    // Nobody votes, so the provider is jailed.
    until("it is jailed", || chain.is_jailed()).await;
    let directory = tempfile::tempdir().unwrap();
    let automatic = Unjail { policy: UnjailPolicy::Automatic, ..Unjail::default() };
    let daemon = Daemon::start(directory.path(), &[&chain], vec![(chain.plan(automatic), chain.account())]);
    let shown = async || daemon.status(chain.id).reason_code.as_deref() == Some("jailed");
    until("the board tells that it is jailed", shown).await;
    until("it is free", async || !chain.is_jailed().await).await;
    // It was last without power at a height that the chain has already.
    let mut first = chain.tip().await;
    until("its power is back", async || chain.has_power(chain.tip().await).await).await;
    while !chain.has_power(first).await {
        first = first.next();
    }
    // The height read before the vote was seen: it is in this block or an earlier one.
    let mut seen_at = chain.tip().await;
    while !chain.has_voted(first).await {
        tokio::time::sleep(Duration::from_millis(20)).await;
        seen_at = chain.tip().await;
    }
    assert!(seen_at <= h(first.to_u64() + 2), "power at {first:?}, its vote seen at {seen_at:?}");
    until("the board tells that it votes", async || daemon.status(chain.id).voting).await;
    // Once a day: the next jailing is the operator's to end.
    daemon.stop().await;
    until("it is jailed again", || chain.is_jailed()).await;
    let automatic = Unjail { policy: UnjailPolicy::Automatic, ..Unjail::default() };
    let daemon = Daemon::start(directory.path(), &[&chain], vec![(chain.plan(automatic), chain.account())]);
    let held = async || daemon.status(chain.id).unjailing.is_some_and(|hold| hold.contains("max_per_day"));
    until("it is held", held).await;
    assert!(chain.is_jailed().await);
    let client = client(directory.path()).await;
    // The chain's clock is that of its last block, so it may say that it is too early still.
    let is_unjailed = async || match client.errand(&errand(&chain, Action::Unjail)).await {
        Ok(done) => done.to_string().contains("unjailed"),
        Err(refused) => {
            assert_eq!(refused.exit, Exit::NotReady, "{refused}");
            false
        }
    };
    until("the operator's command ends it", is_unjailed).await;
    until("it votes again", async || daemon.status(chain.id).voting).await;
    daemon.stop().await;
    chain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_vote_is_lost_while_rewards_are_withdrawn_and_settings_change_by_the_same_account() {
    const BLOCKS: u64 = 40;
    const OPERATORS: u8 = 4;
    let pace = Duration::from_millis(400);
    let chain = Chain::start("chain-fight", 12, pace, |_| ()).await;
    let directory = tempfile::tempdir().unwrap();
    let daemon =
        Daemon::start(directory.path(), &[&chain], vec![(chain.plan(Unjail::default()), chain.account())]);
    until("it votes", async || daemon.status(chain.id).voting).await;
    let begin = chain.tip().await;
    let end = h(begin.to_u64() + BLOCKS);
    let operators = (0..OPERATORS).map(|number| {
        let (chain, directory) = (&chain, directory.path());
        async move {
            let client = client(directory).await;
            let mut sent = 0;
            while chain.tip().await < end {
                let to = AccountAddress::from_bytes("bbn", &[number + 1; 20]).unwrap();
                let details = Edit { details: Some(format!("{number} {sent}")), ..Edit::default() };
                for action in [
                    Action::WithdrawRewards(Reward::FinalityProvider),
                    Action::SetWithdrawAddress(to),
                    Action::Edit(details),
                ] {
                    let Answer::Done(done) = client.errand(&errand(chain, action)).await.unwrap() else {
                        panic!("an errand was answered with rewards")
                    };
                    sent += u32::from(done.tx_hash.is_some());
                }
            }
            sent
        }
    });
    let sent: Vec<u32> = futures::future::join_all(operators).await;
    assert!(sent.iter().all(|sent| *sent > 3), "every operator got something done: {sent:?}");
    until("the last block is voted on", async || chain.has_voted(end).await).await;
    let mut height = begin;
    while height <= end {
        assert!(chain.has_voted(height).await, "the vote for {height:?} is lost");
        height = height.next();
    }
    daemon.stop().await;
    chain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_chains_and_a_dead_address_in_one_process() {
    let pace = Duration::from_millis(500);
    let one = Chain::start("chain-one", 13, pace, |_| ()).await;
    let two = Chain::start("chain-two", 14, pace, |_| ()).await;
    let directory = tempfile::tempdir().unwrap();
    let plans = vec![
        (plan("chain-dead", "http://127.0.0.1:1", pace, one.key), one.account()),
        (one.plan(Unjail::default()), one.account()),
        (two.plan(Unjail::default()), two.account()),
    ];
    let daemon = Daemon::start(directory.path(), &[&one, &two], plans);
    for chain in [&one, &two] {
        until("it votes", async || daemon.status(chain.id).voting).await;
        let next = chain.tip().await;
        until("blocks are voted on", async || chain.has_voted(next).await).await;
    }
    assert_eq!(daemon.status("chain-dead").reason_code.as_deref(), Some("unreachable"));
    let client = client(directory.path()).await;
    let dead = Errand { chain: Some("chain-dead".to_owned()), key: None, action: Action::Rewards };
    let refused = client.errand(&dead).await.unwrap_err().to_string();
    assert!(refused.contains("not connected to chain chain-dead"), "{refused}");
    let Answer::Rewards(rewards) = client.errand(&errand(&two, Action::Rewards)).await.unwrap() else {
        panic!("rewards were asked for")
    };
    assert_eq!((rewards.chain_id.as_str(), rewards.finality_provider), (two.id, two.key));
    daemon.stop().await;
    one.stop().await;
    two.stop().await;
}
