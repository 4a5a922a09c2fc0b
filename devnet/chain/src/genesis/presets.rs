//! Presets of genesis.

use super::{
    BitcoinGenesis, BitcoinNetwork, FinalityGenesis, Genesis, GenesisAccount, RewardsGenesis, RuleSet,
};
use bitcoin::{
    Amount, ScriptBuf,
    block::Header,
    consensus, constants,
    hashes::{Hash, sha256},
};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    height::{BtcDepth, BtcHeight, PosHeight, Timelock},
    keys::CovenantSecret,
    network::Network as PublicNetwork,
    params::{InvalidParams, ParamsFields, ParamsHistory, ParamsVersion, StakingParams},
    rate::{Decimal, SlashingRate},
};

/// 2026-01-01.
const GENESIS_TIME: i64 = 1_767_225_600;
/// Simnet's genesis block, which the reference starts from.
const SIMNET_HEADER: &str = concat!(
    "01000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a",
    "45068653",
    "ffff7f20",
    "02000000"
);

impl Genesis {
    /// A chain on which a stake lives its whole life within a minute: on Bitcoin regtest from its genesis block, with
    /// `k` 2, `w` 3, epochs of 5 blocks and an unbonding time of 5 Bitcoin blocks.
    ///
    /// # Errors
    /// [`InvalidParams`] when the committee's quorum is no majority.
    pub fn fast(
        chain_id: &str,
        committee: CovenantCommittee,
        accounts: Vec<GenesisAccount>,
    ) -> Result<Self, InvalidParams> {
        let params = ParamsFields {
            covenant_committee: committee,
            min_staking_time: timelock(10),
            max_staking_time: timelock(65_535),
            unbonding_time: timelock(5),
            ..default_params()
        };
        Ok(Self {
            chain_id: chain_id.to_owned(),
            accounts,
            bitcoin: base(BitcoinNetwork::Regtest, &regtest_header()),
            confirmation_depth: BtcDepth::new(2),
            finalization_timeout: BtcDepth::new(3),
            epoch_interval: 5,
            finality: FinalityGenesis { min_pub_rand: 10, jail_duration_s: 5, ..default_finality() },
            staking_params: history(StakingParams::new(params)?),
            ..Self::default_genesis(chain_id, vec![])
        })
    }

    /// A chain with the parameters of mainnet as last known, on Bitcoin regtest and with a committee of its own.
    ///
    /// What belongs to mainnet's history is not taken over: its heights (votes begin with the first block, the newest
    /// params version applies from the beginning and is version 0) and its allow list.
    ///
    /// # Errors
    /// [`InvalidParams`] when the committee's quorum is no majority.
    pub fn mainnet_like(
        chain_id: &str,
        committee: CovenantCommittee,
        accounts: Vec<GenesisAccount>,
    ) -> Result<Self, InvalidParams> {
        let mainnet = PublicNetwork::Mainnet.profile().into_fields();
        let params = ParamsFields {
            version: ParamsVersion(0),
            btc_activation_height: BtcHeight::new(0),
            covenant_committee: committee,
            allow_list_expiration_height: 0,
            ..ParamsFields::from(mainnet.params.latest().clone())
        };
        let finality = &mainnet.finality;
        let short = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(Self {
            accounts,
            bitcoin: base(BitcoinNetwork::Regtest, &regtest_header()),
            confirmation_depth: mainnet.confirmation_depth,
            finalization_timeout: mainnet.finalization_timeout,
            checkpoint_tag: hex::encode(mainnet.checkpoint_tag),
            epoch_interval: mainnet.epoch_interval,
            finality: FinalityGenesis {
                max_active_finality_providers: finality.max_active_finality_providers,
                signed_blocks_window: short(finality.signed_blocks_window),
                finality_sig_timeout: short(finality.finality_sig_timeout),
                min_signed_per_window: finality.min_signed_per_window,
                min_pub_rand: finality.min_pub_rand,
                jail_duration_s: short(finality.jail_duration_s),
                activation_height: PosHeight::new(1),
            },
            staking_params: history(StakingParams::new(params)?),
            ..Self::default_genesis(chain_id, vec![])
        })
    }

    /// The reference's default genesis (`chain.md` 15), with accounts that have coins. Its covenant keys are public
    /// knowledge: private key i is the SHA-256 of the single byte i.
    pub fn default_genesis(chain_id: &str, accounts: Vec<GenesisAccount>) -> Self {
        Self {
            chain_id: chain_id.to_owned(),
            genesis_time: GENESIS_TIME,
            accounts,
            bitcoin: BitcoinGenesis {
                network: BitcoinNetwork::Simnet,
                base_height: BtcHeight::new(0),
                base_header: SIMNET_HEADER.to_owned(),
            },
            insert_headers_allow_list: vec![],
            confirmation_depth: BtcDepth::new(10),
            finalization_timeout: BtcDepth::new(100),
            checkpoint_tag: "01020304".to_owned(),
            epoch_interval: 10,
            finality: default_finality(),
            staking_params: history(
                StakingParams::new(default_params()).expect("a test holds that the default params are valid"),
            ),
            rewards: RewardsGenesis::default(),
            rules: RuleSet::default(),
            authority: super::governance_account(),
            soft_deleted_finality_providers: vec![],
            allowed_staking_txids: vec![],
            imported: None,
        }
    }
}

/// The committee of the reference's default genesis: five members, quorum three.
pub(crate) fn default_committee() -> CovenantCommittee {
    let keys = default_committee_secrets().iter().map(CovenantSecret::public_key).collect();
    CovenantCommittee::new(3, keys).expect("five distinct keys and a quorum of three")
}

