//! Decoding a transaction, as strictly as the reference does (`wire.md` 1.6, 4.1; `chain.md` 12).

use super::context::PREFIX;
use crate::{
    error::{Failure, plain, sdk},
    wire::{
        messages::Msg,
        schema::{self, Schema},
        walk::{self, Misfit, Unknown},
    },
};
use btc_staking_babylon::proto::TxBody;
use btc_staking_protocol::keys::AccountAddress;
use cosmrs::proto::cosmos::{
    crypto::secp256k1::PubKey,
    tx::{
        signing::v1beta1::SignMode,
        v1beta1::{AuthInfo, Fee, SignDoc, SignerInfo, TxRaw, mode_info::Sum},
    },
};
use prost::Message;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// A decoded transaction with the bytes its signatures cover.
#[derive(Debug, Clone)]
pub(crate) struct Tx {
    pub(crate) messages: Vec<Msg>,
    pub(crate) memo: String,
    /// Last height at which the transaction may be included; 0 for none.
    pub(crate) timeout_height: u64,
    /// Last time at which it may be included, as seconds and nanoseconds.
    pub(crate) timeout: Option<(i64, i32)>,
    pub(crate) fee: Fee,
    pub(crate) signers: Vec<Signer>,
    pub(crate) size: usize,
    body_bytes: Vec<u8>,
    auth_info_bytes: Vec<u8>,
    has_extensions: bool,
    unordered: bool,
    distinct_messages: bool,
}

/// One signer's part.
#[derive(Debug, Clone)]
pub(crate) struct Signer {
    /// Compressed secp256k1 key; may be left out once the account has one.
    pub(crate) public_key: Option<Vec<u8>>,
    pub(crate) sequence: u64,
    /// Whether the sign mode is SIGN_MODE_DIRECT.
    pub(crate) direct: bool,
    pub(crate) signature: Vec<u8>,
}

impl Tx {
    /// Decodes a transaction.
    ///
    /// # Errors
    /// `sdk/2` when any byte is not as it must be.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Failure> {
        check_canonical(bytes)?;
        let raw = TxRaw::decode(bytes).map_err(undecodable)?;
        let body: TxBody = decode_part(&schema::TX_BODY, &raw.body_bytes, Unknown::NonCriticalTolerated)?;
        let auth: AuthInfo = decode_part(&schema::AUTH_INFO, &raw.auth_info_bytes, Unknown::Refused)?;
        let distinct: BTreeSet<(&str, &[u8])> =
            body.messages.iter().map(|any| (any.type_url.as_str(), any.value.as_slice())).collect();
        let distinct_messages = distinct.len() == body.messages.len();
        let messages = body.messages.iter().map(Msg::decode).collect::<Result<Vec<_>, _>>();
        let messages = messages.map_err(|err| sdk::TX_DECODE.because(err))?;
        Ok(Self {
            messages,
            memo: body.memo,
            timeout_height: body.timeout_height,
            timeout: body.timeout_timestamp.map(|t| (t.seconds, t.nanos)),
            fee: auth.fee.unwrap_or_default(),
            signers: signers(auth.signer_infos, raw.signatures)?,
            size: bytes.len(),
            body_bytes: raw.body_bytes,
            auth_info_bytes: raw.auth_info_bytes,
            has_extensions: !body.extension_options.is_empty(),
            unordered: body.unordered,
            distinct_messages,
        })
    }

    /// The 32 bytes a signature covers.
    pub(crate) fn sign_digest(&self, chain_id: &str, account_number: u64) -> [u8; 32] {
        let doc = SignDoc {
            body_bytes: self.body_bytes.clone(),
            auth_info_bytes: self.auth_info_bytes.clone(),
            chain_id: chain_id.to_owned(),
            account_number,
        };
        Sha256::digest(doc.encode_to_vec()).into()
    }

    /// The accounts that must sign, each once: the messages' signers in order, then a fee payer of its own.
    pub(crate) fn required_signers(&self) -> Vec<&str> {
        let mut required: Vec<&str> = vec![];
        let payer = Some(self.fee.payer.as_str()).filter(|payer| !payer.is_empty());
        for signer in self.messages.iter().map(Msg::signer).chain(payer) {
            if !required.contains(&signer) {
                required.push(signer);
            }
        }
        required
    }

    /// Whether whoever must sign has an address. A message that looks at its signer's by itself does so before.
    pub(crate) fn check_signer_addresses(&self) -> Result<(), Failure> {
        let payer = Some(self.fee.payer.as_str()).filter(|payer| !payer.is_empty());
        let handled = self.messages.iter().filter(|msg| !matches!(msg, Msg::WithoutHandler(_)));
        handled.map(Msg::signer).chain(payer).try_for_each(|text| {
            let account = text.parse::<AccountAddress>().and_then(|account| account.require_prefix(PREFIX));
            account.map(|_| ()).map_err(|err| plain(format!("decoding bech32 failed: {err}")))
        })
    }

    /// The account that pays the fee.
    pub(crate) fn fee_payer(&self) -> &str {
        if self.fee.payer.is_empty() {
            return self.messages.first().map_or("", Msg::signer);
        }
        &self.fee.payer
    }

    /// Whether the transaction is made only of kinds whose fee may come back.
    pub(crate) fn only_refundable_kinds(&self) -> bool {
        !self.messages.is_empty() && self.messages.iter().all(Msg::is_refundable_kind)
    }

    /// Whether no message is repeated.
    pub(crate) fn has_distinct_messages(&self) -> bool {
        self.distinct_messages
    }
    /// Whether options are present that nobody knows.
    pub(crate) fn has_extensions(&self) -> bool {
        self.has_extensions
    }
    /// Whether the transaction asks to be exempt from sequences.
    pub(crate) fn is_unordered(&self) -> bool {
        self.unordered
    }
}

