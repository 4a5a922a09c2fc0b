//! What the signer did since it was started, counted where it happens.
//!
//! Names and the label `fp_btc_pk_hex` are those that operators know (`finality-provider.md` 10); `chain_id` is new, and so
//! is the count of refused double signs. Each label takes a bounded number of values.

use super::SigningError;
use crate::records::{NotSafe, Subject};
use btc_staking_daemon::metrics::{CounterBy, GaugeBy, IntCounter, Label, Metrics, MetricsError};
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};

/// Most keys, and most chains, that are told apart.
const MOST: usize = 1_000;

/// The counters of a signer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Meters {
    opened: IntCounter,
    randomness: CounterBy<2>,
    last_randomness: GaugeBy<2>,
    signed: CounterBy<2>,
    last_signed: GaugeBy<2>,
    refused: CounterBy<2>,
    schnorr: CounterBy,
}

impl Meters {
    /// Registers them under their full names, whatever the prefix of the process is.
    ///
    /// # Errors
    /// [`MetricsError`] when they are registered already.
    pub fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        let metrics = metrics.without_prefix();
        let key = || Label::at_most("fp_btc_pk_hex", MOST);
        let labels = || [key(), Label::at_most("chain_id", MOST)];
        Ok(Self {
            opened: metrics.counter("eots_created_keys_counter", "Keys that were opened since the start")?,
            randomness: metrics.counter_by(
                "eots_fp_total_generated_randomness_counter",
                "Values of public randomness generated",
                labels(),
            )?,
            last_randomness: metrics.gauge_by(
                "eots_fp_last_generated_randomness_height",
                "Highest height of the public randomness generated last",
                labels(),
            )?,
            signed: metrics.counter_by(
                "eots_fp_total_eots_sign_counter",
                "EOTS signatures given, repeated ones too",
                labels(),
            )?,
            last_signed: metrics.gauge_by(
                "eots_fp_last_eots_sign_height",
                "Height of the EOTS signature given last",
                labels(),
            )?,
            refused: metrics.counter_by(
                "eots_fp_total_refused_double_signs_counter",
                "Votes refused because another was signed at their height",
                labels(),
            )?,
            schnorr: metrics.counter_by(
                "eots_fp_total_schnorr_sign_counter",
                "BIP-340 signatures given",
                key(),
            )?,
        })
    }

    pub(super) fn opened(&self, keys: usize) {
        self.opened.inc_by(u64::try_from(keys).unwrap_or(u64::MAX));
    }

    /// Counts values of public randomness up to a height.
    pub(super) fn randomness(&self, subject: &Subject, count: u64, last: u64) {
        let (key, chain) = names(subject);
        self.randomness.of([&key, chain]).inc_by(count);
        self.last_randomness.of([&key, chain]).set(gauge(last));
    }

    /// Counts what became of votes.
    pub(super) fn votes<'a, T: 'a>(
        &self,
        subject: &Subject,
        answers: impl Iterator<Item = (PosHeight, &'a Result<T, SigningError>)>,
    ) {
        let (mut signed, mut refused, mut last) = (0, 0, None);
        for (height, answer) in answers {
            match answer {
                Ok(_) => (signed, last) = (signed + 1, Some(height)),
                Err(SigningError::NotSafe(NotSafe::DoubleSign { .. })) => refused += 1,
                Err(_) => {}
            }
        }
        let (key, chain) = names(subject);
        self.signed.of([&key, chain]).inc_by(signed);
        self.refused.of([&key, chain]).inc_by(refused);
        if let Some(height) = last {
            self.last_signed.of([&key, chain]).set(gauge(height.to_u64()));
        }
    }

    pub(super) fn schnorr(&self, key: &FinalityProviderPublicKey) {
        self.schnorr.with(&key.to_string()).inc();
    }
}

impl Default for Meters {
    /// Counts for nobody.
    fn default() -> Self {
        Self::register(&Metrics::new("eots")).expect("no metric of a new registry has these names")
    }
}

fn names(subject: &Subject) -> (String, &str) {
    (subject.finality_provider.to_string(), subject.chain_id.as_str())
}

fn gauge(height: u64) -> i64 {
    i64::try_from(height).unwrap_or(i64::MAX)
}
