//! The messages of genesis (`wire.md` 2, 10).

use super::{
    Form,
    Form::{
        Base64, Bool, Decimal, Duration, Enum, Foreign, Hex, HexReversed, I64, Integer, Message, Text, Time,
        U32, U64,
    },
    Shape, many, one,
};

/// Defines shapes: each field is whether there is one of it or many, its number, name and form.
macro_rules! shapes {
    ($($visible:vis $shape:ident { $($count:ident $number:literal $name:ident: $form:expr),* $(,)? })*) => {
        $($visible static $shape: Shape = Shape::new(&[$($count($number, stringify!($name), $form)),*]);)*
    };
}

const KEY: Form = Hex(32);
const CHECKPOINT_STATUS: Form = Enum(&[
    (0, "CKPT_STATUS_ACCUMULATING"),
    (1, "CKPT_STATUS_SEALED"),
    (2, "CKPT_STATUS_SUBMITTED"),
    (3, "CKPT_STATUS_CONFIRMED"),
    (4, "CKPT_STATUS_FINALIZED"),
]);

shapes! {
    COIN { one 1 denom: Text, one 2 amount: Text }
    DESCRIPTION {
        one 1 moniker: Text,
        one 2 identity: Text,
        one 3 website: Text,
        one 4 security_contact: Text,
        one 5 details: Text,
    }
    HEADER { one 1 header: Hex(80), one 2 hash: HexReversed(32), one 3 height: U32, one 4 work: Integer }

    // btcstaking

    STAKING_PARAMS {
        many 1 covenant_pks: KEY,
        one 2 covenant_quorum: U32,
        one 3 min_staking_value_sat: I64,
        one 4 max_staking_value_sat: I64,
        one 5 min_staking_time_blocks: U32,
        one 6 max_staking_time_blocks: U32,
        one 7 slashing_pk_script: Base64,
        one 8 min_slashing_tx_fee_sat: I64,
        one 9 slashing_rate: Decimal,
        one 10 unbonding_time_blocks: U32,
        one 11 unbonding_fee_sat: I64,
        one 12 min_commission_rate: Decimal,
        one 13 delegation_creation_base_gas_fee: U64,
        one 14 allow_list_expiration_height: U64,
        one 15 btc_activation_height: U32,
    }
    POSSESSION {
        one 1 btc_sig_type: Enum(&[(0, "BIP340"), (1, "BIP322"), (2, "ECDSA")]),
        one 2 btc_sig: Base64,
    }
    COMMISSION_INFO { one 1 max_rate: Decimal, one 2 max_change_rate: Decimal, one 3 update_time: Time }
    PROVIDER {
        one 1 addr: Text,
        one 2 description: Message(&DESCRIPTION),
        one 3 commission: Decimal,
        one 4 btc_pk: KEY,
        one 5 pop: Message(&POSSESSION),
        one 6 slashed_babylon_height: U64,
        one 7 slashed_btc_height: U32,
        one 8 jailed: Bool,
        one 9 highest_voted_height: U32,
        one 11 commission_info: Message(&COMMISSION_INFO),
    }
    ADAPTORS { one 1 cov_pk: KEY, many 2 adaptor_sigs: Base64 }
    SIGNATURE { one 1 pk: KEY, one 2 sig: Base64 }
    UNBONDING_INFO { one 1 spend_stake_tx: Base64 }
    UNDELEGATION {
        one 1 unbonding_tx: Base64,
        one 2 slashing_tx: Base64,
        one 3 delegator_slashing_sig: Base64,
        many 4 covenant_slashing_sigs: Message(&ADAPTORS),
        many 5 covenant_unbonding_sig_list: Message(&SIGNATURE),
        one 6 delegator_unbonding_info: Message(&UNBONDING_INFO),
    }
    EXPANSION {
        one 1 previous_staking_tx_hash: Base64,
        one 2 other_funding_tx_out: Base64,
        many 3 previous_stk_covenant_sigs: Message(&SIGNATURE),
    }
    DELEGATION {
        one 1 staker_addr: Text,
        one 2 btc_pk: KEY,
        one 3 pop: Message(&POSSESSION),
        many 4 fp_btc_pk_list: KEY,
        one 5 staking_time: U32,
        one 6 start_height: U32,
        one 7 end_height: U32,
        one 8 total_sat: U64,
        one 9 staking_tx: Base64,
        one 10 staking_output_idx: U32,
        one 11 slashing_tx: Base64,
        one 12 delegator_sig: Base64,
        many 13 covenant_sigs: Message(&ADAPTORS),
        one 14 unbonding_time: U32,
        one 15 btc_undelegation: Message(&UNDELEGATION),
        one 16 params_version: U32,
        one 17 btc_tip_height: U32,
        one 18 stk_exp: Message(&EXPANSION),
    }
    HEIGHTS { one 1 block_height_bbn: U64, one 2 block_height_btc: U32 }
    DELEGATION_INDEX { many 1 staking_tx_hash_list: Base64 }
    DELEGATOR { one 1 idx: Message(&DELEGATION_INDEX), one 2 fp_btc_pk: KEY, one 3 del_btc_pk: KEY }
    PROVIDER_EVENT { one 1 pk: KEY }
    STATE_UPDATE {
        one 1 staking_tx_hash: Text,
        one 2 new_state: Enum(&[
            (0, "PENDING"), (1, "VERIFIED"), (2, "ACTIVE"), (3, "UNBONDED"), (4, "EXPIRED"), (5, "ANY"),
        ]),
    }
    POWER_EVENT {
        one 1 slashed_fp: Message(&PROVIDER_EVENT),
        one 2 jailed_fp: Message(&PROVIDER_EVENT),
        one 3 unjailed_fp: Message(&PROVIDER_EVENT),
        one 4 btc_del_state_update: Message(&STATE_UPDATE),
    }
    EVENT { one 1 idx: U64, one 2 block_height_btc: U32, one 3 event: Message(&POWER_EVENT) }
    REORG {
        one 1 block_diff: U32,
        one 2 rollback_from: Message(&HEADER),
        one 3 rollback_to: Message(&HEADER),
    }
    pub(crate) BTCSTAKING {
        many 1 params: Message(&STAKING_PARAMS),
        many 2 finality_providers: Message(&PROVIDER),
        many 3 btc_delegations: Message(&DELEGATION),
        many 5 block_height_chains: Message(&HEIGHTS),
        many 6 btc_delegators: Message(&DELEGATOR),
        many 7 events: Message(&EVENT),
        many 8 allowed_staking_tx_hashes: Text,
        one 9 largest_btc_reorg: Message(&REORG),
        many 12 fp_bbn_addr: Text,
        many 13 deleted_fps_btc_pk_hex: Text,
    }

    // finality

    FINALITY_PARAMS {
        one 1 max_active_finality_providers: U32,
        one 2 signed_blocks_window: I64,
        one 3 finality_sig_timeout: I64,
        one 4 min_signed_per_window: Decimal,
        one 5 min_pub_rand: U64,
        one 6 jail_duration: Duration,
        one 7 finality_activation_height: U64,
    }
    INDEXED_BLOCK { one 1 height: U64, one 2 app_hash: Base64, one 3 finalized: Bool }
    EVIDENCE {
        one 1 fp_btc_pk: KEY,
        one 2 block_height: U64,
        one 3 pub_rand: Base64,
        one 4 canonical_app_hash: Base64,
        one 5 fork_app_hash: Base64,
        one 6 canonical_finality_sig: Base64,
        one 7 fork_finality_sig: Base64,
    }
    VOTE { one 1 block_height: U64, one 2 fp_btc_pk: KEY, one 3 finality_sig: Base64 }
    RANDOMNESS { one 1 block_height: U64, one 2 fp_btc_pk: KEY, one 3 pub_rand: Base64 }
    COMMIT {
        one 1 start_height: U64,
        one 2 num_pub_rand: U64,
        one 3 commitment: Base64,
        one 4 epoch_num: U64,
    }
    COMMIT_OF { one 1 fp_btc_pk: KEY, one 2 pub_rand_commit: Message(&COMMIT) }
    SIGNING_INFO {
        one 1 fp_btc_pk: KEY,
        one 2 start_height: I64,
        one 3 missed_blocks_counter: I64,
        one 4 jailed_until: Time,
    }
    SIGNING_INFO_OF { one 1 fp_btc_pk: KEY, one 2 fp_signing_info: Message(&SIGNING_INFO) }
    MISSED { one 1 index: I64, one 2 missed: Bool }
    MISSED_OF { one 1 fp_btc_pk: KEY, many 2 missed_blocks: Message(&MISSED) }
    POWER { one 1 block_height: U64, one 2 fp_btc_pk: KEY, one 3 voting_power: U64 }
    RANKED {
        one 1 btc_pk: KEY,
        one 2 addr: Base64,
        one 3 commission: Decimal,
        one 4 total_bonded_sat: U64,
        one 5 is_timestamped: Bool,
        one 6 is_jailed: Bool,
        one 7 is_slashed: Bool,
    }
    RANKING {
        one 1 total_voting_power: U64,
        many 2 finality_providers: Message(&RANKED),
        one 3 num_active_fps: U32,
    }
    RANKING_AT { one 1 block_height: U64, one 2 vp_distribution: Message(&RANKING) }
    COMMIT_INDEX { many 1 heights: U64 }
    COMMIT_INDEX_OF { one 1 fp_btc_pk: KEY, one 2 index: Message(&COMMIT_INDEX) }
    pub(crate) FINALITY {
        one 1 params: Message(&FINALITY_PARAMS),
        many 2 indexed_blocks: Message(&INDEXED_BLOCK),
        many 3 evidences: Message(&EVIDENCE),
        many 4 vote_sigs: Message(&VOTE),
        many 5 public_randomness: Message(&RANDOMNESS),
        many 6 pub_rand_commit: Message(&COMMIT_OF),
        many 7 signing_infos: Message(&SIGNING_INFO_OF),
        many 8 missed_blocks: Message(&MISSED_OF),
        many 9 voting_powers: Message(&POWER),
        many 10 vp_dst_cache: Message(&RANKING_AT),
        one 11 next_height_to_finalize: U64,
        one 12 next_height_to_reward: U64,
        many 13 pub_rand_commit_indexes: Message(&COMMIT_INDEX_OF),
    }

    // btclightclient, btccheckpoint, checkpointing, epoching, monitor

    LIGHT_CLIENT_PARAMS { many 1 insert_headers_allow_list: Text }
    pub(crate) BTCLIGHTCLIENT {
        one 1 params: Message(&LIGHT_CLIENT_PARAMS),
        many 2 btc_headers: Message(&HEADER),
    }

    CHECKPOINT_PARAMS {
        one 1 btc_confirmation_depth: U32,
        one 2 checkpoint_finalization_timeout: U32,
        one 3 checkpoint_tag: Text,
    }
    TRANSACTION_KEY { one 1 index: U32, one 2 hash: HexReversed(32) }
    SUBMISSION_KEY { many 1 key: Message(&TRANSACTION_KEY) }
    EPOCH_DATA {
        many 1 keys: Message(&SUBMISSION_KEY),
        one 2 status: Enum(&[
            (0, "EPOCH_STATUS_SUBMITTED"), (1, "EPOCH_STATUS_CONFIRMED"), (2, "EPOCH_STATUS_FINALIZED"),
        ]),
    }
    EPOCH_ENTRY { one 1 epoch_number: U64, one 2 data: Message(&EPOCH_DATA) }
    ADDRESSES { one 1 submitter: Base64, one 2 reporter: Base64 }
    TRANSACTION_INFO { one 1 key: Message(&TRANSACTION_KEY), one 2 transaction: Base64, one 3 proof: Base64 }
    SUBMISSION_DATA {
        one 1 vigilante_addresses: Message(&ADDRESSES),
        many 2 txs_info: Message(&TRANSACTION_INFO),
        one 3 epoch: U64,
    }
    SUBMISSION_ENTRY { one 1 submission_key: Message(&SUBMISSION_KEY), one 2 data: Message(&SUBMISSION_DATA) }
    RAW_CHECKPOINT {
        one 1 epoch_num: U64,
        one 2 block_hash: Base64,
        one 3 bitmap: Base64,
        one 4 bls_multi_sig: Base64,
    }
    CHECKPOINT_UPDATE { one 1 state: CHECKPOINT_STATUS, one 2 block_height: U64, one 3 block_time: Time }
    CHECKPOINT {
        one 1 ckpt: Message(&RAW_CHECKPOINT),
        one 2 status: CHECKPOINT_STATUS,
        one 3 bls_aggr_pk: Base64,
        one 4 power_sum: U64,
        many 5 lifecycle: Message(&CHECKPOINT_UPDATE),
    }
    pub(crate) BTCCHECKPOINT {
        one 1 params: Message(&CHECKPOINT_PARAMS),
        one 2 last_finalized_epoch_number: U64,
        many 3 epochs: Message(&EPOCH_ENTRY),
        many 4 submissions: Message(&SUBMISSION_ENTRY),
    }
    pub(crate) CHECKPOINTING {
        many 1 genesis_keys: Foreign,
        many 2 validator_sets: Foreign,
        many 3 checkpoints: Message(&CHECKPOINT),
        one 4 last_finalized_epoch: U64,
    }
    EXECUTE_GAS {
        one 1 delegate: U64,
        one 2 undelegate: U64,
        one 3 begin_redelegate: U64,
        one 4 cancel_unbonding_delegation: U64,
        one 5 edit_validator: U64,
        one 6 create_validator: U64,
    }
    EPOCHING_PARAMS {
        one 1 epoch_interval: U64,
        one 2 execute_gas: Message(&EXECUTE_GAS),
        one 3 min_amount: U64,
    }
    EPOCH {
        one 1 epoch_number: U64,
        one 2 current_epoch_interval: U64,
        one 3 first_block_height: U64,
        one 4 last_block_time: Time,
        one 5 sealer_app_hash: Base64,
        one 6 sealer_block_hash: Base64,
    }
    pub(crate) EPOCHING {
        one 1 params: Message(&EPOCHING_PARAMS),
        many 2 epochs: Message(&EPOCH),
        many 3 queues: Foreign,
        many 4 validator_sets: Foreign,
        many 5 slashed_validator_sets: Foreign,
        many 6 validators_lifecycle: Foreign,
        many 7 delegations_lifecycle: Foreign,
    }
    REPORTED { one 1 ckpt_hash: Text, one 2 btc_light_client_height: U64 }
    EPOCH_END { one 1 epoch: U64, one 2 btc_light_client_height: U64 }
    pub(crate) MONITOR {
        many 1 epoch_end_records: Message(&EPOCH_END),
        many 2 checkpoints_reported: Message(&REPORTED),
    }

    // incentive, costaking, mint

    INCENTIVE_PARAMS { one 1 btc_staking_portion: Decimal, one 2 fp_portion: Decimal }
    GAUGE { many 1 coins: Message(&COIN) }
    GAUGE_AT { one 1 height: U64, one 2 gauge: Message(&GAUGE) }
    REWARD_GAUGE { many 1 coins: Message(&COIN), many 2 withdrawn_coins: Message(&COIN) }
    REWARD_GAUGE_OF {
        one 1 stakeholder_type: Enum(&[(0, "FINALITY_PROVIDER"), (1, "BTC_STAKER"), (2, "COSTAKER")]),
        one 2 address: Text,
        one 3 reward_gauge: Message(&REWARD_GAUGE),
    }
    WITHDRAW_ADDRESS { one 1 delegator_address: Text, one 2 withdraw_address: Text }
    PROVIDER_CURRENT {
        many 1 current_rewards: Message(&COIN),
        one 2 period: U64,
        one 3 total_active_sat: Integer,
    }
    PROVIDER_CURRENT_OF { one 1 address: Text, one 2 rewards: Message(&PROVIDER_CURRENT) }
    PROVIDER_HISTORICAL { many 1 cumulative_rewards_per_sat: Message(&COIN) }
    PROVIDER_HISTORICAL_OF {
        one 1 address: Text,
        one 2 period: U64,
        one 3 rewards: Message(&PROVIDER_HISTORICAL),
    }
    POSITION { one 1 start_period_cumulative_reward: U64, one 2 total_active_sat: Integer }
    POSITION_OF {
        one 1 finality_provider_address: Text,
        one 2 delegator_address: Text,
        one 3 tracker: Message(&POSITION),
    }
    DELEGATOR_TO_PROVIDER { one 1 delegator_address: Text, one 2 finality_provider_address: Text }
    MOVED { one 1 fp_addr: Text, one 2 btc_del_addr: Text, one 3 total_sat: Integer }
    POWER_UPDATE { one 1 btc_activated: Message(&MOVED), one 2 btc_unbonded: Message(&MOVED) }
    POWER_UPDATES { many 1 events: Message(&POWER_UPDATE) }
    POWER_UPDATES_AT { one 1 height: U64, one 2 events: Message(&POWER_UPDATES) }
    pub(crate) INCENTIVE {
        one 1 params: Message(&INCENTIVE_PARAMS),
        many 2 btc_staking_gauges: Message(&GAUGE_AT),
        many 3 reward_gauges: Message(&REWARD_GAUGE_OF),
        many 4 withdraw_addresses: Message(&WITHDRAW_ADDRESS),
        many 5 refundable_msg_hashes: Text,
        many 6 finality_providers_current_rewards: Message(&PROVIDER_CURRENT_OF),
        many 7 finality_providers_historical_rewards: Message(&PROVIDER_HISTORICAL_OF),
        many 8 btc_delegation_rewards_trackers: Message(&POSITION_OF),
        many 9 btc_delegators_to_fps: Message(&DELEGATOR_TO_PROVIDER),
        many 10 event_reward_tracker: Message(&POWER_UPDATES_AT),
        one 11 last_processed_height_event_reward_tracker: U64,
        many 12 fp_direct_gauges: Message(&GAUGE_AT),
    }

    COSTAKING_PARAMS {
        one 1 costaking_portion: Decimal,
        one 2 score_ratio_btc_by_baby: Integer,
        one 3 validators_portion: Decimal,
    }
    COSTAKING_CURRENT { many 1 rewards: Message(&COIN), one 2 period: U64, one 3 total_score: Integer }
    COSTAKING_CURRENT_ENTRY { one 1 rewards: Message(&COSTAKING_CURRENT) }
    TRACKER {
        one 1 start_period_cumulative_reward: U64,
        one 2 active_satoshis: Integer,
        one 3 active_baby: Integer,
        one 4 total_score: Integer,
    }
    TRACKER_OF { one 1 costaker_address: Text, one 2 tracker: Message(&TRACKER) }
    pub(crate) COSTAKING {
        one 1 params: Message(&COSTAKING_PARAMS),
        one 2 current_rewards: Message(&COSTAKING_CURRENT_ENTRY),
        many 3 historical_rewards: Foreign,
        many 4 costakers_rewards_tracker: Message(&TRACKER_OF),
        one 5 validator_set: Foreign,
    }

    MINTER {
        one 1 inflation_rate: Decimal,
        one 2 annual_provisions: Decimal,
        one 4 previous_block_time: Time,
        one 5 bond_denom: Text,
    }
    GENESIS_TIME { one 1 genesis_time: Time }
    pub(crate) MINT { one 1 minter: Message(&MINTER), one 3 genesis_time: Message(&GENESIS_TIME) }
}
