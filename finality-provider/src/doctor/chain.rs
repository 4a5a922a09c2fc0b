//! What is on each chain: nodes, clock, account, standing, randomness.

use super::{Finding, home::chain_of};
use crate::{
    config::ChainPlan,
    machine::planner::{Delays, Lead},
    status::{ChainStatus, Presence, age, survey},
};
use btc_staking_eots_manager::{keys::EotsKey, made_with, records::Subject};
use btc_staking_pos_chain::{
    connect::{ChainEndpoint, Connector},
    in_time,
    ports::{ChainError, FinalityProvider, PosChain, StoredCommitment},
    watch::NodeReport,
};
use btc_staking_protocol::{
    finality::randomness::CommittedRandomness,
    height::{Epoch, PosHeight},
    keys::{AccountAddress, FinalityProviderPublicKey},
};
use std::{future::Future, sync::Arc, time::Duration};

/// Our clock may be off by this much without anybody noticing.
const CLOCK_TOLERANCE: u64 = 5;
/// A clock this far off spoils timestamps, jail times and TLS.
const CLOCK_LIMIT: u64 = 60;
/// A latest block older than this means that the chain, or the node, stands still.
const OLD_BLOCK: u64 = 300;
/// Blocks a node may be behind the best one.
const LAG: u64 = 5;
/// Commitments the account should be able to pay for.
const ENOUGH_COMMITMENTS: u64 = 10;

/// One chain as it was found.
pub struct ChainExam<'a> {
    /// Its configuration.
    pub plan: &'a ChainPlan,
    /// The providers that vote there.
    pub subjects: Vec<Subject>,
    /// The paying account, if known.
    pub account: Option<AccountAddress>,
    /// Opened keys, to recompute commitments with; empty while they are sealed.
    pub keys: &'a [EotsKey],
    /// Seconds since 1970.
    pub now: u64,
}

