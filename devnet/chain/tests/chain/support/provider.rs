//! Finality providers: registration, randomness, votes.

use super::{CHAIN, TestNode, World, account, address, secret, stake::possession};
use btc_staking_babylon::{
    convert::{
        finality::{encode_commitment, encode_vote},
        possession::encode_possession,
    },
    proto::{
        Description,
        btccheckpoint::{BTCSpvProof, MsgInsertBTCSpvProof},
        btcstaking::{CommissionRates, MsgCreateFinalityProvider},
        checkpointing::{CheckpointStatus, QueryLastCheckpointWithStatusRequest, QueryRawCheckpointRequest},
        finality::*,
    },
};
use btc_staking_crypto::{
    eots::EotsSecretKey,
    merkle::Tree,
    nonce::{Scheme, derive, public_randomness},
};
use btc_staking_protocol::{
    finality::{
        randomness::CommittedRandomness,
        vote::{PublicRandomness, SignedVote, VoteMessage},
    },
    height::PosHeight,
    keys::FinalityProviderPublicKey,
};
use std::num::NonZeroUsize;

/// A finality provider with the randomness it has committed to.
pub struct Provider {
    pub key: EotsSecretKey,
    pub label: String,
    start: u64,
    values: Vec<PublicRandomness>,
}

impl Provider {
    /// The provider of an account.
    pub fn new(label: &str, start: u64, count: usize) -> Self {
        let key = EotsSecretKey::from_bytes(&secret(&format!("eots of {label}"))).unwrap();
        let values = public_randomness(&key, Scheme::V1, CHAIN.as_bytes(), start, count, NonZeroUsize::MIN);
        Self { key, label: label.to_owned(), start, values: values.unwrap() }
    }

    pub fn public(&self) -> FinalityProviderPublicKey {
        FinalityProviderPublicKey::new(*self.key.public_key())
    }

    pub fn registration(&self) -> MsgCreateFinalityProvider {
        MsgCreateFinalityProvider {
            addr: address(&self.label),
            description: Some(Description { moniker: self.label.clone(), ..Default::default() }),
            btc_pk: self.public().to_bytes().to_vec(),
            pop: Some(encode_possession(&possession(self.key.signing_key(), &self.label))),
            commission: Some(CommissionRates {
                rate: "50000000000000000".into(),
                max_rate: "200000000000000000".into(),
                max_change_rate: "10000000000000000".into(),
            }),
        }
    }

    pub fn commitment(&self) -> MsgCommitPubRandList {
        let content = CommittedRandomness {
            start_height: PosHeight::new(self.start),
            count: u64::try_from(self.values.len()).unwrap(),
            root: Tree::build(&self.values).root(),
        };
        encode_commitment(&content.sign(self.key.signing_key(), &[0; 32]), &address(&self.label))
    }

    /// A vote for a block.
    pub fn vote(&self, height: u64, app_hash: [u8; 32]) -> MsgAddFinalitySig {
        let index = usize::try_from(height - self.start).unwrap();
        let message = VoteMessage { height: PosHeight::new(height), app_hash };
        let nonce = derive(&self.key, Scheme::V1, CHAIN.as_bytes(), height);
        let vote = SignedVote {
            finality_provider: self.public(),
            message,
            public_randomness: self.values[index],
            proof: Tree::build(&self.values).proof(index).unwrap(),
            signature: self.key.sign(nonce, &message.to_bytes()).unwrap(),
        };
        encode_vote(&vote, &address(&self.label)).unwrap()
    }
}

impl World {
    /// Registers a provider and its randomness.
    pub async fn register(&self, provider: &Provider) {
        self.must(&provider.label, &provider.registration()).await;
        self.must(&provider.label, &provider.commitment()).await;
    }

    /// Makes every epoch so far final on Bitcoin.
    pub async fn finalise_epochs(&mut self) {
        let ended = self.node.height() / 5 + 1;
        self.wait_for_height(ended * 5 + 1).await;
        while matches!(self.node, TestNode::Foreign(_)) && self.checkpointed < ended {
            self.checkpoint(self.checkpointed + 1).await;
        }
        self.mine(3, &[]).await;
        let last = QueryLastCheckpointWithStatusRequest { status: CheckpointStatus::Finalized.into() };
        let last = self.query(last).await.unwrap().raw_checkpoint.unwrap().epoch_num;
        assert!(last >= ended, "epoch {last} is final, {ended} should be");
    }

    /// Puts the checkpoint of an epoch on Bitcoin and proves it to the chain (`chain.md` 3.3).
    async fn checkpoint(&mut self, epoch: u64) {
        let TestNode::Foreign(node) = &self.node else { return };
        let sealed = self.until("sealed checkpoint", || async {
            let answer = self.query(QueryRawCheckpointRequest { epoch_num: epoch }).await.ok()?;
            answer.raw_checkpoint.filter(|found| found.status >= CheckpointStatus::Sealed.into())?.ckpt
        });
        let submitter = account("reporter").account().bytes().try_into().unwrap();
        let txs = node.checkpoint_outputs(&sealed.await, submitter).map(burning);
        let height = self.mine(1, &[&txs[0], &txs[1]]).await;
        let proofs = txs.iter().map(|tx| BTCSpvProof {
            btc_transaction: bitcoin::consensus::serialize(tx),
            btc_transaction_index: self.bitcoin.prove(height, tx).index,
            merkle_nodes: self.bitcoin.prove(height, tx).siblings.concat(),
            confirming_btc_header: bitcoin::consensus::serialize(&self.bitcoin.header(height)),
        });
        let message = MsgInsertBTCSpvProof { submitter: address("reporter"), proofs: proofs.collect() };
        self.must("reporter", &message).await;
        self.checkpointed = epoch;
    }

    /// The power of a provider now.
    pub async fn power(&self, provider: &Provider) -> u64 {
        let request =
            QueryFinalityProviderCurrentPowerRequest { fp_btc_pk_hex: provider.public().to_string() };
        self.query(request).await.unwrap().voting_power
    }

    /// The app hash in the header of a height.
    pub async fn app_hash(&self, height: u64) -> [u8; 32] {
        let block = self.query(QueryBlockRequest { height }).await.unwrap().block.unwrap();
        block.app_hash.try_into().unwrap()
    }

    /// Whether a block is final.
    pub async fn is_final(&self, height: u64) -> bool {
        self.query(QueryBlockRequest { height }).await.is_ok_and(|answer| answer.block.unwrap().finalized)
    }

    /// First height with a power table.
    pub async fn activated(&self) -> u64 {
        self.until("activation", || async {
            self.query(QueryActivatedHeightRequest {}).await.ok().map(|answer| answer.height)
        })
        .await
    }
}

/// A transaction with one output; on this Bitcoin nobody asks where its coins come from.
fn burning(output: bitcoin::TxOut) -> bitcoin::Transaction {
    bitcoin::Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![bitcoin::TxIn {
            previous_output: bitcoin::OutPoint::new(bitcoin::hashes::Hash::all_zeros(), 7),
            ..Default::default()
        }],
        output: vec![output],
    }
}
