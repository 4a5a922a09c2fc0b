//! What another instance with the same key signed, taken into the records of this one.

use super::{EotsManager, SigningError, prepare};
use crate::records::Subject;
use btc_staking_crypto::nonce::Scheme;
use btc_staking_protocol::{finality::vote::VoteMessage, height::PosHeight};

impl EotsManager {
    /// Records votes that another instance was allowed to sign, and the height up to which it may have signed others;
    /// durable on return, all of it or nothing. Nothing is signed. Doing it again changes nothing.
    ///
    /// Each is recorded with the randomness of the current derivation, as this manager would sign it. A key without
    /// history has one from then on.
    ///
    /// # Errors
    /// [`SigningError::UnknownKey`]; [`SigningError::NotSafe`] with the evidence when another vote is on record here, or
    /// two of those given are for one height.
    pub fn record_signed_elsewhere(
        &self,
        subject: &Subject,
        votes: &[VoteMessage],
        watermark: PosHeight,
    ) -> Result<(), SigningError> {
        // What is on record as it is needs no key.
        let is_news =
            |vote: &&VoteMessage| self.records.vote_at(subject, vote.height).as_ref() != Some(*vote);
        let news = votes.iter().filter(is_news).map(|vote| {
            let key = self.key(&subject.finality_provider)?;
            let (request, _) = prepare(key, subject, *vote, Scheme::V1);
            Ok((request.message, request.public_randomness))
        });
        let news = news.collect::<Result<Vec<_>, SigningError>>()?;
        Ok(self.records.import(subject, news, Some(watermark))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keys::EotsKey,
        records::{NotSafe, SignRecords},
    };

    #[test]
    fn votes_of_another_instance_are_signed_again_alike_and_bar_every_other() {
        let directory = tempfile::tempdir().unwrap();
        SignRecords::create(directory.path()).unwrap();
        let key = EotsKey::from_secret_bytes(&[7; 32]).unwrap();
        let subject = Subject { finality_provider: key.public_key(), chain_id: "bbn-1".parse().unwrap() };
        let manager = EotsManager::new(SignRecords::open(directory.path()).unwrap(), [key]);
        let vote = |height, byte| VoteMessage { height: PosHeight::new(height), app_hash: [byte; 32] };
        for _ in 0..2 {
            manager
                .record_signed_elsewhere(&subject, &[vote(3, 1), vote(8, 1), vote(9, 1)], PosHeight::new(5))
                .unwrap();
        }
        assert!(manager.sign_vote(&subject, vote(9, 1)).is_ok());
        for (refused, why) in [(vote(8, 2), "double sign"), (vote(4, 1), "below"), (vote(5, 2), "below")] {
            let answer = manager.sign_vote(&subject, refused);
            let fits = match &answer {
                Err(SigningError::NotSafe(NotSafe::DoubleSign { .. })) => why == "double sign",
                Err(SigningError::NotSafe(NotSafe::BelowWatermark { .. })) => why == "below",
                _ => false,
            };
            assert!(fits, "{answer:?}");
        }
        let conflict = manager.record_signed_elsewhere(&subject, &[vote(9, 2)], PosHeight::new(5));
        assert!(matches!(conflict, Err(SigningError::NotSafe(NotSafe::DoubleSign { .. }))));
        assert!(manager.sign_vote(&subject, vote(10, 1)).is_ok());
    }

    #[test]
    fn two_votes_of_another_instance_for_one_height_are_evidence_and_neither_is_recorded() {
        let directory = tempfile::tempdir().unwrap();
        SignRecords::create(directory.path()).unwrap();
        let key = EotsKey::from_secret_bytes(&[7; 32]).unwrap();
        let subject = Subject { finality_provider: key.public_key(), chain_id: "bbn-1".parse().unwrap() };
        let manager = EotsManager::new(SignRecords::open(directory.path()).unwrap(), [key]);
        let vote = |byte| VoteMessage { height: PosHeight::new(9), app_hash: [byte; 32] };
        let refused = manager.record_signed_elsewhere(&subject, &[vote(1), vote(2)], PosHeight::new(5));
        let Err(SigningError::NotSafe(NotSafe::DoubleSign { recorded, requested, .. })) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!((recorded, requested), (vote(1), vote(2)));
        assert!(!manager.records().has_history(&subject));
    }
}
