//! Looks, now and then, at what operators should know and no vote depends on: nodes, balance, presence, what is usable
//! and how long a block takes.
//!
//! What could not be learned is shown as not known; a survey never ends and never holds up a vote.

use super::{Board, NodeStatus, Presence};
use btc_staking_daemon::tasks::{Stop, TaskError};
use btc_staking_eots_manager::records::Subject;
use btc_staking_pos_chain::{
    connect::ChainEndpoint,
    in_time,
    ports::{ChainError, FinalityParams, PosChain, StoredCommitment},
    watch::{NodeReport, SigningInfo},
};
use btc_staking_protocol::{
    finality::randomness::is_usable,
    height::{Epoch, PosHeight},
    keys::AccountAddress,
    rate::Decimal,
};
use std::{future::Future, sync::Arc, time::Duration};

/// Between two looks.
pub const INTERVAL: Duration = Duration::from_secs(10);
/// Looks at the chain between two at every provider, of which there may be many.
const LOOKS: u32 = 3;
/// Blocks over which the pace is taken, the longer span first; a node may have pruned its end.
const SPANS: [u64; 3] = [1_000, 100, 10];
/// Gas of one commitment of randomness: on the careful side, so that fewer are told than can be paid for.
const COMMITMENT_GAS: u128 = 120_000;

/// What is looked at for one chain.
pub struct Survey {
    /// The providers on the chain.
    pub subjects: Vec<Subject>,
    /// The chain.
    pub chain: Arc<dyn PosChain>,
    /// The account that pays.
    pub account: AccountAddress,
    /// Where the chain is, and how it is paid.
    pub endpoint: ChainEndpoint,
    /// Longest wait for an answer.
    pub request_timeout: Duration,
    /// Where it is shown.
    pub board: Board,
}

/// Looks until told to stop.
///
/// # Errors
/// None; what cannot be learned is shown as such.
pub async fn run_survey(survey: Arc<Survey>, interval: Duration, mut stop: Stop) -> Result<(), TaskError> {
    for looks in (0..LOOKS).cycle() {
        let look = async {
            survey.look_at_chain().await;
            if looks == 0 {
                survey.look_at_providers().await;
            }
        };
        let looked = stop.race(look).await;
        if looked.is_err() || stop.sleep(interval).await.is_err() {
            break;
        }
    }
    Ok(())
}

impl Survey {
    /// Looks at nodes, account and pace.
    pub async fn look_at_chain(&self) {
        let Some(first) = self.subjects.first() else { return };
        let tip = self.ask(self.chain.fetch_head()).await.map(|head| head.height);
        let (nodes, balance, block_seconds) = tokio::join!(
            self.chain.fetch_nodes(),
            self.ask(self.chain.fetch_balance(&self.account)),
            measure_pace(self.chain.as_ref(), self.request_timeout),
        );
        let balance = balance.map(|balance| u64::try_from(balance).unwrap_or(u64::MAX));
        self.board.update_chain(first, |chain| {
            chain.height = chain.height.max(tip);
            chain.account = self.account.bech32().to_owned();
            chain.denom.clone_from(&self.endpoint.fee_denom);
            chain.balance = balance;
            chain.commitments_affordable = balance.and_then(|balance| affordable(balance, &self.endpoint));
            // A chain that stands still, or a pruned node, does not make the last pace unknown.
            chain.block_seconds = block_seconds.or(chain.block_seconds);
            chain.nodes_required = self.endpoint.agreement;
            chain.nodes = nodes_of(&nodes);
        });
    }

    /// Looks at the presence and the usable randomness of every provider.
    pub async fn look_at_providers(&self) {
        let params = self.ask(self.chain.fetch_finality_params()).await;
        let epoch = self.ask(self.chain.fetch_last_finalised_epoch()).await;
        for subject in &self.subjects {
            self.look_at(subject, params, epoch).await;
        }
    }

    async fn look_at(&self, subject: &Subject, params: Option<FinalityParams>, epoch: Option<Epoch>) {
        let key = &subject.finality_provider;
        let (info, commitments) = tokio::join!(
            self.ask(self.chain.fetch_signing_info(key)),
            self.ask(self.chain.fetch_randomness_commitments(key)),
        );
        let presence = info.flatten().zip(params).map(|(info, params)| Presence::of(&info, &params));
        let usable = commitments.zip(epoch).map(|(commitments, epoch)| usable(&commitments, epoch));
        self.board.update(subject, |status| {
            status.presence = presence;
            status.usable_until = usable.and_then(|(until, _)| until);
            status.commitment_lag_epochs = usable.map(|(_, lag)| lag);
        });
    }

