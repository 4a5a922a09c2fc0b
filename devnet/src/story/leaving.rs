//! Leaving: unbonding, and taking back what is left.

use super::{Stage, StoryError, ask::btc, stake::Stake};
use crate::{
    ledger::Confirmed,
    report::{Fate, StakeReport},
    roles::Role,
};
use bitcoin::{OutPoint, Txid};
use btc_staking_protocol::delegation::{DelegationStatus, SlashedOutput};

/// The holder unbonds; the transaction is on Bitcoin; the watchtower reports it.
pub async fn unbond(stage: &Stage<'_>, stake: &Stake) -> Result<(), StoryError> {
    let (who, holder) = (stake.who(), stage.holder(stake).name.as_str());
    run(stage, stake, "unbond").await?;
    let expected = stake.unbonding_outpoint().txid;
    let depth = stage.network.chain.fetch_checkpoint_params().await?.confirmation_depth.to_u32();
    let claim = stage.claim(&who, "is spent by its unbonding transaction", &[holder]);
    let spender = stage
        .facts
        .wait(claim, || async {
            let spender = stage.fetch_spender(&stake.staking_outpoint(), depth).await?;
            if spender.txid == expected { Ok(spender) } else { Err(format!("spent by {}", spender.txid)) }
        })
        .await?;
    stage.timeline.detail(format_args!("Bitcoin block {}, tx {expected}", spender.height));
    let txid = stake.txid();
    let claim = stage.claim(&who, "is reported as unbonded", &["slasher"]);
    stage.facts.wait(claim, || stage.fetch_with_status(&txid, DelegationStatus::Unbonded)).await?;
    Ok(())
}

/// The holder takes back what the timelock gives free, into its own wallet.
pub async fn withdraw(stage: &Stage<'_>, stake: &Stake, fate: Fate) -> Result<StakeReport, StoryError> {
    let (who, holder) = (stake.who(), stage.holder(stake));
    let (outpoint, slashing_txid) = last_output(stake, fate);
    let blocks = stake.params.unbonding_time.blocks();
    let claim = stage.claim(&who, format!("timelock of {blocks} blocks is over"), &[]);
    let depth = u32::from(blocks).saturating_sub(1);
    stage.facts.wait(claim, || stage.fetch_confirmed(&outpoint.txid, depth)).await?;
    run(stage, stake, "withdraw").await?;
    let claim = stage.claim(&who, "comes back to its holder's wallet", &[&holder.name]);
    let spender = stage
        .facts
        .wait(claim, || async {
            let spender = stage.fetch_spender(&outpoint, 0).await?;
            if spender.tx.output.iter().all(|output| holder.owns(&output.script_pubkey)) {
                return Ok(spender);
            }
            Err(format!("{} pays somebody else", spender.txid))
        })
        .await?;
    tell_return(stage, &spender);
    Ok(StakeReport {
        name: stake.intention.name,
        staking_txid: stake.txid(),
        provider: stage.provider(stake).key,
        fate,
        slashing_txid,
        last_txid: spender.txid,
    })
}

/// A stake with the other provider: neither of its outputs was ever slashed.
pub async fn is_untouched(stage: &Stage<'_>, stake: &Stake) -> Result<(), StoryError> {
    let who = stake.who();
    for output in [SlashedOutput::Staking, SlashedOutput::Unbonding] {
        let name = match output {
            SlashedOutput::Staking => "staking",
            SlashedOutput::Unbonding => "unbonding",
        };
        let slashing = stake.slashing_tx(output).compute_txid();
        let claim = stage.claim(&who, format!("{name} output was not slashed"), &["slasher"]);
        stage.facts.state(claim, stage.fetch_unknown(&slashing).await)?;
    }
    Ok(())
}

fn last_output(stake: &Stake, fate: Fate) -> (OutPoint, Option<Txid>) {
    let refund = |output| {
        let refund = stake.refund_outpoint(output);
        (refund, Some(refund.txid))
    };
    match fate {
        Fate::SlashedFromStaking => refund(SlashedOutput::Staking),
        Fate::SlashedFromUnbonding => refund(SlashedOutput::Unbonding),
        Fate::Withdrawn => (stake.unbonding_outpoint(), None),
    }
}

fn tell_return(stage: &Stage<'_>, spender: &Confirmed) {
    let amount = spender.tx.output.iter().map(|output| output.value).sum();
    stage.timeline.detail(format_args!("{} in Bitcoin block {}", btc(amount), spender.height));
    stage.timeline.detail(format_args!("tx {}", spender.txid));
}

async fn run(stage: &Stage<'_>, stake: &Stake, command: &str) -> Result<(), StoryError> {
    let network = &*stage.network;
    let installed = &network.roles.stakers[stake.intention.staker];
    stage.timeline.event(&installed.name, format_args!("{command}s stake {}", stake.intention.name));
    let txid = stake.txid().to_string();
    network.daemons.command(Role::Staker, installed, &[command, &txid]).await?;
    Ok(())
}
