//! What is known about one node, and how far it may be used: pure, so that every case can be tested.
//!
//! | finding | consequence |
//! |---|---|
//! | another chain id, a height that went back, a block that was replaced | a typed error, used no more until it is right again |
//! | far ahead of where the others, or it itself, can be | the same |
//! | still syncing | no answer about state counts; a "no" of such a node would only mean "not yet" |
//! | behind the others, or its last block is old | used only when no better node answers |
//! | silent, or an answer that is none | used last, and only after it named its chain again |

use super::{NodeStatus, RpcError};
use std::time::{Duration, Instant};

/// When a node counts as worse than others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthPolicy {
    /// Blocks a node may be behind the others.
    pub max_lag: u64,
    /// How old the last block may be by our clock. A chain that stands still makes every node old, which changes nothing.
    pub max_block_age: Duration,
    /// After how long a node is asked again how it is.
    pub recheck: Duration,
    /// Blocks a node's height may step back between two answers without being set aside: an address may stand for
    /// several machines. What is read through it never steps back all the same.
    pub tolerated_step_back: u64,
}

impl Default for HealthPolicy {
    fn default() -> Self {
        Self {
            max_lag: 5,
            max_block_age: Duration::from_secs(300),
            recheck: Duration::from_secs(10),
            tolerated_step_back: 2,
        }
    }
}

/// How long a silent node is left alone: after one silence a moment, since nodes fail now and then and an agreement needs
/// them; twice as long after each further one in a row.
const FIRST_REST: Duration = Duration::from_millis(250);
const REST: Duration = Duration::from_secs(30);

/// Blocks no chain makes between two looks at a node. A height told out of the blue would otherwise make every honest
/// answer look old for ever after.
const MAX_LEAP: u64 = 1_000;
/// Blocks a chain may make in a second beyond that, for a look after a long time.
const MOST_PER_SECOND: u64 = 10;

/// A height that was believed, and when by our clock, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    height: u64,
    clock: u64,
}

impl Mark {
    /// The highest tip a chain can have that was here then.
    fn bound(self, clock: u64) -> u64 {
        let made = clock.saturating_sub(self.clock).saturating_mul(MOST_PER_SECOND);
        self.height.saturating_add(made).saturating_add(MAX_LEAP)
    }

    /// Refuses a height beyond that.
    fn check(self, told: u64, clock: u64) -> Result<(), RpcError> {
        if told > self.bound(clock) { Err(RpcError::Leap { known: self.height, told }) } else { Ok(()) }
    }
}

/// What a node says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) status: NodeStatus,
    /// Hash of its latest block, as text; empty when it tells none.
    pub(super) block_hash: String,
    /// Time of its latest block in seconds since 1970, if it tells one.
    pub(super) block_time: Option<u64>,
    /// Whether it keeps an index of transactions; taken to be so unless it says otherwise.
    pub(super) has_index: bool,
}

/// Order of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// At the tip.
    Good,
    /// Behind the others or without fresh blocks.
    Behind,
    /// Still syncing.
    Syncing,
    /// Silent, faulty, or never asked.
    Unusable,
}

/// What is known about one node.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// When it last told a status that was believed.
    checked: Option<Instant>,
    /// The highest block it told and the block's hash.
    highest: u64,
    highest_hash: String,
    /// Height of its last status.
    tip: u64,
    /// Its last tip that was believed, and where the others were when all were last compared.
    own: Option<Mark>,
    others: Option<Mark>,
    catching_up: bool,
    is_behind: bool,
    is_old: bool,
    lacks_index: bool,
    /// Why it must be asked for its status before it is used again.
    trouble: Option<RpcError>,
    /// When it last gave no answer at all.
    silent: Option<Instant>,
    /// Silences in a row.
    silences: u32,
    /// Set once a block was replaced: a person must look, so it lasts as long as the process.
    rewritten: Option<u64>,
}

impl Standing {
    /// Takes a status in, or refuses it with what is wrong. `clock` is the time in seconds since 1970.
    pub(super) fn judge(
        &mut self,
        report: &Report,
        chain: Option<&str>,
        policy: &HealthPolicy,
        (now, clock): (Instant, u64),
    ) -> Result<(), RpcError> {
        match self.find_fault(report, chain, policy, clock) {
            Some(fault) => {
                self.trouble = Some(fault.clone());
                Err(fault)
            }
            None => {
                self.accept(report, policy, now, clock);
                Ok(())
            }
        }
    }

