//! Section 2.2: Bitcoin headers.

use super::{Outcome, refuse};
use crate::support::{
    World, address,
    bitcoin::{Bitcoin, next_header, solve, unknown_hash},
};
use bitcoin::{CompactTarget, Txid, block::Header, consensus::serialize, hashes::Hash};
use btc_staking_babylon::proto::btclightclient::MsgInsertHeaders;

fn message(headers: &[Header]) -> MsgInsertHeaders {
    MsgInsertHeaders { signer: address("reporter"), headers: headers.iter().map(serialize).collect() }
}

async fn insert(w: &World, headers: &[Header]) -> Outcome {
    refuse(w, "reporter", &message(headers)).await
}

fn child(parent: &Header) -> Header {
    next_header(parent, &[Txid::hash(b"some block")])
}

/// Breaks the rule of a case; `None` for cases of other sections.
pub async fn violate(case: &str, w: &World) -> Option<Outcome> {
    let tip = w.bitcoin.tip();
    let below = w.bitcoin.header(w.bitcoin.tip_height() - 1);
    Some(match case {
        "headers_empty" => insert(w, &[]).await,
        "headers_short" => {
            let short = MsgInsertHeaders { signer: address("reporter"), headers: vec![vec![0; 79]] };
            refuse(w, "reporter", &short).await
        }
        "headers_without_work" => {
            let mut header = child(&tip);
            while header.target().is_met_by(header.block_hash()) {
                header.nonce += 1;
            }
            insert(w, &[header]).await
        }
        "headers_not_linked" => insert(w, &[child(&tip), child(&tip)]).await,
        "headers_extend_with_old_time" => {
            let mut header = child(&tip);
            header.time = w.bitcoin.header(1).time;
            solve(&mut header);
            insert(w, &[header]).await
        }
        "headers_extend_with_other_bits" => {
            let mut header = child(&tip);
            header.bits = CompactTarget::from_consensus(0x207f_fffe);
            solve(&mut header);
            insert(w, &[header]).await
        }
        "headers_fork_with_other_bits" => {
            let mut header = child(&below);
            header.bits = CompactTarget::from_consensus(0x207f_fffe);
            solve(&mut header);
            insert(w, &[header]).await
        }
        "headers_known" => insert(w, &[tip]).await,
        "headers_without_parent" => {
            let mut header = child(&tip);
            header.prev_blockhash = unknown_hash();
            solve(&mut header);
            insert(w, &[header]).await
        }
        "headers_fork_with_old_time" => {
            let mut header = child(&below);
            header.time = w.bitcoin.header(1).time;
            solve(&mut header);
            insert(w, &[header]).await
        }
        "headers_fork_without_more_work" => {
            let mut fork: Bitcoin = w.bitcoin.clone();
            fork.fork(1);
            insert(w, &[fork.mine(&[])]).await
        }
        _ => return None,
    })
}
