//! The staking chain's messages, answers and events.

use crate::example;
use base64::{Engine, engine::general_purpose::STANDARD};
use bitcoin::{BlockHash, block::Header, consensus::serialize, hashes::Hash};
use btc_staking_babylon::{
    convert::{
        delegation::{decode_delegation, encode_delegation},
        finality::{decode_evidence, decode_stored_commitment, encode_evidence, encode_stored_commitment},
        headers::{decode_light_client_header, encode_light_client_header},
        message::{decode_message, encode_message},
        params::{decode_staking_params, encode_staking_params},
        provider::{decode_finality_provider, encode_finality_provider},
    },
    events::decode_event,
    proto::{Any, Timestamp, finality},
    rpc::RawEvent,
};
use btc_staking_pos_chain::{
    ChainMessage, FinalityProvider, LightClientHeader, StoredCommitment,
    message::{
        CommissionRates, Description, FinalityProviderRegistration, RecoveredSecret, RewardKind,
        UndelegationReport,
    },
};
use btc_staking_protocol::{
    height::{BtcHeight, Epoch, PosHeight},
    inclusion::InclusionProof,
    params::ParamsVersion,
    possession::ProofOfPossession,
    rate::Decimal,
};
use prost::Message;
use std::sync::Arc;

/// Valid examples.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "message" => messages()
            .iter()
            .filter_map(|m| encode_message(m, &example::account()).ok())
            .map(framed)
            .collect(),
        "delegation" => vec![encode_delegation(&example::delegation()).encode_to_vec()],
        "staking_params" => {
            encode_staking_params(&example::params()).map(|wire| wire.encode_to_vec()).into_iter().collect()
        }
        "provider" => encode_provider(&finality_provider()).into_iter().collect(),
        "evidence" => vec![encode_evidence(&example::evidence()).encode_to_vec()],
        "stored_commitment" => {
            let commitment = example::commitment();
            let stored = StoredCommitment {
                start_height: commitment.start_height,
                count: commitment.count,
                root: commitment.root,
                epoch: Epoch::new(7),
            };
            vec![encode_stored_commitment(&stored).1.encode_to_vec()]
        }
        "light_client_header" => {
            let header = header();
            let told = LightClientHeader { header, hash: header.block_hash(), height: BtcHeight::new(9) };
            vec![encode_light_client_header(&told, "2").encode_to_vec()]
        }
        "event" => events(),
        _ => Vec::new(),
    }
}

fn header() -> Header {
    Header {
        version: bitcoin::block::Version::ONE,
        prev_blockhash: BlockHash::all_zeros(),
        merkle_root: Hash::all_zeros(),
        time: 1_700_000_000,
        bits: bitcoin::CompactTarget::from_consensus(0x207f_ffff),
        nonce: 0,
    }
}

/// One message of every kind.
fn messages() -> Vec<ChainMessage> {
    let proof = InclusionProof {
        block_hash: BlockHash::from_byte_array([6; 32]),
        index: 3,
        siblings: vec![[7; 32]; 2],
    };
    let checked = example::checked();
    let signature = example::staker().sign(checked.sighashes().unbonding, &example::AUX);
    let spending_tx = checked.assemble_unbonding(&example::signed_by(&[0, 1, 4]), &signature);
    let report = spending_tx.map(|spending_tx| UndelegationReport {
        staking_txid: checked.staking_txid(),
        spending_tx,
        proof: proof.clone(),
        funding_txs: vec![example::staking_tx()],
    });
    let registration = FinalityProviderRegistration {
        account: example::account(),
        finality_provider: example::provider_key(),
        possession: ProofOfPossession::sign_bip340(
            &example::signing_key(),
            &example::account(),
            &example::AUX,
        ),
        description: Description { moniker: "example".to_owned(), ..Description::default() },
        commission: CommissionRates {
            rate: Decimal::ZERO,
            max_rate: Decimal::ONE,
            max_change_rate: Decimal::ONE,
        },
    };
    let mut messages = vec![
        ChainMessage::CreateFinalityProvider(Box::new(registration)),
        ChainMessage::EditFinalityProvider {
            finality_provider: example::provider_key(),
            description: Description { moniker: "again".to_owned(), ..Description::default() },
            commission: Some(Decimal::ONE),
        },
        ChainMessage::UnjailFinalityProvider(example::provider_key()),
        ChainMessage::RegisterDelegation(Box::new(example::request())),
        ChainMessage::AddInclusionProof { staking_txid: checked.staking_txid(), proof },
        ChainMessage::CommitRandomness(example::commitment()),
        ChainMessage::AddFinalitySignature(Box::new(example::vote([0xab; 32]))),
        ChainMessage::InsertHeaders(vec![header()]),
        ChainMessage::WithdrawReward(RewardKind::BtcStaker),
        ChainMessage::SetWithdrawAddress(example::account()),
    ];
    messages.extend(report.map(|report| ChainMessage::ReportUndelegation(Box::new(report))));
    messages.extend(
        checked
            .sign_covenant(&example::member(2), &example::AUX)
            .map(|set| ChainMessage::AddCovenantSignatures(Box::new(set))),
    );
    messages.extend(
        example::evidence()
            .extract_secret()
            .map(|secret| ChainMessage::SelectiveSlashingEvidence(RecoveredSecret(Arc::new(secret)))),
    );
    messages
}

