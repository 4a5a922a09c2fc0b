//! Who holds the EOTS keys: this process, or the one that `[signer]` names.

use super::records_failure;
use crate::{config::Config, control::Prover};
use btc_staking_daemon::{
    backoff::{Backoff, Policy},
    cli::{Exit, FailWith, Failure},
    clock::{Clock, SystemClock},
    entropy::{Entropy, OsEntropy},
    keyfile::Strength,
    passphrase::Passphrase,
    tasks::Signals,
};
use btc_staking_eots_manager::{
    keyfiles::{load_key, peek_key},
    manager::EotsManager,
    records::SignRecords,
    signer::{Local, Signer, SignerError},
};
use btc_staking_protocol::keys::FinalityProviderPublicKey;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

/// Opens sign records and keys, unless another process holds them: then nothing of that is touched here.
pub fn open_signer(config: &Config, words: &Passphrase) -> Result<Arc<dyn Signer>, Failure> {
    if let Some(address) = &config.signer {
        return Ok(Arc::new(address.open(system_clock()).fail_with(Exit::Usage)?));
    }
    // The records first: they are the lock that keeps a second signer out.
    let records = SignRecords::open(&config.data_dir).map_err(records_failure)?;
    let mut keys = Vec::new();
    for file in &config.eots_key_files {
        keys.push(load_key(file, words, Strength::Required).fail_with(Exit::Refused)?);
    }
    Ok(Arc::new(Local::new(Arc::new(EotsManager::new(records, keys)))))
}

/// Asks which keys there are, until there are any: a signer that starts after this process is no failure. `None` when
/// told to stop meanwhile.
pub async fn fetch_keys(
    signer: &dyn Signer,
    signals: &mut Signals,
) -> Result<Option<Vec<FinalityProviderPublicKey>>, Failure> {
    let mut backoff = Backoff::new(Policy::default());
    loop {
        let Ok(answer) = signals.race(signer.public_keys()).await else { return Ok(None) };
        let why = match answer {
            Ok(keys) if keys.is_empty() => "the signer has no unlocked key".to_owned(),
            Ok(keys) => return Ok(Some(keys)),
            Err(error @ SignerError::Fatal(_)) => return Err(Failure::new(Exit::Failure, error)),
            Err(error) => error.to_string(),
        };
        tracing::warn!(reason = %why, "waiting for the keys of the signer");
        let wait = tokio::time::sleep(backoff.next(OsEntropy.next_u64().unwrap_or(0)));
        if signals.race(wait).await.is_err() {
            return Ok(None);
        }
    }
}

/// Who holds a key.
pub enum Holder {
    /// This file.
    File(PathBuf),
    /// The process that `[signer]` names.
    Elsewhere(Arc<dyn Signer>),
}

/// Every key that is configured, and who holds it.
pub async fn fetch_holders(config: &Config) -> Result<BTreeMap<FinalityProviderPublicKey, Holder>, Failure> {
    let mut held = BTreeMap::new();
    for file in &config.eots_key_files {
        held.insert(peek_key(file).fail_with(Exit::Usage)?, Holder::File(file.clone()));
    }
    if let Some(address) = &config.signer {
        let signer: Arc<dyn Signer> = Arc::new(address.open(system_clock()).fail_with(Exit::Usage)?);
        for key in signer.public_keys().await.fail_with(Exit::Unreachable)? {
            held.insert(key, Holder::Elsewhere(Arc::clone(&signer)));
        }
    }
    Ok(held)
}

impl Holder {
    /// Opens what can prove that the key agrees to an account.
    pub fn into_prover(self, words: &Passphrase) -> Result<Prover, Failure> {
        match self {
            Self::File(file) => {
                let secret = load_key(&file, words, Strength::Required).fail_with(Exit::Refused)?;
                Ok(Prover::Key(Box::new(secret)))
            }
            Self::Elsewhere(signer) => Ok(Prover::Signer(signer)),
        }
    }
}

fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}
