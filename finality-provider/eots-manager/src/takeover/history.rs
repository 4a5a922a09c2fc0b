//! What the old manager signed with one key on one chain, recomputed record by record.

use crate::{
    keys::EotsKey,
    legacy::eots_db::LegacyRecord,
    records::{NotSafe, RECENT_HEIGHTS, SignRecords, Subject},
};
use btc_staking_crypto::nonce::{self, Scheme};
use btc_staking_protocol::{
    finality::vote::{PublicRandomness, VoteMessage},
    height::PosHeight,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// Most heights listed in a report; the number is always complete.
pub const MAX_LISTED: usize = 100;

/// The recent votes, the counts of all, and the highest height.
#[derive(Default)]
pub(super) struct History {
    /// Votes whose signature is ours to the bit; `None` where two contradict each other, for good. At most
    /// [`RECENT_HEIGHTS`], the highest.
    votes: BTreeMap<PosHeight, Option<(VoteMessage, PublicRandomness)>>,
    records: u64,
    current: u64,
    first: u64,
    unverified: u64,
    not_reproduced: Heights,
    contradicting: Heights,
    lowest: Option<PosHeight>,
    highest: Option<PosHeight>,
    barred: Option<PosHeight>,
}

#[derive(Default)]
struct Heights {
    count: u64,
    listed: Vec<PosHeight>,
}

/// What was found for one key on one chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryReport {
    /// The key, in hex.
    pub public_key: String,
    /// The chain.
    pub chain_id: String,
    /// Sign records found.
    pub records: u64,
    /// Lowest height signed.
    pub lowest: Option<u64>,
    /// Highest height signed.
    pub highest: Option<u64>,
    /// Records whose signature was recomputed with the randomness of today.
    pub reproduced: u64,
    /// Records whose signature was recomputed with the randomness of before April 2025.
    pub reproduced_with_v0: u64,
    /// Records that could not be recomputed, because the key is not there.
    pub unverified: u64,
    /// Records that are no vote, or whose signature is not what key and randomness give.
    pub not_reproduced: u64,
    /// The first of their heights.
    pub not_reproduced_heights: Vec<u64>,
    /// Heights for which two records hold different votes: if both were sent, the key is lost.
    pub contradicting: u64,
    /// The first of them.
    pub contradicting_heights: Vec<u64>,
    /// Votes that are answered again with the same signature.
    pub votes_taken_over: u64,
    /// Nothing new is signed at or below this height.
    pub watermark: Option<u64>,
}

enum Reproduced {
    With(Scheme, VoteMessage, PublicRandomness),
    NoKey,
    Not,
}

impl History {
    /// Takes in one record; without its key it is only counted and barred.
    pub(super) fn add(&mut self, record: &LegacyRecord, key: Option<&EotsKey>) {
        self.records += 1;
        self.lowest = Some(self.lowest.map_or(record.height, |lowest| lowest.min(record.height)));
        self.highest = self.highest.max(Some(record.height));
        self.bar(record.height);
        match reproduce(record, key) {
            Reproduced::With(scheme, vote, randomness) => {
                match scheme {
                    Scheme::V1 => self.current += 1,
                    Scheme::V0 => self.first += 1,
                }
                self.keep(vote, randomness);
            }
            Reproduced::NoKey => self.unverified += 1,
            Reproduced::Not => self.not_reproduced.add(record.height),
        }
    }

    /// Bars a height and everything below.
    pub(super) fn bar(&mut self, height: PosHeight) {
        self.barred = self.barred.max(Some(height));
    }

    pub(super) fn votes(&self) -> impl Iterator<Item = (VoteMessage, PublicRandomness)> {
        self.votes.values().copied().flatten()
    }

    pub(super) fn watermark(&self) -> Option<PosHeight> {
        self.barred
    }

    /// Records the votes and the watermark with one sync. A vote below a watermark of ours is barred already.
    pub(super) fn record(&self, subject: &Subject, records: &SignRecords) -> Result<(), NotSafe> {
        records.import(subject, self.votes(), self.barred)
    }

