//! What a daemon asks of whoever holds its keys: one trait, whether the keys are in this process or in another.
//!
//! | signer | the keys are |
//! |---|---|
//! | [`Local`] | in this process |
//! | [`Remote`] | in another process, asked over a Unix socket or mutual TLS |
//!
//! Safety never rests on the caller, nor on the way to the signer: a signature needs a permit of the sign records, and
//! those are opened only where the keys are. Whatever is lost, repeated or late on the way, the same vote gets the same
//! signature and another one the evidence.

mod address;
pub(crate) mod convert;
pub mod proto;
mod remote;

pub use address::{SignerAddress, UnusableAddress};
pub use remote::Remote;

use crate::{
    manager::{BatchAnswer, EotsManager, SigningError},
    records::{NotSafe, Subject},
};
use async_trait::async_trait;
use btc_staking_protocol::{
    finality::{
        randomness::{CommittedRandomness, RandomnessCommitment},
        vote::{SignedVote, VoteMessage},
    },
    height::PosHeight,
    keys::{AccountAddress, FinalityProviderPublicKey},
    possession::ProofOfPossession,
};
use std::{error::Error, sync::Arc};
use thiserror::Error;

/// Whoever holds the keys.
#[async_trait]
pub trait Signer: Send + Sync {
    /// The keys that can sign, ascending.
    ///
    /// # Errors
    /// [`SignerError`].
    async fn public_keys(&self) -> Result<Vec<FinalityProviderPublicKey>, SignerError>;

    /// What the sign records say of a key on a chain.
    ///
    /// # Errors
    /// [`SignerError`].
    async fn history(&self, subject: &Subject) -> Result<History, SignerError>;

    /// Raises the height at or below which nothing new is signed, durable on return. It never falls.
    ///
    /// # Errors
    /// [`SignerError`].
    async fn raise_watermark(&self, subject: &Subject, height: PosHeight) -> Result<(), SignerError>;

    /// Records what another instance with the same key signed or may have signed: votes, and the height at or below
    /// which nothing new is signed. Durable on return, all or nothing; a key without history has one from then on.
    ///
    /// # Errors
    /// [`SignerError::Refused`] with the evidence when another vote is on record here.
    async fn record_signed_elsewhere(
        &self,
        subject: &Subject,
        votes: Vec<VoteMessage>,
        watermark: PosHeight,
    ) -> Result<(), SignerError>;

    /// Signs votes, each if the records allow it, and joins to each the proof that `range` committed to its randomness.
    ///
    /// The answers are in the order of the messages. Every message's height must be in the range.
    ///
    /// # Errors
    /// [`SignerError`]; then no signature of the batch is released by this call.
    async fn vote_batch(
        &self,
        subject: &Subject,
        messages: Vec<VoteMessage>,
        range: CommittedRandomness,
    ) -> Result<Vec<VoteAnswer>, SignerError>;

    /// Builds, records and signs the commitment to `count` heights from `start`.
    ///
    /// # Errors
    /// [`SignerError`].
    async fn sign_commitment(
        &self,
        subject: &Subject,
        start: PosHeight,
        count: u64,
    ) -> Result<RandomnessCommitment, SignerError>;

    /// Checks that a commitment on chain was made with this key and chain id, by recomputing its root.
    ///
    /// # Errors
    /// [`SignerError::Refused`] with [`RefusedReason::Randomness`] when it was not.
    async fn check_commitment(
        &self,
        subject: &Subject,
        range: CommittedRandomness,
    ) -> Result<(), SignerError>;

    /// Proves that a key agrees to an account.
    ///
    /// # Errors
    /// [`SignerError`].
    async fn sign_possession(
        &self,
        key: &FinalityProviderPublicKey,
        account: &AccountAddress,
    ) -> Result<ProofOfPossession, SignerError>;
}

/// The answer to one vote of a batch.
pub type VoteAnswer = BatchAnswer<SignedVote, Refused>;

