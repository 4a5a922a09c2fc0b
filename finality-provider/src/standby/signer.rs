//! A signer that asks the engine before the one inside.
//!
//! Two locks, one after the other: the engine commits to a message for a height, then the sign records of the signer
//! inside do, then the signature is made. A message that either does not hold is not signed.

use super::{
    engine::{Engine, EngineError},
    protocol::{
        Claim, Fenced, MAX_HEIGHTS, ProtocolError, Shared, Token, build_check, build_history, build_raise,
        build_votes,
        names::{Keys, Prefix},
        read_check, read_history, read_low, read_votes,
        values::{Instance, InstanceName},
    },
    seat::{Seat, Seats, refused as refused_text},
    seen::Watched,
};
use crate::records::Records;
use async_trait::async_trait;
use btc_staking_daemon::entropy::{Entropy, EntropyError};
use btc_staking_eots_manager::{
    manager::BatchAnswer,
    records::Subject,
    signer::{History, Refused, RefusedReason, Signer, SignerError, VoteAnswer},
};
use btc_staking_protocol::{
    finality::{
        randomness::{CommittedRandomness, RandomnessCommitment},
        vote::VoteMessage,
    },
    height::PosHeight,
    keys::{AccountAddress, FinalityProviderPublicKey},
    possession::ProofOfPossession,
};
use btc_staking_store::StoreError;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use thiserror::Error;

/// What an instance is made of.
pub struct Setup {
    /// Holds the keys and their sign records.
    pub inner: Arc<dyn Signer>,
    /// Shared with the other instances.
    pub engine: Arc<dyn Engine>,
    /// Where in the engine.
    pub prefix: Prefix,
    /// Of this instance.
    pub name: InstanceName,
    /// Life of its lease.
    pub lease: Duration,
    /// The keys and chains it signs for.
    pub subjects: Vec<Subject>,
    /// The daemon's store.
    pub records: Records,
    /// For identities and leases.
    pub entropy: Arc<dyn Entropy>,
}

/// An instance of a pair.
pub struct Standby {
    pub(super) inner: Arc<dyn Signer>,
    pub(super) engine: Watched,
    pub(super) prefix: Prefix,
    pub(super) me: Instance,
    pub(super) lease: Duration,
    pub(super) seats: Seats,
    /// Why the keeper could not ask who may sign, the last time it tried.
    trouble: Mutex<Option<EngineError>>,
    pub(super) entropy: Arc<dyn Entropy>,
}

/// An instance could not be made.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No randomness for its identity.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// Why a question to the engine has no answer.
#[derive(Debug, Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    #[error(transparent)]
    Signer(#[from] SignerError),
}

impl From<Trouble> for SignerError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Engine(error @ EngineError::NotTheSame(_)) => refused_text(&error.to_string()),
            Trouble::Engine(error) => Self::Unreachable(error.to_string()),
            Trouble::Protocol(error) => refused_text(&error.to_string()),
            Trouble::Signer(error) => error,
        }
    }
}

