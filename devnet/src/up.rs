//! `devnet up`: everything, until Ctrl-C.

use crate::{
    network::{Network, NetworkOptions},
    signals::Signals,
    timeline::{Target, Timeline},
};
use btc_staking_daemon::cli::Failure;

/// Time between blocks of the staking chain, in milliseconds, unless given.
pub const BLOCK_TIME_MS: u64 = 1_000;
/// Time between Bitcoin blocks, in milliseconds, unless given.
pub const BITCOIN_BLOCK_TIME_MS: u64 = 3_000;
/// How often roles look at the chains, in milliseconds.
pub const POLL_INTERVAL_MS: u64 = 500;

/// Starts everything, says where it is, and stays until SIGINT or SIGTERM.
///
/// # Errors
/// [`Failure`] when something does not start or ends by itself.
pub fn run(options: NetworkOptions) -> Result<(), Failure> {
    let timeline = Timeline::new(Target::Stdout);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        let network = tokio::select! {
            signal = signals.next() => {
                timeline.event("devnet", format_args!("{signal}: stopping"));
                return Ok(());
            }
            network = Network::start(&options, &timeline) => network?,
        };
        let signal = signals.next().await;
        timeline.event("devnet", format_args!("{signal}: stopping"));
        network.stop().await;
        Ok(())
    })
}
