//! Typed events to attributes and back (`wire.md` 6.1 to 6.3).
//!
//! The type of an event is the full protobuf name; each top-level field is one attribute, its value the field as JSON
//! text, sorted by name. What a chain appends (`msg_index`, `mode`) is ignored here, like every attribute that is no
//! field. [`TypedEvent`] knows every event that reaches clients; the plain ones, which are no messages, are
//! [`PlainEvent`].

use super::{
    InvalidField, Problem, Result,
    json::{
        Bare, Base64, BigInteger, CheckpointStatusName, Form, HexHeader, HexKey, Instant, Item, List,
        Message, NullableBase64, NullableBigInteger, Object, Quoted, QuotedSigned, ReversedHash, Text,
        objects,
    },
};
use crate::{
    proto::{
        Coin,
        btclightclient::{BTCHeaderInfo, EventBTCHeaderInserted, EventBTCRollBack, EventBTCRollForward},
        btcstaking::{
            EventBTCDelegationCreated, EventBTCDelegationExpired, EventBTCDelegationInclusionProofReceived,
            EventBTCDelgationUnbondedEarly, EventCovenantQuorumReached, EventCovenantSignatureReceived,
            EventFinalityProviderCreated, EventFinalityProviderEdited, EventFinalityProviderStatusChange,
            EventSelectiveSlashing, EventUnexpectedUnbondingTx, SelectiveSlashingEvidence,
        },
        checkpointing::{
            CheckpointStateUpdate, EventCheckpointAccumulating, EventCheckpointConfirmed,
            EventCheckpointFinalized, EventCheckpointForgotten, EventCheckpointSealed,
            EventCheckpointSubmitted, EventConflictingCheckpoint, RawCheckpoint, RawCheckpointWithMeta,
        },
        costaking::EventCostakersAddRewards,
        epoching::{
            EventBeginEpoch, EventEndEpoch, EventHandleQueuedMsg, EventSlashThreshold,
            EventUnlockFundsFailed, EventWrappedBeginRedelegate, EventWrappedCancelUnbondingDelegation,
            EventWrappedDelegate, EventWrappedEditValidator, EventWrappedStakingUpdateParams,
            EventWrappedUndelegate,
        },
        finality::{EventJailedFinalityProvider, EventSlashedFinalityProvider, Evidence},
    },
    rpc::RawEvent,
};
use prost::Name;
use serde_json::Value;

/// Encodes an event as the chain emits it, without what is appended to it.
pub fn encode_event<E: Object + Name>(event: &E) -> RawEvent {
    let mut attributes: Vec<_> =
        event.print().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    attributes.sort();
    RawEvent { kind: E::full_name(), attributes }
}

/// Decodes the attributes of an event of a known type; its name is not looked at.
///
/// # Errors
/// An [`InvalidField`] for an attribute that is missing, there twice, no JSON, or of another form than its field has.
pub fn decode_attributes<E: Object>(event: &RawEvent) -> Result<E> {
    E::read(&|name| find(event, name).and_then(|text| parse(name, text)))
}

/// Reads one attribute, for those who need no more of an event.
///
/// # Errors
/// As [`decode_attributes`].
pub fn read_attribute<F: Form>(event: &RawEvent, name: &str) -> Result<F::Field> {
    F::read(name, &parse(name, find(event, name)?)?)
}

fn find<'a>(event: &'a RawEvent, name: &str) -> Result<&'a str> {
    let mut found = event.attributes.iter().filter(|(key, _)| key == name);
    match (found.next(), found.next()) {
        (Some((_, text)), None) => Ok(text),
        (None, _) => Err(InvalidField::new(name, Problem::Missing)),
        (Some(_), Some(_)) => Err(InvalidField::new(name, Problem::Twice)),
    }
}

fn parse(name: &str, text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| {
        InvalidField::new(name, Problem::Consensus { what: "JSON value", reason: error.to_string() })
    })
}

