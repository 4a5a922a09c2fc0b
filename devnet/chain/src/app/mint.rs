//! Minting (`chain.md` 11.1): at the beginning of every block but the first, the coins of the time since the last one.
//!
//! | amount | formula |
//! |---|---|
//! | inflation rate | 0.055; disinflation is zero, so it never falls |
//! | annual provisions | rate * supply, when they are zero or the rate changed; fixed from then on |
//! | of a block | annual provisions * elapsed / year, truncated, at most 600 BABY |
//!
//! Decimals have 18 digits and products are rounded half to even, as the reference's decimal type does.

pub(crate) mod genesis;

use super::{
    bank,
    context::{BlockTime, Ctx, DENOM},
};
use crate::{
    error::{Broken, Failure},
    event::Event,
    genesis::Genesis,
    state::{State, Table},
};
use btc_staking_babylon::proto::{
    Timestamp,
    mint::{
        Minter, QueryAnnualProvisionsRequest, QueryAnnualProvisionsResponse, QueryGenesisTimeRequest,
        QueryGenesisTimeResponse, QueryInflationRateRequest, QueryInflationRateResponse,
    },
};
use btc_staking_protocol::rate::Decimal;

const MINTER: Table<(), Minter> = Table::new("mm");
const GENESIS_TIME: Table<(), i64> = Table::new("mg");

const ONE: u128 = Decimal::ONE.scaled();
/// The only rate there is: 0.055.
const RATE: Decimal = Decimal::from_scaled(ONE / 1000 * 55);
/// Mean length of a Gregorian year.
const NANOS_PER_YEAR: u128 = 31_556_952_000_000_000;
/// ubbn.
const MAX_PER_BLOCK: u128 = 600_000_000;

/// Stores the minter of genesis.
pub(crate) fn init(state: &mut State<'_>, genesis: &Genesis) -> Result<(), Failure> {
    GENESIS_TIME.put(state, &(), &genesis.genesis_time)?;
    let mint = &genesis.rewards.mint;
    store(state, mint.inflation_rate, mint.annual_provisions, None)
}

/// Mints the coins of a block and hands them to the fee collector.
pub(crate) fn begin_block(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    let minter = minter(ctx.state)?;
    let (rate, mut annual) = (scaled(&minter.inflation_rate)?, scaled(&minter.annual_provisions)?);
    if rate != RATE || annual == Decimal::ZERO {
        annual = annual_provisions(bank::supply(ctx.state)?);
    }
    if let Some(previous) = &minter.previous_block_time {
        let elapsed = elapsed_nanos(BlockTime::from_proto(previous), ctx.block.time)?;
        let minted = bank::mint(ctx, block_provision(annual, elapsed))?;
        bank::transfer_modules(ctx, bank::MINT, bank::FEE_COLLECTOR, minted)?;
        let (rate, annual) = (RATE.to_string(), annual.to_string());
        let attributes =
            [("inflation_rate", &*rate), ("annual_provisions", &*annual), ("amount", &*minted.to_string())];
        ctx.emit(Event::plain("mint", &attributes));
    }
    let now = ctx.block.time.to_proto();
    store(ctx.state, RATE, annual, Some(now))
}

fn store(
    state: &mut State<'_>,
    inflation_rate: Decimal,
    annual_provisions: Decimal,
    previous_block_time: Option<Timestamp>,
) -> Result<(), Failure> {
    let minter = Minter {
        inflation_rate: inflation_rate.scaled().to_string(),
        annual_provisions: annual_provisions.scaled().to_string(),
        previous_block_time,
        bond_denom: DENOM.to_owned(),
    };
    MINTER.put(state, &(), &minter)
}

fn minter(state: &State<'_>) -> Result<Minter, Failure> {
    Ok(MINTER.get(state, &())?.ok_or_else(|| corrupt("missing"))?)
}

fn scaled(text: &str) -> Result<Decimal, Broken> {
    text.parse().map(Decimal::from_scaled).map_err(corrupt)
}

fn corrupt(reason: impl ToString) -> Broken {
    Broken::Corrupt { table: "mm", reason: reason.to_string() }
}

fn elapsed_nanos(from: BlockTime, to: BlockTime) -> Result<u128, Broken> {
    let nanos = |time: BlockTime| i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
    u128::try_from(nanos(to) - nanos(from))
        .map_err(|_| Broken::Halt(format!("time of the block went back, from {from:?} to {to:?}")))
}

