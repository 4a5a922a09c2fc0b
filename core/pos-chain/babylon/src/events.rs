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
            decode_array, decode_covenant_key, decode_hex, decode_provider_key_text, decode_told_tx_text,
            decode_txid_text,
        },
        delegation::decode_status_name,
        finality::decode_evidence,
        message::decode_secret,
    },
    proto::finality::EvidenceResponse,
    rpc::RawEvent,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bitcoin::{BlockHash, Txid, hashes::Hash};
use btc_staking_pos_chain::event::{ChainEvent, ProviderStatus};
use btc_staking_protocol::{height::BtcHeight, keys::FinalityProviderPublicKey};
use serde::{Deserialize, de::DeserializeOwned};

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
    /// Parses an attribute's value as JSON.
    fn json<T: DeserializeOwned>(&self, key: &str) -> Result<T> {
        let found = self.0.attributes.iter().find(|(name, _)| name == key);
        let (_, value) = found.ok_or_else(|| InvalidField::new(key, Problem::Missing))?;
        serde_json::from_str(value).map_err(|error| {
            InvalidField::new(key, Problem::Consensus { what: "JSON value", reason: error.to_string() })
        })
    }

    fn text(&self, key: &str) -> Result<String> {
        self.json(key)
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
        let height = text.parse().map_err(|_| InvalidField::new(key, Problem::Integer(text)))?;
        Ok(BtcHeight::new(height))
    }

    fn delegation_created(&self) -> Result<ChainEvent> {
        let field = "finality_provider_btc_pks_hex";
        let keys: Vec<String> = self.json(field)?;
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
            index: self.json("spend_stake_tx_block_index")?,
        })
    }

    fn selective_slashing(&self) -> Result<ChainEvent> {
        let evidence: SelectiveJson = self.json("evidence")?;
        let within = |error: InvalidField| error.within("evidence");
        let secret = base64("recovered_fp_btc_sk", &evidence.recovered_fp_btc_sk).map_err(within)?;
        Ok(ChainEvent::SelectiveSlashing {
            finality_provider: decode_provider_key_text("fp_btc_pk", &evidence.fp_btc_pk).map_err(within)?,
            secret: decode_secret("recovered_fp_btc_sk", &secret).map_err(within)?,
        })
    }

    fn status_changed(&self) -> Result<ChainEvent> {
        let name = self.text("new_state")?;
        let known = STATUS_NAMES.iter().find(|(known, _)| *known == name);
        let (_, status) =
            known.ok_or_else(|| InvalidField::new("new_state", Problem::UnknownName(name.clone())))?;
        Ok(ChainEvent::ProviderStatusChanged { finality_provider: self.provider("btc_pk")?, status: *status })
    }

    fn provider_slashed(&self) -> Result<ChainEvent> {
        let evidence: EvidenceJson = self.json("evidence")?;
        let evidence = evidence.into_response().and_then(|response| decode_evidence(&response));
        let evidence = evidence.map_err(|error| error.within("evidence"))?;
        Ok(ChainEvent::ProviderSlashed(Box::new(evidence)))
    }

    fn header(&self) -> Result<(BlockHash, BtcHeight)> {
        let header: HeaderJson = self.json("header")?;
        let hash = block_hash("hash", &header.hash).map_err(|error| error.within("header"))?;
        Ok((hash, BtcHeight::new(header.height)))
    }
}

const STATUS_NAMES: [(&str, ProviderStatus); 4] = [
    ("FINALITY_PROVIDER_STATUS_INACTIVE", ProviderStatus::Inactive),
    ("FINALITY_PROVIDER_STATUS_ACTIVE", ProviderStatus::Active),
    ("FINALITY_PROVIDER_STATUS_JAILED", ProviderStatus::Jailed),
    ("FINALITY_PROVIDER_STATUS_SLASHED", ProviderStatus::Slashed),
];

#[derive(Deserialize)]
struct SelectiveJson {
    fp_btc_pk: String,
    recovered_fp_btc_sk: String,
}
#[derive(Deserialize)]
struct HeaderJson {
    hash: String,
    height: u32,
}
/// Absent bytes print `null`, empty ones `""`.
#[derive(Deserialize)]
struct EvidenceJson {
    fp_btc_pk: String,
    block_height: String,
    pub_rand: Option<String>,
    canonical_app_hash: Option<String>,
    fork_app_hash: Option<String>,
    canonical_finality_sig: Option<String>,
    fork_finality_sig: Option<String>,
}

impl EvidenceJson {
    fn into_response(self) -> Result<EvidenceResponse> {
        let bytes = |field: &str, text: Option<String>| base64(field, &text.unwrap_or_default());
        let height = self.block_height;
        Ok(EvidenceResponse {
            fp_btc_pk_hex: self.fp_btc_pk,
            block_height: height
                .parse()
                .map_err(|_| InvalidField::new("block_height", Problem::Integer(height.clone())))?,
            pub_rand: bytes("pub_rand", self.pub_rand)?,
            canonical_app_hash: bytes("canonical_app_hash", self.canonical_app_hash)?,
            fork_app_hash: bytes("fork_app_hash", self.fork_app_hash)?,
            canonical_finality_sig: Some(bytes("canonical_finality_sig", self.canonical_finality_sig)?),
            fork_finality_sig: bytes("fork_finality_sig", self.fork_finality_sig)?,
        })
    }
}

fn base64(field: &str, text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).map_err(|error| {
        InvalidField::new(field, Problem::Consensus { what: "base64 text", reason: error.to_string() })
    })
}

/// A block hash in text, reversed.
fn block_hash(field: &str, text: &str) -> Result<BlockHash> {
    let mut bytes: [u8; 32] = decode_array(field, &decode_hex(field, text)?)?;
    bytes.reverse();
    Ok(BlockHash::from_byte_array(bytes))
}

#[cfg(test)]
mod tests;
