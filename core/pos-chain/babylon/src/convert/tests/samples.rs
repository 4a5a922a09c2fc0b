//! Values for the tests: well-formed, not meaningful.

use bitcoin::{
    Amount, BlockHash, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness,
    absolute::LockTime, block::Header, hashes::Hash, secp256k1::schnorr, transaction::Version,
};
use btc_staking_protocol::{
    delegation::{AdaptorSignature, DelegationRequest, DelegationTerms, ExpansionRequest},
    height::Timelock,
    inclusion::InclusionProof,
    keys::{AccountAddress, CovenantPublicKey, FinalityProviderPublicKey, StakerPublicKey},
    possession::ProofOfPossession,
};

const G: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
const G2: &str = "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";
const G3: &str = "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9";

pub(super) fn staker() -> StakerPublicKey {
    G.parse().unwrap()
}
pub(super) fn provider() -> FinalityProviderPublicKey {
    G2.parse().unwrap()
}
pub(super) fn covenant() -> CovenantPublicKey {
    G3.parse().unwrap()
}
pub(super) fn account() -> AccountAddress {
    AccountAddress::from_bytes("bbn", &[5; 20]).unwrap()
}
pub(super) fn schnorr(byte: u8) -> schnorr::Signature {
    schnorr::Signature::from_slice(&[byte; 64]).unwrap()
}
pub(super) fn adaptor(s: u8) -> AdaptorSignature {
    let mut bytes = vec![0x02];
    bytes.extend(hex::decode(G).unwrap());
    bytes.extend([[0; 31].as_slice(), &[s]].concat());
    AdaptorSignature::from_slice(&bytes).unwrap()
}
pub(super) fn tx(marker: u32, outputs: u64) -> Transaction {
    let output =
        |n| TxOut { value: Amount::from_sat(1_000 + n), script_pubkey: ScriptBuf::from_bytes(vec![0x51]) };
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint { txid: Txid::from_byte_array([8; 32]), vout: marker },
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: (0..outputs).map(output).collect(),
    }
}
pub(super) fn tx_with_witness() -> Transaction {
    let mut tx = tx(9, 1);
    tx.input[0].witness = Witness::from_slice(&[vec![1u8; 64], vec![2u8; 33]]);
    tx
}
pub(super) fn inclusion() -> InclusionProof {
    InclusionProof {
        block_hash: BlockHash::from_byte_array([6; 32]),
        index: 3,
        siblings: vec![[1; 32], [2; 32]],
    }
}
pub(super) fn header() -> Header {
    bitcoin::constants::genesis_block(bitcoin::Network::Regtest).header
}
pub(super) fn terms() -> DelegationTerms {
    DelegationTerms {
        staker: staker(),
        finality_providers: vec![provider()],
        staking_time: Timelock::from_blocks(1_000).unwrap(),
        staking_value: Amount::from_sat(50_000),
        staking_tx: tx(1, 2),
        slashing_tx: tx(2, 2),
        staker_slashing_signature: schnorr(1),
        unbonding_time: Timelock::from_blocks(101).unwrap(),
        unbonding_tx: tx(3, 1),
        unbonding_value: Amount::from_sat(1_000),
        unbonding_slashing_tx: tx(4, 2),
        staker_unbonding_slashing_signature: schnorr(2),
    }
}
pub(super) fn request() -> DelegationRequest {
    DelegationRequest {
        staker_account: account(),
        possession: ProofOfPossession::Bip340(schnorr(3)),
        terms: terms(),
        inclusion: None,
        expansion: None,
    }
}
pub(super) fn expansion() -> ExpansionRequest {
    ExpansionRequest { previous_staking_txid: Txid::from_byte_array([4; 32]), funding_tx: tx_with_witness() }
}
