//! `finality-provider.db`, the database of the Go vote daemon. Of all it holds only the last heights voted for matter:
//! its proofs are recomputed, and everything else is the chain's to say.
//!
//! Bucket `finalityProviders`: public key -> {1 address, 2 public key, 5 chain id, 6 last height voted for}.

use super::{
    bolt::{Database, ReadAt},
    eots_db::{LegacyDbError, entry_error, open_locked, value_error},
    fields::Fields,
};
use crate::records::Subject;
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};
use std::path::Path;

const BUCKET: &[u8] = b"finalityProviders";
const NAME: &str = "finalityProviders";
const MAX_PROVIDERS: usize = 10_000;

/// What the Go vote daemon knew of one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyProvider {
    /// Key and chain.
    pub subject: Subject,
    /// Address of the account that registered.
    pub address: String,
    /// The highest height it says it voted for; `None` before the first vote.
    pub last_voted_height: Option<PosHeight>,
}

/// Reads the providers of a database, ascending by key, while the Go vote daemon is kept out.
///
/// # Errors
/// [`LegacyDbError`].
pub fn read_providers(path: &Path) -> Result<Vec<LegacyProvider>, LegacyDbError> {
    providers_of(&open_locked(path)?)
}

/// Reads the providers of a database that nobody can be writing, ascending by key.
///
/// # Errors
/// [`LegacyDbError`].
pub fn providers_of<R: ReadAt>(database: &Database<R>) -> Result<Vec<LegacyProvider>, LegacyDbError> {
    let mut providers = Vec::new();
    let Some(bucket) = database.bucket(BUCKET)? else {
        return Ok(providers);
    };
    database.for_each(&bucket, |key, value| {
        if providers.len() >= MAX_PROVIDERS {
            return Err(LegacyDbError::TooMany { bucket: NAME, most: MAX_PROVIDERS });
        }
        providers.push(decode_provider(key, value)?);
        Ok(())
    })?;
    Ok(providers)
}

fn decode_provider(key: &[u8], value: &[u8]) -> Result<LegacyProvider, LegacyDbError> {
    let failed = |error| value_error(NAME, key, error);
    let fields = Fields::parse(value).map_err(failed)?;
    let text = |number, what| {
        let bytes = fields.bytes(number).map_err(failed)?;
        std::str::from_utf8(bytes).map_err(|_| entry_error(NAME, key, what))
    };
    let finality_provider = FinalityProviderPublicKey::from_slice(key)
        .map_err(|_| entry_error(NAME, key, "the key is no x-only public key"))?;
    let chain_id = text(5, "the chain id is not UTF-8")?
        .parse()
        .map_err(|_| entry_error(NAME, key, "it names no chain id"))?;
    let last = fields.number(6).map_err(failed)?;
    Ok(LegacyProvider {
        subject: Subject { finality_provider, chain_id },
        address: text(1, "the address is not UTF-8")?.to_owned(),
        last_voted_height: (last > 0).then_some(PosHeight::new(last)),
    })
}
