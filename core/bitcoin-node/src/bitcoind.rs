//! The ports over the JSON-RPC of Bitcoin Core and its relatives. No wallet is touched, no index is needed; with
//! `txindex` a node can name the block of any transaction, without it only while an output of it is unspent.
//!
//! It speaks through `jsonrpc`, the layer `corepc-client` is made of, and not through `corepc-client` itself: that
//! client fixes a timeout of 60 seconds, reads the cookie file once (bitcoind writes a new one at every start) and hides
//! whether an HTTP status or an RPC code was the answer, which is what tells a wrong password from a node warming up.

use crate::ports::{
    BlockRef, BlockSource, BroadcastOutcome, Broadcaster, BurnLimit, NodeError, NodeErrorKind, OutputSource,
    Result, TxPlace, UnspentOutput, UtxoView,
};
use async_trait::async_trait;
use bitcoin::{
    Block, BlockHash, FeeRate, Network, OutPoint, Transaction, TxOut, Txid, block::Header, consensus::encode,
};
use btc_staking_protocol::height::{BtcDepth, BtcHeight};
use serde_json::{Value, json};

mod connection;
mod refusal;
mod shapes;

pub use connection::{Auth, BitcoindConfig};
pub(crate) use connection::{code, missing_is_none};
pub use refusal::classify_refusal;

use connection::{Connection, RpcFailure};
use shapes::{BlockHeaderInfo, BlockchainInfo, FeeEstimate, MempoolInfo, RawTransactionInfo, TxOutInfo};

/// How many outputs of a transaction are tried when no index can find it.
const OUTPUTS_TRIED: u32 = 8;

/// How often a question is asked again when the tip moved between two of its parts.
const TIP_RACES: u32 = 4;

/// A `bitcoind` reached over JSON-RPC.
#[derive(Debug)]
pub struct Bitcoind {
    connection: Connection,
}

impl Bitcoind {
    /// Prepares a connection; nothing is sent before the first question.
    ///
    /// # Errors
    /// [`NodeErrorKind::Misconfigured`] for an address that is no `http://` URL.
    pub fn new(config: BitcoindConfig) -> Result<Self> {
        Ok(Self { connection: Connection::new(config)? })
    }

    /// Calls any method; for tools and tests that need more than the ports.
    ///
    /// # Errors
    /// [`NodeError`]; what the node refuses is [`NodeErrorKind::Broken`] with the node's words.
    pub async fn call(&self, method: &str, params: &[Value]) -> Result<Value> {
        Ok(self.connection.call(method, params).await?)
    }

    /// Returns the node's name and version, as it tells its peers: `/Satoshi:29.0.0/`.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn fetch_version(&self) -> Result<String> {
        let info: shapes::NetworkInfo = self.connection.ask("getnetworkinfo", &[]).await?;
        Ok(info.subversion)
    }

    async fn fetch_header_info(&self, hash: &BlockHash) -> Result<Option<BlockHeaderInfo>> {
        missing_is_none(
            self.connection.ask("getblockheader", &[json!(hash), json!(true)]).await,
            code::NOT_FOUND,
        )
    }

    /// Finds a transaction in the mempool or by the transaction index.
    async fn locate_by_index(&self, txid: &Txid) -> Result<TxPlace> {
        let found: Option<RawTransactionInfo> = missing_is_none(
            self.connection.ask("getrawtransaction", &[json!(txid), json!(true)]).await,
            code::NOT_FOUND,
        )?;
        let Some(found) = found else { return Ok(TxPlace::Unknown) };
        let Some(hash) = found.blockhash else { return Ok(TxPlace::Mempool) };
        // The index also remembers blocks that left the best chain; those have no confirmations.
        let header = self.fetch_header_info(&hash).await?.filter(|header| header.confirmations > 0);
        Ok(header.map_or(TxPlace::Unknown, |header| {
            TxPlace::Confirmed(BlockRef { height: BtcHeight::new(header.height), hash })
        }))
    }

    /// Finds a confirmed transaction by one of its first outputs being unspent.
    async fn locate_by_output(&self, txid: &Txid) -> Result<TxPlace> {
        for vout in 0..OUTPUTS_TRIED {
            if let Some(block) = self.locate_creation(&OutPoint { txid: *txid, vout }).await? {
                return Ok(TxPlace::Confirmed(block));
            }
        }
        Ok(TxPlace::Unknown)
    }

    /// Returns the block that created an unspent output.
    async fn locate_creation(&self, outpoint: &OutPoint) -> Result<Option<BlockRef>> {
        for _ in 0..TIP_RACES {
            let Some(found) = self.fetch_txout(outpoint, UtxoView::Chain).await? else { return Ok(None) };
            let Some(best) = self.fetch_header_info(&found.bestblock).await? else { continue };
            let Some(depth) = found.confirmations.checked_sub(1) else { return Ok(None) };
            let Some(height) = BtcHeight::new(best.height).checked_sub(depth) else { continue };
            let Some(hash) = self.fetch_block_hash(height).await? else { continue };
            // The hash belongs to the answer only if the tip is still the one the answer was given for.
            if self.fetch_tip().await?.hash == found.bestblock {
                return Ok(Some(BlockRef { height, hash }));
            }
        }
        Err(NodeError::new(
            NodeErrorKind::Transient,
            format!("the tip kept changing while {outpoint} was looked up"),
        ))
    }

    async fn fetch_txout(&self, outpoint: &OutPoint, view: UtxoView) -> Result<Option<TxOutInfo>> {
        let mempool = view == UtxoView::ChainAndMempool;
        let params = [json!(outpoint.txid), json!(outpoint.vout), json!(mempool)];
        Ok(self.connection.ask("gettxout", &params).await?)
    }
}

