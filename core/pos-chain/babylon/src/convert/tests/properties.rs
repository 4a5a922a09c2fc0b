//! Messages of any content to the wire and back.

use super::samples::*;
use crate::convert::{
    bytes::decode_header,
    decimal::{decode_point_decimal, encode_point_decimal},
    message::{decode_message, encode_message},
};
use bitcoin::{
    Amount, BlockHash, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness,
    absolute::LockTime, consensus::serialize, hashes::Hash, secp256k1::schnorr, transaction::Version,
};
use btc_staking_pos_chain::message::{
    ChainMessage, CommissionRates, Description, FinalityProviderRegistration, RecoveredSecret, RewardKind,
    UndelegationReport,
};
use btc_staking_protocol::{
    delegation::{CovenantSignatureSet, DelegationRequest, DelegationTerms, ExpansionRequest},
    finality::{
        evidence::FinalityProviderSecret,
        randomness::RandomnessCommitment,
        vote::{EotsSignature, MerkleProof, PublicRandomness, SignedVote, VoteMessage},
    },
    height::{PosHeight, Timelock},
    inclusion::InclusionProof,
    keys::AccountAddress,
    possession::ProofOfPossession,
    rate::Decimal,
};
use proptest::{array::uniform32, collection::vec, option, prelude::*};
use std::sync::Arc;

fn any_account() -> impl Strategy<Value = AccountAddress> {
    any::<[u8; 20]>().prop_map(|bytes| AccountAddress::from_bytes("bbn", &bytes).unwrap())
}
fn any_decimal() -> impl Strategy<Value = Decimal> {
    any::<u128>().prop_map(Decimal::from_scaled)
}
fn any_amount() -> impl Strategy<Value = Amount> {
    (0..=Amount::MAX_MONEY.to_sat()).prop_map(Amount::from_sat)
}
fn any_txid() -> impl Strategy<Value = Txid> {
    any::<[u8; 32]>().prop_map(Txid::from_byte_array)
}
fn any_signature() -> impl Strategy<Value = schnorr::Signature> {
    vec(any::<u8>(), 64).prop_map(|bytes| schnorr::Signature::from_slice(&bytes).unwrap())
}
fn any_tx() -> impl Strategy<Value = Transaction> {
    let script = || vec(any::<u8>(), 0..40).prop_map(ScriptBuf::from_bytes);
    let input = (any_txid(), any::<u32>(), script(), any::<u32>(), vec(vec(any::<u8>(), 0..70), 0..4))
        .prop_map(|(txid, vout, script_sig, sequence, witness)| TxIn {
            previous_output: OutPoint { txid, vout },
            script_sig,
            sequence: Sequence(sequence),
            witness: Witness::from_slice(&witness),
        });
    let output = (any::<u64>(), script())
        .prop_map(|(sat, script_pubkey)| TxOut { value: Amount::from_sat(sat), script_pubkey });
    (any::<i32>(), vec(input, 1..4), vec(output, 1..4), any::<u32>()).prop_map(
        |(version, input, output, lock)| Transaction {
            version: Version(version),
            lock_time: LockTime::from_consensus(lock),
            input,
            output,
        },
    )
}
fn any_inclusion() -> impl Strategy<Value = InclusionProof> {
    (any::<[u8; 32]>(), any::<u32>(), vec(any::<[u8; 32]>(), 1..20)).prop_map(|(hash, index, siblings)| {
        InclusionProof { block_hash: BlockHash::from_byte_array(hash), index, siblings }
    })
}
fn any_possession() -> impl Strategy<Value = ProofOfPossession> {
    prop_oneof![
        any_signature().prop_map(ProofOfPossession::Bip340),
        ("[a-z0-9]{1,60}", vec(any::<u8>(), 1..200))
            .prop_map(|(address, witness)| ProofOfPossession::Bip322 { address, witness }),
        vec(any::<u8>(), 65).prop_map(|bytes| ProofOfPossession::Ecdsa(bytes.try_into().unwrap())),
    ]
}
fn any_description() -> impl Strategy<Value = Description> {
    any::<[String; 5]>().prop_map(|[moniker, identity, website, security_contact, details]| Description {
        moniker,
        identity,
        website,
        security_contact,
        details,
    })
}

