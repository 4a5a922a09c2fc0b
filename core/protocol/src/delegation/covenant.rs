//! What a covenant member signs for a stake, and how everyone else verifies it.
//!
//! Spec: `bitcoin.md` 10.2. Signing is only offered on [`CheckedDelegation`]: an unchecked request cannot reach a
//! covenant key. Slashing transactions get adaptor signatures only. The four lists of a quorum are counted separately,
//! since a member may be on one and not on another.

use super::{
    AdaptorSignature, CheckedDelegation, CovenantSignatureSet, CovenantSignatures, checked::StakeKind,
};
use crate::{
    keys::{CovenantPublicKey, CovenantSecret},
    sighash::signature_is_valid,
};
use bitcoin::{TapSighash, Txid, hashes::Hash, secp256k1::schnorr};
use btc_staking_crypto::adaptor::EncryptionKey;
use std::fmt;
use thiserror::Error;

/// One of the lists in which covenant signatures are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CovenantList {
    /// Adaptor signatures on the slashing transaction.
    Slashing,
    /// Signatures on the unbonding transaction.
    Unbonding,
    /// Adaptor signatures on the unbonding slashing transaction.
    UnbondingSlashing,
    /// Signatures on the spend of the previous stake by an expansion.
    Expansion,
}

impl fmt::Display for CovenantList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CovenantList::Slashing => "slashing",
            CovenantList::Unbonding => "unbonding",
            CovenantList::UnbondingSlashing => "unbonding slashing",
            CovenantList::Expansion => "expansion",
        })
    }
}

/// Why a member does not sign.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CannotSign {
    /// The key is in another committee, or in none.
    #[error("covenant key {0} is not a member of this stake's committee")]
    NotAMember(CovenantPublicKey),
    /// An expansion is signed together with the spend of the previous stake.
    #[error("stake expands another one, sign it through the checked expansion")]
    PreviousStakeNeeded,
    /// The signature came out degenerate; happens with negligible probability.
    #[error("adaptor signature cannot be made with this entropy, try other entropy")]
    Degenerate,
}

/// Why a member's signatures are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CovenantSignatureRefusal {
    /// The signatures name another stake.
    #[error("signatures are for stake {found}, this is stake {required}")]
    OtherStake {
        /// Stake named.
        found: Txid,
        /// This stake.
        required: Txid,
    },
    /// The signer is not in the committee.
    #[error("covenant key {0} is not a member of this stake's committee")]
    NotAMember(CovenantPublicKey),
    /// One adaptor signature per finality provider is needed.
    #[error(
        "{found} adaptor signatures in the {list} list, there must be {required}, one per finality provider"
    )]
    Count {
        /// Which list.
        list: CovenantList,
        /// Signatures found.
        found: usize,
        /// Number of finality providers.
        required: usize,
    },
    /// A signature does not verify.
    #[error("{list} signature of covenant member {member} is invalid")]
    Invalid {
        /// Which list.
        list: CovenantList,
        /// Whose.
        member: CovenantPublicKey,
    },
    /// An expansion needs the signature on the spend of the previous stake.
    #[error("signature on the spend of the previous stake is missing")]
    ExpansionMissing,
    /// An ordinary stake has no previous one to spend.
    #[error("signature on the spend of a previous stake is given, but this stake expands none")]
    ExpansionUnexpected,
}

/// Too few valid signatures in one of the lists.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{} of {quorum} required {list} signatures are valid ({} invalid)", valid.len(), invalid.len())]
pub struct QuorumMissing {
    /// Which list.
    pub list: CovenantList,
    /// Signatures required.
    pub quorum: u32,
    /// Members whose signatures verify.
    pub valid: Vec<CovenantPublicKey>,
    /// Members whose signatures do not.
    pub invalid: Vec<CovenantPublicKey>,
}

/// Proof that every list of a stake holds a quorum of valid signatures: its coins can leave early, and can be slashed.
///
/// Made by [`CheckedDelegation::verified_quorum`] only. A staker locks coins on nothing less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedQuorum {
    staking_txid: Txid,
}

impl VerifiedQuorum {
    /// The stake it is for.
    pub const fn staking_txid(&self) -> Txid {
        self.staking_txid
    }
}

