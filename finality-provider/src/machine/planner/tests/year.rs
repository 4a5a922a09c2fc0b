//! A year of mainnet's pace, in which Bitcoin is slow, checkpoints come late, the daemon is out of order and the account is
//! empty now and then: no height is left without usable randomness.

use super::*;

const SECONDS: u64 = 365 * 24 * 3_600;
const BLOCK: u64 = 10;
const EPOCH: u64 = 360;
const W: usize = 300;
const HOUR: u64 = 3_600;
/// Between two looks of the planner.
const LOOK: u64 = 300;

/// Random numbers that are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    /// Exponentially distributed: the sum of a geometric number of tenths of a second.
    fn wait(&mut self, mean: u64) -> f64 {
        let uniform = f64::from(u32::try_from(self.roll(1 << 30) + 1).unwrap()) / f64::from(1 << 30);
        -uniform.ln() * f64::from(u32::try_from(mean).unwrap())
    }
}

/// When each epoch, from 1 on, is final on Bitcoin.
fn final_times(dice: &mut Dice) -> Vec<u64> {
    let mut blocks = Vec::new();
    let mut now = 0.0;
    while now < f64::from(u32::try_from(SECONDS + 2_000 * HOUR).unwrap()) {
        blocks.push(now);
        // Three weeks in which a quarter of the miners are gone and the difficulty has not followed yet.
        let weeks = now / 604_800.0;
        now += dice.wait(if (20.0..23.0).contains(&weeks) { 800 } else { 600 });
    }
    let mut included = 0;
    let mut times = Vec::new();
    for epoch in 1..=SECONDS / BLOCK / EPOCH {
        let late = if dice.roll(300) == 0 { 24 * HOUR } else { dice.roll(2 * HOUR) };
        let sent = f64::from(u32::try_from(epoch * EPOCH * BLOCK + late).unwrap());
        included = included.max(blocks.partition_point(|time| *time < sent));
        // Seconds of a simulated year, far inside what either type holds exactly.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::as_conversions)]
        times.push(blocks[included + W] as u64);
    }
    times
}

struct Stored {
    start: u64,
    end: u64,
    epoch: u64,
}

/// Looks, counted from the first height with usable randomness, at which the tip had none.
fn uncovered_looks(lead: Lead, seed: u64) -> u64 {
    let mut dice = Dice(seed);
    let final_times = final_times(&mut dice);
    let mut planner = Planner::new(Plan { count: 8_192, lead }, None);
    let mut stored: Vec<Stored> = Vec::new();
    let (mut uncovered, mut has_begun, mut down_until, mut poor_until) = (0, false, 0, 0);
    for now in (0..SECONDS).step_by(usize::try_from(LOOK).unwrap()) {
        let tip = now / BLOCK;
        let last_final = u64::try_from(final_times.partition_point(|time| *time <= now)).unwrap();
        let covering = stored.iter().rfind(|one| one.start <= tip && tip <= one.end);
        let is_covered = covering.is_some_and(|one| last_final > 0 && one.epoch <= last_final);
        has_begun |= is_covered;
        uncovered += u64::from(has_begun && !is_covered);
        // Once in ten days the daemon or its node is away for six hours, once a month the account is empty for twelve.
        if dice.roll(10 * 24 * HOUR / LOOK) == 0 {
            down_until = now + 6 * HOUR;
        }
        if dice.roll(30 * 24 * HOUR / LOOK) == 0 {
            poor_until = now + 12 * HOUR;
        }
        if now < down_until {
            continue;
        }
        let until = stored.last().map_or(0, |last| last.end);
        for Action::Announce(range) in planner.on_event(Event::Observed(seen(tip, 1, 8_192, until))) {
            let taken = |stored: &mut Vec<Stored>| {
                let (start, epoch) = (range.start.to_u64(), tip / EPOCH + 1);
                assert!(start > until, "the chain refuses what overlaps");
                assert!(until == 0 || start == until + 1, "a hole behind {until}: {start}");
                assert!(start < tip + MAX_START_OFFSET, "the chain refuses what is too far ahead");
                stored.push(Stored { start, end: start + range.count - 1, epoch });
            };
            let ending = match dice.roll(20) {
                _ if now < poor_until => Ending::NoFunds("0 ubbn".to_owned()),
                0 => Ending::Refused("odd".to_owned()),
                1 => Ending::Unknown("lost".to_owned()),
                2 => {
                    taken(&mut stored);
                    Ending::Unknown("lost".to_owned())
                }
                _ => {
                    taken(&mut stored);
                    Ending::Accepted
                }
            };
            planner.on_event(Event::Ended(range, ending));
        }
    }
    assert!(has_begun);
    uncovered
}

#[test]
fn in_a_year_with_delays_of_bitcoin_no_height_is_without_usable_randomness() {
    for seed in 1..=4 {
        assert_eq!(uncovered_looks(Lead::Auto, seed), 0, "seed {seed}");
    }
}

#[test]
fn a_lead_that_only_just_suffices_on_a_good_day_leaves_heights_uncovered() {
    assert!(uncovered_looks(Lead::Blocks(DELAYS.usual() - 2_000), 1) > 0);
}
