//! What the records say, in memory: per key and chain the recent votes and the height below which nothing is signed.
//!
//! Pure: it decides, it does not write. What it holds nothing about is refused: only a fact that says that the key is new,
//! or what it signed elsewhere, begins a history. Memory is bounded: of each subject the [`RECENT_HEIGHTS`] highest votes are
//! kept, and forgetting a vote raises the watermark to its height, so that forgetting can only ever refuse more.

use super::{
    layout::Fact,
    not_safe::NotSafe,
    subject::{Subject, VoteRequest},
};
use btc_staking_protocol::{
    finality::{
        randomness::CommittedRandomness,
        vote::{PublicRandomness, VoteMessage},
    },
    height::PosHeight,
};
use std::collections::{BTreeMap, btree_map::Entry};

/// Votes remembered per key and chain. About two days of ten-second blocks.
pub const RECENT_HEIGHTS: usize = 20_000;
/// Commitments remembered per key and chain; the chain itself remembers all.
pub const RECENT_COMMITMENTS: usize = 1_024;

/// Answer to the question whether a vote may be signed, when it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safe {
    /// Nothing was signed at that height.
    Fresh,
    /// Exactly this was signed already.
    SameAgain,
}

/// How much is remembered, and how much more than that a file may hold before it is compacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub votes: usize,
    pub commitments: usize,
    pub slack: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { votes: RECENT_HEIGHTS, commitments: RECENT_COMMITMENTS, slack: 4_096 }
    }
}

#[derive(Default, Debug, PartialEq, Eq)]
struct Track {
    declared_new: bool,
    votes: ByHeight,
    watermark: Option<PosHeight>,
    high_watermark: Option<PosHeight>,
    commitments: BTreeMap<PosHeight, CommittedRandomness>,
}

/// Votes by height, as they are remembered: app hash and randomness.
pub type ByHeight = BTreeMap<PosHeight, ([u8; 32], PublicRandomness)>;

/// Everything the records say that still matters.
#[derive(Default, Debug, PartialEq, Eq)]
pub struct History {
    tracks: BTreeMap<Subject, Track>,
    limits: Limits,
}

impl History {
    /// Begins empty, remembering this much.
    pub fn new(limits: Limits) -> Self {
        Self { tracks: BTreeMap::new(), limits }
    }

    /// Decides whether a vote may be signed.
    ///
    /// # Errors
    /// [`NotSafe`] with the evidence.
    pub fn check(&self, request: &VoteRequest) -> Result<Safe, NotSafe> {
        let Some(track) = self.tracks.get(&request.subject) else {
            return Err(NotSafe::NoHistory { subject: Box::new(request.subject.clone()) });
        };
        let requested = request.message;
        if let Some((app_hash, randomness)) = track.votes.get(&requested.height) {
            let recorded = VoteMessage { height: requested.height, app_hash: *app_hash };
            if recorded != requested {
                return Err(NotSafe::DoubleSign {
                    subject: Box::new(request.subject.clone()),
                    recorded,
                    requested,
                });
            }
            if *randomness != request.public_randomness {
                return Err(NotSafe::OtherRandomness { height: requested.height });
            }
            return Ok(Safe::SameAgain);
        }
        let height = requested.height;
        if let Some(watermark) = track.watermark.filter(|watermark| height <= *watermark) {
            return Err(NotSafe::BelowWatermark { height, watermark });
        }
        if let Some(watermark) = track.high_watermark.filter(|watermark| height > *watermark) {
            return Err(NotSafe::AboveWatermark { height, watermark });
        }
        Ok(Safe::Fresh)
    }

    /// Takes in a recorded fact. Facts are taken in the order in which they were recorded.
    pub fn apply(&mut self, subject: &Subject, fact: &Fact) {
        if !self.tracks.contains_key(subject) {
            self.tracks.insert(subject.clone(), Track::default());
        }
        let Some(track) = self.tracks.get_mut(subject) else { return };
        match fact {
            Fact::Vote(message, randomness) => {
                track.votes.insert(message.height, (message.app_hash, *randomness));
            }
            Fact::Watermark(height) => track.raise(*height),
            Fact::HighWatermark(height) => {
                track.high_watermark = Some(*height).filter(|height| height.to_u64() < u64::MAX);
            }
            Fact::Commitment(range) => {
                track.commitments.insert(range.start_height, *range);
            }
            Fact::New => track.declared_new = true,
        }
        track.forget_old(self.limits);
    }

    /// The facts that, taken in by an empty history, give this one again.
    pub fn summary(&self) -> impl Iterator<Item = (&Subject, Fact)> {
        self.tracks.iter().flat_map(|(subject, track)| track.facts().map(move |fact| (subject, fact)))
    }

    /// Whether a file of this many records holds so much that was forgotten that it is worth a new one.
    pub fn is_worth_compacting(&self, records: u64) -> bool {
        let live: usize = self.tracks.values().map(Track::size).sum();
        let live = u64::try_from(live).unwrap_or(u64::MAX);
        records > live.saturating_add(live / 2).saturating_add(self.limits.slack)
    }

    /// Whether anything is known of a subject, be it that its key is new.
    pub fn knows(&self, subject: &Subject) -> bool {
        self.tracks.contains_key(subject)
    }

