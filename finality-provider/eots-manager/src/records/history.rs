//! What the records say, in memory: per key and chain the recent votes and the height below which nothing is signed.
//!
//! Pure: it decides, it does not write. Memory is bounded: of each subject the [`RECENT_HEIGHTS`] highest votes are
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
use std::collections::{BTreeMap, HashMap};

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

#[derive(Default)]
struct Track {
    votes: BTreeMap<PosHeight, ([u8; 32], PublicRandomness)>,
    watermark: Option<PosHeight>,
    commitments: BTreeMap<PosHeight, CommittedRandomness>,
}

/// Everything the records say that still matters.
#[derive(Default)]
pub struct History {
    tracks: HashMap<Subject, Track>,
}

impl History {
    /// Decides whether a vote may be signed.
    ///
    /// # Errors
    /// [`NotSafe`] with the evidence.
    pub fn check(&self, request: &VoteRequest) -> Result<Safe, NotSafe> {
        let Some(track) = self.tracks.get(&request.subject) else {
            return Ok(Safe::Fresh);
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
        match track.watermark {
            Some(watermark) if requested.height <= watermark => {
                Err(NotSafe::BelowWatermark { height: requested.height, watermark })
            }
            Some(_) | None => Ok(Safe::Fresh),
        }
    }

    /// Takes in a recorded fact. Facts are taken in the order in which they were recorded.
    pub fn apply(&mut self, subject: &Subject, fact: &Fact) {
        let track = self.tracks.entry(subject.clone()).or_default();
        match fact {
            Fact::Vote(message, randomness) => {
                track.votes.insert(message.height, (message.app_hash, *randomness));
            }
            Fact::Watermark(height) => track.raise(*height),
            Fact::Commitment(range) => {
                track.commitments.insert(range.start_height, *range);
            }
        }
        track.forget_old();
    }

    /// The height at or below which nothing new is signed.
    pub fn watermark(&self, subject: &Subject) -> Option<PosHeight> {
        self.tracks.get(subject)?.watermark
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

    /// The commitments signed, ascending by start; of several with one start the newest.
    pub fn commitments(&self, subject: &Subject) -> Vec<CommittedRandomness> {
        self.tracks
            .get(subject)
            .map(|track| track.commitments.values().copied().collect())
            .unwrap_or_default()
    }
}

impl Track {
    fn raise(&mut self, height: PosHeight) {
        self.watermark = self.watermark.max(Some(height));
    }

    fn forget_old(&mut self) {
        while self.votes.len() > RECENT_HEIGHTS {
            if let Some((height, _)) = self.votes.pop_first() {
                self.raise(height);
            }
        }
        while self.commitments.len() > RECENT_COMMITMENTS {
            self.commitments.pop_first();
        }
    }
}
