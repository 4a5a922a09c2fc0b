//! Section 3.3: checkpoints that are reported from Bitcoin. A chain of its own, on which they take longer to be final.

use super::{Answer, Outcome, fixture::alter_params, refuse};
use crate::support::{World, address, attribute, bitcoin::next_header, genesis, stake::funding_tx};
use bitcoin::{
    Amount, ScriptBuf, Transaction, TxOut,
    block::Header,
    consensus::serialize,
    hashes::{Hash, sha256},
    script::PushBytesBuf,
};
use btc_staking_babylon::proto::{
    btccheckpoint::*,
    checkpointing::{
        CheckpointStatus, QueryEpochStatusRequest, QueryRawCheckpointRequest, RawCheckpointResponse,
    },
    monitor::QueryReportedCheckpointBtcHeightRequest,
};
use btc_staking_devnet_chain::Genesis;
use btc_staking_protocol::{
    height::{BtcDepth, Timelock},
    inclusion::InclusionProof,
};

const TAG: [u8; 4] = [1, 2, 3, 4];

/// The two transactions of a checkpoint.
#[derive(Clone)]
struct Pair([Transaction; 2]);

fn returning(label: &str, data: Vec<u8>) -> Transaction {
    let script_pubkey = ScriptBuf::new_op_return(PushBytesBuf::try_from(data).unwrap());
    funding_tx(label, vec![TxOut { value: Amount::ZERO, script_pubkey }])
}

impl Pair {
    fn of(label: &str, tag: [u8; 4], checkpoint: &RawCheckpointResponse) -> Self {
        let content = [
            checkpoint.epoch_num.to_be_bytes().to_vec(),
            hex::decode(&checkpoint.block_hash_hex).unwrap(),
            checkpoint.bitmap.clone(),
            vec![7; 20],
        ]
        .concat();
        let link = &sha256::Hash::hash(&content).to_byte_array()[..10];
        let first = [tag.as_slice(), &[0x00], &content].concat();
        let second = [tag.as_slice(), &[0x10], &checkpoint.bls_multi_sig, link].concat();
        Self([returning(&format!("{label} 1"), first), returning(&format!("{label} 2"), second)])
    }

    fn report(&self, w: &World, height: u32) -> MsgInsertBTCSpvProof {
        let header = w.bitcoin.header(height);
        let proofs = self.0.iter().map(|tx| spv(tx, &w.bitcoin.prove(height, tx), &header)).collect();
        MsgInsertBTCSpvProof { submitter: address("reporter"), proofs }
    }

    /// In a block that nobody reports.
    fn aside(&self, w: &World) -> MsgInsertBTCSpvProof {
        let txids = self.0.each_ref().map(Transaction::compute_txid);
        let header = next_header(&w.bitcoin.tip(), &txids);
        let proof = |(index, tx): (usize, &Transaction)| {
            spv(tx, &InclusionProof::build(header.block_hash(), &txids, index).unwrap(), &header)
        };
        let proofs = self.0.iter().enumerate().map(proof).collect();
        MsgInsertBTCSpvProof { submitter: address("reporter"), proofs }
    }
}

fn spv(tx: &Transaction, proof: &InclusionProof, header: &Header) -> BTCSpvProof {
    BTCSpvProof {
        btc_transaction: serialize(tx),
        btc_transaction_index: proof.index,
        merkle_nodes: proof.siblings.concat(),
        confirming_btc_header: serialize(header),
    }
}

async fn checkpoint(w: &World, epoch_num: u64) -> RawCheckpointResponse {
    let answer = w.query(QueryRawCheckpointRequest { epoch_num }).await.unwrap();
    answer.raw_checkpoint.unwrap().ckpt.unwrap()
}

async fn status(w: &World, epoch_num: u64) -> CheckpointStatus {
    let answer = w.query(QueryEpochStatusRequest { epoch_num }).await.unwrap();
    CheckpointStatus::try_from(answer.status).unwrap()
}

async fn send(w: &World, message: &MsgInsertBTCSpvProof) -> Outcome {
    refuse(w, "reporter", message).await
}

fn mined<'a>(pairs: &[&'a Pair]) -> Vec<&'a Transaction> {
    pairs.iter().flat_map(|pair| &pair.0).collect()
}

/// Breaks the form of a good report.
fn malformed(case: &str, w: &World, one: &RawCheckpointResponse) -> MsgInsertBTCSpvProof {
    let good = Pair::of("form", TAG, one);
    let mut message = good.aside(w);
    match case {
        "spv_one_proof" => message.proofs.truncate(1),
        "spv_no_work" => {
            let mut header: Header =
                bitcoin::consensus::deserialize(&message.proofs[0].confirming_btc_header).unwrap();
            while header.target().is_met_by(header.block_hash()) {
                header.nonce += 1;
            }
            message.proofs[0].confirming_btc_header = serialize(&header);
        }
        "spv_wrong_path" => message.proofs[1].merkle_nodes[0] ^= 1,
        "spv_no_return" => {
            let spend = funding_tx("no return", vec![]);
            let output = TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::from_bytes(vec![0x51]) };
            let silent = Transaction { output: vec![output], ..spend };
            message = Pair([silent, good.0[1].clone()]).aside(w);
        }
        "spv_foreign_tag" => message = Pair::of("foreign", [9; 4], one).aside(w),
        "spv_swapped" => message.proofs.reverse(),
        "spv_unlinked" => {
            let other = RawCheckpointResponse { epoch_num: 9, ..one.clone() };
            message = Pair([good.0[0].clone(), Pair::of("other", TAG, &other).0[1].clone()]).aside(w);
        }
        other => panic!("{other}"),
    }
    message
}

