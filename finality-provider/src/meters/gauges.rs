//! States, as tables: a name, what it means, and where on the board it stands.

use super::{
    FractionBy, GaugeBy, Label, Labels, MAX_CHAINS, MAX_KEYS, MAX_NODES, Metrics, MetricsError, Reason,
    by_provider,
};
use crate::status::{Board, ChainStatus, ProviderStatus, Report};
use btc_staking_daemon::clock::Clock;
use btc_staking_protocol::height::PosHeight;
use std::sync::Arc;

/// One provider within a report.
struct Shown<'a> {
    status: &'a ProviderStatus,
    report: &'a Report,
}

type OfProvider = fn(&Shown<'_>) -> Option<u64>;
type OfChain = fn(&ChainStatus) -> Option<u64>;

/// Whole numbers of a provider; names begin with `fp_`.
const OF_PROVIDER: &[(&str, &str, OfProvider)] = &[
    (
        "status",
        "How the chain regards the provider: 0 registered, 1 active, 2 inactive, 3 slashed, 4 jailed",
        |p| p.status.standing.number().map(u64::from),
    ),
    ("voting", "1 while votes go out as blocks come in, 0 while there is a reason why not", |p| {
        Some(u64::from(p.status.voting))
    }),
    ("seconds_since_last_vote", "Since the chain last stored a vote, also over restarts", |p| {
        Some(p.report.at.saturating_sub(p.status.last_vote_at?))
    }),
    ("seconds_since_last_randomness", "Since randomness was last committed, also over restarts", |p| {
        Some(p.report.at.saturating_sub(p.status.last_randomness_at?))
    }),
    ("last_voted_height", "Highest height voted on", |p| height(p.status.last_voted_height)),
    ("last_processed_height", "Every height up to this one is settled", |p| {
        height(p.status.settled_below).map(|below| below.saturating_sub(1))
    }),
    ("chain_tip_height", "Latest block of the chain as this provider's voter saw it", |p| {
        height(p.status.chain_height)
    }),
    ("queued_heights", "Heights waiting to be voted on or settled", |p| {
        u64::try_from(p.status.queued_heights).ok()
    }),
    ("last_committed_randomness_height", "Last height with committed randomness", |p| {
        height(p.status.committed_until)
    }),
    (
        "last_usable_randomness_height",
        "Last height whose randomness is usable, as its commitment is final on Bitcoin",
        |p| height(p.status.usable_until),
    ),
    ("randomness_runway_blocks", "Blocks ahead for which randomness is committed", runway),
    (
        "randomness_needed_blocks",
        "Blocks until a commitment made now is usable, about: less runway than this is too little",
        |p| p.status.randomness_needed,
    ),
    ("randomness_usable_runway_blocks", "Blocks ahead for which randomness is usable now", |p| {
        p.status.usable_runway()
    }),
    (
        "randomness_commit_lag_epochs",
        "Epochs that must still become final on Bitcoin before every commitment is usable",
        |p| p.status.commitment_lag_epochs,
    ),
    ("missed_blocks", "Blocks missed within the chain's window", |p| Some(p.status.presence?.missed)),
    ("missed_blocks_window", "Blocks the chain looks back", |p| Some(p.status.presence?.window)),
    ("blocks_before_jail", "Blocks that may still be missed before the one that jails", |p| {
        p.status.presence.map(|presence| presence.left())
    }),
];

/// Whole numbers of a chain; names begin with `fp_`.
const OF_CHAIN: &[(&str, &str, OfChain)] = &[
    ("account_balance", "What the paying account holds, in the base denomination", |c| c.balance),
    ("commitments_affordable", "Commitments of randomness the paying account can pay for, about", |c| {
        c.commitments_affordable
    }),
    ("nodes", "Nodes configured", |c| surveyed(c, c.nodes.len())),
    ("nodes_usable", "Nodes that answer, know the chain and are at its tip", |c| {
        surveyed(c, c.usable_nodes())
    }),
    ("nodes_required", "Nodes that must say the same before it is acted on", |c| {
        surveyed(c, c.nodes_required)
    }),
];

/// Names of the Go daemon that do not begin with `fp_`.
const UNPREFIXED: &[(&str, &str, OfChain)] = &[
    ("babylon_tip_height", "Latest block of the chain", |c| height(c.height)),
    ("last_polled_height", "Latest block votes were looked for at", |c| height(c.last_polled_height)),
    ("poller_starting_height", "First block looked at since the start", |c| height(c.first_height)),
];

/// Every family of gauges.
struct Gauges {
    of_provider: Vec<(GaugeBy<2>, OfProvider)>,
    of_chain: Vec<(GaugeBy, OfChain)>,
    runway_hours: FractionBy<2>,
    usable_runway_hours: FractionBy<2>,
    block_seconds: FractionBy,
    not_voting: GaugeBy<3>,
    node_up: GaugeBy<2>,
    node_lag: GaugeBy<2>,
}

/// Registers them, and has them brought up to date at every scrape.
pub(super) fn register(metrics: &Metrics, board: Board, clock: Arc<dyn Clock>) -> Result<(), MetricsError> {
    let unprefixed = metrics.without_prefix();
    let mut of_chain = Vec::new();
    for (metrics, table) in [(metrics, OF_CHAIN), (&unprefixed, UNPREFIXED)] {
        for (name, help, value) in table {
            of_chain.push((metrics.gauge_by(name, help, Label::at_most("chain_id", MAX_CHAINS))?, *value));
        }
    }
    let mut of_provider = Vec::new();
    for (name, help, value) in OF_PROVIDER {
        of_provider.push((metrics.gauge_by(name, help, by_provider())?, *value));
    }
    let version = metrics.gauge_by("version_info", "The program's version", Label::at_most("version", 1))?;
    version.with(env!("CARGO_PKG_VERSION")).set(1);
    let gauges = Gauges {
        of_provider,
        of_chain,
        runway_hours: metrics.fraction_by(
            "randomness_runway_hours",
            "Hours ahead for which randomness is committed, at the pace of late",
            by_provider(),
        )?,
        usable_runway_hours: metrics.fraction_by(
            "randomness_usable_runway_hours",
            "Hours ahead for which randomness is usable now, at the pace of late",
            by_provider(),
        )?,
        block_seconds: metrics.fraction_by(
            "block_seconds",
            "Seconds a block takes, on average of late",
            Label::at_most("chain_id", MAX_CHAINS),
        )?,
        not_voting: metrics.gauge_by(
            "not_voting",
            "1 for the reason why no votes go out, 0 for every other",
            [
                Label::at_most("fp_btc_pk_hex", MAX_KEYS),
                Label::at_most("chain_id", MAX_CHAINS),
                Label::one_of("reason", Reason::CODES),
            ],
        )?,
        node_up: metrics.gauge_by("node_up", "1 for a node that answers and can be used", by_node())?,
        node_lag: metrics.gauge_by("node_lag_blocks", "Blocks a node is behind the best one", by_node())?,
    };
    metrics.at_scrape(move || gauges.show(&board.report(clock.since_epoch().as_secs())));
    Ok(())
}

impl Gauges {
    fn show(&self, report: &Report) {
        for status in &report.providers {
            self.show_provider(&Shown { status, report });
        }
        for chain in &report.chains {
            self.show_chain(chain);
        }
    }

    fn show_provider(&self, shown: &Shown<'_>) {
        let (key, chain_id) = (shown.status.finality_provider.to_string(), shown.status.chain_id.as_str());
        let labels = [key.as_str(), chain_id];
        for (family, value) in &self.of_provider {
            set(family, labels, value(shown));
        }
        let hours = |blocks: Option<u64>| shown.report.chain_of(shown.status)?.hours(blocks?);
        set_fraction(&self.runway_hours, labels, hours(runway(shown)));
        set_fraction(&self.usable_runway_hours, labels, hours(shown.status.usable_runway()));
        for code in Reason::CODES {
            let is_reason = shown.status.reason_code.as_deref() == Some(*code);
            self.not_voting.of([&key, chain_id, code]).set(i64::from(is_reason));
        }
    }

    fn show_chain(&self, chain: &ChainStatus) {
        let chain_id = chain.chain_id.as_str();
        for (family, value) in &self.of_chain {
            set(family, [chain_id], value(chain));
        }
        set_fraction(&self.block_seconds, [chain_id], chain.block_seconds);
        for node in &chain.nodes {
            let labels = [chain_id, node.name.as_str()];
            self.node_up.of(labels).set(i64::from(node.trouble.is_none()));
            set(&self.node_lag, labels, node.lag);
        }
    }
}

/// Nothing committed ahead is a runway of none; before the chain was read there is nothing to tell.
fn runway(shown: &Shown<'_>) -> Option<u64> {
    shown.status.committed_until.map(|_| shown.status.randomness_runway.unwrap_or(0))
}

fn surveyed(chain: &ChainStatus, count: usize) -> Option<u64> {
    u64::try_from(count).ok().filter(|_| !chain.nodes.is_empty())
}

fn height(height: Option<PosHeight>) -> Option<u64> {
    height.map(PosHeight::to_u64)
}

fn set<const N: usize>(family: &GaugeBy<N>, labels: [&str; N], value: Option<u64>) {
    match value {
        Some(value) => family.of(labels).set(i64::try_from(value).unwrap_or(i64::MAX)),
        None => family.remove(labels),
    }
}

fn set_fraction<const N: usize>(family: &FractionBy<N>, labels: [&str; N], value: Option<f64>) {
    match value {
        Some(value) => family.of(labels).set(value),
        None => family.remove(labels),
    }
}

fn by_node() -> Labels<2> {
    [Label::at_most("chain_id", MAX_CHAINS), Label::at_most("node", MAX_NODES)].into()
}
