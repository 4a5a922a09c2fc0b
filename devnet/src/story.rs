//! The story of three stakes.
//!
//! | chapter | what happens |
//! |---|---|
//! | `beginning` | the light client follows Bitcoin, finality providers commit randomness |
//! | `staking` | A, B and C are registered, approved before a coin is locked, confirmed, active |
//! | `finality` | ten blocks are finalised by both providers' votes |
//! | `leaving` | C unbonds, is reported and later withdraws; B begins to unbond |
//! | `slashing` | provider 1 signs twice, its key falls out, A and B are slashed and take their refunds |
//!
//! Roles act, and every step is checked against the chain and the Bitcoin node, whichever chain it is. The Bitcoin miner rests where the order
//! of things would otherwise be a race: until all stakes are approved, and while the double signer is found out.

mod ask;
mod beginning;
mod finality;
mod leaving;
mod slashing;
mod stake;
mod staking;

use crate::{
    daemons::RoleError,
    facts::{Facts, Untrue},
    network::Network,
    report::{EquivocationReport, Fate, StakeReport},
    timeline::Timeline,
};
use btc_staking_bitcoin_node::NodeError;
use btc_staking_pos_chain::ChainError;
use std::time::Duration;
use thiserror::Error;

/// Why a story did not come to its end.
#[derive(Debug, Error)]
pub enum StoryError {
    /// A fact does not hold.
    #[error(transparent)]
    Untrue(#[from] Untrue),
    /// A role failed.
    #[error(transparent)]
    Role(#[from] RoleError),
    /// The staking chain cannot be asked.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The Bitcoin node cannot be asked.
    #[error(transparent)]
    Bitcoin(#[from] NodeError),
    /// The devnet's own part cannot be played.
    #[error("{0}")]
    Devnet(String),
}

/// What a story found out, as far as it came.
#[derive(Debug, Default)]
pub struct Findings {
    /// The double sign.
    pub equivocation: Option<EquivocationReport>,
    /// Stakes that came to their end.
    pub stakes: Vec<StakeReport>,
}

/// What every chapter works with.
struct Stage<'a> {
    network: &'a mut Network,
    facts: &'a Facts<'a>,
    timeline: &'a Timeline,
    bitcoin_block_time: Duration,
}

/// Tells the story. `findings` is filled as it goes.
///
/// # Errors
/// [`StoryError`] with the first thing that is not as it must be.
pub async fn tell(
    network: &mut Network,
    facts: &Facts<'_>,
    timeline: &Timeline,
    bitcoin_block_time: Duration,
    findings: &mut Findings,
) -> Result<(), StoryError> {
    let mut stage = Stage { network, facts, timeline, bitcoin_block_time };
    timeline.heading("Before anybody stakes");
    beginning::members_are_processes(&stage)?;
    beginning::has_the_tip(&stage, "after the first blocks").await?;
    beginning::providers_are_ready(&stage).await?;
    timeline.heading("Three stakes");
    let [a, b, c] = staking::stake_all(&mut stage).await?;
    stage
        .network
        .staking_chain
        .bear_trouble(timeline)
        .await
        .map_err(|failure| StoryError::Devnet(failure.error.to_string()))?;
    timeline.heading("Finality");
    finality::ten_blocks(&stage, [&a, &b, &c]).await?;
    timeline.heading("C leaves, B begins to");
    leaving::unbond(&stage, &c).await?;
    finality::provider_is_without_power(&stage, &c).await?;
    leaving::unbond(&stage, &b).await?;
    timeline.heading("Provider 1 signs twice");
    stage.network.miner.pause();
    findings.equivocation = Some(slashing::equivocate(&stage, &a).await?);
    slashing::are_slashed(&mut stage, [&a, &b]).await?;
    timeline.heading("What is left comes back");
    for (stake, fate) in
        [(&c, Fate::Withdrawn), (&a, Fate::SlashedFromStaking), (&b, Fate::SlashedFromUnbonding)]
    {
        findings.stakes.push(leaving::withdraw(&stage, stake, fate).await?);
    }
    findings.stakes.sort_by_key(|stake| stake.name);
    leaving::is_untouched(&stage, &c).await?;
    for closing in stage.network.staking_chain.closing_facts().await {
        facts.state(stage.claim("staking chain", closing.fact, &[]), closing.outcome)?;
    }
    Ok(())
}
