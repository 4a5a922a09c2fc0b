//! What only a chain with lists and the rules of the head refuses: reporters, stakes and providers that are not wanted.

use super::{Answer, fixture::alter_params, refuse};
use crate::support::{
    World, account, address, child::Child, genesis, provider::Provider, stake::AMOUNT, stake::Stake,
};
use bitcoin::consensus::serialize;
use btc_staking_babylon::proto::btclightclient::MsgInsertHeaders;
use btc_staking_devnet_chain::{Genesis, RuleSet};
use btc_staking_protocol::params::StakingParams;

fn deleted() -> Provider {
    Provider::new("provider-2", 1, 100)
}

fn listed(params: &StakingParams) -> Stake {
    Stake::new(params, "listed", Provider::new("provider-1", 1, 100).public(), 1000)
}

/// A chain with all of its lists filled.
pub fn genesis_of_lists() -> Genesis {
    let mut genesis = genesis();
    genesis.rules = RuleSet::Head;
    genesis.insert_headers_allow_list = vec![account("reporter").account().clone()];
    genesis.soft_deleted_finality_providers = vec![deleted().public()];
    let params = alter_params(&mut genesis, |fields| fields.allow_list_expiration_height = 1_000_000);
    genesis.allowed_staking_txids = vec![listed(&params).txid()];
    genesis
}

/// Breaks every rule about lists and of the head, on a chain of [`genesis_of_lists`].
pub async fn break_all(w: &mut World) -> Vec<Answer> {
    let mut answers = vec![];
    let mut judge = |case: &str, outcome| answers.push(Answer::of(case, outcome));
    let header = serialize(&w.bitcoin.clone().mine(&[]));
    let stranger = MsgInsertHeaders { signer: address("other"), headers: vec![header] };
    judge("headers_by_another", refuse(w, "other", &stranger).await);

    let (one, two) = (Provider::new("provider-1", 1, 100), deleted());
    w.must("provider-1", &one.registration()).await;
    w.must("provider-2", &two.registration()).await;
    judge("rand_deleted", refuse(w, "provider-2", &two.commitment()).await);
    let params = w.params.clone();
    let of_two = Stake::new(&params, "of the deleted", two.public(), 1000);
    judge("reg_deleted_provider", refuse(w, "staker", &of_two.registration(None)).await);
    let unlisted = Stake::new(&params, "unlisted", one.public(), 1000);
    judge("reg_not_listed", refuse(w, "staker", &unlisted.registration(None)).await);

    let parent = listed(&params);
    w.activate(&parent).await;
    let taken = Child::new(&params, "another owner", &parent, one.public(), AMOUNT + 50_000);
    judge("exp_other_staker", refuse(w, "staker", &taken.message()).await);
    answers
}