/// What the sign records say of a key on a chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct History {
    /// Whether the records hold anything about it, be it that it is new. If not, nothing is signed.
    pub initialised: bool,
    /// Highest height ever signed or barred from below.
    pub highest: Option<PosHeight>,
    /// Height at or below which nothing new is signed.
    pub low_watermark: Option<PosHeight>,
    /// Height above which nothing is signed.
    pub high_watermark: Option<PosHeight>,
}

/// Why a signer gave no answer.
#[derive(Debug, Error)]
pub enum SignerError {
    /// This process must stop: a record in it could not be made durable, or it computes wrongly.
    #[error("the signer in this process must stop")]
    Fatal(#[source] Box<dyn Error + Send + Sync>),
    /// The signer will not, and says why.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The signer could not be asked, or did not answer. It may have recorded what it was asked; asking again is safe.
    #[error("the signer does not answer: {0}")]
    Unreachable(String),
    /// Another daemon has the right to sign.
    #[error("another daemon has the right to sign{}", by(.holder.as_deref()))]
    Standby {
        /// Who, if known.
        holder: Option<String>,
    },
}

/// A refusal, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct Refused {
    /// Why.
    pub reason: RefusedReason,
    /// The same in the signer's words.
    pub text: String,
}

/// Why a signer refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedReason {
    /// Another vote was signed at this height.
    DoubleSign {
        /// What was signed.
        recorded: VoteMessage,
        /// What was asked for.
        requested: VoteMessage,
    },
    /// This very vote was signed, with other randomness.
    OtherRandomness,
    /// The height is at or below the low watermark.
    BelowWatermark(PosHeight),
    /// The height is above the high watermark.
    AboveWatermark(PosHeight),
    /// Nothing is known of the key on this chain: its history must be imported, or the key be declared new.
    NoHistory,
    /// The key is not held, or locked.
    UnknownKey,
    /// The commitment is not this key's, does not cover the height, or cannot be derived.
    Randomness,
    /// Anything else.
    Other,
}

impl RefusedReason {
    /// Whether asking again for the same height can never help: another vote is on record there, or it is barred.
    pub fn gives_height_up(&self) -> bool {
        match self {
            Self::DoubleSign { .. }
            | Self::OtherRandomness
            | Self::BelowWatermark(_)
            | Self::AboveWatermark(_) => true,
            Self::NoHistory | Self::UnknownKey | Self::Randomness | Self::Other => false,
        }
    }
}

impl From<SigningError> for SignerError {
    fn from(error: SigningError) -> Self {
        if error.is_fatal() { Self::Fatal(Box::new(error)) } else { Self::Refused((&error).into()) }
    }
}

impl From<&SigningError> for Refused {
    fn from(error: &SigningError) -> Self {
        let reason = match error {
            SigningError::NotSafe(reason) => not_safe(reason),
            SigningError::UnknownKey(_) => RefusedReason::UnknownKey,
            SigningError::Tree(_) => RefusedReason::Randomness,
            SigningError::Sign(_) | SigningError::Faulty(_) => RefusedReason::Other,
        };
        Self { reason, text: error.to_string() }
    }
}

fn not_safe(reason: &NotSafe) -> RefusedReason {
    match reason {
        NotSafe::DoubleSign { recorded, requested, .. } => {
            RefusedReason::DoubleSign { recorded: *recorded, requested: *requested }
        }
        NotSafe::OtherRandomness { .. } => RefusedReason::OtherRandomness,
        NotSafe::BelowWatermark { watermark, .. } => RefusedReason::BelowWatermark(*watermark),
        NotSafe::AboveWatermark { watermark, .. } => RefusedReason::AboveWatermark(*watermark),
        NotSafe::NoHistory { .. } => RefusedReason::NoHistory,
        NotSafe::NotDurable(_) | NotSafe::Poisoned => RefusedReason::Other,
    }
}