    pub(super) fn report(&self, subject: &Subject) -> HistoryReport {
        let number = |height: Option<PosHeight>| height.map(PosHeight::to_u64);
        HistoryReport {
            public_key: subject.finality_provider.to_string(),
            chain_id: subject.chain_id.to_string(),
            records: self.records,
            lowest: number(self.lowest),
            highest: number(self.highest),
            reproduced: self.current,
            reproduced_with_v0: self.first,
            unverified: self.unverified,
            not_reproduced: self.not_reproduced.count,
            not_reproduced_heights: self.not_reproduced.numbers(),
            contradicting: self.contradicting.count,
            contradicting_heights: self.contradicting.numbers(),
            votes_taken_over: self.votes().count().try_into().unwrap_or(u64::MAX),
            watermark: number(self.barred),
        }
    }

    fn keep(&mut self, vote: VoteMessage, randomness: PublicRandomness) {
        let kept = self.votes.entry(vote.height).or_insert(Some((vote, randomness)));
        if kept.is_some_and(|(known, _)| known != vote) {
            // None of them is signed again, whatever other records of this height follow.
            *kept = None;
            self.contradicting.add(vote.height);
        }
        if self.votes.len() > RECENT_HEIGHTS {
            self.votes.pop_first();
        }
    }
}

impl Heights {
    fn add(&mut self, height: PosHeight) {
        self.count += 1;
        if self.listed.len() < MAX_LISTED {
            self.listed.push(height);
        }
    }

    fn numbers(&self) -> Vec<u64> {
        self.listed.iter().map(|height| height.to_u64()).collect()
    }
}

/// Signs the vote again with the randomness of today and of before, and compares.
fn reproduce(record: &LegacyRecord, key: Option<&EotsKey>) -> Reproduced {
    let (Some(vote), Some(signature)) = (record.vote, record.signature) else {
        return Reproduced::Not;
    };
    let Some(key) = key else {
        return Reproduced::NoKey;
    };
    let chain_id = record.subject.chain_id.as_str().as_bytes();
    for scheme in [Scheme::V1, Scheme::V0] {
        let nonce = nonce::derive(key.secret(), scheme, chain_id, vote.height.to_u64());
        let randomness = nonce.public();
        if key.secret().sign(nonce, &vote.to_bytes()).is_ok_and(|made| made == signature) {
            return Reproduced::With(scheme, vote, randomness);
        }
    }
    Reproduced::Not
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::legacy::eots_db::Layout;

    #[test]
    fn a_height_with_contradicting_records_stays_without_a_vote_whatever_follows() {
        let key = EotsKey::from_secret_bytes(&[7; 32]).unwrap();
        let subject = Subject { finality_provider: key.public_key(), chain_id: "bbn-1".parse().unwrap() };
        let record = |height: u64, block: u8| {
            let vote = VoteMessage { height: PosHeight::new(height), app_hash: [block; 32] };
            let nonce = nonce::derive(key.secret(), Scheme::V1, subject.chain_id.as_str().as_bytes(), height);
            let signature = key.secret().sign(nonce, &vote.to_bytes()).unwrap();
            LegacyRecord {
                layout: Layout::V0_14,
                subject: subject.clone(),
                height: vote.height,
                vote: Some(vote),
                signature: Some(signature),
            }
        };
        for blocks in [vec![1, 2], vec![1, 2, 1], vec![1, 2, 2], vec![1, 2, 3], vec![1, 1, 2, 3, 1]] {
            let mut history = History::default();
            history.add(&record(8, 1), Some(&key));
            for block in &blocks {
                history.add(&record(9, *block), Some(&key));
            }
            let heights: Vec<_> = history.votes().map(|(vote, _)| vote.height.to_u64()).collect();
            assert_eq!(heights, [8], "{blocks:?}");
            let report = history.report(&subject);
            assert_eq!((report.contradicting, report.contradicting_heights), (1, vec![9]), "{blocks:?}");
            assert_eq!((report.votes_taken_over, report.watermark), (1, Some(9)), "{blocks:?}");
        }
    }
}
