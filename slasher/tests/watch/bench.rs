//! A Bitcoin node in memory, a scripted chain and a watchtower between them, with real stakes and real signatures.

use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness,
    absolute::LockTime,
    hashes::{Hash, sha256},
    opcodes::OP_TRUE,
    script::Builder,
    transaction::Version,
};
use btc_staking_bitcoin_node::{
    dev::{DevNode, reorg},
    ports::{BlockRef, BlockSource, BroadcastOutcome, Broadcaster, BurnLimit, TxPlace},
    simulator::Simulator,
};
use btc_staking_crypto::{
    eots::EotsSecretKey,
    merkle::Tree,
    nonce::{self, Scheme},
};
use btc_staking_daemon::{
    health::Health,
    metrics::Metrics,
    tasks::{Stop, StopSource},
};
use btc_staking_pos_chain::{
    ChainMessage, LightClientHeader,
    double::{ChainState, ScriptedChain},
};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    delegation::{
        CheckedDelegation, CovenantSignatures, Delegation, DelegationStatus, SlashedOutput, plan_stake,
    },
    finality::{
        evidence::{Evidence, FinalityProviderSecret},
        vote::{SignedVote, VoteMessage},
    },
    height::{BtcHeight, PosHeight, Timelock},
    keys::{AccountAddress, CovenantSecret, FinalityProviderPublicKey, StakerSecret},
    params::{ParamsFields, ParamsVersion, StakingParams},
    rate::Decimal,
};
use btc_staking_slasher::{
    board::Board,
    records::Records,
    relay::{RelayError, Relayed, relay_once},
    service::{RoundError, Service, Watcher},
};
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;

pub const AUX: [u8; 32] = [0; 32];
/// Depth at which the scripted chain takes a Bitcoin transaction for final.
pub const K: u32 = 2;

pub fn secret_bytes(label: &str) -> [u8; 32] {
    sha256::Hash::hash(label.as_bytes()).to_byte_array()
}
fn blocks(number: u32) -> Timelock {
    Timelock::from_blocks(number).unwrap()
}
pub fn member(number: u8) -> CovenantSecret {
    CovenantSecret::from_bytes(&secret_bytes(&format!("member-{number}"))).unwrap()
}
pub fn params() -> StakingParams {
    let keys = (0..3).map(|number| member(number).public_key()).collect();
    StakingParams::new(ParamsFields {
        version: ParamsVersion(0),
        btc_activation_height: BtcHeight::new(1),
        covenant_committee: CovenantCommittee::new(2, keys).unwrap(),
        min_staking_value: Amount::from_sat(50_000),
        max_staking_value: Amount::from_sat(10_000_000),
        min_staking_time: blocks(10),
        max_staking_time: blocks(60_000),
        slashing_script: ScriptBuf::from_hex("6a07626162796c6f6e").unwrap(),
        min_slashing_fee: Amount::from_sat(2_000),
        slashing_rate: "0.1".parse().unwrap(),
        unbonding_time: blocks(5),
        unbonding_fee: Amount::from_sat(1_000),
        min_commission_rate: Decimal::ZERO,
        delegation_creation_base_gas_fee: 0,
        allow_list_expiration_height: 0,
    })
    .unwrap()
}
/// Script of blocks, and one that anyone can spend.
fn anyone() -> ScriptBuf {
    Builder::new().push_opcode(OP_TRUE).into_script()
}

/// A finality provider that can be made to sign twice.
pub struct Provider {
    key: EotsSecretKey,
}

impl Provider {
    pub fn new(label: &str) -> Self {
        Self { key: EotsSecretKey::from_bytes(&secret_bytes(label)).unwrap() }
    }
    pub fn public(&self) -> FinalityProviderPublicKey {
        FinalityProviderPublicKey::new(*self.key.public_key())
    }
    fn vote(&self, app_hash: [u8; 32]) -> SignedVote {
        let nonce = || nonce::derive(&self.key, Scheme::V1, b"test-1", 7);
        let message = VoteMessage { height: PosHeight::new(7), app_hash };
        SignedVote {
            finality_provider: self.public(),
            message,
            public_randomness: nonce().public(),
            proof: Tree::build(&[nonce().public()]).proof(0).unwrap(),
            signature: self.key.sign(nonce(), &message.to_bytes()).unwrap(),
        }
    }
    /// Two votes at one height.
    pub fn evidence(&self) -> Evidence {
        Evidence::of_conflict(&self.vote([1; 32]), &self.vote([2; 32])).unwrap()
    }
    /// The key itself, as whoever slashes selectively has it.
    pub fn secret(&self) -> FinalityProviderSecret {
        self.evidence().extract_secret().unwrap()
    }
}

