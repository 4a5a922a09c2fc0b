//! Events of the staking module, and the changes of power it queues (`wire.md` 6.2, 10).
use super::records::SelectiveSlashingEvidence;
use crate::proto::named;

/// A finality provider was registered.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventFinalityProviderCreated {
    /// EOTS key, 64 hex characters.
    #[prost(string, tag = "1")]
    pub btc_pk_hex: String,
    /// Account that registered it, bech32.
    #[prost(string, tag = "2")]
    pub addr: String,
    /// Rate, decimal text with a point.
    #[prost(string, tag = "3")]
    pub commission: String,
    /// Name.
    #[prost(string, tag = "4")]
    pub moniker: String,
    /// Identity signature.
    #[prost(string, tag = "5")]
    pub identity: String,
    /// Site.
    #[prost(string, tag = "6")]
    pub website: String,
    /// Contact.
    #[prost(string, tag = "7")]
    pub security_contact: String,
    /// Details.
    #[prost(string, tag = "8")]
    pub details: String,
}

/// A finality provider was edited.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventFinalityProviderEdited {
    /// EOTS key, 64 hex characters.
    #[prost(string, tag = "1")]
    pub btc_pk_hex: String,
    /// Rate, decimal text with a point.
    #[prost(string, tag = "2")]
    pub commission: String,
    /// Name.
    #[prost(string, tag = "3")]
    pub moniker: String,
    /// Identity signature.
    #[prost(string, tag = "4")]
    pub identity: String,
    /// Site.
    #[prost(string, tag = "5")]
    pub website: String,
    /// Contact.
    #[prost(string, tag = "6")]
    pub security_contact: String,
    /// Details.
    #[prost(string, tag = "7")]
    pub details: String,
}

/// A finality provider changed its status.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventFinalityProviderStatusChange {
    /// EOTS key, 64 hex characters.
    #[prost(string, tag = "1")]
    pub btc_pk: String,
    /// Name of a [`FinalityProviderStatus`](super::FinalityProviderStatus).
    #[prost(string, tag = "2")]
    pub new_state: String,
}

/// A delegation was registered. Numbers are decimal text.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventBTCDelegationCreated {
    /// Staking transaction, hex.
    #[prost(string, tag = "1")]
    pub staking_tx_hex: String,
    /// Index of the staking output.
    #[prost(string, tag = "2")]
    pub staking_output_index: String,
    /// Params version the delegation keeps for life.
    #[prost(string, tag = "3")]
    pub params_version: String,
    /// EOTS keys, 64 hex characters each.
    #[prost(string, repeated, tag = "4")]
    pub finality_provider_btc_pks_hex: Vec<String>,
    /// Holder's key, 64 hex characters.
    #[prost(string, tag = "5")]
    pub staker_btc_pk_hex: String,
    /// Timelock of the staking output, in blocks.
    #[prost(string, tag = "6")]
    pub staking_time: String,
    /// Timelock of the unbonding output, in blocks.
    #[prost(string, tag = "7")]
    pub unbonding_time: String,
    /// Unbonding transaction, hex.
    #[prost(string, tag = "8")]
    pub unbonding_tx: String,
    /// `PENDING`.
    #[prost(string, tag = "9")]
    pub new_state: String,
    /// Account of the holder, bech32.
    #[prost(string, tag = "10")]
    pub staker_addr: String,
    /// The stake being expanded, reversed hex; empty if none.
    #[prost(string, tag = "11")]
    pub previous_staking_tx_hash_hex: String,
}

/// A committee member signed. Adaptor signatures are not told.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventCovenantSignatureReceived {
    /// Staking transaction id, reversed hex.
    #[prost(string, tag = "1")]
    pub staking_tx_hash: String,
    /// Covenant key, 64 hex characters.
    #[prost(string, tag = "2")]
    pub covenant_btc_pk_hex: String,
    /// On the unbonding transaction, 128 hex characters.
    #[prost(string, tag = "3")]
    pub covenant_unbonding_signature_hex: String,
    /// On input 0 of an expansion, 128 hex characters; empty if none.
    #[prost(string, tag = "4")]
    pub covenant_stake_expansion_signature_hex: String,
}

/// Enough committee members have signed.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventCovenantQuorumReached {
    /// Staking transaction id, reversed hex.
    #[prost(string, tag = "1")]
    pub staking_tx_hash: String,
    /// `VERIFIED` or `ACTIVE`.
    #[prost(string, tag = "2")]
    pub new_state: String,
}

/// The staking transaction was proven. Heights are decimal text.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventBTCDelegationInclusionProofReceived {
    /// Staking transaction id, reversed hex.
    #[prost(string, tag = "1")]
    pub staking_tx_hash: String,
    /// Height of the block with the staking transaction.
    #[prost(string, tag = "2")]
    pub start_height: String,
    /// End of the timelock.
    #[prost(string, tag = "3")]
    pub end_height: String,
    /// `PENDING` or `ACTIVE`.
    #[prost(string, tag = "4")]
    pub new_state: String,
}