impl ChainExam<'_> {
    /// Looks at the chain.
    pub async fn examine(&self, connector: &dyn Connector) -> Vec<Finding> {
        let id = &self.plan.endpoint.id;
        let chain = match self.ask(connector.connect(&self.plan.endpoint)).await {
            Ok(chain) => chain,
            Err(error) => return self.examine_alone(connector, &error).await,
        };
        let nodes = chain.fetch_nodes().await;
        let mut findings = judge_nodes(id, &nodes, self.plan.endpoint.agreement);
        findings.push(judge_clock(id, self.now, &nodes));
        findings.push(self.examine_balance(chain.as_ref()).await);
        let delays = match self.read_delays(chain.as_ref()).await {
            Ok(delays) => delays,
            Err(error) => {
                findings.push(Finding::not_checked("lead", format!("{id}: {error}"), "mend the nodes first"));
                return findings;
            }
        };
        findings.push(judge_lead(id, self.plan.settings.plan.lead, &delays));
        for subject in &self.subjects {
            findings.extend(self.examine_provider(&chain, subject, &delays).await);
        }
        findings
    }

    /// No use of the chain as it is configured: every node is looked at for itself.
    async fn examine_alone(&self, connector: &dyn Connector, error: &ChainError) -> Vec<Finding> {
        let endpoint = &self.plan.endpoint;
        let mut findings = vec![Finding::failure(
            "nodes",
            format!("{}: the chain cannot be used: {}", endpoint.id, error.detail),
            "start or replace the nodes in chain.rpc, or correct the chain's configuration; see the guide to nodes",
        )];
        for (index, url) in endpoint.rpc.iter().enumerate() {
            let alone = ChainEndpoint { rpc: vec![url.clone()], agreement: 1, ..endpoint.clone() };
            // The address may hold a password, so it is told by its place in the list.
            let name = format!("{}: node {} of chain.rpc", endpoint.id, index + 1);
            findings.push(match self.ask(connector.connect(&alone)).await {
                Ok(_) => Finding::ok("nodes", format!("{name} can be used")),
                Err(error) => {
                    Finding::failure("nodes", format!("{name}: {}", error.detail), "mend it or take it out")
                }
            });
        }
        findings
    }

    async fn examine_balance(&self, chain: &dyn PosChain) -> Finding {
        let id = &self.plan.endpoint.id;
        let account = match &self.account {
            Some(account) => Some(account.clone()),
            None => self.registered_account(chain).await,
        };
        let Some(account) = account else {
            return Finding::not_checked(
                "balance",
                format!("{id}: the account is sealed"),
                "run with --with-keys",
            );
        };
        match self.ask(chain.fetch_balance(&account)).await {
            Ok(balance) => judge_balance(&self.plan.endpoint, &account, balance),
            Err(error) => Finding::not_checked("balance", format!("{id}: {error}"), "mend the nodes first"),
        }
    }

    /// The account that registered the first provider that is registered: it commits for it.
    async fn registered_account(&self, chain: &dyn PosChain) -> Option<AccountAddress> {
        let key = self.subjects.first()?.finality_provider;
        Some(self.ask(chain.fetch_finality_provider(&key)).await.ok()??.account)
    }

    /// What decides how long a commitment takes to become usable.
    async fn read_delays(&self, chain: &dyn PosChain) -> Result<Delays, ChainError> {
        let timeout = self.plan.settings.request_timeout;
        let (params, epoch_interval) = tokio::try_join!(
            self.ask(chain.fetch_checkpoint_params()),
            self.ask(chain.fetch_epoch_interval()),
        )?;
        let pace = survey::measure_pace(chain, timeout).await;
        let block_time = pace.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Ok(Delays { epoch_interval, finalization_timeout: params.finalization_timeout, block_time })
    }

    async fn examine_provider(
        &self,
        chain: &Arc<dyn PosChain>,
        subject: &Subject,
        delays: &Delays,
    ) -> Vec<Finding> {
        let key = subject.finality_provider;
        let read = async {
            tokio::try_join!(
                self.ask(chain.fetch_head()),
                self.ask(chain.fetch_finality_provider(&key)),
                self.ask(chain.fetch_signing_info(&key)),
                self.ask(chain.fetch_finality_params()),
                self.ask(chain.fetch_randomness_commitments(&key)),
                self.ask(chain.fetch_last_finalised_epoch()),
            )
        };
        let (head, record, info, params, commitments, epoch) = match read.await {
            Ok(read) => read,
            Err(error) => {
                let found = format!("{key} on {}: {error}", subject.chain_id);
                return vec![Finding::not_checked("provider", found, "mend the nodes first")];
            }
        };
        let presence = info.map(|info| Presence::of(&info, &params));
        let mut findings = vec![judge_provider(subject, record.as_ref(), presence, self.now)];
        if record.is_some_and(|record| record.slashed.is_none()) {
            findings.push(judge_runway(subject, &commitments, head.height, epoch, delays));
            findings.push(self.examine_randomness(subject, &commitments, head.height).await);
        }
        findings
    }

    async fn examine_randomness(
        &self,
        subject: &Subject,
        commitments: &[StoredCommitment],
        tip: PosHeight,
    ) -> Finding {
        let name = format!("{} on {}", subject.finality_provider, subject.chain_id);
        let Some(key) = self.keys.iter().find(|key| key.public_key() == subject.finality_provider) else {
            let found = format!("{name}: the commitments on chain were not recomputed");
            return Finding::not_checked("randomness", found, "run with --with-keys");
        };
        // What lies behind is not voted on any more.
        let ahead = commitments.iter().filter(|c| survey::end(c) >= Some(tip));
        let ahead: Vec<_> = ahead.copied().collect();
        tokio::task::block_in_place(|| judge_randomness(key, subject, &ahead))
    }

    /// Waits for an answer as long as the daemon would.
    async fn ask<T>(
        &self,
        answer: impl Future<Output = Result<T, ChainError>> + Send,
    ) -> Result<T, ChainError> {
        in_time(self.plan.settings.request_timeout, "this", answer).await
    }
}

/// Judges every node, and whether enough of them can be used.
pub fn judge_nodes(id: &str, nodes: &[NodeReport], agreement: usize) -> Vec<Finding> {
    let shown = ChainStatus { nodes: survey::nodes_of(nodes), ..ChainStatus::default() };
    let usable = shown.usable_nodes();
    let summary = format!("{id}: {usable} of {} nodes usable, {agreement} must agree", nodes.len());
    let mut findings = vec![match usable {
        usable if usable < agreement => Finding::failure(
            "nodes",
            summary,
            "nothing is signed until enough nodes agree: mend those below or add others",
        ),
        1 if nodes.len() == 1 => {
            Finding::warning("nodes", summary, "add a second node: votes stop when the only one does")
        }
        usable if usable == agreement && agreement > 1 => {
            Finding::warning("nodes", summary, "add a node: votes stop when one of these does")
        }
        _ => Finding::ok("nodes", summary),
    }];
    findings.extend(nodes.iter().zip(&shown.nodes).filter_map(|(node, shown)| {
        let name = format!("{id}: {}", node.name);
        let mend = match (&shown.trouble, shown.lag, &node.told) {
            (Some(trouble), ..) => {
                return Some(Finding::warning(
                    "nodes",
                    format!("{name}: {trouble}"),
                    "mend it or take it out of chain.rpc",
                ));
            }
            (None, Some(lag), _) if lag > LAG => format!("{lag} blocks behind"),
            (None, _, Some(told)) if !told.has_tx_index => {
                let found =
                    format!("{name} keeps no index of transactions, so it cannot tell what became of one");
                return Some(Finding::warning("nodes", found, "set indexer = \"kv\" in its config.toml"));
            }
            _ => return None,
        };
        Some(Finding::warning(
            "nodes",
            format!("{name} is {mend}"),
            "look at its disk and peers, or use a nearer node",
        ))
    }));
    findings
}

