//! Sections 6.8, 6.9 row 12, 6.10 row 3 and 6.11 row 6a: stakes that spend stakes. A chain of its own, whose committee
//! changes twice on the way: the second keeps a quorum of the first, the third does not.

use super::{Answer, Outcome, fixture::altered, refuse};
use crate::support::{
    World, address,
    child::{Child, FUNDING},
    covenant, covenant_message, genesis,
    provider::Provider,
    secret,
    stake::{AMOUNT, Stake, funding_tx},
};
use bitcoin::{Amount, OutPoint, Transaction, consensus::serialize};
use btc_staking_babylon::proto::btcstaking::{MsgAddCovenantSigs, MsgBtcStakeExpand};
use btc_staking_devnet_chain::Genesis;
use btc_staking_protocol::{
    committee::CovenantCommittee,
    height::BtcHeight,
    keys::CovenantSecret,
    params::{ParamsHistory, ParamsVersion, StakingParams},
};

/// Bitcoin heights from which the second and the third committee apply.
const SECOND: u32 = 20;
const THIRD: u32 = 40;
const MORE: u64 = AMOUNT + 50_000;

fn newcomer(i: usize) -> CovenantSecret {
    CovenantSecret::from_bytes(&secret(&format!("newcomer {i}"))).unwrap()
}

fn of_kept_and_new(kept: usize) -> CovenantCommittee {
    let members = covenant().into_iter().take(kept).chain((kept..5).map(newcomer));
    CovenantCommittee::new(3, members.map(|member| member.public_key()).collect()).unwrap()
}

fn version(genesis: &Genesis, number: u32) -> StakingParams {
    genesis.staking_params.iter().find(|params| params.version == ParamsVersion(number)).unwrap().clone()
}

/// A chain with three committees.
pub fn genesis_of_expansions() -> Genesis {
    let mut genesis = genesis();
    let first = genesis.staking_params.latest().clone();
    let next = |number: u32, from: u32, kept: usize| {
        altered(&first, |fields| {
            fields.version = ParamsVersion(number);
            fields.btc_activation_height = BtcHeight::new(from);
            fields.covenant_committee = of_kept_and_new(kept);
        })
    };
    let history = vec![first.clone(), next(1, SECOND, 3), next(2, THIRD, 2)];
    genesis.staking_params = ParamsHistory::new(history).unwrap();
    genesis
}

/// The stakes of the story.
struct Story {
    second: StakingParams,
    one: Provider,
    two: Provider,
    parent: Stake,
    /// Registered, and nothing else.
    bystander: Stake,
    child: Child,
}

impl Story {
    /// An expansion of the parent that is right but for what is said.
    fn other(&self, provider: &Provider, amount: u64) -> MsgBtcStakeExpand {
        Child::new(&self.second, "parent", &self.parent, provider.public(), amount).message()
    }
}

/// Runs the story and breaks every rule on the way.
pub async fn break_all(w: &mut World) -> Vec<Answer> {
    let genesis = genesis_of_expansions();
    let (first, second, third) = (version(&genesis, 0), version(&genesis, 1), version(&genesis, 2));
    let mut answers = vec![];
    let mut judge = |case: &str, outcome| answers.push(Answer::of(case, outcome));
    let (one, two) = (Provider::new("provider-1", 1, 1000), Provider::new("provider-2", 1, 1000));
    w.mine(3, &[]).await;
    w.must("provider-1", &one.registration()).await;
    w.must("provider-2", &two.registration()).await;
    let parent = Stake::new(&first, "parent", one.public(), 1000);
    w.verified(&parent).await;
    let height = w.mine(3, &[parent.tx()]).await;
    w.mine(SECOND, &[]).await;
    let child = Child::new(&second, "parent", &parent, one.public(), MORE);
    judge("exp_parent_verified", expand(w, &child.message()).await);
    w.must("watchtower", &parent.inclusion(&w.bitcoin.prove(height, parent.tx()))).await;
    let bystander = Stake::new(&second, "bystander", one.public(), 1000);
    w.must("staker", &bystander.registration(None)).await;
    let story = Story { second, one, two, parent, bystander, child };
    for case in [
        "exp_two_providers",
        "exp_parent_hash",
        "exp_no_funding_tx",
        "exp_one_input",
        "exp_other_parent",
        "exp_other_funding",
        "exp_no_such_output",
        "exp_worthless_funding",
        "exp_unknown_parent",
        "exp_other_account",
        "exp_other_provider",
        "exp_funded_by_a_stake",
        "exp_parent_output",
        "exp_smaller",
        "exp_no_fee",
        "exp_unbonding_value",
    ] {
        judge(case, register(case, w, &story).await);
    }
    w.must("staker", &story.child.message()).await;
    judge("exp_reused", expand(w, &story.child.message()).await);
    let mut signed = sign_badly(w, &story).await;
    for i in 0..2 {
        let set = story.child.covenant_set(&story.parent, &covenant()[i]);
        w.must("covenant", &covenant_message(&set)).await;
    }
    spend_badly(w, &story, &mut signed).await;
    for (case, outcome) in signed {
        judge(case, outcome);
    }
    w.mine(THIRD, &[]).await;
    let late = Child::new(&third, "parent", &story.parent, story.one.public(), MORE + 1);
    judge("exp_committee", expand(w, &late.message()).await);
    answers
}

