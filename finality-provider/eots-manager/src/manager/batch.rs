//! Many votes with one sync of the disk.
//!
//! All are checked, then all that may be signed are recorded with one write and one sync, then they are signed, on all
//! cores. A height that is refused is answered with its reason in its place and hinders no other.

use super::{EotsManager, SigningError, prepare, sign};
use crate::{
    keys::EotsKey,
    records::{NotSafe, Permit, Subject},
};
use btc_staking_crypto::nonce::{Nonce, Scheme};
use btc_staking_protocol::{
    finality::{
        randomness::CommittedRandomness,
        vote::{EotsSignature, PublicRandomness, SignedVote, VoteMessage},
    },
    height::PosHeight,
};
use std::{num::NonZeroUsize, thread};

/// Fewest signatures worth a thread of their own.
const FEWEST_PER_THREAD: usize = 32;

/// The answer to one vote of a batch: a signature, the same one if this vote was signed before, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchAnswer<T, E = SigningError> {
    /// The height of the request in the same place.
    pub height: PosHeight,
    /// The error holds the evidence, such as [`NotSafe::DoubleSign`].
    pub result: Result<T, E>,
}

impl EotsManager {
    /// Signs votes with the randomness of the current derivation, each if the records allow it.
    ///
    /// The answers are in the order of the messages. A height may occur more than once: the same message gets the same
    /// signature, and of two messages the first is signed.
    ///
    /// # Errors
    /// [`SigningError::UnknownKey`], and what is fatal; then nothing of the batch is released.
    pub fn sign_batch(
        &self,
        subject: &Subject,
        messages: &[VoteMessage],
    ) -> Result<Vec<BatchAnswer<EotsSignature>>, SigningError> {
        let answers = self.batch(subject, messages, Scheme::V1)?;
        Ok(answers.into_iter().map(|answer| answer.map(|(signature, _)| Ok(signature))).collect())
    }

    /// Signs votes and joins to each the randomness of its height and the proof that `range` committed to it.
    ///
    /// # Errors
    /// As [`sign_batch`](Self::sign_batch); and [`SigningError::Tree`] when the commitment is not this key's or does
    /// not cover every height, in which case nothing is recorded or signed.
    pub fn vote_batch(
        &self,
        subject: &Subject,
        messages: &[VoteMessage],
        range: &CommittedRandomness,
    ) -> Result<Vec<BatchAnswer<SignedVote>>, SigningError> {
        let finality_provider = subject.finality_provider;
        let tree = self.trees.of(self.key(&finality_provider)?, subject, range)?;
        let proofs: Vec<_> =
            messages.iter().map(|message| tree.proof(range, message.height)).collect::<Result<_, _>>()?;
        let answers = self.batch(subject, messages, tree.scheme)?;
        let votes = answers.into_iter().zip(messages).zip(proofs).map(|((answer, message), proof)| {
            answer.map(|(signature, public_randomness)| {
                Ok(SignedVote { finality_provider, message: *message, public_randomness, proof, signature })
            })
        });
        Ok(votes.collect())
    }

    fn batch(
        &self,
        subject: &Subject,
        messages: &[VoteMessage],
        scheme: Scheme,
    ) -> Result<Vec<BatchAnswer<(EotsSignature, PublicRandomness)>>, SigningError> {
        let key = self.key(&subject.finality_provider)?;
        let prepared = on_all_cores(messages.to_vec(), |message| prepare(key, subject, message, scheme));
        let (requests, nonces): (Vec<_>, Vec<_>) = prepared.into_iter().unzip();
        let permits = self.records.check_and_record_batch(requests)?;
        let members = permits.into_iter().zip(nonces).collect();
        let results = on_all_cores(members, |(permit, nonce)| sign_member(key, permit, nonce));
        self.meters.votes(subject, messages.iter().map(|message| message.height).zip(&results));
        let answers = messages.iter().zip(results).map(|(message, result)| match result {
            Err(error) if error.is_fatal() => Err(error),
            result => Ok(BatchAnswer { height: message.height, result }),
        });
        answers.collect()
    }
}

impl<T> BatchAnswer<T> {
    fn map<U>(self, then: impl FnOnce(T) -> Result<U, SigningError>) -> BatchAnswer<U> {
        BatchAnswer { height: self.height, result: self.result.and_then(then) }
    }
}

fn sign_member(
    key: &EotsKey,
    permit: Result<Permit, NotSafe>,
    nonce: Nonce,
) -> Result<(EotsSignature, PublicRandomness), SigningError> {
    let permit = permit?;
    let public_randomness = permit.request().public_randomness;
    Ok((sign(key, permit, nonce)?, public_randomness))
}

/// Applies a function to every item, in order, on as many threads as there are cores.
fn on_all_cores<T: Send, U: Send>(mut items: Vec<T>, apply: impl Fn(T) -> U + Sync) -> Vec<U> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = items.len().div_ceil(cores).max(FEWEST_PER_THREAD);
    let apply = &apply;
    let run = move |part: Vec<T>| part.into_iter().map(apply).collect::<Vec<_>>();
    thread::scope(|scope| {
        let mut workers = Vec::new();
        while items.len() > share {
            let part = items.split_off(items.len() - share);
            workers.push(scope.spawn(move || run(part)));
        }
        let mut done = run(items);
        for worker in workers.into_iter().rev() {
            match worker.join() {
                Ok(part) => done.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    })
}
