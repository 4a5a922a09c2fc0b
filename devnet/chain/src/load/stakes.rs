//! Delegations of a generated state, one after another.

use super::{LoadKeys, LoadPlan, Mix, NotGenerated, Signatures};
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, absolute::LockTime,
    consensus::serialize, hashes::Hash, transaction,
};
use btc_staking_babylon::{
    convert::{
        covenant::{encode_adaptor_lists, encode_signature_list},
        possession::encode_possession,
    },
    proto::btcstaking::{BTCDelegation, BTCDelegationStatus, BTCUndelegation, DelegatorUnbondingInfo},
};
use btc_staking_protocol::{
    delegation::{FundedStake, StakePlan, plan_stake},
    height::{BtcHeight, Timelock},
    keys::{CovenantSecret, FinalityProviderPublicKey, StakerSecret},
    params::StakingParams,
    possession::ProofOfPossession,
};

/// The Bitcoin heights of a generated state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeline {
    pub(super) base: u32,
    pub(super) tip: u32,
    /// `k`.
    pub(super) depth: u32,
    pub(super) unbonding: u32,
    pub(super) staking_time: Timelock,
}

/// A delegation with what the rest of the state needs to know about it.
pub(super) struct Made {
    pub(super) txid: Txid,
    pub(super) record: BTCDelegation,
    pub(super) status: BTCDelegationStatus,
    /// Number of its finality provider.
    pub(super) provider: u32,
}

/// What is the same for all stakes of one staker.
struct Holder {
    number: u64,
    provider: u32,
    secret: StakerSecret,
    plan: StakePlan,
    /// The record without transactions, signatures and heights.
    base: BTCDelegation,
}

/// The signatures of one stake.
#[derive(Clone)]
struct Signed {
    delegator_sig: Vec<u8>,
    delegator_slashing_sig: Vec<u8>,
    covenant_sigs: Vec<btc_staking_babylon::proto::btcstaking::CovenantAdaptorSignatures>,
    covenant_slashing_sigs: Vec<btc_staking_babylon::proto::btcstaking::CovenantAdaptorSignatures>,
    covenant_unbonding_sig_list: Vec<btc_staking_babylon::proto::btcstaking::SignatureInfo>,
}

/// Makes the delegations of a plan in order.
pub(super) struct StakeMaker<'a> {
    keys: LoadKeys,
    plan: &'a LoadPlan,
    params: &'a StakingParams,
    times: Timeline,
    providers: Vec<FinalityProviderPublicKey>,
    committee: Vec<CovenantSecret>,
    holder: Option<Holder>,
    template: Option<Signed>,
}

impl Timeline {
    /// Heights at which every status has room: expired stakes, stakes that live on for a while, stakes just `k` deep.
    pub(super) fn new(params: &StakingParams, base: BtcHeight, depth: u32) -> Result<Self, NotGenerated> {
        let unbonding = u32::from(params.unbonding_time);
        let wanted = unbonding + 4 * depth + 400;
        let time = wanted.max(u32::from(params.min_staking_time)).min(u32::from(params.max_staking_time));
        if time < unbonding + 4 * depth {
            return Err(NotGenerated::NoRoom { staking_time: time, unbonding });
        }
        let staking_time = Timelock::from_blocks(time).map_err(NotGenerated::stake)?;
        let tip = base.to_u32() + 2 * time;
        Ok(Self { base: base.to_u32(), tip, depth, unbonding, staking_time })
    }

    /// Blocks from a stake's start until it expires.
    fn life(self) -> u32 {
        u32::from(self.staking_time) - self.unbonding
    }

    /// The height of a proven stake's block, and the height at which it expires.
    fn start(self, status: BTCDelegationStatus, choice: u64) -> u32 {
        let oldest_alive = self.tip - self.life() + 1;
        let (low, high) = match status {
            BTCDelegationStatus::Expired => (self.base + 1, oldest_alive - 1),
            _ => (oldest_alive + self.life() / 2, self.tip - self.depth),
        };
        let room = u64::from(high - low + 1);
        low + u32::try_from(choice % room).unwrap_or(0)
    }
}

impl<'a> StakeMaker<'a> {
    pub(super) fn new(
        plan: &'a LoadPlan,
        params: &'a StakingParams,
        times: Timeline,
        providers: Vec<FinalityProviderPublicKey>,
    ) -> Self {
        let keys = LoadKeys::new(plan.seed);
        let committee = keys.committee();
        Self { keys, plan, params, times, providers, committee, holder: None, template: None }
    }

    /// The delegation of a number.
    pub(super) fn make(&mut self, number: u64) -> Result<Made, NotGenerated> {
        let per_staker = self.plan.delegations.div_ceil(self.plan.stakers.max(1)).max(1);
        let staker = number / per_staker;
        let holder = match self.holder.take() {
            Some(holder) if holder.number == staker => holder,
            Some(_) | None => self.holder(staker)?,
        };
        let status = self.status(number);
        let made = self.stake(&holder, number, status);
        self.holder = Some(holder);
        made
    }

    fn status(&self, number: u64) -> BTCDelegationStatus {
        let mut choice = self.keys.number("status", number, self.plan.mix.sum());
        for (weight, status) in self.plan.mix.weights().into_iter().zip(Mix::STATUSES) {
            match choice.checked_sub(weight.into()) {
                Some(rest) => choice = rest,
                None => return status,
            }
        }
        BTCDelegationStatus::Active
    }

