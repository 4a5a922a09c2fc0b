//! Three stakes: registered, approved before a coin is locked, confirmed, active.

use super::{
    Stage, StoryError,
    ask::btc,
    stake::{INTENTIONS, Intention, Stake},
};
use crate::roles::Role;
use bitcoin::Network;
use btc_staking_protocol::{
    delegation::{Delegation, DelegationStatus},
    keys::StakerPublicKey,
};

/// Stakes all three side by side.
pub async fn stake_all(stage: &mut Stage<'_>) -> Result<[Stake; 3], StoryError> {
    let [a, b, c] = INTENTIONS;
    let here = &*stage;
    let approve = async |intention: Intention| {
        let key =
            here.network.roster.stakers[intention.staker].phrase.keys(Network::Regtest).staker_public_key();
        let (_, stake) = tokio::try_join!(begin(here, intention), approved(here, intention, key))?;
        Ok::<Stake, StoryError>(stake)
    };
    let (a, b, c) = tokio::try_join!(approve(a), approve(b), approve(c))?;
    stage.network.miner.start(stage.bitcoin_block_time);
    stage.timeline.event(
        "miner",
        format_args!("a Bitcoin block every {} ms from now on", stage.bitcoin_block_time.as_millis()),
    );
    let here = &*stage;
    tokio::try_join!(active(here, &a), active(here, &b), active(here, &c))?;
    Ok([a, b, c])
}

/// The holder's command: plans, registers, waits for the committee, checks its signatures, broadcasts.
async fn begin(stage: &Stage<'_>, intention: Intention) -> Result<(), StoryError> {
    let network = &*stage.network;
    let provider = &network.roster.providers[intention.provider];
    let installed = &network.roles.stakers[intention.staker];
    stage.timeline.event(
        &installed.name,
        format_args!(
            "stakes {} for {} blocks with {}",
            btc(intention.amount),
            intention.timelock,
            provider.name
        ),
    );
    let (key, amount, timelock) =
        (provider.key.to_string(), intention.amount.to_sat().to_string(), intention.timelock.to_string());
    let amount = format!("{amount}sat");
    let args = ["stake", "--finality-provider", &key, "--amount", &amount, "--timelock", &timelock, "--yes"];
    network.daemons.command(Role::Staker, installed, &args).await?;
    Ok(())
}

/// Waits for the committee's quorum while no Bitcoin block is mined, and verifies it.
async fn approved(
    stage: &Stage<'_>,
    intention: Intention,
    key: StakerPublicKey,
) -> Result<Stake, StoryError> {
    let network = &*stage.network;
    let who = format!("stake {}", intention.name);
    let responsible =
        ["covenant-1", "covenant-2", "covenant-3", network.roles.stakers[intention.staker].name.as_str()];
    let claim = stage.claim(&who, "is registered", &responsible);
    let told = stage.facts.wait(claim, || registered(stage, intention, key)).await?;
    let txid = told.terms.staking_tx.compute_txid();
    stage.timeline.detail(format_args!("tx {txid}"));
    let params = network.chain.fetch_staking_params_version(told.params_version).await?;
    let claim = stage.claim(
        &who,
        format!(
            "is approved by {} of {} members before a coin is locked",
            crate::roster::QUORUM,
            crate::roster::MEMBERS
        ),
        &responsible,
    );
    let checked = stage
        .facts
        .wait(claim, || async {
            let told = stage.fetch_with_status(&txid, DelegationStatus::Verified).await?;
            let checked = told.rebuild(&params).map_err(|untrue| untrue.to_string())?;
            checked.verified_quorum(&told.covenant).map_err(|missing| missing.to_string())?;
            if told.inclusion.is_some() || stage.fetch_confirmed(&txid, 0).await.is_ok() {
                return Err("its coins are locked already".to_owned());
            }
            Ok(checked)
        })
        .await?;
    Ok(Stake { intention, checked, params })
}

async fn registered(
    stage: &Stage<'_>,
    intention: Intention,
    key: StakerPublicKey,
) -> Result<Delegation, String> {
    let provider = &stage.network.roster.providers[intention.provider];
    let all =
        stage.network.chain.fetch_delegations_to(&provider.key).await.map_err(|error| error.to_string())?;
    let own = all.items.into_iter().find(|delegation| delegation.terms.staker == key);
    let own = own.ok_or_else(|| format!("{} has no stake of this holder", provider.name))?;
    if own.terms.staking_value != intention.amount {
        return Err(format!("it is of {}", btc(own.terms.staking_value)));
    }
    Ok(own)
}

/// Waits until the stake is deep enough on Bitcoin and counts on the chain.
async fn active(stage: &Stage<'_>, stake: &Stake) -> Result<(), StoryError> {
    let (who, txid) = (stake.who(), stake.txid());
    let depth = stage.network.chain.fetch_checkpoint_params().await?.confirmation_depth;
    let holder = stage.holder(stake).name.as_str();
    let claim = stage.claim(&who, format!("is {depth} blocks deep on Bitcoin"), &[holder]);
    let confirmed = stage.facts.wait(claim, || stage.fetch_confirmed(&txid, depth.to_u32())).await?;
    let locked = confirmed.tx.output.iter().find(|output| **output == stake.checked.staking_prevout());
    let claim = stage.claim(&who, format!("locks {}", btc(stake.intention.amount)), &[holder]);
    stage.facts.state(claim, locked.ok_or_else(|| "another output".to_owned()))?;
    let claim = stage.claim(&who, "is active", &["slasher"]);
    stage.facts.wait(claim, || stage.fetch_with_status(&txid, DelegationStatus::Active)).await?;
    Ok(())
}
