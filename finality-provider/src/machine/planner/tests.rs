//! The planner against a chain that takes, loses, delays and refuses.

mod year;

use super::*;
use btc_staking_protocol::height::BtcDepth;
use proptest::prelude::*;
use std::num::NonZeroU64;

/// Of mainnet.
const DELAYS: Delays = Delays {
    epoch_interval: NonZeroU64::new(360),
    finalization_timeout: BtcDepth::new(300),
    block_time: Some(Duration::from_secs(10)),
};

fn height(height: u64) -> PosHeight {
    PosHeight::new(height)
}

fn seen(tip: u64, activation: u64, min_count: u64, until: u64) -> Observation {
    Observation {
        tip: height(tip),
        activation: height(activation),
        min_count,
        committed_until: (until > 0).then(|| height(until)),
        delays: DELAYS,
    }
}

fn planned(planner: &mut Planner, observation: Observation) -> Option<(u64, u64)> {
    let actions = planner.on_event(Event::Observed(observation));
    assert!(actions.len() <= 1);
    actions.first().map(|Action::Announce(range)| (range.start.to_u64(), range.count))
}

/// The same chain at several looks in a row, until something is planned.
fn planned_after_looks(planner: &mut Planner, observation: Observation) -> Option<(u64, u64)> {
    (0..TIP_LOOKS).find_map(|_| planned(planner, observation))
}

#[test]
fn a_range_starts_behind_the_last_one_the_tip_and_activation_whichever_is_highest() {
    let plan = Plan { count: 100, lead: Lead::Blocks(50) };
    // (tip, activation, min, committed until) -> (start, count)
    let table = [
        (seen(10, 1, 1, 0), Some((11, 100))),
        (seen(10, 500, 1, 0), Some((500, 100))),
        (seen(10, 1, 1, 40), Some((41, 100))),
        (seen(10, 1, 1, 59), Some((60, 100))),
        (seen(10, 1, 1, 60), None),
        (seen(10, 1, 200, 0), Some((11, 200))),
        (seen(90, 1, 1, 40), Some((91, 100))),
        (seen(10, 160_009, 1, 0), Some((160_009, 100))),
    ];
    for (observation, expected) in table {
        assert_eq!(
            planned_after_looks(&mut Planner::new(plan, None), observation),
            expected,
            "{observation:?}"
        );
    }
}

#[test]
fn a_hole_is_left_only_when_the_tip_was_seen_beyond_it_three_times_in_a_row() {
    let plan = Plan { count: 100, lead: Lead::Blocks(50) };
    // (tips of looks in a row, what is planned at the last one)
    let table: [(&[u64], Option<u64>); 8] = [
        (&[1_000], None),
        (&[1_000, 1_000], None),
        (&[1_000, 1_000, 1_000], Some(1_001)),
        (&[1_000, 1_010, 1_020], Some(1_021)),
        (&[1_000, 20, 1_000, 1_000], None),
        (&[1_000, 1_000, 999], None),
        (&[1_000, 1_000, 90_000], None),
        (&[1_000, 90_000, 90_000, 90_000], Some(90_001)),
    ];
    for (tips, start) in table {
        for until in [0, 70] {
            let mut planner = Planner::new(plan, None);
            let (last, before) = tips.split_last().unwrap();
            for tip in before {
                assert_eq!(planned(&mut planner, seen(*tip, 1, 1, until)), None, "{tips:?}");
            }
            let expected = start.map(|start| (start, 100));
            assert_eq!(planned(&mut planner, seen(*last, 1, 1, until)), expected, "{tips:?}");
            let waits = matches!(planner.obstacle(), Some(Obstacle::TipNotConfirmed(_)));
            assert_eq!(waits, start.is_none(), "{tips:?}");
        }
    }
    // Without a hole nothing is waited for.
    assert_eq!(planned(&mut Planner::new(plan, None), seen(40, 1, 1, 40)), Some((41, 100)));
}

#[test]
fn what_cannot_be_committed_is_said_instead() {
    let plan = Plan { count: 100, lead: Lead::Blocks(50) };
    let mut planner = Planner::new(plan, None);
    assert_eq!(planned(&mut planner, seen(10, 160_010, 1, 0)), None);
    let too_far = Obstacle::ActivationTooFar { activation: 160_010, earliest: 11 };
    assert_eq!(planner.obstacle(), Some(&too_far));
    assert_eq!(planned(&mut planner, seen(11, 160_010, 1, 0)), Some((160_010, 100)));
    let mut planner = Planner::new(plan, None);
    assert_eq!(planned_after_looks(&mut planner, seen(10, 1, MAX_COUNT + 1, 0)), None);
    assert_eq!(planner.obstacle(), Some(&Obstacle::MinimumTooLarge(MAX_COUNT + 1)));
}

