//! Prometheus metrics: under the names operators know from the Go daemon where those are true, with one series for
//! each provider on each chain.
//!
//! What is a state comes from the [`Board`] at the moment of the scrape, so that `/metrics` and `/status` never tell
//! two things; what happens is counted when it happens. A value that is not known has no series. No label ever holds a
//! height: the number of series depends on the configuration alone.

mod gauges;

use crate::{machine::reason::Reason, status::Board};
use btc_staking_daemon::{
    clock::Clock,
    metrics::{
        CounterBy, FractionBy, GaugeBy, Histogram, HistogramBy, IntCounter, Label, Labels, Metrics,
        MetricsError,
    },
};
use btc_staking_eots_manager::records::Subject;

use std::{sync::Arc, time::Duration};

/// Most keys, chains and nodes told apart in one process.
const MAX_KEYS: usize = 1_000;
const MAX_CHAINS: usize = 100;
const MAX_NODES: usize = 100;

/// From a block seen to its vote handed to a node, in seconds. A vote counts for liveness for three blocks.
const LATENCY: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0];

/// The daemon's metrics. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Meters {
    counts: [CounterBy<2>; COUNTS.len()],
    latency: HistogramBy<2>,
}

/// What is counted of one provider on one chain. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ProviderMeters {
    counts: [IntCounter; COUNTS.len()],
    latency: Histogram,
}

/// Something that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    Voted,
    Powerless,
    FailedVotes,
    RefusedDoubleSigns,
    Randomness,
    FailedRandomness,
}

/// Name and meaning of each count, in the order of [`Count`].
const COUNTS: [(Count, &str, &str); 6] = [
    (Count::Voted, "total_voted_blocks", "Votes the chain stored"),
    (Count::Powerless, "total_blocks_without_voting_power", "Blocks without voting power"),
    (Count::FailedVotes, "total_failed_votes", "Votes that did not get through at a try"),
    (Count::RefusedDoubleSigns, "total_refused_double_signs", "Votes the sign records refused"),
    (Count::Randomness, "total_committed_randomness", "Heights whose randomness was committed to"),
    (Count::FailedRandomness, "total_failed_randomness", "Commitments that did not get through at a try"),
];

impl Meters {
    /// Registers every metric. States are read from `board` at each scrape, ages are as of `clock`.
    ///
    /// # Errors
    /// [`MetricsError`] when they are registered already.
    pub fn register(metrics: &Metrics, board: Board, clock: Arc<dyn Clock>) -> Result<Self, MetricsError> {
        gauges::register(metrics, board, clock)?;
        let counter = |(_, name, help)| metrics.counter_by(name, help, by_provider());
        let [voted, powerless, failed_votes, refused, randomness, failed_randomness] = COUNTS.map(counter);
        Ok(Self {
            counts: [voted?, powerless?, failed_votes?, refused?, randomness?, failed_randomness?],
            latency: metrics.histogram_by(
                "vote_latency_seconds",
                "From a block seen to its vote handed to a node",
                LATENCY,
                by_provider(),
            )?,
        })
    }

    /// The counts of a provider on a chain. All of them are there from now on, at zero.
    pub fn provider(&self, subject: &Subject) -> ProviderMeters {
        let key = subject.finality_provider.to_string();
        let labels = [key.as_str(), subject.chain_id.as_str()];
        ProviderMeters {
            counts: self.counts.each_ref().map(|family| family.of(labels)),
            latency: self.latency.of(labels),
        }
    }
}

impl ProviderMeters {
    /// The chain stored a vote.
    pub fn vote_stored(&self) {
        self.count(Count::Voted, 1);
    }
    /// A vote did not get through at a try.
    pub fn vote_failed(&self) {
        self.count(Count::FailedVotes, 1);
    }
    /// The sign records refused a vote.
    pub fn double_sign_refused(&self) {
        self.count(Count::RefusedDoubleSigns, 1);
    }
    /// The chain said of so many blocks that there is no power at them.
    pub fn powerless(&self, blocks: u64) {
        self.count(Count::Powerless, blocks);
    }
    /// The chain took a commitment to so many heights.
    pub fn committed(&self, heights: u64) {
        self.count(Count::Randomness, heights);
    }
    /// A commitment did not get through at a try.
    pub fn commitment_failed(&self) {
        self.count(Count::FailedRandomness, 1);
    }
    /// A vote was handed to a node so long after its block was seen.
    pub fn vote_handed_over(&self, after: Duration) {
        self.latency.observe(after.as_secs_f64());
    }

    fn count(&self, count: Count, by: u64) {
        for ((known, ..), counter) in COUNTS.iter().zip(&self.counts) {
            if *known == count {
                counter.inc_by(by);
            }
        }
    }
}

fn by_provider() -> Labels<2> {
    [Label::at_most("fp_btc_pk_hex", MAX_KEYS), Label::at_most("chain_id", MAX_CHAINS)].into()
}

#[cfg(test)]
mod tests;