/// The registered unbonding transaction or an expansion spent the stake. The chain spells it so.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventBTCDelgationUnbondedEarly {
    /// Staking transaction id, reversed hex.
    #[prost(string, tag = "1")]
    pub staking_tx_hash: String,
    /// Bitcoin height of the spend, decimal text.
    #[prost(string, tag = "2")]
    pub start_height: String,
    /// `UNBONDED`.
    #[prost(string, tag = "3")]
    pub new_state: String,
    /// The expansion, reversed hex; empty if none.
    #[prost(string, tag = "4")]
    pub stake_expansion_tx_hash: String,
}

/// The timelock is about to end.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventBTCDelegationExpired {
    /// Staking transaction id, reversed hex.
    #[prost(string, tag = "1")]
    pub staking_tx_hash: String,
    /// `EXPIRED`.
    #[prost(string, tag = "2")]
    pub new_state: String,
}

/// Another transaction spent the stake.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventUnexpectedUnbondingTx {
    /// Staking transaction id, reversed hex.
    #[prost(string, tag = "1")]
    pub staking_tx_hash: String,
    /// The spending transaction, reversed hex.
    #[prost(string, tag = "2")]
    pub spend_stake_tx_hash: String,
    /// Block with it, reversed hex.
    #[prost(string, tag = "3")]
    pub spend_stake_tx_header_hash: String,
    /// Position in the block.
    #[prost(uint32, tag = "4")]
    pub spend_stake_tx_block_index: u32,
}

/// A finality provider's key was shown.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventSelectiveSlashing {
    /// The key.
    #[prost(message, optional, tag = "1")]
    pub evidence: Option<SelectiveSlashingEvidence>,
}

/// A delegation changed its status. A record, never an event.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventBTCDelegationStateUpdate {
    /// Staking transaction id, reversed hex.
    #[prost(string, tag = "1")]
    pub staking_tx_hash: String,
    /// A [`BTCDelegationStatus`](super::BTCDelegationStatus).
    #[prost(int32, tag = "2")]
    pub new_state: i32,
}

/// A change of power, queued by Bitcoin height. A record, never an event.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventPowerDistUpdate {
    /// Which.
    #[prost(oneof = "event_power_dist_update::Ev", tags = "1, 2, 3, 4")]
    pub ev: Option<event_power_dist_update::Ev>,
}

/// What [`EventPowerDistUpdate`] may hold.
pub mod event_power_dist_update {
    use crate::proto::named;

    /// A change of power.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Ev {
        /// A finality provider was slashed.
        #[prost(message, tag = "1")]
        SlashedFp(EventSlashedFinalityProvider),
        /// A finality provider went to jail.
        #[prost(message, tag = "2")]
        JailedFp(EventJailedFinalityProvider),
        /// A finality provider left jail.
        #[prost(message, tag = "3")]
        UnjailedFp(EventUnjailedFinalityProvider),
        /// A delegation changed its status.
        #[prost(message, tag = "4")]
        BtcDelStateUpdate(super::EventBTCDelegationStateUpdate),
    }

    /// A finality provider was slashed.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct EventSlashedFinalityProvider {
        /// EOTS key, 32 bytes.
        #[prost(bytes = "vec", tag = "1")]
        pub pk: Vec<u8>,
    }

    /// A finality provider went to jail.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct EventJailedFinalityProvider {
        /// EOTS key, 32 bytes.
        #[prost(bytes = "vec", tag = "1")]
        pub pk: Vec<u8>,
    }

    /// A finality provider left jail.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct EventUnjailedFinalityProvider {
        /// EOTS key, 32 bytes.
        #[prost(bytes = "vec", tag = "1")]
        pub pk: Vec<u8>,
    }
    named! { "babylon.btcstaking.v1";
        EventSlashedFinalityProvider as "EventPowerDistUpdate.EventSlashedFinalityProvider",
        EventJailedFinalityProvider as "EventPowerDistUpdate.EventJailedFinalityProvider",
        EventUnjailedFinalityProvider as "EventPowerDistUpdate.EventUnjailedFinalityProvider"
    }
}
named! { "babylon.btcstaking.v1";
    EventFinalityProviderCreated, EventFinalityProviderEdited, EventFinalityProviderStatusChange,
    EventBTCDelegationCreated, EventCovenantSignatureReceived, EventCovenantQuorumReached,
    EventBTCDelegationInclusionProofReceived, EventBTCDelgationUnbondedEarly, EventBTCDelegationExpired,
    EventUnexpectedUnbondingTx, EventSelectiveSlashing, EventBTCDelegationStateUpdate, EventPowerDistUpdate
}
