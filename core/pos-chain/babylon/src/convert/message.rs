//! Whole messages: [`ChainMessage`] with its signer to and from [`Any`].

use super::{
    InvalidField, Problem, Result,
    bytes::{
        decode_account, decode_array, decode_header, decode_provider_key, decode_tx, decode_txid_text,
        required,
    },
    covenant::{decode_signature_set, encode_signature_set},
    decimal::{decode_decimal, encode_decimal},
    finality::{decode_commitment, decode_vote, encode_commitment, encode_vote},
    proof::{decode_inclusion, encode_inclusion},
    provider::{decode_description, decode_registration, encode_description, encode_registration},
    request::{Registration, decode_create, decode_expand, encode_request},
};
use crate::proto::{
    Any,
    btclightclient::MsgInsertHeaders,
    btcstaking::{
        MsgAddBTCDelegationInclusionProof, MsgAddCovenantSigs, MsgBTCUndelegate, MsgBtcStakeExpand,
        MsgCreateBTCDelegation, MsgCreateFinalityProvider, MsgEditFinalityProvider,
        MsgSelectiveSlashingEvidence,
    },
    finality::{MsgAddFinalitySig, MsgCommitPubRandList, MsgUnjailFinalityProvider},
    incentive::{MsgSetWithdrawAddress, MsgWithdrawReward},
};
use bitcoin::consensus::serialize;
use btc_staking_pos_chain::message::{ChainMessage, RecoveredSecret, RewardKind, UndelegationReport};
use btc_staking_protocol::{finality::evidence::FinalityProviderSecret, keys::AccountAddress};
use prost::{Message, Name};
use std::sync::Arc;

/// Whether the chain refunds the fee of this kind when the message succeeds (`chain.md` 12).
pub const fn is_refundable(message: &ChainMessage) -> bool {
    match message {
        ChainMessage::AddCovenantSignatures(_)
        | ChainMessage::AddInclusionProof { .. }
        | ChainMessage::ReportUndelegation(_)
        | ChainMessage::SelectiveSlashingEvidence(_)
        | ChainMessage::AddFinalitySignature(_)
        | ChainMessage::InsertHeaders(_) => true,
        ChainMessage::CreateFinalityProvider(_)
        | ChainMessage::EditFinalityProvider { .. }
        | ChainMessage::UnjailFinalityProvider(_)
        | ChainMessage::RegisterDelegation(_)
        | ChainMessage::CommitRandomness(_)
        | ChainMessage::WithdrawReward(_)
        | ChainMessage::SetWithdrawAddress(_) => false,
    }
}