fn any_terms() -> impl Strategy<Value = DelegationTerms> {
    let blocks = || (1..=u16::MAX).prop_map(|blocks| Timelock::from_blocks(blocks.into()).unwrap());
    let txs = (any_tx(), any_tx(), any_tx(), any_tx());
    let amounts = (any_amount(), any_amount());
    (txs, amounts, (blocks(), blocks()), (any_signature(), any_signature()), 1..4usize).prop_map(
        |(txs, amounts, times, signatures, providers)| DelegationTerms {
            staker: staker(),
            finality_providers: vec![provider(); providers],
            staking_time: times.0,
            staking_value: amounts.0,
            staking_tx: txs.0,
            slashing_tx: txs.1,
            staker_slashing_signature: signatures.0,
            unbonding_time: times.1,
            unbonding_tx: txs.2,
            unbonding_value: amounts.1,
            unbonding_slashing_tx: txs.3,
            staker_unbonding_slashing_signature: signatures.1,
        },
    )
}

/// A new stake with or without its proof, or an expansion.
fn any_request(account: AccountAddress) -> impl Strategy<Value = DelegationRequest> {
    let expansion = (any_txid(), any_tx()).prop_map(|(previous_staking_txid, funding_tx)| ExpansionRequest {
        previous_staking_txid,
        funding_tx,
    });
    let kind = prop_oneof![
        option::of(any_inclusion()).prop_map(|proof| (proof, None)),
        expansion.prop_map(|expansion| (None, Some(expansion))),
    ];
    (any_possession(), any_terms(), kind).prop_map(move |(possession, terms, (inclusion, expansion))| {
        DelegationRequest { staker_account: account.clone(), possession, terms, inclusion, expansion }
    })
}

fn any_signature_set() -> impl Strategy<Value = CovenantSignatureSet> {
    let adaptors = || vec((1..=u8::MAX).prop_map(adaptor), 0..4);
    (any_txid(), adaptors(), any_signature(), adaptors(), option::of(any_signature())).prop_map(
        |(staking_txid, slashing, unbonding, unbonding_slashing, expansion)| CovenantSignatureSet {
            covenant: covenant(),
            staking_txid,
            slashing,
            unbonding,
            unbonding_slashing,
            expansion,
        },
    )
}

fn any_vote() -> impl Strategy<Value = SignedVote> {
    let number = || 0..=i64::MAX.unsigned_abs();
    let proof = (number(), number(), any::<[u8; 32]>(), vec(any::<[u8; 32]>(), 0..20))
        .prop_map(|(total, index, leaf_hash, aunts)| MerkleProof { total, index, leaf_hash, aunts });
    (any::<u64>(), any::<[[u8; 32]; 3]>(), proof).prop_map(|(height, [app_hash, randomness, sig], proof)| {
        SignedVote {
            finality_provider: provider(),
            message: VoteMessage { height: PosHeight::new(height), app_hash },
            public_randomness: PublicRandomness::from_bytes(randomness),
            proof,
            signature: EotsSignature::from_bytes(sig),
        }
    })
}

fn any_commitment() -> impl Strategy<Value = RandomnessCommitment> {
    (any::<u64>(), any::<u64>(), any::<[u8; 32]>(), any_signature()).prop_map(
        |(start, count, root, signature)| RandomnessCommitment {
            finality_provider: provider(),
            start_height: PosHeight::new(start),
            count,
            root,
            signature,
        },
    )
}

