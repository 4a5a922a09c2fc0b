//! Section 10.2: votes.

use super::{Outcome, fixture::Fixture, refuse};
use crate::support::{World, provider::Provider};
use btc_staking_babylon::proto::finality::MsgAddFinalitySig;

async fn vote(w: &World, message: MsgAddFinalitySig) -> Outcome {
    refuse(w, "provider-1", &sent_by_one(message)).await
}

/// Anyone may send a vote; provider 1 pays for all of them here.
fn sent_by_one(message: MsgAddFinalitySig) -> MsgAddFinalitySig {
    MsgAddFinalitySig { signer: crate::support::address("provider-1"), ..message }
}

/// Breaks the rule of a case; `None` for cases of other sections.
pub async fn violate(case: &str, w: &World, f: &Fixture) -> Option<Outcome> {
    if !case.starts_with("vote_") {
        return None;
    }
    // A height that is indexed and not voted for yet.
    let open = w.node.height();
    let good = f.one.vote(open, w.app_hash(open).await);
    let message = match case {
        "vote_signer" => {
            let message = MsgAddFinalitySig { signer: "bbn1nobody".into(), ..good };
            return Some(refuse(w, "provider-1", &message).await);
        }
        "vote_no_key" => MsgAddFinalitySig { fp_btc_pk: vec![], ..good },
        "vote_no_randomness" => MsgAddFinalitySig { pub_rand: vec![], ..good },
        "vote_no_proof" => MsgAddFinalitySig { proof: None, ..good },
        "vote_no_signature" => MsgAddFinalitySig { finality_sig: vec![], ..good },
        "vote_short_signature" => MsgAddFinalitySig { finality_sig: vec![1; 31], ..good },
        "vote_short_app_hash" => MsgAddFinalitySig { block_app_hash: vec![1; 31], ..good },
        "vote_before_activation" => MsgAddFinalitySig { block_height: 1, ..good },
        "vote_not_indexed" => f.one.vote(w.node.height() + 100, [1; 32]),
        "vote_settled" => f.one.vote(f.settled, w.app_hash(f.settled).await),
        "vote_unknown_provider" => {
            let unknown = Provider::new("other", 2, 10);
            MsgAddFinalitySig { fp_btc_pk: unknown.public().to_bytes().to_vec(), ..good }
        }
        "vote_deleted" => {
            let deleted = super::fixture::deleted();
            MsgAddFinalitySig { fp_btc_pk: deleted.public().to_bytes().to_vec(), ..good }
        }
        "vote_slashed" => f.three.vote(open, w.app_hash(open).await),
        "vote_no_power" => f.two.vote(open, w.app_hash(open).await),
        "vote_twice" => {
            w.must("provider-1", &good).await;
            good
        }
        "vote_twice_malformed" => {
            w.must("provider-1", &sent_by_one(good.clone())).await;
            let mut message = good;
            message.proof.as_mut().unwrap().aunts[0] = vec![9; 31];
            message
        }
        "vote_wrong_index" => {
            let mut message = good;
            message.proof.as_mut().unwrap().index += 1;
            message
        }
        "vote_wrong_total" => {
            let mut message = good;
            message.proof.as_mut().unwrap().total += 1;
            message
        }
        "vote_wrong_path" => {
            let mut message = good;
            message.proof.as_mut().unwrap().aunts[0] = vec![9; 32];
            message
        }
        "vote_wrong_randomness" => {
            MsgAddFinalitySig { pub_rand: f.one.vote(open - 1, [0; 32]).pub_rand, ..good }
        }
        "vote_wrong_signature" => {
            MsgAddFinalitySig { finality_sig: f.one.vote(open, [3; 32]).finality_sig, ..good }
        }
        _ => return None,
    };
    Some(vote(w, message).await)
}
