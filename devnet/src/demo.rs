//! `devnet demo`: the story, from start to result.

use crate::{
    network::{Network, NetworkOptions},
    timeline::{Target, Timeline},
};
use btc_staking_daemon::cli::{Failure, Output};

/// Time between blocks of the staking chain, in milliseconds, unless given.
pub const BLOCK_TIME_MS: u64 = 300;
/// Time between Bitcoin blocks, in milliseconds, unless given.
pub const BITCOIN_BLOCK_TIME_MS: u64 = 400;

/// Runs the story and prints its result.
///
/// # Errors
/// [`Failure`] when the devnet does not start or a fact does not hold.
pub fn run(options: NetworkOptions, output: Output) -> Result<(), Failure> {
    let target = if output == Output::Json { Target::Stderr } else { Target::Stdout };
    let timeline = Timeline::new(target);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let network = Network::start(&options, &timeline).await?;
        network.miner.fund(&[options.seed.miner_address()]).await?;
        timeline.event("miner", "101 blocks");
        network.stop().await;
        Ok(())
    })
}
