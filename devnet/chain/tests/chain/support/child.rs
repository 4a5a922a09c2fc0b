//! Expansions of stakes: planned, signed by members of both committees, spent.

use super::{
    account, secret,
    stake::{Stake, funding_tx, possession},
};
use bitcoin::{Amount, OutPoint, ScriptBuf, Transaction, TxOut, Txid};
use btc_staking_babylon::{
    convert::request::{Registration, encode_request},
    proto::btcstaking::MsgBtcStakeExpand,
};
use btc_staking_crypto::key::SigningKey;
use btc_staking_protocol::{
    delegation::{CovenantSignatureSet, DelegationRequest, DelegationTerms, ExpansionRequest, plan_stake},
    height::Timelock,
    keys::{CovenantSecret, FinalityProviderPublicKey, StakerSecret},
    params::StakingParams,
    tx::expansion::build_expansion_tx,
};

/// Value of the funding output.
pub const FUNDING: u64 = 60_000;

/// A child of a stake, with what it takes to register and spend.
pub struct Child {
    pub terms: DelegationTerms,
    pub funding: Transaction,
    parent: Txid,
    params: StakingParams,
    staker: String,
}

impl Child {
    /// An expansion of `parent` to `amount`, by the staker key of a label, funded by an output of its own.
    pub fn new(
        params: &StakingParams,
        label: &str,
        parent: &Stake,
        provider: FinalityProviderPublicKey,
        amount: u64,
    ) -> Self {
        let output =
            TxOut { value: Amount::from_sat(FUNDING), script_pubkey: ScriptBuf::from_bytes(vec![0x51]) };
        let funding = funding_tx(&format!("funding of {label} with {amount}"), vec![output]);
        Self::funded(params, label, parent, provider, amount, funding)
    }

    /// As [`Child::new`], funded by output 0 of a transaction.
    pub fn funded(
        params: &StakingParams,
        label: &str,
        parent: &Stake,
        provider: FinalityProviderPublicKey,
        amount: u64,
        funding: Transaction,
    ) -> Self {
        let staker = StakerSecret::from_bytes(&secret(label)).unwrap();
        let time = Timelock::from_blocks(2000).unwrap();
        let amount = Amount::from_sat(amount);
        let plan = plan_stake(params, staker.public_key(), &[provider], amount, time).unwrap();
        let outpoint = OutPoint::new(funding.compute_txid(), 0);
        let tx = build_expansion_tx(parent.checked.staking_outpoint(), outpoint, plan.staking_output(), None);
        let terms = plan.with_funded(tx).unwrap().sign(&staker, &[0; 32]).unwrap();
        Self { terms, funding, parent: parent.txid(), params: params.clone(), staker: label.to_owned() }
    }

    pub fn txid(&self) -> Txid {
        self.terms.staking_tx.compute_txid()
    }

    /// The registration, by the account "staker".
    pub fn message(&self) -> MsgBtcStakeExpand {
        let staker = StakerSecret::from_bytes(&secret(&self.staker)).unwrap();
        let request = DelegationRequest {
            staker_account: account("staker").account().clone(),
            possession: possession(staker.signing_key(), "staker"),
            terms: self.terms.clone(),
            inclusion: None,
            expansion: Some(ExpansionRequest {
                previous_staking_txid: self.parent,
                funding_tx: self.funding.clone(),
            }),
        };
        match encode_request(&request).unwrap() {
            Registration::Expand(message) => *message,
            Registration::Create(_) => panic!("not an ordinary stake"),
        }
    }

    /// Everything a member signs.
    pub fn covenant_set(&self, parent: &Stake, member: &CovenantSecret) -> CovenantSignatureSet {
        let checked = self.terms.check(&self.params).unwrap();
        let pair = checked.check_expansion_by_any_staker(&parent.checked, &self.funding.output[0]).unwrap();
        pair.sign_covenant(member, &[5; 32]).unwrap()
    }

    /// As [`Child::covenant_set`] of a member by its secret, who need not be of the parent's committee.
    pub fn stranger_set(&self, parent: &Stake, secret: &[u8; 32]) -> CovenantSignatureSet {
        let checked = self.terms.check(&self.params).unwrap();
        let pair = checked.check_expansion_by_any_staker(&parent.checked, &self.funding.output[0]).unwrap();
        let member = CovenantSecret::from_bytes(secret).unwrap();
        let key = SigningKey::from_bytes(secret).unwrap();
        let expansion = Some(key.sign_schnorr(pair.sighash().as_ref(), &[5; 32]));
        CovenantSignatureSet { expansion, ..checked.sign_covenant(&member, &[5; 32]).unwrap() }
    }

    /// The staking transaction with input 0 signed by the staker and `members`.
    pub fn spend(&self, parent: &Stake, members: &[CovenantSecret]) -> Transaction {
        let checked = self.terms.check(&self.params).unwrap();
        let pair = checked.check_expansion(&parent.checked, &self.funding.output[0]).unwrap();
        let sets = members.iter().map(|member| self.covenant_set(parent, member));
        let signatures: Vec<_> = sets.map(|set| (set.covenant, set.expansion.unwrap())).collect();
        let staker = parent.staker().sign(pair.sighash(), &[0; 32]);
        pair.assemble_previous_input(&signatures, &staker).unwrap()
    }
}
