//! The signer: the only place with the member's key.
//!
//! It takes a delegation and its params, never a hash or a script: everything that is signed is rebuilt and checked
//! here. Slashing transactions are signed by adaptor only; there is no code path for a plain signature on them.

use crate::records::{NotSafe, Permit, SignLog, Signed};
use btc_staking_protocol::{
    delegation::{CheckedDelegation, CovenantSignatureSet, Delegation, Untrue},
    keys::{CovenantPublicKey, CovenantSecret},
    params::StakingParams,
};
use thiserror::Error;

/// Signs with one member's key what its log permits.
pub struct Signer {
    secret: CovenantSecret,
    log: SignLog,
}

/// Why the signer released nothing.
#[derive(Debug, Error)]
pub enum SignerRefusal {
    /// The delegation breaks a rule of its params version.
    #[error("the delegation is refused: {0}")]
    Delegation(#[from] Untrue),
    /// The member is not in the committee of that version.
    #[error("key {key} is not in the committee of params version {version}")]
    NotAMember {
        /// Our key.
        key: CovenantPublicKey,
        /// The version.
        version: u32,
    },
    /// An expansion: its input also needs the parent's terms, which this signer is not given.
    #[error("the delegation expands another one; expansions are not signed by this version")]
    Expansion,
    /// The log stands against it.
    #[error("the sign log stands against it: {0}")]
    NotSafe(#[from] NotSafe),
    /// A signature could not be made.
    #[error("signing failed: {0}")]
    Sign(String),
}

impl SignerRefusal {
    /// Whether the process has to stop.
    pub fn must_stop(&self) -> bool {
        matches!(self, SignerRefusal::NotSafe(error) if error.must_stop())
    }
}

impl Signer {
    /// Returns a signer.
    pub fn new(secret: CovenantSecret, log: SignLog) -> Self {
        Self { secret, log }
    }

    /// The member's public key.
    pub fn public_key(&self) -> CovenantPublicKey {
        self.secret.public_key()
    }

    /// Checks a delegation against its params, records it, and signs. The same delegation again gives the same
    /// signatures, byte for byte.
    ///
    /// # Errors
    /// [`SignerRefusal`]; nothing was signed.
    pub fn sign(
        &self,
        delegation: &Delegation,
        params: &StakingParams,
    ) -> Result<CovenantSignatureSet, SignerRefusal> {
        let key = self.public_key();
        if !params.covenant_committee.contains(&key) {
            return Err(SignerRefusal::NotAMember { key, version: params.version.0 });
        }
        if delegation.expansion.is_some() {
            return Err(SignerRefusal::Expansion);
        }
        let checked = delegation.rebuild(params)?;
        let permit = self.log.check_and_record(checked.staking_outpoint(), about_to_sign(&checked))?;
        self.sign_permitted(permit, &checked)
    }

    /// Consumes the permit of exactly these transactions.
    fn sign_permitted(
        &self,
        permit: Permit,
        checked: &CheckedDelegation,
    ) -> Result<CovenantSignatureSet, SignerRefusal> {
        if !permit.allows(checked.staking_outpoint(), about_to_sign(checked)) {
            return Err(SignerRefusal::Sign("the permit is for another delegation".to_owned()));
        }
        // Nonces depend on key, message and encryption key already; a fixed value here makes the answer repeatable.
        const AUX: [u8; 32] = [0; 32];
        checked.sign_covenant(&self.secret, &AUX).map_err(|error| SignerRefusal::Sign(error.to_string()))
    }
}

fn about_to_sign(checked: &CheckedDelegation) -> Signed {
    let terms = checked.terms();
    Signed {
        unbonding_txid: terms.unbonding_tx.compute_txid(),
        slashing_txid: terms.slashing_tx.compute_txid(),
        unbonding_slashing_txid: terms.unbonding_slashing_tx.compute_txid(),
    }
}