async fn expand(w: &World, message: &MsgBtcStakeExpand) -> Outcome {
    refuse(w, "staker", message).await
}

/// Section 6.8.
async fn register(case: &str, w: &World, s: &Story) -> Outcome {
    let good = s.child.message();
    let tx = |change: &dyn Fn(&mut Transaction)| {
        let mut tx = s.child.terms.staking_tx.clone();
        change(&mut tx);
        MsgBtcStakeExpand { staking_tx: serialize(&tx), ..good.clone() }
    };
    let message = match case {
        "exp_two_providers" => {
            let both = vec![good.fp_btc_pk_list[0].clone(), s.two.public().to_bytes().to_vec()];
            MsgBtcStakeExpand { fp_btc_pk_list: both, ..good }
        }
        "exp_parent_hash" => MsgBtcStakeExpand { previous_staking_tx_hash: "zz".into(), ..good },
        "exp_no_funding_tx" => MsgBtcStakeExpand { funding_tx: vec![1], ..good },
        "exp_one_input" => tx(&|tx| tx.input.truncate(1)),
        "exp_other_parent" => MsgBtcStakeExpand { previous_staking_tx_hash: "11".repeat(32), ..good },
        "exp_other_funding" => tx(&|tx| tx.input[1].previous_output.txid = s.parent.txid()),
        "exp_no_such_output" => tx(&|tx| tx.input[1].previous_output.vout = 7),
        "exp_worthless_funding" => {
            let mut funding = s.child.funding.clone();
            funding.output[0].value = Amount::ZERO;
            let spends = OutPoint::new(funding.compute_txid(), 0);
            let message = tx(&|tx| tx.input[1].previous_output = spends);
            MsgBtcStakeExpand { funding_tx: serialize(&funding), ..message }
        }
        "exp_unknown_parent" => {
            let nobody = Stake::new(s.parent.params(), "never registered", s.one.public(), 1000);
            Child::new(&s.second, "parent", &nobody, s.one.public(), MORE).message()
        }
        "exp_other_account" => {
            let message = MsgBtcStakeExpand { staker_addr: address("other"), ..good };
            return refuse(w, "other", &message).await;
        }
        "exp_other_provider" => s.other(&s.two, MORE),
        "exp_funded_by_a_stake" => {
            let stake = s.bystander.tx().clone();
            Child::funded(&s.second, "parent", &s.parent, s.one.public(), MORE, stake).message()
        }
        "exp_parent_output" => tx(&|tx| tx.input[0].previous_output.vout = 1),
        "exp_smaller" => s.other(&s.one, AMOUNT - 1),
        "exp_no_fee" => s.other(&s.one, AMOUNT + FUNDING),
        "exp_unbonding_value" => MsgBtcStakeExpand { unbonding_value: good.unbonding_value - 1, ..good },
        other => panic!("{other}"),
    };
    expand(w, &message).await
}

type Named = Vec<(&'static str, Outcome)>;

/// Section 6.9 row 12.
async fn sign_badly(w: &World, s: &Story) -> Named {
    let good = covenant_message(&s.child.covenant_set(&s.parent, &covenant()[0]));
    let unsigned = MsgAddCovenantSigs { stake_expansion_tx_sig: None, ..good.clone() };
    let wrong = MsgAddCovenantSigs { stake_expansion_tx_sig: Some(good.unbonding_tx_sig.clone()), ..good };
    // A member of the second committee has everything to sign with, and was none of the first.
    let stranger = covenant_message(&s.child.stranger_set(&s.parent, &secret("newcomer 3")));
    let mut outcomes = vec![];
    for (case, message) in
        [("cov_expansion_unsigned", unsigned), ("cov_expansion_wrong", wrong), ("cov_newcomer", stranger)]
    {
        outcomes.push((case, refuse(w, "covenant", &message).await));
    }
    outcomes
}

/// Sections 6.10 row 3 and 6.11 row 6a, on a child with two of three signatures first.
async fn spend_badly(w: &mut World, s: &Story, outcomes: &mut Named) {
    let spend = s.child.spend(&s.parent, &covenant()[..3]);
    let height = w.mine(1, &[&spend]).await;
    let proof = w.bitcoin.prove(height, &spend);
    let mut report = s.parent.report(&spend, &proof);
    report.funding_transactions.push(serialize(&s.child.funding));
    outcomes.push(("und_expansion_no_quorum", refuse(w, "watchtower", &report).await));
    let last = s.child.covenant_set(&s.parent, &covenant()[2]);
    w.must("covenant", &covenant_message(&last)).await;
    outcomes.push(("und_expansion_not_deep", refuse(w, "watchtower", &report).await));
    let mut inclusion = s.parent.inclusion(&proof);
    inclusion.staking_tx_hash = s.child.txid().to_string();
    outcomes.push(("inc_expansion", refuse(w, "watchtower", &inclusion).await));
    // A transaction of this txid that another stake did not spend: the expansion is undone with the report.
    w.mine(2, &[]).await;
    let mut foreign = s.bystander.report(&spend, &w.bitcoin.prove(height, &spend));
    foreign.funding_transactions = vec![serialize(s.parent.tx()), serialize(&funding_tx("none", vec![]))];
    outcomes.push(("und_expansion_of_another", refuse(w, "watchtower", &foreign).await));
}
