//! Between an interchange and our own sign records.

use super::{Answer, Interchange, InterchangeError, Signed, Watermarks, message_hash};
use crate::records::{NotSafe, SignRecords, Subject};
use btc_staking_protocol::{finality::vote::VoteMessage, height::PosHeight};
use std::collections::BTreeMap;
use thiserror::Error;

/// Why an interchange was not taken in.
#[derive(Debug, Error)]
pub enum ImportError {
    /// Our records hold another message at a height. Nothing was written.
    #[error(
        "our records hold another message at height {height}: {ours}, the file says {theirs}; \
         if both signatures were ever sent, the key is lost; nothing was imported"
    )]
    Conflict {
        /// The height.
        height: u64,
        /// Message hash in hex.
        ours: String,
        /// Message hash in hex.
        theirs: String,
    },
    /// A record could not be made durable.
    #[error("the sign records did not take in a vote")]
    Records(#[from] NotSafe),
}

impl Interchange {
    /// Everything our records hold about a key on a chain.
    ///
    /// # Errors
    /// [`InterchangeError`]; cannot happen with records that were opened.
    pub fn export(records: &SignRecords, subject: &Subject) -> Result<Self, InterchangeError> {
        let signed: BTreeMap<PosHeight, Signed> = records
            .votes(subject)
            .into_iter()
            .map(|(vote, randomness)| (vote.height, Signed::of_vote(vote, randomness)))
            .collect();
        let watermarks = records.highest(subject).map(|high| {
            let low = records.watermark(subject).unwrap_or(PosHeight::new(0));
            Watermarks { low, high }
        });
        Self::new(subject.clone(), watermarks, signed)
    }

    /// Takes the votes in that can be signed again, and bars everything up to the high watermark: all of it with one sync,
    /// or nothing. From then on the records have a history of the key on the chain, also if the file lists nothing. Doing
    /// it again changes nothing.
    ///
    /// # Errors
    /// [`ImportError::Conflict`] before anything is written.
    pub fn import(&self, records: &SignRecords) -> Result<(), ImportError> {
        for (height, entry) in self.signed() {
            self.check(height, entry, records)?;
        }
        let votes = self.signed().filter_map(|(height, entry)| {
            let Answer { app_hash, public_randomness } = entry.answer?;
            Some((VoteMessage { height, app_hash }, public_randomness))
        });
        Ok(records.import(&self.subject, votes, self.watermarks.map(|watermarks| watermarks.high))?)
    }

    fn check(&self, height: PosHeight, entry: &Signed, records: &SignRecords) -> Result<(), ImportError> {
        match records.vote_at(&self.subject, height).map(|vote| message_hash(&vote)) {
            Some(ours) if ours != entry.message_hash => Err(ImportError::Conflict {
                height: height.to_u64(),
                ours: hex::encode(ours),
                theirs: hex::encode(entry.message_hash),
            }),
            Some(_) | None => Ok(()),
        }
    }
}