/// Hash by which a transaction is known.
pub(crate) fn tx_hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn undecodable(err: impl std::fmt::Display) -> Failure {
    sdk::TX_DECODE.because(err)
}

/// Body, auth info, signatures, in this order, nothing else and nothing twice (ADR-027).
fn check_canonical(bytes: &[u8]) -> Result<(), Failure> {
    walk::check_fields(&schema::TX_RAW, bytes, Unknown::Refused).map_err(undecodable)?;
    let (mut rest, mut last) = (bytes, 0);
    while !rest.is_empty() {
        let field = walk::take_field(&mut rest).map_err(undecodable)?;
        if field.number < last || (field.number == last && field.number != 3) {
            return Err(undecodable("fields of the transaction are not in canonical order"));
        }
        last = field.number;
    }
    Ok(())
}

fn decode_part<T: Message + Default>(schema: &Schema, bytes: &[u8], unknown: Unknown) -> Result<T, Failure> {
    walk::check_fields(schema, bytes, unknown).map_err(|err: Misfit| undecodable(err))?;
    T::decode(bytes).map_err(undecodable)
}

fn signers(infos: Vec<SignerInfo>, signatures: Vec<Vec<u8>>) -> Result<Vec<Signer>, Failure> {
    if infos.len() != signatures.len() {
        return Err(undecodable(format!(
            "{} signer infos for {} signatures, there must be one each",
            infos.len(),
            signatures.len()
        )));
    }
    infos.into_iter().zip(signatures).map(|(info, signature)| signer(info, signature)).collect()
}

fn signer(info: SignerInfo, signature: Vec<u8>) -> Result<Signer, Failure> {
    let public_key = match info.public_key {
        Some(any) if any.type_url == "/cosmos.crypto.secp256k1.PubKey" => {
            Some(PubKey::decode(any.value.as_slice()).map_err(undecodable)?.key)
        }
        Some(any) => return Err(undecodable(format!("{} is no public key", any.type_url))),
        None => None,
    };
    let direct = match info.mode_info.and_then(|info| info.sum) {
        Some(Sum::Single(single)) => single.mode == i32::from(SignMode::Direct),
        Some(Sum::Multi(_)) | None => false,
    };
    Ok(Signer { public_key, sequence: info.sequence, direct, signature })
}
