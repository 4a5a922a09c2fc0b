//! Prometheus metrics, under the names operators know where those were true, with one series per provider.

use crate::machine::{planner::Planner, voter::Voter};
use btc_staking_daemon::metrics::{CounterBy, GaugeBy, Label, Metrics, MetricsError};
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};

/// Most providers told apart in one process.
const MAX_PROVIDERS: usize = 1_000;

/// The daemon's metrics. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Meters {
    tip: GaugeBy,
    voting: GaugeBy,
    last_voted: GaugeBy,
    queued: GaugeBy,
    runway: GaugeBy,
    last_committed: GaugeBy,
    voted: CounterBy,
    powerless: CounterBy,
    failed_votes: CounterBy,
    refused_double_signs: CounterBy,
    commitments: CounterBy,
    failed_commitments: CounterBy,
}

impl Meters {
    /// Registers every metric.
    ///
    /// # Errors
    /// [`MetricsError`] when they are registered already.
    pub fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        let label = || Label::at_most("fp_btc_pk_hex", MAX_PROVIDERS);
        let gauge = |name, help| metrics.gauge_by(name, help, label());
        let counter = |name, help| metrics.counter_by(name, help, label());
        Ok(Self {
            tip: gauge("chain_tip_height", "Latest block of the chain as the node reports it")?,
            voting: gauge(
                "voting",
                "1 while votes go out as blocks come in, 0 while there is a reason why not",
            )?,
            last_voted: gauge("last_voted_height", "Highest height voted on")?,
            queued: gauge("queued_heights", "Heights waiting to be voted on or settled")?,
            runway: gauge("randomness_runway_blocks", "Blocks ahead for which randomness is committed")?,
            last_committed: gauge(
                "last_committed_randomness_height",
                "Last height with committed randomness",
            )?,
            voted: counter("total_voted_blocks", "Votes the chain stored")?,
            powerless: counter("total_blocks_without_voting_power", "Blocks without voting power")?,
            failed_votes: counter("total_failed_votes", "Votes that did not get through at a try")?,
            refused_double_signs: counter("total_refused_double_signs", "Votes the sign records refused")?,
            commitments: counter("total_committed_randomness", "Heights whose randomness was committed to")?,
            failed_commitments: counter("total_failed_randomness", "Commitments that did not get through")?,
        })
    }

    pub(crate) fn show_voter(&self, key: &FinalityProviderPublicKey, voter: &Voter) {
        let key = key.to_string();
        self.voting.with(&key).set(i64::from(voter.reason().is_none()));
        self.queued.with(&key).set(i64::try_from(voter.queued()).unwrap_or(i64::MAX));
        set_height(&self.tip, &key, voter.tip());
        set_height(&self.last_voted, &key, voter.last_voted());
    }

    pub(crate) fn show_planner(
        &self,
        key: &FinalityProviderPublicKey,
        planner: &Planner,
        committed_until: Option<PosHeight>,
    ) {
        let key = key.to_string();
        self.runway.with(&key).set(i64::try_from(planner.runway().unwrap_or(0)).unwrap_or(i64::MAX));
        set_height(&self.last_committed, &key, committed_until);
    }

    pub(crate) fn vote_stored(&self, key: &FinalityProviderPublicKey) {
        self.voted.with(&key.to_string()).inc();
    }
    pub(crate) fn vote_failed(&self, key: &FinalityProviderPublicKey) {
        self.failed_votes.with(&key.to_string()).inc();
    }
    pub(crate) fn double_sign_refused(&self, key: &FinalityProviderPublicKey) {
        self.refused_double_signs.with(&key.to_string()).inc();
    }
    pub(crate) fn powerless(&self, key: &FinalityProviderPublicKey) {
        self.powerless.with(&key.to_string()).inc();
    }
    pub(crate) fn committed(&self, key: &FinalityProviderPublicKey, heights: u64) {
        self.commitments.with(&key.to_string()).inc_by(heights);
    }
    pub(crate) fn commitment_failed(&self, key: &FinalityProviderPublicKey) {
        self.failed_commitments.with(&key.to_string()).inc();
    }
}

fn set_height(gauge: &GaugeBy, key: &str, height: Option<PosHeight>) {
    if let Some(height) = height {
        gauge.with(key).set(i64::try_from(height.to_u64()).unwrap_or(i64::MAX));
    }
}