macro_rules! typed_events {
    ($($event:ident),* $(,)?) => {
        /// An event of the chain's modules.
        #[derive(Debug, Clone, PartialEq)]
        #[expect(missing_docs, reason = "each is named after the message it holds")]
        pub enum TypedEvent {
            $($event($event),)*
        }

        impl TypedEvent {
            /// Full names of all of them.
            pub fn kinds() -> Vec<String> {
                vec![$($event::full_name()),*]
            }

            /// Decodes an event; `None` for one that is none of these.
            ///
            /// # Errors
            /// An [`InvalidField`] named by the event's type and attribute.
            pub fn decode(event: &RawEvent) -> Result<Option<Self>> {
                $(if event.kind == $event::full_name() {
                    let decoded = decode_attributes(event).map(|decoded| Some(Self::$event(decoded)));
                    return decoded.map_err(|error| error.within(&event.kind));
                })*
                Ok(None)
            }

            /// Encodes the event as the chain emits it.
            pub fn encode(&self) -> RawEvent {
                match self { $(Self::$event(event) => encode_event(event),)* }
            }
        }
    };
}

typed_events! {
    EventFinalityProviderCreated, EventFinalityProviderEdited, EventFinalityProviderStatusChange,
    EventBTCDelegationCreated, EventCovenantSignatureReceived, EventCovenantQuorumReached,
    EventBTCDelegationInclusionProofReceived, EventBTCDelgationUnbondedEarly, EventUnexpectedUnbondingTx,
    EventBTCDelegationExpired, EventSelectiveSlashing,
    EventSlashedFinalityProvider, EventJailedFinalityProvider,
    EventBTCRollBack, EventBTCHeaderInserted, EventBTCRollForward,
    EventCheckpointAccumulating, EventCheckpointSealed, EventCheckpointSubmitted, EventCheckpointConfirmed,
    EventCheckpointFinalized, EventCheckpointForgotten, EventConflictingCheckpoint,
    EventBeginEpoch, EventEndEpoch, EventWrappedDelegate, EventWrappedUndelegate, EventWrappedBeginRedelegate,
    EventWrappedCancelUnbondingDelegation, EventWrappedEditValidator, EventWrappedStakingUpdateParams,
    EventHandleQueuedMsg, EventUnlockFundsFailed, EventSlashThreshold,
    EventCostakersAddRewards,
}