impl Standby {
    /// An instance that has no right yet; [`run_keeper`](super::run_keeper) gets it one.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(setup: Setup) -> Result<Self, SetupError> {
        let Setup { inner, engine, prefix, name, lease, subjects, records, entropy } = setup;
        let (mut home, mut run) = ([0; 16], [0; 16]);
        entropy.fill(&mut home)?;
        entropy.fill(&mut run)?;
        let engine = Watched::open(engine, records, home)?;
        let me = Instance { name, home: engine.home(), run };
        Ok(Self {
            inner,
            engine,
            prefix,
            me,
            lease,
            seats: Seats::new(subjects),
            trouble: Mutex::default(),
            entropy,
        })
    }

    /// How it stands with a subject.
    pub fn seat(&self, subject: &Subject) -> Seat {
        self.seats.get(subject)
    }

    /// Notes whether the engine answered the keeper.
    pub(super) fn set_trouble(&self, trouble: Option<EngineError>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// The right to sign, or why there is none: what the engine said last, unless it says nothing any more.
    fn token(&self, subject: &Subject) -> Result<Token, SignerError> {
        let trouble = || self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (self.seats.token(subject), trouble()) {
            (Err(SignerError::Standby { .. }), Some(trouble)) => Err(Trouble::from(trouble).into()),
            (token, _) => token,
        }
    }

    pub(super) fn keys(&self, subject: &Subject) -> Keys {
        self.prefix.keys(subject)
    }

    /// Reads the engine's votes above a height into the own records, and returns the highest height that the engine
    /// knows of, low watermark included; `None` where the subject is not initialised. With a token only as long as that
    /// is good.
    pub(super) async fn read_votes_above(
        &self,
        subject: &Subject,
        token: Option<&Token>,
        mut above: Option<PosHeight>,
    ) -> Result<Option<PosHeight>, Trouble> {
        let keys = self.keys(subject);
        let mut highest = above;
        loop {
            let Some(shared) = self.fetch_page(subject, &keys, token, above).await? else { return Ok(None) };
            let last = shared.votes.last().map(|vote| vote.message.height);
            highest = highest.max(last).max(Some(shared.low));
            let more = shared.more;
            self.record_page(subject, shared).await?;
            if !more {
                return Ok(highest);
            }
            above = last;
        }
    }

    async fn fetch_page(
        &self,
        subject: &Subject,
        keys: &Keys,
        token: Option<&Token>,
        above: Option<PosHeight>,
    ) -> Result<Option<Shared>, Trouble> {
        let Some(token) = token else {
            let committed = self.engine.commit(build_history(keys, above)).await?;
            return Ok(read_history(keys, committed)?);
        };
        let committed = self.engine.commit(build_check(keys, token, above)).await?;
        Ok(self.still_held(subject, token, read_check(keys, committed)?)?)
    }

    /// Takes the votes of a page into the own records. A vote that contradicts them bars this instance.
    async fn record_page(&self, subject: &Subject, shared: Shared) -> Result<(), SignerError> {
        let votes = shared.votes.iter().map(|vote| vote.message).collect();
        let recorded = self.inner.record_signed_elsewhere(subject, votes, shared.low).await;
        if let Err(SignerError::Refused(Refused { reason: RefusedReason::DoubleSign { .. }, text })) =
            &recorded
        {
            let why = format!(
                "etcd holds another vote than the sign records of this instance, so the key signed outside the pair or etcd was \
                 edited: {text}; stop every instance and find out which vote left"
            );
            tracing::error!(finality_provider = %subject.finality_provider, chain_id = %subject.chain_id, "{why}");
            self.seats.set(subject, Seat::Barred(why));
        }
        recorded
    }

    fn still_held<T>(&self, subject: &Subject, token: &Token, answer: Fenced<T>) -> Result<T, SignerError> {
        match answer {
            Fenced::Held(answer) => Ok(answer),
            Fenced::Lost(holder) => {
                tracing::warn!(
                    finality_provider = %subject.finality_provider,
                    chain_id = %subject.chain_id,
                    holder = holder.as_ref().map(|holder| holder.name.to_string()),
                    "the right to sign was lost"
                );
                self.seats.lose(subject, token, holder.clone());
                Err(SignerError::Standby { holder: holder.map(|holder| holder.name.to_string()) })
            }
        }
    }

    /// Claims each message's height in the engine, and says what came of it.
    async fn claim(
        &self,
        subject: &Subject,
        messages: &[VoteMessage],
    ) -> Result<BTreeMap<PosHeight, Claim>, SignerError> {
        let token = self.token(subject)?;
        let keys = self.keys(subject);
        let mut claims = BTreeMap::new();
        for messages in messages.chunks(MAX_HEIGHTS) {
            let txn = build_votes(&keys, &token, messages, &self.me.name);
            let committed = self.engine.commit(txn).await.map_err(Trouble::from)?;
            let answer = read_votes(&keys, messages, committed).map_err(Trouble::from)?;
            let heights = messages.iter().map(|message| message.height);
            claims.extend(heights.zip(self.still_held(subject, &token, answer)?));
        }
        Ok(claims)
    }
}

#[async_trait]
impl Signer for Standby {
    async fn public_keys(&self) -> Result<Vec<FinalityProviderPublicKey>, SignerError> {
        self.inner.public_keys().await
    }

    /// What the engine and the own records say together, if this instance has the right to sign. Whatever an instance
    /// submitted before this was asked is part of it.
    async fn history(&self, subject: &Subject) -> Result<History, SignerError> {
        let token = self.token(subject)?;
        let own = self.inner.history(subject).await?;
        let shared = self.read_votes_above(subject, Some(&token), own.highest).await?;
        let now = self.inner.history(subject).await?;
        Ok(History { highest: now.highest.max(shared), ..now })
    }