    /// Waits for an answer, but not for ever; why there is none is the voter's to tell.
    async fn ask<T>(&self, answer: impl Future<Output = Result<T, ChainError>> + Send) -> Option<T> {
        in_time(self.request_timeout, "this", answer).await.ok()
    }
}

/// Seconds a block took on average over the last blocks.
pub(crate) async fn measure_pace(chain: &dyn PosChain, deadline: Duration) -> Option<f64> {
    let tip = in_time(deadline, "the pace", chain.fetch_head()).await.ok()?.height;
    let end = in_time(deadline, "the pace", chain.fetch_block_time(tip)).await.ok()?;
    for span in SPANS {
        let Some(start) = tip.checked_sub(span).filter(|start| start.to_u64() > 0) else { continue };
        if let Ok(begin) = in_time(deadline, "the pace", chain.fetch_block_time(start)).await {
            return pace(end.saturating_sub(begin), span);
        }
    }
    None
}

fn pace(seconds: u64, blocks: u64) -> Option<f64> {
    let (seconds, blocks) = (u32::try_from(seconds).ok()?, u32::try_from(blocks).ok()?);
    (seconds > 0 && blocks > 0).then(|| f64::from(seconds) / f64::from(blocks))
}

/// How many commitments a balance pays for.
pub(crate) fn affordable(balance: u64, endpoint: &ChainEndpoint) -> Option<u64> {
    let price: Decimal = endpoint.gas_price.parse().ok()?;
    let adjustment: Decimal = endpoint.gas_adjustment.parse().ok()?;
    // Both are scaled by 10^18, of which half is taken off each so that the product fits.
    let half = Decimal::ONE.scaled().isqrt();
    let product = (price.scaled() / half).checked_mul(adjustment.scaled() / half)?;
    let fee = product.checked_mul(COMMITMENT_GAS)?.div_ceil(Decimal::ONE.scaled());
    u64::try_from(u128::from(balance) / fee.max(1)).ok()
}

/// Fewest blocks of the window that must be signed, rounded half to even as the chain does (`chain.md` 10.7).
fn least_signed(params: &FinalityParams) -> u64 {
    let one = Decimal::ONE.scaled();
    let product =
        u128::from(params.signed_blocks_window).saturating_mul(params.min_signed_per_window.scaled());
    let (whole, rest) = (product / one, product % one);
    let up = rest > one / 2 || (rest == one / 2 && whole % 2 == 1);
    u64::try_from(whole + u128::from(up)).unwrap_or(u64::MAX)
}

impl Presence {
    /// What a count means under the chain's parameters.
    pub fn of(info: &SigningInfo, params: &FinalityParams) -> Self {
        Self {
            window: params.signed_blocks_window,
            missed: info.missed_blocks,
            allowed: params.signed_blocks_window.saturating_sub(least_signed(params)),
            jailed_until: info.jailed_until,
        }
    }
}

/// The last height with usable randomness, and the epochs until every commitment is usable.
pub(crate) fn usable(commitments: &[StoredCommitment], finalised: Epoch) -> (Option<PosHeight>, u64) {
    let until = commitments.iter().filter(|c| is_usable(c.epoch, finalised)).filter_map(end).max();
    let lag = commitments.iter().map(|c| c.epoch.to_u64().saturating_sub(finalised.to_u64())).max();
    (until, lag.unwrap_or(0))
}

/// The last height of a commitment.
pub(crate) fn end(commitment: &StoredCommitment) -> Option<PosHeight> {
    commitment.start_height.checked_add(commitment.count.checked_sub(1)?)
}