#[test]
fn a_lost_announcement_is_repeated_with_identical_bounds_also_after_a_restart() {
    let plan = Plan { count: 100, lead: Lead::Blocks(50) };
    let mut planner = Planner::new(plan, None);
    let first = planned_after_looks(&mut planner, seen(10, 1, 1, 0)).unwrap();
    assert_eq!(planned(&mut planner, seen(12, 1, 1, 0)), None, "it is on its way");
    let range = Range { start: height(first.0), count: first.1 };
    planner.on_event(Event::Ended(range, Ending::Unknown("timed out".to_owned())));
    assert!(matches!(planner.obstacle(), Some(Obstacle::Unknown(_))));
    assert_eq!(planned(&mut planner, seen(40, 1, 1, 0)), Some(first));
    // Configured differently and started again: still the announced bounds first.
    let mut restarted = Planner::new(Plan { count: 7, lead: Lead::Blocks(50) }, Some(range));
    assert_eq!(planned(&mut restarted, seen(41, 1, 1, 0)), Some(first));
    // Unless the chain shows it.
    let mut restarted = Planner::new(Plan { count: 7, lead: Lead::Blocks(100) }, Some(range));
    assert_eq!(planned(&mut restarted, seen(41, 1, 1, 110)), Some((111, 7)));
}

#[test]
fn a_taken_announcement_waits_for_the_node_to_show_it() {
    let plan = Plan { count: 100, lead: Lead::Blocks(50) };
    let mut planner = Planner::new(plan, None);
    let (start, count) = planned_after_looks(&mut planner, seen(10, 1, 1, 0)).unwrap();
    planner.on_event(Event::Ended(Range { start: height(start), count }, Ending::Accepted));
    for _ in 0..5 {
        assert_eq!(
            planned(&mut planner, seen(10, 1, 1, 0)),
            None,
            "a lagging node does not cause a second one"
        );
    }
    assert_eq!(planned(&mut planner, seen(11, 1, 1, 110)), None);
    assert_eq!(planner.runway(), Some(99));
    assert_eq!(planned(&mut planner, seen(61, 1, 1, 110)), Some((111, 100)));
}

#[test]
fn refused_bounds_are_planned_anew() {
    let mut planner = Planner::new(Plan { count: 100, lead: Lead::Blocks(50) }, None);
    let (start, count) = planned_after_looks(&mut planner, seen(10, 1, 1, 0)).unwrap();
    let refused = Ending::Refused("too few".to_owned());
    planner.on_event(Event::Ended(Range { start: height(start), count }, refused));
    assert!(matches!(planner.obstacle(), Some(Obstacle::Refused(_))));
    assert_eq!(planned(&mut planner, seen(12, 1, 300, 0)), Some((13, 300)), "the tip is known by now");
}

/// A chain that keeps commitments by its own rules (`crypto.md` 6.4).
struct Chain {
    tip: u64,
    activation: u64,
    min: u64,
    ranges: Vec<Range>,
}