    /// Of what another signer says it signed, the facts that are to be taken in here. A vote at or below the watermark is
    /// left out: something else may have been signed there and forgotten.
    ///
    /// # Errors
    /// [`NotSafe::DoubleSign`] when another vote is on record here.
    pub fn news(
        &self,
        subject: &Subject,
        votes: &ByHeight,
        watermark: Option<PosHeight>,
    ) -> Result<Vec<Fact>, NotSafe> {
        let nothing = Track::default();
        let track = self.tracks.get(subject).unwrap_or(&nothing);
        let mut news = Vec::new();
        for (height, (app_hash, randomness)) in votes {
            let vote = |app_hash| VoteMessage { height: *height, app_hash };
            match track.votes.get(height) {
                Some((recorded, _)) if recorded != app_hash => {
                    return Err(NotSafe::DoubleSign {
                        subject: Box::new(subject.clone()),
                        recorded: vote(*recorded),
                        requested: vote(*app_hash),
                    });
                }
                None if Some(*height) > track.watermark => {
                    news.push(Fact::Vote(vote(*app_hash), *randomness))
                }
                Some(_) | None => {}
            }
        }
        news.extend(watermark.filter(|height| Some(*height) > track.watermark).map(Fact::Watermark));
        if news.is_empty() && !self.knows(subject) {
            news.push(Fact::New);
        }
        Ok(news)
    }

    /// The height at or below which nothing new is signed.
    pub fn watermark(&self, subject: &Subject) -> Option<PosHeight> {
        self.tracks.get(subject)?.watermark
    }

    /// The height above which nothing is signed.
    pub fn high_watermark(&self, subject: &Subject) -> Option<PosHeight> {
        self.tracks.get(subject)?.high_watermark
    }

    /// The highest height signed, or the watermark if that is higher.
    pub fn highest(&self, subject: &Subject) -> Option<PosHeight> {
        let track = self.tracks.get(subject)?;
        track.votes.last_key_value().map(|(height, _)| *height).max(track.watermark)
    }

    /// The vote signed at a height, if it is remembered.
    pub fn vote_at(&self, subject: &Subject, height: PosHeight) -> Option<VoteMessage> {
        let (app_hash, _) = self.tracks.get(subject)?.votes.get(&height)?;
        Some(VoteMessage { height, app_hash: *app_hash })
    }

    /// The votes that are remembered, ascending by height.
    pub fn votes(&self, subject: &Subject) -> Vec<(VoteMessage, PublicRandomness)> {
        let votes = self.tracks.get(subject).into_iter().flat_map(|track| &track.votes);
        votes
            .map(|(height, (app_hash, randomness))| {
                (VoteMessage { height: *height, app_hash: *app_hash }, *randomness)
            })
            .collect()
    }

    /// The commitments signed, ascending by start; of several with one start the newest.
    pub fn commitments(&self, subject: &Subject) -> Vec<CommittedRandomness> {
        self.tracks
            .get(subject)
            .map(|track| track.commitments.values().copied().collect())
            .unwrap_or_default()
    }
}

/// Orders what another signer says it signed. The same vote may be there more than once.
///
/// # Errors
/// [`NotSafe::DoubleSign`] and [`NotSafe::OtherRandomness`] when it contradicts itself: to keep either of two votes would
/// hide the other.
pub fn build_by_height(
    subject: &Subject,
    votes: impl IntoIterator<Item = (VoteMessage, PublicRandomness)>,
) -> Result<ByHeight, NotSafe> {
    let mut by_height = ByHeight::new();
    for (requested, randomness) in votes {
        let height = requested.height;
        match by_height.entry(height) {
            Entry::Vacant(free) => drop(free.insert((requested.app_hash, randomness))),
            Entry::Occupied(first) => {
                let (app_hash, first_randomness) = *first.get();
                let recorded = VoteMessage { height, app_hash };
                if recorded != requested {
                    return Err(NotSafe::DoubleSign {
                        subject: Box::new(subject.clone()),
                        recorded,
                        requested,
                    });
                }
                if first_randomness != randomness {
                    return Err(NotSafe::OtherRandomness { height });
                }
            }
        }
    }
    Ok(by_height)
}

impl Track {
    fn raise(&mut self, height: PosHeight) {
        self.watermark = self.watermark.max(Some(height));
    }

    fn facts(&self) -> impl Iterator<Item = Fact> + '_ {
        let vote = |(height, (app_hash, randomness)): (&PosHeight, &([u8; 32], PublicRandomness))| {
            Fact::Vote(VoteMessage { height: *height, app_hash: *app_hash }, *randomness)
        };
        let new = self.declared_new.then_some(Fact::New);
        let low = self.watermark.map(Fact::Watermark);
        let high = self.high_watermark.map(Fact::HighWatermark);
        let commitments = self.commitments.values().copied().map(Fact::Commitment);
        new.into_iter().chain(low).chain(high).chain(commitments).chain(self.votes.iter().map(vote))
    }

    fn size(&self) -> usize {
        self.votes.len() + self.commitments.len() + 3
    }

    fn forget_old(&mut self, limits: Limits) {
        while self.votes.len() > limits.votes {
            if let Some((height, _)) = self.votes.pop_first() {
                self.raise(height);
            }
        }
        while self.commitments.len() > limits.commitments {
            self.commitments.pop_first();
        }
    }
}
