//! Accounting by hand, and its laws under random events.

use super::{
    accounting::{Change, add_rewards, pending, pool, settle, settle_all},
    gauge::{self, BTC_STAKING, FP_DIRECT},
    power::{self, Moved},
    reward::{Voter, reward_block},
};
use crate::{
    error::{Broken, Failure},
    state::{Meter, State, memory::MemoryBackend},
};
use btc_staking_babylon::proto::incentive::StakeholderType::{self, BtcStaker, FinalityProvider};
use btc_staking_protocol::height::PosHeight;
use proptest::prelude::*;

fn account(number: u8) -> Vec<u8> {
    vec![number; 20]
}

fn with_state(run: impl FnOnce(&mut State<'_>)) {
    let (backend, meter) = (MemoryBackend::default(), Meter::unlimited());
    run(&mut State::new(&backend, &meter));
}

fn earned(state: &State<'_>, kind: StakeholderType, number: u8) -> u64 {
    gauge::find(state, kind, &account(number)).unwrap().map_or(0, |gauge| gauge.earned)
}

const P: u8 = 100;

#[test]
fn a_pool_is_shared_by_satoshis_and_time() {
    // step | pool | A sat | B sat | A earned | B earned
    with_state(|state| {
        let (p, a, b) = (account(P), account(1), account(2));
        settle(state, &p, &a, Change::Added(300)).unwrap();
        add_rewards(state, &p, 1_000).unwrap(); // all of it A's
        settle(state, &p, &b, Change::Added(600)).unwrap();
        assert_eq!(earned(state, BtcStaker, 1), 0, "A was not settled");
        assert_eq!(pending(state, &p, &a).unwrap(), Some(999), "1000 * 10^20 / 300 is truncated");
        add_rewards(state, &p, 900).unwrap(); // 300 and 600
        settle(state, &p, &a, Change::Removed(300)).unwrap();
        assert_eq!(earned(state, BtcStaker, 1), 1_299);
        add_rewards(state, &p, 50).unwrap(); // all of it B's
        settle_all(state, &b).unwrap();
        settle_all(state, &a).unwrap();
        assert_eq!((earned(state, BtcStaker, 1), earned(state, BtcStaker, 2)), (1_299, 649));
        let pool = pool(state, &p).unwrap().unwrap();
        // Initialised at 1, closed by B's coming, A's leaving and two withdrawals.
        assert_eq!((pool.period, pool.sats, pool.rewards), (5, 600, 0));
    });
}

#[test]
fn what_comes_in_while_nobody_has_satoshis_is_lost() {
    with_state(|state| {
        let (p, a) = (account(P), account(1));
        settle(state, &p, &a, Change::Added(10)).unwrap();
        settle(state, &p, &a, Change::Removed(10)).unwrap();
        add_rewards(state, &p, 500).unwrap();
        settle(state, &p, &a, Change::Added(10)).unwrap();
        assert_eq!(pending(state, &p, &a).unwrap(), Some(0));
        assert_eq!(earned(state, BtcStaker, 1), 0);
    });
}

#[test]
fn removing_more_than_there_is_stops_the_chain() {
    with_state(|state| {
        let (p, a) = (account(P), account(1));
        settle(state, &p, &a, Change::Added(10)).unwrap();
        let refused = settle(state, &p, &a, Change::Removed(11));
        assert!(matches!(refused, Err(Failure::Broken(Broken::Halt(_)))), "{refused:?}");
    });
}

#[test]
fn a_block_is_shared_by_its_voters_with_commission_and_the_rest_stays() {
    with_state(|state| {
        let height = PosHeight::new(7);
        let moved =
            |provider, staker, sats| Moved { provider: account(provider), staker: account(staker), sats };
        power::record(state, height, &[moved(101, 1, 100), moved(102, 2, 200)], &[]).unwrap();
        BTC_STAKING.put(state, &height, &1_000).unwrap();
        FP_DIRECT.put(state, &height, &100).unwrap();
        let voter = |provider, sats, rate: &str| Voter {
            account: account(provider),
            sats,
            commission: rate.parse().unwrap(),
        };
        reward_block(state, height, &[voter(101, 100, "0.1"), voter(102, 200, "0.05")]).unwrap();
        // 1000 / 3 = 333.33 and 666.66: 333 and 666; commission 33 and 33; direct 33 and 66.
        assert_eq!(earned(state, FinalityProvider, 101), 33 + 33);
        assert_eq!(earned(state, FinalityProvider, 102), 33 + 66);
        let rewards = |provider| pool(state, &account(provider)).unwrap().unwrap().rewards;
        assert_eq!((rewards(101), rewards(102)), (300, 633));
        assert_eq!(BTC_STAKING.get(state, &height).unwrap(), None, "gauges are forgotten");
        assert_eq!(FP_DIRECT.get(state, &height).unwrap(), None);
    });
}

#[test]
fn changes_count_only_once_their_height_is_rewarded() {
    with_state(|state| {
        let moved = |sats| Moved { provider: account(P), staker: account(1), sats };
        power::record(state, PosHeight::new(5), &[moved(70)], &[]).unwrap();
        power::record(state, PosHeight::new(6), &[moved(30)], &[moved(100)]).unwrap();
        assert_eq!(pool(state, &account(P)).unwrap(), None);
        assert_eq!(power::stakers_now(state, &account(P)).unwrap(), [(account(1), 0)]);
        reward_block(state, PosHeight::new(5), &[]).unwrap();
        assert_eq!(pool(state, &account(P)).unwrap().unwrap().sats, 70);
        reward_block(state, PosHeight::new(6), &[]).unwrap();
        assert_eq!(pool(state, &account(P)).unwrap().unwrap().sats, 0);
    });
}

/// One thing that happens to the accounting.
#[derive(Debug, Clone)]
enum Step {
    Add {
        provider: u8,
        staker: u8,
        sats: u64,
    },
    /// Removes some of what there is.
    Remove {
        provider: u8,
        staker: u8,
        part: u64,
    },
    Reward {
        provider: u8,
        amount: u64,
    },
    Withdraw {
        staker: u8,
    },
}

const PROVIDERS: std::ops::Range<u8> = 100..102;
const STAKERS: std::ops::Range<u8> = 1..4;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (PROVIDERS, STAKERS, 1..10u64.pow(12)).prop_map(|(provider, staker, sats)| Step::Add {
            provider,
            staker,
            sats
        }),
        (PROVIDERS, STAKERS, 0..=100u64).prop_map(|(provider, staker, part)| Step::Remove {
            provider,
            staker,
            part
        }),
        (PROVIDERS, 0..10u64.pow(9)).prop_map(|(provider, amount)| Step::Reward { provider, amount }),
        STAKERS.prop_map(|staker| Step::Withdraw { staker }),
    ]
}

