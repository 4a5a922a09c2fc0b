//! The signer: the only code that ever touches an EOTS secret after its key file was opened.
//!
//! There is no way to have an arbitrary message signed as a vote is. A vote is signed under a [`Permit`], so only once its record is
//! durable; a randomness commitment and a proof of possession have messages of their own, built here, which no vote can
//! equal.
//!
//! Not done here: asking the chain which votes it has. Whoever uses the signer does that before the first signature and
//! raises the watermark to what it finds (`finality-provider/src/service/guard.rs`; the Go daemon begins above the chain's
//! highest vote as well). It is a second layer, against records that were put back from a copy together with their anchor:
//! the signer has no connection to a chain, and one to a lying node could only be told too much or too little.
//!
//! Spec: `crypto.md` 2, 4.2, 5.1, 6.

mod batch;
mod elsewhere;
mod meters;
mod served;

pub use batch::BatchAnswer;
pub use meters::Meters;

use crate::{
    keys::{EotsKey, NO_AUX},
    records::{ChainId, NotSafe, Permit, SignRecords, Subject, VoteRequest},
    trees::{TreeError, Trees, derive_range},
};
use btc_staking_crypto::{
    eots::{self, SignError, VerifyError},
    nonce::{self, Nonce, Scheme},
};
use btc_staking_protocol::{
    finality::{
        randomness::{CommittedRandomness, RandomnessCommitment},
        vote::{EotsSignature, MerkleProof, PublicRandomness, SignedVote, VoteMessage},
    },
    height::PosHeight,
    keys::{AccountAddress, FinalityProviderPublicKey},
    possession::ProofOfPossession,
};
use std::{collections::BTreeMap, sync::OnceLock};
use thiserror::Error;

/// Keys, their sign records and their randomness.
pub struct EotsManager {
    /// A locked key is an empty cell.
    keys: BTreeMap<FinalityProviderPublicKey, OnceLock<EotsKey>>,
    records: SignRecords,
    trees: Trees,
    meters: Meters,
}

/// Why no signature was given.
#[derive(Debug, Error)]
pub enum SigningError {
    /// The key is not loaded.
    #[error("no secret key is loaded for finality provider {0}")]
    UnknownKey(FinalityProviderPublicKey),
    /// The sign records do not allow it.
    #[error(transparent)]
    NotSafe(#[from] NotSafe),
    /// The commitment does not fit the key, or the height the commitment.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Cannot happen on sound hardware.
    #[error("the vote could not be signed")]
    Sign(#[from] SignError),
    /// The signature does not verify: the machine computes wrongly. Nothing was released.
    #[error("the signature just made does not verify, this machine computes wrongly")]
    Faulty(#[from] VerifyError),
}

impl SigningError {
    /// Whether the process must stop.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::NotSafe(error) => error.is_fatal(),
            Self::Faulty(_) => true,
            Self::UnknownKey(_) | Self::Tree(_) | Self::Sign(_) => false,
        }
    }
}

impl EotsManager {
    /// Takes keys and their records. A key given twice is kept once.
    pub fn new(records: SignRecords, keys: impl IntoIterator<Item = EotsKey>) -> Self {
        let keys: BTreeMap<_, _> =
            keys.into_iter().map(|key| (key.public_key(), OnceLock::from(key))).collect();
        Self { keys, records, trees: Trees::default(), meters: Meters::default() }
    }

    /// Counts from now on with these; keys that are open already count as opened.
    #[must_use]
    pub fn metered(self, meters: Meters) -> Self {
        meters.opened(self.public_keys().len());
        Self { meters, ..self }
    }

    /// The public keys of all loaded keys, ascending.
    pub fn public_keys(&self) -> Vec<FinalityProviderPublicKey> {
        self.keys.iter().filter(|(_, key)| key.get().is_some()).map(|(public, _)| *public).collect()
    }

    /// The sign records, to ask what was signed and to raise a watermark.
    pub fn records(&self) -> &SignRecords {
        &self.records
    }

    /// Derives the public randomness of consecutive heights, in height order.
    ///
    /// # Errors
    /// [`SigningError::UnknownKey`] and [`SigningError::Tree`].
    pub fn public_randomness(
        &self,
        subject: &Subject,
        start: PosHeight,
        count: u64,
    ) -> Result<Vec<PublicRandomness>, SigningError> {
        let key = self.key(&subject.finality_provider)?;
        let values = derive_range(key, &subject.chain_id, Scheme::V1, start, count)?;
        self.meters.randomness(subject, count, last_height(start, count));
        Ok(values)
    }

    /// Builds, records and signs the commitment to a range of heights.
    ///
    /// # Errors
    /// [`SigningError`] when the range cannot be derived or the record cannot be made durable.
    pub fn sign_commitment(
        &self,
        subject: &Subject,
        start: PosHeight,
        count: u64,
    ) -> Result<RandomnessCommitment, SigningError> {
        let key = self.key(&subject.finality_provider)?;
        self.records.check_history(subject)?;
        let range = self.trees.plan(key, &subject.chain_id, start, count)?;
        self.meters.randomness(subject, count, last_height(start, count));
        self.records.record_commitment(subject, range)?;
        let signed = range.sign(key.signing_key(), &NO_AUX);
        self.meters.schnorr(&subject.finality_provider);
        Ok(signed)
    }