impl Chain {
    fn until(&self) -> u64 {
        self.ranges.last().map_or(0, |range| range.start.to_u64() + range.count - 1)
    }
    fn take(&mut self, range: Range) -> Result<(), &'static str> {
        let start = range.start.to_u64();
        match () {
            () if start >= self.tip + MAX_START_OFFSET => Err("too far ahead"),
            () if start < self.activation => Err("before activation"),
            () if range.count < self.min => Err("too few"),
            () if start <= self.until() => Err("overlap"),
            () => {
                self.ranges.push(range);
                Ok(())
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Turn {
    /// The chain grows and the announcement, if any, is taken.
    Taken(u64),
    /// Taken, but the answer is lost.
    AnswerLost(u64),
    /// It never arrives.
    Lost(u64),
    /// The program starts again.
    Restart(u64),
    /// The minimum is raised by governance.
    RaiseMinimum(u64),
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        4 => (0..60_u64).prop_map(Turn::Taken),
        1 => (0..60_u64).prop_map(Turn::AnswerLost),
        1 => (0..60_u64).prop_map(Turn::Lost),
        1 => (1..300_u64).prop_map(Turn::Restart),
        1 => (1..400_u64).prop_map(Turn::RaiseMinimum),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_hole_is_ever_left_ahead_and_nothing_the_chain_refuses_is_sent(
        activation in 1..170_000_u64, min in 1..300_u64, count in 1..300_u64, lead in 1..500_u64,
        turns in proptest::collection::vec(turn(), 1..60),
    ) {
        let mut chain = Chain { tip: 1, activation, min, ranges: Vec::new() };
        let mut planner = Planner::new(Plan { count, lead: Lead::Blocks(lead) }, None);
        let mut announced = None;
        for turn in turns {
            let observation = seen(chain.tip, chain.activation, chain.min, chain.until());
            let known_until = chain.until();
            for Action::Announce(range) in planner.on_event(Event::Observed(observation)) {
                prop_assert!(range.count <= MAX_COUNT);
                if announced != Some(range) {
                    let expected = (known_until + 1).max(chain.tip + 1).max(activation);
                    prop_assert_eq!(range.start.to_u64(), expected, "no hole, no overlap");
                    prop_assert!(range.count >= chain.min && range.start.to_u64() < chain.tip + MAX_START_OFFSET);
                }
                announced = Some(range);
                let ending = match turn {
                    Turn::Taken(_) | Turn::Restart(_) | Turn::RaiseMinimum(_) => match chain.take(range) {
                        Ok(()) => Ending::Accepted,
                        Err(reason) => {
                            prop_assert_eq!(reason, "too few", "only a raised minimum refuses a repeated range");
                            Ending::Refused(reason.to_owned())
                        }
                    },
                    Turn::AnswerLost(_) => {
                        let _ = chain.take(range);
                        Ending::Unknown("lost".to_owned())
                    }
                    Turn::Lost(_) => Ending::Unknown("lost".to_owned()),
                };
                planner.on_event(Event::Ended(range, ending));
            }
            match turn {
                Turn::Taken(blocks) | Turn::AnswerLost(blocks) | Turn::Lost(blocks) => chain.tip += blocks,
                Turn::Restart(count) => planner = Planner::new(Plan { count, lead: Lead::Blocks(lead) }, announced),
                Turn::RaiseMinimum(to) => chain.min = chain.min.max(to),
            }
        }
    }

    #[test]
    fn once_the_chain_answers_the_lead_is_covered(
        tip in 1..1_000_000_u64, until in 0..1_000_000_u64, count in 1..5_000_u64, lead in 1..20_000_u64,
    ) {
        let mut chain = Chain { tip, activation: 1, min: 1, ranges: Vec::new() };
        if until > 0 {
            chain.ranges.push(Range { start: height(until), count: 1 });
        }
        prop_assume!(until < tip + 100_000);
        let mut planner = Planner::new(Plan { count, lead: Lead::Blocks(lead) }, None);
        let looks = lead / count + 3 + u64::from(TIP_LOOKS);
        for _ in 0..looks {
            let observation = seen(chain.tip, 1, 1, chain.until());
            for Action::Announce(range) in planner.on_event(Event::Observed(observation)) {
                chain.take(range).unwrap();
                planner.on_event(Event::Ended(range, Ending::Accepted));
            }
        }
        prop_assert!(chain.until() >= tip + lead);
    }
}

#[test]
fn what_is_left_is_told_in_blocks_and_time_and_is_short_before_it_is_too_late() {
    let (needed, ahead) = (DELAYS.usual(), DELAYS.with_reserve());
    let mut planner = Planner::new(Plan { count: 8_192, lead: Lead::Auto }, None);
    assert_eq!((planner.outlook(), planner.runway_time()), (Outlook::Unknown, None));
    // (committed until, what is left, outlook, whether something is planned)
    let short = |runway| Outlook::Short { runway, needed };
    let table = [
        (1_000 + ahead, Some(ahead), Outlook::Ample, false),
        (1_000 + ahead - 1, Some(ahead - 1), Outlook::Ample, true),
        (1_000 + needed, Some(needed), Outlook::Ample, true),
        (1_000 + needed - 1, Some(needed - 1), short(needed - 1), true),
        (1_000, None, short(0), true),
    ];
    for (until, runway, outlook, plans) in table {
        let mut planner = Planner::new(Plan { count: 8_192, lead: Lead::Auto }, None);
        let planned = planned(&mut planner, seen(1_000, 1, 1, until)).is_some();
        assert_eq!((planner.runway(), planner.outlook(), planned), (runway, outlook, plans), "{until}");
        let time = runway.map(|blocks| Duration::from_secs(blocks * 10));
        assert_eq!(planner.runway_time(), time, "{until}");
    }
    planned(&mut planner, seen(1_000, 1, 1, 2_000)).unwrap();
    let range = Range { start: height(2_001), count: 8_192 };
    planner.on_event(Event::Ended(range, Ending::NoFunds("0 ubbn, 20 are needed".to_owned())));
    assert!(planner.obstacle().unwrap().to_string().contains("send it coins: 0 ubbn"));
    assert!(planned(&mut planner, seen(1_000, 1, 1, 2_000)).is_some(), "it is tried again");
}