    fn find_fault(
        &mut self,
        report: &Report,
        chain: Option<&str>,
        policy: &HealthPolicy,
        clock: u64,
    ) -> Option<RpcError> {
        let found = &report.status.network;
        if let Some(expected) = chain.filter(|expected| expected != found) {
            return Some(RpcError::WrongChain { expected: expected.to_owned(), found: found.clone() });
        }
        let height = report.status.latest_height;
        let marks = [self.own, self.others].into_iter().flatten();
        let nearest = marks.min_by_key(|mark| mark.bound(clock));
        if let Some(leap) = nearest.and_then(|mark| mark.check(height, clock).err()) {
            return Some(leap);
        }
        let is_other_block = height == self.highest
            && !self.highest_hash.is_empty()
            && !report.block_hash.is_empty()
            && !self.highest_hash.eq_ignore_ascii_case(&report.block_hash);
        if is_other_block {
            self.rewritten = Some(height);
        }
        if let Some(height) = self.rewritten {
            return Some(RpcError::Rewritten { height });
        }
        let is_back = height.saturating_add(policy.tolerated_step_back) < self.highest;
        is_back.then_some(RpcError::WentBack { from: self.highest, to: height })
    }

    fn accept(&mut self, report: &Report, policy: &HealthPolicy, now: Instant, clock: u64) {
        let height = report.status.latest_height;
        if height > self.highest || self.highest_hash.is_empty() {
            self.highest = height;
            self.highest_hash.clone_from(&report.block_hash);
        }
        self.tip = height;
        self.own = Some(Mark { height: self.highest, clock });
        self.catching_up = report.status.catching_up;
        self.lacks_index = !report.has_index;
        let age = report.block_time.map(|time| clock.saturating_sub(time));
        self.is_old = age.is_some_and(|age| age > policy.max_block_age.as_secs());
        self.checked = Some(now);
        self.trouble = None;
        self.silent = None;
        self.silences = 0;
    }

    /// Notes that a call failed. A refusal is no failure.
    pub(super) fn note_trouble(&mut self, error: RpcError, now: Instant) {
        self.silent = matches!(error, RpcError::Unreachable(_)).then_some(now);
        self.silences = if self.silent.is_some() { self.silences.saturating_add(1) } else { 0 };
        self.trouble = Some(error);
    }

    /// Whether it gave no answer a moment ago: then nobody waits for its status while others are at hand.
    pub(super) fn is_resting(&self, now: Instant) -> bool {
        let doublings = self.silences.saturating_sub(1).min(16);
        let rest = FIRST_REST.saturating_mul(1 << doublings).min(REST);
        self.silent.is_some_and(|at| now.saturating_duration_since(at) < rest)
    }

    /// Notes how far the node is behind the others, or sets it aside where it is far ahead of all that are at the tip:
    /// then what it told is forgotten, so that it may tell the truth later. `clock` is the time in seconds since 1970.
    pub(super) fn note_reference(
        &mut self,
        reference: u64,
        policy: &HealthPolicy,
        clock: u64,
    ) -> Result<(), RpcError> {
        self.is_behind = self.tip.saturating_add(policy.max_lag) < reference;
        if reference == 0 {
            return Ok(());
        }
        let others = Mark { height: reference, clock };
        self.others = Some(others);
        others.check(self.tip, clock).inspect_err(|fault| {
            self.highest = 0;
            self.highest_hash.clear();
            self.tip = 0;
            self.own = None;
            self.trouble = Some(fault.clone());
        })
    }

    /// Refuses an answer about a height that lies far beyond the tip the node told.
    pub(super) fn check_answered(&self, height: u64) -> Result<(), RpcError> {
        Mark { height: self.tip, clock: 0 }.check(height, 0)
    }

    /// Its tip as something others can be compared with.
    pub(super) fn comparable_tip(&self) -> Option<u64> {
        self.usable_tip().filter(|_| !self.is_old)
    }

    /// Whether it must be asked how it is before it is used.
    pub(super) fn needs_check(&self, policy: &HealthPolicy, now: Instant) -> bool {
        let fresh = self.checked.is_some_and(|at| now.saturating_duration_since(at) < policy.recheck);
        !fresh || self.trouble.is_some() || self.catching_up
    }

    /// Whether it can tell what became of a transaction, as far as is known.
    pub(super) fn has_index(&self) -> bool {
        !self.lacks_index
    }

