//! Prometheus metrics whose labels cannot grow without bound.
//!
//! A thin cover over the `prometheus` crate: every metric of a process gets the program's prefix, and each label takes
//! its values from a list or is cut off after a number of different ones; everything else is counted as `other`.

use prometheus::{
    Encoder, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
    core::Collector,
};
pub use prometheus::{Gauge, Histogram, IntCounter, IntGauge};
use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use thiserror::Error;

/// The value of a label beyond its bound.
pub const OTHER: &str = "other";

/// All metrics of a process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    prefix: String,
    at_scrape: Arc<Mutex<Vec<Hook>>>,
}

/// What brings values up to date that depend on the moment they are read at.
#[derive(Clone)]
struct Hook(Arc<dyn Fn() + Send + Sync>);

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

/// The labels of one name, in order, each within its own bound.
#[derive(Debug, Clone)]
pub struct Labels<const N: usize>([Label; N]);

/// Counters of one name, told apart by labels.
#[derive(Debug, Clone)]
pub struct CounterBy<const N: usize = 1> {
    counters: IntCounterVec,
    labels: Labels<N>,
}

/// Gauges of one name that hold whole numbers, told apart by labels.
#[derive(Debug, Clone)]
pub struct GaugeBy<const N: usize = 1> {
    gauges: IntGaugeVec,
    labels: Labels<N>,
}

/// Gauges of one name that hold fractions, told apart by labels.
#[derive(Debug, Clone)]
pub struct FractionBy<const N: usize = 1> {
    gauges: GaugeVec,
    labels: Labels<N>,
}

/// Histograms of one name, told apart by labels.
#[derive(Debug, Clone)]
pub struct HistogramBy<const N: usize = 1> {
    histograms: HistogramVec,
    labels: Labels<N>,
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

impl<const N: usize> Labels<N> {
    fn names(&self) -> [&str; N] {
        self.0.each_ref().map(|label| label.name.as_str())
    }

    fn admit<'a>(&self, values: [&'a str; N]) -> [&'a str; N] {
        let mut admitted = values;
        for (label, value) in self.0.iter().zip(&mut admitted) {
            *value = label.admit(value);
        }
        admitted
    }
}

impl From<Label> for Labels<1> {
    fn from(label: Label) -> Self {
        Self([label])
    }
}

impl<const N: usize> From<[Label; N]> for Labels<N> {
    fn from(labels: [Label; N]) -> Self {
        Self(labels)
    }
}

impl Metrics {
    /// No metrics yet; every name will start with `prefix` and an underscore.
    pub fn new(prefix: &str) -> Self {
        Self {
            registry: Registry::new(),
            prefix: format!("{}_", prefix.replace('-', "_")),
            at_scrape: Arc::default(),
        }
    }

    /// The same metrics under names without the prefix, for names that operators know from elsewhere.
    #[must_use]
    pub fn without_prefix(&self) -> Self {
        Self { prefix: String::new(), ..self.clone() }
    }

    /// Has `update` called before every [`Metrics::render`]: for values that change while nothing happens, such as the
    /// time since something. It must be short, and must not render.
    pub fn at_scrape(&self, update: impl Fn() + Send + Sync + 'static) {
        self.hooks().push(Hook(Arc::new(update)));
    }

    /// A number that only goes up.
    ///
    /// # Errors
    /// [`MetricsError`] for a malformed or repeated name.
    pub fn counter(&self, name: &str, help: &str) -> Result<IntCounter, MetricsError> {
        self.register(name, IntCounter::with_opts(self.opts(name, help)))
    }

