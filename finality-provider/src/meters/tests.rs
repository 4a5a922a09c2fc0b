mod files;

use super::*;
use crate::status::{
    Report, Standing,
    testing::{self, KEY, subject},
};
use btc_staking_daemon::clock::ManualClock;
use btc_staking_protocol::height::PosHeight;
use std::collections::BTreeMap;

struct Rig {
    metrics: Metrics,
    board: Board,
    meters: ProviderMeters,
    clock: Arc<ManualClock>,
}

fn rig() -> Rig {
    let (metrics, board) = (Metrics::new("fp"), testing::board());
    let clock = Arc::new(ManualClock::at(Duration::from_secs(testing::report().at)));
    let meters = Meters::register(&metrics, board.clone(), Arc::<ManualClock>::clone(&clock)).unwrap();
    Rig { metrics, board, meters: meters.provider(&subject()), clock }
}

impl Rig {
    fn series(&self) -> BTreeMap<String, String> {
        let text = self.metrics.render().unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.rsplit_once(' ').unwrap()).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
    }

    fn value(&self, name: &str) -> Option<String> {
        self.series().remove(&format!("{name}{{chain_id=\"bbn-1\",fp_btc_pk_hex=\"{KEY}\"}}"))
    }
}

/// Names of families, without those of a histogram's parts.
fn families(text: &str) -> Vec<&str> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    lines.filter_map(|line| line.split(' ').next()).collect()
}

/// The family of a series; those of a histogram end with what they tell of it.
fn family_of(series: &str) -> &str {
    let name = series.split('{').next().unwrap_or_default();
    let parts = ["_bucket", "_sum", "_count"];
    let of_histogram = |name: &&str| name.ends_with("_seconds");
    parts.iter().find_map(|part| name.strip_suffix(part).filter(of_histogram)).unwrap_or(name)
}

#[test]
fn every_metric_is_moved_by_what_it_is_about() {
    let rig = rig();
    let before = rig.series();
    rig.clock.advance(Duration::from_secs(60));
    rig.meters.vote_stored();
    rig.meters.vote_failed();
    rig.meters.double_sign_refused();
    rig.meters.powerless(2);
    rig.meters.committed(50_000);
    rig.meters.commitment_failed();
    rig.meters.vote_handed_over(Duration::from_millis(30));
    let up = |height: &mut Option<PosHeight>| *height = height.map(|height| height.next().next());
    rig.board.update(&subject(), |status| {
        status.voting = false;
        status.reason_code = Some("jailed".to_owned());
        status.standing = Standing::Jailed;
        status.queued_heights = 3;
        status.randomness_runway = Some(100);
        status.randomness_needed = Some(7_080);
        status.commitment_lag_epochs = Some(0);
        let presence = status.presence.as_mut().unwrap();
        (presence.missed, presence.window) = (5_001, 9_000);
        for height in [
            &mut status.last_voted_height,
            &mut status.settled_below,
            &mut status.committed_until,
            &mut status.usable_until,
        ] {
            up(height);
        }
        status.chain_height = Some(PosHeight::new(1_235_000));
    });
    rig.board.update_chain(&subject(), |chain| {
        chain.balance = Some(7);
        chain.commitments_affordable = Some(0);
        chain.block_seconds = Some(9.5);
        chain.nodes_required = 1;
        for height in [&mut chain.height, &mut chain.last_polled_height, &mut chain.first_height] {
            up(height);
        }
        chain.nodes[0].trouble = Some("no answer".to_owned());
        chain.nodes[1].lag = Some(9);
        let more = chain.nodes[2].clone();
        chain.nodes.push(more);
    });
    let after = rig.series();
    let text = rig.metrics.render().unwrap();
    for family in families(&text) {
        // What the program is does not move.
        if family == "fp_version_info" {
            continue;
        }
        let of_family = |all: &BTreeMap<String, String>| {
            let mut all = all.clone();
            all.retain(|name, _| family_of(name) == family);
            all
        };
        assert_ne!(of_family(&before), of_family(&after), "nothing moves {family}");
        assert!(!of_family(&after).is_empty(), "{family} has no series");
    }
    for (name, value) in [
        ("fp_status", "4"),
        ("fp_total_blocks_without_voting_power", "2"),
        ("fp_seconds_since_last_vote", "64"),
        ("fp_blocks_before_jail", "0"),
        ("fp_randomness_runway_hours", "0.2638888888888889"),
        ("fp_vote_latency_seconds_count", "1"),
    ] {
        assert_eq!(rig.value(name).as_deref(), Some(value), "{name}");
    }
    let jailed = format!("fp_not_voting{{chain_id=\"bbn-1\",fp_btc_pk_hex=\"{KEY}\",reason=\"jailed\"}}");
    assert_eq!((before[&jailed].as_str(), after[&jailed].as_str()), ("0", "1"));
}

