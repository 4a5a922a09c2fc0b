//! A Bitcoin of headers: blocks hold the transactions they are told to, and nothing is executed.

use bitcoin::{
    Block, BlockHash, CompactTarget, Transaction, TxMerkleNode, Txid,
    block::{Header, Version},
    constants::genesis_block,
    hashes::Hash,
};
use btc_staking_protocol::inclusion::InclusionProof;

/// A regtest chain from its genesis block.
#[derive(Debug, Clone)]
pub struct Bitcoin {
    headers: Vec<Header>,
    txids: Vec<Vec<Txid>>,
    branch: u32,
}

impl Bitcoin {
    pub fn new() -> Self {
        let Block { header, txdata } = genesis_block(bitcoin::Network::Regtest);
        Self { headers: vec![header], txids: vec![vec![txdata[0].compute_txid()]], branch: 0 }
    }

    pub fn tip(&self) -> Header {
        *self.headers.last().unwrap()
    }
    pub fn tip_height(&self) -> u32 {
        u32::try_from(self.headers.len()).unwrap() - 1
    }
    pub fn header(&self, height: u32) -> Header {
        self.headers[usize::try_from(height).unwrap()]
    }

    /// Mines a block that holds a coinbase of its own and `txs`.
    pub fn mine(&mut self, txs: &[&Transaction]) -> Header {
        let height = self.tip_height() + 1;
        let coinbase = Txid::hash(&[height.to_le_bytes(), self.branch.to_le_bytes()].concat());
        let txids: Vec<Txid> =
            std::iter::once(coinbase).chain(txs.iter().map(|tx| tx.compute_txid())).collect();
        let header = next_header(&self.tip(), &txids);
        self.headers.push(header);
        self.txids.push(txids);
        header
    }

    /// Mines a block in which a transaction stands where the coinbase belongs.
    pub fn mine_at_front(&mut self, tx: &Transaction) -> Header {
        let txids = vec![tx.compute_txid(), Txid::hash(b"the other one")];
        let header = next_header(&self.tip(), &txids);
        self.headers.push(header);
        self.txids.push(txids);
        header
    }

    /// Forgets the last `depth` blocks; what is mined from here on differs from them.
    pub fn fork(&mut self, depth: usize) {
        self.headers.truncate(self.headers.len() - depth);
        self.txids.truncate(self.headers.len());
        self.branch += 1;
    }

    /// The proof that a transaction is in the block at a height.
    pub fn prove(&self, height: u32, tx: &Transaction) -> InclusionProof {
        let index = usize::try_from(height).unwrap();
        let txids = &self.txids[index];
        let position =
            txids.iter().position(|txid| *txid == tx.compute_txid()).expect("transaction is in the block");
        InclusionProof::build(self.headers[index].block_hash(), txids, position).unwrap()
    }
}

/// A header on top of `parent` with the least work.
pub fn next_header(parent: &Header, txids: &[Txid]) -> Header {
    let merkle_root =
        bitcoin::merkle_tree::calculate_root(txids.iter().map(|txid| txid.to_raw_hash())).unwrap();
    let mut header = Header {
        version: Version::from_consensus(4),
        prev_blockhash: parent.block_hash(),
        merkle_root: TxMerkleNode::from_raw_hash(merkle_root),
        time: parent.time + 600,
        bits: CompactTarget::from_consensus(0x207f_ffff),
        nonce: 0,
    };
    solve(&mut header);
    header
}

/// Finds a nonce.
pub fn solve(header: &mut Header) {
    while !header.target().is_met_by(header.block_hash()) {
        header.nonce += 1;
    }
}

/// A hash nobody knows.
pub fn unknown_hash() -> BlockHash {
    BlockHash::hash(b"nobody mined this")
}
