//! A scripted chain with stakes that wait for signatures, and a member's signer and daemon over it.

use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, Txid, Witness,
    absolute::LockTime,
    block::{Header, Version as BlockVersion},
    hashes::{Hash, sha256},
    transaction::Version,
};
use btc_staking_covenant::{
    machine::{Machine, ParamsTrust},
    records::SignLog,
    service::{Board, Service},
    signer::Signer,
};
use btc_staking_daemon::{
    health::{Health, HealthReport},
    metrics::Metrics,
    tasks::{StopSource, TaskError},
};
use btc_staking_pos_chain::{
    ChainMessage, FinalityProvider, LightClientHeader,
    double::{ChainState, ScriptedChain},
    message::{CommissionRates, Description},
};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    delegation::{CovenantSignatureSet, CovenantSignatures, Delegation, DelegationStatus, plan_stake},
    finality::evidence::FinalityProviderSecret,
    height::{BtcHeight, PosHeight, Timelock},
    keys::{AccountAddress, CovenantSecret, FinalityProviderPublicKey, StakerSecret},
    params::{ParamsFields, ParamsVersion, StakingParams},
    rate::Decimal,
};
use std::{path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;

pub const AUX: [u8; 32] = [0; 32];
/// Tip of the chain's light client.
pub const TIP: u32 = 1_000;
pub const STAKING_TIME: u32 = 500;
pub const UNBONDING_TIME: u32 = 5;

pub fn secret_bytes(label: &str) -> [u8; 32] {
    sha256::Hash::hash(label.as_bytes()).to_byte_array()
}
pub fn blocks(number: u32) -> Timelock {
    Timelock::from_blocks(number).unwrap()
}
pub fn member(number: u8) -> CovenantSecret {
    CovenantSecret::from_bytes(&secret_bytes(&format!("member-{number}"))).unwrap()
}
pub fn account() -> AccountAddress {
    AccountAddress::from_bytes("bbn", &[7; 20]).unwrap()
}
pub fn provider() -> FinalityProviderPublicKey {
    let secret = FinalityProviderSecret::from_bytes(&secret_bytes("provider")).unwrap();
    FinalityProviderPublicKey::new(*secret.public_key())
}

/// Params of a version, with a committee of members 0 to 2 and a quorum of 2.
pub fn fields(version: u32) -> ParamsFields {
    let keys = (0..3).map(|number| member(number).public_key()).collect();
    ParamsFields {
        version: ParamsVersion(version),
        btc_activation_height: BtcHeight::new(1 + version),
        covenant_committee: CovenantCommittee::new(2, keys).unwrap(),
        min_staking_value: Amount::from_sat(50_000),
        max_staking_value: Amount::from_sat(10_000_000),
        min_staking_time: blocks(10),
        max_staking_time: blocks(60_000),
        slashing_script: ScriptBuf::from_hex("6a07626162796c6f6e").unwrap(),
        min_slashing_fee: Amount::from_sat(2_000),
        slashing_rate: "0.1".parse().unwrap(),
        unbonding_time: blocks(UNBONDING_TIME),
        unbonding_fee: Amount::from_sat(1_000),
        min_commission_rate: Decimal::ZERO,
        delegation_creation_base_gas_fee: 0,
        allow_list_expiration_height: 0,
    }
}
pub fn params(version: u32) -> StakingParams {
    StakingParams::new(fields(version)).unwrap()
}

/// A stake that waits for signatures, under params version 0.
pub fn pending(holder: &str) -> Delegation {
    pending_with(holder, |_| ())
}

/// The same with an edit of its staking transaction.
pub fn pending_with(holder: &str, edit: impl Fn(&mut Transaction)) -> Delegation {
    pending_under(&params(0), holder, edit)
}

pub fn pending_under(params: &StakingParams, holder: &str, edit: impl Fn(&mut Transaction)) -> Delegation {
    let staker = StakerSecret::from_bytes(&secret_bytes(holder)).unwrap();
    let amount = Amount::from_sat(1_000_000);
    let plan = plan_stake(params, staker.public_key(), &[provider()], amount, blocks(STAKING_TIME)).unwrap();
    let mut staking_tx = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(Txid::from_byte_array(secret_bytes(holder)), 0),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![plan.staking_output()],
    };
    edit(&mut staking_tx);
    let terms = plan.with_funded(staking_tx).unwrap().sign(&staker, &AUX).unwrap();
    Delegation {
        staker_account: account(),
        staking_output_index: terms.unbonding_tx.input[0].previous_output.vout,
        terms,
        params_version: params.version,
        inclusion: None,
        covenant: CovenantSignatures::default(),
        unbonded: None,
        expansion: None,
        status: DelegationStatus::Pending,
    }
}
pub fn txid(delegation: &Delegation) -> Txid {
    delegation.terms.staking_tx.compute_txid()
}

