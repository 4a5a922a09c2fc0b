//! An account that sends messages no role has: proofs of checkpoints, for one.
//!
//! One transaction at a time, with a generous gas limit instead of a simulation: it is for a chain of our own, where
//! coins cost nothing.

use btc_staking_babylon::{
    proto::{Any, BaseAccount, Query, QueryAccountRequest},
    rpc::{Rpc, RpcError, TxResult},
    tx::{AccountKey, AccountState, CannotSign, GasAndFee, sign_tx},
};
use prost::{Message, Name};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use thiserror::Error;

/// What a transaction may use: a fifth of what a node takes by default.
const GAS: GasAndFee = GasAndFee { limit: 2_000_000, fee: 20_000 };
/// How long a transaction may take into a block.
const DEADLINE: Duration = Duration::from_secs(60);
/// Between two looks for it.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Why a message is not on the chain, or a question has no answer.
#[derive(Debug, Error)]
pub enum AccountError {
    /// The node does not answer.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The chain refuses.
    #[error("{what} refused with {}/{}: {}", .result.codespace, .result.code, .result.log)]
    Refused {
        /// The message or the query.
        what: String,
        /// What the chain says.
        result: TxResult,
    },
    /// An answer that is none.
    #[error("{what}: {why}")]
    Malformed {
        /// What was asked.
        what: String,
        /// Why it cannot be read.
        why: String,
    },
    /// The transaction is in no block.
    #[error("{what} did not come into a block within {DEADLINE:?}")]
    TooSlow {
        /// The message.
        what: String,
    },
    /// The key did not sign.
    #[error(transparent)]
    CannotSign(#[from] CannotSign),
}

/// An account and the node it talks to.
pub struct Account {
    rpc: Arc<dyn Rpc>,
    key: AccountKey,
    chain_id: String,
}

impl Account {
    /// An account on the chain with this id.
    pub fn new(rpc: Arc<dyn Rpc>, key: AccountKey, chain_id: &str) -> Self {
        Self { rpc, key, chain_id: chain_id.to_owned() }
    }

    /// Its address as text.
    pub fn address(&self) -> &str {
        self.key.account().bech32()
    }

    /// Its twenty bytes, as checkpoints name a submitter.
    pub fn submitter(&self) -> [u8; 20] {
        let bytes = self.key.account().bytes();
        bytes.try_into().expect("an account with a key has an address of 20 bytes")
    }

    /// Asks the chain.
    ///
    /// # Errors
    /// [`AccountError`]; [`AccountError::Refused`] when the chain answers with an error.
    pub async fn ask<Q: Query>(&self, request: &Q) -> Result<Q::Response, AccountError> {
        let answer = self.rpc.abci_query(Q::PATH, request.encode_to_vec()).await?;
        if answer.code != 0 {
            let result = TxResult { code: answer.code, codespace: answer.codespace, log: answer.log };
            return Err(AccountError::Refused { what: Q::PATH.to_owned(), result });
        }
        decode(Q::PATH, &answer.value)
    }

    /// Sends a message and waits until it has succeeded in a block.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn send<M: Message + Name>(&self, message: &M) -> Result<(), AccountError> {
        let any = Any { type_url: M::type_url(), value: message.encode_to_vec() };
        let signed = sign_tx(&self.key, &self.chain_id, self.fetch_state().await?, vec![any], GAS)?;
        let refused = |result| AccountError::Refused { what: M::NAME.to_owned(), result };
        let checked = self.rpc.broadcast_tx_sync(signed.bytes).await?;
        if checked.code != 0 {
            return Err(refused(checked));
        }
        let started = Instant::now();
        while started.elapsed() < DEADLINE {
            match self.rpc.tx(signed.hash).await? {
                Some(included) if included.result.code == 0 => return Ok(()),
                Some(included) => return Err(refused(included.result)),
                None => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
        Err(AccountError::TooSlow { what: M::NAME.to_owned() })
    }

    async fn fetch_state(&self) -> Result<AccountState, AccountError> {
        let path = QueryAccountRequest::PATH;
        let answer = self.ask(&QueryAccountRequest { address: self.address().to_owned() }).await?;
        let malformed = |why: &str| AccountError::Malformed { what: path.to_owned(), why: why.to_owned() };
        let any = answer.account.ok_or_else(|| malformed("no account"))?;
        let base: BaseAccount = decode(path, &any.value)?;
        Ok(AccountState { number: base.account_number, sequence: base.sequence })
    }
}

fn decode<M: Message + Default>(what: &str, bytes: &[u8]) -> Result<M, AccountError> {
    M::decode(bytes)
        .map_err(|error| AccountError::Malformed { what: what.to_owned(), why: error.to_string() })
}
