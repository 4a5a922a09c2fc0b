//! Agreement: what several nodes say alike about one height.
//!
//! The height is the highest one that as many nodes as must agree have reached, so that each can answer; answers about
//! different heights may differ for good reasons. Answers are compared in a form in which equal content has equal bytes,
//! since a node may write maps and some lists in any order.
//!
//! | what | counts when |
//! |---|---|
//! | a query that is acted on, the account | enough nodes say it alike at one height |
//! | a transaction in a block | enough nodes tell the same block and code; that it is in none, when enough say so |
//! | a refusal by simulation | enough nodes refuse for the same reason |
//! | gas told by simulation, events and headers of a block | one node says so |

use super::{
    AbciAnswer, HttpRpc, IncludedTx, Read, RpcError,
    calls::{Call, QueryAnswer, TxAnswer},
    http::{Needs, Node, worse},
};
use crate::errors::{Failure, Meaning, classify, expected_sequence, failed_message_index};
use futures::{StreamExt, stream::FuturesUnordered};
use std::{sync::atomic::Ordering, time::Duration};

/// How old the nodes' heights may be when one is chosen.
const MAX_AGE: Duration = Duration::from_secs(1);

/// An answer as far as it is compared.
#[derive(PartialEq, Eq)]
enum Content {
    Value(Vec<u8>),
    Refusal(String, u32, String),
}

struct Said {
    content: Content,
    answer: AbciAnswer,
    by: Vec<String>,
}

impl HttpRpc {
    /// The highest tip that as many usable nodes as must agree have reached.
    pub(super) fn agreed_height(&self) -> Result<u64, RpcError> {
        let mut tips: Vec<u64> =
            self.nodes().iter().filter_map(|node| node.standing().usable_tip()).collect();
        tips.sort_unstable_by(|a, b| b.cmp(a));
        let (wanted, usable) = (self.agreement, tips.len());
        let tip = wanted.checked_sub(1).and_then(|index| tips.get(index));
        tip.copied().ok_or_else(|| {
            let why = format!("{usable} of {} endpoints are usable, {wanted} must agree", self.nodes().len());
            RpcError::Unreachable(why)
        })
    }

    /// Asks every usable node at one height and returns what enough of them say alike.
    ///
    /// # Errors
    /// [`RpcError::Disagree`] when nodes contradict each other and too few agree; otherwise why too few answered.
    pub(super) async fn agreed_read(&self, read: Read<'_>) -> Result<AbciAnswer, RpcError> {
        self.refresh(MAX_AGE).await;
        // Height 0 would mean the latest of each node.
        let height = self.agreed_height()?.max(self.floor.load(Ordering::Relaxed)).max(1);
        let usable = self.nodes().iter().filter(|node| node.standing().usable_tip().is_some());
        let read = &read;
        let mut answers: FuturesUnordered<_> =
            usable.map(|node| async move { (node, self.ask_at(node, read, height).await) }).collect();
        let mut said: Vec<Said> = Vec::new();
        let mut failure = None;
        while let Some((node, answer)) = answers.next().await {
            match answer.and_then(|answer| content(read, &answer).map(|content| (content, answer))) {
                Ok((content, answer)) => {
                    if let Some(agreed) = count(&mut said, content, answer, &node.name, self.agreement) {
                        self.floor.fetch_max(height, Ordering::Relaxed);
                        return Ok(agreed);
                    }
                }
                Err(error) => {
                    tracing::warn!(endpoint = node.name, %error, "endpoint does not take part in an agreement");
                    failure = Some(error);
                }
            }
        }
        Err(not_agreed(read, height, &said, failure))
    }

    /// What enough nodes with an index tell of a transaction.
    ///
    /// # Errors
    /// [`RpcError::NoIndex`] when too few have one; otherwise that too few say the same, which passes for a transaction
    /// that just got into a block.
    pub(super) async fn agreed_tx(&self, hash: &[u8; 32]) -> Result<Option<IncludedTx>, RpcError> {
        self.refresh(MAX_AGE).await;
        let (wanted, call) = (self.agreement, &Call::tx(hash));
        let indexed = self.nodes().iter().filter(|node| node.standing().has_index()).count();
        if indexed < wanted {
            return Err(RpcError::NoIndex { indexed, wanted });
        }
        let asked = self.nodes().iter().filter(|node| {
            let standing = node.standing();
            standing.has_index() && standing.usable_tip().is_some()
        });
        let ask = |node| async move { (node, self.tx_at(node, call, hash).await) };
        let mut answers: FuturesUnordered<_> = asked.map(ask).collect();
        let mut said: Vec<(Told, usize)> = Vec::new();
        while let Some((node, answer)) = answers.next().await {
            let tx = match answer {
                Ok(tx) => tx,
                Err(error) => {
                    self.pass_over(node, &error);
                    continue;
                }
            };
            // The words of a result are each node's own.
            let content = tx.as_ref().map(|tx| (tx.height, tx.result.codespace.clone(), tx.result.code));
            if tally(&mut said, content) >= wanted {
                return Ok(tx);
            }
        }
        let why =
            format!("fewer than {wanted} endpoints tell the same of transaction {}", hex::encode_upper(hash));
        Err(RpcError::Unreachable(why))
    }

