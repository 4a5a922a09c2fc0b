//! A stake for the tests of machine, records and position, with the chain's answers about it.

use super::{Stake, Step};
use bitcoin::{
    Amount, OutPoint, Psbt, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness,
    absolute::LockTime,
    hashes::{Hash, sha256},
    transaction::Version,
};
use btc_staking_pos_chain::{
    FinalityProvider, SlashedAt,
    message::{CommissionRates, Description},
};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    delegation::{CovenantSignatures, Delegation, DelegationStatus, plan_stake},
    height::{BtcHeight, PosHeight, Timelock},
    keys::{AccountAddress, CovenantSecret, FinalityProviderPublicKey, StakerSecret},
    params::{ParamsFields, ParamsVersion, StakingParams},
    possession::ProofOfPossession,
    rate::Decimal,
};

const AUX: [u8; 32] = [0; 32];

fn secret_bytes(label: &[u8]) -> [u8; 32] {
    sha256::Hash::hash(label).to_byte_array()
}
fn blocks(number: u32) -> Timelock {
    Timelock::from_blocks(number).unwrap()
}
pub(crate) fn staker() -> StakerSecret {
    StakerSecret::from_bytes(&secret_bytes(b"staker-0")).unwrap()
}
pub(crate) fn member(number: u8) -> CovenantSecret {
    CovenantSecret::from_bytes(&secret_bytes(&[number])).unwrap()
}
pub(crate) fn provider_key() -> FinalityProviderPublicKey {
    // Of `bitcoin.md` 15.
    "dc065c7ec55cd8429f288e03ac5ecd74be1344e0aa15a5f62da8177d8adcd98d".parse().unwrap()
}
pub(crate) fn account() -> AccountAddress {
    AccountAddress::from_bytes("bbn", &[7; 20]).unwrap()
}

/// Params whose committee is `members`, of whom two have to sign.
pub(crate) fn params_of(members: [u8; 3]) -> StakingParams {
    let keys = members.iter().map(|number| member(*number).public_key()).collect();
    StakingParams::new(ParamsFields {
        version: ParamsVersion(0),
        btc_activation_height: BtcHeight::new(1),
        covenant_committee: CovenantCommittee::new(2, keys).unwrap(),
        min_staking_value: Amount::from_sat(50_000),
        max_staking_value: Amount::from_sat(1_000_000),
        min_staking_time: blocks(10),
        max_staking_time: blocks(64_000),
        slashing_script: ScriptBuf::from_hex("6a07626162796c6f6e").unwrap(),
        min_slashing_fee: Amount::from_sat(2_000),
        slashing_rate: "0.1".parse().unwrap(),
        unbonding_time: blocks(101),
        unbonding_fee: Amount::from_sat(1_000),
        min_commission_rate: Decimal::ZERO,
        delegation_creation_base_gas_fee: 0,
        allow_list_expiration_height: 0,
    })
    .unwrap()
}
pub(crate) fn params() -> StakingParams {
    params_of([0, 1, 2])
}

/// The coin that funds the stake.
pub(crate) fn coin() -> OutPoint {
    OutPoint::new(Txid::from_byte_array([0xaa; 32]), 1)
}

/// A stake in its first step.
pub(crate) fn stake() -> Stake {
    let (params, amount, staking_time) = (params(), Amount::from_sat(100_000), blocks(1_000));
    let secret = staker();
    let plan = plan_stake(&params, secret.public_key(), &[provider_key()], amount, staking_time).unwrap();
    let tx = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: coin(),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![
            plan.staking_output(),
            TxOut { value: Amount::from_sat(5_000), script_pubkey: change() },
        ],
    };
    let terms = plan.with_funded(tx.clone()).unwrap().sign(&secret, &AUX).unwrap();
    let possession = ProofOfPossession::sign_bip340(secret.signing_key(), &account(), &AUX);
    let ProofOfPossession::Bip340(possession) = possession else { panic!("another form was made") };
    Stake {
        params,
        staker: secret.public_key(),
        account: account(),
        finality_provider: provider_key(),
        staking_time,
        amount,
        funding: Psbt::from_unsigned_tx(tx).unwrap(),
        fee: Amount::from_sat(300),
        slashing_signature: terms.staker_slashing_signature,
        unbonding_slashing_signature: terms.staker_unbonding_slashing_signature,
        possession,
        step: Step::Planned,
        unbonding: None,
    }
}

fn change() -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::all_zeros())
}

/// The delegation as the chain tells it, signed by these members.
pub(crate) fn delegation(signed_by: &[u8]) -> Delegation {
    let (stake, checked) = (stake(), stake().checked().unwrap());
    let mut covenant = CovenantSignatures::default();
    for number in signed_by {
        covenant.insert(&checked.sign_covenant(&member(*number), &AUX).unwrap());
    }
    Delegation {
        staker_account: account(),
        terms: checked.terms().clone(),
        staking_output_index: 0,
        params_version: stake.params.version,
        inclusion: None,
        covenant,
        unbonded: None,
        expansion: None,
        status: DelegationStatus::Pending,
    }
}

/// The finality provider as the chain tells it.
pub(crate) fn provider(slashed: Option<SlashedAt>) -> FinalityProvider {
    FinalityProvider {
        key: provider_key(),
        account: account(),
        description: Description::default(),
        commission: CommissionRates {
            rate: Decimal::ZERO,
            max_rate: Decimal::ZERO,
            max_change_rate: Decimal::ZERO,
        },
        commission_set_at: None,
        slashed,
        jailed: false,
        highest_voted_height: PosHeight::new(0),
    }
}

/// The staking transaction with witnesses that stand for signatures; its txid does not cover them.
pub(crate) fn signed_tx() -> Transaction {
    let mut tx = stake().funding.unsigned_tx;
    tx.input[0].witness.push([1; 64]);
    tx
}
