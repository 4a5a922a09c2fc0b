//! Writing a generated state into a data folder.

use super::{
    LoadKeys, LoadPlan,
    stakes::{Made, StakeMaker, Timeline},
};
use crate::{
    app::{
        BlockTime, Founding, block, epochs,
        finality::records as finality,
        incentive::{self, power::Moved},
        light_client, parse_account,
        staking::{
            index,
            power_events::{self, PowerEvent},
            records as staking,
        },
    },
    error::{Broken, Failure},
    genesis::{BitcoinNetwork, Genesis, GenesisAccount, InvalidGenesis},
    node,
    state::disk::DiskBackend,
};
use bitcoin::{
    CompactTarget, Txid,
    block::{Header, Version},
    hashes::Hash,
};
use btc_staking_babylon::{
    convert::{finality::encode_commitment, possession::encode_possession},
    proto::{
        Description,
        btcstaking::{BTCDelegation, BTCDelegationStatus, CommissionInfo, FinalityProvider},
        finality::PubRandCommit,
    },
};
use btc_staking_crypto::{
    merkle,
    nonce::{RangeError, Scheme, public_randomness},
};
use btc_staking_protocol::{
    finality::randomness::CommittedRandomness,
    headers::ChainedHeader,
    height::{BtcHeight, PosHeight},
    keys::FinalityProviderPublicKey,
    possession::ProofOfPossession,
};
use btc_staking_store::{OpenError, Store};
use std::{collections::BTreeMap, io, num::NonZeroUsize, path::Path};
use thiserror::Error;

/// Coins of every account, in ubbn.
const COINS: u64 = 1_000_000_000;
/// Accounts that only pay.
const REPORTERS: u64 = 100;
/// Delegations in one commit.
const PART: u64 = 2_000;
/// Epochs behind the generated state, all of them final.
const EPOCHS: u64 = 10;
const COMMISSION: u64 = 50_000_000_000_000_000;

/// What was generated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Height of the staking chain at which the state stands; the node makes the next one.
    pub height: u64,
    /// Hash of the state.
    pub app_hash: [u8; 32],
    /// The light client's tip.
    pub btc_tip: u32,
    /// How many delegations have which status: pending, verified, active, unbonded, expired.
    pub statuses: [u64; 5],
}

