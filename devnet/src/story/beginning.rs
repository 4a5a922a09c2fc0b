//! Before anybody stakes: the chain's light client follows Bitcoin, and finality providers are ready.

use super::{Stage, StoryError};
use crate::roster::MEMBERS;
use btc_staking_pos_chain::StoredCommitment;
use std::collections::{BTreeMap, BTreeSet};

/// The watchtower relays every Bitcoin header.
pub async fn has_the_tip(stage: &Stage<'_>, when: &str) -> Result<(), StoryError> {
    let network = &*stage.network;
    let claim = stage.claim("light client", format!("has Bitcoin's tip {when}"), &["slasher"]);
    stage
        .facts
        .wait(claim, || async {
            let seen = network.chain.fetch_light_client_tip().await.map_err(|error| error.to_string())?;
            let tip = network.ledger.fetch_height().await.map_err(|error| error.to_string())?;
            if seen.height == tip {
                Ok(())
            } else {
                Err(format!("it is at {}, Bitcoin at {tip}", seen.height))
            }
        })
        .await?;
    Ok(())
}

/// Each member of the committee is a process of its own. Says nothing where daemons are threads.
pub fn members_are_processes(stage: &Stage<'_>) -> Result<(), StoryError> {
    let network = &*stage.network;
    let pids: BTreeMap<String, u32> = network.daemons.pids().into_iter().collect();
    if pids.is_empty() {
        return Ok(());
    }
    let members = network.roster.covenants.iter().filter_map(|member| pids.get(&member.name));
    let distinct: BTreeSet<u32> = members.copied().collect();
    let fact = format!("{MEMBERS} members run, each as a process with its own key");
    let outcome = match distinct.len() {
        found if found == usize::from(MEMBERS) => Ok(()),
        found => Err(format!("{found} processes")),
    };
    Ok(stage.facts.state(stage.claim("covenant", fact, &[]), outcome)?)
}

/// Both providers are registered and have committed public randomness.
pub async fn providers_are_ready(stage: &Stage<'_>) -> Result<(), StoryError> {
    let network = &*stage.network;
    for provider in &network.roster.providers {
        let claim = stage.claim(&provider.name, "is registered", &[&provider.name]);
        stage
            .facts
            .wait(claim, || async {
                let found = network.chain.fetch_finality_provider(&provider.key).await;
                found
                    .map_err(|error| error.to_string())?
                    .ok_or("the chain does not know it")
                    .map_err(String::from)
            })
            .await?;
        let claim = stage.claim(&provider.name, "has committed public randomness", &[&provider.name]);
        let commitment = stage.facts.wait(claim, || first_commitment(stage, provider)).await?;
        let (start, root) = (commitment.start_height, hex::encode(commitment.root));
        stage.timeline.detail(format_args!("{} heights from {start}, root {root}", commitment.count));
    }
    Ok(())
}

async fn first_commitment(
    stage: &Stage<'_>,
    provider: &crate::roster::Provider,
) -> Result<StoredCommitment, String> {
    let commitments = stage.network.chain.fetch_randomness_commitments(&provider.key).await;
    let commitments = commitments.map_err(|error| error.to_string())?;
    commitments.first().copied().ok_or_else(|| "it has committed to none".to_owned())
}