fn finality_provider() -> FinalityProvider {
    FinalityProvider {
        key: example::provider_key(),
        account: example::account(),
        description: Description { moniker: "example".to_owned(), ..Description::default() },
        commission: CommissionRates {
            rate: Decimal::ZERO,
            max_rate: Decimal::ONE,
            max_change_rate: Decimal::ONE,
        },
        commission_set_at: None,
        slashed: None,
        jailed: false,
        highest_voted_height: PosHeight::new(4),
    }
}

/// A provider's answer; the possession is not read back. A time before 1970 is none.
fn encode_provider(provider: &FinalityProvider) -> Option<Vec<u8>> {
    let key = example::signing_key();
    let possession = ProofOfPossession::sign_bip340(&key, &provider.account, &example::AUX);
    let seconds = provider.commission_set_at.map_or(Some(-1), |at| i64::try_from(at).ok())?;
    let set_at = Timestamp { seconds, nanos: 0 };
    let wire = encode_finality_provider(provider, &possession, set_at, PosHeight::new(9));
    wire.map(|wire| wire.encode_to_vec()).ok()
}

/// The kind of a message as a length and its text, then its bytes.
fn framed(message: Any) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(message.type_url.len()).unwrap_or(u8::MAX)];
    bytes.extend(message.type_url.bytes());
    bytes.extend(message.value);
    bytes
}

/// A message: once decoded it encodes to something that decodes to the same bytes again.
pub fn message(data: &[u8]) -> bool {
    let Some((kind, value)) = super::split(data) else { return false };
    let Ok(type_url) = String::from_utf8(kind.to_vec()) else { return false };
    let Ok((account, decoded)) = decode_message(&Any { type_url, value: value.to_vec() }) else {
        return false;
    };
    let encoded = match encode_message(&decoded, &account) {
        Ok(encoded) => encoded,
        Err(error) => panic!("what was decoded cannot be encoded: {error}"),
    };
    let (again, decoded) = match decode_message(&encoded) {
        Ok(decoded) => decoded,
        Err(error) => panic!("what was encoded cannot be decoded: {error}"),
    };
    assert_eq!(again, account);
    assert_eq!(encode_message(&decoded, &account).ok(), Some(encoded));
    true
}

/// A delegation: rebuilt only when its bytes hold, and then the same after a round trip.
pub fn delegation(data: &[u8]) -> bool {
    let Ok(wire) = Message::decode(data) else { return false };
    let Ok(delegation) = decode_delegation(&wire) else { return false };
    let again = decode_delegation(&encode_delegation(&delegation));
    assert_eq!(again.as_ref(), Ok(&delegation));
    let Ok(checked) = delegation.rebuild(&example::params()) else { return false };
    let _ = checked.verified_quorum(&delegation.covenant);
    assert_eq!(checked.terms(), &delegation.terms);
    true
}

/// A params version.
pub fn staking_params(data: &[u8]) -> bool {
    let Ok(wire) = Message::decode(data) else { return false };
    let Ok(params) = decode_staking_params(ParamsVersion(3), &wire) else { return false };
    let again =
        encode_staking_params(&params).and_then(|wire| decode_staking_params(ParamsVersion(3), &wire));
    assert_eq!(again.as_ref(), Ok(&params));
    true
}