impl CheckedDelegation {
    /// Signs everything a committee member signs for an ordinary stake. `aux` is fresh entropy.
    ///
    /// # Errors
    /// [`CannotSign`]; an expansion is refused here, see [`CheckedDelegation::check_expansion`].
    pub fn sign_covenant(
        &self,
        secret: &CovenantSecret,
        aux: &[u8; 32],
    ) -> Result<CovenantSignatureSet, CannotSign> {
        match self.kind() {
            StakeKind::Ordinary => self.sign_new_stake(secret, aux),
            StakeKind::Expansion => Err(CannotSign::PreviousStakeNeeded),
        }
    }

    /// Signs what every stake needs, expansion or not.
    pub(super) fn sign_new_stake(
        &self,
        secret: &CovenantSecret,
        aux: &[u8; 32],
    ) -> Result<CovenantSignatureSet, CannotSign> {
        let covenant = secret.public_key();
        if !self.outputs().keys().committee().contains(&covenant) {
            return Err(CannotSign::NotAMember(covenant));
        }
        let sighashes = self.sighashes();
        Ok(CovenantSignatureSet {
            covenant,
            staking_txid: self.staking_txid(),
            slashing: self.sign_slashing(secret, sighashes.slashing, aux)?,
            unbonding: secret.sign_unbonding(sighashes.unbonding, aux),
            unbonding_slashing: self.sign_slashing(secret, sighashes.unbonding_slashing, aux)?,
            expansion: None,
        })
    }

    fn sign_slashing(
        &self,
        secret: &CovenantSecret,
        sighash: TapSighash,
        aux: &[u8; 32],
    ) -> Result<Vec<AdaptorSignature>, CannotSign> {
        let sign = |provider| secret.sign_slashing(provider, sighash, aux).ok_or(CannotSign::Degenerate);
        self.terms().finality_providers.iter().map(sign).collect()
    }

    /// Verifies one member's signatures on an ordinary stake, as the chain does on receipt.
    ///
    /// # Errors
    /// [`CovenantSignatureRefusal`].
    pub fn verify_covenant(&self, set: &CovenantSignatureSet) -> Result<(), CovenantSignatureRefusal> {
        self.verify_new_stake(set)?;
        match (self.kind(), &set.expansion) {
            (StakeKind::Ordinary, None) => Ok(()),
            (StakeKind::Ordinary, Some(_)) => Err(CovenantSignatureRefusal::ExpansionUnexpected),
            // Only the checked expansion knows what that signature is over.
            (StakeKind::Expansion, _) => Err(CovenantSignatureRefusal::ExpansionMissing),
        }
    }

    /// Verifies the signatures every stake needs, expansion or not.
    pub(super) fn verify_new_stake(
        &self,
        set: &CovenantSignatureSet,
    ) -> Result<(), CovenantSignatureRefusal> {
        let (found, required) = (set.staking_txid, self.staking_txid());
        if found != required {
            return Err(CovenantSignatureRefusal::OtherStake { found, required });
        }
        let member = &set.covenant;
        if !self.outputs().keys().committee().contains(member) {
            return Err(CovenantSignatureRefusal::NotAMember(*member));
        }
        self.require_count(CovenantList::Slashing, &set.slashing)?;
        self.require_count(CovenantList::UnbondingSlashing, &set.unbonding_slashing)?;
        let verdicts = [
            (CovenantList::Slashing, self.slashing_is_valid(member, &set.slashing)),
            (CovenantList::Unbonding, self.unbonding_is_valid(member, &set.unbonding)),
            (
                CovenantList::UnbondingSlashing,
                self.unbonding_slashing_is_valid(member, &set.unbonding_slashing),
            ),
        ];
        match verdicts.into_iter().find(|(_, valid)| !valid) {
            Some((list, _)) => Err(CovenantSignatureRefusal::Invalid { list, member: *member }),
            None => Ok(()),
        }
    }

    fn require_count(
        &self,
        list: CovenantList,
        signatures: &[AdaptorSignature],
    ) -> Result<(), CovenantSignatureRefusal> {
        let (found, required) = (signatures.len(), self.terms().finality_providers.len());
        if found != required {
            return Err(CovenantSignatureRefusal::Count { list, found, required });
        }
        Ok(())
    }

