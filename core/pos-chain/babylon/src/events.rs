//! Typed events as the node reports them (`wire.md` 6).
//!
//! Every attribute value is JSON text: strings keep their quotes, 64-bit integers are quoted, heights of the staking
//! module are strings. Attributes the chain appends unquoted (`msg_index`, `mode`) are not JSON of ours and are ignored,
//! like every attribute that is not asked for. Events of other kinds are no concern of ours; one of ours that does not
//! decode is an error, which the reader reports beside the others.

use crate::{
    convert::{
        InvalidField, Problem, Result,
        bytes::{
            decode_array, decode_covenant_key, decode_hex, decode_provider_key, decode_provider_key_text,
            decode_told_tx_text, decode_txid_text, required,
        },
        decimal::decode_u64,
        delegation::decode_status_name,
        event::read_attribute,
        finality::decode_stored_evidence,
        headers::decode_header_info,
        json::{Bare, Form, List, Message, Text},
        message::decode_secret,
    },
    proto::{btclightclient::BTCHeaderInfo, btcstaking::SelectiveSlashingEvidence, finality::Evidence},
    rpc::RawEvent,
};
use bitcoin::{BlockHash, Txid, hashes::Hash};
use btc_staking_pos_chain::event::{ChainEvent, ProviderStatus};
use btc_staking_protocol::{height::BtcHeight, keys::FinalityProviderPublicKey};

/// Decodes an event; `None` for kinds that do not concern us.
///
/// # Errors
/// An [`InvalidField`] named by the event's type and attribute.
pub fn decode_event(raw: &RawEvent) -> Result<Option<ChainEvent>> {
    let event = Attributes(raw);
    let decoded = match raw.kind.as_str() {
        "babylon.btcstaking.v1.EventBTCDelegationCreated" => event.delegation_created(),
        "babylon.btcstaking.v1.EventCovenantSignatureReceived" => event.covenant_signed(),
        "babylon.btcstaking.v1.EventCovenantQuorumReached" => event.quorum_reached(),
        "babylon.btcstaking.v1.EventBTCDelegationInclusionProofReceived" => event.inclusion_proven(),
        // The chain spells it so.
        "babylon.btcstaking.v1.EventBTCDelgationUnbondedEarly" => event.unbonded_early(),
        "babylon.btcstaking.v1.EventUnexpectedUnbondingTx" => event.unexpected_spend(),
        "babylon.btcstaking.v1.EventBTCDelegationExpired" => {
            event.txid("staking_tx_hash").map(|staking_txid| ChainEvent::DelegationExpired { staking_txid })
        }
        "babylon.btcstaking.v1.EventSelectiveSlashing" => event.selective_slashing(),
        "babylon.btcstaking.v1.EventFinalityProviderStatusChange" => event.status_changed(),
        "babylon.finality.v1.EventSlashedFinalityProvider" => event.provider_slashed(),
        "babylon.finality.v1.EventJailedFinalityProvider" => event
            .provider("public_key")
            .map(|finality_provider| ChainEvent::ProviderJailed { finality_provider }),
        "babylon.btclightclient.v1.EventBTCRollBack" => {
            event.header().map(|(to, _)| ChainEvent::LightClientRolledBack { to })
        }
        "babylon.btclightclient.v1.EventBTCRollForward" => {
            event.header().map(|(to, height)| ChainEvent::LightClientAdvanced { to, height })
        }
        _ => return Ok(None),
    };
    decoded.map(Some).map_err(|error| error.within(&raw.kind))
}

/// Attributes of one event.
struct Attributes<'a>(&'a RawEvent);

