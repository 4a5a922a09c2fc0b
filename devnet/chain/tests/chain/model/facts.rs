//! What the chain was told, and what follows from it: the rules once more, in the plainest form, without events, indexes
//! or caches. Everything is computed anew from the facts whenever it is asked for.

use bitcoin::BlockHash;
use std::collections::{BTreeMap, BTreeSet};

/// `k`, `w`, the unbonding time and the quorum of the model's chain.
pub const K: u32 = 3;
pub const W: u32 = 4;
pub const UNBONDING: u32 = 5;
pub const QUORUM: usize = 3;
/// Babylon blocks of an epoch, and active finality providers at most.
pub const EPOCH: u64 = 3;
pub const MAX_ACTIVE: usize = 2;
/// Seconds in jail; a block takes one.
pub const JAIL: u64 = 5;
/// The window of liveness, how many of its heights may be missed (half of 7, rounded to 4, must be signed), and how many
/// blocks a vote may take.
pub const LIVENESS: u64 = 7;
const MISSABLE: usize = 3;
pub const VOTE_TIMEOUT: u64 = 2;

/// Where a transaction was on Bitcoin when its proof was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub height: u32,
    pub block: BlockHash,
}

/// What a message says, as far as the rules care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The main chain from a height on is this.
    Headers {
        from: u32,
        blocks: Vec<BlockHash>,
    },
    Register {
        stake: usize,
        provider: usize,
        sats: u64,
        time: u32,
        proof: Option<Place>,
    },
    Sign {
        stake: usize,
        member: usize,
    },
    Prove {
        stake: usize,
        place: Place,
    },
    Spend {
        stake: usize,
        place: Place,
    },
    Vote {
        provider: usize,
        height: u64,
        fork: bool,
    },
    Unjail {
        provider: usize,
    },
    Show {
        provider: usize,
    },
    Withdraw,
    Nonsense,
}

/// A registered stake.
#[derive(Debug, Clone)]
pub struct Stake {
    pub provider: usize,
    sats: u64,
    time: u32,
    /// Tip when it was registered.
    tip: u32,
    members: BTreeSet<usize>,
    start: Option<u32>,
    unbonded: bool,
    /// The quorum came after the expiry had been dealt with (`chain.md` 9.3).
    late: bool,
}

/// A finality provider.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its key in hex, by which equals are ordered.
    pub key: String,
    /// First and last height of its randomness, and the epoch it was committed in.
    pub randomness: (u64, u64, u64),
    pub slashed_at: Option<u64>,
    /// When it may leave jail, while it is there.
    pub jailed_until: Option<u64>,
    /// First height of its present turn in the active set, and places in the window where it missed.
    start: u64,
    missed: BTreeSet<u64>,
}

impl Provider {
    pub fn new(key: String, randomness: (u64, u64, u64)) -> Self {
        Self { key, randomness, slashed_at: None, jailed_until: None, start: 0, missed: BTreeSet::new() }
    }

    fn is_free(&self) -> bool {
        self.slashed_at.is_none() && self.jailed_until.is_none()
    }
}

/// Everything that was accepted.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Height of the block under way.
    pub height: u64,
    main: Vec<BlockHash>,
    /// Tip at the beginning of the block.
    tip_at_begin: u32,
    pub stakes: BTreeMap<usize, Stake>,
    pub providers: Vec<Provider>,
    pub tables: BTreeMap<u64, BTreeMap<usize, u64>>,
    votes: BTreeMap<u64, BTreeSet<usize>>,
    forks: BTreeSet<(usize, u64)>,
    pub finals: BTreeSet<u64>,
    pub next_final: u64,
    tip_at_end: BTreeMap<u64, u32>,
    last_final_epoch: u64,
    /// Stakes that were spent while they counted.
    pub spent: usize,
}

fn epoch_of(height: u64) -> u64 {
    height.checked_sub(1).map_or(0, |before| before / EPOCH + 1)
}

impl Stake {
    fn has_quorum(&self) -> bool {
        self.members.len() >= QUORUM
    }
    fn is_over(&self, tip: u32) -> bool {
        self.start.is_some_and(|start| tip + UNBONDING >= start + self.time)
    }

    /// `chain.md` 6.2.
    pub fn status(&self, tip: u32) -> &'static str {
        match (self.unbonded, self.has_quorum(), self.start) {
            (true, ..) => "UNBONDED",
            (_, false, _) => "PENDING",
            (_, _, None) => "VERIFIED",
            (_, _, Some(start)) if tip < start => "UNBONDED",
            _ if self.is_over(tip) => "EXPIRED",
            _ => "ACTIVE",
        }
    }

    fn is_open(&self, tip: u32) -> bool {
        !matches!(self.status(tip), "UNBONDED" | "EXPIRED")
    }

    /// Satoshis that count.
    fn power(&self, tip: u32) -> u64 {
        let counts = self.has_quorum() && self.start.is_some() && !self.unbonded;
        if counts && (self.late || !self.is_over(tip)) { self.sats } else { 0 }
    }

    pub fn is_late(&self) -> bool {
        self.late
    }
}