fn any_registration(account: AccountAddress) -> impl Strategy<Value = FinalityProviderRegistration> {
    let rates = (any_decimal(), any_decimal(), any_decimal())
        .prop_map(|(rate, max_rate, max_change_rate)| CommissionRates { rate, max_rate, max_change_rate });
    (any_possession(), any_description(), rates).prop_map(move |(possession, description, commission)| {
        FinalityProviderRegistration {
            account: account.clone(),
            finality_provider: provider(),
            possession,
            description,
            commission,
        }
    })
}

fn any_report() -> impl Strategy<Value = UndelegationReport> {
    (any_txid(), any_tx(), any_inclusion(), vec(any_tx(), 0..4)).prop_map(
        |(staking_txid, spending_tx, proof, funding_txs)| UndelegationReport {
            staking_txid,
            spending_tx,
            proof,
            funding_txs,
        },
    )
}

/// Every kind of message, one of each, and the account they are from.
fn one_of_every_kind() -> impl Strategy<Value = (AccountAddress, Vec<ChainMessage>)> {
    use ChainMessage as M;
    any_account().prop_flat_map(|account| {
        let boxed = (
            any_registration(account.clone()).prop_map(|r| M::CreateFinalityProvider(Box::new(r))),
            any_request(account.clone()).prop_map(|request| M::RegisterDelegation(Box::new(request))),
            any_signature_set().prop_map(|set| M::AddCovenantSignatures(Box::new(set))),
            any_report().prop_map(|report| M::ReportUndelegation(Box::new(report))),
            any_vote().prop_map(|vote| M::AddFinalitySignature(Box::new(vote))),
        );
        let edit = (any_description(), option::of(any_decimal())).prop_map(|(description, commission)| {
            M::EditFinalityProvider { finality_provider: provider(), description, commission }
        });
        let proof = (any_txid(), any_inclusion())
            .prop_map(|(staking_txid, proof)| M::AddInclusionProof { staking_txid, proof });
        // Any 32 bytes below half of the curve's order are a key.
        let secret = uniform32(1..0x7fu8).prop_map(|bytes| {
            M::SelectiveSlashingEvidence(RecoveredSecret(Arc::new(
                FinalityProviderSecret::from_bytes(&bytes).unwrap(),
            )))
        });
        let kinds = [RewardKind::FinalityProvider, RewardKind::BtcStaker, RewardKind::Costaker];
        let plain = (
            Just(M::UnjailFinalityProvider(provider())),
            any_commitment().prop_map(M::CommitRandomness),
            (0..5usize).prop_map(|count| M::InsertHeaders(vec![header(); count])),
            prop::sample::select(kinds.to_vec()).prop_map(M::WithdrawReward),
            any_account().prop_map(M::SetWithdrawAddress),
        );
        (Just(account), boxed, edit, proof, secret, plain).prop_map(
            |(account, (a, b, c, d, e), edit, proof, secret, (f, g, h, i, j))| {
                (account, vec![a, b, c, d, e, edit, proof, secret, f, g, h, i, j])
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_message_survives_the_wire_and_gives_the_same_bytes_again((account, messages) in one_of_every_kind()) {
        for message in messages {
            let sent = encode_message(&message, &account).unwrap();
            let (signer, decoded) = decode_message(&sent).unwrap();
            prop_assert_eq!(&signer, &account);
            prop_assert_eq!(format!("{decoded:?}"), format!("{message:?}"));
            prop_assert_eq!(encode_message(&decoded, &signer).unwrap(), sent);
        }
    }

    #[test]
    fn any_80_bytes_are_a_header_that_encodes_to_them(bytes in vec(any::<u8>(), 80)) {
        prop_assert_eq!(serialize(&decode_header("headers", &bytes).unwrap()), bytes);
    }

    #[test]
    fn decimals_survive_json(scaled: u128) {
        let value = Decimal::from_scaled(scaled);
        prop_assert_eq!(decode_point_decimal("commission", &encode_point_decimal(value)), Ok(value));
    }
}