objects! {
    EventFinalityProviderCreated {
        btc_pk_hex: Text, addr: Text, commission: Text, moniker: Text, identity: Text, website: Text,
        security_contact: Text, details: Text,
    }
    EventFinalityProviderEdited {
        btc_pk_hex: Text, commission: Text, moniker: Text, identity: Text, website: Text, security_contact: Text,
        details: Text,
    }
    EventFinalityProviderStatusChange { btc_pk: Text, new_state: Text }
    EventBTCDelegationCreated {
        staking_tx_hex: Text, staking_output_index: Text, params_version: Text,
        finality_provider_btc_pks_hex: List<Text>, staker_btc_pk_hex: Text, staking_time: Text,
        unbonding_time: Text, unbonding_tx: Text, new_state: Text, staker_addr: Text,
        previous_staking_tx_hash_hex: Text,
    }
    EventCovenantSignatureReceived {
        staking_tx_hash: Text, covenant_btc_pk_hex: Text, covenant_unbonding_signature_hex: Text,
        covenant_stake_expansion_signature_hex: Text,
    }
    EventCovenantQuorumReached { staking_tx_hash: Text, new_state: Text }
    EventBTCDelegationInclusionProofReceived {
        staking_tx_hash: Text, start_height: Text, end_height: Text, new_state: Text,
    }
    EventBTCDelgationUnbondedEarly {
        staking_tx_hash: Text, start_height: Text, new_state: Text, stake_expansion_tx_hash: Text,
    }
    EventUnexpectedUnbondingTx {
        staking_tx_hash: Text, spend_stake_tx_hash: Text, spend_stake_tx_header_hash: Text,
        spend_stake_tx_block_index: Bare,
    }
    EventBTCDelegationExpired { staking_tx_hash: Text, new_state: Text }
    EventSelectiveSlashing { evidence: Message<SelectiveSlashingEvidence> }
    SelectiveSlashingEvidence { fp_btc_pk: HexKey, recovered_fp_btc_sk: Base64 }
    EventSlashedFinalityProvider { evidence: Message<Evidence> }
    Evidence {
        fp_btc_pk: HexKey, block_height: Quoted, pub_rand: Base64, canonical_app_hash: Base64,
        fork_app_hash: Base64, canonical_finality_sig: NullableBase64, fork_finality_sig: Base64,
    }
    EventJailedFinalityProvider { public_key: Text }
    EventBTCRollBack { header: Message<BTCHeaderInfo>, rollback_from: Message<BTCHeaderInfo> }
    EventBTCHeaderInserted { header: Message<BTCHeaderInfo> }
    EventBTCRollForward { header: Message<BTCHeaderInfo> }
    BTCHeaderInfo { header: HexHeader, hash: ReversedHash, height: Bare, work: NullableBigInteger }
    EventCheckpointAccumulating { checkpoint: Message<RawCheckpointWithMeta> }
    EventCheckpointSealed { checkpoint: Message<RawCheckpointWithMeta> }
    EventCheckpointSubmitted { checkpoint: Message<RawCheckpointWithMeta> }
    EventCheckpointConfirmed { checkpoint: Message<RawCheckpointWithMeta> }
    EventCheckpointFinalized { checkpoint: Message<RawCheckpointWithMeta> }
    EventCheckpointForgotten { checkpoint: Message<RawCheckpointWithMeta> }
    EventConflictingCheckpoint {
        conflicting_checkpoint: Message<RawCheckpoint>, local_checkpoint: Message<RawCheckpointWithMeta>,
    }
    RawCheckpointWithMeta {
        ckpt: Message<RawCheckpoint>, status: CheckpointStatusName, bls_aggr_pk: Base64, power_sum: Quoted,
        lifecycle: List<Item<CheckpointStateUpdate>>,
    }
    RawCheckpoint { epoch_num: Quoted, block_hash: Base64, bitmap: Base64, bls_multi_sig: Base64 }
    CheckpointStateUpdate { state: CheckpointStatusName, block_height: Quoted, block_time: Instant }
    EventBeginEpoch { epoch_number: Quoted }
    EventEndEpoch { epoch_number: Quoted }
    EventWrappedDelegate {
        delegator_address: Text, validator_address: Text, amount: Quoted, denom: Text, epoch_boundary: Quoted,
    }
    EventWrappedUndelegate {
        delegator_address: Text, validator_address: Text, amount: Quoted, denom: Text, epoch_boundary: Quoted,
    }
    EventWrappedBeginRedelegate {
        delegator_address: Text, source_validator_address: Text, destination_validator_address: Text,
        amount: Quoted, denom: Text, epoch_boundary: Quoted,
    }
    EventWrappedCancelUnbondingDelegation {
        delegator_address: Text, validator_address: Text, amount: Quoted, creation_height: QuotedSigned,
        epoch_boundary: Quoted,
    }
    EventWrappedEditValidator { validator_address: Text, epoch_boundary: Quoted }
    EventWrappedStakingUpdateParams {
        unbonding_time: Text, max_validators: Bare, max_entries: Bare, historical_entries: Bare, bond_denom: Text,
        min_commission_rate: Text, epoch_boundary: Quoted,
    }
    EventHandleQueuedMsg {
        original_event_type: Text, epoch_number: Quoted, height: Quoted, tx_id: Base64, msg_id: Base64,
        original_attributes: List<Base64>, error: Text,
    }
    EventUnlockFundsFailed {
        epoch_number: Quoted, height: Quoted, tx_id: Base64, msg_id: Base64, error: Text, msg_type: Text,
    }
    EventSlashThreshold {
        slashed_voting_power: QuotedSigned, total_voting_power: QuotedSigned, slashed_validators: List<Base64>,
    }
    EventCostakersAddRewards {
        add_rewards: List<Item<Coin>>, current_rewards: List<Item<Coin>>, current_period: Quoted,
        current_total_score: BigInteger,
    }
}