#[async_trait]
impl BlockSource for Bitcoind {
    async fn fetch_tip(&self) -> Result<BlockRef> {
        let info: BlockchainInfo = self.connection.ask("getblockchaininfo", &[]).await?;
        Ok(BlockRef { height: BtcHeight::new(info.blocks), hash: info.bestblockhash })
    }

    async fn fetch_block_hash(&self, height: BtcHeight) -> Result<Option<BlockHash>> {
        let answer = self.connection.ask("getblockhash", &[json!(height.to_u32())]).await;
        missing_is_none(answer, code::INVALID_PARAMETER)
    }

    async fn fetch_header(&self, hash: &BlockHash) -> Result<Option<(Header, BtcHeight)>> {
        let Some(info) = self.fetch_header_info(hash).await? else { return Ok(None) };
        let raw: String = self.connection.ask("getblockheader", &[json!(hash), json!(false)]).await?;
        let header: Header = decode("getblockheader", &raw)?;
        same_hash("header", hash, header.block_hash())?;
        Ok(Some((header, BtcHeight::new(info.height))))
    }

    async fn fetch_block(&self, hash: &BlockHash) -> Result<Option<Block>> {
        let answer: std::result::Result<String, _> =
            self.connection.ask("getblock", &[json!(hash), json!(0)]).await;
        let raw = match answer {
            Ok(raw) => raw,
            // Core says "Block not found" with one code and "Block not available (pruned data)" with the other.
            Err(RpcFailure::Refused { code: code::NOT_FOUND | code::MISC, .. }) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        };
        let block: Block = decode("getblock", &raw)?;
        same_hash("block", hash, block.block_hash())?;
        Ok(Some(block))
    }

    async fn fetch_network(&self) -> Result<Network> {
        let info: BlockchainInfo = self.connection.ask("getblockchaininfo", &[]).await?;
        Network::from_core_arg(&info.chain).map_err(|_| {
            NodeError::new(
                NodeErrorKind::Misconfigured,
                format!("the node runs on unknown chain {:?}", info.chain),
            )
        })
    }
}

#[async_trait]
impl OutputSource for Bitcoind {
    async fn fetch_unspent(&self, outpoint: &OutPoint, view: UtxoView) -> Result<Option<UnspentOutput>> {
        let Some(found) = self.fetch_txout(outpoint, view).await? else { return Ok(None) };
        let script_pubkey = found.script_pubkey.script()?;
        Ok(Some(UnspentOutput {
            output: TxOut { value: shapes::to_amount(found.value)?, script_pubkey },
            depth: found.confirmations.checked_sub(1).map(BtcDepth::new),
            coinbase: found.coinbase,
        }))
    }
}

#[async_trait]
impl Broadcaster for Bitcoind {
    async fn broadcast(&self, tx: &Transaction, burn: BurnLimit) -> Result<BroadcastOutcome> {
        // maxfeerate 0 lifts the node's own cap: a slashing transaction's fee was fixed when it was signed. The burn
        // limit is always given, because the node's default of 0 refuses slashing outputs.
        let params = [
            json!(encode::serialize_hex(tx)),
            json!(0),
            json!(burn.0.to_string_in(bitcoin::Denomination::Bitcoin)),
        ];
        let txid: Txid = match self.connection.ask("sendrawtransaction", &params).await {
            Ok(txid) => txid,
            Err(RpcFailure::Refused { code, message }) if code::is_refusal(code) => {
                return Ok(classify_refusal(code, &message));
            }
            Err(failure) => return Err(failure.into()),
        };
        if txid != tx.compute_txid() {
            let sent = tx.compute_txid();
            return Err(NodeError::new(NodeErrorKind::Broken, format!("sent {sent}, the node took {txid}")));
        }
        Ok(BroadcastOutcome::Accepted)
    }

    async fn locate(&self, txid: &Txid) -> Result<TxPlace> {
        match self.locate_by_index(txid).await? {
            TxPlace::Unknown => self.locate_by_output(txid).await,
            place @ (TxPlace::Mempool | TxPlace::Confirmed(_)) => Ok(place),
        }
    }

    async fn estimate_feerate(&self, blocks: u16) -> Result<Option<FeeRate>> {
        let estimate: FeeEstimate = self.connection.ask("estimatesmartfee", &[json!(blocks)]).await?;
        estimate.feerate.map(shapes::to_feerate).transpose()
    }

    async fn mempool_min_feerate(&self) -> Result<FeeRate> {
        let info: MempoolInfo = self.connection.ask("getmempoolinfo", &[]).await?;
        shapes::to_feerate(info.mempoolminfee)
    }
}

fn decode<T: encode::Decodable>(method: &str, raw: &str) -> Result<T> {
    encode::deserialize_hex(raw)
        .map_err(|error| NodeError::new(NodeErrorKind::Broken, format!("{method} does not decode: {error}")))
}

fn same_hash(what: &str, asked: &BlockHash, got: BlockHash) -> Result<()> {
    if got == *asked {
        return Ok(());
    }
    Err(NodeError::new(NodeErrorKind::Broken, format!("asked for {what} {asked}, got {got}")))
}

#[cfg(test)]
mod tests {
    use bitcoin::Amount;

    #[test]
    fn an_amount_is_sent_as_exact_decimal_text() {
        let text = Amount::from_sat(100_001).to_string_in(bitcoin::Denomination::Bitcoin);
        assert_eq!(text, "0.00100001");
    }
}
