//! One signed transaction, from the node that takes it to its end.
//!
//! Three ends are final:
//!
//! | end | seen by |
//! |---|---|
//! | included | the node finds the hash in a block |
//! | dead | the account's state, at its last block or above, has not used its sequence: no block has it, none will |
//! | spent | the sequence is used, and the hash is in no block: another program signs for this account |
//!
//! Until then the same bytes are handed over again whenever the node seems to have lost them, as after a restart. An
//! answer that did not arrive proves nothing, and neither does a refusal of bytes that a node may hold already.

use super::{
    account::{ReadAccount, fetch_account},
    batch::Item,
    fate::too_large,
    ledger::Owned,
    pause::Pause,
    worker::Worker,
};
use crate::{
    rpc::{IncludedTx, RpcError, TxResult},
    tx::SignedTx,
};
use btc_staking_pos_chain::{ChainError, ErrorKind, OutboxEntry, Result};
use btc_staking_protocol::height::PosHeight;
use tokio::time::Instant;

/// Looks at a used sequence without its transaction before another one is believed to have used it. The index of
/// transactions follows a block within moments.
const LOOKS_FOR_SPENT: u32 = 3;

/// A transaction on its way.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) entry: OutboxEntry,
    /// Its messages; without a request where the program that sent them is gone.
    pub(super) messages: Vec<Owned>,
}

/// How a flight ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    Included(IncludedTx),
    Dead(ReadAccount),
    Spent(ReadAccount),
}

/// What became of handing bytes to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Handed {
    /// A node has them or may have them.
    Over,
    /// The node does not take them, and no other may have them.
    Refused(TxResult),
    /// They did not leave.
    Not(ChainError),
}

impl Flight {
    pub(super) fn new(signed: SignedTx, sequence: u64, last_height: PosHeight, part: &[Item]) -> Self {
        let entry =
            OutboxEntry { hash: signed.hash, sequence, last_height, tx: signed.bytes, included: None };
        Self { entry, messages: part.iter().map(|item| (Some(item.request), item.digest)).collect() }
    }

    /// Whether the chain can have done what a node tells: no block before the first, and none after the last it may be in,
    /// unless the block refuses it for that.
    fn can_be(&self, included: &IncludedTx) -> bool {
        included.height > 0
            && (included.result.code != 0 || included.height <= self.entry.last_height.to_u64())
    }

    /// The hash as nodes show it: upper-case hex.
    pub(super) fn hash_text(&self) -> String {
        hex::encode_upper(self.entry.hash)
    }
}

impl Worker {
    /// Hands bytes over for the first time; waits while the node's mempool is full.
    pub(super) async fn hand_over(&self, tx: &[u8], until: Instant) -> Handed {
        let mut pause = Pause::new(self.config.poll_interval);
        loop {
            let trouble = match self.rpc.broadcast_tx_sync(tx.to_vec()).await {
                // 19 is what the SDK's own service says of a transaction it already has.
                Ok(result) if result.code == 0 || is_sdk(&result, 19) => return Handed::Over,
                Ok(result) if is_sdk(&result, 20) => result.log,
                Ok(result) => return Handed::Refused(result),
                Err(error) if error.is_duplicate_tx() => return Handed::Over,
                Err(error) if error.is_busy_mempool() => error.to_string(),
                Err(error) if error.is_tx_too_large() => return Handed::Refused(too_large(&error)),
                Err(error) if may_have_arrived(&error) => return Handed::Over,
                Err(error) => {
                    let error = error.into_chain_error("broadcast");
                    if !error.is_transient() {
                        return Handed::Not(error);
                    }
                    error.to_string()
                }
            };
            if Instant::now() >= until {
                return Handed::Not(ChainError::new(ErrorKind::Transient, format!("broadcast: {trouble}")));
            }
            pause.wait_longer().await;
        }
    }

    /// Follows a flight until its end, or until `until`; it is looked after at once where `fresh` is false.
    pub(super) async fn follow(&self, flight: &Flight, until: Instant, fresh: Freshness) -> Result<End> {
        let mut next_care = match fresh {
            Freshness::JustHandedOver => Instant::now() + self.config.resend_interval,
            Freshness::Recovered => Instant::now(),
        };
        let mut pause = Pause::new(self.config.poll_interval);
        let mut looks = 0;
        loop {
            let mut trouble = None;
            match self.rpc.tx(flight.entry.hash).await {
                Ok(Some(included)) if flight.can_be(&included) => return Ok(End::Included(included)),
                Ok(Some(IncludedTx { height, .. })) => {
                    let last = flight.entry.last_height;
                    let why = format!("node tells inclusion in block {height}, which cannot be after {last}");
                    self.rpc.set_aside(&why);
                    trouble = Some(why);
                }
                Ok(None) => {}
                Err(error) => trouble = Some(error.to_string()),
            }
            if Instant::now() >= next_care {
                next_care = Instant::now() + self.config.resend_interval;
                match self.look_after(flight).await {
                    Ok(Care::Dead(account)) => return Ok(End::Dead(account)),
                    Ok(Care::Used(account)) => {
                        looks += 1;
                        if looks >= LOOKS_FOR_SPENT && trouble.is_none() {
                            return Ok(End::Spent(account));
                        }
                    }
                    Ok(Care::OnItsWay) => {}
                    Err(error) => trouble = Some(error.to_string()),
                }
            }
            if Instant::now() >= until {
                return Err(undecided(flight, trouble));
            }
            match trouble {
                Some(_) => pause.wait_longer().await,
                None => pause.wait().await,
            }
        }
    }

    /// Reads the account, and hands the bytes over again if that can help.
    async fn look_after(&self, flight: &Flight) -> Result<Care> {
        let account = match fetch_account(self.rpc.as_ref(), self.key.account()).await? {
            Ok(account) => account,
            Err(refused) => return Err(refused.into_chain_error()),
        };
        let used = account.state.sequence > flight.entry.sequence;
        let over = account.height >= flight.entry.last_height.to_u64();
        match (used, over) {
            (false, true) => Ok(Care::Dead(account)),
            (true, true) => Ok(Care::Used(account)),
            (true, false) => Ok(Care::OnItsWay),
            (false, false) => {
                // Whatever the node says now: an earlier copy of the same bytes may be in a mempool.
                if let Err(error) = self.rpc.broadcast_tx_sync(flight.entry.tx.clone()).await {
                    tracing::debug!(tx_hash = flight.hash_text(), %error, "handed over again");
                }
                Ok(Care::OnItsWay)
            }
        }
    }
}

/// Whether a node was just handed the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    JustHandedOver,
    Recovered,
}

enum Care {
    OnItsWay,
    Dead(ReadAccount),
    Used(ReadAccount),
}

/// Whether bytes whose broadcast failed so may be in a mempool all the same: no answer, or not a refusal of the
/// transaction but the node's own trouble while it was looking at it.
fn may_have_arrived(error: &RpcError) -> bool {
    let is_trouble = matches!(error, RpcError::Refused { .. }) && error.kind() == ErrorKind::Transient;
    error.may_have_arrived() || is_trouble
}

fn undecided(flight: &Flight, trouble: Option<String>) -> ChainError {
    let seen = trouble.unwrap_or_else(|| "it is in no block yet".to_owned());
    let detail = format!(
        "fate of transaction {} is unknown ({seen}), it can be included up to block {}; re-read the chain before sending \
         again",
        flight.hash_text(),
        flight.entry.last_height.to_u64(),
    );
    ChainError::new(ErrorKind::Transient, detail)
}

fn is_sdk(result: &TxResult, code: u32) -> bool {
    result.codespace == "sdk" && result.code == code
}
