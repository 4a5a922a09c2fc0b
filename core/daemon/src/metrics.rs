//! Prometheus metrics whose labels cannot grow without bound.
//!
//! A thin cover over the `prometheus` crate: every metric of a process gets the program's prefix, and a label takes
//! its values from a list or is cut off after a number of different ones; everything else is counted as `other`.

use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, core::Collector,
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};
use thiserror::Error;

/// The value of a label beyond its bound.
pub const OTHER: &str = "other";

/// All metrics of a process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    prefix: String,
}

/// A label and the values it may take.
#[derive(Debug, Clone)]
pub struct Label {
    name: String,
    bound: Bound,
}

#[derive(Debug, Clone)]
enum Bound {
    OneOf(&'static [&'static str]),
    AtMost { count: usize, seen: Arc<Mutex<BTreeSet<String>>> },
}

/// Counters of one name, told apart by a label.
#[derive(Debug, Clone)]
pub struct CounterBy {
    counters: IntCounterVec,
    label: Label,
}

/// Gauges of one name, told apart by a label.
#[derive(Debug, Clone)]
pub struct GaugeBy {
    gauges: IntGaugeVec,
    label: Label,
}

/// A metric could not be registered or written.
#[derive(Debug, Error)]
#[error("metric {name:?} is invalid or exists already")]
pub struct MetricsError {
    /// The metric.
    pub name: String,
    /// What the library reports.
    pub source: prometheus::Error,
}

impl Label {
    /// A label with the values of a list.
    pub fn one_of(name: &str, values: &'static [&'static str]) -> Self {
        Self { name: name.to_owned(), bound: Bound::OneOf(values) }
    }

    /// A label that takes the first `count` different values it meets, such as the keys of an operator's providers.
    pub fn at_most(name: &str, count: usize) -> Self {
        Self { name: name.to_owned(), bound: Bound::AtMost { count, seen: Arc::default() } }
    }

    fn admit<'a>(&self, value: &'a str) -> &'a str {
        let known = match &self.bound {
            Bound::OneOf(values) => values.contains(&value),
            Bound::AtMost { count, seen } => {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.contains(value) || (seen.len() < *count && seen.insert(value.to_owned()))
            }
        };
        if known { value } else { OTHER }
    }
}

impl Metrics {
    /// No metrics yet; every name will start with `prefix` and an underscore.
    pub fn new(prefix: &str) -> Self {
        Self { registry: Registry::new(), prefix: prefix.replace('-', "_") }
    }

    /// A number that only goes up.
    ///
    /// # Errors
    /// [`MetricsError`] for a malformed or repeated name.
    pub fn counter(&self, name: &str, help: &str) -> Result<IntCounter, MetricsError> {
        self.register(name, IntCounter::with_opts(self.opts(name, help)))
    }

    /// Counters told apart by `label`. The label's listed values are there from the start, at zero.
    ///
    /// # Errors
    /// As [`Metrics::counter`].
    pub fn counter_by(&self, name: &str, help: &str, label: Label) -> Result<CounterBy, MetricsError> {
        let counters = IntCounterVec::new(self.opts(name, help), &[label.name.as_str()]);
        let family = CounterBy { counters: self.register(name, counters)?, label };
        if let Bound::OneOf(values) = family.label.bound {
            values.iter().for_each(|value| drop(family.with(value)));
        }
        Ok(family)
    }

    /// A number that goes up and down.
    ///
    /// # Errors
    /// As [`Metrics::counter`].
    pub fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, MetricsError> {
        self.register(name, IntGauge::with_opts(self.opts(name, help)))
    }

    /// Gauges told apart by `label`.
    ///
    /// # Errors
    /// As [`Metrics::counter`].
    pub fn gauge_by(&self, name: &str, help: &str, label: Label) -> Result<GaugeBy, MetricsError> {
        let gauges = IntGaugeVec::new(self.opts(name, help), &[label.name.as_str()]);
        Ok(GaugeBy { gauges: self.register(name, gauges)?, label })
    }

    /// How often values fell into each of `buckets` (upper bounds, ascending).
    ///
    /// # Errors
    /// As [`Metrics::counter`]; also for buckets that do not ascend.
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, MetricsError> {
        let opts = HistogramOpts::from(self.opts(name, help)).buckets(buckets.to_vec());
        self.register(name, Histogram::with_opts(opts))
    }

    /// All metrics in Prometheus' text format.
    ///
    /// # Errors
    /// [`MetricsError`] when a metric cannot be written.
    pub fn render(&self) -> Result<String, MetricsError> {
        let failed = |source| MetricsError { name: self.prefix.clone(), source };
        let mut out = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut out).map_err(failed)?;
        String::from_utf8(out).map_err(|error| failed(prometheus::Error::Msg(error.to_string())))
    }

    fn opts(&self, name: &str, help: &str) -> Opts {
        Opts::new(format!("{}_{name}", self.prefix), help)
    }

    fn register<C: Collector + Clone + 'static>(
        &self,
        name: &str,
        metric: prometheus::Result<C>,
    ) -> Result<C, MetricsError> {
        metric
            .and_then(|metric| self.registry.register(Box::new(metric.clone())).map(|()| metric))
            .map_err(|source| MetricsError { name: name.to_owned(), source })
    }
}

impl CounterBy {
    /// The counter of a label value.
    pub fn with(&self, value: &str) -> IntCounter {
        self.counters.with_label_values(&[self.label.admit(value)])
    }
}

impl GaugeBy {
    /// The gauge of a label value.
    pub fn with(&self, value: &str) -> IntGauge {
        self.gauges.with_label_values(&[self.label.admit(value)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_rendered_with_the_programs_prefix() {
        let metrics = Metrics::new("finality-provider");
        metrics.counter("votes_total", "Votes sent.").unwrap().inc_by(3);
        metrics.gauge("tip_height", "Height of the tip.").unwrap().set(-1);
        metrics.histogram("vote_seconds", "Time to vote.", &[0.1, 1.0]).unwrap().observe(0.5);
        let text = metrics.render().unwrap();
        for line in [
            "# HELP finality_provider_votes_total Votes sent.",
            "finality_provider_votes_total 3",
            "finality_provider_tip_height -1",
            "finality_provider_vote_seconds_bucket{le=\"1\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn labels_stay_within_their_bound() {
        let metrics = Metrics::new("p");
        let listed = metrics.counter_by("a", "A.", Label::one_of("kind", &["x", "y"])).unwrap();
        let counted = metrics.gauge_by("b", "B.", Label::at_most("key", 2)).unwrap();
        for value in ["x", "z", "w"] {
            listed.with(value).inc();
        }
        for value in ["k1", "k2", "k3", "k1"] {
            counted.with(value).inc();
        }
        assert_eq!((listed.with("x").get(), listed.with(OTHER).get()), (1, 2));
        assert_eq!((counted.with("k1").get(), counted.with("k4").get()), (2, 1));
        assert!(metrics.render().unwrap().contains("p_a{kind=\"y\"} 0"), "listed values start at zero");
    }

    #[test]
    fn a_repeated_or_malformed_name_is_an_error() {
        let metrics = Metrics::new("p");
        metrics.counter("a", "A.").unwrap();
        assert!(metrics.gauge("a", "Again.").is_err());
        assert!(metrics.counter("not a name", "N.").is_err());
    }
}
