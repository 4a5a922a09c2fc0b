//! The task behind an instance: it keeps the lease alive, takes a right over as soon as nobody has it, reads the votes of
//! the others while it stands by, and lets the engine forget old ones.
//!
//! It never decides about a signature. If it stands still, rights are lost and nothing else.

use super::{
    engine::{Engine, EngineError, Entry, LeaseId},
    protocol::{
        Campaign, Token, build_campaign, build_check, build_eviction, build_forget, build_look, build_raise,
        build_release, read_campaign, read_check, read_look, values::Instance,
    },
    seat::Seat,
    signer::{Standby, Trouble},
};
use btc_staking_daemon::tasks::{Stop, TaskError};
use btc_staking_eots_manager::{
    records::{RECENT_HEIGHTS, Subject},
    signer::SignerError,
};
use btc_staking_protocol::height::PosHeight;
use futures::future::join_all;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Subjects looked after at once.
const SUBJECTS_AT_ONCE: usize = 16;
/// Looks between two readings of the others' votes, and between two that let the engine forget.
const LOOKS_PER_READING: u32 = 4;
const LOOKS_PER_FORGETTING: u32 = 240;

/// Heights whose votes are kept in the engine, below the highest: as many as an instance's own records keep.
const KEPT: u64 = RECENT_HEIGHTS as u64;

/// Looks after an instance until told to stop, then ends its lease, so that another takes over at once.
///
/// # Errors
/// [`TaskError::Fatal`] when a record could not be made durable.
pub async fn run_keeper(standby: Arc<Standby>, stop: Stop) -> Result<(), TaskError> {
    let keeper = Keeper { standby, lease: Mutex::new(None) };
    let kept = tokio::select! {
        kept = keeper.keep_lease(stop.clone()) => kept,
        kept = keeper.keep_seats(stop) => kept,
    };
    if let Some(lease) = keeper.lease()
        && let Err(error) = keeper.standby.engine.revoke(lease).await
    {
        tracing::warn!(%error, "the lease was not ended; another instance takes over when it runs out");
    }
    kept
}

struct Keeper {
    standby: Arc<Standby>,
    lease: Mutex<Option<LeaseId>>,
}