/// A stake as its holder has it.
pub struct Stake {
    pub checked: CheckedDelegation,
    pub covenant: CovenantSignatures,
    staker: StakerSecret,
}

impl Stake {
    pub fn txid(&self) -> Txid {
        self.checked.staking_txid()
    }
    pub fn unbonding_tx(&self) -> Transaction {
        let signature = self.staker.sign(self.checked.sighashes().unbonding, &AUX);
        self.checked.assemble_unbonding(&self.covenant, &signature).unwrap()
    }
    pub fn slashing_txid(&self, output: SlashedOutput) -> Txid {
        self.checked.slashing_tx(output).compute_txid()
    }
    pub fn signed_slashing(&self, output: SlashedOutput, secret: &FinalityProviderSecret) -> Transaction {
        match output {
            SlashedOutput::Staking => self.checked.assemble_slashing(&self.covenant, secret, &AUX),
            SlashedOutput::Unbonding => {
                self.checked.assemble_unbonding_slashing(&self.covenant, secret, &AUX)
            }
        }
        .unwrap()
    }
}

/// Both chains and the folder with the watchtower's records.
pub struct Bench {
    pub bitcoin: Arc<Simulator>,
    pub chain: ScriptedChain,
    pub folder: TempDir,
    account: AccountAddress,
    coins: Vec<OutPoint>,
    /// Keeps the stop signal from being given.
    _stop_source: StopSource,
    stop: Stop,
    reorgs: u8,
}

/// Value of a coinbase in the first blocks of regtest.
const COINBASE: Amount = Amount::from_sat(5_000_000_000);

impl Bench {
    /// Coins to stake with, and a light client that knows the first block.
    pub async fn new() -> Self {
        let bitcoin = Arc::new(Simulator::new(Box::new(|| 1_700_000_000)));
        let mut coins = Vec::new();
        for block in bitcoin.mine(10, &anyone().to_p2wsh()).await.unwrap() {
            let block = bitcoin.fetch_block(&block.hash).await.unwrap().unwrap();
            coins.push(OutPoint::new(block.txdata[0].compute_txid(), 0));
        }
        bitcoin.mine(100, &anyone().to_p2wsh()).await.unwrap();
        let mut state = ChainState::new("test-1");
        let height = BtcHeight::new(100);
        let hash = bitcoin.fetch_block_hash(height).await.unwrap().unwrap();
        let (header, _) = bitcoin.fetch_header(&hash).await.unwrap().unwrap();
        state.light_client.push(LightClientHeader { header, hash, height });
        state.staking_params.push(params());
        let stop_source = StopSource::new();
        let stop = stop_source.stop();
        Self {
            bitcoin,
            chain: ScriptedChain::new(state),
            folder: tempfile::tempdir().unwrap(),
            account: AccountAddress::from_bytes("bbn", &[7; 20]).unwrap(),
            coins,
            _stop_source: stop_source,
            stop,
            reorgs: 0,
        }
    }

    /// A stake that the chain lists as verified, signed by all members.
    pub fn stake(&mut self, holder: &str, provider: &Provider) -> Stake {
        self.stake_signed_by(holder, provider, 3)
    }

