//! The task that ends jailings by itself, where the configuration says so.

use super::{Brake, store_failed};
use crate::{
    control::Place,
    machine::unjail::{Action, Event, Observation, Unjailer},
    records::Records,
    status::Board,
};
use btc_staking_daemon::{
    clock::Clock,
    tasks::{Stop, TaskError},
};
use btc_staking_pos_chain::ports::ChainError;
use btc_staking_protocol::height::PosHeight;
use std::{sync::Arc, time::Duration};

/// What the task uses.
pub struct Warden {
    /// The provider, and who unjails it.
    pub place: Place,
    /// Most unjailings within 24 hours.
    pub max_per_day: u32,
    /// Between two looks.
    pub interval: Duration,
    /// Remembers unjailings.
    pub records: Records,
    /// Whether another signer was seen.
    pub brake: Arc<Brake>,
    /// Where it is shown why a jailing is not ended.
    pub board: Board,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Ends jailings until told to stop.
///
/// # Errors
/// [`TaskError::Fatal`] when an unjailing could not be recorded.
pub async fn run_unjailer(warden: Arc<Warden>, mut stop: Stop) -> Result<(), TaskError> {
    let subject = &warden.place.subject;
    let ended = warden.records.unjailings(subject).map_err(store_failed)?;
    let mut unjailer = Unjailer::new(warden.max_per_day, ended);
    while stop.sleep(warden.interval).await.is_ok() {
        // A node that does not answer is shown by the voter, which asks more often.
        let Ok(seen) = observe(&warden).await else { continue };
        let held_before = unjailer.hold().map(|hold| std::mem::discriminant(&hold));
        for Action::Unjail in unjailer.on_event(Event::Observed(seen)) {
            unjail(&warden, &mut unjailer).await?;
        }
        if let Some(hold) = unjailer.hold()
            && held_before != Some(std::mem::discriminant(&hold))
        {
            tracing::warn!(finality_provider = %subject.finality_provider, chain_id = %subject.chain_id, %hold, "jailed");
        }
        warden.board.show_unjailing(subject, unjailer.hold().map(|hold| hold.to_string()));
    }
    Ok(())
}

async fn observe(warden: &Warden) -> Result<Observation, ChainError> {
    let (chain, key) = (&warden.place.chain, &warden.place.subject.finality_provider);
    let record = chain.fetch_finality_provider(key).await?;
    let mut seen = Observation {
        now: warden.clock.since_epoch().as_secs(),
        jailed: record.as_ref().is_some_and(|record| record.jailed),
        slashed: record.is_some_and(|record| record.slashed.is_some()),
        evidence: false,
        other_signer: warden.brake.pulled_by().is_some(),
        jailed_until: None,
    };
    if seen.jailed {
        let evidences = chain.fetch_evidences(PosHeight::new(0)).await?;
        // What cannot be read might be about this key.
        seen.evidence = !evidences.malformed.is_empty()
            || evidences.items.iter().any(|evidence| evidence.finality_provider == *key);
        seen.jailed_until = chain.fetch_signing_info(key).await?.and_then(|info| info.jailed_until);
    }
    Ok(seen)
}

async fn unjail(warden: &Warden, unjailer: &mut Unjailer) -> Result<(), TaskError> {
    let subject = &warden.place.subject;
    let (finality_provider, chain_id) = (&subject.finality_provider, &subject.chain_id);
    let outcome = warden.place.unjail().await;
    let now = warden.clock.since_epoch().as_secs();
    match outcome {
        Ok(done) => {
            unjailer.on_event(Event::Ended(now));
            warden.records.record_unjailings(subject, unjailer.ended()).map_err(store_failed)?;
            tracing::warn!(%finality_provider, %chain_id, result = %done.result, "unjailed by policy");
        }
        Err(error) => {
            unjailer.on_event(Event::Failed(now));
            tracing::warn!(%finality_provider, %chain_id, %error, "unjailing failed");
        }
    }
    Ok(())
}
