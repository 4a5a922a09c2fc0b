//! `devnet up`: everything, until Ctrl-C.

use crate::{
    network::{CHAIN_ID, Network, NetworkOptions, Pace},
    timeline::{Target, Timeline},
};
use btc_staking_daemon::{
    cli::{Exit, Failure, block_on},
    tasks::Signals,
};
use std::{path::Path, time::Duration};

/// Slow enough to read along.
pub const PACE: Pace = Pace {
    block_time: Duration::from_millis(1000),
    bitcoin_block_time: Duration::from_millis(3000),
    poll_interval_ms: 500,
};

/// Starts everything, says where it is, and stays until SIGINT or SIGTERM.
///
/// # Errors
/// [`Failure`] when something does not start or ends by itself.
pub fn run(options: NetworkOptions) -> Result<(), Failure> {
    let timeline = Timeline::new(Target::Stdout);
    timeline.line(&format!("Seed {}: every key follows from it and is public.", options.seed));
    block_on(async {
        let mut signals = Signals::new()?;
        let mut network = tokio::select! {
            network = Network::start(&options, &timeline) => network?,
            signal = signals.next() => {
                timeline.event("devnet", format_args!("{signal}: stopping"));
                return Ok(());
            }
        };
        network.miner.start(options.pace.bitcoin_block_time);
        let interval = options.pace.bitcoin_block_time.as_millis();
        timeline.event("miner", format_args!("a Bitcoin block every {interval} ms"));
        print_guide(&network, &timeline);
        let ended = tokio::select! {
            signal = signals.next() => {
                timeline.event("devnet", format_args!("{signal}: stopping"));
                None
            }
            ended = network.daemons.watch() => Some(Failure::new(Exit::Failure, ended)),
            ended = network.staking_chain.ended() => Some(Failure::new(Exit::Failure, ended)),
        };
        if ended.is_some() {
            network.folder.keep();
        }
        network.stop().await;
        ended.map_or(Ok(()), Err)
    })
}

/// Where everything listens, and what to try.
fn print_guide(network: &Network, timeline: &Timeline) {
    timeline.heading("Where it listens");
    let row = |name: &str, place: &str, what: &str| timeline.line(&format!("  {name:15} {place:30} {what}"));
    let cookie = format!("JSON-RPC, cookie {}", network.bitcoin_node.cookie_file().display());
    row("bitcoin node", &network.bitcoin_node.url(), &cookie);
    for rpc in network.staking_chain.rpc() {
        row("staking chain", &rpc, &format!("CometBFT RPC, chain id {CHAIN_ID}"));
    }
    let roles = &network.roles;
    for role in roles.covenants.iter().chain(&roles.providers).chain([&roles.slasher]) {
        if let Some(listen) = role.listen {
            row(&role.name, &format!("http://{listen}/status"), "also /metrics, /healthz, /readyz");
        }
    }
    timeline.heading("What to try in another terminal");
    print_commands(network, timeline);
    timeline.line(&format!("\n  Logs are in {}", network.folder.join("logs").display()));
    timeline.line("  Everything runs. Ctrl-C stops it.");
}

/// A staker with 50 BTC, ready to be used.
fn print_commands(network: &Network, timeline: &Timeline) {
    let (Some(staker), Some(provider)) = (network.roles.stakers.first(), network.roster.providers.first())
    else {
        return;
    };
    let program = network.daemons.shown_command(crate::roles::Role::Staker);
    let shown = |path: &Path| path.display().to_string();
    timeline.line(&format!("  export STAKER_CONFIG={}", shown(&staker.config)));
    timeline.line(&format!("  export STAKER_PASSPHRASE_FROM=file:{}", shown(&network.roles.passphrase_file)));
    timeline.line(&format!("  alias staker='{program}'"));
    timeline.line("  staker balance");
    let key = provider.key;
    timeline.line(&format!("  staker stake --amount 0.5btc --timelock 1000 --finality-provider {key}"));
    timeline.line("  staker list");
    timeline.line("  staker unbond TXID          # free again after 5 Bitcoin blocks");
    timeline.line("  staker withdraw --all");
    timeline.line("  (staker-b and staker-c have a configuration and 50 BTC each, too)");
}