    async fn raise_watermark(&self, subject: &Subject, height: PosHeight) -> Result<(), SignerError> {
        self.token(subject)?;
        let committed =
            self.engine.commit(build_raise(&self.keys(subject), height)).await.map_err(Trouble::from)?;
        read_low(committed).map_err(Trouble::from)?;
        self.inner.raise_watermark(subject, height).await
    }

    async fn record_signed_elsewhere(
        &self,
        subject: &Subject,
        votes: Vec<VoteMessage>,
        watermark: PosHeight,
    ) -> Result<(), SignerError> {
        self.inner.record_signed_elsewhere(subject, votes, watermark).await
    }

    async fn vote_batch(
        &self,
        subject: &Subject,
        messages: Vec<VoteMessage>,
        range: CommittedRandomness,
    ) -> Result<Vec<VoteAnswer>, SignerError> {
        // Of several messages for one height the first is claimed.
        let first: BTreeMap<_, _> = messages.iter().rev().map(|message| (message.height, *message)).collect();
        let claims = self.claim(subject, &first.values().copied().collect::<Vec<_>>()).await?;
        let refused: Vec<_> = messages.iter().map(|message| refusal(message, &first, &claims)).collect();
        let won = messages.iter().zip(&refused).filter(|(_, refused)| refused.is_none());
        let won: Vec<_> = won.map(|(message, _)| *message).collect();
        let signed =
            if won.is_empty() { Vec::new() } else { self.inner.vote_batch(subject, won, range).await? };
        let mut signed = signed.into_iter();
        let answers = messages.iter().zip(refused).map(|(message, refused)| match refused {
            Some(refused) => Some(BatchAnswer { height: message.height, result: Err(refused) }),
            None => signed.next().filter(|answer| answer.height == message.height),
        });
        answers.collect::<Option<_>>().ok_or_else(|| refused_text("the signer did not answer every vote"))
    }

    async fn sign_commitment(
        &self,
        subject: &Subject,
        start: PosHeight,
        count: u64,
    ) -> Result<RandomnessCommitment, SignerError> {
        let token = self.token(subject)?;
        let keys = self.keys(subject);
        let nothing = Some(PosHeight::new(u64::MAX));
        self.fetch_page(subject, &keys, Some(&token), nothing).await?;
        self.inner.sign_commitment(subject, start, count).await
    }

    async fn check_commitment(
        &self,
        subject: &Subject,
        range: CommittedRandomness,
    ) -> Result<(), SignerError> {
        self.inner.check_commitment(subject, range).await
    }

    async fn sign_possession(
        &self,
        key: &FinalityProviderPublicKey,
        account: &AccountAddress,
    ) -> Result<ProofOfPossession, SignerError> {
        self.inner.sign_possession(key, account).await
    }
}

/// Why the engine does not allow a vote; `None` if it does.
fn refusal(
    requested: &VoteMessage,
    first: &BTreeMap<PosHeight, VoteMessage>,
    claims: &BTreeMap<PosHeight, Claim>,
) -> Option<Refused> {
    let height = requested.height;
    let double_sign = |recorded: VoteMessage, by: &str| Refused {
        reason: RefusedReason::DoubleSign { recorded, requested: *requested },
        text: format!(
            "double sign refused at height {}: {by} was allowed app hash {}, asked to sign {}",
            height.to_u64(),
            hex::encode(recorded.app_hash),
            hex::encode(requested.app_hash)
        ),
    };
    match claims.get(&height) {
        Some(Claim::Won) => first
            .get(&height)
            .filter(|first| *first != requested)
            .map(|first| double_sign(*first, "this instance")),
        Some(Claim::Taken(stored)) => Some(double_sign(stored.message, &stored.by)),
        Some(Claim::Barred { low }) => Some(Refused {
            reason: RefusedReason::BelowWatermark(*low),
            text: format!(
                "height {} is not above the low watermark {} that the instances share",
                height.to_u64(),
                low.to_u64()
            ),
        }),
        None => {
            let text = format!("height {} was not claimed in the engine", height.to_u64());
            Some(Refused { reason: RefusedReason::Other, text })
        }
    }
}
