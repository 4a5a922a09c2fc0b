//! Signed decimals with 18 fraction digits, as messages carry them (`wire.md` 1.3).

use btc_staking_protocol::rate::Decimal;

/// A signed decimal. Values beyond 128 bits saturate; every rule that meets one compares it with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dec(i128);

impl Dec {
    pub(crate) const ZERO: Dec = Dec(0);
    pub(crate) const ONE: Dec = Dec(1_000_000_000_000_000_000);

    /// Parses the scaled integer's text, whose form was checked in decoding; `None` when it is unset.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let limit = if text.starts_with('-') { i128::MIN } else { i128::MAX };
        Some(Self(text.parse().unwrap_or(limit)))
    }

    pub(crate) const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Sum, saturating.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Absolute difference.
    pub(crate) fn distance(self, other: Self) -> Self {
        Self(i128::try_from(self.0.abs_diff(other.0)).unwrap_or(i128::MAX))
    }

    /// The wire form.
    pub(crate) fn to_wire(self) -> String {
        self.0.to_string()
    }

    /// The value, 0 when negative.
    pub(crate) fn to_decimal(self) -> Decimal {
        Decimal::from_scaled(u128::try_from(self.0).unwrap_or(0))
    }
}

impl From<Decimal> for Dec {
    fn from(value: Decimal) -> Self {
        Self(i128::try_from(value.scaled()).unwrap_or(i128::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::Dec;

    #[test]
    fn unset_negative_and_huge_values_are_told_apart() {
        assert_eq!(Dec::parse(""), None);
        assert!(Dec::parse("-1").unwrap().is_negative());
        assert!(Dec::parse(&"9".repeat(90)).unwrap() > Dec::ONE);
        assert!(Dec::parse(&format!("-{}", "9".repeat(90))).unwrap().is_negative());
        assert_eq!(Dec::parse("1000000000000000000"), Some(Dec::ONE));
        assert_eq!(Dec::parse("3").unwrap().distance(Dec::parse("-4").unwrap()), Dec::parse("7").unwrap());
    }
}
