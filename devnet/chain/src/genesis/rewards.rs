//! Parameters of rewards: minting and the portions of what is collected (`chain.md` 11.1).

use super::{InvalidGenesis, field};
use btc_staking_protocol::rate::Decimal;
use serde::{Deserialize, Serialize};

/// How coins are minted and shared; the default is the launch of v4.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RewardsGenesis {
    /// The minter.
    pub mint: MintGenesis,
    /// What finality providers and Bitcoin stakers get.
    pub incentive: IncentiveGenesis,
    /// What validators and those who stake both coins get of the rest.
    pub costaking: CostakingGenesis,
}

/// The minter as it is before the first block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MintGenesis {
    /// New coins of a year as a share of the supply. The first block sets the chain's own rate, 0.055.
    pub inflation_rate: Decimal,
    /// New coins of a year, in ubbn. Kept for life when positive and the rate is the chain's own; otherwise the first
    /// block computes it from the supply.
    pub annual_provisions: Decimal,
}

/// Portions of all that is collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IncentiveGenesis {
    /// Shared by voting finality providers, who take a commission, and those who delegate to them.
    pub btc_staking_portion: Decimal,
    /// Goes to voting finality providers alone.
    pub fp_portion: Decimal,
}

/// Portions of what the incentive module leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CostakingGenesis {
    /// Goes to those who stake both coins.
    pub costaking_portion: Decimal,
    /// ubbn staked per satoshi that make it count.
    pub score_ratio_btc_by_baby: u64,
    /// Goes to validators alone.
    pub validators_portion: Decimal,
}

impl Default for MintGenesis {
    fn default() -> Self {
        Self { inflation_rate: billionths(55_000_000), annual_provisions: Decimal::ZERO }
    }
}
impl Default for IncentiveGenesis {
    fn default() -> Self {
        Self { btc_staking_portion: billionths(181_818_182), fp_portion: billionths(13_636_364) }
    }
}
impl Default for CostakingGenesis {
    fn default() -> Self {
        Self {
            costaking_portion: billionths(531_073_446),
            score_ratio_btc_by_baby: 200,
            validators_portion: billionths(16_949_153),
        }
    }
}

const fn billionths(count: u128) -> Decimal {
    Decimal::from_scaled(count * 1_000_000_000)
}

impl RewardsGenesis {
    /// Checks the portions: the sum of a module's is below one (`chain.md` 11.1).
    pub(super) fn check(&self) -> Result<(), InvalidGenesis> {
        let (incentive, costaking) = (&self.incentive, &self.costaking);
        let sums = [
            ("rewards.incentive", incentive.btc_staking_portion, incentive.fp_portion),
            ("rewards.costaking", costaking.costaking_portion, costaking.validators_portion),
        ];
        for (name, a, b) in sums {
            let sum = Decimal::from_scaled(a.scaled().saturating_add(b.scaled()));
            if sum >= Decimal::ONE {
                return Err(field(name, sum, "portions whose sum is below 1"));
            }
        }
        if costaking.score_ratio_btc_by_baby == 0 {
            return Err(field("rewards.costaking.score_ratio_btc_by_baby", 0, "at least 1"));
        }
        // The supply has 64 bits; a year in which more is minted than that is a slip of the pen.
        let most = Decimal::from_scaled(u128::from(u64::MAX) * Decimal::ONE.scaled());
        if self.mint.annual_provisions > most {
            return Err(field(
                "rewards.mint.annual_provisions",
                self.mint.annual_provisions,
                "below 2^64 ubbn",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_launch() {
        let rewards = RewardsGenesis::default();
        let texts = [
            (rewards.incentive.fp_portion, "0.013636364"),
            (rewards.incentive.btc_staking_portion, "0.181818182"),
            (rewards.costaking.costaking_portion, "0.531073446"),
            (rewards.costaking.validators_portion, "0.016949153"),
            (rewards.mint.inflation_rate, "0.055"),
        ];
        for (value, text) in texts {
            assert_eq!(Ok(value), text.parse(), "{text}");
        }
        rewards.check().unwrap();
        assert_eq!(serde_json::from_str::<RewardsGenesis>("{}").unwrap(), rewards);
    }

    #[test]
    fn portions_that_leave_nothing_are_refused() {
        let mut rewards = RewardsGenesis::default();
        rewards.incentive.fp_portion = billionths(818_181_818);
        assert!(rewards.check().is_err());
        rewards.incentive.fp_portion = billionths(818_181_817);
        rewards.check().unwrap();
        rewards.costaking.validators_portion = Decimal::ONE;
        assert!(rewards.check().is_err());
    }
}
