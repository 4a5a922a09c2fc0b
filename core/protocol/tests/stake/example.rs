//! The stake of `bitcoin.md` 15 and variations of it: the keys, the params, and a forge that breaks one thing at a time.

use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness,
    absolute::LockTime,
    consensus::encode::deserialize_hex,
    hashes::{Hash, sha256},
    transaction::Version,
};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    delegation::{CheckedDelegation, CovenantSignatures, DelegationTerms, plan_stake},
    finality::evidence::FinalityProviderSecret,
    height::{BtcHeight, Timelock},
    keys::{CovenantPublicKey, CovenantSecret, FinalityProviderPublicKey, StakerPublicKey, StakerSecret},
    output::StakeOutputs,
    params::{ParamsFields, ParamsVersion, StakingParams},
    rate::Decimal,
    script::StakeKeys,
    sighash::single_input_sighash,
    tx::{
        expansion::build_expansion_tx,
        slashing::{SlashingRules, SlashingTxVersion, build_slashing_tx},
        unbonding::build_unbonding_tx,
    },
};

pub const AUX: [u8; 32] = [0; 32];

pub fn secret_bytes(label: &[u8]) -> [u8; 32] {
    sha256::Hash::hash(label).to_byte_array()
}
pub fn staker() -> StakerSecret {
    StakerSecret::from_bytes(&secret_bytes(b"staker-0")).unwrap()
}
pub fn provider() -> FinalityProviderSecret {
    FinalityProviderSecret::from_bytes(&secret_bytes(b"finality-provider-2")).unwrap()
}
pub fn provider_key() -> FinalityProviderPublicKey {
    FinalityProviderPublicKey::new(*provider().public_key())
}
pub fn other_provider(number: u8) -> FinalityProviderSecret {
    FinalityProviderSecret::from_bytes(&secret_bytes(&[b'f', number])).unwrap()
}
pub fn member(number: u8) -> CovenantSecret {
    CovenantSecret::from_bytes(&secret_bytes(&[number])).unwrap()
}
pub fn member_key(number: u8) -> CovenantPublicKey {
    member(number).public_key()
}
pub fn committee(members: impl IntoIterator<Item = u8>, quorum: u32) -> CovenantCommittee {
    CovenantCommittee::new(quorum, members.into_iter().map(member_key).collect()).unwrap()
}
pub fn blocks(number: u32) -> Timelock {
    Timelock::from_blocks(number).unwrap()
}
pub fn sat(number: u64) -> Amount {
    Amount::from_sat(number)
}

/// Params under which the worked example is a valid stake.
pub fn fields() -> ParamsFields {
    ParamsFields {
        version: ParamsVersion(3),
        btc_activation_height: BtcHeight::new(100),
        covenant_committee: committee(0..5, 3),
        min_staking_value: sat(50_000),
        max_staking_value: sat(1_000_000),
        min_staking_time: blocks(500),
        max_staking_time: blocks(64_000),
        slashing_script: ScriptBuf::from_hex("6a07626162796c6f6e").unwrap(),
        min_slashing_fee: sat(2000),
        slashing_rate: "0.1".parse().unwrap(),
        unbonding_time: blocks(101),
        unbonding_fee: sat(1000),
        min_commission_rate: Decimal::ZERO,
        delegation_creation_base_gas_fee: 0,
        allow_list_expiration_height: 0,
    }
}
pub fn params() -> StakingParams {
    StakingParams::new(fields()).unwrap()
}

/// Any transaction with these outputs.
pub fn tx_paying(outputs: Vec<TxOut>) -> Transaction {
    let previous_output = OutPoint::new(bitcoin::Txid::from_byte_array([0xaa; 32]), 1);
    let input = TxIn {
        previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::new(),
    };
    Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: vec![input], output: outputs }
}

/// The staking transaction of `bitcoin.md` 15.2.
pub fn staking_tx() -> Transaction {
    deserialize_hex(
        "0200000001aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0100000000ffffffff01a086010000000000225120ee53e90035a862d49e9e89604461482cb794557c8e49e169179357a7d2fb4a6000000000",
    )
    .unwrap()
}

/// The terms of the worked example, signed.
pub fn terms() -> DelegationTerms {
    let plan =
        plan_stake(&params(), staker().public_key(), &[provider_key()], sat(100_000), blocks(1000)).unwrap();
    plan.with_funded(staking_tx()).unwrap().sign(&staker(), &AUX).unwrap()
}
pub fn checked() -> CheckedDelegation {
    terms().check(&params()).unwrap()
}

/// Signatures of these committee members on a stake.
pub fn signed_by(checked: &CheckedDelegation, members: impl IntoIterator<Item = u8>) -> CovenantSignatures {
    let mut signatures = CovenantSignatures::default();
    for number in members {
        signatures.insert(&checked.sign_covenant(&member(number), &AUX).unwrap());
    }
    signatures
}

type Edit<T> = Box<dyn Fn(&mut T)>;

