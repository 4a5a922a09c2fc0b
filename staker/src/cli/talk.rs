//! What the holder is told and asked around a stake: the plan, the question, and why it went no further.

use super::session::refusal_exit;
use crate::{
    amount::display_feerate,
    machine::Report,
    service::PlannedStake,
    stake::{EndReason, Step},
    table::Table,
};
use bitcoin::Txid;
use btc_staking_daemon::cli::{Exit, FailWith, Failure};
use btc_staking_protocol::params::StakingParams;
use std::io::{self, IsTerminal, Write};
use thiserror::Error;

/// Why a stake did not come as far as asked for.
#[derive(Debug, Error)]
enum NotThere {
    #[error("stake {txid} is {state}, not further within the time given: `staker resume` goes on from here")]
    Waiting {
        txid: Txid,
        state: &'static str,
        #[source]
        report: Option<Report>,
    },
    #[error("stake {txid} is over, its coins are free again")]
    Over {
        txid: Txid,
        #[source]
        reason: EndReason,
    },
}

/// Why nothing was asked or the answer was no.
#[derive(Debug, Error)]
enum NotAgreed {
    #[error("nobody is there to agree: add --yes to stake without being asked")]
    NobodyThere,
    #[error("not staked, nothing was changed")]
    Declined,
    #[error("cannot read the answer")]
    Read(#[source] io::Error),
}

/// Turns a stake that did not come as far as asked for into the failure of its command.
pub(super) fn explain(txid: Txid, state: &'static str, step: &Step, report: Option<Report>) -> Failure {
    if let Step::Ended(reason) = step {
        let exit = match reason {
            EndReason::Refused(_) => Exit::Rejected,
            EndReason::Abandoned
            | EndReason::ProviderSlashed
            | EndReason::CoinSpent(_)
            | EndReason::Contradicted(_) => Exit::Refused,
        };
        return Failure::new(exit, NotThere::Over { txid, reason: reason.clone() });
    }
    let exit = match &report {
        Some(Report::BroadcastRefused(refusal)) => refusal_exit(refusal.kind),
        Some(Report::RegistrationUnknown(_)) => Exit::Unreachable,
        Some(Report::WrongTransaction) => Exit::Bug,
        Some(Report::ProviderSlashed) => Exit::Refused,
        Some(
            Report::QuorumMissing(_)
            | Report::RegistrationRefused(_)
            | Report::NotVisible
            | Report::ProviderNotVisible
            | Report::Broadcast
            | Report::TooLateToAbandon
            | Report::Over(_),
        )
        | None => Exit::NotReady,
    };
    Failure::new(exit, NotThere::Waiting { txid, state, report })
}

/// What the holder agrees to.
pub(super) fn describe_plan(plan: &PlannedStake) -> String {
    let (stake, outputs) = (plan.stake(), plan.checked().outputs());
    let mut table = Table::fields();
    table.row(["stake", &format!("{} sat for {} blocks", stake.amount.to_sat(), stake.staking_time)]);
    table.row(["finality provider", &stake.finality_provider.to_string()]);
    table.row(["staking output", &outputs.staking.descriptor()]);
    table.row(["fee", &format!("{} sat at {} sat/vB", stake.fee.to_sat(), display_feerate(plan.feerate()))]);
    let unbonding = stake.params.unbonding_fee;
    let early =
        format!("{} sat, coins free {} blocks later", unbonding.to_sat(), stake.params.unbonding_time);
    table.row(["fee to leave early", &early]);
    let slashed = format!("{} of the stake, should the provider sign twice", stake.params.slashing_rate);
    table.row(["slashing", &slashed]);
    if plan.trusts_params() {
        describe_params(&mut table, &stake.params);
    }
    let mut text = table.to_string();
    for warning in plan.warnings() {
        text += &format!("warning: {warning}\n");
    }
    text
}

/// Params that nobody but the holder vouches for, whole enough to compare them with another source.
fn describe_params(table: &mut Table, params: &StakingParams) {
    let version = format!("{}, not known to this program: compare what follows", params.version.0);
    table.row(["params version", &version]);
    let committee = &params.covenant_committee;
    table.row(["quorum", &format!("{} of {}", committee.quorum(), committee.keys().len())]);
    for key in committee.keys() {
        table.row(["committee member", &key.to_string()]);
    }
    table.row(["slashing script", &params.slashing_script.to_hex_string()]);
    table.row(["slashing rate", &params.slashing_rate.to_string()]);
    table.row(["unbonding time", &format!("{} blocks", params.unbonding_time)]);
}

/// Asks for consent; where no terminal is, nobody can give it.
pub(super) fn agree() -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Usage, NotAgreed::NobodyThere));
    }
    eprint!("Make this stake? [y/N] ");
    let mut answer = String::new();
    io::stderr().flush().and_then(|()| io::stdin().read_line(&mut answer)).map_err(NotAgreed::Read)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(NotAgreed::Declined).fail_with(Exit::Declined),
    }
}
