//! What operators see of the watchtower: gauges, checks, the status page, and a line in the log for what happens to a
//! stake.

use crate::{
    machine::{Machine, Report},
    stakes::SlashingStep,
};
use btc_staking_bitcoin_node::ports::BlockRef;
use btc_staking_daemon::{
    health::{Check, Health},
    metrics::{Metrics, MetricsError},
};
use btc_staking_protocol::{delegation::SlashedOutput, height::BtcHeight};
use prometheus::IntGauge;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// What operators see.
#[derive(Clone)]
pub struct Board {
    status: Arc<Mutex<Value>>,
    gauges: Arc<Gauges>,
    pub(crate) bitcoin: Arc<Check>,
    pub(crate) chain: Arc<Check>,
}

struct Gauges {
    btc_height: IntGauge,
    light_client_height: IntGauge,
    stakes: IntGauge,
    cases: IntGauge,
    slashings_open: IntGauge,
    slashings_done: IntGauge,
}

impl Board {
    /// Registers the gauges and checks.
    ///
    /// # Errors
    /// [`MetricsError`] when a name is taken.
    pub fn new(metrics: &Metrics, health: &Health) -> Result<Self, MetricsError> {
        let gauges = Gauges {
            btc_height: metrics.gauge("btc_height", "Bitcoin height followed to")?,
            light_client_height: metrics.gauge("light_client_height", "tip of the chain's light client")?,
            stakes: metrics.gauge("stakes", "stakes under watch")?,
            cases: metrics.gauge("cases", "finality providers whose key was extracted")?,
            slashings_open: metrics.gauge("slashings_open", "stakes to slash that are not final yet")?,
            slashings_done: metrics.gauge("slashings_done", "stakes whose slashing is final")?,
        };
        Ok(Self {
            status: Arc::new(Mutex::new(json!({}))),
            gauges: Arc::new(gauges),
            bitcoin: Arc::new(health.check("bitcoin")),
            chain: Arc::new(health.check("chain")),
        })
    }

    /// The last status, as served under `/status`.
    pub fn status(&self) -> Value {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows where the chain's light client is.
    pub(crate) fn show_light_client_tip(&self, height: BtcHeight) {
        self.gauges.light_client_height.set(i64::from(height.to_u32()));
    }

    /// Shows what a round ended with; `tip` is the last Bitcoin block that was followed.
    pub(crate) fn publish(&self, machine: &Machine, tip: Option<BlockRef>) {
        let gauges = &self.gauges;
        gauges.btc_height.set(tip.map_or(0, |tip| i64::from(tip.height.to_u32())));
        gauges.stakes.set(count(machine.stakes()));
        gauges.cases.set(i64::try_from(machine.cases()).unwrap_or(i64::MAX));
        gauges.slashings_done.set(count(machine.slashings().filter(|(_, _, step, _)| is_done(step))));
        gauges.slashings_open.set(count(machine.slashings().filter(|(_, _, step, _)| !is_done(step))));
        let slashings: Vec<Value> = machine
            .slashings()
            .map(|(provider, txid, step, reason)| {
                json!({
                    "finality_provider": provider, "staking_txid": txid,
                    "state": describe(step), "done": is_done(step), "reason": reason,
                })
            })
            .collect();
        let status = json!({
            "btc_height": tip.map(|tip| tip.height),
            "stakes": machine.stakes().count(),
            "cases": machine.cases(),
            "slashings": slashings,
        });
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}

fn is_done(step: &SlashingStep) -> bool {
    match step {
        SlashingStep::Slashed { .. } | SlashingStep::TakenBy { is_final: true, .. } => true,
        SlashingStep::NotOnBitcoin
        | SlashingStep::Fire(_)
        | SlashingStep::Confirming { .. }
        | SlashingStep::TakenBy { is_final: false, .. } => false,
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> i64 {
    i64::try_from(items.count()).unwrap_or(i64::MAX)
}

fn describe(step: &SlashingStep) -> String {
    match step {
        SlashingStep::NotOnBitcoin => "not on bitcoin".to_owned(),
        SlashingStep::Fire(SlashedOutput::Staking) => "broadcasting for the staking output".to_owned(),
        SlashingStep::Fire(SlashedOutput::Unbonding) => "broadcasting for the unbonding output".to_owned(),
        SlashingStep::Confirming { txid, height, .. } => format!("{txid} confirmed at {height}"),
        SlashingStep::Slashed { txid, height, .. } => format!("slashed by {txid} at {height}"),
        SlashingStep::TakenBy { txid, height, is_final } => {
            let finality = if *is_final { "for good" } else { "not deep yet" };
            format!("taken by {txid} at {height}, {finality}")
        }
    }
}

/// Logs what a machine reports.
pub(crate) fn tell(report: &Report) {
    match report {
        Report::KeyExtracted { finality_provider, stakes } => {
            tracing::error!(%finality_provider, stakes, "a finality provider double-signed, its key is extracted");
        }
        Report::Slashing { staking_txid, step, reason } => {
            let state = describe(step);
            let reason = reason.as_deref().unwrap_or_default();
            tracing::info!(%staking_txid, state, reason, "slashing");
        }
        Report::Problem(text) => tracing::warn!(problem = text, "set aside, the others go on"),
    }
}
