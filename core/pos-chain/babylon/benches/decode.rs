//! What reading 10,000 delegations costs, page by page: from the bytes of an answer to records, and on to checked
//! protocol types. The primitive beside it is the parsing of a point, which strict decoding cannot do without.

#![allow(clippy::unwrap_used, missing_docs)] // a bench stops where something fails, and exports nothing but its group

use async_trait::async_trait;
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness,
    absolute::LockTime,
    hashes::{Hash, sha256},
    secp256k1::{Keypair, PublicKey, SECP256K1, schnorr},
    transaction::Version,
};
use btc_staking_babylon::{
    convert::delegation::encode_delegation,
    proto::{
        PageResponse,
        btcstaking::{QueryBTCDelegationsRequest, QueryBTCDelegationsResponse},
    },
    reader::BabylonReader,
    rpc::{AbciAnswer, BlockResults, Header, IncludedTx, NodeStatus, Rpc, RpcError, TxResult},
};
use btc_staking_pos_chain::DelegationReader;
use btc_staking_protocol::{
    delegation::{
        AdaptorSignature, CovenantSignatures, Delegation, DelegationStatus, DelegationTerms, InclusionHeights,
    },
    height::{BtcHeight, Timelock},
    keys::{AccountAddress, CovenantPublicKey, FinalityProviderPublicKey, StakerPublicKey},
    params::ParamsVersion,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use prost::Message;
use std::{hint::black_box, sync::Arc, time::Duration};

const DELEGATIONS: usize = 10_000;
const PAGE: usize = 500;

/// A node that has the pages of one list ready; the page's key is its number.
struct Pages(Vec<Vec<u8>>);

#[async_trait]
impl Rpc for Pages {
    async fn status(&self) -> Result<NodeStatus, RpcError> {
        Err(RpcError::CatchingUp)
    }
    async fn abci_query(&self, _path: &str, data: Vec<u8>) -> Result<AbciAnswer, RpcError> {
        let page = QueryBTCDelegationsRequest::decode(data.as_slice()).unwrap().pagination.unwrap();
        let number = page.key.first().copied().unwrap_or(0);
        let value = self.0[usize::from(number)].clone();
        Ok(AbciAnswer { value, height: 1, ..AbciAnswer::default() })
    }
    async fn broadcast_tx_sync(&self, _tx: Vec<u8>) -> Result<TxResult, RpcError> {
        Err(RpcError::CatchingUp)
    }
    async fn tx(&self, _hash: [u8; 32]) -> Result<Option<IncludedTx>, RpcError> {
        Err(RpcError::CatchingUp)
    }
    async fn block_results(&self, _height: u64) -> Result<BlockResults, RpcError> {
        Err(RpcError::CatchingUp)
    }
    async fn header(&self, _height: u64) -> Result<Header, RpcError> {
        Err(RpcError::CatchingUp)
    }
}

fn keypair(label: &str) -> Keypair {
    let secret = sha256::Hash::hash(label.as_bytes()).to_byte_array();
    Keypair::from_seckey_slice(SECP256K1, &secret).unwrap()
}

/// A transaction with a key-path witness per input and taproot outputs, as stakes have them.
fn tx(number: usize, outputs: u64) -> Transaction {
    let marker = u32::try_from(number).unwrap();
    let script = |n: u64| {
        let program = sha256::Hash::hash(&n.to_le_bytes()).to_byte_array();
        ScriptBuf::from_bytes([&[0x51, 0x20][..], &program].concat())
    };
    let input = TxIn {
        previous_output: OutPoint { txid: Txid::from_byte_array([8; 32]), vout: marker },
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::new(),
    };
    let output = |n| TxOut { value: Amount::from_sat(50_000 + n), script_pubkey: script(n) };
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![input],
        output: (0..outputs).map(output).collect(),
    }
}

fn schnorr(byte: u8) -> schnorr::Signature {
    schnorr::Signature::from_slice(&[byte; 64]).unwrap()
}

/// An adaptor signature's form with a nonce point of its own.
fn adaptor(label: &str) -> AdaptorSignature {
    let point = keypair(label).public_key().serialize();
    AdaptorSignature::from_slice(&[&point[..], &[0x11; 32]].concat()).unwrap()
}