/// Encodes a message signed by `signer`.
///
/// # Errors
/// [`Problem::Contradicts`] when a message that names its own account is sent from another, and whatever its parts
/// cannot express on the wire.
pub fn encode_message(message: &ChainMessage, signer: &AccountAddress) -> Result<Any> {
    let from = signer.bech32().to_owned();
    Ok(match message {
        ChainMessage::CreateFinalityProvider(registration) => {
            check_signer("addr", &registration.account, signer)?;
            any(&encode_registration(registration))
        }
        ChainMessage::EditFinalityProvider { finality_provider, description, commission } => {
            any(&MsgEditFinalityProvider {
                addr: from,
                btc_pk: finality_provider.to_bytes().to_vec(),
                description: Some(encode_description(description)),
                commission: commission.map(encode_decimal),
            })
        }
        ChainMessage::UnjailFinalityProvider(key) => {
            any(&MsgUnjailFinalityProvider { signer: from, fp_btc_pk: key.to_bytes().to_vec() })
        }
        ChainMessage::RegisterDelegation(request) => {
            check_signer("staker_addr", &request.staker_account, signer)?;
            match encode_request(request)? {
                Registration::Create(message) => any(message.as_ref()),
                Registration::Expand(message) => any(message.as_ref()),
            }
        }
        ChainMessage::AddCovenantSignatures(set) => any(&encode_signature_set(set, &from)),
        ChainMessage::AddInclusionProof { staking_txid, proof } => any(&MsgAddBTCDelegationInclusionProof {
            signer: from,
            staking_tx_hash: staking_txid.to_string(),
            staking_tx_inclusion_proof: Some(encode_inclusion(proof)),
        }),
        ChainMessage::ReportUndelegation(report) => any(&encode_report(report, from)),
        ChainMessage::SelectiveSlashingEvidence(secret) => any(&MsgSelectiveSlashingEvidence {
            signer: from,
            recovered_fp_btc_sk: secret.0.to_evidence_bytes().to_vec(),
        }),
        ChainMessage::CommitRandomness(commitment) => any(&encode_commitment(commitment, &from)),
        ChainMessage::AddFinalitySignature(vote) => any(&encode_vote(vote, &from)?),
        ChainMessage::InsertHeaders(headers) => {
            any(&MsgInsertHeaders { signer: from, headers: headers.iter().map(serialize).collect() })
        }
        ChainMessage::WithdrawReward(kind) => {
            any(&MsgWithdrawReward { r#type: reward_kind_name(*kind).to_owned(), address: from })
        }
        ChainMessage::SetWithdrawAddress(account) => any(&MsgSetWithdrawAddress {
            delegator_address: from,
            withdraw_address: account.bech32().to_owned(),
        }),
    })
}

fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

fn check_signer(field: &str, named: &AccountAddress, signer: &AccountAddress) -> Result<()> {
    if named == signer {
        return Ok(());
    }
    Err(InvalidField::new(field, Problem::Contradicts("the signing account")))
}

fn encode_report(report: &UndelegationReport, signer: String) -> MsgBTCUndelegate {
    MsgBTCUndelegate {
        signer,
        staking_tx_hash: report.staking_txid.to_string(),
        stake_spending_tx: serialize(&report.spending_tx),
        stake_spending_tx_inclusion_proof: Some(encode_inclusion(&report.proof)),
        funding_transactions: report.funding_txs.iter().map(serialize).collect(),
    }
}

/// Name of a reward kind in messages.
pub const fn reward_kind_name(kind: RewardKind) -> &'static str {
    match kind {
        RewardKind::FinalityProvider => "finality_provider",
        RewardKind::BtcStaker => "btc_staker",
        RewardKind::Costaker => "costaker",
    }
}

/// Parses the name of a reward kind, in any case.
///
/// # Errors
/// [`Problem::UnknownName`].
pub fn decode_reward_kind(field: &str, name: &str) -> Result<RewardKind> {
    let known = [RewardKind::FinalityProvider, RewardKind::BtcStaker, RewardKind::Costaker];
    known
        .into_iter()
        .find(|kind| reward_kind_name(*kind).eq_ignore_ascii_case(name))
        .ok_or_else(|| InvalidField::new(field, Problem::UnknownName(name.to_owned())))
}

/// Decodes a message and the account that signs it.
///
/// # Errors
/// [`Problem::UnknownMessage`] for other kinds, [`Problem::Protobuf`], or an [`InvalidField`] under the message's name.
pub fn decode_message(message: &Any) -> Result<(AccountAddress, ChainMessage)> {
    let name = message.type_url.rsplit('.').next().unwrap_or_default();
    decode_known(message).map_err(|error| if error.path == "type_url" { error } else { error.within(name) })
}

macro_rules! decode_by_type {
    ($any:expr; $($kind:ident => $decode:expr),* $(,)?) => {
        match $any.type_url.as_str() {
            $(url if url == $kind::type_url() => parse::<$kind>(stringify!($kind), &$any.value).and_then($decode),)*
            other => Err(InvalidField::new("type_url", Problem::UnknownMessage(other.to_owned()))),
        }
    };
}

fn decode_known(message: &Any) -> Result<(AccountAddress, ChainMessage)> {
    decode_by_type! { message;
        MsgCreateFinalityProvider => |m| {
            let registration = decode_registration(&m)?;
            Ok((registration.account.clone(), ChainMessage::CreateFinalityProvider(Box::new(registration))))
        },
        MsgEditFinalityProvider => |m| decode_edit(&m),
        MsgUnjailFinalityProvider => |m| {
            let key = decode_provider_key("fp_btc_pk", &m.fp_btc_pk)?;
            Ok((signer(&m.signer)?, ChainMessage::UnjailFinalityProvider(key)))
        },
        MsgCreateBTCDelegation => |m| {
            let request = decode_create(&m)?;
            Ok((request.staker_account.clone(), ChainMessage::RegisterDelegation(Box::new(request))))
        },
        MsgBtcStakeExpand => |m| {
            let request = decode_expand(&m)?;
            Ok((request.staker_account.clone(), ChainMessage::RegisterDelegation(Box::new(request))))
        },
        MsgAddCovenantSigs => |m| {
            let set = decode_signature_set(&m)?;
            Ok((signer(&m.signer)?, ChainMessage::AddCovenantSignatures(Box::new(set))))
        },
        MsgAddBTCDelegationInclusionProof => |m| decode_proof_message(&m),
        MsgBTCUndelegate => |m| decode_report(&m),
        MsgSelectiveSlashingEvidence => |m| {
            let secret = decode_secret("recovered_fp_btc_sk", &m.recovered_fp_btc_sk)?;
            Ok((signer(&m.signer)?, ChainMessage::SelectiveSlashingEvidence(secret)))
        },
        MsgCommitPubRandList => |m| {
            Ok((signer(&m.signer)?, ChainMessage::CommitRandomness(decode_commitment(&m)?)))
        },
        MsgAddFinalitySig => |m| {
            Ok((signer(&m.signer)?, ChainMessage::AddFinalitySignature(Box::new(decode_vote(&m)?))))
        },
        MsgInsertHeaders => |m| decode_headers(&m),
        MsgWithdrawReward => |m| {
            let kind = decode_reward_kind("type", &m.r#type)?;
            Ok((decode_account("address", &m.address)?, ChainMessage::WithdrawReward(kind)))
        },
        MsgSetWithdrawAddress => |m| {
            let to = decode_account("withdraw_address", &m.withdraw_address)?;
            Ok((decode_account("delegator_address", &m.delegator_address)?, ChainMessage::SetWithdrawAddress(to)))
        },
    }
}

fn parse<M: Message + Default>(what: &'static str, value: &[u8]) -> Result<M> {
    let problem = |error: prost::DecodeError| Problem::Protobuf { what, reason: error.to_string() };
    M::decode(value).map_err(|error| InvalidField::new("value", problem(error)))
}

fn signer(text: &str) -> Result<AccountAddress> {
    decode_account("signer", text)
}

fn decode_edit(message: &MsgEditFinalityProvider) -> Result<(AccountAddress, ChainMessage)> {
    let commission = message.commission.as_deref();
    let edit = ChainMessage::EditFinalityProvider {
        finality_provider: decode_provider_key("btc_pk", &message.btc_pk)?,
        description: decode_description(required("description", message.description.as_ref())?),
        commission: commission.map(|text| decode_decimal("commission", text)).transpose()?,
    };
    Ok((decode_account("addr", &message.addr)?, edit))
}

fn decode_proof_message(
    message: &MsgAddBTCDelegationInclusionProof,
) -> Result<(AccountAddress, ChainMessage)> {
    let field = "staking_tx_inclusion_proof";
    let proof = required(field, message.staking_tx_inclusion_proof.as_ref())?;
    let proven = ChainMessage::AddInclusionProof {
        staking_txid: decode_txid_text("staking_tx_hash", &message.staking_tx_hash)?,
        proof: decode_inclusion(proof).map_err(|error| error.within(field))?,
    };
    Ok((signer(&message.signer)?, proven))
}

fn decode_report(message: &MsgBTCUndelegate) -> Result<(AccountAddress, ChainMessage)> {
    let field = "stake_spending_tx_inclusion_proof";
    let proof = required(field, message.stake_spending_tx_inclusion_proof.as_ref())?;
    let funding = |(index, tx): (usize, &Vec<u8>)| decode_tx(&format!("funding_transactions[{index}]"), tx);
    let report = UndelegationReport {
        staking_txid: decode_txid_text("staking_tx_hash", &message.staking_tx_hash)?,
        spending_tx: decode_tx("stake_spending_tx", &message.stake_spending_tx)?,
        proof: decode_inclusion(proof).map_err(|error| error.within(field))?,
        funding_txs: message.funding_transactions.iter().enumerate().map(funding).collect::<Result<_>>()?,
    };
    Ok((signer(&message.signer)?, ChainMessage::ReportUndelegation(Box::new(report))))
}

/// Decodes a recovered secret key, 32 bytes big-endian.
///
/// # Errors
/// [`Problem::Length`], or [`Problem::Signature`] for a number that is no key.
pub fn decode_secret(field: &str, bytes: &[u8]) -> Result<RecoveredSecret> {
    let bytes: [u8; 32] = decode_array(field, bytes)?;
    let secret = FinalityProviderSecret::from_bytes(&bytes)
        .map_err(|error| InvalidField::new(field, Problem::Signature(error.to_string())))?;
    Ok(RecoveredSecret(Arc::new(secret)))
}

fn decode_headers(message: &MsgInsertHeaders) -> Result<(AccountAddress, ChainMessage)> {
    let header = |(index, header): (usize, &Vec<u8>)| decode_header(&format!("headers[{index}]"), header);
    let headers = message.headers.iter().enumerate().map(header).collect::<Result<Vec<_>>>()?;
    Ok((signer(&message.signer)?, ChainMessage::InsertHeaders(headers)))
}
