//! A holder, a committee of three with quorum two, a finality provider, and the two chains around them.

use bitcoin::{
    Amount, Network, ScriptBuf, Transaction, Txid,
    hashes::{Hash, sha256},
};
use btc_staking_bitcoin_node::{
    BlockRef, BlockSource, BroadcastOutcome, Broadcaster, BurnLimit, dev::DevNode, simulator::Simulator,
};
use btc_staking_daemon::{clock::SystemClock, entropy::SeededEntropy};
use btc_staking_pos_chain::{
    ChainMessage, FinalityProvider, LightClientHeader, Submitter,
    double::{ChainState, ScriptedChain},
    message::{CommissionRates, Description},
};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    delegation::{CheckedDelegation, CovenantSignatureSet, Delegation, SlashedOutput},
    finality::evidence::FinalityProviderSecret,
    height::{BtcHeight, PosHeight, Timelock},
    keys::{AccountAddress, CovenantSecret, FinalityProviderPublicKey},
    params::{ParamsFields, ParamsVersion, StakingParams},
    rate::Decimal,
};
use btc_staking_staker::{
    keys::{Keys, Phrase},
    records::{Identity, Records, SCHEMA},
    service::{Bitcoin, ChainAccess, Goal, Progress, Service, ServiceError, StakeOrder, Surroundings},
    wallet::NextAddress,
};
use btc_staking_store::Store;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tempfile::TempDir;

pub const STAKING_TIME: u32 = 20;
pub const UNBONDING_TIME: u32 = 6;
const PHRASE: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
const AUX: [u8; 32] = [7; 32];

pub struct World {
    pub bitcoin: Arc<Simulator>,
    pub chain: ScriptedChain,
    pub params: StakingParams,
    pub dir: TempDir,
    pub birthday: BtcHeight,
}

pub fn blocks(number: u32) -> Timelock {
    Timelock::from_blocks(number).unwrap()
}
pub fn sat(number: u64) -> Amount {
    Amount::from_sat(number)
}
pub fn keys() -> Keys {
    Phrase::parse(PHRASE).unwrap().keys(Network::Regtest)
}
pub fn account() -> AccountAddress {
    AccountAddress::from_bytes("bbn", &[9; 20]).unwrap()
}
pub fn provider_secret() -> FinalityProviderSecret {
    FinalityProviderSecret::from_bytes(&sha256::Hash::hash(b"provider").to_byte_array()).unwrap()
}
pub fn provider_key() -> FinalityProviderPublicKey {
    FinalityProviderPublicKey::new(*provider_secret().public_key())
}
pub fn member(number: u8) -> CovenantSecret {
    CovenantSecret::from_bytes(&sha256::Hash::hash(&[number]).to_byte_array()).unwrap()
}
pub fn provider() -> FinalityProvider {
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
        slashed: None,
        jailed: false,
        highest_voted_height: PosHeight::new(0),
    }
}
pub fn params_fields() -> ParamsFields {
    ParamsFields {
        version: ParamsVersion(0),
        btc_activation_height: BtcHeight::new(1),
        covenant_committee: CovenantCommittee::new(2, (1..=3).map(|n| member(n).public_key()).collect())
            .unwrap(),
        min_staking_value: sat(50_000),
        max_staking_value: sat(10_000_000),
        min_staking_time: blocks(10),
        max_staking_time: blocks(64_000),
        slashing_script: ScriptBuf::from_hex("6a07626162796c6f6e").unwrap(),
        min_slashing_fee: sat(1_000),
        slashing_rate: "0.1".parse().unwrap(),
        unbonding_time: blocks(UNBONDING_TIME),
        unbonding_fee: sat(1_000),
        min_commission_rate: Decimal::ZERO,
        delegation_creation_base_gas_fee: 0,
        allow_list_expiration_height: 0,
    }
}
pub fn order() -> StakeOrder {
    StakeOrder {
        amount: sat(500_000),
        finality_provider: provider_key(),
        staking_time: blocks(STAKING_TIME),
        feerate: None,
        max_fee: sat(100_000),
        accepted_params: None,
    }
}