    fn holder(&self, number: u64) -> Result<Holder, NotGenerated> {
        let count = u64::try_from(self.providers.len()).unwrap_or(1);
        let provider = usize::try_from(number % count).unwrap_or(0);
        let secret = self.keys.staker(number);
        let account = self.keys.staker_account(number);
        let possession = bitcoin::hashes::sha256::Hash::hash(account.account().bytes()).to_byte_array();
        let possession = ProofOfPossession::Bip340(secret.signing_key().sign_schnorr(&possession, &[0; 32]));
        let (min, max) = (self.params.min_staking_value.to_sat(), self.params.max_staking_value.to_sat());
        // At most a hundred times the least, so that no few stakes outweigh all others.
        let spread = (max - min).min(min.saturating_mul(99)) + 1;
        let amount = min + self.keys.number("amount", number, spread);
        let key = self.providers[provider];
        let plan = plan_stake(
            self.params,
            secret.public_key(),
            &[key],
            Amount::from_sat(amount),
            self.times.staking_time,
        );
        let base = BTCDelegation {
            staker_addr: account.account().bech32().to_owned(),
            btc_pk: secret.public_key().to_bytes().to_vec(),
            pop: Some(encode_possession(&possession)),
            fp_btc_pk_list: vec![key.to_bytes().to_vec()],
            staking_time: self.times.staking_time.into(),
            total_sat: amount,
            unbonding_time: self.times.unbonding,
            params_version: self.params.version.0,
            ..Default::default()
        };
        let provider = u32::try_from(provider).unwrap_or(0);
        Ok(Holder { number, provider, secret, plan: plan.map_err(NotGenerated::stake)?, base })
    }

    fn stake(
        &mut self,
        holder: &Holder,
        number: u64,
        status: BTCDelegationStatus,
    ) -> Result<Made, NotGenerated> {
        let funding = OutPoint::new(Txid::from_byte_array(self.keys.bytes("funding", number)), 0);
        let staking_tx = funded_by(funding, holder.plan.staking_output());
        let txid = staking_tx.compute_txid();
        let funded = holder.plan.clone().with_funded(staking_tx).map_err(NotGenerated::stake)?;
        let mut record = BTCDelegation {
            staking_tx: serialize(funded.staking_tx()),
            staking_output_idx: funded.staking_outpoint().vout,
            slashing_tx: serialize(funded.slashing_tx()),
            btc_tip_height: self.times.tip,
            ..holder.base.clone()
        };
        let mut part = BTCUndelegation {
            unbonding_tx: serialize(funded.unbonding_tx()),
            slashing_tx: serialize(funded.unbonding_slashing_tx()),
            ..Default::default()
        };
        let signed = self.signed(holder, funded)?;
        record.delegator_sig = signed.delegator_sig;
        part.delegator_slashing_sig = signed.delegator_slashing_sig;
        if status != BTCDelegationStatus::Pending {
            record.covenant_sigs = signed.covenant_sigs;
            part.covenant_slashing_sigs = signed.covenant_slashing_sigs;
            part.covenant_unbonding_sig_list = signed.covenant_unbonding_sig_list;
        }
        if !matches!(status, BTCDelegationStatus::Pending | BTCDelegationStatus::Verified) {
            let start = self.times.start(status, self.keys.number("start", number, u64::MAX));
            record.start_height = start;
            record.end_height = start + record.staking_time;
            record.btc_tip_height = start - 1;
        }
        if status == BTCDelegationStatus::Unbonded {
            part.delegator_unbonding_info = Some(DelegatorUnbondingInfo::default());
        }
        record.btc_undelegation = Some(part);
        Ok(Made { txid, record, status, provider: holder.provider })
    }

    fn signed(&mut self, holder: &Holder, funded: FundedStake) -> Result<Signed, NotGenerated> {
        match (self.plan.signatures, &self.template) {
            (Signatures::Copied, Some(template)) => Ok(template.clone()),
            (Signatures::Copied, None) => {
                let signed = self.sign(holder, funded)?;
                self.template = Some(signed.clone());
                Ok(signed)
            }
            (Signatures::Valid, _) => self.sign(holder, funded),
        }
    }

    fn sign(&self, holder: &Holder, funded: FundedStake) -> Result<Signed, NotGenerated> {
        let terms = funded.sign(&holder.secret, &[0; 32]).map_err(NotGenerated::stake)?;
        let checked = terms.check(self.params).map_err(NotGenerated::stake)?;
        let quorum = usize::try_from(self.params.covenant_committee.quorum()).unwrap_or(usize::MAX);
        let (mut slashing, mut unbonding, mut unbonding_slashing) = (vec![], vec![], vec![]);
        for member in self.committee.iter().take(quorum) {
            let set = checked.sign_covenant(member, &[0; 32]).map_err(NotGenerated::stake)?;
            slashing.push((set.covenant, set.slashing));
            unbonding.push((set.covenant, set.unbonding));
            unbonding_slashing.push((set.covenant, set.unbonding_slashing));
        }
        Ok(Signed {
            delegator_sig: terms.staker_slashing_signature.serialize().to_vec(),
            delegator_slashing_sig: terms.staker_unbonding_slashing_signature.serialize().to_vec(),
            covenant_sigs: encode_adaptor_lists(&slashing),
            covenant_slashing_sigs: encode_adaptor_lists(&unbonding_slashing),
            covenant_unbonding_sig_list: encode_signature_list(&unbonding),
        })
    }
}

impl Mix {
    /// The statuses in the order of the weights.
    const STATUSES: [BTCDelegationStatus; 5] = [
        BTCDelegationStatus::Pending,
        BTCDelegationStatus::Verified,
        BTCDelegationStatus::Active,
        BTCDelegationStatus::Unbonded,
        BTCDelegationStatus::Expired,
    ];
}

/// A transaction that pays one output from a coin nobody has.
pub(super) fn funded_by(coin: OutPoint, output: TxOut) -> Transaction {
    Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: coin,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![output],
    }
}
