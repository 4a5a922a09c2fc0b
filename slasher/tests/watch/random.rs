//! Random histories of both chains: coins move only under an open case, and in the end every stake under one is
//! slashed, or somebody else took its coins.

use crate::bench::*;
use btc_staking_bitcoin_node::ports::TxPlace;
use btc_staking_pos_chain::ErrorKind;
use btc_staking_protocol::delegation::SlashedOutput;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Look,
    Mine(u32),
    Reorg(u32),
    Restart,
    Confirm(usize),
    Unbond(usize),
    /// A provider signs twice.
    Convict(usize),
    /// A provider slashes one stake with its own key.
    Reveal(usize),
    /// A node drops a slashing from its mempool.
    Evict(usize),
    ChainDown,
    SubmissionsLost,
    /// The chain's node lags and does not list a stake until the next look is over.
    Hide(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Look),
        4 => (1..4_u32).prop_map(Step::Mine),
        2 => (1..4_u32).prop_map(Step::Reorg),
        2 => Just(Step::Restart),
        4 => (0..4_usize).prop_map(Step::Confirm),
        3 => (0..4_usize).prop_map(Step::Unbond),
        1 => (0..2_usize).prop_map(Step::Convict),
        1 => (0..4_usize).prop_map(Step::Reveal),
        2 => (0..4_usize).prop_map(Step::Evict),
        1 => Just(Step::ChainDown),
        1 => Just(Step::SubmissionsLost),
        1 => (0..4_usize).prop_map(Step::Hide),
    ]
}

struct World {
    bench: Bench,
    providers: [Provider; 2],
    /// Two under each provider.
    stakes: Vec<Stake>,
    /// Providers whose key is out.
    out: [bool; 2],
    /// Those of them against whom there is evidence: no reorg takes that back.
    convicted: [bool; 2],
}

const OUTPUTS: [SlashedOutput; 2] = [SlashedOutput::Staking, SlashedOutput::Unbonding];

impl World {
    async fn new() -> Self {
        let mut bench = Bench::new().await;
        let providers = [Provider::new("one"), Provider::new("two")];
        let stakes =
            (0..4).map(|number| bench.stake(&format!("holder-{number}"), &providers[number / 2])).collect();
        Self { bench, providers, stakes, out: [false; 2], convicted: [false; 2] }
    }

    /// What the world does; broadcasts that have become impossible are just refused.
    async fn happen(&mut self, step: &Step) {
        match step {
            Step::Look | Step::Restart => {}
            Step::Mine(blocks) => self.bench.mine(*blocks).await,
            Step::Reorg(depth) => drop(self.bench.reorg(*depth).await),
            Step::Confirm(stake) => {
                self.bench.offer(&self.stakes[*stake].checked.terms().staking_tx.clone()).await;
            }
            Step::Unbond(stake) => self.bench.offer(&self.stakes[*stake].unbonding_tx()).await,
            Step::Convict(provider) => {
                self.bench.convict(&self.providers[*provider]);
                self.out[*provider] = true;
                self.convicted[*provider] = true;
            }
            Step::Reveal(stake) => {
                let secret = self.providers[*stake / 2].secret();
                let tx = self.stakes[*stake].signed_slashing(SlashedOutput::Staking, &secret);
                self.bench.offer(&tx).await;
                if self.bench.place(&tx.compute_txid()).await != TxPlace::Unknown {
                    self.out[*stake / 2] = true;
                }
            }
            Step::Evict(stake) => {
                for output in OUTPUTS {
                    self.bench.bitcoin.evict(&self.stakes[*stake].slashing_txid(output));
                }
            }
            Step::ChainDown => self.bench.chain.fail_next_reads(3, ErrorKind::Transient),
            Step::SubmissionsLost => self.bench.chain.fail_next_submissions(2, ErrorKind::Transient),
            Step::Hide(_) => {}
        }
    }

    /// A slashing is anywhere only if the provider's key is out.
    async fn check(&self) {
        for (number, stake) in self.stakes.iter().enumerate() {
            for output in OUTPUTS {
                let place = self.bench.place(&stake.slashing_txid(output)).await;
                assert!(
                    self.out[number / 2] || place == TxPlace::Unknown,
                    "stake {number} is slashed for nothing"
                );
            }
        }
    }

    async fn run(mut self, steps: &[Step]) {
        let mut steps = steps.iter().peekable();
        while steps.peek().is_some() {
            let service = self.bench.service();
            // A start may fail while the chain is down; the supervisor tries again.
            let mut watcher = self.bench.try_watch(&service).await.ok();
            for step in steps.by_ref() {
                self.happen(step).await;
                let hidden = match step {
                    Step::Hide(stake) => {
                        let txid = self.stakes[*stake].txid();
                        self.bench
                            .chain
                            .update(|state| state.delegations.remove(&txid))
                            .map(|told| (txid, told))
                    }
                    _ => None,
                };
                if watcher.is_none() {
                    watcher = self.bench.try_watch(&service).await.ok();
                }
                if let Some(watcher) = &mut watcher {
                    let _ = self.bench.try_round(watcher).await;
                }
                if let Some((txid, told)) = hidden {
                    self.bench.chain.update(|state| state.delegations.insert(txid, told));
                }
                self.check().await;
                if matches!(step, Step::Restart) {
                    break;
                }
            }
        }
        self.settle().await;
    }

    /// Trouble is over: within a few blocks no stake of an open case has coins left.
    async fn settle(&mut self) {
        self.bench.chain.clear_faults();
        for _ in 0..4 {
            self.bench.one_look_after_a_restart().await;
            self.bench.mine(1).await;
        }
        self.check().await;
        for (number, stake) in self.stakes.iter().enumerate() {
            if !self.convicted[number / 2] || !self.bench.is_confirmed(&stake.txid()).await {
                continue;
            }
            let mut slashed = 0;
            for output in OUTPUTS {
                slashed += u32::from(self.bench.is_confirmed(&stake.slashing_txid(output)).await);
            }
            assert_eq!(slashed, 1, "stake {number} keeps its coins");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn in_any_history_only_the_guilty_are_slashed_and_none_of_their_stakes_escapes(
        steps in prop::collection::vec(step(), 1..30)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { World::new().await.run(&steps).await });
    }
}