    /// Verifies every stored signature and returns the proof that each list holds a quorum. Invalid ones and those of
    /// strangers do not count; they do not spoil the others either.
    ///
    /// For an expansion this covers the new stake's own lists; the list over the previous stake is
    /// [`CheckedExpansion`](super::CheckedExpansion)'s.
    ///
    /// # Errors
    /// [`QuorumMissing`] for the first list that falls short.
    pub fn verified_quorum(&self, signatures: &CovenantSignatures) -> Result<VerifiedQuorum, QuorumMissing> {
        let verdict = |(member, valid)| (member, valid);
        let slashing = signatures.slashing.iter().map(|(m, list)| (m, self.slashing_is_valid(m, list)));
        self.count_quorum(CovenantList::Slashing, slashing.map(verdict))?;
        let unbonding = signatures.unbonding.iter().map(|(m, one)| (m, self.unbonding_is_valid(m, one)));
        self.count_quorum(CovenantList::Unbonding, unbonding.map(verdict))?;
        let unbonding_slashing = signatures
            .unbonding_slashing
            .iter()
            .map(|(m, list)| (m, self.unbonding_slashing_is_valid(m, list)));
        self.count_quorum(CovenantList::UnbondingSlashing, unbonding_slashing.map(verdict))?;
        Ok(VerifiedQuorum { staking_txid: self.staking_txid() })
    }

    pub(super) fn count_quorum<'a>(
        &self,
        list: CovenantList,
        verdicts: impl Iterator<Item = (&'a CovenantPublicKey, bool)>,
    ) -> Result<(), QuorumMissing> {
        let committee = self.outputs().keys().committee();
        let (mut valid, mut invalid) = (Vec::new(), Vec::new());
        for (member, is_valid) in verdicts.filter(|(member, _)| committee.contains(member)) {
            let side = if is_valid { &mut valid } else { &mut invalid };
            if !side.contains(member) {
                side.push(*member);
            }
        }
        let quorum = committee.quorum();
        if valid.len() < usize::try_from(quorum).expect("u32 fits usize on every supported target") {
            return Err(QuorumMissing { list, quorum, valid, invalid });
        }
        Ok(())
    }

    fn slashing_is_valid(&self, member: &CovenantPublicKey, list: &[AdaptorSignature]) -> bool {
        self.adaptors_are_valid(member, list, self.sighashes().slashing)
    }
    fn unbonding_slashing_is_valid(&self, member: &CovenantPublicKey, list: &[AdaptorSignature]) -> bool {
        self.adaptors_are_valid(member, list, self.sighashes().unbonding_slashing)
    }
    fn unbonding_is_valid(&self, member: &CovenantPublicKey, signature: &schnorr::Signature) -> bool {
        signature_is_valid(signature, member.x_only(), self.sighashes().unbonding)
    }

    fn adaptors_are_valid(
        &self,
        member: &CovenantPublicKey,
        list: &[AdaptorSignature],
        sighash: TapSighash,
    ) -> bool {
        let providers = &self.terms().finality_providers;
        let digest = sighash.to_byte_array();
        list.len() == providers.len()
            && list.iter().zip(providers).all(|(signature, provider)| {
                let encryption_key = EncryptionKey::from_x_only(provider.x_only());
                signature.verify(member.x_only(), &encryption_key, &digest).is_ok()
            })
    }
}

impl CovenantSignatures {
    /// Adds one member's signatures, replacing what the lists hold of that member. The expansion signature, if there is
    /// one, belongs to [`ExpansionRecord::previous_covenant`](super::ExpansionRecord::previous_covenant).
    pub fn insert(&mut self, set: &CovenantSignatureSet) {
        fn put<T: Clone>(list: &mut Vec<(CovenantPublicKey, T)>, key: CovenantPublicKey, value: &T) {
            list.retain(|(member, _)| *member != key);
            list.push((key, value.clone()));
        }
        put(&mut self.slashing, set.covenant, &set.slashing);
        put(&mut self.unbonding, set.covenant, &set.unbonding);
        put(&mut self.unbonding_slashing, set.covenant, &set.unbonding_slashing);
    }
}
