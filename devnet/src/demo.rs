//! `devnet demo`: the story, from start to result.

use crate::{
    facts::Facts,
    network::{Network, NetworkOptions, Pace},
    report::{BitcoinNodeReport, ChainReport, Report},
    story::{self, Findings},
    timeline::{Target, Timeline},
};
use btc_staking_daemon::{
    cli::{Exit, Failure, Output, block_on},
    tasks::Signals,
};
use std::{
    io::{self, Write as _},
    time::Duration,
};

/// A stake lives its whole life in some fifteen seconds.
pub const PACE: Pace = Pace {
    block_time: Duration::from_millis(300),
    bitcoin_block_time: Duration::from_millis(400),
    poll_interval_ms: 150,
};

/// Runs the story, prints its result and says how the process ends.
///
/// # Errors
/// [`Failure`] when the devnet does not start.
pub fn run(options: NetworkOptions, output: Output) -> Result<Exit, Failure> {
    let target = if output == Output::Json { Target::Stderr } else { Target::Stdout };
    let timeline = Timeline::new(target);
    timeline.line(&format!(
        "Bitcoin staking, from lock to withdrawal. Seed {}: every key follows from it and is public.",
        options.seed
    ));
    let report = block_on(tell(&options, &timeline))?;
    report.print(&timeline);
    if output == Output::Json {
        writeln!(io::stdout().lock(), "{}", serde_json::to_string(&report)?)?;
    }
    Ok(if report.ok { Exit::Done } else { Exit::Failure })
}

async fn tell(options: &NetworkOptions, timeline: &Timeline) -> Result<Report, Failure> {
    let mut signals = Signals::new()?;
    let mut network = tokio::select! {
        network = Network::start(options, timeline) => network?,
        signal = signals.next() => return Err(Failure::new(Exit::Failure, format!("stopped by {signal}"))),
    };
    let facts = Facts::new(timeline);
    let mut findings = Findings::default();
    let (daemons, chain_ended) = (network.daemons.clone(), network.staking_chain.ended());
    let outcome = tokio::select! {
        told = story::tell(&mut network, &facts, timeline, options.pace.bitcoin_block_time, &mut findings) => {
            told.map_err(|error| End::Failed(error.to_string()))
        }
        ended = daemons.watch() => Err(End::Failed(ended.to_string())),
        ended = chain_ended => Err(End::Failed(ended)),
        signal = signals.next() => Err(End::Stopped(signal)),
    };
    let chain = fetch_chain(&network).await;
    let bitcoin_node = BitcoinNodeReport::of(&network.bitcoin_node);
    let error = outcome.err().map(|end| match end {
        End::Stopped(signal) => format!("stopped by {signal}"),
        End::Failed(why) => format!("{why}\nlogs and data are kept in {}", network.folder.keep().display()),
    });
    network.stop().await;
    let facts = facts.so_far();
    Ok(Report {
        ok: error.is_none() && facts.iter().all(|fact| fact.ok),
        bitcoin_node,
        chain,
        equivocation: findings.equivocation,
        stakes: findings.stakes,
        facts,
        seconds: (timeline.elapsed().as_secs_f64() * 1_000.0).round() / 1_000.0,
        error,
    })
}

/// Why a story did not come to its end.
enum End {
    /// A signal.
    Stopped(&'static str),
    /// Something is not as it must be.
    Failed(String),
}

/// What the chain says at the end; zeros if it does not answer, which a fact has told before.
async fn fetch_chain(network: &Network) -> ChainReport {
    let head = network.chain.fetch_head().await;
    let finalised = network.chain.fetch_last_finalised().await;
    ChainReport {
        height: head.map_or(0, |head| head.height.to_u64()),
        finalised_height: finalised.ok().flatten().map_or(0, |block| block.height.to_u64()),
    }
}