/// The rate at which coins are minted.
pub(crate) fn inflation_rate(
    state: &State<'_>,
    _: QueryInflationRateRequest,
) -> Result<QueryInflationRateResponse, Failure> {
    Ok(QueryInflationRateResponse { inflation_rate: minter(state)?.inflation_rate.into_bytes() })
}

/// The coins minted in a year.
pub(crate) fn annual_provisions_now(
    state: &State<'_>,
    _: QueryAnnualProvisionsRequest,
) -> Result<QueryAnnualProvisionsResponse, Failure> {
    Ok(QueryAnnualProvisionsResponse { annual_provisions: minter(state)?.annual_provisions.into_bytes() })
}

/// When the chain began.
pub(crate) fn genesis_time(
    state: &State<'_>,
    _: QueryGenesisTimeRequest,
) -> Result<QueryGenesisTimeResponse, Failure> {
    let seconds = GENESIS_TIME.get(state, &())?.ok_or_else(|| corrupt("genesis time is missing"))?;
    Ok(QueryGenesisTimeResponse { genesis_time: Some(Timestamp { seconds, nanos: 0 }) })
}

/// The chain's rate of a supply.
fn annual_provisions(supply: u64) -> Decimal {
    // 64 bits of supply times 56 bits of rate.
    Decimal::from_scaled(u128::from(supply) * RATE.scaled())
}

/// The coins of `elapsed` nanoseconds.
fn block_provision(annual: Decimal, elapsed: u128) -> u64 {
    let portion = portion_of_year(elapsed);
    // annual * portion without the 256 bits of the plain product: whole coins and the rest of annual apart.
    let (whole, rest) = (annual.scaled() / ONE, annual.scaled() % ONE);
    let provision =
        whole.saturating_mul(portion).saturating_add(half_even(rest.saturating_mul(portion), ONE));
    u64::try_from((provision / ONE).min(MAX_PER_BLOCK)).unwrap_or(0)
}

/// Elapsed time as a share of a year, an 18-digit decimal. Longer than a thousand years counts as that.
fn portion_of_year(elapsed: u128) -> u128 {
    let elapsed = elapsed.min(1000 * NANOS_PER_YEAR) * ONE;
    let (whole, rest) = (elapsed / NANOS_PER_YEAR, elapsed % NANOS_PER_YEAR);
    // The reference truncates the quotient to 36 digits before it rounds to 18.
    let rest = rest * ONE / NANOS_PER_YEAR;
    whole + half_even_rest(whole, rest, ONE)
}

/// `value / unit`, rounded half to even.
fn half_even(value: u128, unit: u128) -> u128 {
    value / unit + half_even_rest(value / unit, value % unit, unit)
}

/// What rounding adds to `whole` for a rest.
fn half_even_rest(whole: u128, rest: u128, unit: u128) -> u128 {
    u128::from(rest > unit / 2 || (rest == unit / 2 && whole % 2 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_ten_seconds_mints_its_share_of_the_year() {
        // 10,000,000,000 BABY of supply: 550,000,000 BABY a year are 17,428,806.1... ubbn a second.
        let annual = annual_provisions(10_000_000_000_000_000);
        assert_eq!(annual.to_string(), "550000000000000.000000000000000000");
        for (seconds, minted) in [(0, 0), (10, 174_288_061), (34, 592_579_410), (35, 600_000_000)] {
            assert_eq!(block_provision(annual, seconds * 1_000_000_000), minted, "{seconds} s");
        }
    }

    #[test]
    fn a_share_of_a_year_is_rounded_half_to_even() {
        assert_eq!(portion_of_year(NANOS_PER_YEAR), ONE);
        assert_eq!(portion_of_year(1), 32); // 31.69 units of 10^-18
        assert_eq!(portion_of_year(1_000_000_000), 31_688_738_507); // 31688738506.81, rounded up
    }

    #[test]
    fn absurd_amounts_and_times_do_not_overflow() {
        let annual = annual_provisions(u64::MAX);
        assert_eq!(block_provision(annual, u128::from(u64::MAX)), 600_000_000);
        let most = Decimal::from_scaled(u128::from(u64::MAX) * ONE);
        assert_eq!(block_provision(most, u128::MAX), 600_000_000);
        assert_eq!(block_provision(Decimal::ZERO, u128::MAX), 0);
    }
}
