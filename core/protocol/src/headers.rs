//! Bitcoin header rules as the staking chain's light client applies them (`chain.md` 2.2, check 6a).
//!
//! A header is judged in this order: bits as required, timestamp above the median of the 11 headers before it, version,
//! proof of work. There is no limit on future timestamps, no checkpoint and no signet block signature.
//!
//! | network | required bits | lowest version 2 / 3 / 4 from height |
//! |---|---|---|
//! | mainnet | retarget every 2016 blocks | 227931 / 363725 / 388381 |
//! | signet | retarget every 2016 blocks | 1 / 1 / 1 |
//! | testnet 3 | retarget, minimum difficulty after 20 minutes | 21111 / 330776 / 581885 |
//! | simnet | as testnet 3, limit `207fffff` | 0 / 0 / 0 |
//! | regtest | always `207fffff` | 100000000 / 1251 / 1351 |
//!
//! [`chain`] builds fork choice on these rules.

pub mod chain;

pub use chain::{
    ChainedHeader, HeaderChain, HeadersRefused, Insertion, MainChain, Rollback, check_insertion,
};

use crate::height::BtcHeight;
use bitcoin::{BlockHash, CompactTarget, Target, block::Header};
use thiserror::Error;

/// Blocks between two changes of difficulty.
pub const RETARGET_INTERVAL: u32 = 2016;
/// Seconds these blocks should take: two weeks.
const TARGET_TIMESPAN: u32 = 14 * 24 * 60 * 60;
/// Seconds after which test networks accept a block of minimum difficulty.
const MIN_DIFFICULTY_AFTER: u32 = 20 * 60;
/// Headers whose timestamps form the median.
const MEDIAN_SPAN: u32 = 11;

/// The header rules of one Bitcoin network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeaderRules {
    /// Bitcoin itself.
    Mainnet,
    /// The default signet.
    Signet,
    /// Testnet 3.
    Testnet3,
    /// btcd's simulation network.
    Simnet,
    /// Local regression testing.
    Regtest,
}

/// The rule a header breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeaderFault {
    /// Bits other than the chain before the header requires.
    #[error("header has bits {:08x}, {:08x} are required", found.to_consensus(), required.to_consensus())]
    Bits {
        /// Required bits.
        required: CompactTarget,
        /// Bits of the header.
        found: CompactTarget,
    },
    /// Timestamp not above the median of the headers before it.
    #[error("header has timestamp {found}, it must be above the median time past of {median}")]
    TimeTooOld {
        /// Median of up to 11 headers before it, in seconds since 1970.
        median: u32,
        /// Timestamp of the header.
        found: u32,
    },
    /// Version below the lowest at this height.
    #[error("header has version {found}, at this height it must be at least {required}")]
    Version {
        /// Lowest version.
        required: i32,
        /// Version of the header.
        found: i32,
    },
    /// Target zero, negative or easier than the network's limit.
    #[error("header has bits {:08x}, outside the network's limit of {:08x}", bits.to_consensus(), limit.to_consensus())]
    TargetOutOfRange {
        /// Bits of the header.
        bits: CompactTarget,
        /// Easiest bits of the network.
        limit: CompactTarget,
    },
    /// The hash does not reach the target.
    #[error("header hash {0} is above its target")]
    HashAboveTarget(BlockHash),
    /// The stored chain lacks a header that the rules need.
    #[error("header at height {0} is needed to check its descendants and is missing")]
    MissingAncestor(BtcHeight),
}

/// Whether the difficulty changes at a height; light clients start at such a height.
pub const fn is_retarget_height(height: BtcHeight) -> bool {
    height.to_u32().is_multiple_of(RETARGET_INTERVAL)
}

impl HeaderRules {
    /// Returns the rules of a network; `None` for testnet 4, which the staking chain does not know.
    pub const fn for_network(network: bitcoin::Network) -> Option<Self> {
        match network {
            bitcoin::Network::Bitcoin => Some(Self::Mainnet),
            bitcoin::Network::Testnet => Some(Self::Testnet3),
            bitcoin::Network::Signet => Some(Self::Signet),
            bitcoin::Network::Regtest => Some(Self::Regtest),
            bitcoin::Network::Testnet4 => None,
        }
    }

    /// The easiest bits the network allows.
    pub fn limit(self) -> CompactTarget {
        CompactTarget::from_consensus(match self {
            Self::Mainnet | Self::Testnet3 => 0x1d00_ffff,
            Self::Signet => 0x1e03_77ae,
            Self::Simnet | Self::Regtest => 0x207f_ffff,
        })
    }