impl Facts {
    pub fn new(base: BlockHash, providers: Vec<Provider>) -> Self {
        Self { main: vec![base], providers, ..Self::default() }
    }

    pub fn tip(&self) -> u32 {
        u32::try_from(self.main.len()).unwrap() - 1
    }

    /// Sum of the stakes of a provider that count.
    pub fn sats(&self, provider: usize) -> u64 {
        let tip = self.tip();
        self.stakes.values().filter(|stake| stake.provider == provider).map(|stake| stake.power(tip)).sum()
    }

    /// The power table of the next block, from the facts of those before.
    fn table(&self) -> BTreeMap<usize, u64> {
        let height = self.height;
        let may_vote = |provider: &Provider| {
            let (first, last, epoch) = provider.randomness;
            let usable = self.last_final_epoch > 0 && epoch <= self.last_final_epoch;
            provider.is_free() && usable && (first..=last).contains(&height)
        };
        let able = self.providers.iter().enumerate().filter(|(_, provider)| may_vote(provider));
        let mut ranked: Vec<_> = able
            .map(|(number, provider)| (std::cmp::Reverse(self.sats(number)), &provider.key, number))
            .filter(|(sats, ..)| sats.0 > 0)
            .collect();
        ranked.sort();
        ranked.into_iter().take(MAX_ACTIVE).map(|(sats, _, number)| (number, sats.0)).collect()
    }

    /// A block begins.
    pub fn begin(&mut self) {
        self.height += 1;
        self.tip_at_begin = self.tip();
        let table = self.table();
        let before = self.tables.get(&(self.height - 1));
        for provider in table.keys().filter(|key| before.is_none_or(|table| !table.contains_key(key))) {
            self.providers[*provider].start = self.height;
        }
        if !table.is_empty() {
            self.tables.insert(self.height, table);
        }
    }

    /// Whether a message is to be accepted; `None` where the model does not know.
    pub fn expects(&self, said: &Said) -> Option<bool> {
        Some(match said {
            Said::Headers { .. } => true,
            Said::Register { stake, provider, time, proof, .. } => {
                let alive = self.providers[*provider].slashed_at.is_none();
                let timely = proof.is_none_or(|place| self.is_proof(place, *time));
                !self.stakes.contains_key(stake) && alive && timely
            }
            Said::Sign { stake, member } => self
                .stakes
                .get(stake)
                .is_some_and(|stake| stake.is_open(self.tip()) && !stake.members.contains(member)),
            Said::Prove { stake, place } => self.stakes.get(stake).is_some_and(|stake| {
                let fit = stake.start.is_none() && stake.has_quorum() && !stake.unbonded;
                fit && self.is_proof(*place, stake.time) && place.height >= stake.tip
            }),
            Said::Spend { stake, place } => {
                self.stakes.get(stake).is_some_and(|stake| stake.is_open(self.tip()) && self.is_known(*place))
            }
            Said::Vote { provider, height, fork } => self.expects_vote(*provider, *height, *fork),
            Said::Unjail { provider } => {
                let provider = &self.providers[*provider];
                let over = provider.jailed_until.is_some_and(|until| self.height > until);
                over && provider.slashed_at.is_none()
            }
            Said::Show { provider } => self.providers[*provider].slashed_at.is_none(),
            Said::Withdraw => return None,
            Said::Nonsense => false,
        })
    }

    fn is_known(&self, place: Place) -> bool {
        self.main.get(usize::try_from(place.height).unwrap()) == Some(&place.block)
    }

    fn is_proof(&self, place: Place, time: u32) -> bool {
        let tip = self.tip();
        self.is_known(place) && place.height + K <= tip && tip + UNBONDING < place.height + time
    }

    fn expects_vote(&self, provider: usize, height: u64, fork: bool) -> bool {
        let settled = self.finals.contains(&height) && epoch_of(height) <= self.last_final_epoch;
        let voted = self.votes.get(&height).is_some_and(|voters| voters.contains(&provider));
        let power = self.tables.get(&height).is_some_and(|table| table.contains_key(&provider));
        let voter = &self.providers[provider];
        height < self.height && !settled && voter.is_free() && power && (fork || !voted)
    }