#[test]
fn the_names_of_the_go_daemon_are_there() {
    let text = rig().metrics.render().unwrap();
    let families = families(&text);
    // `fp_voted_height` had a series for every height; `fp_last_voted_height` tells the same in one.
    for name in [
        "fp_status",
        "fp_seconds_since_last_vote",
        "fp_seconds_since_last_randomness",
        "fp_last_voted_height",
        "fp_last_processed_height",
        "fp_last_committed_randomness_height",
        "babylon_tip_height",
        "last_polled_height",
        "poller_starting_height",
        "fp_version_info",
        "fp_total_blocks_without_voting_power",
        "fp_total_voted_blocks",
        "fp_total_committed_randomness",
        "fp_total_failed_votes",
        "fp_total_failed_randomness",
    ] {
        assert!(families.contains(&name), "{name}");
    }
}

#[test]
fn ages_are_as_of_the_scrape_and_what_is_not_known_has_no_series() {
    let rig = rig();
    assert_eq!(rig.value("fp_seconds_since_last_vote").as_deref(), Some("4"));
    rig.clock.advance(Duration::from_secs(300));
    assert_eq!(rig.value("fp_seconds_since_last_vote").as_deref(), Some("304"));
    rig.board.add(&subject());
    for name in ["fp_seconds_since_last_vote", "fp_status", "fp_randomness_runway_blocks", "fp_missed_blocks"]
    {
        assert_eq!(rig.value(name), None, "{name} of a provider nothing is known of");
    }
    assert_eq!(rig.value("fp_voting").as_deref(), Some("0"));
    rig.board.note_vote(&subject(), 1_700_000_300);
    rig.board.note_vote(&subject(), 1_600_000_000);
    assert_eq!(rig.value("fp_seconds_since_last_vote").as_deref(), Some("4"), "an older vote is none");
}

#[test]
fn a_million_votes_add_no_series() {
    let rig = rig();
    let before: Vec<String> = rig.series().into_keys().collect();
    for height in 1_234_568..=2_234_567_u64 {
        rig.meters.vote_handed_over(Duration::from_millis(height % 700));
        rig.meters.vote_stored();
        if height % 250_000 == 0 {
            rig.board.note_vote(&subject(), height);
            rig.board.update(&subject(), |status| {
                status.chain_height = Some(PosHeight::new(height));
                status.last_voted_height = Some(PosHeight::new(height));
            });
            assert_eq!(rig.series().into_keys().collect::<Vec<_>>(), before);
        }
    }
    assert_eq!(rig.value("fp_total_voted_blocks").as_deref(), Some("1000000"));
    assert_eq!(rig.series().into_keys().collect::<Vec<_>>(), before);
}

#[test]
fn status_and_metrics_tell_the_same() {
    let rig = rig();
    let report: Report = rig.board.report(0);
    let voted = report.providers[0].last_voted_height.unwrap().to_u64().to_string();
    assert_eq!(rig.value("fp_last_voted_height"), Some(voted));
}