    /// Checks what can be checked of a header alone: its target and its proof of work.
    ///
    /// # Errors
    /// [`HeaderFault::TargetOutOfRange`] or [`HeaderFault::HashAboveTarget`].
    pub fn check_alone(self, header: &Header) -> Result<(), HeaderFault> {
        let limit = self.limit();
        let target = target_of(header.bits)
            .filter(|target| *target != Target::ZERO && *target <= Target::from_compact(limit))
            .ok_or(HeaderFault::TargetOutOfRange { bits: header.bits, limit })?;
        let hash = header.block_hash();
        if !target.is_met_by(hash) {
            return Err(HeaderFault::HashAboveTarget(hash));
        }
        Ok(())
    }

    /// Checks a header at `height` against the headers before it, which `ancestor` returns by height.
    ///
    /// The caller has seen that the header names the one at `height - 1` as its parent. At most 2016 ancestors are
    /// looked up.
    ///
    /// # Errors
    /// The first [`HeaderFault`] in the order of the module's description.
    pub fn check_in_context(
        self,
        header: &Header,
        height: BtcHeight,
        ancestor: impl Fn(BtcHeight) -> Option<Header>,
    ) -> Result<(), HeaderFault> {
        self.check_bits(header, height, &ancestor)?;
        check_time(header, height, &ancestor)?;
        self.check_version(header, height)?;
        self.check_alone(header)
    }

    fn check_bits(
        self,
        header: &Header,
        height: BtcHeight,
        ancestor: &impl Fn(BtcHeight) -> Option<Header>,
    ) -> Result<(), HeaderFault> {
        let required = self.required_bits(header.time, height, ancestor)?;
        if header.bits == required {
            return Ok(());
        }
        Err(HeaderFault::Bits { required, found: header.bits })
    }

    fn check_version(self, header: &Header, height: BtcHeight) -> Result<(), HeaderFault> {
        let required = self.lowest_version(height);
        let found = header.version.to_consensus();
        // A version below 2 is accepted where nothing is required yet, negative ones included.
        if required == 1 || found >= required {
            return Ok(());
        }
        Err(HeaderFault::Version { required, found })
    }

    fn lowest_version(self, height: BtcHeight) -> i32 {
        let (two, three, four) = match self {
            Self::Mainnet => (227_931, 363_725, 388_381),
            Self::Signet => (1, 1, 1),
            Self::Testnet3 => (21_111, 330_776, 581_885),
            Self::Simnet => (0, 0, 0),
            Self::Regtest => (100_000_000, 1251, 1351),
        };
        match height.to_u32() {
            height if height >= four => 4,
            height if height >= three => 3,
            height if height >= two => 2,
            _ => 1,
        }
    }

    /// Returns the bits a header at `height` with timestamp `time` must have.
    ///
    /// # Errors
    /// [`HeaderFault::MissingAncestor`] when `ancestor` lacks a header the rule needs.
    pub fn required_bits(
        self,
        time: u32,
        height: BtcHeight,
        ancestor: impl Fn(BtcHeight) -> Option<Header>,
    ) -> Result<CompactTarget, HeaderFault> {
        match self {
            Self::Regtest => Ok(self.limit()),
            Self::Mainnet | Self::Signet | Self::Testnet3 | Self::Simnet if is_retarget_height(height) => {
                self.retargeted_bits(height, &ancestor)
            }
            Self::Mainnet | Self::Signet => Ok(parent_of(height, &ancestor)?.bits),
            Self::Testnet3 | Self::Simnet => self.eased_bits(time, height, &ancestor),
        }
    }

    /// Difficulty after 2016 blocks: scaled by the time they took, at most fourfold either way.
    fn retargeted_bits(
        self,
        height: BtcHeight,
        ancestor: &impl Fn(BtcHeight) -> Option<Header>,
    ) -> Result<CompactTarget, HeaderFault> {
        let last = parent_of(height, ancestor)?;
        let first_height =
            height.checked_sub(RETARGET_INTERVAL).ok_or(HeaderFault::MissingAncestor(height))?;
        let first = ancestor(first_height).ok_or(HeaderFault::MissingAncestor(first_height))?;
        let taken = last.time.saturating_sub(first.time).clamp(TARGET_TIMESPAN / 4, TARGET_TIMESPAN * 4);
        let limit = Target::from_compact(self.limit());
        let target = scale_target(Target::from_compact(last.bits), taken, TARGET_TIMESPAN);
        Ok(target.map_or(limit, |target| target.min(limit)).to_compact_lossy())
    }

