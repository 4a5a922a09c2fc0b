//! Who has voted, whether that is enough, and in which order blocks become final (`chain.md` 10.5).
//!
//! A block is final when more than two thirds of the power at its height voted for it. Blocks become final strictly in
//! order: one height short of votes holds back all later ones, however many votes they have. A height at which nobody has
//! power is skipped for good and never becomes final.

use crate::{height::PosHeight, keys::FinalityProviderPublicKey};

/// Most heights one block of the chain finalises or skips.
pub const MAX_HEIGHTS_PER_BLOCK: u64 = 10_000;

/// Power at one height, in satoshis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Of all finality providers in the table.
    pub total: u128,
    /// Of those that voted for the chain's block.
    pub voted: u128,
}

/// What is known of one height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeightPower {
    /// Nobody had power.
    NoTable,
    /// The table and the votes so far.
    Table(Tally),
}

/// The first height that is neither final nor skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FinalityCursor {
    next: PosHeight,
}

impl Tally {
    /// Counts a power table.
    pub fn count<'a>(
        table: impl IntoIterator<Item = (&'a FinalityProviderPublicKey, u64)>,
        has_voted: impl Fn(&FinalityProviderPublicKey) -> bool,
    ) -> Self {
        table.into_iter().fold(Self::default(), |tally, (provider, power)| {
            let power = u128::from(power);
            let voted = if has_voted(provider) { power } else { 0 };
            // Sums of 64-bit numbers stay far below 128 bits.
            Self { total: tally.total.saturating_add(power), voted: tally.voted.saturating_add(voted) }
        })
    }

    /// Whether the votes make a block final: three times the voted power exceeds twice the total.
    ///
    /// Exactly two thirds do not suffice, and no power at all never does.
    pub fn is_quorum(self) -> bool {
        self.voted.saturating_mul(3) > self.total.saturating_mul(2)
    }
}

impl FinalityCursor {
    /// Starts at the first height that is neither final nor skipped.
    pub const fn new(next: PosHeight) -> Self {
        Self { next }
    }

    /// The first height that is neither final nor skipped.
    pub const fn next(self) -> PosHeight {
        self.next
    }

    /// Moves over every height up to `tip` that is final or has no table, and returns those that became final.
    ///
    /// `activated` is the first height that may have a table. At most [`MAX_HEIGHTS_PER_BLOCK`] heights are looked at.
    pub fn advance(
        &mut self,
        activated: PosHeight,
        tip: PosHeight,
        mut power_at: impl FnMut(PosHeight) -> HeightPower,
    ) -> Vec<PosHeight> {
        let mut finalised = Vec::new();
        let mut height = self.next.max(activated);
        for _ in 0..MAX_HEIGHTS_PER_BLOCK {
            if height > tip {
                break;
            }
            match power_at(height) {
                HeightPower::NoTable => {}
                HeightPower::Table(tally) if tally.is_quorum() => finalised.push(height),
                HeightPower::Table(_) => break,
            }
            height = height.next();
            self.next = height;
        }
        finalised
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUORUM: HeightPower = HeightPower::Table(Tally { total: 3, voted: 3 });
    const SHORT: HeightPower = HeightPower::Table(Tally { total: 3, voted: 2 });

    fn advance(next: u64, tip: u64, powers: &[HeightPower]) -> (Vec<u64>, u64) {
        let mut cursor = FinalityCursor::new(PosHeight::new(next));
        let power_at = |height: PosHeight| powers[usize::try_from(height.to_u64()).unwrap()];
        let finalised = cursor.advance(PosHeight::new(1), PosHeight::new(tip), power_at);
        (finalised.into_iter().map(PosHeight::to_u64).collect(), cursor.next().to_u64())
    }

    #[test]
    fn exactly_two_thirds_are_not_enough() {
        for (voted, total, quorum) in [
            (2, 3, false),
            (3, 3, true),
            (200_001, 300_000, true),
            (200_000, 300_000, false),
            (0, 0, false),
            (1, 1, true),
        ] {
            assert_eq!(Tally { total, voted }.is_quorum(), quorum, "{voted} of {total}");
        }
    }

    #[test]
    fn only_voters_in_the_table_count() {
        let key = |byte: &str| -> FinalityProviderPublicKey {
            let secret: btc_staking_crypto::key::SigningKey =
                btc_staking_crypto::key::SigningKey::from_slice(&hex::decode(byte.repeat(32)).unwrap())
                    .unwrap();
            FinalityProviderPublicKey::new(*secret.public_key())
        };
        let (a, b, outsider) = (key("01"), key("02"), key("03"));
        let tally = Tally::count([(&a, 5), (&b, 7)], |provider| *provider == b || *provider == outsider);
        assert_eq!(tally, Tally { total: 12, voted: 7 });
    }

    #[test]
    fn one_height_short_of_votes_holds_back_all_later_ones() {
        assert_eq!(advance(1, 4, &[QUORUM, QUORUM, SHORT, QUORUM, QUORUM]), (vec![1], 2));
        assert_eq!(advance(2, 4, &[QUORUM, QUORUM, QUORUM, QUORUM, SHORT]), (vec![2, 3], 4));
    }

    #[test]
    fn heights_without_table_are_skipped_for_good() {
        let none = HeightPower::NoTable;
        assert_eq!(advance(1, 4, &[none, none, QUORUM, none, none]), (vec![2], 5));
    }

    #[test]
    fn nothing_before_activation_or_above_the_tip_is_looked_at() {
        assert_eq!(advance(0, 2, &[SHORT, QUORUM, QUORUM, QUORUM]), (vec![1, 2], 3));
        assert_eq!(advance(3, 2, &[SHORT; 4]), (vec![], 3));
    }

    #[test]
    fn one_block_finalises_ten_thousand_heights_at_most() {
        let mut cursor = FinalityCursor::new(PosHeight::new(1));
        let tip = PosHeight::new(25_000);
        let lengths: Vec<usize> =
            (0..4).map(|_| cursor.advance(PosHeight::new(1), tip, |_| QUORUM).len()).collect();
        assert_eq!(lengths, [10_000, 10_000, 5_000, 0]);
    }

    proptest! {
        #[test]
        fn delivery_in_steps_finalises_the_same_heights(short in 1u64..60, steps in proptest::collection::vec(0u64..60, 1..20)) {
            let power = |height: PosHeight| match height.to_u64() {
                height if height == short => SHORT,
                height if height % 7 == 0 => HeightPower::NoTable,
                _ => QUORUM,
            };
            let mut cursor = FinalityCursor::new(PosHeight::new(1));
            let mut stepwise = Vec::new();
            let mut top = 0;
            for tip in steps {
                top = top.max(tip);
                stepwise.extend(cursor.advance(PosHeight::new(1), PosHeight::new(tip), power));
            }
            let mut once = FinalityCursor::new(PosHeight::new(1));
            prop_assert_eq!(once.advance(PosHeight::new(1), PosHeight::new(top), power), stepwise);
            prop_assert_eq!(once, cursor);
        }
    }
}