    /// Notes that it turned out to keep no index of transactions.
    pub(super) fn note_no_index(&mut self) {
        self.lacks_index = true;
    }

    /// Whether it is still syncing.
    pub(super) fn is_catching_up(&self) -> bool {
        self.catching_up
    }

    /// The tip it told, if it may be used for state.
    pub(super) fn usable_tip(&self) -> Option<u64> {
        (self.checked.is_some() && self.trouble.is_none() && !self.catching_up).then_some(self.tip)
    }

    /// Where it stands in the order of use.
    pub(super) fn rank(&self) -> Rank {
        match () {
            () if self.checked.is_none() || self.trouble.is_some() => Rank::Unusable,
            () if self.catching_up => Rank::Syncing,
            () if self.is_behind || self.is_old => Rank::Behind,
            () => Rank::Good,
        }
    }
}

/// The height others are compared with: the higher one of two, the middle one of more, so that a single node that tells
/// a height out of the blue does not make all others look slow.
pub(super) fn reference_height(mut tips: Vec<u64>) -> u64 {
    tips.sort_unstable_by(|a, b| b.cmp(a));
    let index = if tips.len() < 3 { 0 } else { tips.len().saturating_sub(1) / 2 };
    tips.get(index).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: u64 = 1_000_000;

    fn report(network: &str, height: u64, hash: &str) -> Report {
        Report {
            status: NodeStatus { network: network.into(), latest_height: height, catching_up: false },
            block_hash: hash.into(),
            block_time: Some(CLOCK),
            has_index: true,
        }
    }
    fn judge(standing: &mut Standing, report: &Report) -> Result<(), RpcError> {
        standing.judge(report, Some("c"), &HealthPolicy::default(), (Instant::now(), CLOCK))
    }

    #[test]
    fn a_node_of_another_chain_is_used_once_it_names_ours() {
        let mut standing = Standing::default();
        assert_eq!(standing.rank(), Rank::Unusable);
        let wrong = RpcError::WrongChain { expected: "c".into(), found: "d".into() };
        assert_eq!(judge(&mut standing, &report("d", 5, "A")), Err(wrong));
        assert_eq!((standing.rank(), standing.usable_tip()), (Rank::Unusable, None));
        assert_eq!(judge(&mut standing, &report("c", 5, "A")), Ok(()));
        assert_eq!((standing.rank(), standing.usable_tip()), (Rank::Good, Some(5)));
    }

    #[test]
    fn a_height_that_went_back_is_refused_until_it_is_reached_again() {
        let mut standing = Standing::default();
        judge(&mut standing, &report("c", 100, "A")).unwrap();
        // A step another machine behind the same address may explain.
        judge(&mut standing, &report("c", 98, "Z")).unwrap();
        let back = RpcError::WentBack { from: 100, to: 97 };
        assert_eq!(judge(&mut standing, &report("c", 97, "Y")), Err(back));
        assert_eq!(standing.rank(), Rank::Unusable);
        judge(&mut standing, &report("c", 101, "B")).unwrap();
        assert_eq!(standing.rank(), Rank::Good);
    }

    #[test]
    fn a_replaced_block_is_never_forgotten() {
        let mut standing = Standing::default();
        judge(&mut standing, &report("c", 100, "A")).unwrap();
        judge(&mut standing, &report("c", 100, "a")).unwrap();
        let rewritten = Err(RpcError::Rewritten { height: 100 });
        assert_eq!(judge(&mut standing, &report("c", 100, "B")), rewritten);
        assert_eq!(judge(&mut standing, &report("c", 101, "C")), rewritten);
    }

    #[test]
    fn what_lags_syncs_or_stands_still_comes_after_what_does_not() {
        let policy = HealthPolicy::default();
        let mut standing = Standing::default();
        judge(&mut standing, &report("c", 100, "A")).unwrap();
        standing.note_reference(105, &policy, CLOCK).unwrap();
        assert_eq!(standing.rank(), Rank::Good);
        standing.note_reference(106, &policy, CLOCK).unwrap();
        assert_eq!(standing.rank(), Rank::Behind);
        standing.note_reference(100, &policy, CLOCK).unwrap();
        let old = Report { block_time: Some(CLOCK - 301), ..report("c", 100, "A") };
        judge(&mut standing, &old).unwrap();
        assert_eq!(standing.rank(), Rank::Behind);
        let mut syncing = report("c", 100, "A");
        syncing.status.catching_up = true;
        judge(&mut standing, &syncing).unwrap();
        assert_eq!((standing.rank(), standing.usable_tip()), (Rank::Syncing, None));
        assert!(standing.needs_check(&policy, Instant::now()));
    }

    #[test]
    fn a_height_out_of_the_blue_is_refused() {
        let mut standing = Standing::default();
        judge(&mut standing, &report("c", 5_000, "A")).unwrap();
        assert_eq!(standing.check_answered(6_000), Ok(()));
        let leap = Err(RpcError::Leap { known: 5_000, told: 6_001 });
        assert_eq!(standing.check_answered(6_001), leap);
        let policy = HealthPolicy::default();
        // Nobody to be compared with.
        assert_eq!(standing.note_reference(0, &policy, CLOCK), Ok(()));
        assert_eq!(standing.note_reference(4_000, &policy, CLOCK), Ok(()));
        let leap = Err(RpcError::Leap { known: 3_999, told: 5_000 });
        assert_eq!(standing.note_reference(3_999, &policy, CLOCK), leap);
        assert_eq!(standing.rank(), Rank::Unusable);
    }

    #[test]
    fn a_tip_no_chain_can_have_reached_since_the_last_look_is_refused_and_soon_forgiven() {
        let policy = HealthPolicy::default();
        let mut standing = Standing::default();
        let look = |standing: &mut Standing, height, seconds| {
            let report = report("c", height, &format!("{height}"));
            standing.judge(&report, Some("c"), &policy, (Instant::now(), CLOCK + seconds))
        };
        look(&mut standing, 5_000, 0).unwrap();
        let leap = Err(RpcError::Leap { known: 5_000, told: 1 << 62 });
        assert_eq!(look(&mut standing, 1 << 62, 10), leap);
        assert_eq!(standing.rank(), Rank::Unusable);
        look(&mut standing, 5_001, 20).unwrap();
        // A day without a look, as of a sleeping machine.
        look(&mut standing, 15_000, 86_400).unwrap();
        // Where the others are binds it too, however far it crept ahead itself.
        standing.note_reference(15_000, &policy, CLOCK + 86_400).unwrap();
        look(&mut standing, 16_000, 86_400).unwrap();
        let leap = Err(RpcError::Leap { known: 15_000, told: 16_001 });
        assert_eq!(look(&mut standing, 16_001, 86_400), leap);
    }

    #[test]
    fn trouble_and_time_call_for_another_look() {
        let policy = HealthPolicy::default();
        let mut standing = Standing::default();
        let now = Instant::now();
        assert!(standing.needs_check(&policy, now));
        standing.judge(&report("c", 1, "A"), None, &policy, (now, CLOCK)).unwrap();
        assert!(!standing.needs_check(&policy, now));
        assert!(standing.needs_check(&policy, now + policy.recheck));
        standing.note_trouble(RpcError::Unreachable("gone".into()), now);
        assert!(standing.needs_check(&policy, now));
        assert_eq!(standing.rank(), Rank::Unusable);
        let rests = |standing: &Standing, rest| {
            standing.is_resting(now + rest - Duration::from_millis(1)) && !standing.is_resting(now + rest)
        };
        assert!(rests(&standing, FIRST_REST));
        for silences in 2..20 {
            standing.note_trouble(RpcError::Unreachable("gone".into()), now);
            assert!(rests(&standing, (FIRST_REST * (1 << (silences - 1))).min(REST)), "{silences}");
        }
        standing.judge(&report("c", 1, "A"), None, &policy, (now, CLOCK)).unwrap();
        standing.note_trouble(RpcError::Unreachable("gone".into()), now);
        assert!(rests(&standing, FIRST_REST), "an answer in between counts");
        // One that answers wrongly is no silent one.
        standing.note_trouble(RpcError::Malformed("what".into()), now);
        assert!(!standing.is_resting(now));
    }

    #[test]
    fn one_node_alone_does_not_set_the_height_of_three() {
        let table: [(&[u64], u64); 5] =
            [(&[], 0), (&[7], 7), (&[7, 9], 9), (&[7, 9, u64::MAX], 9), (&[6, 7, 9, u64::MAX], 9)];
        for (tips, expected) in table {
            assert_eq!(reference_height(tips.to_vec()), expected, "{tips:?}");
        }
    }
}
