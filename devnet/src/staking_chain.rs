//! The staking chain of a network: the embedded one, or another that takes its place.
//!
//! A [`Founder`] starts a chain from one [`Genesis`], so that every kind of chain begins with the same committee,
//! accounts and parameters. After that the network and its story know the chain by its RPC endpoints and by nothing
//! else; what a chain needs to keep going (finalise its epochs on Bitcoin, for one) is the business of its
//! [`StakingChain`].
//!
//! | module | chain |
//! |---|---|
//! | [`embedded`] | the one in this process |
//! | [`comet`] | the same application under four CometBFT validators |
//! | [`babylon`] | a real Babylon node |

pub mod babylon;
pub mod comet;
pub mod embedded;

use crate::{keys::Seed, timeline::Timeline};
use async_trait::async_trait;
use btc_staking_bitcoin_node::bitcoind::Bitcoind;
use btc_staking_daemon::cli::Failure;
use btc_staking_devnet_chain::Genesis;
use futures::future::BoxFuture;
use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

/// What a chain is founded with.
#[derive(Clone)]
pub struct Founding {
    /// Chain id, parameters, committee, and accounts with coins.
    pub genesis: Genesis,
    /// Between two blocks.
    pub block_time: Duration,
    /// An absent or empty folder for its data.
    pub home: PathBuf,
    /// Where its logs go.
    pub logs: PathBuf,
    /// The Bitcoin node under the chain. Nobody mines while the chain is founded, so the founder may.
    pub bitcoin: Arc<Bitcoind>,
    /// What all test keys follow from.
    pub seed: Seed,
}

/// Starts one kind of chain.
#[async_trait]
pub trait Founder: fmt::Debug + Send + Sync {
    /// Starts a chain and returns once its RPC answers and its first block is there.
    ///
    /// # Errors
    /// [`Failure`] with what did not start.
    async fn found(&self, founding: Founding) -> Result<Box<dyn StakingChain>, Failure>;
}

/// A running chain. Dropping it ends it; [`StakingChain::stop`] does so in good order.
#[async_trait]
pub trait StakingChain: Send + Sync {
    /// What it is, for people.
    fn describe(&self) -> String;

    /// Its CometBFT RPC endpoints, in the order in which roles try them.
    fn rpc(&self) -> Vec<String>;

    /// Comes when the chain has ended by itself, with why.
    fn ended(&self) -> BoxFuture<'static, String>;

    /// Goes through the trouble the chain must bear in the middle of a story: nothing unless it has several nodes.
    ///
    /// # Errors
    /// [`Failure`] with what did not go as it must.
    async fn bear_trouble(&mut self, _timeline: &Timeline) -> Result<(), Failure> {
        Ok(())
    }

    /// What must hold of the chain itself when the story is over: nothing unless it has several nodes.
    async fn closing_facts(&self) -> Vec<ClosingFact> {
        Vec::new()
    }

    /// Ends it in good order.
    async fn stop(self: Box<Self>);
}

/// Something that must hold of a chain when a story is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosingFact {
    /// The fact, as a sentence about the chain without its subject.
    pub fact: String,
    /// Whether it holds; else what was seen instead.
    pub outcome: Result<(), String>,
}