impl Keeper {
    async fn keep_lease(&self, mut stop: Stop) -> Result<(), TaskError> {
        let Standby { engine, lease: life, .. } = &*self.standby;
        while !stop.is_stopping() {
            let kept = match self.lease() {
                None => self.begin_lease().await,
                Some(lease) => match engine.keep_alive(lease).await {
                    Ok(true) => Ok(()),
                    Ok(false) => {
                        self.lost(lease);
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            if let Err(error) = kept {
                tracing::warn!(%error, "the lease could not be kept alive");
            }
            engine.record().map_err(TaskError::fatal)?;
            if stop.sleep(*life / 5).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn begin_lease(&self) -> Result<(), EngineError> {
        let Standby { engine, lease: life, entropy, .. } = &*self.standby;
        let random = entropy.next_u64().map_err(|error| EngineError::Refused(error.to_string()))?;
        // Positive, and not 0, which asks the engine to choose.
        let lease = LeaseId(i64::try_from(random >> 1).unwrap_or(i64::MAX).max(1));
        engine.grant(lease, *life).await?;
        *self.lock() = Some(lease);
        Ok(())
    }

    fn lost(&self, lease: LeaseId) {
        let mut current = self.lock();
        if *current == Some(lease) {
            tracing::warn!("the lease ran out");
            *current = None;
        }
    }

    fn lease(&self) -> Option<LeaseId> {
        *self.lock()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<LeaseId>> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep_seats(&self, mut stop: Stop) -> Result<(), TaskError> {
        let every = (self.standby.lease / 10).clamp(Duration::from_millis(100), Duration::from_secs(1));
        let mut looks = 0_u32;
        while !stop.is_stopping() {
            match self.look().await {
                Ok(holders) => {
                    self.standby.set_trouble(None);
                    self.look_after_all(&holders, looks).await?;
                }
                Err(error) => {
                    tracing::warn!(%error, "it is not known who may sign");
                    self.standby.set_trouble(Some(error));
                }
            }
            looks = looks.wrapping_add(1);
            if stop.sleep(every).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn look(&self) -> Result<BTreeMap<String, Entry>, EngineError> {
        let committed = self.standby.engine.commit(build_look(&self.standby.prefix)).await?;
        let holders = read_look(committed).map_err(|error| EngineError::Broken(error.to_string()))?;
        Ok(holders.into_iter().map(|entry| (entry.key.clone(), entry)).collect())
    }

    async fn look_after_all(&self, holders: &BTreeMap<String, Entry>, looks: u32) -> Result<(), TaskError> {
        for subjects in self.standby.seats.subjects().chunks(SUBJECTS_AT_ONCE) {
            let work = subjects.iter().map(|subject| {
                let holder = holders.get(&self.standby.keys(subject).holder);
                self.look_after_or_tell(subject, holder, looks)
            });
            join_all(work).await.into_iter().collect::<Result<(), _>>()?;
        }
        Ok(())
    }

    async fn look_after_or_tell(
        &self,
        subject: &Subject,
        holder: Option<&Entry>,
        looks: u32,
    ) -> Result<(), TaskError> {
        match self.look_after(subject, holder, looks).await {
            Err(Trouble::Signer(error @ SignerError::Fatal(_))) => Err(TaskError::fatal(error)),
            Err(error) => {
                tracing::debug!(
                    finality_provider = %subject.finality_provider,
                    chain_id = %subject.chain_id,
                    %error,
                    "a seat was not looked after"
                );
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn look_after(&self, subject: &Subject, holder: Option<&Entry>, looks: u32) -> Result<(), Trouble> {
        let standby = &*self.standby;
        match (standby.seats.get(subject), holder) {
            (Seat::Barred(_), entry) => self.step_aside(subject, entry, looks).await,
            (Seat::Held(token), Some(entry)) if is_ours(&token, entry) => {
                if looks % LOOKS_PER_FORGETTING == LOOKS_PER_FORGETTING - 1 {
                    self.forget(subject, &token).await?;
                }
                Ok(())
            }
            (seat, Some(entry)) => {
                let holder = Instance::parse(entry)?;
                if let Seat::Held(token) = seat {
                    standby.seats.lose(subject, &token, Some(holder.clone()));
                }
                self.stand_by(subject, holder, looks).await
            }
            (seat, None) => {
                if let Seat::Held(token) = seat {
                    standby.seats.lose(subject, &token, None);
                }
                self.take_over(subject).await
            }
        }
    }

    /// Of an instance that must not sign: what it signed, the others must not sign otherwise, and they may take over.
    async fn step_aside(&self, subject: &Subject, holder: Option<&Entry>, looks: u32) -> Result<(), Trouble> {
        let (standby, keys) = (&*self.standby, self.standby.keys(subject));
        let parsed = holder.map(Instance::parse).transpose()?;
        let ours = parsed.filter(|holder| *holder == standby.me).zip(holder);
        if ours.is_none() && !looks.is_multiple_of(LOOKS_PER_READING) {
            return Ok(());
        }
        if let Some(highest) = standby.inner.history(subject).await?.highest {
            standby.engine.commit(build_raise(&keys, highest)).await?;
        }
        if let Some((holder, entry)) = ours {
            let token = Token { created: entry.created, value: holder.to_text() };
            standby.engine.commit(build_release(&keys, &token)).await?;
        }
        Ok(())
    }

    async fn stand_by(&self, subject: &Subject, holder: Instance, looks: u32) -> Result<(), Trouble> {
        let standby = &*self.standby;
        if holder.home == standby.me.home {
            // An earlier run of this data directory, or this one, whose answer was lost.
            if let Some(txn) = build_eviction(&standby.keys(subject), &standby.me, &holder) {
                standby.engine.commit(txn).await?;
            }
            return self.take_over(subject).await;
        }
        let before = standby.seats.set(subject, Seat::Taken(holder.clone()));
        if before != Seat::Taken(holder.clone()) {
            tracing::info!(
                finality_provider = %subject.finality_provider,
                chain_id = %subject.chain_id,
                holder = %holder.name,
                "standing by"
            );
        }
        if looks.is_multiple_of(LOOKS_PER_READING) {
            let own = standby.inner.history(subject).await?;
            standby.read_votes_above(subject, None, own.highest).await?;
        }
        Ok(())
    }

    /// Gets the right, reads every vote the engine has, and only then lets anything be signed.
    async fn take_over(&self, subject: &Subject) -> Result<(), Trouble> {
        let standby = &*self.standby;
        let Some(lease) = self.lease() else { return Ok(()) };
        let txn = build_campaign(&standby.keys(subject), &standby.me, lease);
        let committed = match standby.engine.commit(txn).await {
            // Whatever it refuses, a lease that is gone is the one reason that is mended here.
            Err(error @ EngineError::Refused(_)) => {
                self.lost(lease);
                return Err(error.into());
            }
            answer => answer?,
        };
        let token = match read_campaign(&standby.me, committed)? {
            Campaign::Won(token) => token,
            Campaign::Held(holder) => {
                standby.seats.set(subject, Seat::Taken(holder));
                return Ok(());
            }
            Campaign::NotInitialised => {
                standby.seats.set(subject, Seat::NotInitialised);
                return Ok(());
            }
        };
        // Read before the engine: own records only ever follow it.
        let own = standby.inner.history(subject).await?;
        let shared = standby.read_votes_above(subject, Some(&token), own.low_watermark).await?;
        let seat = match shared {
            None => Seat::NotInitialised,
            Some(shared) if own.highest > Some(shared) => Seat::Barred(lags(own.highest, shared)),
            Some(_) => Seat::Held(token),
        };
        let (finality_provider, chain_id) = (&subject.finality_provider, &subject.chain_id);
        match &seat {
            Seat::Barred(why) => tracing::error!(%finality_provider, %chain_id, "{why}"),
            _ => tracing::info!(%finality_provider, %chain_id, "took over the right to sign"),
        }
        standby.engine.record().map_err(|error| SignerError::Fatal(Box::new(error)))?;
        standby.seats.set(subject, seat);
        Ok(())
    }

    /// Lets the engine forget votes below the last [`KEPT`] heights, a page at a time.
    async fn forget(&self, subject: &Subject, token: &Token) -> Result<(), Trouble> {
        let standby = &*self.standby;
        let keys = standby.keys(subject);
        let highest = standby.inner.history(subject).await?.highest;
        let Some(bound) = highest.and_then(|highest| highest.checked_sub(KEPT)) else { return Ok(()) };
        loop {
            let committed = standby.engine.commit(build_check(&keys, token, None)).await?;
            let super::protocol::Fenced::Held(Some(shared)) = read_check(&keys, committed)? else {
                return Ok(());
            };
            // Not for a few: a whole page, unless fewer are left below the bound.
            let oldest = shared.votes.last().map(|vote| vote.message.height);
            let Some(to) = oldest.filter(|_| shared.more).map(|oldest| oldest.min(bound)) else {
                return Ok(());
            };
            if shared.votes.first().is_none_or(|first| first.message.height > to) {
                return Ok(());
            }
            let done = standby.engine.commit(build_forget(&keys, token, shared.low_modified, to)).await?;
            if !done.answers.succeeded || to == bound {
                return Ok(());
            }
        }
    }
}

fn is_ours(token: &Token, entry: &Entry) -> bool {
    entry.created == token.created && entry.value == token.value.as_bytes()
}

fn lags(own: Option<PosHeight>, shared: PosHeight) -> String {
    format!(
        "the own sign records reach height {} and etcd knows only of height {}: etcd lost votes, as it does when it is \
         restored from a backup, or this instance signed outside the pair; see \"An etcd that lost its memory\" in the guide",
        own.map_or(0, PosHeight::to_u64),
        shared.to_u64()
    )
}

#[cfg(test)]
mod tests;