/// Judges our clock by the clocks of the nodes, else by the chain's latest block.
pub fn judge_clock(id: &str, now: u64, nodes: &[NodeReport]) -> Finding {
    let told = |of: fn(&btc_staking_pos_chain::watch::NodeTold) -> Option<u64>| {
        let mut told: Vec<u64> = nodes.iter().filter_map(|node| of(node.told.as_ref()?)).collect();
        told.sort_unstable();
        told
    };
    let (clocks, blocks) = (told(|told| told.clock), told(|told| told.block_time));
    let mend = "turn on time synchronisation: timedatectl set-ntp true";
    // The middle one, so that a single wrong clock does not accuse ours.
    if let Some(theirs) = clocks.get(clocks.len() / 2) {
        let off = now.abs_diff(*theirs);
        let found = format!("{id}: our clock and the nodes' are {off} s apart");
        if off > CLOCK_LIMIT {
            return Finding::failure("clock", found, mend);
        }
        if off > CLOCK_TOLERANCE {
            return Finding::warning("clock", found, mend);
        }
    }
    let Some(latest) = blocks.last() else {
        return Finding::not_checked("clock", format!("{id}: no node tells a time"), "mend the nodes first");
    };
    if *latest > now.saturating_add(CLOCK_TOLERANCE) {
        let found = format!("{id}: the latest block is {} s in our future", latest - now);
        return Finding::failure("clock", found, mend);
    }
    let old = now - latest.min(&now);
    if old > OLD_BLOCK {
        let found = format!("{id}: the latest block is {} old", age(old));
        return Finding::warning(
            "clock",
            found,
            "compare with an explorer: the chain halted, or the nodes are cut off",
        );
    }
    Finding::ok("clock", format!("{id}: the latest block is {old} s old"))
}

/// Judges what the account pays for.
pub fn judge_balance(endpoint: &ChainEndpoint, account: &AccountAddress, balance: u128) -> Finding {
    let balance = u64::try_from(balance).unwrap_or(u64::MAX);
    let commitments = survey::affordable(balance, endpoint);
    let pays = commitments.map_or("an unknown number of".to_owned(), |count| format!("about {count}"));
    let found = format!("{}: {balance} {} pay for {pays} commitments", endpoint.id, endpoint.fee_denom);
    let mend =
        format!("send coins to {}: without them randomness runs out and voting ends", account.bech32());
    match commitments {
        Some(0) => Finding::failure("balance", found, mend),
        Some(few) if few < ENOUGH_COMMITMENTS => Finding::warning("balance", found, mend),
        Some(_) | None => Finding::ok("balance", found),
    }
}

/// Judges how far ahead is committed against the time until a commitment is usable.
pub fn judge_lead(id: &str, lead: Lead, delays: &Delays) -> Finding {
    let (covered, needed) = (lead.blocks(delays), delays.usual());
    let found = format!(
        "{id}: randomness is committed {covered} blocks{} ahead, a commitment is usable after about {needed}{}",
        hours(covered, delays),
        hours(needed, delays)
    );
    if covered < needed {
        let mend = format!("set randomness.lead to \"auto\", or to {} or more", delays.with_reserve());
        return Finding::warning("lead", found, mend);
    }
    Finding::ok("lead", found)
}

/// So many blocks in hours, where the pace is known.
fn hours(blocks: u64, delays: &Delays) -> String {
    let pace = delays.block_time.map(|pace| pace.as_secs_f64());
    let chain = ChainStatus { block_seconds: pace, ..ChainStatus::default() };
    chain.hours(blocks).map_or(String::new(), |hours| format!(" ({hours:.0} h)"))
}