/// A chain on which checkpoints take their time.
pub fn genesis_of_checkpoints() -> Genesis {
    let mut genesis = genesis();
    (genesis.confirmation_depth, genesis.finalization_timeout) = (BtcDepth::new(5), BtcDepth::new(8));
    alter_params(&mut genesis, |fields| fields.unbonding_time = Timelock::from_blocks(9).unwrap());
    genesis
}

/// Runs the story of two checkpoints and breaks every rule about them.
pub async fn break_all(w: &mut World) -> Vec<Answer> {
    let mut answers = vec![];
    let mut judge = |case: &str, outcome| answers.push(Answer::of(case, outcome));
    w.wait_for_height(11).await;
    let (one, two) = (checkpoint(w, 1).await, checkpoint(w, 2).await);
    for case in [
        "spv_one_proof",
        "spv_no_work",
        "spv_wrong_path",
        "spv_no_return",
        "spv_foreign_tag",
        "spv_swapped",
        "spv_unlinked",
    ] {
        judge(case, send(w, &malformed(case, w, &one)).await);
    }
    judge("spv_unknown_header", send(w, &Pair::of("aside", TAG, &one).aside(w)).await);

    // The first block holds a checkpoint of epoch 2 that comes too early, and three that are none.
    let early = Pair::of("early", TAG, &two);
    let ahead = Pair::of("ahead", TAG, &RawCheckpointResponse { epoch_num: 1_000, ..one.clone() });
    let signature = RawCheckpointResponse { bls_multi_sig: vec![1; 48], ..one.clone() };
    let signature = Pair::of("signature", TAG, &signature);
    let bitmap = Pair::of("bitmap", TAG, &RawCheckpointResponse { bitmap: vec![0; 13], ..one.clone() });
    let at = w.mine(1, &mined(&[&early, &ahead, &signature, &bitmap])).await;
    judge("spv_not_sealed", send(w, &ahead.report(w, at)).await);
    judge("spv_other_signature", send(w, &signature.report(w, at)).await);
    judge("spv_bitmap", send(w, &bitmap.report(w, at)).await);
    judge("spv_no_previous", send(w, &early.report(w, at)).await);

    let first = Pair::of("first", TAG, &one);
    let first_at = w.mine(1, &mined(&[&first])).await;
    let included = w.must("reporter", &first.report(w, first_at)).await;
    let kind = "babylon.checkpointing.v1.EventCheckpointSubmitted";
    let event = attribute(&included.tx_result.events, kind, "checkpoint").unwrap();
    assert!(event.contains("\"status\":\"CKPT_STATUS_SUBMITTED\""), "{event}");
    assert_eq!(status(w, 1).await, CheckpointStatus::Submitted);
    judge("spv_twice", send(w, &first.report(w, first_at)).await);
    judge("spv_not_deeper", send(w, &early.report(w, at)).await);
    let second = Pair::of("second", TAG, &two);
    let second_at = w.mine(1, &mined(&[&second])).await;
    w.must("reporter", &second.report(w, second_at)).await;
    assert_eq!(status(w, 2).await, CheckpointStatus::Submitted);
    check_answers(w, &one, first_at).await;

    // A reorg takes the second from Bitcoin, and with it the report.
    w.bitcoin.fork(1);
    let headers = [w.bitcoin.mine(&[]), w.bitcoin.mine(&[])];
    w.report(&headers).await.unwrap();
    assert_eq!(status(w, 2).await, CheckpointStatus::Sealed);
    let none = w.query(QueryEpochSubmissionsRequest { epoch_num: 2 }).await.unwrap();
    assert_eq!(none.keys, []);

    let again = Pair::of("again", TAG, &one);
    let again_at = w.mine(6, &mined(&[&again])).await;
    assert_eq!(status(w, 1).await, CheckpointStatus::Finalized);
    judge("spv_final", send(w, &again.report(w, again_at)).await);
    answers
}

async fn check_answers(w: &World, checkpoint: &RawCheckpointResponse, at: u32) {
    let hash = w.bitcoin.header(at).block_hash().to_string();
    let info = w.query(QueryBtcCheckpointInfoRequest { epoch_num: 1 }).await.unwrap().info.unwrap();
    assert_eq!((info.epoch_number, info.best_submission_btc_block_height), (1, at));
    assert_eq!(info.best_submission_btc_block_hash, hash);
    assert_eq!(info.best_submission_transactions.len(), 2);
    assert_eq!(info.best_submission_vigilante_address_list[0].reporter, address("reporter"));
    let keys = w.query(QueryEpochSubmissionsRequest { epoch_num: 1 }).await.unwrap().keys;
    assert_eq!((keys[0].first_tx_block_hash.as_str(), keys[0].second_tx_index), (hash.as_str(), 2));
    let content = [
        checkpoint.epoch_num.to_be_bytes().to_vec(),
        hex::decode(&checkpoint.block_hash_hex).unwrap(),
        checkpoint.bls_multi_sig.clone(),
        checkpoint.bitmap.clone(),
    ];
    let ckpt_hash = hex::encode(sha256::Hash::hash(&content.concat()).to_byte_array());
    let seen = w.query(QueryReportedCheckpointBtcHeightRequest { ckpt_hash }).await.unwrap();
    assert!(seen.btc_light_client_height >= 1);
}
