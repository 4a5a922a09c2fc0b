//! Makes reader and sender from a role's configuration: the adapter's front door for every `main.rs`.

mod network;

use crate::{
    reader::{BabylonReader, WrongNetwork},
    rpc::HttpRpc,
    sender::{BabylonSender, SenderConfig},
    tx::{AccountKey, GasPrice},
};
use async_trait::async_trait;
use btc_staking_pos_chain::{
    ChainError, ErrorKind, Outbox, PosChain, Result, Submitter,
    connect::{AccountSecret, ChainEndpoint, Connector},
};
use btc_staking_protocol::{keys::AccountAddress, rate::Decimal};
use network::{check_chain, check_configured_names};
use std::{sync::Arc, time::Duration};

/// Longest wait for an answer to one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// Connects to Babylon Genesis, its testnet, and chains that speak like them.
///
/// Nodes are asked for their chain id when the connection is made and, should one have been silent then, before it is
/// first used.
#[derive(Debug, Clone, Copy, Default)]
pub struct BabylonConnector;

#[async_trait]
impl Connector for BabylonConnector {
    async fn connect(&self, endpoint: &ChainEndpoint) -> Result<Arc<dyn PosChain>> {
        check_configured_names(endpoint)?;
        let reader = BabylonReader::new(Arc::new(open(endpoint).await?));
        check_chain(&reader, endpoint).await?;
        Ok(Arc::new(reader))
    }

    async fn open_account_with(
        &self,
        endpoint: &ChainEndpoint,
        secret: AccountSecret,
        outbox: Arc<dyn Outbox>,
    ) -> Result<Arc<dyn Submitter>> {
        let key = account_key(endpoint, &secret)?;
        let config = sender_config(endpoint)?;
        let rpc = open(endpoint).await?;
        // Without an index nobody would ever tell what became of a transaction.
        rpc.check_index().await.map_err(|error| error.into_chain_error("tx"))?;
        let sender = BabylonSender::with_outbox(Arc::new(rpc), key, config, outbox).map_err(unusable)?;
        Ok(Arc::new(sender))
    }

    fn account_address(&self, endpoint: &ChainEndpoint, secret: &AccountSecret) -> Result<AccountAddress> {
        account_key(endpoint, secret).map(|key| key.account().clone())
    }
}

/// Connects to every node of the endpoint and refuses when one of them is on another network. Silent nodes are left for
/// later as long as one answers.
async fn open(endpoint: &ChainEndpoint) -> Result<HttpRpc> {
    let mut silent = None;
    let mut answered = false;
    for url in &endpoint.rpc {
        let node = BabylonReader::over_http(std::slice::from_ref(url), CALL_TIMEOUT).map_err(unusable)?;
        match node.check_network(&endpoint.id).await {
            Ok(()) => answered = true,
            Err(WrongNetwork::Unknown(error)) => silent = Some(error),
            Err(wrong @ WrongNetwork::ChainId { .. }) => return Err(unusable(format!("{url}: {wrong}"))),
        }
    }
    match silent {
        Some(error) if !answered => Err(error),
        Some(_) | None => {
            let rpc = HttpRpc::new(&endpoint.rpc, CALL_TIMEOUT).map_err(unusable)?;
            rpc.for_network(&endpoint.id).with_agreement(endpoint.agreement).map_err(unusable)
        }
    }
}

fn account_key(endpoint: &ChainEndpoint, secret: &AccountSecret) -> Result<AccountKey> {
    check_configured_names(endpoint)?;
    AccountKey::from_secret(&secret.0).map_err(unusable)
}

fn sender_config(endpoint: &ChainEndpoint) -> Result<SenderConfig> {
    check_configured_names(endpoint)?;
    let price: Decimal =
        endpoint.gas_price.parse().map_err(|error| unusable(format!("gas price {error}")))?;
    let gas_price = GasPrice::new(price).map_err(unusable)?;
    let gas_percent = percent(&endpoint.gas_adjustment)?;
    Ok(SenderConfig { gas_price, gas_percent, ..SenderConfig::new(&endpoint.id) })
}

/// `1.5` is 150 percent; fractions of a percent are rounded up.
fn percent(text: &str) -> Result<u32> {
    let factor: Decimal = text.parse().map_err(|error| unusable(format!("gas adjustment {error}")))?;
    let percent = factor.scaled().div_ceil(Decimal::ONE.scaled() / 100);
    u32::try_from(percent).map_err(|_| unusable(format!("gas adjustment {text} is out of range")))
}

/// A configuration that cannot work: trying again does not help.
fn unusable(why: impl std::fmt::Display) -> ChainError {
    ChainError::new(ErrorKind::Broken, why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> ChainEndpoint {
        ChainEndpoint::new("bbn-test", vec!["http://127.0.0.1:1".into()])
    }

    #[test]
    fn a_configuration_becomes_prices_and_factors() {
        let config = sender_config(&endpoint()).unwrap();
        assert_eq!((config.chain_id.as_str(), config.gas_percent), ("bbn-test", 150));
        assert_eq!(config.gas_price.fee(200_000), 2_000);
        let odd = ChainEndpoint { gas_adjustment: "1.501".into(), ..endpoint() };
        assert_eq!(sender_config(&odd).unwrap().gas_percent, 151);
    }

    #[test]
    fn what_cannot_work_is_refused_with_both_values() {
        let table = [
            (ChainEndpoint { fee_denom: "uatom".into(), ..endpoint() }, "uatom"),
            (ChainEndpoint { gas_price: "0.0019".into(), ..endpoint() }, "0.0019"),
            (ChainEndpoint { gas_price: "cheap".into(), ..endpoint() }, "cheap"),
            (ChainEndpoint { gas_adjustment: "-1".into(), ..endpoint() }, "-1"),
            (ChainEndpoint { gas_adjustment: "99999999999".into(), ..endpoint() }, "99999999999"),
        ];
        for (endpoint, named) in table {
            let error = sender_config(&endpoint).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Broken);
            assert!(error.detail.contains(named), "{}", error.detail);
        }
        let foreign = ChainEndpoint { account_prefix: "cosmos".into(), ..endpoint() };
        let secret = AccountSecret([7; 32].into());
        let error = BabylonConnector.account_address(&foreign, &secret).unwrap_err();
        assert!(error.detail.contains("cosmos") && error.detail.contains("bbn"));
    }

    #[tokio::test]
    async fn a_node_that_does_not_answer_is_transient_and_a_bad_address_is_not() {
        let Err(error) = BabylonConnector.connect(&endpoint()).await else { panic!("nobody listens there") };
        assert_eq!(error.kind, ErrorKind::Transient);
        let bad = ChainEndpoint { rpc: vec!["not a url".into()], ..endpoint() };
        let Err(error) = BabylonConnector.connect(&bad).await else { panic!("no address") };
        assert_eq!(error.kind, ErrorKind::Broken);
        let none = ChainEndpoint { rpc: Vec::new(), ..endpoint() };
        let Err(error) = BabylonConnector.connect(&none).await else { panic!("no endpoint") };
        assert_eq!(error.kind, ErrorKind::Broken);
    }
}