    /// Checks that a commitment on chain was made with this key and chain id, by recomputing its root.
    ///
    /// # Errors
    /// [`TreeError::ForeignCommitment`] when it was not.
    pub fn check_commitment(
        &self,
        subject: &Subject,
        range: &CommittedRandomness,
    ) -> Result<(), SigningError> {
        let key = self.key(&subject.finality_provider)?;
        self.trees.of(key, subject, range)?;
        Ok(())
    }

    /// The public randomness of a height and the proof that a commitment covers it.
    ///
    /// # Errors
    /// [`SigningError::Tree`] when the commitment is not this key's or does not cover the height.
    pub fn proof(
        &self,
        subject: &Subject,
        range: &CommittedRandomness,
        height: PosHeight,
    ) -> Result<(PublicRandomness, MerkleProof), SigningError> {
        let key = self.key(&subject.finality_provider)?;
        let tree = self.trees.of(key, subject, range)?;
        let proof = tree.proof(range, height)?;
        let nonce = nonce::derive(key.secret(), tree.scheme, chain_bytes(&subject.chain_id), height.to_u64());
        Ok((nonce.public(), proof))
    }

    /// Signs a vote with the randomness of the current derivation, if the records allow it.
    ///
    /// # Errors
    /// [`SigningError::NotSafe`] with the evidence when another message was signed at this height.
    pub fn sign_vote(&self, subject: &Subject, message: VoteMessage) -> Result<EotsSignature, SigningError> {
        self.sign_with(subject, message, Scheme::V1).map(|(signature, _)| signature)
    }

    /// Signs a vote and joins to it the randomness of its height and the proof that `range` committed to it.
    ///
    /// # Errors
    /// As [`sign_vote`](Self::sign_vote); and [`SigningError::Tree`] when the commitment is not this key's or does not
    /// cover the height, in which case nothing is recorded or signed.
    pub fn vote(
        &self,
        subject: &Subject,
        message: VoteMessage,
        range: &CommittedRandomness,
    ) -> Result<SignedVote, SigningError> {
        let key = self.key(&subject.finality_provider)?;
        let tree = self.trees.of(key, subject, range)?;
        let proof = tree.proof(range, message.height)?;
        let (signature, public_randomness) = self.sign_with(subject, message, tree.scheme)?;
        Ok(SignedVote {
            finality_provider: subject.finality_provider,
            message,
            public_randomness,
            proof,
            signature,
        })
    }

    /// Proves that the key agrees to an account: BIP-340 over the hash of the raw account bytes.
    ///
    /// # Errors
    /// [`SigningError::UnknownKey`].
    pub fn sign_possession(
        &self,
        finality_provider: &FinalityProviderPublicKey,
        account: &AccountAddress,
    ) -> Result<ProofOfPossession, SigningError> {
        let proof = self.key(finality_provider)?.sign_possession(account);
        self.meters.schnorr(finality_provider);
        Ok(proof)
    }

    fn key(&self, public: &FinalityProviderPublicKey) -> Result<&EotsKey, SigningError> {
        self.keys.get(public).and_then(OnceLock::get).ok_or(SigningError::UnknownKey(*public))
    }

    fn sign_with(
        &self,
        subject: &Subject,
        message: VoteMessage,
        scheme: Scheme,
    ) -> Result<(EotsSignature, PublicRandomness), SigningError> {
        let key = self.key(&subject.finality_provider)?;
        let (request, nonce) = prepare(key, subject, message, scheme);
        let public_randomness = request.public_randomness;
        let permit = self.records.check_and_record(request).map_err(SigningError::from);
        let signed = permit.and_then(|permit| sign(key, permit, nonce));
        self.meters.votes(subject, std::iter::once((message.height, &signed)));
        Ok((signed?, public_randomness))
    }
}

/// What the records are asked for a vote, and the nonce that signs it.
fn prepare(key: &EotsKey, subject: &Subject, message: VoteMessage, scheme: Scheme) -> (VoteRequest, Nonce) {
    let chain_id = chain_bytes(&subject.chain_id);
    let nonce = nonce::derive(key.secret(), scheme, chain_id, message.height.to_u64());
    (VoteRequest { subject: subject.clone(), message, public_randomness: nonce.public() }, nonce)
}

/// Signs what the permit allows, and verifies before releasing: a signature made wrongly, by a fault of the machine,
/// could give the key away. The nonce is the one the permit was asked for with; with another it would not verify.
fn sign(key: &EotsKey, permit: Permit, nonce: Nonce) -> Result<EotsSignature, SigningError> {
    let VoteRequest { message, public_randomness, .. } = permit.into_request();
    let bytes = message.to_bytes();
    let signature = key.secret().sign(nonce, &bytes)?;
    eots::verify(key.public_key().x_only(), &public_randomness, &bytes, &signature)?;
    Ok(signature)
}

/// The last of so many heights; only to be shown.
fn last_height(start: PosHeight, count: u64) -> u64 {
    start.to_u64().saturating_add(count.saturating_sub(1))
}

fn chain_bytes(chain_id: &ChainId) -> &[u8] {
    chain_id.as_str().as_bytes()
}
