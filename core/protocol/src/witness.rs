//! Witnesses: signatures and their order, so that Bitcoin accepts the spend.
//!
//! Spec: `bitcoin.md` 4, `crypto.md` 7.1. Elements bottom to top:
//!
//! | Path | Elements |
//! |---|---|
//! | timelock | staker, script, control block |
//! | unbonding | one slot per covenant member, descending; staker, script, control block |
//! | slashing | one slot per covenant member, descending; one slot per finality provider, descending; staker, script, control block |
//!
//! A slot without signature is an empty element. Exactly a quorum of covenant slots is filled: one more valid signature
//! would make the spend invalid, and so would a wrong one, so every signature is verified before it is placed.

use crate::{
    committee::CovenantCommittee,
    delegation::AdaptorSignature,
    finality::evidence::FinalityProviderSecret,
    keys::{CovenantPublicKey, FinalityProviderPublicKey, StakerPublicKey},
    output::{Leaf, SpendPath},
    script::StakeKeys,
    sighash::{SighashError, leaf_sighash, signature_is_valid},
};
use bitcoin::{TapSighash, Transaction, TxOut, Witness, XOnlyPublicKey, hashes::Hash, secp256k1::schnorr};
use thiserror::Error;

/// A spend of one input through one leaf, with the hash its signatures are over.
#[derive(Debug, Clone, Copy)]
pub struct LeafSpend<'a> {
    leaf: &'a Leaf,
    sighash: TapSighash,
}

impl<'a> LeafSpend<'a> {
    /// Describes the spend of input `input_index` of `tx`.
    ///
    /// # Errors
    /// [`SighashError`] when the previous outputs or the index do not fit the transaction.
    pub fn new(
        tx: &Transaction,
        input_index: usize,
        prevouts: &[TxOut],
        leaf: &'a Leaf,
    ) -> Result<Self, SighashError> {
        Ok(Self { leaf, sighash: leaf_sighash(tx, input_index, prevouts, leaf)? })
    }
    /// The hash every signature of this spend is over.
    pub const fn sighash(&self) -> TapSighash {
        self.sighash
    }
    fn accepts(&self, signature: &schnorr::Signature, key: &XOnlyPublicKey) -> bool {
        signature_is_valid(signature, key, self.sighash)
    }
}

/// Why a witness cannot be assembled.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AssemblyError {
    /// Nothing to sign.
    #[error("spend has no signature hash")]
    Sighash(#[from] SighashError),
    /// The leaf belongs to another path.
    #[error("leaf is the {found} leaf, this witness spends the {required} leaf")]
    WrongLeaf {
        /// Path of the leaf given.
        found: SpendPath,
        /// Path of the witness asked for.
        required: SpendPath,
    },
    /// One signature per input is needed.
    #[error("{found} signatures are given for {required} inputs")]
    SignatureCount {
        /// Signatures given.
        found: usize,
        /// Inputs to sign.
        required: usize,
    },
    /// The staker's signature is not over this spend, or by another key.
    #[error("staker {0} did not sign this spend")]
    StakerSignature(StakerPublicKey),
    /// The finality provider is not one of the stake's.
    #[error("finality provider {0} is not one of this stake's")]
    ForeignFinalityProvider(FinalityProviderPublicKey),
    /// Too few valid covenant signatures.
    #[error("{} of {quorum} required covenant signatures are valid ({} invalid)", valid.len(), invalid.len())]
    QuorumMissing {
        /// Signatures required.
        quorum: u32,
        /// Members with a valid signature.
        valid: Vec<CovenantPublicKey>,
        /// Members with a signature that does not verify.
        invalid: Vec<CovenantPublicKey>,
    },
}

/// Assembles the witness of a spend by the staker alone.
///
/// # Errors
/// [`AssemblyError::WrongLeaf`] or [`AssemblyError::StakerSignature`].
pub fn assemble_timelock_witness(
    spend: &LeafSpend<'_>,
    staker: &StakerPublicKey,
    staker_signature: &schnorr::Signature,
) -> Result<Witness, AssemblyError> {
    require_path(spend, SpendPath::Timelock)?;
    require_staker(spend, staker, staker_signature)?;
    Ok(finish(Vec::new(), staker_signature, spend.leaf))
}