/// Judges standing and presence.
pub fn judge_provider(
    subject: &Subject,
    record: Option<&FinalityProvider>,
    presence: Option<Presence>,
    now: u64,
) -> Finding {
    let name = format!("{} on {}", subject.finality_provider, subject.chain_id);
    let Some(record) = record else {
        let mend = "finality-provider register --moniker NAME";
        return Finding::failure("provider", format!("{name} is not registered"), mend);
    };
    if record.slashed.is_some() {
        let mend = "it never votes again: see the runbook, and take the key out of the configuration";
        return Finding::failure("provider", format!("{name} is slashed"), mend);
    }
    if record.jailed {
        let rest = presence.and_then(|presence| presence.jailed_until).map(|until| until.saturating_sub(now));
        let when = match rest {
            Some(0) => "may be unjailed now".to_owned(),
            Some(rest) => format!("may be unjailed in {}", age(rest)),
            None => "its jail time is not known".to_owned(),
        };
        let mend = "find out why votes were missed, then `finality-provider unjail`";
        return Finding::failure("provider", format!("{name} is jailed, {when}"), mend);
    }
    let Some(presence) = presence else {
        return Finding::ok("provider", format!("{name} is registered and was never active"));
    };
    let found = format!(
        "{name} missed {} of {} blocks, {} more before jail",
        presence.missed,
        presence.window,
        presence.left()
    );
    if presence.missed > presence.allowed / 2 {
        return Finding::warning("provider", found, "see why votes are missed: `finality-provider status`");
    }
    Finding::ok("provider", found)
}

/// Judges how far ahead randomness is committed and usable.
pub fn judge_runway(
    subject: &Subject,
    commitments: &[StoredCommitment],
    tip: PosHeight,
    epoch: Epoch,
    delays: &Delays,
) -> Finding {
    let name = format!("{} on {}", subject.finality_provider, subject.chain_id);
    let ahead =
        |until: Option<PosHeight>| until.map_or(0, |until| until.to_u64().saturating_sub(tip.to_u64()));
    let committed = ahead(commitments.iter().filter_map(survey::end).max());
    let usable = ahead(survey::usable(commitments, epoch).0);
    let found = format!(
        "{name}: committed for {committed} blocks{}, usable for {usable}{}",
        hours(committed, delays),
        hours(usable, delays)
    );
    let start = "see that the daemon runs and that commitments get through (balance, log), and that randomness.lead is enough";
    match (committed, usable) {
        (0, _) => Finding::failure("runway", found, start),
        (committed, _) if committed < delays.usual() => {
            let late = "a commitment made only now is likely to come too late";
            Finding::warning("runway", format!("{found}: {late}"), start)
        }
        (_, 0) => Finding::warning("runway", found, "no vote before a commitment is final on Bitcoin: wait"),
        _ => Finding::ok("runway", found),
    }
}

/// Recomputes every commitment from the key.
pub fn judge_randomness(key: &EotsKey, subject: &Subject, commitments: &[StoredCommitment]) -> Finding {
    let name = format!("{} on {}", subject.finality_provider, subject.chain_id);
    for StoredCommitment { start_height, count, root, .. } in commitments {
        let range = CommittedRandomness { start_height: *start_height, count: *count, root: *root };
        let at = format!("the commitment to {count} heights from {}", start_height.to_u64());
        match made_with(key, &subject.chain_id, &range) {
            Ok(true) => {}
            Ok(false) => {
                let found = format!("{name}: {at} was not made with this key and chain id");
                let mend = "no vote is possible in its range. Look for another program that commits for this key, \
                            and at the chain id; then wait for a commitment of this daemon";
                return Finding::failure("randomness", found, mend);
            }
            Err(error) => {
                let found = format!("{name}: {at} cannot be recomputed: {}", chain_of(&error));
                return Finding::failure(
                    "randomness",
                    found,
                    "see the range; this program derives no such one",
                );
            }
        }
    }
    Finding::ok("randomness", format!("{name}: {} commitments ahead are this key's own", commitments.len()))
}

/// Keys that are named in the configuration and not among those held.
pub fn judge_keys_held(plan: &ChainPlan, held: &[FinalityProviderPublicKey]) -> Vec<Finding> {
    let unknown = plan.keys.iter().flatten().filter(|key| !held.contains(key));
    unknown
        .map(|key| {
            let found = format!("{}: keys names {key}, and no key file holds it", plan.endpoint.id);
            Finding::failure("keys", found, "add its file to eots_key_files, or take it out of keys")
        })
        .collect()
}

/// How long a whole chain may take to be looked at.
pub const LONGEST: Duration = Duration::from_secs(120);