impl World {
    /// Chains without anything but a registered provider, a funded account and ten mature coins of the wallet.
    pub async fn new() -> Self {
        let bitcoin = Arc::new(Simulator::new(Box::new(|| 1_700_000_000)));
        let mut state = ChainState::new("devnet");
        let params = StakingParams::new(params_fields()).unwrap();
        state.staking_params = vec![params.clone()];
        state.finality_providers.insert(provider_key(), provider());
        state.balances.insert(account(), 1_000_000);
        let chain = ScriptedChain::new(state);
        let world =
            Self { bitcoin, chain, params, dir: tempfile::tempdir().unwrap(), birthday: BtcHeight::new(0) };
        let script = world.service().address(NextAddress::Unused).unwrap().script_pubkey();
        world.bitcoin.mine(10, &script).await.unwrap();
        world.mine(110).await;
        world
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn identity(&self) -> Identity {
        let keys = keys();
        Identity {
            network: Network::Regtest,
            chain_id: "devnet".to_owned(),
            staker: keys.staker_public_key(),
            account: account(),
            descriptors: keys.wallet_descriptors(),
        }
    }

    pub fn service(&self) -> Service {
        self.service_over(Store::open(&self.data_dir(), SCHEMA).unwrap()).unwrap()
    }

    /// The service of another holder or chain, in a folder of its own making.
    pub fn service_as(&self, identity: Identity) -> Service {
        let records = Records::open(&self.data_dir()).unwrap();
        records.record_identity(&identity, None).unwrap();
        self.open(records, identity).unwrap()
    }

    pub fn service_over(&self, store: Store) -> Result<Service, ServiceError> {
        let records = Records::over(store).map_err(|error| match error {
            btc_staking_staker::records::OpenRecordsError::Table(error) => ServiceError::Records(error),
            other => panic!("{other}"),
        })?;
        self.open(records, self.identity())
    }

    fn open(&self, records: Records, identity: Identity) -> Result<Service, ServiceError> {
        let bitcoin: Arc<dyn Bitcoin> = self.bitcoin.clone();
        let surroundings = Surroundings {
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SeededEntropy::new(1)),
            birthday: self.birthday,
            poll: Duration::from_millis(1),
        };
        Service::open(bitcoin, records, identity, surroundings)
    }

    pub fn access(&self) -> ChainAccess {
        ChainAccess {
            reader: Arc::new(self.chain.clone()),
            submitter: Arc::new(self.chain.submitter(account())),
        }
    }

    /// Mines to nobody and lets the chain's light client know.
    pub async fn mine(&self, number: u32) {
        let nobody = ScriptBuf::new_p2wsh(&bitcoin::WScriptHash::all_zeros());
        self.bitcoin.mine(number, &nobody).await.unwrap();
        let BlockRef { hash, .. } = self.bitcoin.fetch_tip().await.unwrap();
        let (header, height) = self.bitcoin.fetch_header(&hash).await.unwrap().unwrap();
        self.chain.update(|state| state.light_client.push(LightClientHeader { header, hash, height }));
    }

    pub async fn tip(&self) -> BtcHeight {
        self.bitcoin.fetch_tip().await.unwrap().height
    }

    pub fn delegation(&self, txid: &Txid) -> Delegation {
        self.chain.update(|state| state.delegations[txid].clone())
    }

    /// What a committee member signs for a stake.
    pub fn signatures_of(&self, number: u8, txid: &Txid) -> CovenantSignatureSet {
        let checked = self.delegation(txid).rebuild(&self.params).unwrap();
        checked.sign_covenant(&member(number), &AUX).unwrap()
    }

    /// Lets a committee member sign a stake.
    pub async fn sign(&self, number: u8, txid: &Txid) {
        self.submit_signatures(self.signatures_of(number, txid)).await;
    }

    pub async fn submit_signatures(&self, set: CovenantSignatureSet) {
        let message = ChainMessage::AddCovenantSignatures(Box::new(set));
        self.chain.submitter(account()).submit(vec![message]).await.unwrap();
    }

    /// A stake that is registered and nothing more.
    pub async fn registered(&self, service: &mut Service) -> Txid {
        let (chain, keys) = (self.access(), keys());
        let plan = service.plan(&order(), &chain, "ubbn", &keys).await.unwrap();
        let txid = service.record_plan(plan).unwrap();
        let progress = service.advance(&txid, Goal::Registered, &chain, &keys).await.unwrap();
        assert_eq!(progress, Progress::Reached);
        txid
    }

    /// A stake in a block, five blocks deep.
    pub async fn staked(&self, service: &mut Service) -> Txid {
        let txid = self.registered(service).await;
        self.sign(1, &txid).await;
        self.sign(3, &txid).await;
        let progress = service.advance(&txid, Goal::Broadcast, &self.access(), &keys()).await.unwrap();
        assert_eq!(progress, Progress::Reached);
        self.mine(5).await;
        service.sync().await.unwrap();
        txid
    }

    pub fn checked(&self, txid: &Txid) -> CheckedDelegation {
        self.delegation(txid).rebuild(&self.params).unwrap()
    }

    /// Slashes an output of a stake, as a watchtower does once the provider's key is out.
    pub async fn slash(&self, txid: &Txid, output: SlashedOutput) -> Transaction {
        let (checked, covenant) = (self.checked(txid), self.delegation(txid).covenant);
        let secret = provider_secret();
        let tx = match output {
            SlashedOutput::Staking => checked.assemble_slashing(&covenant, &secret, &AUX),
            SlashedOutput::Unbonding => checked.assemble_unbonding_slashing(&covenant, &secret, &AUX),
        };
        let tx = tx.unwrap();
        let outcome = self.bitcoin.broadcast(&tx, BurnLimit(Amount::ONE_BTC)).await.unwrap();
        assert_eq!(outcome, BroadcastOutcome::Accepted);
        tx
    }
}