/// A finality provider.
pub fn provider(data: &[u8]) -> bool {
    let Ok(wire) = Message::decode(data) else { return false };
    let Ok(provider) = decode_finality_provider(&wire) else { return false };
    let again = encode_provider(&provider)
        .and_then(|bytes| Message::decode(&*bytes).ok())
        .and_then(|wire| decode_finality_provider(&wire).ok());
    assert_eq!(again.as_ref(), Some(&provider));
    true
}

/// Evidence: a key falls out exactly when both votes hold, and it is the provider's.
pub fn evidence(data: &[u8]) -> bool {
    let Ok(wire) = Message::decode(data) else { return false };
    let Ok(evidence) = decode_evidence(&wire) else { return false };
    assert_eq!(decode_evidence(&encode_evidence(&evidence)).as_ref(), Ok(&evidence));
    match (evidence.verify(), evidence.extract_secret()) {
        (Ok(()), Ok(secret)) => assert_eq!(secret.public_key(), evidence.finality_provider.x_only()),
        (Err(_), Err(_)) => {}
        (verified, extracted) => panic!("{verified:?}, but extraction succeeds: {}", extracted.is_ok()),
    }
    true
}

/// A stored commitment.
pub fn stored_commitment(data: &[u8]) -> bool {
    let Ok(wire) = Message::decode(data) else { return false };
    let wire: finality::PubRandCommitResponse = wire;
    let Ok(stored) = decode_stored_commitment(100, &wire) else { return false };
    assert_eq!(encode_stored_commitment(&stored), (100, wire));
    true
}

/// A header of the light client.
pub fn light_client_header(data: &[u8]) -> bool {
    let Ok(wire) = Message::decode(data) else { return false };
    let Ok(told) = decode_light_client_header(&wire) else { return false };
    assert_eq!(told.header.block_hash(), told.hash);
    assert_eq!(decode_light_client_header(&encode_light_client_header(&told, "1")).as_ref(), Ok(&told));
    assert_eq!(serialize(&told.header).len(), 80);
    true
}

/// Events as JSON: `["kind", [["key", "value"], ..]]`.
fn events() -> Vec<Vec<u8>> {
    let txid = example::checked().staking_txid();
    let key = example::provider_key();
    let rows = [
        ("babylon.btcstaking.v1.EventBTCDelegationExpired", vec![("staking_tx_hash", format!("\"{txid}\""))]),
        (
            "babylon.btcstaking.v1.EventCovenantQuorumReached",
            vec![("staking_tx_hash", format!("\"{txid}\"")), ("new_state", "\"VERIFIED\"".to_owned())],
        ),
        ("babylon.finality.v1.EventJailedFinalityProvider", vec![("public_key", format!("\"{key}\""))]),
        (
            "babylon.btcstaking.v1.EventFinalityProviderStatusChange",
            vec![
                ("btc_pk", format!("\"{key}\"")),
                ("new_state", "\"FINALITY_PROVIDER_STATUS_JAILED\"".to_owned()),
            ],
        ),
        ("babylon.finality.v1.EventSlashedFinalityProvider", vec![("evidence", evidence_json())]),
    ];
    let rows = rows.into_iter().map(|row| serde_json::json!(row).to_string().into_bytes());
    rows.collect()
}

/// Evidence as events carry it.
fn evidence_json() -> String {
    let evidence = example::evidence();
    let text = |bytes: &[u8]| STANDARD.encode(bytes);
    let json = serde_json::json!({
        "fp_btc_pk": evidence.finality_provider, "block_height": evidence.height.to_u64().to_string(),
        "pub_rand": text(evidence.public_randomness.as_bytes()),
        "canonical_app_hash": text(&evidence.canonical_app_hash), "fork_app_hash": text(&evidence.fork_app_hash),
        "canonical_finality_sig": text(evidence.canonical_signature.as_bytes()),
        "fork_finality_sig": text(evidence.fork_signature.as_bytes()),
    });
    json.to_string()
}

/// An event: decoded, refused with a reason, or none of ours.
pub fn event(data: &[u8]) -> bool {
    let Ok((kind, attributes)) = serde_json::from_slice(data) else { return false };
    matches!(decode_event(&RawEvent { kind, attributes }), Ok(Some(_)))
}