    /// The 20-minute rule of test networks: after a pause a block of minimum difficulty is due; otherwise the difficulty
    /// of the last block that was not such an exception.
    fn eased_bits(
        self,
        time: u32,
        height: BtcHeight,
        ancestor: &impl Fn(BtcHeight) -> Option<Header>,
    ) -> Result<CompactTarget, HeaderFault> {
        let parent = parent_of(height, ancestor)?;
        if time > parent.time.saturating_add(MIN_DIFFICULTY_AFTER) {
            return Ok(self.limit());
        }
        let mut at = height.checked_sub(1).ok_or(HeaderFault::MissingAncestor(height))?;
        let mut bits = parent.bits;
        while bits == self.limit() && !is_retarget_height(at) {
            let Some((below, header)) = at.checked_sub(1).and_then(|below| Some((below, ancestor(below)?)))
            else {
                return Ok(self.limit());
            };
            (at, bits) = (below, header.bits);
        }
        Ok(bits)
    }
}

fn parent_of(
    height: BtcHeight,
    ancestor: &impl Fn(BtcHeight) -> Option<Header>,
) -> Result<Header, HeaderFault> {
    let parent = height.checked_sub(1).ok_or(HeaderFault::MissingAncestor(height))?;
    ancestor(parent).ok_or(HeaderFault::MissingAncestor(parent))
}

fn check_time(
    header: &Header,
    height: BtcHeight,
    ancestor: &impl Fn(BtcHeight) -> Option<Header>,
) -> Result<(), HeaderFault> {
    // Fewer than 11 near the base header; of an even number the upper one in the middle counts.
    let mut times: Vec<u32> = (1..=MEDIAN_SPAN)
        .map_while(|back| height.checked_sub(back).and_then(ancestor).map(|header| header.time))
        .collect();
    times.sort_unstable();
    match times.get(times.len() / 2) {
        Some(&median) if header.time <= median => Err(HeaderFault::TimeTooOld { median, found: header.time }),
        Some(_) => Ok(()),
        None => Err(HeaderFault::MissingAncestor(height.checked_sub(1).unwrap_or(height))),
    }
}

/// Expands bits to a target; `None` when it has more than 256 bits, which [`Target::from_compact`] would wrap around.
fn target_of(bits: CompactTarget) -> Option<Target> {
    let compact = bits.to_consensus();
    let (size, mantissa) = (compact >> 24, compact & 0x7f_ffff);
    let length = (u32::BITS - mantissa.leading_zeros()) + 8 * size.saturating_sub(3);
    (mantissa == 0 || length <= 256).then(|| Target::from_compact(bits))
}

/// Returns `target * numerator / denominator`, rounded down; `None` when that has more than 256 bits.
///
/// The product needs up to 288 bits, more than any integer at hand, so it is computed in 32-bit digits, least
/// significant first.
fn scale_target(target: Target, numerator: u32, denominator: u32) -> Option<Target> {
    let bytes = target.to_le_bytes();
    let mut digits = [0u32; 9];
    let mut carry = 0;
    for (digit, chunk) in digits.iter_mut().zip(bytes.chunks_exact(4)) {
        let old = u32::from_le_bytes(chunk.try_into().ok()?);
        (*digit, carry) = split(u64::from(old) * u64::from(numerator) + u64::from(carry));
    }
    digits[8] = carry;
    let mut remainder = 0u32;
    for digit in digits.iter_mut().rev() {
        let dividend = (u64::from(remainder) << 32) | u64::from(*digit);
        // The quotient fits one digit because the remainder is below the denominator.
        *digit = split(dividend / u64::from(denominator)).0;
        remainder = split(dividend % u64::from(denominator)).0;
    }
    if digits[8] != 0 {
        return None;
    }
    let mut scaled = [0; 32];
    for (chunk, digit) in scaled.chunks_exact_mut(4).zip(digits) {
        chunk.copy_from_slice(&digit.to_le_bytes());
    }
    Some(Target::from_le_bytes(scaled))
}

/// The low and the high half of a number.
fn split(wide: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = wide.to_le_bytes();
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

#[cfg(test)]
mod tests;
