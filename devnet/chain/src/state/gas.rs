//! Gas: what a transaction's reads, writes and signatures cost.
//!
//! Prices are those of the SDK's key-value store. Totals are close to the reference's but not equal to them, since our
//! records are laid out differently; clients must simulate, as they must there (`wire.md` 4.2).

use crate::error::{Failure, sdk};
use std::cell::Cell;

/// Price of a read, whatever its size.
pub(crate) const READ_FLAT: u64 = 1_000;
const READ_PER_BYTE: u64 = 3;
const WRITE_FLAT: u64 = 2_000;
const WRITE_PER_BYTE: u64 = 30;
const DELETE: u64 = 1_000;
const SCAN_STEP: u64 = 30;

/// Price of one byte of a transaction.
pub(crate) const TX_BYTE: u64 = 10;
/// Price of one secp256k1 signature.
pub(crate) const SIGNATURE: u64 = 1_000;

/// Counts the gas of one transaction against its limit.
#[derive(Debug)]
pub(crate) struct Meter {
    limit: Option<u64>,
    used: Cell<u64>,
}

impl Meter {
    /// Counts without a limit: blocks, queries and simulation.
    pub(crate) const fn unlimited() -> Self {
        Self { limit: None, used: Cell::new(0) }
    }
    /// Counts up to `limit`.
    pub(crate) const fn with_limit(limit: u64) -> Self {
        Self { limit: Some(limit), used: Cell::new(0) }
    }
    /// Gas used so far; above the limit by the charge that broke it.
    pub(crate) fn used(&self) -> u64 {
        self.used.get()
    }

    /// Adds `gas`.
    ///
    /// # Errors
    /// `sdk/11` above the limit.
    pub(crate) fn charge(&self, gas: u64, what: &str) -> Result<(), Failure> {
        let used = self.used.get().saturating_add(gas);
        self.used.set(used);
        match self.limit {
            Some(limit) if used > limit => Err(sdk::OUT_OF_GAS
                .because(format!("out of gas in location: {what}; gasWanted: {limit}, gasUsed: {used}"))),
            Some(_) | None => Ok(()),
        }
    }

    pub(crate) fn charge_read(&self, key: usize, value: usize) -> Result<(), Failure> {
        self.charge(sized(READ_FLAT, READ_PER_BYTE, key, value), "ReadPerByte")
    }
    pub(crate) fn charge_write(&self, key: usize, value: usize) -> Result<(), Failure> {
        self.charge(sized(WRITE_FLAT, WRITE_PER_BYTE, key, value), "WritePerByte")
    }
    pub(crate) fn charge_delete(&self) -> Result<(), Failure> {
        self.charge(DELETE, "Delete")
    }
    pub(crate) fn charge_step(&self, key: usize, value: usize) -> Result<(), Failure> {
        self.charge(sized(SCAN_STEP, READ_PER_BYTE, key, value), "IterNext")
    }
}

fn sized(flat: u64, per_byte: u64, key: usize, value: usize) -> u64 {
    let bytes = u64::try_from(key.saturating_add(value)).unwrap_or(u64::MAX);
    flat.saturating_add(per_byte.saturating_mul(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_is_affordable_and_one_more_is_not() {
        let meter = Meter::with_limit(100);
        assert!(meter.charge(100, "x").is_ok());
        let Err(Failure::Refused(refusal)) = meter.charge(1, "x") else { panic!("not refused") };
        assert_eq!((refusal.codespace, refusal.code), ("sdk", 11));
        assert_eq!(meter.used(), 101);
    }
}