/// Why nothing was generated.
#[derive(Debug, Error)]
pub enum NotGenerated {
    /// The plan or the genesis cannot be.
    #[error("{field} is {found}, it must be {expected}")]
    Plan {
        /// Which value.
        field: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// The genesis cannot start a chain.
    #[error("genesis cannot start a chain")]
    Genesis(#[from] InvalidGenesis),
    /// Staking times of the params leave no room for stakes in all statuses.
    #[error("staking time of {staking_time} blocks is too short for an unbonding time of {unbonding} blocks")]
    NoRoom {
        /// Longest staking time.
        staking_time: u32,
        /// Unbonding time.
        unbonding: u32,
    },
    /// A stake cannot be made under the params.
    #[error("stake cannot be made under the params: {0}")]
    Stake(String),
    /// Randomness for so many heights cannot be derived.
    #[error("randomness cannot be derived")]
    Randomness(#[from] RangeError),
    /// The folder cannot be used.
    #[error("folder cannot be used")]
    Folder(#[source] io::Error),
    /// The data folder cannot be opened.
    #[error("chain data cannot be opened")]
    Open(#[from] OpenError),
    /// The state cannot be written.
    #[error("state cannot be written")]
    State(#[from] Broken),
}

impl NotGenerated {
    pub(super) fn stake(err: impl std::fmt::Display) -> Self {
        Self::Stake(err.to_string())
    }
}

impl From<Failure> for NotGenerated {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::State(Broken::Halt(refusal.log)),
            Failure::Broken(broken) => Self::State(broken),
        }
    }
}

/// Generates the state of a plan on top of a genesis into the empty folder `out`: the genesis with the accounts of the
/// plan as `genesis.json`, the chain's data as `chain`. `progress` hears how many delegations are written.
///
/// The genesis must be on regtest, because headers are mined, and have the committee of the presets, because its members
/// sign.
///
/// # Errors
/// [`NotGenerated`]; what was written until then is of no use.
pub fn generate(
    plan: &LoadPlan,
    genesis: Genesis,
    out: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Generated, NotGenerated> {
    check(plan, &genesis)?;
    let genesis = with_accounts(plan, genesis)?;
    genesis.check()?;
    create_empty(out).map_err(NotGenerated::Folder)?;
    let json = serde_json::to_vec_pretty(&genesis).map_err(|err| Broken::Halt(err.to_string()))?;
    std::fs::write(out.join("genesis.json"), json).map_err(NotGenerated::Folder)?;
    let store = Store::open_with(&out.join("chain"), node::SCHEMA, node::LIMITS)?;
    let backend = Box::new(DiskBackend::new(store)?);
    Writer::new(plan, &genesis, Founding::new(backend, &genesis)?)?.run(progress)
}

fn check(plan: &LoadPlan, genesis: &Genesis) -> Result<(), NotGenerated> {
    let wrong = |field, found: &dyn ToString, expected| {
        Err(NotGenerated::Plan { field, found: found.to_string(), expected })
    };
    if plan.providers == 0 {
        return wrong("providers", &plan.providers, "at least 1");
    }
    if plan.delegations > 0 && plan.stakers == 0 {
        return wrong("stakers", &plan.stakers, "at least 1 where there are delegations");
    }
    if plan.mix.sum() == 0 {
        return wrong("mix", &"all zero", "at least one weight above 0");
    }
    if plan.randomness < genesis.finality.min_pub_rand {
        return wrong("randomness", &plan.randomness, "at least min_pub_rand of the genesis");
    }
    if genesis.bitcoin.network != BitcoinNetwork::Regtest {
        return wrong("network", &format!("{:?}", genesis.bitcoin.network), "regtest");
    }
    let committee = &genesis.staking_params.latest().covenant_committee;
    let ours = LoadKeys::new(plan.seed).committee();
    if committee.keys().len() != ours.len() || ours.iter().any(|key| !committee.contains(&key.public_key())) {
        return wrong("covenant committee", &"another", "that of the presets, whose keys are known");
    }
    Ok(())
}

fn with_accounts(plan: &LoadPlan, mut genesis: Genesis) -> Result<Genesis, NotGenerated> {
    let keys = LoadKeys::new(plan.seed);
    let providers = (0..plan.providers).map(|number| keys.provider_account(number));
    let stakers = (0..plan.stakers).map(|number| keys.staker_account(number));
    let reporters = (0..REPORTERS).map(|number| keys.reporter(number));
    let accounts = providers.chain(reporters).chain(stakers);
    genesis
        .accounts
        .extend(accounts.map(|key| GenesisAccount { address: key.account().clone(), ubbn: COINS }));
    Ok(genesis)
}

fn create_empty(out: &Path) -> io::Result<()> {
    std::fs::create_dir_all(out)?;
    if std::fs::read_dir(out)?.next().is_some() {
        let why = format!("{} is not empty", out.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
    }
    Ok(())
}

struct Writer<'a> {
    plan: &'a LoadPlan,
    genesis: &'a Genesis,
    keys: LoadKeys,
    times: Timeline,
    founding: Founding,
    height: PosHeight,
    /// Accounts of the finality providers.
    owners: Vec<Vec<u8>>,
    sats: Vec<u64>,
    statuses: [u64; 5],
    /// Staking transactions by the height of their block.
    blocks: BTreeMap<u32, Vec<Txid>>,
}

impl<'a> Writer<'a> {
    fn new(plan: &'a LoadPlan, genesis: &'a Genesis, founding: Founding) -> Result<Self, NotGenerated> {
        let params = genesis.staking_params.latest();
        let times = Timeline::new(params, genesis.bitcoin.base_height, genesis.confirmation_depth.to_u32())?;
        let providers = usize::try_from(plan.providers).unwrap_or(usize::MAX);
        Ok(Self {
            plan,
            genesis,
            keys: LoadKeys::new(plan.seed),
            times,
            founding,
            height: PosHeight::new(EPOCHS * genesis.epoch_interval),
            owners: (0..plan.providers).map(|number| owner(LoadKeys::new(plan.seed), number)).collect(),
            sats: vec![0; providers],
            statuses: [0; 5],
            blocks: BTreeMap::new(),
        })
    }

    fn run(mut self, progress: &mut dyn FnMut(u64)) -> Result<Generated, NotGenerated> {
        let genesis = self.genesis;
        self.founding.part(|state| block::init(state, genesis))?;
        let public = (0..self.plan.providers)
            .map(|number| FinalityProviderPublicKey::new(*self.keys.provider(number).public_key()))
            .collect::<Vec<_>>();
        let mut maker =
            StakeMaker::new(self.plan, genesis.staking_params.latest(), self.times, public.clone());
        for first in (0..self.plan.delegations).step_by(usize::try_from(PART).unwrap_or(usize::MAX)) {
            let last = first.saturating_add(PART).min(self.plan.delegations);
            let made = (first..last).map(|number| maker.make(number)).collect::<Result<Vec<_>, _>>()?;
            self.write_delegations(made)?;
            progress(last);
        }
        for number in 0..self.plan.providers {
            self.write_provider(number)?;
        }
        self.write_headers()?;
        self.write_epochs()?;
        self.write_distribution(&public)?;
        let time = BlockTime { seconds: self.genesis.genesis_time.saturating_add(1), nanos: 0 };
        let app_hash = self.founding.finish(self.height, time)?;
        Ok(Generated {
            height: self.height.to_u64(),
            app_hash,
            btc_tip: self.times.tip,
            statuses: self.statuses,
        })
    }

    fn write_delegations(&mut self, made: Vec<Made>) -> Result<(), NotGenerated> {
        for made in &made {
            self.statuses[usize::from(index::code(made.status)).min(4)] += 1;
            if made.record.start_height > 0 {
                self.blocks.entry(made.record.start_height).or_default().push(made.txid);
            }
            if made.status == BTCDelegationStatus::Active
                && let Some(sum) = usize::try_from(made.provider).ok().and_then(|at| self.sats.get_mut(at))
            {
                *sum = sum.saturating_add(made.record.total_sat);
            }
        }
        let tip = BtcHeight::new(self.times.tip);
        let owners = &self.owners;
        self.founding.part(|state| {
            for Made { txid, record, status, provider } in made {
                if status == BTCDelegationStatus::Active {
                    let owner = usize::try_from(provider).ok().and_then(|at| owners.get(at));
                    incentive::add_position(state, &moved(&record, owner)?)?;
                }
                let expiry = record.end_height.saturating_sub(record.unbonding_time);
                staking::Stake::new(txid, record).save(state)?;
                if expiry > tip.to_u32() {
                    power_events::record(state, BtcHeight::new(expiry), PowerEvent::Expired(txid))?;
                }
            }
            index::update_to(state, tip)
        })?;
        Ok(())
    }

    fn write_provider(&mut self, number: u32) -> Result<(), NotGenerated> {
        let eots = self.keys.provider(number);
        let key = FinalityProviderPublicKey::new(*eots.public_key());
        let account = self.keys.provider_account(number);
        let digest = bitcoin::hashes::sha256::Hash::hash(account.account().bytes()).to_byte_array();
        let possession = ProofOfPossession::Bip340(eots.signing_key().sign_schnorr(&digest, &[0; 32]));
        let record = FinalityProvider {
            addr: account.account().bech32().to_owned(),
            description: Some(Description { moniker: format!("load {number}"), ..Default::default() }),
            commission: Some(COMMISSION.to_string()),
            btc_pk: key.to_bytes().to_vec(),
            pop: Some(encode_possession(&possession)),
            commission_info: Some(CommissionInfo {
                max_rate: (4 * COMMISSION).to_string(),
                max_change_rate: COMMISSION.to_string(),
                update_time: Some(BlockTime { seconds: self.genesis.genesis_time, nanos: 0 }.to_proto()),
            }),
            ..Default::default()
        };
        let start = self.height.next();
        let count = usize::try_from(self.plan.randomness).unwrap_or(usize::MAX);
        let chain_id = self.genesis.chain_id.as_bytes();
        let values =
            public_randomness(&eots, Scheme::V1, chain_id, start.to_u64(), count, NonZeroUsize::MIN)?;
        let content = CommittedRandomness {
            start_height: start,
            count: self.plan.randomness,
            root: merkle::root(&values),
        };
        let signed =
            encode_commitment(&content.sign(eots.signing_key(), &[0; 32]), account.account().bech32());
        let commit = PubRandCommit {
            start_height: signed.start_height,
            num_pub_rand: signed.num_pub_rand,
            commitment: signed.commitment,
            epoch_num: 1,
        };
        self.founding.part(|state| {
            staking::PROVIDERS.put(state, &key, &record)?;
            let owner = account.account().bytes().to_vec();
            staking::PROVIDER_OF_ACCOUNT.put(state, &owner, &key.to_bytes().to_vec())?;
            finality::COMMITS.put(state, &(key, start), &commit)
        })?;
        Ok(())
    }

    fn write_headers(&mut self) -> Result<(), NotGenerated> {
        let mut parent = self.genesis.bitcoin.header()?;
        let mut work = parent.work();
        let blocks = std::mem::take(&mut self.blocks);
        let (base, tip) = (self.times.base, self.times.tip);
        self.founding.part(|state| {
            for height in base + 1..=tip {
                let staked = blocks.get(&height).map_or(&[][..], Vec::as_slice);
                let header = mine(&parent, height, staked);
                work = work + header.work();
                light_client::append(state, &ChainedHeader::new(header, BtcHeight::new(height), work))?;
                parent = header;
            }
            Ok(())
        })?;
        Ok(())
    }

    fn write_epochs(&mut self) -> Result<(), NotGenerated> {
        let (tip, height) = (self.times.tip, self.height);
        let w = self.genesis.finalization_timeout.to_u32();
        let time = self.genesis.genesis_time;
        self.founding.part(|state| {
            staking::TIP_AT.put(state, &height, &tip)?;
            let tip_at = |epoch| {
                let younger = u32::try_from(EPOCHS - epoch).unwrap_or(0);
                tip.saturating_sub(w).saturating_sub(younger)
            };
            let tips: Vec<u32> = (1..=EPOCHS).map(tip_at).collect();
            epochs::found(state, &tips, BlockTime { seconds: time, nanos: 0 })
        })?;
        Ok(())
    }

    /// Nobody is active yet: the first block makes the first table, as it does when randomness becomes usable.
    fn write_distribution(&mut self, public: &[FinalityProviderPublicKey]) -> Result<(), NotGenerated> {
        let ranked = (0..).zip(public).zip(&self.sats).filter(|(_, sats)| **sats > 0);
        let providers = ranked.map(|((number, key), sats)| finality::Ranked {
            key: key.to_bytes().to_vec(),
            address: self.keys.provider_account(number).account().bech32().to_owned(),
            commission: COMMISSION.to_string(),
            sats: *sats,
            timestamped: false,
            jailed: false,
        });
        let mut providers = providers.collect::<Vec<_>>();
        providers.sort_by(|a, b| a.key.cmp(&b.key));
        let height = self.height;
        self.founding.part(|state| {
            let new = finality::Distribution { providers, active: 0 };
            finality::DISTRIBUTION.put(state, &height, &new)
        })?;
        Ok(())
    }
}

fn owner(keys: LoadKeys, number: u32) -> Vec<u8> {
    keys.provider_account(number).account().bytes().to_vec()
}

/// What the reward modules must know of an active delegation.
fn moved(record: &BTCDelegation, owner: Option<&Vec<u8>>) -> Result<Moved, Failure> {
    let provider = owner.cloned().ok_or_else(|| staking::corrupt("delegation to nobody"))?;
    let staker = parse_account(&record.staker_addr)?.bytes().to_vec();
    Ok(Moved { provider, staker, sats: record.total_sat })
}

/// A regtest block of a coinbase and staking transactions, its header with true work.
pub(crate) fn mine(parent: &Header, height: u32, staked: &[Txid]) -> Header {
    let coinbase = Txid::hash(&height.to_le_bytes());
    let txids = std::iter::once(coinbase).chain(staked.iter().copied());
    let root = bitcoin::merkle_tree::calculate_root(txids.map(Txid::to_raw_hash));
    let mut header = Header {
        version: Version::from_consensus(4),
        prev_blockhash: parent.block_hash(),
        merkle_root: root.map_or_else(Hash::all_zeros, bitcoin::TxMerkleNode::from_raw_hash),
        time: parent.time.saturating_add(600),
        bits: CompactTarget::from_consensus(0x207f_ffff),
        nonce: 0,
    };
    while !header.target().is_met_by(header.block_hash()) {
        header.nonce = header.nonce.wrapping_add(1);
    }
    header
}