/// An event that is no message: its values are plain text (`wire.md` 6.3).
#[derive(Debug, Clone, PartialEq)]
pub enum PlainEvent {
    /// `btc_staking_reward`: coins for stakers of Bitcoin.
    StakingReward {
        /// Sorted by denomination.
        amount: Vec<Coin>,
    },
    /// `fp_direct_rewards`: coins for finality providers themselves.
    ProviderReward {
        /// Sorted by denomination.
        amount: Vec<Coin>,
    },
    /// `validator_direct_rewards`: coins for validators themselves.
    ValidatorReward {
        /// Sorted by denomination.
        amount: Vec<Coin>,
        /// How many validators share them.
        validator_count: u64,
    },
    /// `mint`: new coins.
    Minted {
        /// A year, decimal text.
        inflation_rate: String,
        /// Coins of a year, decimal text.
        annual_provisions: String,
        /// In base units, without denomination.
        amount: u128,
    },
    /// `phantom_stake_expansion_remediated`: a stake was unbonded because its expansion is on Bitcoin.
    ParentUnbonded {
        /// The stake.
        parent: bitcoin::Txid,
        /// The expansion.
        child: bitcoin::Txid,
    },
}

impl PlainEvent {
    /// Types of all of them.
    pub const KINDS: [&str; 5] = [
        "btc_staking_reward",
        "fp_direct_rewards",
        "validator_direct_rewards",
        "mint",
        "phantom_stake_expansion_remediated",
    ];

    /// Decodes an event; `None` for one that is none of these.
    ///
    /// # Errors
    /// An [`InvalidField`] named by the event's type and attribute.
    pub fn decode(event: &RawEvent) -> Result<Option<Self>> {
        let coins = || decode_coin_text("amount", find(event, "amount")?);
        let txid = |name| super::bytes::decode_txid_text(name, find(event, name)?);
        let decimal = |name| {
            let text = find(event, name)?;
            super::decimal::decode_point_decimal(name, text).map(|_| text.to_owned())
        };
        let decoded = (|| {
            Ok(Some(match event.kind.as_str() {
                "btc_staking_reward" => Self::StakingReward { amount: coins()? },
                "fp_direct_rewards" => Self::ProviderReward { amount: coins()? },
                "validator_direct_rewards" => Self::ValidatorReward {
                    amount: coins()?,
                    validator_count: super::decimal::decode_u64(
                        "validator_count",
                        find(event, "validator_count")?,
                    )?,
                },
                "mint" => Self::Minted {
                    inflation_rate: decimal("inflation_rate")?,
                    annual_provisions: decimal("annual_provisions")?,
                    amount: super::decimal::decode_integer("amount", find(event, "amount")?)?,
                },
                "phantom_stake_expansion_remediated" => Self::ParentUnbonded {
                    parent: txid("parent_staking_tx_hash")?,
                    child: txid("child_staking_tx_hash")?,
                },
                _ => return Ok(None),
            }))
        })();
        decoded.map_err(|error: InvalidField| error.within(&event.kind))
    }
}

/// Reads coins from text: `12ubbn,3uother`; empty text for none.
///
/// # Errors
/// [`Problem::Coins`] for another form, a zero amount, or denominations out of order.
pub fn decode_coin_text(name: &str, text: &str) -> Result<Vec<Coin>> {
    let invalid = || InvalidField::new(name, Problem::Coins(text.to_owned()));
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let coin = |part: &str| {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (amount, denom) = part.split_at_checked(digits)?;
        super::decimal::check_integer(name, amount).ok()?;
        let letters = denom.starts_with(|first: char| first.is_ascii_alphabetic());
        (letters && amount != "0").then(|| Coin { denom: denom.to_owned(), amount: amount.to_owned() })
    };
    let coins: Vec<Coin> = text.split(',').map(coin).collect::<Option<_>>().ok_or_else(invalid)?;
    let sorted = coins.is_sorted_by(|one, next| one.denom < next.denom);
    if sorted { Ok(coins) } else { Err(invalid()) }
}