    /// The same, signed by the first `members` members only.
    pub fn stake_signed_by(&mut self, holder: &str, provider: &Provider, members: u8) -> Stake {
        let staker = StakerSecret::from_bytes(&secret_bytes(holder)).unwrap();
        let amount = Amount::from_sat(1_000_000);
        let plan =
            plan_stake(&params(), staker.public_key(), &[provider.public()], amount, blocks(1000)).unwrap();
        let change =
            TxOut { value: COINBASE - amount - Amount::from_sat(1_000), script_pubkey: anyone().to_p2wsh() };
        let staking_tx = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: self.coins.pop().unwrap(),
                script_sig: ScriptBuf::new(),
                sequence: Sequence::MAX,
                witness: Witness::from_slice(&[anyone().as_bytes()]),
            }],
            output: vec![plan.staking_output(), change],
        };
        let terms = plan.with_funded(staking_tx).unwrap().sign(&staker, &AUX).unwrap();
        let checked = terms.check(&params()).unwrap();
        let mut covenant = CovenantSignatures::default();
        for number in 0..members {
            covenant.insert(&checked.sign_covenant(&member(number), &AUX).unwrap());
        }
        let delegation = Delegation {
            staker_account: self.account.clone(),
            terms: checked.terms().clone(),
            staking_output_index: checked.staking_outpoint().vout,
            params_version: ParamsVersion(0),
            inclusion: None,
            covenant: covenant.clone(),
            unbonded: None,
            expansion: None,
            status: if members >= 2 { DelegationStatus::Verified } else { DelegationStatus::Pending },
        };
        self.chain.update(|state| state.delegations.insert(checked.staking_txid(), delegation));
        Stake { checked, covenant, staker }
    }

    pub async fn broadcast(&self, tx: &Transaction) {
        let burn = BurnLimit(Amount::from_sat(1_000_000));
        let outcome = self.bitcoin.broadcast(tx, burn).await.unwrap();
        assert_eq!(outcome, BroadcastOutcome::Accepted);
    }
    /// Hands a transaction to the node, whatever it says to it.
    pub async fn offer(&self, tx: &Transaction) {
        self.bitcoin.broadcast(tx, BurnLimit(Amount::from_sat(1_000_000))).await.unwrap();
    }
    pub async fn mine(&self, number: u32) {
        self.bitcoin.mine(number, &anyone().to_p2wsh()).await.unwrap();
    }
    /// Puts stakes on Bitcoin, in one block.
    pub async fn confirm(&self, stakes: &[&Stake]) {
        for stake in stakes {
            self.broadcast(&stake.checked.terms().staking_tx).await;
        }
        self.mine(1).await;
    }
    /// Replaces the topmost blocks by one more of others.
    pub async fn reorg(&mut self, depth: u32) -> Vec<BlockRef> {
        self.reorgs += 1;
        let script = Builder::new().push_int(i64::from(self.reorgs) + 1).into_script().to_p2wsh();
        reorg(&*self.bitcoin, depth, &script).await.unwrap()
    }
    pub async fn place(&self, txid: &Txid) -> TxPlace {
        self.bitcoin.locate(txid).await.unwrap()
    }
    pub async fn is_confirmed(&self, txid: &Txid) -> bool {
        matches!(self.place(txid).await, TxPlace::Confirmed(_))
    }
    pub fn status(&self, stake: &Stake) -> DelegationStatus {
        self.chain.update(|state| state.delegations[&stake.txid()].status)
    }
    /// Shows evidence on the chain.
    pub fn convict(&self, provider: &Provider) {
        self.chain.update(|state| state.evidences.push(provider.evidence()));
    }
    /// Names of what was sent since the last look, headers left out.
    pub fn sent(&self) -> Vec<&'static str> {
        let name = |message: &ChainMessage| match message {
            ChainMessage::AddInclusionProof { .. } => "proof",
            ChainMessage::ReportUndelegation(_) => "spend",
            ChainMessage::SelectiveSlashingEvidence(_) => "secret",
            ChainMessage::InsertHeaders(_) => "headers",
            _ => "other",
        };
        let sent: Vec<_> = self.chain.take_submitted().iter().map(|sent| name(&sent.message)).collect();
        sent.into_iter().filter(|name| *name != "headers").collect()
    }

    /// Relays headers until the light client has them all.
    pub async fn relay(&self) -> Result<(), RelayError> {
        let submitter = self.chain.submitter(self.account.clone());
        for _ in 0..100 {
            if relay_once(&*self.bitcoin, &self.chain, &submitter).await? == Relayed::UpToDate {
                return Ok(());
            }
        }
        panic!("the relay never comes to an end");
    }

    /// A watchtower over the records in the bench's folder.
    pub fn service(&self) -> Service {
        self.service_over(Records::open(self.folder.path()).unwrap())
    }
    pub fn service_over(&self, records: Records) -> Service {
        let submitter = Arc::new(self.chain.submitter(self.account.clone()));
        let board = Board::new(&Metrics::new("slasher"), &Health::new()).unwrap();
        let bitcoin = Arc::clone(&self.bitcoin);
        let chain = Arc::new(self.chain.clone());
        Service::new(bitcoin, chain, submitter, Arc::new(records), Duration::from_millis(1), board)
    }
    pub async fn watch<'s>(&self, service: &'s Service) -> Watcher<'s> {
        self.try_watch(service).await.unwrap()
    }
    pub async fn try_watch<'s>(&self, service: &'s Service) -> Result<Watcher<'s>, RoundError> {
        Watcher::resume(service, &mut self.stop.clone()).await
    }
    /// One look at both chains, headers first.
    pub async fn round(&self, watcher: &mut Watcher<'_>) {
        self.try_round(watcher).await.unwrap();
    }
    pub async fn try_round(&self, watcher: &mut Watcher<'_>) -> Result<(), RoundError> {
        // Headers wait for a chain that answers, as the watch itself does.
        let _ = self.relay().await;
        watcher.round(&mut self.stop.clone()).await
    }
    /// A new watchtower over the same records, and one look.
    pub async fn one_look_after_a_restart(&self) {
        let service = self.service();
        let mut watcher = self.watch(&service).await;
        self.round(&mut watcher).await;
    }
}