/// The same, naively: every reward goes to every staker at once, in billionths.
#[derive(Debug, Default)]
struct Model {
    sats: std::collections::BTreeMap<(u8, u8), u64>,
    owed: std::collections::BTreeMap<u8, u128>,
    paid_in: u64,
}

const BILLION: u128 = 1_000_000_000;

impl Model {
    fn sats(&self, provider: u8, staker: u8) -> u64 {
        self.sats.get(&(provider, staker)).copied().unwrap_or(0)
    }
    fn reward(&mut self, provider: u8, amount: u64) {
        self.paid_in += amount;
        let total: u128 = STAKERS.map(|staker| u128::from(self.sats(provider, staker))).sum();
        for staker in STAKERS {
            let share = u128::from(amount) * BILLION * u128::from(self.sats(provider, staker));
            *self.owed.entry(staker).or_default() += share.checked_div(total).unwrap_or(0);
        }
    }
}

proptest! {
    #[test]
    fn nobody_is_paid_more_than_owed_and_little_is_lost(steps in proptest::collection::vec(step(), 1..60)) {
        with_state(|state| {
            let mut model = Model::default();
            for step in &steps {
                match step {
                    Step::Add { provider, staker, sats } => {
                        settle(state, &account(*provider), &account(*staker), Change::Added(*sats)).unwrap();
                        *model.sats.entry((*provider, *staker)).or_default() += sats;
                    }
                    Step::Remove { provider, staker, part } => {
                        let has = model.sats(*provider, *staker);
                        let sats = has / 100 * part;
                        if has > 0 {
                            let change = Change::Removed(sats);
                            settle(state, &account(*provider), &account(*staker), change).unwrap();
                            model.sats.insert((*provider, *staker), has - sats);
                        }
                    }
                    Step::Reward { provider, amount } => {
                        if pool(state, &account(*provider)).unwrap().is_some() {
                            add_rewards(state, &account(*provider), *amount).unwrap();
                            model.reward(*provider, *amount);
                        }
                    }
                    Step::Withdraw { staker } => settle_all(state, &account(*staker)).unwrap(),
                }
            }
            let mut out = 0;
            for staker in STAKERS {
                settle_all(state, &account(staker)).unwrap();
                let earned = earned(state, BtcStaker, staker);
                let owed = model.owed.get(&staker).copied().unwrap_or(0);
                // The model truncates too, by less than a billionth a reward.
                let most = (owed + u128::try_from(steps.len()).unwrap()).div_ceil(BILLION);
                assert!(u128::from(earned) <= most, "{earned} of {owed} billionths");
                // Every settlement loses less than one ubbn, and every step settles at most twice.
                let lost = owed / BILLION - u128::from(earned).min(owed / BILLION);
                assert!(lost <= 2 * u128::try_from(steps.len() + 1).unwrap(), "{lost} of {owed} are lost");
                out += earned;
            }
            assert!(out <= model.paid_in, "{out} of {}", model.paid_in);
        });
    }
}
