//! Stakes: planned, funded, signed, and the messages about them.

use super::{World, account, address, covenant, covenant_message, secret};
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, absolute::LockTime,
    consensus::serialize, hashes::Hash, transaction::Version,
};
use btc_staking_babylon::{
    convert::{
        proof::encode_inclusion,
        request::{Registration, encode_request},
    },
    proto::btcstaking::*,
};
use btc_staking_protocol::{
    delegation::{
        CheckedDelegation, CovenantSignatureSet, CovenantSignatures, DelegationRequest, DelegationTerms,
        plan_stake,
    },
    height::Timelock,
    inclusion::InclusionProof,
    keys::{FinalityProviderPublicKey, StakerSecret},
    params::StakingParams,
    possession::ProofOfPossession,
};

pub const AMOUNT: u64 = 100_000;

/// A stake, of the account "staker" if not said otherwise.
pub struct Stake {
    owner: String,
    pub terms: DelegationTerms,
    pub checked: CheckedDelegation,
    label: String,
    params: StakingParams,
}

/// A transaction with one input nobody checks and the given outputs.
pub fn funding_tx(label: &str, outputs: Vec<TxOut>) -> Transaction {
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(Txid::hash(label.as_bytes()), 0),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: outputs,
    }
}

/// The proof of possession of a key over an account.
pub fn possession(signer: &btc_staking_crypto::key::SigningKey, label: &str) -> ProofOfPossession {
    let account = account(label).account().clone();
    let digest = bitcoin::hashes::sha256::Hash::hash(account.bytes()).to_byte_array();
    ProofOfPossession::Bip340(signer.sign_schnorr(&digest, &[0; 32]))
}

impl Stake {
    /// A stake with keys of its own, by label.
    pub fn new(params: &StakingParams, label: &str, provider: FinalityProviderPublicKey, time: u32) -> Self {
        Self::of("staker", params, label, provider, (AMOUNT, time))
    }

    /// As [`Stake::new`], of another account, with an amount beside the time.
    pub fn of(
        owner: &str,
        params: &StakingParams,
        label: &str,
        provider: FinalityProviderPublicKey,
        (amount, time): (u64, u32),
    ) -> Self {
        let staker = StakerSecret::from_bytes(&secret(label)).unwrap();
        let plan = plan_stake(
            params,
            staker.public_key(),
            &[provider],
            Amount::from_sat(amount),
            Timelock::from_blocks(time).unwrap(),
        )
        .unwrap();
        let staking_tx = funding_tx(label, vec![plan.staking_output()]);
        let terms = plan.with_funded(staking_tx).unwrap().sign(&staker, &[0; 32]).unwrap();
        let checked = terms.check(params).unwrap();
        Self { owner: owner.to_owned(), terms, checked, label: label.to_owned(), params: params.clone() }
    }

    pub fn staker(&self) -> StakerSecret {
        StakerSecret::from_bytes(&secret(&self.label)).unwrap()
    }
    pub fn txid(&self) -> Txid {
        self.checked.staking_txid()
    }
    pub fn tx(&self) -> &Transaction {
        &self.terms.staking_tx
    }

    /// The registration, with a proof when the stake is on Bitcoin already.
    pub fn registration(&self, inclusion: Option<InclusionProof>) -> MsgCreateBTCDelegation {
        let request = DelegationRequest {
            staker_account: account(&self.owner).account().clone(),
            possession: possession(self.staker().signing_key(), &self.owner),
            terms: self.terms.clone(),
            inclusion,
            expansion: None,
        };
        match encode_request(&request).unwrap() {
            Registration::Create(message) => *message,
            Registration::Expand(_) => panic!("not an expansion"),
        }
    }

    /// Everything member `i` signs.
    pub fn covenant_set(&self, i: usize) -> CovenantSignatureSet {
        self.checked.sign_covenant(&covenant()[i], &[7; 32]).unwrap()
    }

    pub fn covenant_sigs(&self, i: usize) -> MsgAddCovenantSigs {
        covenant_message(&self.covenant_set(i))
    }

    /// The signatures of members as the chain would list them.
    pub fn signatures(&self, members: impl IntoIterator<Item = usize>) -> CovenantSignatures {
        let mut signatures = CovenantSignatures::default();
        for i in members {
            signatures.insert(&self.covenant_set(i));
        }
        signatures
    }

    pub fn inclusion(&self, proof: &InclusionProof) -> MsgAddBTCDelegationInclusionProof {
        MsgAddBTCDelegationInclusionProof {
            signer: address("watchtower"),
            staking_tx_hash: self.txid().to_string(),
            staking_tx_inclusion_proof: Some(encode_inclusion(proof)),
        }
    }

    /// The registered unbonding transaction with its witness.
    pub fn unbonding_tx(&self) -> Transaction {
        let signature = self.staker().sign(self.checked.sighashes().unbonding, &[0; 32]);
        self.checked.assemble_unbonding(&self.signatures([0, 1, 2]), &signature).unwrap()
    }

    /// A report of a spend of the staking output.
    pub fn report(&self, spending: &Transaction, proof: &InclusionProof) -> MsgBTCUndelegate {
        MsgBTCUndelegate {
            signer: address("watchtower"),
            staking_tx_hash: self.txid().to_string(),
            stake_spending_tx: serialize(spending),
            stake_spending_tx_inclusion_proof: Some(encode_inclusion(proof)),
            funding_transactions: vec![serialize(self.tx())],
        }
    }

    /// Params the stake was made for.
    pub fn params(&self) -> &StakingParams {
        &self.params
    }
}

impl World {
    /// Registers a stake for approval and has three members sign it.
    pub async fn verified(&self, stake: &Stake) {
        self.must(&stake.owner, &stake.registration(None)).await;
        for i in 0..3 {
            self.must("covenant", &stake.covenant_sigs(i)).await;
        }
    }

    /// Brings a stake to life: registered, signed, mined `k` deep, proven.
    pub async fn activate(&mut self, stake: &Stake) -> u32 {
        self.verified(stake).await;
        let height = self.mine(3, &[stake.tx()]).await;
        self.must("watchtower", &stake.inclusion(&self.bitcoin.prove(height, stake.tx()))).await;
        height
    }

    /// A delegation's status as the chain tells it.
    pub async fn status(&self, txid: Txid) -> String {
        let request = QueryBTCDelegationRequest { staking_tx_hash_hex: txid.to_string() };
        self.query(request).await.unwrap().btc_delegation.unwrap().status_desc
    }
}