    async fn tx_at(&self, node: &Node, call: &Call, hash: &[u8; 32]) -> Result<Option<IncludedTx>, RpcError> {
        match self.call::<TxAnswer>(node, call).await.and_then(|answer| answer.into_included(hash)) {
            Ok(tx) => Ok(Some(tx)),
            Err(error) if error.is_tx_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks one node after the other at its latest height until one answers, or enough refuse for the same reason.
    pub(super) async fn query_unless_refused(
        &self,
        path: &str,
        data: &[u8],
        max_bytes: usize,
    ) -> Result<AbciAnswer, RpcError> {
        let call = Call::abci_query(path, data, 0, max_bytes);
        let floor = self.floor.load(Ordering::Relaxed);
        let take =
            |node: &Node, answer: QueryAnswer| self.check_floor(node, floor, answer.into_answer(max_bytes)?);
        let mut reasons: Vec<(Reason, usize)> = Vec::new();
        let mut failure = None;
        for node in self.order().await {
            let answer = match self.perform_at(node, &call, Needs::State, &take).await {
                Ok(answer) if answer.code == 0 => return Ok(answer),
                Ok(answer) => answer,
                Err(error) if error.is_answer() => return Err(error),
                Err(error) => {
                    self.pass_over(node, &error);
                    failure = Some(worse(failure, error));
                    continue;
                }
            };
            if tally(&mut reasons, reason(&answer)) >= self.agreement {
                return Ok(answer);
            }
        }
        if !reasons.is_empty() {
            let wanted = self.agreement;
            let why =
                format!("fewer than {wanted} endpoints refuse {path} for the same reason, none answers it");
            return Err(RpcError::Unreachable(why));
        }
        Err(failure.unwrap_or_else(|| RpcError::Unreachable("no endpoint".to_owned())))
    }

    async fn ask_at(&self, node: &Node, read: &Read<'_>, height: u64) -> Result<AbciAnswer, RpcError> {
        let call = Call::abci_query(read.path, &read.data, height, read.max_bytes);
        let answer: QueryAnswer = self.call(node, &call).await?;
        let answer = answer.into_answer(read.max_bytes)?;
        if answer.is_unknown().is_some() {
            return Err(RpcError::Unknown(answer));
        }
        if answer.height != height && answer.height != 0 {
            return Err(RpcError::WrongHeight { call: "abci_query", asked: height, answered: answer.height });
        }
        Ok(answer)
    }
}

/// A refusal as far as it is compared: what it means, the message it names and the sequence it expects.
type Reason = (Meaning, Option<usize>, Option<u64>);

/// What a node tells of a transaction: height, codespace and code, or that it is in no block.
type Told = Option<(u64, String, u32)>;

fn reason(answer: &AbciAnswer) -> Reason {
    let failure = Failure { codespace: &answer.codespace, code: answer.code, log: &answer.log };
    (classify(&failure), failed_message_index(&answer.log), expected_sequence(&failure))
}

fn content(read: &Read<'_>, answer: &AbciAnswer) -> Result<Content, RpcError> {
    if answer.code != 0 {
        return Ok(Content::Refusal(answer.codespace.clone(), answer.code, answer.log.clone()));
    }
    let same = (read.comparable)(&answer.value);
    same.map(Content::Value).ok_or_else(|| RpcError::Malformed(format!("{} does not decode", read.path)))
}

/// Adds a voice; returns how many say the same by now.
fn tally<T: PartialEq>(said: &mut Vec<(T, usize)>, content: T) -> usize {
    match said.iter_mut().find(|(known, _)| *known == content) {
        Some((_, count)) => {
            *count += 1;
            *count
        }
        None => {
            said.push((content, 1));
            1
        }
    }
}

/// Adds a voice; returns the answer once enough say it.
fn count(
    said: &mut Vec<Said>,
    content: Content,
    answer: AbciAnswer,
    name: &str,
    enough: usize,
) -> Option<AbciAnswer> {
    let index = match said.iter().position(|known| known.content == content) {
        Some(index) => index,
        None => {
            said.push(Said { content, answer, by: Vec::new() });
            said.len() - 1
        }
    };
    said[index].by.push(name.to_owned());
    (said[index].by.len() >= enough).then(|| said.swap_remove(index).answer)
}

fn not_agreed(read: &Read<'_>, height: u64, said: &[Said], failure: Option<RpcError>) -> RpcError {
    if said.len() < 2 {
        let few = || RpcError::Unreachable("too few endpoints answered for an agreement".to_owned());
        return failure.unwrap_or_else(few);
    }
    let sides: Vec<String> = said.iter().map(|side| side.by.join(" and ")).collect();
    RpcError::Disagree { asked: read.path.to_owned(), height, sides: sides.join(" against ") }
}
