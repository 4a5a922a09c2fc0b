//! The parts of Bitcoin Core's answers that are read.

use crate::ports::{NodeError, NodeErrorKind, Result};
use bitcoin::{Amount, BlockHash, FeeRate, ScriptBuf};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct BlockchainInfo {
    pub(super) chain: String,
    pub(super) blocks: u32,
    pub(super) bestblockhash: BlockHash,
}

#[derive(Debug, Deserialize)]
pub(super) struct BlockHeaderInfo {
    pub(super) height: u32,
    /// -1 off the best chain.
    pub(super) confirmations: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct RawTransactionInfo {
    pub(super) blockhash: Option<BlockHash>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TxOutInfo {
    pub(super) bestblock: BlockHash,
    /// 0 in the mempool, 1 at the tip.
    pub(super) confirmations: u32,
    /// In BTC.
    pub(super) value: f64,
    #[serde(rename = "scriptPubKey")]
    pub(super) script_pubkey: ScriptInfo,
    pub(super) coinbase: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct ScriptInfo {
    hex: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct FeeEstimate {
    /// In BTC per 1,000 virtual bytes.
    pub(super) feerate: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MempoolInfo {
    /// In BTC per 1,000 virtual bytes.
    pub(super) mempoolminfee: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct NetworkInfo {
    pub(super) subversion: String,
}

impl ScriptInfo {
    pub(super) fn script(&self) -> Result<ScriptBuf> {
        ScriptBuf::from_hex(&self.hex)
            .map_err(|error| NodeError::new(NodeErrorKind::Broken, format!("script {:?}: {error}", self.hex)))
    }
}

/// Reads an amount in BTC. JSON has no other number, and every amount of 8 decimals below 21 million survives it: the
/// shortest decimal text of the float is the one the node wrote.
pub(super) fn to_amount(btc: f64) -> Result<Amount> {
    Amount::from_btc(btc)
        .map_err(|error| NodeError::new(NodeErrorKind::Broken, format!("amount of {btc} BTC: {error}")))
}

/// Reads a feerate in BTC per 1,000 virtual bytes, rounding up to the next representable rate.
pub(super) fn to_feerate(btc_per_kvb: f64) -> Result<FeeRate> {
    let sat_per_kvb = to_amount(btc_per_kvb)?.to_sat();
    Ok(FeeRate::from_sat_per_kwu(sat_per_kvb.div_ceil(4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_survive_the_way_through_json() {
        for sat in [0, 1, 7, 546, 99_999_999, 100_000_001, 1_234_567_890_123_456, 2_099_999_997_690_000] {
            let text = Amount::from_sat(sat).to_string_in(bitcoin::Denomination::Bitcoin);
            let number: f64 = serde_json::from_str(&text).unwrap();
            assert_eq!(to_amount(number).unwrap().to_sat(), sat);
        }
        assert!(to_amount(-1.0).is_err());
        assert!(to_amount(f64::NAN).is_err());
        assert!(to_amount(1e300).is_err());
    }

    #[test]
    fn a_feerate_is_never_rounded_down() {
        assert_eq!(to_feerate(0.000_010_00).unwrap(), FeeRate::from_sat_per_vb(1).unwrap());
        assert_eq!(to_feerate(0.000_000_01).unwrap(), FeeRate::from_sat_per_kwu(1));
    }
}