fn delegation(number: usize, members: &[CovenantPublicKey]) -> Delegation {
    let provider =
        FinalityProviderPublicKey::new(keypair(&format!("provider {}", number % 60)).x_only_public_key().0);
    let adaptors = |what: &str| {
        let of = |(index, member): (usize, &CovenantPublicKey)| {
            (*member, vec![adaptor(&format!("{what} {number} {index}"))])
        };
        members.iter().enumerate().map(of).collect()
    };
    Delegation {
        staker_account: AccountAddress::from_bytes("bbn", &[5; 20]).unwrap(),
        terms: DelegationTerms {
            staker: StakerPublicKey::new(keypair(&format!("staker {number}")).x_only_public_key().0),
            finality_providers: vec![provider],
            staking_time: Timelock::from_blocks(64_000).unwrap(),
            staking_value: Amount::from_sat(50_000),
            staking_tx: tx(number, 2),
            slashing_tx: tx(number, 2),
            staker_slashing_signature: schnorr(1),
            unbonding_time: Timelock::from_blocks(1_008).unwrap(),
            unbonding_tx: tx(number, 1),
            unbonding_value: Amount::from_sat(50_000),
            unbonding_slashing_tx: tx(number, 2),
            staker_unbonding_slashing_signature: schnorr(2),
        },
        staking_output_index: 0,
        params_version: ParamsVersion(5),
        inclusion: Some(InclusionHeights { start: BtcHeight::new(900_000), end: BtcHeight::new(964_000) }),
        covenant: CovenantSignatures {
            slashing: adaptors("slashing"),
            unbonding: members.iter().map(|member| (*member, schnorr(3))).collect(),
            unbonding_slashing: adaptors("unbonding slashing"),
        },
        unbonded: None,
        expansion: None,
        status: if members.is_empty() { DelegationStatus::Pending } else { DelegationStatus::Active },
    }
}

/// The pages of a list of delegations that so many members have signed, and their size.
fn pages(signers: usize) -> (Pages, usize) {
    let members: Vec<_> = (0..signers)
        .map(|number| CovenantPublicKey::new(keypair(&format!("member {number}")).x_only_public_key().0))
        .collect();
    let count = DELEGATIONS / PAGE;
    let page = |number: usize| {
        let first = number * PAGE;
        let btc_delegations =
            (first..first + PAGE).map(|number| encode_delegation(&delegation(number, &members))).collect();
        let next = number + 1;
        let next_key = if next < count { vec![u8::try_from(next).unwrap()] } else { Vec::new() };
        let pagination = Some(PageResponse { next_key, total: 0 });
        QueryBTCDelegationsResponse { btc_delegations, pagination }.encode_to_vec()
    };
    let pages: Vec<_> = (0..count).map(page).collect();
    let bytes = pages.iter().map(Vec::len).sum();
    (Pages(pages), bytes)
}

fn decode(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(DELEGATIONS as u64)).sample_size(10);
    group.measurement_time(Duration::from_secs(10));
    for signers in [0, 6, 9] {
        let (pages, bytes) = pages(signers);
        println!("{DELEGATIONS} delegations with {signers} signers have {bytes} bytes");
        let reader = BabylonReader::new(Arc::new(pages));
        group.bench_function(format!("10,000 records, {signers} signers"), |b| {
            b.iter(|| {
                let list =
                    runtime.block_on(reader.fetch_list(QueryBTCDelegationsRequest::default())).unwrap();
                assert_eq!(list.len(), DELEGATIONS);
                black_box(list)
            });
        });
        group.bench_function(format!("10,000 delegations, {signers} signers"), |b| {
            b.iter(|| {
                let list = runtime.block_on(reader.fetch_delegations(None)).unwrap();
                assert_eq!((list.items.len(), list.malformed.len()), (DELEGATIONS, 0));
                black_box(list)
            });
        });
    }
    group.finish();
    let point = keypair("a point").public_key().serialize();
    c.bench_function("primitive/parse a point", |b| {
        b.iter(|| PublicKey::from_slice(black_box(&point)).unwrap())
    });
}

criterion_group!(benches, decode);
criterion_main!(benches);