/// The chain and the folder with the member's sign log.
pub struct Bench {
    pub chain: ScriptedChain,
    pub folder: TempDir,
    pub health: Health,
    stop_source: StopSource,
}

impl Bench {
    pub fn new() -> Self {
        let mut state = ChainState::new("test-1");
        state.staking_params.push(params(0));
        let header = Header {
            version: BlockVersion::ONE,
            prev_blockhash: Hash::all_zeros(),
            merkle_root: Hash::all_zeros(),
            time: 0,
            bits: bitcoin::CompactTarget::from_consensus(0x207f_ffff),
            nonce: 0,
        };
        let tip = LightClientHeader { header, hash: header.block_hash(), height: BtcHeight::new(TIP) };
        state.light_client.push(tip);
        let provider = FinalityProvider {
            key: provider(),
            account: account(),
            description: Description::default(),
            commission: CommissionRates {
                rate: Decimal::ZERO,
                max_rate: Decimal::ZERO,
                max_change_rate: Decimal::ZERO,
            },
            commission_set_at: None,
            slashed: None,
            jailed: false,
            highest_voted_height: PosHeight::new(0),
        };
        state.finality_providers.insert(provider.key, provider);
        Self::on(&ScriptedChain::new(state))
    }

    /// Another member's place on the same chain.
    pub fn on(chain: &ScriptedChain) -> Self {
        Self {
            chain: chain.clone(),
            folder: tempfile::tempdir().unwrap(),
            health: Health::new(),
            stop_source: StopSource::new(),
        }
    }

    pub fn add(&self, delegation: &Delegation) {
        self.chain.update(|state| state.delegations.insert(txid(delegation), delegation.clone()));
    }
    pub fn signer(&self, number: u8) -> Signer {
        signer_in(self.folder.path(), number)
    }
    /// The daemon of member 0.
    pub fn service(&self) -> Service {
        self.service_of(self.signer(0))
    }
    pub fn service_of(&self, signer: Signer) -> Service {
        let chain = Arc::new(self.chain.clone());
        let submitter = Arc::new(self.chain.submitter(account()));
        let board = Board::new(&Metrics::new("covenant"), &self.health).unwrap();
        Service::new(
            Arc::new(signer),
            chain,
            submitter,
            ParamsTrust::default(),
            Duration::from_millis(1),
            board,
        )
    }
    pub async fn round(&self, service: &Service, machine: &mut Machine) {
        self.try_round(service, machine).await.unwrap();
    }
    pub async fn try_round(&self, service: &Service, machine: &mut Machine) -> Result<(), TaskError> {
        service.round(machine, &self.stop_source.stop()).await
    }
    pub fn health(&self) -> HealthReport {
        self.health.report()
    }
    /// Signature sets sent since the last look.
    pub fn sent(&self) -> Vec<CovenantSignatureSet> {
        let set = |message| match message {
            ChainMessage::AddCovenantSignatures(set) => *set,
            other => panic!("a committee member sends {other:?}"),
        };
        self.chain.take_submitted().into_iter().map(|sent| set(sent.message)).collect()
    }
}

pub fn machine() -> Machine {
    Machine::new(member(0).public_key(), ParamsTrust::default())
}
pub fn signer_in(folder: &Path, number: u8) -> Signer {
    Signer::new(member(number), SignLog::open(folder).unwrap())
}
