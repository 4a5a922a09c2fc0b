//! The chain's rules for a new commission (`chain.md` 5.3, 7 to 10), told before anything is sent. The chain decides in
//! the end; here an operator learns what would be right.

use btc_staking_pos_chain::message::CommissionRates;
use btc_staking_protocol::rate::Decimal;
use thiserror::Error;

/// Seconds between two changes.
const DAY: u64 = 86_400;

/// Why the chain would not take a commission.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CommissionRefusal {
    /// More than all.
    #[error("a commission of {} is above 1; write 5 % as 0.05", plain(*.0))]
    AboveOne(Decimal),
    /// Below the chain's floor.
    #[error("a commission of {} is below the least that the chain allows, {}", plain(*.asked), plain(*.floor))]
    BelowFloor {
        /// What was asked for.
        asked: Decimal,
        /// What the chain allows.
        floor: Decimal,
    },
    /// Above what the provider promised.
    #[error(
        "a commission of {} is above the highest this provider can ever have, {}, which was fixed when it registered",
        plain(*.asked),
        plain(*.highest)
    )]
    AboveHighest {
        /// What was asked for.
        asked: Decimal,
        /// What was promised.
        highest: Decimal,
    },
    /// Too far from the present one.
    #[error(
        "the commission is {} and may change by at most {} within a day: choose {} to {}",
        plain(*.present),
        plain(*.step),
        plain(*.lowest),
        plain(*.highest)
    )]
    TooFar {
        /// What it is.
        present: Decimal,
        /// Largest change.
        step: Decimal,
        /// Lowest that is possible now.
        lowest: Decimal,
        /// Highest that is possible now.
        highest: Decimal,
    },
    /// Changed less than a day ago.
    #[error("the commission was set less than a day ago and can be changed again in {}", span(*.0))]
    TooSoon(u64),
    /// A registration whose rates contradict each other.
    #[error("{what} of {} is above {limit_name} of {}", plain(*.value), plain(*.limit))]
    Contradiction {
        /// Which rate.
        what: &'static str,
        /// Its value.
        value: Decimal,
        /// What it must not exceed.
        limit_name: &'static str,
        /// The value of that.
        limit: Decimal,
    },
}

/// Checks a change at `now`, given when the commission was last set, both in seconds since 1970.
pub(super) fn check_change(
    rates: &CommissionRates,
    asked: Decimal,
    floor: Option<Decimal>,
    set_at: Option<u64>,
    now: u64,
) -> Result<(), CommissionRefusal> {
    if asked > Decimal::ONE {
        return Err(CommissionRefusal::AboveOne(asked));
    }
    if let Some(floor) = floor.filter(|floor| asked < *floor) {
        return Err(CommissionRefusal::BelowFloor { asked, floor });
    }
    if asked > rates.max_rate {
        return Err(CommissionRefusal::AboveHighest { asked, highest: rates.max_rate });
    }
    let (present, step) = (rates.rate.scaled(), rates.max_change_rate.scaled());
    if asked.scaled().abs_diff(present) > step {
        let lowest = Decimal::from_scaled(present.saturating_sub(step)).max(floor.unwrap_or(Decimal::ZERO));
        let highest = Decimal::from_scaled(present.saturating_add(step)).min(rates.max_rate);
        return Err(CommissionRefusal::TooFar {
            present: rates.rate,
            step: rates.max_change_rate,
            lowest,
            highest,
        });
    }
    let again_at = set_at.map_or(0, |at| at.saturating_add(DAY));
    if now < again_at {
        return Err(CommissionRefusal::TooSoon(again_at.saturating_sub(now)));
    }
    Ok(())
}

/// Checks the rates of a registration (`chain.md` 5.2).
pub(super) fn check_new(rates: &CommissionRates, floor: Option<Decimal>) -> Result<(), CommissionRefusal> {
    let CommissionRates { rate, max_rate, max_change_rate } = *rates;
    let at_most = |what, value, limit_name, limit| {
        let contradiction = CommissionRefusal::Contradiction { what, value, limit_name, limit };
        if value > limit { Err(contradiction) } else { Ok(()) }
    };
    if max_rate > Decimal::ONE {
        return Err(CommissionRefusal::AboveOne(max_rate));
    }
    at_most("a commission", rate, "its highest value", max_rate)?;
    at_most("a largest daily change", max_change_rate, "the highest commission", max_rate)?;
    match floor.filter(|floor| rate < *floor) {
        Some(floor) => Err(CommissionRefusal::BelowFloor { asked: rate, floor }),
        None => Ok(()),
    }
}

/// A fraction without the zeros at its end.
pub(super) fn plain(value: Decimal) -> String {
    let text = value.to_string();
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short.is_empty() { "0".to_owned() } else { short.to_owned() }
}

/// Seconds as hours and minutes, rounded up.
pub(super) fn span(seconds: u64) -> String {
    let minutes = seconds.div_ceil(60);
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn rates() -> CommissionRates {
        CommissionRates { rate: d("0.05"), max_rate: d("0.055"), max_change_rate: d("0.01") }
    }

    #[test]
    fn a_change_that_the_chain_would_refuse_is_refused_with_what_would_be_right() {
        let day_ago = Some(1_000);
        let now = 1_000 + DAY;
        for good in ["0.05", "0.04", "0.055"] {
            assert_eq!(check_change(&rates(), d(good), Some(d("0.03")), day_ago, now), Ok(()), "{good}");
        }
        let table = [
            ("5", now, "write 5 % as 0.05"),
            ("0.02", now, "least that the chain allows, 0.03"),
            ("0.0551", now, "can ever have, 0.055"),
            ("0.0399", now, "choose 0.04 to 0.055"),
            ("0.04", now - 1, "again in 1 min"),
            ("0.04", now - 5 * 3_600, "again in 5 h"),
        ];
        for (asked, now, words) in table {
            let refusal = check_change(&rates(), d(asked), Some(d("0.03")), day_ago, now).unwrap_err();
            assert!(refusal.to_string().contains(words), "{refusal}");
        }
        assert_eq!(check_change(&rates(), d("0.04"), None, None, 0), Ok(()), "the chain did not tell when");
    }

    #[test]
    fn rates_of_a_registration_must_fit_each_other() {
        assert_eq!(check_new(&rates(), Some(d("0.05"))), Ok(()));
        let table = [
            (CommissionRates { max_rate: d("1.1"), ..rates() }, "above 1"),
            (CommissionRates { rate: d("0.06"), ..rates() }, "above its highest value of 0.055"),
            (CommissionRates { max_change_rate: d("0.06"), ..rates() }, "above the highest commission"),
            (CommissionRates { rate: d("0.01"), ..rates() }, "least that the chain allows"),
        ];
        for (rates, words) in table {
            let refusal = check_new(&rates, Some(d("0.02"))).unwrap_err();
            assert!(refusal.to_string().contains(words), "{refusal}");
        }
    }
}
