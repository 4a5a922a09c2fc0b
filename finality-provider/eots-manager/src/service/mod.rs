//! What other processes may ask of the signer: `proto.EOTSManager`, method for method (`finality-provider.md` 4.1).
//!
//! A finality provider of the established software works on this service unchanged. Every EOTS signature takes the one
//! way there is, through the sign records. Where the established server is laxer than a signer should be, this one
//! refuses:
//!
//! | asked for | answer here |
//! |---|---|
//! | a vote that is not 40 bytes, or whose first 8 are not its height | InvalidArgument; there it is signed |
//! | a chain id that is empty, longer than 62 bytes or not UTF-8 | InvalidArgument; there any bytes do |
//! | the unsafe method | PermissionDenied, always |
//! | a name for a key that is not held | Unknown; there any key is named |
//! | a backup outside one configured folder | PermissionDenied; there anywhere |
//! | more than [`MAX_BATCH`] votes at a time | InvalidArgument |
//!
//! Unlocking an unlocked key with the right passphrase succeeds. BIP-340 signatures are deterministic in both, with
//! different nonces, so their bytes differ and both verify.

mod backup;
pub mod call;
mod own;
pub mod proto;
mod refusal;
mod vault;
mod votes;

pub use backup::{BackupFolder, BackupRefused};
pub use call::{Call, Method};
pub use own::{OWN_SERVICE, OwnCall, OwnMethod};
pub use refusal::Refusal;
pub use vault::{Vault, VaultError};
pub use votes::MAX_BATCH;

use crate::{manager::EotsManager, records::Subject};
use bitcoin::secp256k1::PublicKey;
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};
use prost::Message;
use proto::{
    BackupRequest, BackupResponse, CreateRandomnessPairListRequest, CreateRandomnessPairListResponse, Empty,
    SaveEotsKeyNameRequest, SignSchnorrSigRequest, SignSchnorrSigResponse, UnlockKeyRequest,
};
use std::{
    collections::BTreeMap,
    num::NonZeroU64,
    sync::{Arc, Mutex, PoisonError},
};
use tonic::Code;

/// Longest name of a key, in bytes.
const MAX_NAME: usize = 256;

/// How a caller came in, as far as the methods care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A local process of the same user, over a Unix socket.
    Local,
    /// Mutual TLS, with a MAC on every request.
    Encrypted,
    /// Loopback in the clear, with a MAC on every request.
    Clear,
    /// Loopback in the clear, with a MAC that is good for any method and any number of times.
    Replayable,
}

/// The service. Synchronous: a call may wait for the disk.
pub struct Service {
    manager: Arc<EotsManager>,
    vault: Vault,
    backups: Option<BackupFolder>,
    /// Names are shown to nobody and are no authority; kept so that a name given twice is answered as expected.
    names: Mutex<BTreeMap<FinalityProviderPublicKey, String>>,
}

impl Service {
    /// Serves a signer. Without a folder there are no backups.
    pub fn new(manager: Arc<EotsManager>, vault: Vault, backups: Option<BackupFolder>) -> Self {
        Self { manager, vault, backups, names: Mutex::default() }
    }

    /// The signer.
    pub fn manager(&self) -> &Arc<EotsManager> {
        &self.manager
    }

    /// Answers a call of somebody who may call, with the encoded answer.
    ///
    /// # Errors
    /// [`Refusal`]. After one that is fatal the process must stop.
    pub fn answer(&self, call: &Call, origin: Origin) -> Result<Vec<u8>, Refusal> {
        match call {
            Call::Ping(_) => Ok(Empty {}.encode_to_vec()),
            Call::CreateRandomnessPairList(request) => self.randomness(request),
            Call::SignEots(request) => self.sign_vote(request),
            Call::UnsafeSignEots(_) => {
                Err(Refusal::new(Code::PermissionDenied, "this signer has no unsafe way to sign"))
            }
            Call::SignBatchEots(request) => self.sign_votes(request),
            Call::SignSchnorrSig(request) => self.sign_digest(request),
            Call::SaveEotsKeyName(request) => self.name_key(request),
            Call::UnlockKey(request) => self.unlock(request, origin),
            Call::Backup(request) => self.back_up(request),
            Call::Own(call) => self.answer_own(call, origin),
        }
    }