/// Assembles the witness of an unbonding, or of input 0 of an expansion: the staker with exactly a quorum.
///
/// Signatures of strangers are ignored; of two signatures by one member the first valid one counts.
///
/// # Errors
/// [`AssemblyError`]; too few valid covenant signatures are [`AssemblyError::QuorumMissing`].
pub fn assemble_unbonding_witness(
    spend: &LeafSpend<'_>,
    keys: &StakeKeys,
    covenant: &[(CovenantPublicKey, schnorr::Signature)],
    staker_signature: &schnorr::Signature,
) -> Result<Witness, AssemblyError> {
    require_path(spend, SpendPath::Unbonding)?;
    require_staker(spend, keys.staker(), staker_signature)?;
    let slots = fill_quorum(keys.committee(), |member| {
        let candidates = covenant.iter().filter(|(key, _)| key == member).map(|(_, signature)| *signature);
        choose_valid(candidates, |signature| spend.accepts(signature, member.x_only()))
    })?;
    Ok(finish(slots, staker_signature, spend.leaf))
}

/// What completes a slashing: the signatures stored when the stake was registered.
#[derive(Debug, Clone, Copy)]
pub struct SlashingSignatures<'a> {
    /// The stake's finality providers in message order, which is the order of the adaptor signatures.
    pub finality_providers: &'a [FinalityProviderPublicKey],
    /// Adaptor signatures of covenant members, one per finality provider in message order.
    pub covenant: &'a [(CovenantPublicKey, Vec<AdaptorSignature>)],
    /// The staker's signature.
    pub staker: &'a schnorr::Signature,
}

/// Assembles the witness of a slashing with a recovered finality provider's secret: decrypts a quorum of covenant
/// signatures, signs for the finality provider, and adds the staker's signature.
///
/// # Errors
/// [`AssemblyError`]; too few valid covenant signatures are [`AssemblyError::QuorumMissing`].
pub fn assemble_slashing_witness(
    spend: &LeafSpend<'_>,
    keys: &StakeKeys,
    signatures: SlashingSignatures<'_>,
    secret: &FinalityProviderSecret,
    aux: &[u8; 32],
) -> Result<Witness, AssemblyError> {
    require_path(spend, SpendPath::Slashing)?;
    require_staker(spend, keys.staker(), signatures.staker)?;
    let provider = FinalityProviderPublicKey::new(*secret.public_key());
    let index = signatures
        .finality_providers
        .iter()
        .position(|key| *key == provider)
        .filter(|_| keys.finality_providers().contains(&provider))
        .ok_or(AssemblyError::ForeignFinalityProvider(provider))?;
    let decryption_key = secret.decryption_key();
    let mut slots = fill_quorum(keys.committee(), |member| {
        let entries = signatures.covenant.iter().filter(|(key, _)| key == member);
        let decrypted = entries.filter_map(|(_, list)| list.get(index)?.decrypt(&decryption_key).ok());
        choose_valid(decrypted, |signature| spend.accepts(signature, member.x_only()))
    })?;
    let provider_signature = secret.sign_schnorr(&spend.sighash.to_byte_array(), aux);
    slots.extend(
        keys.finality_providers().iter().rev().map(|key| (*key == provider).then_some(provider_signature)),
    );
    Ok(finish(slots, signatures.staker, spend.leaf))
}

/// Recovers a finality provider's secret from a slashing witness on Bitcoin and the adaptor signatures stored for it.
///
/// A provider that publishes a slashing itself had to decrypt covenant signatures with its own key; each decrypted one
/// and its adaptor form give the key away. Every pair is tried, since a member may have signed afresh (`crypto.md`
/// 7.2). Returns `None` when no pair reveals a key of this stake.
pub fn recover_finality_provider_secret(
    witness: &Witness,
    keys: &StakeKeys,
    finality_providers: &[FinalityProviderPublicKey],
    covenant: &[(CovenantPublicKey, Vec<AdaptorSignature>)],
) -> Option<FinalityProviderSecret> {
    keys.committee().witness_order().zip(witness.iter()).find_map(|(member, slot)| {
        let signature = schnorr::Signature::from_slice(slot).ok()?;
        let entries = covenant.iter().filter(|(key, _)| key == member);
        entries.flat_map(|(_, list)| finality_providers.iter().zip(list)).find_map(|(provider, adaptor)| {
            let recovered = adaptor.recover(&signature).ok()?.into_secret();
            (recovered.public_key() == provider.x_only()).then_some(recovered)
        })
    })
}