impl Attributes<'_> {
    /// Reads an attribute of a form.
    fn read<F: Form>(&self, key: &str) -> Result<F::Field> {
        read_attribute::<F>(self.0, key)
    }

    fn text(&self, key: &str) -> Result<String> {
        self.read::<Text>(key)
    }
    fn txid(&self, key: &str) -> Result<Txid> {
        decode_txid_text(key, &self.text(key)?)
    }
    /// A transaction id, or none for empty text.
    fn txid_or_none(&self, key: &str) -> Result<Option<Txid>> {
        let text = self.text(key)?;
        if text.is_empty() { Ok(None) } else { decode_txid_text(key, &text).map(Some) }
    }
    fn provider(&self, key: &str) -> Result<FinalityProviderPublicKey> {
        decode_provider_key_text(key, &self.text(key)?)
    }
    /// A Bitcoin height in a string field.
    fn btc_height(&self, key: &str) -> Result<BtcHeight> {
        let text = self.text(key)?;
        let height = u32::try_from(decode_u64(key, &text)?);
        height.map(BtcHeight::new).map_err(|_| InvalidField::new(key, Problem::Integer(text)))
    }

    fn delegation_created(&self) -> Result<ChainEvent> {
        let field = "finality_provider_btc_pks_hex";
        let keys = self.read::<List<Text>>(field)?;
        let finality_providers =
            keys.iter().map(|key| decode_provider_key_text(field, key)).collect::<Result<_>>()?;
        Ok(ChainEvent::DelegationCreated {
            staking_tx: Box::new(decode_told_tx_text("staking_tx_hex", &self.text("staking_tx_hex")?)?),
            finality_providers,
            expands: self.txid_or_none("previous_staking_tx_hash_hex")?,
        })
    }

    fn covenant_signed(&self) -> Result<ChainEvent> {
        let field = "covenant_btc_pk_hex";
        Ok(ChainEvent::CovenantSigned {
            staking_txid: self.txid("staking_tx_hash")?,
            covenant: decode_covenant_key(field, &decode_hex(field, &self.text(field)?)?)?,
        })
    }

    fn quorum_reached(&self) -> Result<ChainEvent> {
        Ok(ChainEvent::QuorumReached {
            staking_txid: self.txid("staking_tx_hash")?,
            status: decode_status_name("new_state", &self.text("new_state")?)?,
        })
    }

    fn inclusion_proven(&self) -> Result<ChainEvent> {
        Ok(ChainEvent::InclusionProven {
            staking_txid: self.txid("staking_tx_hash")?,
            start: self.btc_height("start_height")?,
            end: self.btc_height("end_height")?,
            status: decode_status_name("new_state", &self.text("new_state")?)?,
        })
    }

    fn unbonded_early(&self) -> Result<ChainEvent> {
        Ok(ChainEvent::UnbondedEarly {
            staking_txid: self.txid("staking_tx_hash")?,
            spent_at: self.btc_height("start_height")?,
            expanded_by: self.txid_or_none("stake_expansion_tx_hash")?,
        })
    }

    fn unexpected_spend(&self) -> Result<ChainEvent> {
        Ok(ChainEvent::UnexpectedSpend {
            staking_txid: self.txid("staking_tx_hash")?,
            spending_txid: self.txid("spend_stake_tx_hash")?,
            block_hash: block_hash("spend_stake_tx_header_hash", &self.text("spend_stake_tx_header_hash")?)?,
            index: self.read::<Bare>("spend_stake_tx_block_index")?,
        })
    }

    fn selective_slashing(&self) -> Result<ChainEvent> {
        let evidence = self.read::<Message<SelectiveSlashingEvidence>>("evidence")?;
        let evidence = required("evidence", evidence.as_ref())?;
        let within = |error: InvalidField| error.within("evidence");
        let secret = decode_secret("recovered_fp_btc_sk", &evidence.recovered_fp_btc_sk).map_err(within)?;
        let finality_provider = decode_provider_key("fp_btc_pk", &evidence.fp_btc_pk).map_err(within)?;
        Ok(ChainEvent::SelectiveSlashing { finality_provider, secret })
    }

    fn status_changed(&self) -> Result<ChainEvent> {
        let name = self.text("new_state")?;
        let known = STATUS_NAMES.iter().find(|(known, _)| *known == name);
        let (_, status) =
            known.ok_or_else(|| InvalidField::new("new_state", Problem::UnknownName(name.clone())))?;
        Ok(ChainEvent::ProviderStatusChanged { finality_provider: self.provider("btc_pk")?, status: *status })
    }

    fn provider_slashed(&self) -> Result<ChainEvent> {
        let evidence = self.read::<Message<Evidence>>("evidence")?;
        let evidence = decode_stored_evidence(required("evidence", evidence.as_ref())?);
        let evidence = evidence.map_err(|error| error.within("evidence"))?;
        Ok(ChainEvent::ProviderSlashed(Box::new(evidence)))
    }

    fn header(&self) -> Result<(BlockHash, BtcHeight)> {
        let header = self.read::<Message<BTCHeaderInfo>>("header")?;
        let header = decode_header_info(required("header", header.as_ref())?);
        let header = header.map_err(|error| error.within("header"))?;
        Ok((header.hash, header.height))
    }
}

const STATUS_NAMES: [(&str, ProviderStatus); 4] = [
    ("FINALITY_PROVIDER_STATUS_INACTIVE", ProviderStatus::Inactive),
    ("FINALITY_PROVIDER_STATUS_ACTIVE", ProviderStatus::Active),
    ("FINALITY_PROVIDER_STATUS_JAILED", ProviderStatus::Jailed),
    ("FINALITY_PROVIDER_STATUS_SLASHED", ProviderStatus::Slashed),
];

/// A block hash in text, reversed.
fn block_hash(field: &str, text: &str) -> Result<BlockHash> {
    let mut bytes: [u8; 32] = decode_array(field, &decode_hex(field, text)?)?;
    bytes.reverse();
    Ok(BlockHash::from_byte_array(bytes))
}

#[cfg(test)]
mod tests;