/// Makes a stake with one thing wrong: edits a transaction before the next ones are built over it, then signs.
pub struct Forge {
    pub params: ParamsFields,
    pub staker: StakerSecret,
    pub providers: Vec<FinalityProviderPublicKey>,
    pub value: Amount,
    pub time: Timelock,
    pub staking: Edit<Transaction>,
    pub unbonding: Edit<Transaction>,
    pub slashing: Edit<Transaction>,
    pub unbonding_slashing: Edit<Transaction>,
    pub terms: Edit<DelegationTerms>,
}

impl Default for Forge {
    fn default() -> Self {
        Self {
            params: fields(),
            staker: staker(),
            providers: vec![provider_key()],
            value: sat(100_000),
            time: blocks(1000),
            staking: Box::new(|_| ()),
            unbonding: Box::new(|_| ()),
            slashing: Box::new(|_| ()),
            unbonding_slashing: Box::new(|_| ()),
            terms: Box::new(|_| ()),
        }
    }
}

impl Forge {
    pub fn outputs(&self) -> StakeOutputs {
        let public: StakerPublicKey = self.staker.public_key();
        let keys = StakeKeys::new(public, &self.providers, &self.params.covenant_committee).unwrap();
        StakeOutputs::new(keys, self.time, self.params.unbonding_time)
    }

    pub fn make(&self) -> DelegationTerms {
        let outputs = self.outputs();
        let rules = SlashingRules::from(&self.params);
        let output = TxOut { value: self.value, script_pubkey: outputs.staking.script_pubkey() };
        let mut staking_tx = tx_paying(vec![output.clone()]);
        (self.staking)(&mut staking_tx);
        let staking_outpoint = OutPoint::new(staking_tx.compute_txid(), 0);

        let script = outputs.unbonding.script_pubkey();
        let mut unbonding_tx =
            build_unbonding_tx(staking_outpoint, self.value, script, self.params.unbonding_fee).unwrap();
        (self.unbonding)(&mut unbonding_tx);
        let slash = |outpoint, output: &TxOut| {
            build_slashing_tx(outpoint, output, &outputs.refund, rules, SlashingTxVersion::One).unwrap()
        };
        let mut slashing_tx = slash(staking_outpoint, &output);
        (self.slashing)(&mut slashing_tx);
        let unbonding_output = unbonding_tx.output[0].clone();
        let taproot = TxOut { script_pubkey: outputs.unbonding.script_pubkey(), ..unbonding_output.clone() };
        let mut unbonding_slashing_tx = slash(OutPoint::new(unbonding_tx.compute_txid(), 0), &taproot);
        (self.unbonding_slashing)(&mut unbonding_slashing_tx);

        let sign = |tx: &Transaction, prevout: &TxOut, leaf| {
            let sighash = single_input_sighash(tx, prevout, leaf);
            sighash.map_or_else(
                |_| self.staker.sign(Hash::all_zeros(), &AUX),
                |hash| self.staker.sign(hash, &AUX),
            )
        };
        let staking_leaf = outputs.staking.slashing_leaf();
        let unbonding_leaf = outputs.unbonding.slashing_leaf();
        let mut terms = DelegationTerms {
            staker: self.staker.public_key(),
            finality_providers: self.providers.clone(),
            staking_time: self.time,
            staking_value: self.value,
            staker_slashing_signature: sign(&slashing_tx, &output, staking_leaf),
            staking_tx,
            slashing_tx,
            unbonding_time: self.params.unbonding_time,
            unbonding_value: unbonding_output.value,
            staker_unbonding_slashing_signature: sign(
                &unbonding_slashing_tx,
                &unbonding_output,
                unbonding_leaf,
            ),
            unbonding_tx,
            unbonding_slashing_tx,
        };
        (self.terms)(&mut terms);
        terms
    }
}

/// A transaction whose output 0 pays for an expansion.
pub fn funding_tx(value: u64) -> Transaction {
    let script_pubkey = ScriptBuf::from_hex("00140202020202020202020202020202020202020202").unwrap();
    tx_paying(vec![TxOut { value: sat(value), script_pubkey }])
}

/// The staking transaction by which the worked example grows to `value`, funded by output 0 of `funding_tx`.
pub fn expansion_tx(previous: &CheckedDelegation, value: u64, funding_tx: &Transaction) -> Transaction {
    let output = TxOut { value: sat(value), script_pubkey: previous.outputs().staking.script_pubkey() };
    let funding = OutPoint::new(funding_tx.compute_txid(), 0);
    build_expansion_tx(previous.staking_outpoint(), funding, output, None)
}

/// A checked stake over `staking_tx`, with the keys and times of the worked example.
pub fn stake_over(staking_tx: Transaction, params: &StakingParams) -> CheckedDelegation {
    let value = staking_tx.output[0].value;
    let plan = plan_stake(params, staker().public_key(), &[provider_key()], value, blocks(1000)).unwrap();
    let terms = plan.with_funded(staking_tx).unwrap().sign(&staker(), &AUX).unwrap();
    terms.check(params).unwrap()
}