/// The keys of its members, which everybody knows.
pub(crate) fn default_committee_secrets() -> Vec<CovenantSecret> {
    let secret = |i: u8| CovenantSecret::from_bytes(&sha256::Hash::hash(&[i]).to_byte_array());
    (0..5).map(|i| secret(i).expect("the hashes of 0 to 4 are valid keys")).collect()
}

fn default_params() -> ParamsFields {
    ParamsFields {
        version: ParamsVersion(0),
        btc_activation_height: BtcHeight::new(0),
        covenant_committee: default_committee(),
        min_staking_value: Amount::from_sat(10_000),
        max_staking_value: Amount::from_sat(10_000_000_000),
        min_staking_time: timelock(400),
        max_staking_time: timelock(65_535),
        slashing_script: ScriptBuf::new_p2pkh(&bitcoin::PubkeyHash::from_byte_array([1; 20])),
        min_slashing_fee: Amount::from_sat(1_000),
        slashing_rate: SlashingRate::from_basis_points(1_000).expect("a tenth is a slashing rate"),
        unbonding_time: timelock(200),
        unbonding_fee: Amount::from_sat(1_000),
        min_commission_rate: Decimal::ZERO,
        delegation_creation_base_gas_fee: 1_000,
        allow_list_expiration_height: 0,
    }
}

fn default_finality() -> FinalityGenesis {
    FinalityGenesis {
        max_active_finality_providers: 100,
        signed_blocks_window: 100,
        finality_sig_timeout: 3,
        min_signed_per_window: Decimal::from_scaled(Decimal::ONE.scaled() / 2),
        min_pub_rand: 100,
        jail_duration_s: 86_400,
        activation_height: PosHeight::new(1),
    }
}

fn history(params: StakingParams) -> ParamsHistory {
    ParamsHistory::new(vec![params]).expect("one version 0 is a history")
}

fn timelock(blocks: u32) -> Timelock {
    Timelock::from_blocks(blocks).expect("the presets' times are 1 to 65535")
}

fn regtest_header() -> Header {
    constants::genesis_block(bitcoin::Network::Regtest).header
}

fn base(network: BitcoinNetwork, header: &Header) -> BitcoinGenesis {
    BitcoinGenesis {
        network,
        base_height: BtcHeight::new(0),
        base_header: consensus::encode::serialize_hex(header),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid_and_survive_json() {
        for genesis in [
            Genesis::default_genesis("chain-test", vec![]),
            Genesis::fast("chain-test", default_committee(), vec![]).unwrap(),
            Genesis::mainnet_like("chain-test", default_committee(), vec![]).unwrap(),
        ] {
            genesis.check().unwrap();
            let json = serde_json::to_string_pretty(&genesis).unwrap();
            assert_eq!(Genesis::from_json(&json), Ok(genesis));
        }
    }

    #[test]
    fn the_mainnet_like_preset_has_what_a_stake_on_mainnet_meets() {
        let genesis = Genesis::mainnet_like("chain-test", default_committee(), vec![]).unwrap();
        let params = genesis.staking_params.latest();
        let mainnet = PublicNetwork::Mainnet.profile();
        let theirs = mainnet.params.latest();
        assert_eq!(
            (genesis.confirmation_depth, genesis.finalization_timeout),
            (BtcDepth::new(30), BtcDepth::new(300))
        );
        assert_eq!((genesis.epoch_interval, genesis.finality.min_pub_rand), (360, 8192));
        assert_eq!(params.unbonding_time, theirs.unbonding_time);
        assert_eq!(params.slashing_script, theirs.slashing_script);
        assert_eq!(
            (params.min_staking_value, params.unbonding_fee),
            (theirs.min_staking_value, theirs.unbonding_fee)
        );
    }

    #[test]
    fn the_simnet_base_header_is_the_known_block() {
        let header = Genesis::default_genesis("x", vec![]).bitcoin.header().unwrap();
        assert_eq!(
            header.block_hash().to_string(),
            "683e86bd5c6d110d91b94b97137ba6bfe02dbbdb8e3dff722a669b5d69d77af6" // btcd's simnet genesis hash
        );
    }

    #[test]
    fn the_default_committee_is_that_of_the_worked_examples() {
        let keys: Vec<String> = default_committee().keys().iter().map(ToString::to_string).collect();
        assert_eq!(keys[0], "43311589af63c2adda04fcd7792c038a05c12a4fe40351b3eb1612ff6b2e5a0e"); // bitcoin.md 15
        assert_eq!(keys[4], "d415b187c6e7ce9da46ac888d20df20737d6f16a41639e68ea055311e1535dd9");
    }

    #[test]
    fn values_that_cannot_be_are_refused_with_the_field() {
        let good = || Genesis::default_genesis("x", vec![]);
        let cases: [(Genesis, &str); 6] = [
            (Genesis { chain_id: "a b".into(), ..good() }, "chain_id"),
            (Genesis { epoch_interval: 1, ..good() }, "epoch_interval"),
            (Genesis { confirmation_depth: BtcDepth::new(0), ..good() }, "confirmation_depth"),
            (Genesis { finalization_timeout: BtcDepth::new(10), ..good() }, "finalization_timeout"),
            (Genesis { finalization_timeout: BtcDepth::new(200), ..good() }, "unbonding_time_blocks"),
            (Genesis { checkpoint_tag: "0102".into(), ..good() }, "checkpoint_tag"),
        ];
        for (genesis, field) in cases {
            let err = genesis.check().unwrap_err().to_string();
            assert!(err.contains(field), "{err}");
        }
    }
}
