//! What a node's answer to a transaction asks of the sender.

use super::batch::Item;
use crate::{
    errors::{Failure, concerns_account, expected_sequence, failed_message_index, outcome},
    reader::query::Refused,
    rpc::{RpcError, TxResult},
};
use btc_staking_pos_chain::{
    MessageOutcome,
    message::{Refusal, RefusalKind},
};
use std::collections::VecDeque;

/// What is to be done about a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// The chain refuses, and says which message it is if it can.
    Refused(TxResult),
    /// The transaction is too much for the node: fewer messages.
    TooBig(TxResult),
    /// Another sequence is expected.
    WrongSequence(u64),
    /// The limit was too low by the time of execution: a higher one, else fewer messages.
    OutOfGas(TxResult),
    /// Simulation needs more gas than one transaction may have: fewer messages, and a single one never fits.
    TooMuchGas(String),
    /// The transaction came too late for its last block.
    Late,
}

/// Sorts a refusal by what can be done about it.
pub(super) fn told(result: TxResult) -> Told {
    let failure = Failure { codespace: &result.codespace, code: result.code, log: &result.log };
    if let Some(expected) = expected_sequence(&failure) {
        return Told::WrongSequence(expected);
    }
    match failure.sdk_code() {
        Some(11) => Told::OutOfGas(result),
        Some(21) => Told::TooBig(result),
        Some(30 | 42) => Told::Late,
        _ => Told::Refused(result),
    }
}

/// What to go on with after a refusal.
#[derive(Debug)]
pub(super) struct Sorted {
    /// Messages that have their outcome.
    pub(super) settled: Vec<(Item, MessageOutcome)>,
    /// Batches to send in place of the refused one, in order.
    pub(super) parts: VecDeque<Vec<Item>>,
}

/// Gives the message the chain names its outcome and leaves the others together. A refusal that names none concerns the
/// account, or the one message there is, or is looked for by halves.
pub(super) fn sort_refusal(part: Vec<Item>, result: &TxResult) -> Sorted {
    let failure = Failure { codespace: &result.codespace, code: result.code, log: &result.log };
    let named = failed_message_index(&result.log).filter(|index| *index < part.len());
    match named.or((part.len() == 1).then_some(0)) {
        Some(index) => {
            let mut rest = part;
            let failed = rest.remove(index);
            let parts = if rest.is_empty() { VecDeque::new() } else { VecDeque::from([rest]) };
            Sorted { settled: vec![(failed, outcome(&failure))], parts }
        }
        None if concerns_account(&failure) => {
            let outcome = outcome(&failure);
            let settled = part.into_iter().map(|item| (item, outcome.clone())).collect();
            Sorted { settled, parts: VecDeque::new() }
        }
        None => halve(part, result),
    }
}

/// Halves a batch that is too big for one transaction, or of which nobody knows which message is to blame; a single
/// message is refused.
pub(super) fn halve(part: Vec<Item>, result: &TxResult) -> Sorted {
    let failure = Failure { codespace: &result.codespace, code: result.code, log: &result.log };
    halve_or(part, &outcome(&failure))
}

/// Halves a batch that needs more gas than one transaction may have. For a single message that is a rule it cannot meet,
/// unlike gas that ran out, which passes.
pub(super) fn halve_for_gas(part: Vec<Item>, text: String) -> Sorted {
    let refusal = Refusal { kind: RefusalKind::Other, codespace: String::new(), code: 0, text };
    halve_or(part, &MessageOutcome::Refused(refusal))
}

fn halve_or(mut part: Vec<Item>, outcome: &MessageOutcome) -> Sorted {
    if part.len() > 1 {
        let second = part.split_off(part.len() / 2);
        return Sorted { settled: Vec::new(), parts: VecDeque::from([part, second]) };
    }
    Sorted { settled: part.into_iter().map(|item| (item, outcome.clone())).collect(), parts: VecDeque::new() }
}

/// The refusal of a message that never left: it could not be encoded.
pub(super) fn refused_here(text: String) -> MessageOutcome {
    MessageOutcome::Refused(Refusal { kind: RefusalKind::Broken, codespace: String::new(), code: 0, text })
}

/// The refusal of a transaction larger than the node takes.
pub(super) fn too_large(error: &RpcError) -> TxResult {
    TxResult { code: 21, codespace: "sdk".to_owned(), log: error.to_string() }
}

impl From<Refused> for TxResult {
    fn from(refused: Refused) -> Self {
        Self { code: refused.code, codespace: refused.codespace, log: refused.log }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{proto::Any, sender::ledger::digest};

    fn items(count: usize) -> Vec<Item> {
        let item = |position: usize| {
            let any = Any { type_url: "/x".into(), value: position.to_be_bytes().to_vec() };
            Item { request: 1, position, refundable: true, digest: digest(&any), any }
        };
        (0..count).map(item).collect()
    }
    fn result(codespace: &str, code: u32, log: &str) -> TxResult {
        TxResult { code, codespace: codespace.into(), log: log.into() }
    }
    fn positions(sorted: &Sorted) -> (Vec<usize>, Vec<Vec<usize>>) {
        let of = |items: &Vec<Item>| items.iter().map(|item| item.position).collect();
        let settled = sorted.settled.iter().map(|(item, _)| item.position).collect();
        (settled, sorted.parts.iter().map(of).collect())
    }

    #[test]
    fn the_named_message_is_taken_out_and_the_others_stay_together() {
        let log = "failed to execute message; message index: 1: the BTC delegation is not found";
        let sorted = sort_refusal(items(3), &result("btcstaking", 1102, log));
        assert_eq!(positions(&sorted), (vec![1], vec![vec![0, 2]]));
    }

    #[test]
    fn an_index_that_is_not_in_the_batch_names_nobody() {
        let log = "failed to execute message; message index: 3: x";
        let sorted = sort_refusal(items(3), &result("undefined", 1, log));
        assert_eq!(positions(&sorted), (vec![], vec![vec![0], vec![1, 2]]));
    }

    #[test]
    fn what_concerns_the_account_is_told_to_every_message() {
        let log = "spendable balance 0ubbn is smaller than 400ubbn: insufficient funds";
        let sorted = sort_refusal(items(2), &result("sdk", 5, log));
        assert_eq!(positions(&sorted), (vec![0, 1], vec![]));
    }

    #[test]
    fn a_refusal_asks_for_what_its_code_says_also_where_simulation_lost_it() {
        let log = "account sequence mismatch, expected 9, got 5: incorrect account sequence";
        assert_eq!(told(result("sdk", 32, log)), Told::WrongSequence(9));
        let simulated = result("sdk", 6, &format!("{log} with gas used: '1': unknown request"));
        assert_eq!(told(simulated), Told::WrongSequence(9));
        let log = "out of gas in location: WritePerByte; gasWanted: 1, gasUsed: 2: out of gas";
        assert!(matches!(told(result("sdk", 11, log)), Told::OutOfGas(_)));
        assert!(matches!(told(result("sdk", 21, "tx too large")), Told::TooBig(_)));
        assert_eq!(told(result("sdk", 30, "tx timeout height")), Told::Late);
        assert!(matches!(told(result("sdk", 5, "insufficient funds")), Told::Refused(_)));
        // The words of a message do not steer the sender.
        let log = "account sequence mismatch, expected 9, got 5: the BTC delegation is not found";
        assert!(matches!(told(result("btcstaking", 1102, log)), Told::Refused(_)));
    }
}