    fn randomness(&self, request: &CreateRandomnessPairListRequest) -> Result<Vec<u8>, Refusal> {
        let subject = self.subject(&request.uid, &request.chain_id)?;
        let interval = request.interval.and_then(NonZeroU64::new).unwrap_or(NonZeroU64::MIN);
        let start = PosHeight::new(request.start_height);
        let values = self.manager.sparse_randomness(&subject, start, interval, request.num)?;
        let pub_rand_list = values.iter().map(|value| value.to_bytes().to_vec()).collect();
        Ok(CreateRandomnessPairListResponse { pub_rand_list }.encode_to_vec())
    }

    fn sign_digest(&self, request: &SignSchnorrSigRequest) -> Result<Vec<u8>, Refusal> {
        let key = self.key(&request.uid)?;
        let wrong =
            |_| Refusal::unknown(format!("the message has {} bytes, it must have 32", request.msg.len()));
        let digest: &[u8; 32] = request.msg.as_slice().try_into().map_err(wrong)?;
        let sig = self.manager.sign_digest(&key, digest)?.to_vec();
        Ok(SignSchnorrSigResponse { sig }.encode_to_vec())
    }

    fn name_key(&self, request: &SaveEotsKeyNameRequest) -> Result<Vec<u8>, Refusal> {
        let key = PublicKey::from_slice(&request.eots_pk)
            .map_err(|_| Refusal::unknown("eots_pk is no public key of 33 or 65 bytes"))?;
        let key = FinalityProviderPublicKey::new(key.x_only_public_key().0);
        if request.key_name.is_empty() || request.key_name.len() > MAX_NAME {
            return Err(Refusal::unknown(format!("a key name has 1 to {MAX_NAME} bytes")));
        }
        if !self.vault.holds(&key) {
            return Err(Refusal::unknown(format!(
                "no key file of {key} is configured here; import the key into this signer first"
            )));
        }
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.contains_key(&key) || names.values().any(|name| *name == request.key_name) {
            return Err(Refusal::unknown("this key has a name already, or this name a key"));
        }
        names.insert(key, request.key_name.clone());
        Ok(Empty {}.encode_to_vec())
    }

    fn unlock(&self, request: &UnlockKeyRequest, origin: Origin) -> Result<Vec<u8>, Refusal> {
        match origin {
            Origin::Local | Origin::Encrypted => {}
            Origin::Clear | Origin::Replayable => {
                let why = "a passphrase is taken over the Unix socket or mutual TLS only, this connection is not \
                           private";
                return Err(Refusal::new(Code::PermissionDenied, why));
            }
        }
        let key = any_key(&request.uid)?;
        let secret = self.vault.open(&key, &request.passphrase).map_err(Refusal::unknown)?;
        self.manager.unlock(secret)?;
        tracing::info!(finality_provider = %key, "key unlocked");
        Ok(Empty {}.encode_to_vec())
    }

    fn back_up(&self, request: &BackupRequest) -> Result<Vec<u8>, Refusal> {
        let denied = |why: String| Refusal::new(Code::PermissionDenied, why);
        let folder =
            self.backups.as_ref().ok_or_else(|| denied("no folder for backups is configured".into()))?;
        let backup_name = folder.write(&request.backup_dir).map_err(|refused| match refused {
            BackupRefused::Outside(_) => denied(refused.to_string()),
            BackupRefused::Io { .. } | BackupRefused::Useless { .. } => Refusal::unknown(refused),
        })?;
        tracing::info!(backup = %backup_name, "sign records backed up");
        Ok(BackupResponse { backup_name }.encode_to_vec())
    }

    /// The key and chain of a request, the key being held and unlocked.
    fn subject(&self, uid: &[u8], chain_id: &[u8]) -> Result<Subject, Refusal> {
        let finality_provider = self.key(uid)?;
        let text =
            std::str::from_utf8(chain_id).map_err(|_| Refusal::invalid("the chain id is not UTF-8"))?;
        let chain_id = text.parse().map_err(Refusal::invalid)?;
        Ok(Subject { finality_provider, chain_id })
    }

    fn key(&self, uid: &[u8]) -> Result<FinalityProviderPublicKey, Refusal> {
        let key = any_key(uid)?;
        if self.manager.is_unlocked(&key) {
            return Ok(key);
        }
        let why = if self.vault.holds(&key) { "is locked, unlock it first" } else { "is not held here" };
        Err(Refusal::unknown(format!("the key {key} {why}")))
    }
}

fn any_key(uid: &[u8]) -> Result<FinalityProviderPublicKey, Refusal> {
    FinalityProviderPublicKey::from_slice(uid).map_err(|error| Refusal::unknown(format!("uid: {error}")))
}
