//! Both nodes of a running devnet, and the developer's account.

use super::{
    DEADLINE,
    place::{DEVELOPER, Place},
    progress, until,
};
use btc_staking_babylon::{
    proto::{Any, BaseAccount, Query, QueryAccountRequest},
    reader::BabylonReader,
    tx::{AccountKey, AccountState, GasAndFee, sign_tx},
};
use btc_staking_bitcoin_node::bitcoind::{Auth, Bitcoind, BitcoindConfig};
use btc_staking_daemon::cli::{Exit, FailWith, Failure};
use btc_staking_devnet_chain::EXPORT_PATH;
use prost::Message as _;
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

/// Longest wait for an answer of the chain.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Gas of a message of the authority, with room.
const GAS: GasAndFee = GasAndFee { limit: 2_000_000, fee: 20_000 };

/// Asks and tells both nodes.
pub(super) struct Client {
    pub(super) place: Place,
    pub(super) chain: BabylonReader,
    pub(super) bitcoin: Bitcoind,
    pub(super) developer: AccountKey,
}

impl Client {
    pub(super) async fn connect(place: Place) -> Result<Self, Failure> {
        let chain = BabylonReader::over_http(&place.chain_rpc, TIMEOUT).fail_with(Exit::Usage)?;
        chain.check_network(&place.chain_id).await.fail_with(Exit::Unreachable)?;
        let auth = Auth::CookieFile(place.bitcoin_cookie.clone());
        let bitcoin = Bitcoind::new(BitcoindConfig::new(place.bitcoin_rpc.clone(), auth))?;
        let developer = AccountKey::from_secret(&place.seed().account(DEVELOPER).0)?;
        Ok(Self { place, chain, bitcoin, developer })
    }

    /// Asks the chain; a refusal is a failure.
    pub(super) async fn ask<Q: Query>(&self, request: &Q) -> Result<Q::Response, Failure> {
        self.chain.fetch(request).await.fail_with(Exit::Unreachable)?.fail_with(Exit::Failure)
    }

    /// Sends a message of the developer and waits until it is in a block.
    pub(super) async fn send(&self, message: Any) -> Result<u64, Failure> {
        let address = self.developer.account().bech32().to_owned();
        let account = self.ask(&QueryAccountRequest { address }).await?.account.unwrap_or_default();
        let base = BaseAccount::decode(account.value.as_slice())?;
        let state = AccountState { number: base.account_number, sequence: base.sequence };
        let signed = sign_tx(&self.developer, &self.place.chain_id, state, vec![message], GAS)?;
        let rpc = self.chain.rpc();
        let checked = rpc.broadcast_tx_sync(signed.bytes).await.fail_with(Exit::Unreachable)?;
        refuse(&checked.codespace, checked.code, &checked.log)?;
        progress(format_args!("transaction {} is waiting for a block", hex::encode_upper(signed.hash)));
        let included = until("transaction in a block", DEADLINE, || async {
            rpc.tx(signed.hash).await.fail_with(Exit::Unreachable)
        })
        .await?;
        refuse(&included.result.codespace, included.result.code, &included.result.log)?;
        Ok(included.height)
    }

    /// Writes the chain's state as a genesis document.
    pub(super) async fn export(&self, out: &Path) -> Result<Value, Failure> {
        progress(format_args!("the chain writes its state down"));
        let rpc = self.chain.rpc();
        let answer = rpc.abci_query(EXPORT_PATH, vec![]).await.fail_with(Exit::Unreachable)?;
        refuse(&answer.codespace, answer.code, &answer.log)?;
        let document: Value = serde_json::from_slice(&answer.value)?;
        std::fs::write(out, serde_json::to_vec_pretty(&document)?)?;
        Ok(json!({
            "file": out,
            "chain_id": document["chain_id"],
            "initial_height": document["initial_height"],
        }))
    }
}

fn refuse(codespace: &str, code: u32, log: &str) -> Result<(), Failure> {
    match code {
        0 => Ok(()),
        _ => Err(Failure::new(Exit::Failure, format!("the chain refuses ({codespace}/{code}): {log}"))),
    }
}