/// A candidate slot: a valid signature, an invalid one, or none.
enum Candidate {
    Valid(schnorr::Signature),
    Invalid,
    Absent,
}

fn choose_valid(
    candidates: impl Iterator<Item = schnorr::Signature>,
    is_valid: impl Fn(&schnorr::Signature) -> bool,
) -> Candidate {
    let mut outcome = Candidate::Absent;
    for signature in candidates {
        if is_valid(&signature) {
            return Candidate::Valid(signature);
        }
        outcome = Candidate::Invalid;
    }
    outcome
}

/// Walks the committee in witness order and fills slots until the quorum is complete; later slots stay empty.
fn fill_quorum(
    committee: &CovenantCommittee,
    mut candidate: impl FnMut(&CovenantPublicKey) -> Candidate,
) -> Result<Vec<Option<schnorr::Signature>>, AssemblyError> {
    let quorum = usize::try_from(committee.quorum()).expect("u32 fits usize on every supported target");
    let (mut slots, mut valid, mut invalid) = (Vec::new(), Vec::new(), Vec::new());
    for member in committee.witness_order() {
        if valid.len() == quorum {
            slots.push(None);
            continue;
        }
        slots.push(match candidate(member) {
            Candidate::Valid(signature) => {
                valid.push(*member);
                Some(signature)
            }
            Candidate::Invalid => {
                invalid.push(*member);
                None
            }
            Candidate::Absent => None,
        });
    }
    if valid.len() < quorum {
        return Err(AssemblyError::QuorumMissing { quorum: committee.quorum(), valid, invalid });
    }
    Ok(slots)
}

fn require_path(spend: &LeafSpend<'_>, required: SpendPath) -> Result<(), AssemblyError> {
    let found = spend.leaf.path();
    if found != required {
        return Err(AssemblyError::WrongLeaf { found, required });
    }
    Ok(())
}

fn require_staker(
    spend: &LeafSpend<'_>,
    staker: &StakerPublicKey,
    signature: &schnorr::Signature,
) -> Result<(), AssemblyError> {
    if !spend.accepts(signature, staker.x_only()) {
        return Err(AssemblyError::StakerSignature(*staker));
    }
    Ok(())
}

fn finish(slots: Vec<Option<schnorr::Signature>>, staker: &schnorr::Signature, leaf: &Leaf) -> Witness {
    let mut witness = Witness::new();
    for slot in slots {
        match slot {
            Some(signature) => witness.push(signature.serialize()),
            None => witness.push([]),
        }
    }
    witness.push(staker.serialize());
    witness.push(leaf.script());
    witness.push(leaf.control_block().serialize());
    witness
}

/// Returns a witness as large as the one a spend through a timelock leaf will have. For sizing only.
#[must_use]
pub fn predicted_timelock_witness(leaf: &Leaf) -> Witness {
    finish(Vec::new(), &placeholder(), leaf)
}

/// Returns a witness as large as the one a spend through an unbonding leaf will have. For sizing only.
#[must_use]
pub fn predicted_unbonding_witness(leaf: &Leaf, keys: &StakeKeys) -> Witness {
    finish(predicted_quorum(keys.committee()), &placeholder(), leaf)
}

/// Returns a witness as large as the one a spend through a slashing leaf will have. For sizing only.
#[must_use]
pub fn predicted_slashing_witness(leaf: &Leaf, keys: &StakeKeys) -> Witness {
    let mut slots = predicted_quorum(keys.committee());
    slots.extend((0..keys.finality_providers().len()).map(|slot| (slot == 0).then(placeholder)));
    finish(slots, &placeholder(), leaf)
}

fn predicted_quorum(committee: &CovenantCommittee) -> Vec<Option<schnorr::Signature>> {
    (0..committee.quorum())
        .map(|_| Some(placeholder()))
        .chain(std::iter::repeat(None))
        .take(committee.keys().len())
        .collect()
}

/// 64 zero bytes in place of a signature.
fn placeholder() -> schnorr::Signature {
    schnorr::Signature::from_slice(&[0; 64]).expect("any 64 bytes parse")
}