    /// A message was accepted.
    pub fn accept(&mut self, said: &Said) {
        let tip = self.tip();
        match said {
            Said::Headers { from, blocks } => {
                self.main.truncate(usize::try_from(*from).unwrap());
                self.main.extend(blocks);
            }
            Said::Register { stake, provider, sats, time, proof } => {
                let start = proof.map(|place| place.height);
                let (members, unbonded, late) = (BTreeSet::new(), false, false);
                let new = Stake {
                    provider: *provider,
                    sats: *sats,
                    time: *time,
                    tip,
                    members,
                    start,
                    unbonded,
                    late,
                };
                self.stakes.insert(*stake, new);
            }
            Said::Sign { stake, member } => {
                let dealt_with = self.tip_at_begin;
                let stake = self.stakes.get_mut(stake).unwrap();
                let before = stake.has_quorum();
                stake.members.insert(*member);
                stake.late |= !before && stake.has_quorum() && stake.is_over(dealt_with);
            }
            Said::Prove { stake, place } => {
                self.stakes.get_mut(stake).unwrap().start = Some(place.height);
            }
            Said::Spend { stake, .. } => {
                let stake = self.stakes.get_mut(stake).unwrap();
                self.spent += usize::from(stake.power(tip) > 0);
                stake.unbonded = true;
            }
            Said::Vote { provider, height, fork } => self.vote(*provider, *height, *fork),
            Said::Unjail { provider } => self.providers[*provider].jailed_until = None,
            Said::Show { provider } => self.slash(*provider),
            Said::Withdraw | Said::Nonsense => {}
        }
    }

    fn vote(&mut self, provider: usize, height: u64, fork: bool) {
        if fork {
            self.forks.insert((provider, height));
        } else {
            self.votes.entry(height).or_default().insert(provider);
        }
        let voted = self.votes.get(&height).is_some_and(|voters| voters.contains(&provider));
        if voted && self.forks.contains(&(provider, height)) {
            self.slash(provider);
        }
    }

    fn slash(&mut self, provider: usize) {
        self.providers[provider].slashed_at.get_or_insert(self.height);
    }

    /// The block ends.
    pub fn end(&mut self) {
        self.end_epochs();
        self.tally();
        self.jail();
    }

    fn end_epochs(&mut self) {
        if self.height.is_multiple_of(EPOCH) {
            self.tip_at_end.insert(self.height / EPOCH, self.tip());
        }
        if self.tip() != self.tip_at_begin {
            let next = self.last_final_epoch + 1;
            let deep = |(_, at): &(&u64, &u32)| **at + W <= self.tip();
            let reached = self.tip_at_end.range(next..).take_while(deep).last();
            self.last_final_epoch = reached.map_or(self.last_final_epoch, |(epoch, _)| *epoch);
        }
    }

    fn tally(&mut self) {
        let Some(first) = self.tables.keys().next() else { return };
        self.next_final = self.next_final.max(*first);
        while self.next_final <= self.height {
            if let Some(table) = self.tables.get(&self.next_final) {
                let none = BTreeSet::new();
                let voters = self.votes.get(&self.next_final).unwrap_or(&none);
                let voted: u64 = table
                    .iter()
                    .filter(|(provider, _)| voters.contains(provider))
                    .map(|(_, sats)| sats)
                    .sum();
                if 3 * voted <= 2 * table.values().sum::<u64>() {
                    break;
                }
                self.finals.insert(self.next_final);
            }
            self.next_final += 1;
        }
    }

    /// `chain.md` 10.6. What was missed is kept when a provider leaves the active set and comes back.
    fn jail(&mut self) {
        let Some(examined) = self.height.checked_sub(VOTE_TIMEOUT) else { return };
        let Some(table) = self.tables.get(&examined) else { return };
        for number in table.keys() {
            let voted = self.votes.get(&examined).is_some_and(|voters| voters.contains(number));
            let provider = &mut self.providers[*number];
            if !provider.is_free() || examined < provider.start {
                continue;
            }
            let place = (examined - provider.start) % LIVENESS;
            if voted {
                provider.missed.remove(&place);
            } else {
                provider.missed.insert(place);
            }
            if examined > provider.start + LIVENESS && provider.missed.len() > MISSABLE {
                provider.jailed_until = Some(self.height + JAIL);
                provider.missed.clear();
            }
        }
    }

    /// Providers that were slashed while they had power.
    pub fn fallen(&self) -> usize {
        let had_power = |(number, provider): &(usize, &Provider)| {
            let table = provider.slashed_at.and_then(|at| self.tables.get(&at));
            table.is_some_and(|table| table.contains_key(number))
        };
        self.providers.iter().enumerate().filter(had_power).count()
    }
}
