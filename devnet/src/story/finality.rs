//! Finality: both providers have the power of their stakes, and ten blocks are finalised by both votes.

use super::{Stage, StoryError, ask::btc, stake::Stake};
use bitcoin::Amount;
use btc_staking_pos_chain::VotingPower;
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};

/// Blocks that must be finalised by both.
const BLOCKS: usize = 10;

/// Each provider's power is the sum of its stakes; then ten blocks are finalised by the votes of both.
pub async fn ten_blocks(stage: &Stage<'_>, stakes: [&Stake; 3]) -> Result<(), StoryError> {
    let mut from = PosHeight::new(0);
    for (place, provider) in stage.network.roster.providers.iter().enumerate() {
        let own = stakes.iter().filter(|stake| stake.intention.provider == place);
        let power: Amount = own.map(|stake| stake.intention.amount).sum();
        let claim = stage.claim(&provider.name, format!("has voting power of {}", btc(power)), &["slasher"]);
        let since = stage.facts.wait(claim, || has_power(stage, &provider.key, power)).await?;
        from = from.max(since);
    }
    let claim = stage.claim(
        "staking chain",
        format!("{BLOCKS} blocks are finalised by the votes of both providers"),
        &["provider-1", "provider-2"],
    );
    let heights = stage.facts.wait(claim, || finalised_by_both(stage, from)).await?;
    if let (Some(first), Some(last)) = (heights.first(), heights.last()) {
        stage.timeline.detail(format_args!("heights {first} to {last}"));
    }
    Ok(())
}

/// The provider of a stake that left has no power any more.
pub async fn provider_is_without_power(stage: &Stage<'_>, left: &Stake) -> Result<(), StoryError> {
    let provider = stage.provider(left);
    let claim = stage.claim(&provider.name, "has no voting power any more", &["slasher"]);
    stage
        .facts
        .wait(claim, || async {
            let height = stage.fetch_height().await?;
            match fetch_power(stage, &provider.key, height).await? {
                VotingPower::None => Ok(()),
                other => Err(format!("{other:?} at height {height}")),
            }
        })
        .await?;
    Ok(())
}

async fn has_power(
    stage: &Stage<'_>,
    key: &FinalityProviderPublicKey,
    power: Amount,
) -> Result<PosHeight, String> {
    let height = stage.fetch_height().await?;
    match fetch_power(stage, key, height).await? {
        VotingPower::Has(found) if found == power.to_sat() => Ok(height),
        other => Err(format!("{other:?} at height {height}")),
    }
}

async fn fetch_power(
    stage: &Stage<'_>,
    key: &FinalityProviderPublicKey,
    height: PosHeight,
) -> Result<VotingPower, String> {
    stage.network.chain.fetch_voting_power(key, height).await.map_err(|error| error.to_string())
}

/// The first blocks from a height on that are final and that both voted for.
async fn finalised_by_both(stage: &Stage<'_>, from: PosHeight) -> Result<Vec<PosHeight>, String> {
    let chain = &stage.network.chain;
    let tip = stage.fetch_height().await?;
    let keys: Vec<_> = stage.network.roster.providers.iter().map(|provider| provider.key).collect();
    let (mut both, mut height) = (Vec::new(), from);
    while height <= tip && both.len() < BLOCKS {
        let block = chain.fetch_indexed_block(height).await.map_err(|error| error.to_string())?;
        if block.is_some_and(|block| block.finalised) {
            let votes = chain.fetch_votes(height).await.map_err(|error| error.to_string())?;
            if keys.iter().all(|key| votes.contains(key)) {
                both.push(height);
            }
        }
        height = height.next();
    }
    if both.len() >= BLOCKS {
        Ok(both)
    } else {
        Err(format!("{} of the blocks {from} to {tip} are", both.len()))
    }
}
