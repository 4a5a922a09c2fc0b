//! Handing a transaction to nodes.
//!
//! Nodes are asked until as many have it as must agree; they pass it on, so a node that has it already is one of them.
//! A broadcast that got no answer may be repeated at another node: it is the same transaction there. Once a node may have
//! it, a refusal says nothing: the transaction may be in a block already, which is why it is refused. A refusal counts
//! only when as many nodes as must agree refuse.

use super::{
    HttpRpc, RpcError, TxResult,
    calls::{Call, ResultAnswer},
    http::{Needs, worse},
};

type Answer = Result<TxResult, RpcError>;

/// What an answer means for the transaction.
enum Said {
    /// The node has it.
    Taken,
    /// It refuses the transaction or the call.
    Refused,
    /// It has no room.
    Full,
    /// It does not take transactions at all, and has not looked at this one.
    Closed(RpcError),
    /// It may have it.
    Lost(RpcError),
}

fn sort(answer: &Answer) -> Said {
    match answer {
        // 19 is what the SDK's own service says of a transaction it already has.
        Ok(result) if result.code == 0 || (result.codespace == "sdk" && result.code == 19) => Said::Taken,
        Ok(result) if result.is_busy_mempool() => Said::Full,
        Ok(_) => Said::Refused,
        Err(error) if error.is_duplicate_tx() => Said::Taken,
        Err(error) if error.is_busy_mempool() => Said::Full,
        Err(error) if error.is_answer() || error.is_tx_too_large() => Said::Refused,
        Err(error @ RpcError::Refused { code: -32601, .. }) => Said::Closed(error.clone()),
        Err(error) => Said::Lost(error.clone()),
    }
}

impl HttpRpc {
    /// See the module. Returns what the last of the nodes that count said.
    pub(super) async fn broadcast(&self, tx: &[u8]) -> Answer {
        let call = Call::broadcast_tx_sync(tx);
        let mut taken: Vec<Answer> = Vec::new();
        let mut refused: Vec<Answer> = Vec::new();
        let (mut full, mut lost, mut unfit) = (None, None, None);
        for node in self.order().await {
            if let Err(error) = self.check_fit(node, Needs::State).await {
                self.pass_over(node, &error);
                unfit = Some(worse(unfit, error));
                continue;
            }
            let answer = self.call::<ResultAnswer>(node, &call).await.map(TxResult::from);
            match sort(&answer) {
                Said::Taken => taken.push(answer),
                Said::Refused => refused.push(answer),
                Said::Full => full = Some(answer),
                Said::Closed(error) => {
                    self.pass_over(node, &error);
                    unfit = Some(worse(unfit, error));
                }
                Said::Lost(error) => {
                    self.pass_over(node, &error);
                    let why = format!("the node may have the transaction: {error}");
                    lost = Some(RpcError::Unreachable(why));
                }
            }
            let is_refused = refused.len() >= self.agreement && taken.is_empty() && lost.is_none();
            if taken.len() >= self.agreement || is_refused {
                break;
            }
        }
        if let Some(answer) = taken.pop() {
            return answer;
        }
        if let Some(lost) = lost {
            return Err(lost);
        }
        match (refused.len() >= self.agreement, refused.pop(), full) {
            (true, Some(answer), _) | (_, _, Some(answer)) => answer,
            (_, Some(_), None) => {
                let why =
                    format!("fewer than {} endpoints refuse the transaction, none takes it", self.agreement);
                Err(RpcError::Unreachable(why))
            }
            (_, None, None) => Err(unfit.unwrap_or_else(|| RpcError::Unreachable("no endpoint".to_owned()))),
        }
    }
}