/// Every node with how far it is behind the best.
pub(crate) fn nodes_of(reports: &[NodeReport]) -> Vec<NodeStatus> {
    let told = |report: &NodeReport| {
        report.told.as_ref().filter(|_| report.trouble.is_none()).map(|told| told.height)
    };
    let best = reports.iter().filter_map(told).max();
    let node = |report: &NodeReport| {
        let syncing =
            report.told.as_ref().filter(|told| told.catching_up).map(|_| "still syncing".to_owned());
        let height = report.told.as_ref().map(|told| told.height);
        NodeStatus {
            name: report.name.clone(),
            height,
            lag: best.zip(height).map(|(best, height)| best.to_u64().saturating_sub(height.to_u64())),
            trouble: report.trouble.clone().or(syncing),
        }
    };
    reports.iter().map(node).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::testing::subject;
    use btc_staking_pos_chain::{
        double::{ChainState, ScriptedChain},
        ports::ErrorKind,
        watch::NodeTold,
    };

    fn h(height: u64) -> PosHeight {
        PosHeight::new(height)
    }

    fn account() -> AccountAddress {
        AccountAddress::from_bytes("bbn", &[5; 20]).unwrap()
    }

    fn told(height: u64, catching_up: bool) -> Option<NodeTold> {
        Some(NodeTold {
            chain_id: "bbn-1".to_owned(),
            height: h(height),
            catching_up,
            block_time: None,
            clock: None,
            has_tx_index: true,
            latency: Duration::from_millis(3),
        })
    }

    fn survey() -> (ScriptedChain, Survey) {
        let mut state = ChainState::new("bbn-1");
        state.head.height = h(2_000);
        state.balances.insert(account(), 9_000);
        state.last_finalised_epoch = Epoch::new(3);
        state.finality_params.signed_blocks_window = 101;
        state.signing_infos.insert(
            subject().finality_provider,
            SigningInfo { start_height: h(1), missed_blocks: 7, jailed_until: Some(9) },
        );
        let commitment = |start: u64, epoch| StoredCommitment {
            start_height: h(start),
            count: 100,
            root: [0; 32],
            epoch: Epoch::new(epoch),
        };
        state.commitments.insert(
            subject().finality_provider,
            vec![commitment(1_901, 2), commitment(2_001, 3), commitment(2_101, 5)],
        );
        state.block_times.insert(h(2_000), 1_700_000_000);
        state.block_times.insert(h(1_000), 1_699_990_000);
        state.block_times.insert(h(1_900), 1_699_999_500);
        let node = |name: &str, trouble: Option<&str>, told| NodeReport {
            name: name.to_owned(),
            trouble: trouble.map(str::to_owned),
            told,
        };
        state.nodes = vec![
            node("a", None, told(2_000, false)),
            node("b", None, told(1_994, false)),
            node("c", Some("no answer"), None),
            node("d", None, told(2_000, true)),
        ];
        let chain = ScriptedChain::new(state);
        let board = Board::default();
        board.add(&subject());
        let survey = Survey {
            subjects: vec![subject()],
            chain: Arc::new(chain.clone()),
            account: account(),
            endpoint: ChainEndpoint::new("bbn-1", vec![]),
            request_timeout: Duration::from_secs(5),
            board,
        };
        (chain, survey)
    }

    #[tokio::test]
    async fn one_look_shows_nodes_balance_presence_pace_and_what_is_usable() {
        let (chain, survey) = survey();
        survey.look_at_chain().await;
        survey.look_at_providers().await;
        let report = survey.board.report(0);
        let (shown, provider) = (&report.chains[0], &report.providers[0]);
        assert_eq!((shown.balance, shown.commitments_affordable), (Some(9_000), Some(5)));
        assert_eq!((shown.block_seconds, shown.height), (Some(10.0), Some(h(2_000))));
        let nodes: Vec<_> = shown.nodes.iter().map(|node| (node.lag, node.trouble.as_deref())).collect();
        let expected =
            [(Some(0), None), (Some(6), None), (None, Some("no answer")), (Some(0), Some("still syncing"))];
        assert_eq!(nodes, expected);
        assert_eq!(shown.usable_nodes(), 1, "one lags, one is silent, one is syncing");
        // 50.5 rounds to the even 50.
        let presence = Presence { window: 101, missed: 7, allowed: 51, jailed_until: Some(9) };
        assert_eq!(provider.presence, Some(presence));
        assert_eq!((provider.usable_until, provider.commitment_lag_epochs), (Some(h(2_100)), Some(2)));
        // A node that keeps few blocks still tells a pace.
        chain.update(|state| state.block_times.remove(&h(1_000)));
        survey.look_at_chain().await;
        survey.look_at_providers().await;
        assert_eq!(survey.board.report(0).chains[0].block_seconds, Some(5.0));
    }

    #[tokio::test]
    async fn what_cannot_be_learned_is_not_known_and_the_pace_stays() {
        let (chain, survey) = survey();
        survey.look_at_chain().await;
        survey.look_at_providers().await;
        chain.fail_next_reads(100, ErrorKind::Transient);
        survey.look_at_chain().await;
        survey.look_at_providers().await;
        let report = survey.board.report(0);
        assert_eq!((report.chains[0].balance, report.chains[0].block_seconds), (None, Some(10.0)));
        assert_eq!((report.providers[0].presence, report.providers[0].usable_until), (None, None));
    }

    #[test]
    fn what_a_balance_pays_for_follows_the_price_of_gas() {
        // 120,000 gas x 0.01 x 1.5 = 1,800.
        let mut endpoint = ChainEndpoint::new("bbn-1", vec![]);
        assert_eq!(affordable(1_799, &endpoint), Some(0));
        assert_eq!(affordable(3_600, &endpoint), Some(2));
        endpoint.gas_price = "0.00000001".to_owned();
        assert_eq!(affordable(5, &endpoint), Some(5), "a fee is at least one unit");
        endpoint.gas_price = "dear".to_owned();
        assert_eq!(affordable(5, &endpoint), None);
    }
}