/// What the records of a manager say of a key on a chain.
pub(crate) fn history(manager: &EotsManager, subject: &Subject) -> History {
    let records = manager.records();
    History {
        initialised: records.has_history(subject),
        highest: records.highest(subject),
        low_watermark: records.watermark(subject),
        high_watermark: records.high_watermark(subject),
    }
}

/// Bars heights of a key that is held; records of any other key would grow without end.
pub(crate) fn raise_watermark(
    manager: &EotsManager,
    subject: &Subject,
    height: PosHeight,
) -> Result<(), SigningError> {
    if !manager.known_keys().contains(&subject.finality_provider) {
        return Err(SigningError::UnknownKey(subject.finality_provider));
    }
    Ok(manager.records().record_watermark(subject, height)?)
}

/// The manager's answer as it is told to a caller.
pub(crate) fn told(BatchAnswer { height, result }: BatchAnswer<SignedVote>) -> VoteAnswer {
    BatchAnswer { height, result: result.map_err(|error| (&error).into()) }
}

fn by(holder: Option<&str>) -> String {
    holder.map(|holder| format!(": {holder}")).unwrap_or_default()
}

/// Keys in this process. Every question computes or waits for the disk, so it is answered on a thread for that.
#[derive(Clone)]
pub struct Local(Arc<EotsManager>);

impl Local {
    /// Asks this manager.
    pub fn new(manager: Arc<EotsManager>) -> Self {
        Self(manager)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&EotsManager) -> Result<T, SigningError> + Send + 'static,
    ) -> Result<T, SignerError> {
        let manager = Arc::clone(&self.0);
        match tokio::task::spawn_blocking(move || work(&manager)).await {
            Ok(answer) => answer.map_err(Into::into),
            // A panic may have come between writing a record and remembering it.
            Err(broken) => Err(SignerError::Fatal(Box::new(broken))),
        }
    }
}

#[async_trait]
impl Signer for Local {
    async fn public_keys(&self) -> Result<Vec<FinalityProviderPublicKey>, SignerError> {
        Ok(self.0.public_keys())
    }

    async fn history(&self, subject: &Subject) -> Result<History, SignerError> {
        Ok(history(&self.0, subject))
    }

    async fn raise_watermark(&self, subject: &Subject, height: PosHeight) -> Result<(), SignerError> {
        let subject = subject.clone();
        self.run(move |manager| raise_watermark(manager, &subject, height)).await
    }

    async fn record_signed_elsewhere(
        &self,
        subject: &Subject,
        votes: Vec<VoteMessage>,
        watermark: PosHeight,
    ) -> Result<(), SignerError> {
        let subject = subject.clone();
        self.run(move |manager| manager.record_signed_elsewhere(&subject, &votes, watermark)).await
    }

    async fn vote_batch(
        &self,
        subject: &Subject,
        messages: Vec<VoteMessage>,
        range: CommittedRandomness,
    ) -> Result<Vec<VoteAnswer>, SignerError> {
        let subject = subject.clone();
        let answers = self.run(move |manager| manager.vote_batch(&subject, &messages, &range)).await?;
        Ok(answers.into_iter().map(told).collect())
    }

    async fn sign_commitment(
        &self,
        subject: &Subject,
        start: PosHeight,
        count: u64,
    ) -> Result<RandomnessCommitment, SignerError> {
        let subject = subject.clone();
        self.run(move |manager| manager.sign_commitment(&subject, start, count)).await
    }

    async fn check_commitment(
        &self,
        subject: &Subject,
        range: CommittedRandomness,
    ) -> Result<(), SignerError> {
        let subject = subject.clone();
        self.run(move |manager| manager.check_commitment(&subject, &range)).await
    }

    async fn sign_possession(
        &self,
        key: &FinalityProviderPublicKey,
        account: &AccountAddress,
    ) -> Result<ProofOfPossession, SignerError> {
        let (key, account) = (*key, account.clone());
        self.run(move |manager| manager.sign_possession(&key, &account)).await
    }
}