    /// Counters told apart by a label or an array of them. A single label's listed values are there from the start, at
    /// zero.
    ///
    /// # Errors
    /// As [`Metrics::counter`].
    pub fn counter_by<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: impl Into<Labels<N>>,
    ) -> Result<CounterBy<N>, MetricsError> {
        let labels = labels.into();
        let counters = IntCounterVec::new(self.opts(name, help), &labels.names());
        let family = CounterBy { counters: self.register(name, counters)?, labels };
        if let [Label { bound: Bound::OneOf(values), .. }] = family.labels.0.as_slice() {
            values.iter().for_each(|value| drop(family.of([*value; N])));
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

    /// Gauges told apart by a label or an array of them.
    ///
    /// # Errors
    /// As [`Metrics::counter`].
    pub fn gauge_by<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: impl Into<Labels<N>>,
    ) -> Result<GaugeBy<N>, MetricsError> {
        let labels = labels.into();
        let gauges = IntGaugeVec::new(self.opts(name, help), &labels.names());
        Ok(GaugeBy { gauges: self.register(name, gauges)?, labels })
    }

    /// As [`Metrics::gauge_by`], for fractions.
    ///
    /// # Errors
    /// As [`Metrics::counter`].
    pub fn fraction_by<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: impl Into<Labels<N>>,
    ) -> Result<FractionBy<N>, MetricsError> {
        let labels = labels.into();
        let gauges = GaugeVec::new(self.opts(name, help), &labels.names());
        Ok(FractionBy { gauges: self.register(name, gauges)?, labels })
    }

    /// How often values fell into each of `buckets` (upper bounds, ascending).
    ///
    /// # Errors
    /// As [`Metrics::counter`]; also for buckets that do not ascend.
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, MetricsError> {
        let opts = HistogramOpts::from(self.opts(name, help)).buckets(buckets.to_vec());
        self.register(name, Histogram::with_opts(opts))
    }

    /// Histograms told apart by a label or an array of them.
    ///
    /// # Errors
    /// As [`Metrics::histogram`].
    pub fn histogram_by<const N: usize>(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
        labels: impl Into<Labels<N>>,
    ) -> Result<HistogramBy<N>, MetricsError> {
        let labels = labels.into();
        let opts = HistogramOpts::from(self.opts(name, help)).buckets(buckets.to_vec());
        let histograms = HistogramVec::new(opts, &labels.names());
        Ok(HistogramBy { histograms: self.register(name, histograms)?, labels })
    }

    /// All metrics in Prometheus' text format.
    ///
    /// # Errors
    /// [`MetricsError`] when a metric cannot be written.
    pub fn render(&self) -> Result<String, MetricsError> {
        let failed = |source| MetricsError { name: self.prefix.clone(), source };
        // Outside the lock, so that a hook that adds another does not wait for itself.
        let hooks = self.hooks().clone();
        hooks.iter().for_each(|Hook(update)| update());
        let mut out = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut out).map_err(failed)?;
        String::from_utf8(out).map_err(|error| failed(prometheus::Error::Msg(error.to_string())))
    }

    fn hooks(&self) -> MutexGuard<'_, Vec<Hook>> {
        self.at_scrape.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opts(&self, name: &str, help: &str) -> Opts {
        Opts::new(format!("{}{name}", self.prefix), help)
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

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

impl<const N: usize> CounterBy<N> {
    /// The counter of these label values, in the order of the labels.
    pub fn of(&self, values: [&str; N]) -> IntCounter {
        self.counters.with_label_values(&self.labels.admit(values))
    }
}

impl CounterBy {
    /// The counter of a label value.
    pub fn with(&self, value: &str) -> IntCounter {
        self.of([value])
    }
}

impl<const N: usize> GaugeBy<N> {
    /// The gauge of these label values, in the order of the labels.
    pub fn of(&self, values: [&str; N]) -> IntGauge {
        self.gauges.with_label_values(&self.labels.admit(values))
    }

    /// Takes a series away, because what it tells is not known any more.
    pub fn remove(&self, values: [&str; N]) {
        // That it was not there is as good.
        let _ = self.gauges.remove_label_values(&self.labels.admit(values));
    }
}

impl GaugeBy {
    /// The gauge of a label value.
    pub fn with(&self, value: &str) -> IntGauge {
        self.of([value])
    }
}

impl<const N: usize> FractionBy<N> {
    /// The gauge of these label values, in the order of the labels.
    pub fn of(&self, values: [&str; N]) -> Gauge {
        self.gauges.with_label_values(&self.labels.admit(values))
    }

    /// Takes a series away, because what it tells is not known any more.
    pub fn remove(&self, values: [&str; N]) {
        // That it was not there is as good.
        let _ = self.gauges.remove_label_values(&self.labels.admit(values));
    }
}

impl<const N: usize> HistogramBy<N> {
    /// The histogram of these label values, in the order of the labels.
    pub fn of(&self, values: [&str; N]) -> Histogram {
        self.histograms.with_label_values(&self.labels.admit(values))
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
    fn several_labels_are_bounded_each_for_itself() {
        let metrics = Metrics::new("p");
        let labels = || [Label::at_most("key", 1), Label::one_of("chain", &["c", "d"])];
        let votes = metrics.counter_by("votes", "V.", labels()).unwrap();
        let seconds = metrics.histogram_by("seconds", "S.", &[1.0], labels()).unwrap();
        let hours = metrics.fraction_by("hours", "H.", labels()).unwrap();
        votes.of(["k1", "c"]).inc();
        votes.of(["k1", "elsewhere"]).inc();
        votes.of(["k2", "d"]).inc();
        seconds.of(["k1", "d"]).observe(0.5);
        hours.of(["k1", "d"]).set(0.25);
        hours.of(["k1", "c"]).set(0.25);
        hours.remove(["k1", "c"]);
        hours.remove(["k1", "c"]);
        let text = metrics.render().unwrap();
        let mut series: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        series.retain(|line| !line.contains("_bucket") && !line.contains("_sum"));
        let expected = [
            "p_hours{chain=\"d\",key=\"k1\"} 0.25",
            "p_seconds_count{chain=\"d\",key=\"k1\"} 1",
            "p_votes{chain=\"c\",key=\"k1\"} 1",
            "p_votes{chain=\"d\",key=\"other\"} 1",
            "p_votes{chain=\"other\",key=\"k1\"} 1",
        ];
        assert_eq!(series, expected);
    }

    #[test]
    fn what_depends_on_the_moment_is_told_as_of_the_scrape() {
        let metrics = Metrics::new("p");
        let age = metrics.gauge("age", "A.").unwrap();
        metrics.without_prefix().at_scrape(move || age.inc());
        metrics.without_prefix().gauge("known_elsewhere", "K.").unwrap().set(3);
        for scrape in 1..=2 {
            let text = metrics.render().unwrap();
            assert!(
                text.contains(&format!("p_age {scrape}\n")) && text.contains("\nknown_elsewhere 3"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_repeated_or_malformed_name_is_an_error() {
        let metrics = Metrics::new("p");
        metrics.counter("a", "A.").unwrap();
        assert!(metrics.gauge("a", "Again.").is_err());
        assert!(metrics.counter("not a name", "N.").is_err());
    }
}
